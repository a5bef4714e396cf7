"""Comparing an account with saved answers of its venue: book, database and venue, with the evidence the answers hold.

No fact is booked here. Those in the answers that the book lacks are evidence: they name what is missing. The outcome is
put on record, and again when a comparison finds something else. Saved answers speak of the time they were saved, so
their age is counted from the newest fact booked: an old answer of an account where nothing happened since is as good as
a new one.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from trueup.book.book import Book
from trueup.engine.ledger import Ledger
from trueup.engine.reading import Source
from trueup.engine.store import Store
from trueup.model import events as e
from trueup.model.differences import Comparison, VenueSnapshot
from trueup.model.errors import ViewsFailed
from trueup.model.facts import fact_key
from trueup.model.identifiers import AccountId, PositionKey, Seq
from trueup.model.instruments import Instrument
from trueup.ports import Refused, Views
from trueup.reconcile.compare import compare
from trueup.reconcile.recording import recorded
from trueup.reconcile.state import DatabaseState, OurState
from trueup.venues.files import merge_snapshots


class Reconciliation(msgspec.Struct, frozen=True):
    """The answer of a comparison, and what else the files told.

    Attributes:
        missing: Facts in the answers that the book lacks.
        refused: Rows of the answers that could not be read.
        notes: What the readers say of the answers.
    """

    comparison: Comparison
    missing: Sequence[e.Fact]
    refused: Sequence[Refused]
    notes: Sequence[str]


def reconcile(store: Store, ledger: Ledger, sources: Sequence[Source]) -> Reconciliation:
    """Compare an account's book, its database and what its venue's answers say, and put the outcome on record.

    Raises:
        JournalFailed: It could not be put on record.
    """
    missing = _missing(ledger, sources)
    theirs = _snapshot(ledger, sources)
    comparison = compare(
        ledger.read(lambda book: book_side(book, _defined(sources))),
        database_side(store, ledger.account),
        theirs,
        table=True,
        now=ledger.book.newest_fact(),
        wall_clock=store.clock.now(),
        missing_fills=fills_by_position(missing, theirs.cut),
    )
    if _speak_of_the_state(sources):
        put_on_record(ledger, recorded(comparison, theirs.source))
    return Reconciliation(
        comparison,
        missing,
        [refusal for source in sources for refusal in source.reading.refused],
        [f"{source.answer.name}: {note}" for source in sources for note in _notes(source)],
    )


def put_on_record(ledger: Ledger, outcome: e.Compared) -> None:
    """Write the outcome of a comparison into the journal, unless the newest one there says the same.

    Raises:
        JournalFailed: The journal could not be written.
    """
    ledger.commit(lambda book: () if book.breaks.told_already(outcome) else (outcome,))


def book_side(book: Book, defined: Mapping[str, Instrument] | None = None) -> OurState:
    """The book as a side of a comparison; ``defined`` are terms for instruments that it does not know."""
    known = {symbol: versions[max(versions)] for symbol, versions in book.instruments.items()}
    return OurState(
        book.account,
        book.seq,
        book.positions(),
        book.balances(),
        book.open_orders(),
        {**(defined or {}), **known},
        {symbol: mark.price for symbol, mark in book.marks.items()},
    )


def views_side(views: Views, account: AccountId) -> DatabaseState:
    """The views as a side of a comparison. Raises :class:`ViewsFailed`."""
    (first, positions), (second, balances), (third, orders) = (
        views.positions(account),
        views.balances(account),
        views.orders(account),
    )
    return DatabaseState(
        min(first, second, third),
        {(position.instrument.symbol, position.position_side): position for position in positions},
        {balance.currency: balance for balance in balances},
        {order.venue_order_id: order for order in orders},
    )


def database_side(store: Store, account: AccountId) -> DatabaseState:
    """The views once they hold what is booked, or why they cannot be read."""
    try:
        store.synced(account)
        return views_side(store.views, account)
    except ViewsFailed as failure:
        return DatabaseState(Seq(0), failed=failure.message)


def _snapshot(ledger: Ledger, sources: Sequence[Source]) -> VenueSnapshot:
    """All states as one. An answer that could not be read may have been any part of it, so it counts as failed."""
    states = [source.reading.snapshot for source in sources if source.reading.snapshot is not None]
    merged = merge_snapshots(states) if states else VenueSnapshot(ledger.account)
    unread = {source.answer.name: source.error.message for source in sources if source.error is not None}
    return msgspec.structs.replace(merged, failed={**merged.failed, **unread})


def _speak_of_the_state(sources: Sequence[Source]) -> bool:
    """Whether any answer was one of the account's state, or may have been: fills alone compare nothing."""
    return any(source.reading.snapshot is not None or source.error is not None for source in sources)


def _notes(source: Source) -> Iterator[str]:
    """What a reader says of an answer, and that a state without a time may be of any."""
    if source.reading.note:
        yield source.reading.note
    snapshot = source.reading.snapshot
    if snapshot is not None and snapshot.cut is None:
        yield "age unknown: it does not say when it was true"


def _missing(ledger: Ledger, sources: Sequence[Source]) -> Sequence[e.Fact]:
    """Facts of the answers that are not booked, each once.

    A reader's opening cut is how the answer begins; where the book holds what came before, nothing is missing.
    """
    facts = {
        key: fact
        for source in sources
        for fact in source.reading.facts
        if not isinstance(fact, e.InstrumentDefined) and (key := fact_key(fact)) is not None
    }
    booked = ledger.keys.booked(facts)
    return [fact for key, fact in facts.items() if key not in booked and not _begins(fact, ledger.book)]


def _begins(fact: e.Fact, book: Book) -> bool:
    match fact:
        case e.OpeningPosition():
            return (fact.instrument, fact.position_side) in book.tracks
        case e.OpeningBalance():
            return fact.currency in book.wallets
        case _:
            return False


def fills_by_position(missing: Sequence[e.Fact], cut: int | None) -> Mapping[PositionKey, Sequence[e.FillBooked]]:
    """Missing fills that the snapshot may show, by position."""
    fills: defaultdict[PositionKey, list[e.FillBooked]] = defaultdict(list)
    for fact in missing:
        if isinstance(fact, e.FillBooked) and (cut is None or fact.venue_time <= cut):
            fills[fact.instrument, fact.position_side].append(fact)
    return fills


def _defined(sources: Sequence[Source]) -> Mapping[str, Instrument]:
    facts = (fact for source in sources for fact in source.reading.facts)
    return {fact.instrument.symbol: fact.instrument for fact in facts if isinstance(fact, e.InstrumentDefined)}
