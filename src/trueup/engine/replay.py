"""The past: the journal's events with the time they were recorded, and the book as it stood at any moment.

A past book is folded anew from the journal, never patched. There are two kinds of past: what we knew (up to a seq, or
to a time of recording), and what had happened by a venue time, as far as we know now.
"""

from collections.abc import Iterator
from itertools import takewhile

import msgspec

from trueup.book.book import Book
from trueup.engine.ledger import Ledger
from trueup.journal.codec import decode
from trueup.model import events as e
from trueup.model.errors import NotFound
from trueup.model.facts import fact_key
from trueup.model.identifiers import Seq

BATCH = 1_000
"""Events folded at once."""


class Entry(msgspec.Struct, frozen=True):
    """An event of a journal, with its place and the time it was recorded (nanoseconds)."""

    seq: Seq
    recorded_at: int
    event: e.Event


class Moment(msgspec.Struct, frozen=True):
    """A point in the past: one of the three is given.

    Attributes:
        seq: After this event of the ledger.
        recorded: After everything recorded until this time.
        venue_time: After every fact that happened until this venue time, whenever we learnt of it.
    """

    seq: Seq | None = None
    recorded: int | None = None
    venue_time: int | None = None


NOW = Moment()
"""All there is."""


def entries(ledger: Ledger, after: Seq = Seq(0)) -> Iterator[Entry]:
    """The durable events after a seq, oldest first."""
    for frame in ledger.frames(after):
        for seq, event in enumerate(decode(frame.body), frame.first):
            if seq > after:
                yield Entry(Seq(seq), frame.recorded_at, event)


def entries_at(ledger: Ledger, moment: Moment) -> Iterator[Entry]:
    """The events that count at a moment, oldest first.

    Raises:
        NotFound: The ledger has not come to that seq yet.
    """
    every = entries(ledger)
    if moment.seq is not None:
        last = moment.seq
        if last > ledger.head.seq:
            raise NotFound(
                f"{ledger.account} ends at seq {ledger.head.seq}; there is no seq {last} yet.",
                remedy="Ask for a seq up to that one.",
            )
        return takewhile(lambda entry: entry.seq <= last, every)
    if moment.recorded is not None:
        time = moment.recorded
        return takewhile(lambda entry: entry.recorded_at <= time, every)
    return every if moment.venue_time is None else _happened(every, moment.venue_time)


def book_at(ledger: Ledger, moment: Moment) -> Book:
    """The book as it stood at a moment; the present one for :data:`NOW`. Raises as :func:`entries_at` does."""
    if moment == NOW:
        return ledger.book
    folded = Seq(0)

    def history() -> Iterator[tuple[Seq, e.Event]]:
        so_far = takewhile(lambda entry: entry.seq <= folded, entries_at(ledger, moment))
        return ((entry.seq, entry.event) for entry in so_far)

    book = Book(ledger.account, history)
    for batch in _batches(entries_at(ledger, moment)):
        folded = batch[-1].seq
        book.evolve([entry.event for entry in batch], batch[0].seq)
        book.forget_changes()
    return book


def _happened(every: Iterator[Entry], until: int) -> Iterator[Entry]:
    """What happened until a venue time. Definitions hold at any time; a match needs both of its sides."""
    later: set[str | None] = set()
    for entry in every:
        event = entry.event
        if isinstance(event, e.DeclarationMatched):
            if later.isdisjoint((event.fill_key, f"declared|{event.declaration_id}")):
                yield entry
        elif getattr(event, "venue_time", 0) <= until:
            yield entry
        elif isinstance(event, e.FillBooked | e.TradeDeclared):
            later.add(fact_key(event))


def _batches(every: Iterator[Entry]) -> Iterator[list[Entry]]:
    """Runs of consecutive seqs, since a book counts on from the first of a batch."""
    batch: list[Entry] = []
    for entry in every:
        if batch and (len(batch) == BATCH or entry.seq != batch[-1].seq + 1):
            yield batch
            batch = []
        batch.append(entry)
    if batch:
        yield batch
