"""Time travel: at every moment, on both clocks, from milestones or from the start, the book that stood there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.book.stories import arrivals, stories, window
from tests.book.test_breaks import DRIFT, outcome
from tests.book.world import ACCOUNT, BTC, ETH, SPOT, D, World, folded
from trueup.book import snapshot as snapshot_module
from trueup.book.book import Book, History
from trueup.book.snapshot import snapshot_and_hash, state_hash
from trueup.engine import store as store_module
from trueup.engine import time_travel
from trueup.engine.explaining import fifo_lots, round_trips
from trueup.engine.ledger import Decide
from trueup.engine.replay import NOW, Moment, entries
from trueup.engine.resuming import resumed
from trueup.engine.store import Store
from trueup.engine.time_travel import AsOf, as_of, book_as_of
from trueup.journal import milestones
from trueup.journal.embedded import EmbeddedStorage
from trueup.model import events as e
from trueup.model.errors import NotFound
from trueup.model.identifiers import AccountId, Seq
from trueup.model.times import NS_PER_SECOND
from trueup.ports import GENESIS, Head, Milestone

SMALL = 1 << 16
TICK = 10


class Ticks:
    """A clock by which every commit is ten nanoseconds after the one before."""

    def __init__(self) -> None:
        self.time = 0

    def now(self) -> int:
        self.time += TICK
        return self.time

    def monotonic(self) -> float:
        return 0.0


@contextmanager
def close_milestones(every: int = 3, spacing: int = 2) -> Iterator[None]:
    """States are taken every few events, and kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "events_between", lambda *_: every)
        patch.setattr(milestones, "SPACING", spacing)
        yield


@contextmanager
def told(batches: Sequence[Sequence[e.Event]]) -> Iterator[Store]:
    """A store in which these were committed, a frame a batch."""
    with TemporaryDirectory() as path:
        storage = EmbeddedStorage.open(Path(path) / "data", segment_bytes=SMALL, background=False)
        store = Store.open(storage, Ticks(), background=False)
        ledger = store.ledger(ACCOUNT)
        for batch in commits(batches):
            ledger.commit(always(batch))
            store.step()
        yield store
        store.close()


def commits(batches: Sequence[Sequence[e.Event]]) -> list[list[e.Event]]:
    """The same events as a ledger takes them: terms first, and a match once what it names is booked."""
    every = [event for batch in batches for event in batch]
    found: list[list[e.Event]] = [[event for event in every if isinstance(event, e.InstrumentDefined)]]
    for batch in batches:
        found.append([])
        for event in batch:
            if isinstance(event, e.DeclarationMatched):
                found.append([])
            if not isinstance(event, e.InstrumentDefined):
                found[-1].append(event)
    return [batch for batch in found if batch]


def always(batch: Sequence[e.Event]) -> Decide:
    return lambda _: batch


def prefix(batches: Sequence[Sequence[e.Event]], seq: int) -> Book:
    """The reference: the first events folded in memory, one by one."""
    return folded([event for batch in commits(batches) for event in batch][:seq], [1] * seq)


def same(found: AsOf, expected: Book) -> bool:
    return (found.positions, found.balances, found.orders, found.declarations, found.marks) == (
        expected.positions(),
        expected.balances(),
        expected.open_orders(),
        expected.declarations,
        expected.marks,
    ) and (found.compared, found.compared_at) == (expected.breaks.outcome, expected.breaks.seq)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_at_every_seq_stands_the_fold_of_what_came_before(data: st.DataObject) -> None:
    """Late facts, cuts that come late, declarations and matches included; tracks keep few facts or many."""
    world = data.draw(stories(max_size=16))
    batches = data.draw(arrivals(world))
    with window(data.draw(st.sampled_from([1, 4, 64]))), close_milestones(), told(batches) as store:
        for seq in range(store.ledger(ACCOUNT).head.seq + 1):
            found, expected = as_of(store, ACCOUNT, Moment(seq=Seq(seq))), prefix(batches, seq)
            assert same(found, expected)
            assert state_hash(book_as_of(store, ACCOUNT, Moment(seq=Seq(seq)))) == state_hash(expected)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_at_every_venue_time_stands_the_fold_of_what_had_happened(data: st.DataObject) -> None:
    world = data.draw(stories(max_size=16))
    batches = data.draw(arrivals(world))
    every = [event for batch in commits(batches) for event in batch]
    with window(data.draw(st.sampled_from([1, 4]))), close_milestones(), told(batches) as store:
        for seconds in range(1, 14):
            moment = Moment(venue_time=seconds * NS_PER_SECOND)
            expected = folded(happened(every, seconds * NS_PER_SECOND))
            assert state_hash(book_as_of(store, ACCOUNT, moment)) == state_hash(expected)


def happened(every: Sequence[e.Event], until: int) -> list[e.Event]:
    """The reference for the clock of the venue, written out."""
    times = {fill.venue_trade_id: fill.venue_time for fill in every if isinstance(fill, e.FillBooked)}
    declared = {d.declaration_id: d.venue_time for d in every if isinstance(d, e.TradeDeclared)}

    def counts(event: e.Event) -> bool:
        match event:
            case e.DeclarationMatched():
                fill = times.get(event.fill_key.removeprefix("fill|"), 0)
                return max(fill, declared[event.declaration_id]) <= until
            case _:
                return getattr(event, "venue_time", 0) <= until

    return [event for event in every if counts(event)]


def busy() -> list[list[e.Event]]:
    """An account with two positions, a declaration that a fill confirms, marks, orders, a late fact and comparisons."""
    world = World().on(ETH).on(SPOT).on(BTC)
    batches = [list(world.events)]
    told_so_far = len(world.events)

    def done() -> None:
        nonlocal told_so_far
        batches.append(world.events[told_so_far:])
        told_so_far = len(world.events)

    for number in range(12):
        world.on(BTC).at(10 * number + 1).buy("2", f"{100 + number}", fee="0.1")
        world.on(ETH).sell("1", "50", strategy="a")
        done()
        world.on(BTC).mark(f"{101 + number}").order("7", "open", f"0.{number % 9}")
        done()
    world.add(outcome(DRIFT, cut=60 * NS_PER_SECOND))
    done()
    world.on(BTC).at(3).sell("1", "90")
    done()
    world.on(BTC).at(200).buy("1", "120").add(outcome(status="SYNCED", cut=200 * NS_PER_SECOND))
    done()
    return batches


def test_a_time_of_recording_finds_what_was_recorded_by_then() -> None:
    batches = busy()
    with close_milestones(), told(batches) as store:
        frames = list(store.ledger(ACCOUNT).frames())
        assert len({frame.recorded_at for frame in frames}) == len(frames)
        for frame in frames:
            for time in (frame.recorded_at, frame.recorded_at + TICK - 1):
                found = as_of(store, ACCOUNT, Moment(recorded=time))
                assert (found.head.seq, found.head.hash, found.head.recorded_at) == (
                    frame.last,
                    frame.hash,
                    frame.recorded_at,
                )
                assert same(found, prefix(batches, frame.last))


def test_a_seq_inside_a_commit_names_the_frame_that_holds_it() -> None:
    with close_milestones(), told(busy()) as store:
        first, second, *_ = store.ledger(ACCOUNT).frames()
        inside = as_of(store, ACCOUNT, Moment(seq=Seq(second.first)))
        assert second.count > 1
        assert (inside.head.seq, inside.head.hash) == (second.first, second.hash)
        assert as_of(store, ACCOUNT, Moment(seq=first.last)).head.hash == first.hash
        assert as_of(store, ACCOUNT, Moment(seq=Seq(0))).head.hash == GENESIS


def test_now_is_the_present_book_in_copies() -> None:
    with told(busy()) as store:
        ledger = store.ledger(ACCOUNT)
        found = as_of(store, ACCOUNT, NOW)
        assert same(found, ledger.book)
        assert (found.head.seq, found.head.hash) == (ledger.head.seq, ledger.head.hash)
        own = book_as_of(store, ACCOUNT, NOW)
        assert own is not ledger.book
        assert state_hash(own) == state_hash(ledger.book)


def test_looking_back_leaves_the_present_alone() -> None:
    with close_milestones(), told(busy()) as store:
        ledger = store.ledger(ACCOUNT)
        before, head = state_hash(ledger.book), ledger.head
        for seq in range(head.seq):
            as_of(store, ACCOUNT, Moment(seq=Seq(seq)))
        assert (state_hash(ledger.book), ledger.head) == (before, head)


def test_profit_is_valued_by_the_marks_of_the_time() -> None:
    with told(busy()) as store:
        key = (BTC.symbol, "net")
        at = {seq: as_of(store, ACCOUNT, Moment(seq=Seq(seq))) for seq in (3, 5, 7)}
        assert at[3].positions == {}
        bought, marked = at[5], at[7]
        assert (bought.mark_price(bought.positions[key]), bought.unrealized_pnl(bought.positions[key])) == (None, None)
        assert (marked.mark_price(marked.positions[key]), marked.unrealized_pnl(marked.positions[key])) == (
            D(101),
            D(2),
        )
        flat = msgspec.structs.replace(marked.positions[key], quantity=Decimal(0))
        assert marked.unrealized_pnl(flat) == 0
        unknown = msgspec.structs.replace(marked.positions[key], cost=None)
        assert marked.unrealized_pnl(unknown) is None


def test_breaks_are_those_of_the_newest_comparison_by_then() -> None:
    with close_milestones(), told(busy()) as store:
        at = {entry.seq: entry.event for entry in entries(store.ledger(ACCOUNT)) if isinstance(entry.event, e.Compared)}
        (first, drift), (second, synced) = at.items()
        for seq, expected in ((first - 1, None), (first, drift), (second - 1, drift), (second, synced)):
            found = as_of(store, ACCOUNT, Moment(seq=Seq(seq)))
            assert found.compared == expected
        for seconds, expected in ((59, None), (60, drift), (199, drift), (200, synced)):
            then = as_of(store, ACCOUNT, Moment(venue_time=seconds * NS_PER_SECOND))
            assert then.compared == expected


# --- milestones -------------------------------------------------------------------------------------------------------


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Seq]:
    """From which milestones books are resumed."""
    seen: list[Seq] = []

    def noted(account: AccountId, seq: Seq, state: bytes, proved: bytes, history: History) -> Book:
        seen.append(seq)
        return resumed(account, seq, state, proved, history)

    monkeypatch.setattr(time_travel, "resumed", noted)
    return seen


def test_the_newest_milestone_at_or_before_the_moment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = counted(monkeypatch)
    with close_milestones(), told(busy()) as store:
        kept = store.milestones(ACCOUNT)
        assert len(kept) > 5
        for seq in (kept[2], kept[2] + 1, kept[3] - 1, kept[3]):
            book_as_of(store, ACCOUNT, Moment(seq=Seq(seq)))
        assert seen == [kept[2], kept[2], kept[2], kept[3]]


def test_a_fact_from_before_the_milestone_sends_it_further_back(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = counted(monkeypatch)
    batches = busy()
    with close_milestones(), told(batches) as store:
        prices = {entry.seq: getattr(entry.event, "price", None) for entry in entries(store.ledger(ACCOUNT))}
        (late,) = (seq for seq, price in prices.items() if price == D(90))
        found = as_of(store, ACCOUNT, Moment(seq=late))
        assert same(found, prefix(batches, late))
        assert len(seen) > 1
        assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "state of another seq", "other state", "other history"])
def test_a_milestone_that_cannot_be_believed_is_passed_over(damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = busy()
    with close_milestones(), told(batches) as store:
        kept = store.milestones(ACCOUNT)
        asked = kept[4]
        if damage in {"flip", "cut", "gone"}:
            spoil(store, asked, damage)
        else:
            lie = forged(store, batches, asked, damage)
            usual = store.milestone
            monkeypatch.setattr(store, "milestone", lambda account, at: lie if at == asked else usual(account, at))
        for seq in (asked, asked + 1):
            assert same(as_of(store, ACCOUNT, Moment(seq=Seq(seq))), prefix(batches, seq))


def test_milestones_of_an_older_format_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = busy()
    with close_milestones(), told(batches) as store:
        monkeypatch.setattr(snapshot_module, "FORMAT", snapshot_module.FORMAT + 1)
        for moment, seq in ((Moment(seq=Seq(20)), 20), (Moment(recorded=10**9), store.ledger(ACCOUNT).head.seq)):
            assert same(as_of(store, ACCOUNT, moment), prefix(batches, seq))


def test_a_milestone_without_a_readable_state_serves_no_venue_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with close_milestones(), told(busy()) as store:
        moment = Moment(venue_time=50 * NS_PER_SECOND)
        expected = as_of(store, ACCOUNT, moment)
        monkeypatch.setattr(store, "milestone", lambda *_: Milestone(Head(Seq(4), GENESIS), b"", b""))
        assert as_of(store, ACCOUNT, moment) == expected


def test_a_position_that_nothing_had_touched_has_no_round_trips_and_no_lots() -> None:
    key = (BTC.symbol, "net")
    with told(busy()) as store:
        assert list(round_trips(store, ACCOUNT, key, Moment(seq=Seq(3)))) == []
        assert list(fifo_lots(store, ACCOUNT, key, Moment(seq=Seq(3)))) == []
        assert [lot.quantity for lot in fifo_lots(store, ACCOUNT, key, Moment(seq=Seq(4)))] == [D(2)]


def spoil(store: Store, seq: Seq, damage: str) -> None:
    """Damage the file of a milestone."""
    storage = store._storage
    assert isinstance(storage, EmbeddedStorage)
    path = storage.directory.ledger_path(ACCOUNT) / f"{seq:020d}.snapshot"
    data = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(data[:-1] + (bytes([data[-1] ^ 1]) if damage == "flip" else b""))


def forged(store: Store, batches: Sequence[Sequence[e.Event]], seq: Seq, lie: str) -> Milestone:
    """A milestone that says other things than the log; what is beside it is true where the lie is another one."""
    true = store.milestone(ACCOUNT, seq)
    earlier = store.milestone(ACCOUNT, store.milestones(ACCOUNT)[1])
    assert true is not None
    assert earlier is not None
    twice = [
        msgspec.structs.replace(event, quantity=event.quantity * 2) if isinstance(event, e.FillBooked) else event
        for batch in commits(batches)
        for event in batch
    ]
    state, proved = snapshot_and_hash(folded(twice[:seq]))
    return {
        "state of another seq": Milestone(true.head, earlier.state, earlier.state_hash),
        "other state": Milestone(true.head, state, true.state_hash),
        "other history": Milestone(msgspec.structs.replace(true.head, hash=earlier.head.hash), state, proved),
    }[lie]


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_seq_that_is_not_there_yet_and_a_time_before_the_start_are_refused() -> None:
    with told(busy()) as store:
        head = store.ledger(ACCOUNT).head
        with pytest.raises(NotFound, match=f"ends at seq {head.seq}"):
            as_of(store, ACCOUNT, Moment(seq=Seq(head.seq + 1)))
        with pytest.raises(NotFound, match="recorded nothing") as early:
            as_of(store, ACCOUNT, Moment(recorded=TICK - 1))
        assert "from 1970-01-01T00:00:00.000000010Z on" in early.value.remedy
        with pytest.raises(NotFound, match="Nothing that is known"):
            as_of(store, ACCOUNT, Moment(venue_time=1))


def test_a_ledger_that_holds_nothing_has_no_past() -> None:
    with told([]) as store:
        assert as_of(store, ACCOUNT).positions == {}
        with pytest.raises(NotFound) as early:
            as_of(store, ACCOUNT, Moment(recorded=5))
        assert "once something is recorded" in early.value.remedy
