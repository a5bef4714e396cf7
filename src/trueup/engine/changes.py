"""What frames did, as rows for the views."""

from collections.abc import Sequence

from trueup.book.book import Book
from trueup.book.track import Track
from trueup.engine.keys import identity
from trueup.journal.codec import decode
from trueup.model.events import Compared, Event, InstrumentDefined, MarkSampled
from trueup.model.identifiers import PositionKey, Seq
from trueup.model.instruments import Instrument
from trueup.model.numbers import exact
from trueup.ports import Change, Frame


def change(book: Book, frames: Sequence[Frame], keys: Sequence[tuple[str, Seq]]) -> Change:
    """What changed in a book since the last call, true at the last of ``frames``, to which it is folded."""
    with exact():
        # In the order of their keys, so that equal books are written equally, whatever path led to them.
        touched, book.touched = sorted(book.touched, key=_key), set()
        orders, book.orders.touched = sorted(book.orders.touched), set()
        marks, book.touched_marks = sorted(book.touched_marks.items()), {}
        cycles = {track.key: track.take_cycles() for track in touched if track.cycles_changed}
        return Change(
            ledger=book.account,
            seq=frames[-1].last,
            frames=frames,
            keys=keys,
            positions=[track.frozen(book.account) for track in touched],
            balances=list(book.balances().values()),
            orders=[book.orders.frozen(order) for order in orders if order in book.orders.open],
            dropped_orders=[order for order in orders if order not in book.orders.open],
            cycles=cycles,
            instruments=_terms(book) if any(_DEFINITION in frame.body for frame in frames) else (),
            marks=[(seq, _mark(book, instrument)) for instrument, seq in marks],
            control=book.control.take_rows(),
            compared=_compared(book, frames[0].first),
        )


def _mark(book: Book, instrument: str) -> MarkSampled:
    mark = book.marks[instrument]
    return MarkSampled(book.account, instrument, mark.price, mark.venue_time, mark.source)


def _compared(book: Book, first: Seq) -> tuple[Seq, Compared] | None:
    outcome = book.breaks.outcome
    return (book.breaks.seq, outcome) if outcome is not None and book.breaks.seq >= first else None


def forget_changes(book: Book) -> None:
    """Drop what changed, round trips that ended included: the views will be made from the log."""
    for track in book.touched:
        track.take_cycles()
    book.forget_changes()


def fold(book: Book, frame: Frame) -> Sequence[Event]:
    """Fold a durable frame; returns its events."""
    events = decode(frame.body)
    book.evolve(events, frame.first)
    return events


def identities(frame: Frame, events: Sequence[Event]) -> list[tuple[str, Seq]]:
    """What the events of a frame booked, each with its seq."""
    return [(key, Seq(seq)) for seq, event in enumerate(events, frame.first) if (key := identity(event)) is not None]


_DEFINITION = str(InstrumentDefined.__struct_config__.tag).encode()
"""In every frame that defines terms. In another one, as a part of some text, it costs time and nothing else."""


def _key(track: Track) -> PositionKey:
    return track.key


def _terms(book: Book) -> list[Instrument]:
    return [terms for versions in book.instruments.values() for terms in versions.values()]
