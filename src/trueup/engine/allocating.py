"""What is held over all accounts of a store, its shares against their targets, and the record of these over time."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

import msgspec

from trueup.book.book import Book, Mark
from trueup.engine.store import Store
from trueup.model.assets import AssetMap
from trueup.model.errors import BadInput
from trueup.model.events import AllocationChecked, MarkSampled, VenueShare
from trueup.model.identifiers import CONTROL, AccountId
from trueup.model.instruments import Instrument
from trueup.model.positions import Balance
from trueup.ports import LiveVenue
from trueup.reconcile.across import Across, Holdings, across
from trueup.reconcile.allocation import TOLERANCE, Allocation, allocation
from trueup.reconcile.equity import equity
from trueup.reconcile.rates import Rates


class Held(msgspec.Struct, frozen=True):
    """What the accounts of a store hold.

    Attributes:
        prices: Every instrument with its newest mark, of all accounts.
    """

    holdings: tuple[Holdings, ...]
    balances: tuple[Balance, ...]
    prices: tuple[tuple[Instrument, Mark], ...]


class Checked(msgspec.Struct, frozen=True):
    """Where everything is, and whether it should be.

    Attributes:
        allocation: None where the worth of everything is neither given nor known.
        unknown: What it is not known for.
    """

    across: Across
    allocation: Allocation | None
    unknown: tuple[str, ...] = ()


def held(store: Store, accounts: Iterable[AccountId]) -> Held:
    """What some accounts hold, each at one seq. Raises as :meth:`trueup.engine.ledger.Ledger.read` does."""
    found = [store.ledger(account).read(_of_one) for account in accounts if account != CONTROL]
    return Held(
        tuple(holdings for holdings, _, _ in found),
        tuple(balance for _, balances, _ in found for balance in balances),
        tuple(price for _, _, prices in found for price in prices),
    )


async def sample_marks(store: Store, account: AccountId, venue: LiveVenue) -> None:
    """Ask a venue for the marks of everything that an account holds or held, and keep them in its ledger.

    Raises:
        VenueError: They could not be had.
        JournalFailed: They could not be kept.
    """
    ledger = store.ledger(account)
    marks = await venue.marks(ledger.read(lambda book: sorted({symbol for symbol, _ in book.tracks})))
    now = store.clock.now()
    events = [MarkSampled(account, mark.instrument, mark.price, mark.venue_time or now, "venue") for mark in marks]
    if events:
        await ledger.acommit(lambda _: events)


def check(
    known: Held,
    table: AssetMap,
    fixed: Mapping[tuple[str, str], Decimal],
    *,
    reporting: str,
    targets: Mapping[str, Decimal],
    portfolio_value: Decimal | None = None,
) -> Checked:
    """Add up what is held and hold the shares against their targets.

    Args:
        known: What is held.
        table: Which names are the same asset.
        fixed: Rates that were set by hand.
        reporting: The currency to add up in.
        targets: Share of each venue.
        portfolio_value: Of everything; None to add it up from balances and open profits.

    Raises:
        BadInput: The value of everything is not positive.
    """
    rates = Rates(known.prices, fixed)
    everything = across(known.holdings, table, rates, reporting)
    unknown: tuple[str, ...] = ()
    if portfolio_value is None:
        portfolio_value, unknown = equity(known.holdings, known.balances, rates, reporting)
    if portfolio_value is None:
        return Checked(everything, None, unknown)
    return Checked(everything, allocation(everything.by_venue(), targets, portfolio_value))


def put_on_record(store: Store, checked: Checked) -> None:
    """Keep the shares in the ledger ``control``. Raises as :meth:`trueup.engine.ledger.Ledger.commit` does."""
    if checked.allocation is None:
        raise BadInput("portfolio_value", None, "it is not known", remedy="Give it.")
    event = AllocationChecked(
        CONTROL,
        store.clock.now(),
        checked.across.reporting,
        checked.allocation.portfolio_value,
        tuple(VenueShare(one.venue, one.target, one.actual) for one in checked.allocation.shares),
        TOLERANCE,
        checked.across.table,
    )
    store.ledger(CONTROL).commit(lambda _: (event,))


def drift_history(store: Store) -> Iterator[AllocationChecked]:
    """Every check on record, oldest first. Raises as :meth:`trueup.engine.ledger.Ledger.events` does."""
    if CONTROL in store.accounts():
        yield from (event for _, event in store.ledger(CONTROL).events() if isinstance(event, AllocationChecked))


def _of_one(book: Book) -> tuple[Holdings, tuple[Balance, ...], list[tuple[Instrument, Mark]]]:
    terms = {symbol: book.terms(symbol) for symbol in book.marks}
    prices = [(instrument, book.marks[symbol]) for symbol, instrument in terms.items() if instrument is not None]
    positions = [position for position in book.positions().values() if position.quantity]
    return Holdings(book.account, positions, dict(book.marks)), tuple(book.balances().values()), prices
