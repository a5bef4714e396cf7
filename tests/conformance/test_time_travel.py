"""Time travel in either store: from milestones or not, the book that stood there, by seq, by time and by venue time."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from tests.book.world import folded
from tests.engine.world import ACCOUNT, DEFINED, PERP, SECOND, START, fill
from trueup.book.book import Book
from trueup.engine import store as store_module
from trueup.engine.diff import diff
from trueup.engine.replay import NOW, Moment
from trueup.engine.store import Store
from trueup.engine.time_travel import as_of
from trueup.journal import milestones
from trueup.model.events import Event, FillBooked
from trueup.model.identifiers import PositionKey, Seq
from trueup.model.positions import Position

Opened = Callable[[], Store]


def told(store: Store) -> list[FillBooked]:
    """Forty fills, two a commit, the thirtieth late."""
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED])
    fills = [fill(number, at=2 if number == 30 else None) for number in range(1, 41)]
    for place in range(0, 40, 2):
        ledger.book_facts(fills[place : place + 2])
        store.synced(ACCOUNT)  # each by itself, so that states are kept along the way however slow the views are
    return fills


def test_every_seq_and_every_time(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "events_between", lambda *_: 4)
    monkeypatch.setattr(milestones, "SPACING", 2)
    store = opened()
    fills = told(store)
    assert len(store.milestones(ACCOUNT)) > 5
    ledger = store.ledger(ACCOUNT)
    for frame in list(ledger.frames()):
        for seq in range(frame.first, frame.last + 1):
            found, expected = as_of(store, ACCOUNT, Moment(seq=Seq(seq))), folded_prefix([DEFINED, *fills], seq)
            assert found.positions == expected
            assert (found.head.hash, found.head.recorded_at) == (frame.hash, frame.recorded_at)
        last = as_of(store, ACCOUNT, Moment(recorded=frame.recorded_at)).head.seq
        assert last >= frame.last
        assert as_of(store, ACCOUNT, Moment(seq=last)).head.recorded_at == frame.recorded_at
    for seconds in (1, 2, 15, 28, 40):
        then = as_of(store, ACCOUNT, Moment(venue_time=START + seconds * SECOND))
        happened = [each for each in fills if each.venue_time <= START + seconds * SECOND]
        assert then.positions[PERP.symbol, "net"].quantity == len(happened)


def folded_prefix(events: Sequence[Event], seq: int) -> Mapping[PositionKey, Position]:
    return folded(events[:seq], [1] * seq, Book(ACCOUNT)).positions()


def test_what_changed_between_two_seqs(opened: Opened) -> None:
    store = opened()
    told(store)
    found = diff(store, ACCOUNT, Moment(seq=Seq(11)), Moment(seq=Seq(21)))
    assert (found.counts, [entry.seq for entry in found.events]) == ({"fill": 10}, list(range(12, 22)))
    assert diff(store, ACCOUNT, Moment(seq=Seq(11)), NOW).counts == {"fill": 30}
