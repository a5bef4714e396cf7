"""What happens to an account while its adapter is checked, and whether a book says the same as the exchange."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from trueup.engine.ledger import Ledger
from trueup.engine.store import Store
from trueup.journal.embedded import EmbeddedStorage
from trueup.model.errors import BadInput
from trueup.model.events import Event, Fact, FillBooked, FundingPaid, OrderReported, TransferBooked
from trueup.model.identifiers import Side
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO, canonical, exact
from trueup.testing.conformance.rig import NotConforming, Rig, require

PATIENCE_S = 60.0
"""For what happens by itself sooner or later, on however busy a machine."""

HOUR_S = 3_600


def live(rig: Rig) -> None:
    """Some life: in and out of a position and through flat to the other side, money in and out, funding; flat again."""
    for side, lots in _TRADES:
        trade(rig, side, lots)
    settle = terms(rig).settle
    rig.exchange.deposit(rig.account, settle, Decimal(25))
    rig.exchange.deposit(rig.account, settle, Decimal(-5))
    rig.clock.skip(HOUR_S)
    rig.exchange.advance()
    trade(rig, "sell", 2)


def trade(rig: Rig, side: Side, lots: int = 1) -> None:
    """Somebody trades the account by hand."""
    rig.exchange.trade_by_hand(rig.account, rig.symbol, side, lots * rig.lot)


def terms(rig: Rig) -> Instrument:
    """What the exchange says of the rig's instrument."""
    return next(terms for terms in rig.exchange.instruments(rig.account) if terms.symbol == rig.symbol)


def price_at(rig: Rig, share: str) -> Decimal:
    """A price level at a share of the present price."""
    level = rig.exchange.markets[rig.symbol].level
    return Decimal(share) * rig.exchange.prices[rig.symbol] // level * level


def held(rig: Rig) -> Decimal:
    """What the account really holds of the rig's instrument."""
    return rig.exchange.truth(rig.account).positions.get(rig.symbol, ZERO)


def happened(rig: Rig) -> list[Fact]:
    """Everything that really happened, in order."""
    return list(rig.exchange.history(rig.account, None, limit=10**9)[0])


def orders_made(rig: Rig) -> int:
    """How many orders the exchange ever took from the account."""
    return len({fact.venue_order_id for fact in happened(rig) if isinstance(fact, OrderReported)})


def trades(facts: Iterable[Event]) -> Counter[tuple[str, ...]]:
    """Fills by what they did, whatever the venue calls them."""
    return Counter(
        (fact.instrument, fact.side, canonical(fact.quantity), canonical(fact.price))
        for fact in facts
        if isinstance(fact, FillBooked)
    )


def money(facts: Iterable[Event]) -> list[tuple[str, Decimal]]:
    """Transfers and funding by what they brought, in an order of their own."""
    return sorted(
        (f"{type(fact).__name__} {_plain(fact.currency)}", fact.amount)
        for fact in facts
        if isinstance(fact, TransferBooked | FundingPaid)
    )


def booked(ledger: Ledger) -> list[Event]:
    """Everything in a journal."""
    return [event for _, event in ledger.events()]


def require_truth(rig: Rig, ledger: Ledger) -> None:
    """The book says what happened: each trade and payment once, and what is held because of them."""
    problem = untruth(rig, ledger)
    require(not problem, problem)


def untruth(rig: Rig, ledger: Ledger) -> str:
    """What a book says otherwise than the exchange, in a sentence; empty where they agree.

    Balances are compared while nothing is held: what a part of a position realises is for each venue to say.
    """
    told, truth, facts = booked(ledger), rig.exchange.truth(rig.account), happened(rig)
    more, less = trades(told) - trades(facts), trades(facts) - trades(told)
    if more or less:
        return f"trades: too many are {dict(more)}, and too few {dict(less)}"
    positions = {symbol: size for symbol, size in truth.positions.items() if size}
    if _positions(ledger) != positions:
        return f"positions: the book has {_positions(ledger)}, and the exchange {positions}"
    if rig.money_step is not None:
        ours, theirs = money(told), money(facts)
        if not _alike(ours, theirs, rig.money_step):
            return f"money: the book has {ours}, and the exchange {theirs}"
        ours, theirs = _balances(ledger), _by_currency(truth.balances.items())
        if not positions and not _alike(ours, theirs, rig.money_step * len(facts)):
            return f"balances: the book has {ours}, and the exchange {theirs}"
    return f"{ledger.book.quarantined} facts were quarantined" if ledger.book.quarantined else ""


async def until_true(rig: Rig, ledger: Ledger) -> None:
    """Wait until the book agrees with the exchange."""
    await until(lambda: not untruth(rig, ledger), lambda: untruth(rig, ledger))


async def until(reached: Callable[[], object], why: Callable[[], str]) -> None:
    """Wait until something holds; says why not when that takes too long."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not reached():  # noqa: ASYNC110 - it comes about in the exchange, which has no event for it
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise NotConforming(f"after {PATIENCE_S:g} s still: {why()}") from None


class Books:
    """The store that a rig's account is booked in, which can be closed and opened again."""

    def __init__(self, rig: Rig, path: Path) -> None:
        self._rig = rig
        self._path = path
        self.store = self._open()

    @property
    def ledger(self) -> Ledger:
        """Of the rig's account."""
        return self.store.ledger(self._rig.account)

    def restart(self) -> Ledger:
        """Close everything, and begin again from what is on disk."""
        self.store.close()
        self.store = self._open()
        return self.ledger

    def _open(self) -> Store:
        return Store.open(EmbeddedStorage.open(self._path, create=True), self._rig.clock)


@contextmanager
def books_of(rig: Rig) -> Iterator[Books]:
    """A new store for a rig's account."""
    with TemporaryDirectory(prefix="trueup-conformance-") as path:
        books = Books(rig, Path(path) / "data")
        try:
            yield books
        finally:
            books.store.close()


def _positions(ledger: Ledger) -> dict[str, Decimal]:
    """What is held of each instrument, both sides taken together."""
    held: dict[str, Decimal] = {}
    with exact():
        for (symbol, _), position in ledger.book.positions().items():
            if position.instrument.kind != "spot":
                held[symbol] = held.get(symbol, ZERO) + position.quantity
    return {symbol: quantity for symbol, quantity in held.items() if quantity}


def _balances(ledger: Ledger) -> list[tuple[str, Decimal]]:
    return _by_currency((name, balance.total) for name, balance in ledger.book.balances().items())


def _by_currency(balances: Iterable[tuple[str, Decimal | None]]) -> list[tuple[str, Decimal]]:
    """Balances by currency, whatever wallets they are in."""
    totals: dict[str, Decimal] = {}
    with exact():
        for name, amount in balances:
            if amount is None:
                raise BadInput("balance", name, "it is unknown", remedy="The history has to begin with the account.")
            totals[_plain(name)] = totals.get(_plain(name), ZERO) + amount
    return sorted((name, amount) for name, amount in totals.items() if amount)


def _plain(currency: str) -> str:
    return currency.partition("@")[0]


def _alike(ours: Sequence[tuple[str, Decimal]], theirs: Sequence[tuple[str, Decimal]], apart: Decimal) -> bool:
    """Whether two lists of amounts are the same, as far as they may lie apart."""
    return [name for name, _ in ours] == [name for name, _ in theirs] and all(
        abs(our - their) <= apart for (_, our), (_, their) in zip(ours, theirs, strict=True)
    )


_TRADES: tuple[tuple[Side, int], ...] = (("buy", 3), ("sell", 1), ("sell", 4), ("buy", 1), ("buy", 5), ("sell", 2))
"""3, 2, -2, -1, 4 and 2 lots held."""
