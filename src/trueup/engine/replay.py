"""The past: the journal's events with the time they were recorded, and the book as it stood at any moment.

A past book is folded anew from the journal, never patched. There are two kinds of past: what we knew (up to a seq, or
to a time of recording), and what had happened by a venue time, as far as we know now.
"""

from collections.abc import Iterable, Iterator
from itertools import takewhile

import msgspec

from trueup.book.book import Book
from trueup.engine.ledger import Ledger
from trueup.journal.codec import decode
from trueup.model import events as e
from trueup.model.errors import NotFound
from trueup.model.facts import fact_key
from trueup.model.identifiers import Seq
from trueup.ports import Frame

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


NOW: Moment = Moment()
"""All there is."""


def entries(ledger: Ledger, after: Seq = Seq(0)) -> Iterator[Entry]:
    """The durable events after a seq, oldest first."""
    return unpacked(ledger.frames(after), after)


def unpacked(frames: Iterable[Frame], after: Seq = Seq(0)) -> Iterator[Entry]:
    """The events of frames that stand after a seq."""
    for frame in frames:
        for seq, event in enumerate(decode(frame.body), frame.first):
            if seq > after:
                yield Entry(Seq(seq), frame.recorded_at, event)


def last_seq(ledger: Ledger, moment: Moment) -> Seq:
    """The last event that was recorded by a moment; 0 when none was.

    Raises:
        NotFound: The ledger has not come to that seq yet.
    """
    head = ledger.head.seq
    if moment.seq is not None:
        if moment.seq > head:
            raise NotFound(
                f"{ledger.account} ends at seq {head}; there is no seq {moment.seq} yet.",
                remedy="Ask for a seq up to that one.",
            )
        return moment.seq
    return head if moment.recorded is None else ledger.recorded_by(moment.recorded).seq


def entries_at(ledger: Ledger, moment: Moment) -> Iterator[Entry]:
    """The events that count at a moment, oldest first. Raises as :func:`last_seq` does."""
    return counting(entries(ledger), moment, last_seq(ledger, moment))


def counting(every: Iterator[Entry], moment: Moment, last: Seq) -> Iterator[Entry]:
    """Of the events of a ledger those that count at a moment, ``last`` being its :func:`last_seq`."""
    known = takewhile(lambda entry: entry.seq <= last, every)
    return known if moment.venue_time is None else filter(Counts(moment, last), known)


class Counts:
    """Whether an event of a ledger counts at a moment; to be asked of each of them, oldest first.

    At a venue time that is what had happened by then, and what was decided about it: definitions hold at any time, a
    match needs both of its sides, and a comparison speaks of its cut.
    """

    def __init__(self, moment: Moment, last: Seq) -> None:
        self._until = moment.venue_time
        self._last = last
        self._later: set[str | None] = set()

    def __call__(self, entry: Entry) -> bool:
        """Whether this one counts."""
        if self._until is None:
            return entry.seq <= self._last
        event = entry.event
        match event:
            case e.DeclarationMatched():
                return self._later.isdisjoint((event.fill_key, f"declared|{event.declaration_id}"))
            case e.Compared():
                return (event.cut or 0) <= self._until
            case _:
                happened: bool = getattr(event, "venue_time", 0) <= self._until
        if not happened and isinstance(event, e.FillBooked | e.TradeDeclared):
            self._later.add(fact_key(event))
        return happened


def book_at(ledger: Ledger, moment: Moment) -> Book:
    """The book as it stood at a moment, folded from the log's start; the present one for :data:`NOW`.

    It believes the log alone, and takes its time. :mod:`trueup.engine.time_travel` finds the same book sooner.
    Raises as :func:`last_seq` does.
    """
    if moment == NOW:
        return ledger.book
    folded = Seq(0)

    def history() -> Iterator[tuple[Seq, e.Event]]:
        so_far = takewhile(lambda entry: entry.seq <= folded, entries_at(ledger, moment))
        return ((entry.seq, entry.event) for entry in so_far)

    book = Book(ledger.account, history)
    for batch in batches(entries_at(ledger, moment)):
        folded = batch[-1].seq
        book.evolve([entry.event for entry in batch], batch[0].seq)
        book.forget_changes()
    return book


def batches(every: Iterator[Entry]) -> Iterator[list[Entry]]:
    """Runs of consecutive seqs, since a book counts on from the first of a batch."""
    batch: list[Entry] = []
    for entry in every:
        if batch and (len(batch) == BATCH or entry.seq != batch[-1].seq + 1):
            yield batch
            batch = []
        batch.append(entry)
    if batch:
        yield batch
