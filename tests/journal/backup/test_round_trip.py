"""What was backed up comes back: every frame byte for byte, every hash, every state, at every point in between."""

import tempfile
from pathlib import Path
from threading import Event, Thread

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.world import ACCOUNT, DEFINED, fill
from tests.journal.backup.backups import (
    backed_up,
    book,
    booked,
    destination_at,
    frames_of,
    head_and_state,
    quick_store,
    restored,
    small_pieces,
)
from trueup.bootstrap import open_store
from trueup.engine.points import Point
from trueup.engine.restoring import plan
from trueup.model.errors import BadInput, EventsWouldBeLost, NotFound
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Frame

OTHER = AccountId("paper:two")


def frames_in(path: Path, account: AccountId = ACCOUNT) -> list[Frame]:
    store = open_store(path, create=False)
    try:
        assert store.findings == []
        return frames_of(store, account) if account in store.accounts() else []
    finally:
        store.close()


def test_a_restored_directory_has_the_same_frames_head_and_state_and_goes_on(tmp_path: Path) -> None:
    store, destination = booked(tmp_path, 3, 1, 5), destination_at(tmp_path)
    made = backed_up(store, destination)
    frames, before = frames_of(store), head_and_state(store)
    store.close()
    (ledger,) = restored(destination, tmp_path / "again")
    assert (ledger.head_seq, ledger.head_hash, bytes.fromhex(ledger.state_hash)) == (
        before[0].seq,
        before[0].hash.hex(),
        before[1],
    )
    assert ledger.compared_at == ledger.head_seq
    assert (made.new_events, made.findings) == (10, [])
    again = open_store(tmp_path / "again")
    assert again.findings == []
    assert frames_of(again) == frames
    assert head_and_state(again) == before
    book(again, 2)
    assert again.ledger(ACCOUNT).head.seq == 12
    again.close()


STEPS = st.lists(st.one_of(st.integers(1, 12), st.just("back up")), min_size=1, max_size=14)


@settings(max_examples=10)
@given(STEPS)
def test_whenever_backups_are_taken_the_last_one_brings_everything_back(steps: list[int | str]) -> None:
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patched:
        small_pieces(patched)
        path = Path(directory)
        store, destination = quick_store(path), destination_at(path)
        for step in steps:
            if isinstance(step, int):
                book(store, step)
            else:
                backed_up(store, destination)
        backed_up(store, destination)
        frames, before = frames_of(store), head_and_state(store)
        store.close()
        if frames:
            (ledger,) = restored(destination, path / "again")
            assert (ledger.head_hash, bytes.fromhex(ledger.state_hash)) == (before[0].hash.hex(), before[1])
            assert frames_in(path / "again") == frames


def test_every_end_of_a_commit_is_a_point_and_no_place_within_one(tmp_path: Path) -> None:
    store, destination = booked(tmp_path, 2, 3, 1, 4, 2, 9, 1), destination_at(tmp_path)
    backed_up(store, destination)
    frames = frames_of(store)
    store.close()
    head = frames[-1].last
    ends = {frame.last: index for index, frame in enumerate(frames)}
    for seq in range(1, head + 1):
        point = Point(seq=Seq(seq))
        if seq in ends:
            cut = plan(destination, point)
            assert sum(loss.count for loss in cut.losses) == head - seq
            assert cut.heads[ACCOUNT].hash == frames[ends[Seq(seq)]].hash
        else:
            with pytest.raises(BadInput, match="were one commit"):
                plan(destination, point)
    with pytest.raises(NotFound, match=f"up to seq {head}"):
        plan(destination, Point(seq=Seq(head + 1)))


def test_a_restore_to_a_seq_a_time_or_a_head_ends_there_and_folds_to_the_state_of_then(tmp_path: Path) -> None:
    store, destination = booked(tmp_path, 2, 3), destination_at(tmp_path)
    then = head_and_state(store)
    book(store, 4, 1)
    backed_up(store, destination)
    frames = frames_of(store)
    store.close()
    points = [
        Point(seq=then[0].seq),
        Point(seq=then[0].seq, account=AccountId("one")),
        Point(time=then[0].recorded_at),
        Point(time=frames[3].recorded_at - 1),
        Point(head=then[0].hash.hex()),
        Point(head=then[0].hash.hex()[:10].upper()),
    ]
    for number, point in enumerate(points):
        (ledger,) = restored(destination, tmp_path / str(number), point, accept_loss=5)
        assert (ledger.head_seq, bytes.fromhex(ledger.state_hash)) == (then[0].seq, then[1])
    assert frames_in(tmp_path / "0") == frames[:3]


def test_other_ledgers_come_back_to_their_newest_unless_a_time_is_given(tmp_path: Path) -> None:
    store, destination = booked(tmp_path, 2), destination_at(tmp_path)
    early = store.ledger(ACCOUNT).head
    store.ledger(OTHER).book_facts([msgspec.structs.replace(DEFINED, account=OTHER)])
    book(store, 3)
    backed_up(store, destination)
    store.close()
    by_seq = plan(destination, Point(seq=early.seq, account=ACCOUNT))
    assert {account: head.seq for account, head in by_seq.heads.items()} == {ACCOUNT: 3, OTHER: 1}
    by_head = plan(destination, Point(head=early.hash.hex()))
    assert by_head.heads == by_seq.heads
    by_time = plan(destination, Point(time=early.recorded_at))
    assert {account: head.seq for account, head in by_time.heads.items()} == {ACCOUNT: 3}
    assert [(loss.account, loss.first, loss.last) for loss in by_time.losses] == [(ACCOUNT, 4, 6), (OTHER, 1, 1)]
    with pytest.raises(BadInput, match="several ledgers"):
        plan(destination, Point(seq=early.seq))
    with pytest.raises(NotFound, match="no account nobody"):
        plan(destination, Point(seq=early.seq, account=AccountId("nobody")))
    with pytest.raises(NotFound, match="Nothing had been recorded"):
        plan(destination, Point(time=1))
    for digits, refusal in (("0" * 64, NotFound), ("abc", BadInput), ("not a hash", BadInput)):
        with pytest.raises(refusal):
            plan(destination, Point(head=digits))


def test_a_loss_is_told_by_ledger_seq_kind_and_time_and_must_be_accepted_by_number(tmp_path: Path) -> None:
    store, destination = booked(tmp_path, 2), destination_at(tmp_path)
    point = Point(seq=store.ledger(ACCOUNT).head.seq)
    book(store, 3, 2)
    backed_up(store, destination)
    recorded_at = store.ledger(ACCOUNT).head.recorded_at
    store.close()
    (loss,) = plan(destination, point).losses
    assert (loss.first, loss.last, loss.kinds, loss.unread) == (4, 8, {"fill": 5}, 0)
    assert (loss.newest_recorded_at, loss.newest_venue_time) == (recorded_at, fill(7).venue_time)
    with pytest.raises(EventsWouldBeLost, match=r"^5 acknowledged events.*paper:one: seq 4 to 8 \(5 fill") as refusal:
        restored(destination, tmp_path / "again", point, accept_loss=4)
    assert "--accept-loss 5" in refusal.value.remedy
    assert not (tmp_path / "again").exists()
    restored(destination, tmp_path / "again", point, accept_loss=5)


def test_a_backup_taken_while_others_book_holds_what_was_durable_at_one_instant(tmp_path: Path) -> None:
    store, destination = booked(tmp_path, 1), destination_at(tmp_path)
    stop = Event()

    def keep_booking() -> None:
        while not stop.is_set():
            book(store, 3)

    booking = Thread(target=keep_booking)
    booking.start()
    try:
        heads = []
        for _ in range(3):
            made = backed_up(store, destination)
            heads.append(made.manifest.ledger(ACCOUNT).head)
    finally:
        stop.set()
        booking.join()
    frames = frames_of(store)
    store.close()
    known = {(frame.last, frame.hash) for frame in frames}
    assert all((head.seq, head.hash) in known for head in heads)
    (ledger,) = restored(destination, tmp_path / "again")
    assert (ledger.head_seq, ledger.compared_at) == (heads[-1].seq, heads[-1].seq)
    assert frames_in(tmp_path / "again") == [frame for frame in frames if frame.last <= heads[-1].seq]


def test_nothing_comes_back_from_a_directory_without_backups(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no backup here"):
        plan(destination_at(tmp_path))
