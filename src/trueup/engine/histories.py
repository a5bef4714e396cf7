"""The two histories behind a difference: our facts of a span out of the journal, and the venue's, read once more."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import get_args

import msgspec
from msgspec.structs import replace

from trueup.book.book import Book
from trueup.engine.ledger import Ledger
from trueup.model import events as e
from trueup.model.differences import VenueSnapshot
from trueup.model.facts import fact_key, order_key
from trueup.model.identifiers import PositionKey, Seq
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO
from trueup.model.positions import OpenOrder
from trueup.model.times import NS_PER_SECOND
from trueup.ports import LiveVenue
from trueup.reconcile.explain.chain import gaps
from trueup.reconcile.explain.evidence import Evidence, OrderInFlight, Sifted, sift
from trueup.reconcile.in_flight import orders_in_flight

FACTS_MAX = 100_000
"""The venue's facts that are held in memory to explain one difference; what is older than these is left out."""

SETTLING_NS = 60 * NS_PER_SECOND
"""How long a venue's snapshot may lag behind its own history."""

_FACTS = get_args(e.Fact)


class History(msgspec.Struct, frozen=True):
    """The venue's facts of a span, all of them that it still tells.

    Attributes:
        since: Venue time from which on it is complete; 0 for its very beginning.
        agreed: Venue time of the newest cut at which book and venue agreed; 0 for never.
    """

    since: int
    facts: Sequence[e.Fact] = ()
    agreed: int = 0


async def reread(venue: LiveVenue, agreed: int) -> History:
    """The venue's history from shortly before a cut on, without booking it. Raises :class:`VenueError`."""
    since = max(agreed - SETTLING_NS, 0)
    facts: list[e.Fact] = []
    begin = await venue.cursor_at(since) if since else None
    async for page, _ in venue.history(begin):
        facts += page
        if len(facts) > FACTS_MAX:
            facts = sorted(facts, key=order_key)[-FACTS_MAX // 2 :]
            since = order_key(facts[0])[0] + 1  # others of its instant may be left out
    return History(since, facts, agreed)


def recorded_since(ledger: Ledger, after: Seq, since: int) -> Sequence[e.Fact]:
    """The facts of a venue time or later that were booked after a seq. Raises :class:`JournalDamaged`."""
    facts = (event for _, event in ledger.events(after) if isinstance(event, _FACTS))
    return [fact for fact in facts if order_key(fact)[0] >= since]


def later_than(facts: Iterable[e.Fact], cut: int | None) -> tuple[e.Fact, ...]:
    """Those after a cut; none where it is not known."""
    return tuple(fact for fact in facts if cut is not None and order_key(fact)[0] > cut)


def evidence(
    ledger: Ledger,
    theirs: VenueSnapshot,
    instruments: Mapping[str, Instrument],
    ours: Sequence[e.Fact],
    history: History | None,
    differing: Sequence[PositionKey],
) -> Evidence:
    """All that bears on the differences of one comparison.

    Args:
        ledger: Whose book was compared.
        theirs: With what.
        instruments: Terms in effect.
        ours: Our facts since before the span of the history.
        history: The venue's; None where it was not read: then nothing is called missing or extra.
        differing: The positions that differ.
    """
    sifted = Sifted() if history is None else _sifted(ledger, ours, history, theirs.cut)
    confirmed = set() if history is None else {fact_key(fact) for fact in history.facts}
    recent = sorted(_between(ours, (theirs.cut or 0) - SETTLING_NS, theirs.cut), key=order_key)
    fills = [fact for fact in (*ours, *sifted.missing) if isinstance(fact, e.FillBooked)]
    before_splits, ours_open = ledger.read(lambda book: (_held(book, sifted), book.open_orders()))
    return Evidence(
        facts=sifted,
        instruments=instruments,
        cut=theirs.cut,
        failed=theirs.failed,
        after_cut=later_than(ours, theirs.cut),
        recent=tuple(fact for fact in recent if fact_key(fact) in confirmed),
        orders=_in_flight(ledger, ours_open, theirs.open_orders, set(differing)),
        held=before_splits,
        gaps=() if history is None else gaps(one for one in fills if one.venue_time >= history.since),
    )


def _sifted(ledger: Ledger, ours: Sequence[e.Fact], history: History, cut: int | None) -> Sifted:
    """Both sides of the span up to the cut. What the venue lists and was booked before ``ours`` begins is on both."""
    theirs = _between(history.facts, history.since, cut)
    here = {fact_key(fact) for fact in ours}
    elsewhere = [key for fact in theirs if (key := fact_key(fact)) is not None and key not in here]
    booked = ledger.keys.booked(elsewhere)
    known = [fact for fact in theirs if fact_key(fact) not in booked and not isinstance(fact, _OPENINGS)]
    sifted = sift((fact for fact in _between(ours, history.since, cut) if isinstance(fact, _THEIRS)), known)
    reach = _reach(history)
    return replace(sifted, extra=tuple(fact for fact in sifted.extra if order_key(fact)[0] >= reach))


def _reach(history: History) -> int:
    """From when on a fact that the venue does not tell is none of its: older ones, agreed upon, may have aged out."""
    told = (order_key(fact)[0] for fact in history.facts if not isinstance(fact, _OPENINGS))
    return min((history.agreed + 1, *told))


def _between(facts: Iterable[e.Fact], since: int, cut: int | None) -> list[e.Fact]:
    return [fact for fact in facts if since <= order_key(fact)[0] and (cut is None or order_key(fact)[0] <= cut)]


def _held(book: Book, sifted: Sifted) -> Mapping[str, Decimal]:
    """Our signed quantity just before each split that we lack."""
    splits = [fact for fact in sifted.missing if isinstance(fact, e.SplitBooked)]
    return {
        fact_key(split) or "": book.as_of_cut(split.venue_time - 1).get((split.instrument, split.position_side), ZERO)
        for split in splits
    }


def _in_flight(
    ledger: Ledger,
    ours: Mapping[str, OpenOrder],
    listed: Mapping[str, OpenOrder] | None,
    differing: Collection[PositionKey],
) -> tuple[OrderInFlight, ...]:
    """Orders whose fills may not have reached us, of the positions that differ: only these are worth counting.

    Their fills may be anywhere in the log. It is read without the ledger's turn, so that nobody waits to book.
    """
    ours, theirs = _of(ours, differing), None if listed is None else _of(listed, differing)
    orders = {**ours, **(theirs or {})}
    filled: dict[str, Decimal] = {}
    for _, fill in ledger.events() if orders else ():
        order = orders.get(fill.venue_order_id) if isinstance(fill, e.FillBooked) else None
        if isinstance(fill, e.FillBooked) and order is not None and order.instrument == fill.instrument:
            filled[order.venue_order_id] = filled.get(order.venue_order_id, ZERO) + fill.quantity
    return orders_in_flight(ours, theirs, filled)


def _of(orders: Mapping[str, OpenOrder], positions: Collection[PositionKey]) -> Mapping[str, OpenOrder]:
    return {name: one for name, one in orders.items() if (one.instrument, one.position_side) in positions}


_OPENINGS = (e.OpeningPosition, e.OpeningBalance, e.InstrumentDefined)
"""How an answer begins, which says nothing of what happened."""

_THEIRS = (
    e.FillBooked,
    e.FeeCharged,
    e.FundingPaid,
    e.TransferBooked,
    e.LiquidationFlagged,
    e.SplitBooked,
    e.LeverageSet,
    e.MarginModeSet,
)
"""What a venue's history would hold if it happened there: neither reports, which it need not repeat, nor our words."""
