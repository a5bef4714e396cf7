"""Restoring: never over anything, never half, never silently less; and what no manifest lists is not given up."""

import errno
import shutil
from pathlib import Path
from random import Random

import msgspec
import pytest

from tests.engine.world import ACCOUNT, fill
from tests.journal.backup.backups import (
    backed_up,
    book,
    booked,
    destination_at,
    frames_of,
    head_and_state,
    quick_store,
    restored,
    silent,
)
from trueup.book.snapshot import FORMAT
from trueup.bootstrap import open_store
from trueup.engine.points import Point
from trueup.engine.restoring import plan, plan_whole, restore
from trueup.journal.backup.local import LocalDestination
from trueup.journal.backup.manifests import Manifest, listed, read_manifest, write_manifest
from trueup.journal.backup.new_directory import BESIDE, NewDirectory
from trueup.journal.backup.old_directory import OldDirectory
from trueup.journal.embedded import EmbeddedStorage
from trueup.model.errors import (
    BackupDamaged,
    BadInput,
    DirectoryLocked,
    EventsWouldBeLost,
    NotFound,
    StorageError,
    TrueupError,
)
from trueup.model.identifiers import Seq
from trueup.testing.disk import FaultyDisk, Operation


@pytest.fixture
def destination(tmp_path: Path) -> LocalDestination:
    """Two backups of one store, which is closed: 11 events, then 16."""
    store, made = quick_store(tmp_path), destination_at(tmp_path)
    book(store, 2, 8)
    backed_up(store, made)
    book(store, 5)
    backed_up(store, made)
    store.close()
    return made


def newest(destination: LocalDestination) -> Manifest:
    return read_manifest(destination, listed(destination)[-1].name)[0]


# --- never over anything, never half ----------------------------------------------------------------------------------


def test_a_directory_that_holds_anything_or_a_file_is_refused(destination: LocalDestination, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    (tmp_path / "file").touch()
    for taken in (tmp_path / "data", tmp_path / "full", tmp_path / "file"):
        with pytest.raises(BadInput, match="never writes over anything"):
            restored(destination, taken)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["x"]


def test_an_empty_directory_is_taken_and_one_whose_parent_is_missing_is_made(
    destination: LocalDestination, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    restored(destination, tmp_path / "empty")
    restored(destination, tmp_path / "new" / "deep")
    assert (tmp_path / "empty" / "format").exists()
    assert (tmp_path / "new" / "deep" / "format").exists()


def test_a_link_is_followed_whether_or_not_it_leads_anywhere_yet(destination: LocalDestination, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name, target in (("one", "empty"), ("other", "new")):
        (tmp_path / name).symlink_to(target)
        restored(destination, tmp_path / name)
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / target / "format").exists()


def test_a_place_where_a_disk_is_mounted_is_refused_at_once(
    destination: LocalDestination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mount").mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "mount")
    with pytest.raises(BadInput, match="a disk is mounted there"):
        restored(destination, tmp_path / "mount")
    restored(destination, tmp_path / "mount" / "data")


def test_what_a_crash_left_beside_the_place_is_cleared_away(destination: LocalDestination, tmp_path: Path) -> None:
    left = EmbeddedStorage.open(tmp_path / f"again{BESIDE}")
    left.close()
    (tmp_path / f"again{BESIDE}" / "ledgers" / "half").mkdir()
    restored(destination, tmp_path / "again")
    assert not (tmp_path / f"again{BESIDE}").exists()
    assert not (tmp_path / "again" / "ledgers" / "half").exists()


def test_two_restores_into_one_place_do_not_meet(destination: LocalDestination, tmp_path: Path) -> None:
    first = NewDirectory.begin(tmp_path / "again")
    with pytest.raises(DirectoryLocked):
        NewDirectory.begin(tmp_path / "again")
    first.discard()
    restored(destination, tmp_path / "again")


def test_a_directory_of_somebody_else_beside_the_place_is_left_alone(
    destination: LocalDestination, tmp_path: Path
) -> None:
    theirs = tmp_path / f"again{BESIDE}"
    theirs.mkdir()
    (theirs / "letter").write_text("dear")
    with pytest.raises(StorageError):
        restored(destination, tmp_path / "again")
    assert (theirs / "letter").read_text() == "dear"


OPERATIONS: list[Operation] = ["open", "write", "sync", "read", "rename", "sync_directory"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_disk_that_fails_at_any_moment_leaves_no_directory_and_the_next_attempt_succeeds(
    destination: LocalDestination, tmp_path: Path, operation: Operation
) -> None:
    place, failures = tmp_path / "again", 0
    for calls_before in range(200):
        disk = FaultyDisk()
        disk.fail(operation, errno.EIO, calls_before=calls_before)
        try:
            restored(destination, place, disk=disk)
        except TrueupError:
            failures += 1
            if operation == "sync_directory" and place.exists():
                break  # the last of all: the directory has its name, only nobody knows yet whether it keeps it
            assert not place.exists()
        else:
            break
    assert failures > 0
    if not place.exists():
        restored(destination, place)
    store = open_store(place, create=False)
    assert store.ledger(ACCOUNT).head == newest(destination).ledger(ACCOUNT).head
    store.close()


@pytest.mark.parametrize("seed", range(8))
def test_a_loss_of_power_right_after_a_restore_takes_nothing_of_the_logs(
    destination: LocalDestination, tmp_path: Path, seed: int
) -> None:
    disk = FaultyDisk()
    restored(destination, tmp_path / "again", disk=disk)
    disk.lose_power(Random(seed))
    store = open_store(tmp_path / "again", create=False)
    assert store.findings == []
    assert store.ledger(ACCOUNT).head == newest(destination).ledger(ACCOUNT).head
    store.close()


# --- never silently less ----------------------------------------------------------------------------------------------


def test_what_the_directory_given_up_knows_and_the_backup_lacks_counts_as_lost(
    destination: LocalDestination, tmp_path: Path
) -> None:
    store = open_store(tmp_path / "data")
    book(store, 3, 1)
    store.close()
    with OldDirectory(tmp_path / "data") as old:
        (loss,) = plan(destination, replacing=old).losses
        both = plan(destination, Point(seq=Seq(11)), old)
    assert (loss.first, loss.last, loss.kinds, loss.unread) == (17, 20, {"fill": 4}, 0)
    assert [(loss.first, loss.last, loss.kinds) for loss in both.losses] == [(12, 20, {"fill": 9})]


def went_another_way(destination: LocalDestination, path: Path, *commits: int) -> None:
    """The directory as it is after a restore to event 11, where the books went on differently."""
    shutil.rmtree(path / "data")
    restored(destination, path / "data", Point(seq=Seq(11)), accept_loss=5)
    store = open_store(path / "data")
    for count in commits:
        seq = store.ledger(ACCOUNT).head.seq
        store.ledger(ACCOUNT).book_facts([fill(1_000 + number) for number in range(seq, seq + count)])
    store.close()


@pytest.mark.parametrize("commits", [(2,), (5,), (2, 3), (3, 4), (9,)])  # shorter than the backup, as long, longer
@pytest.mark.parametrize("without", ["nothing", "log", "views"])
def test_what_a_directory_booked_after_it_went_another_way_counts_as_lost(
    destination: LocalDestination, tmp_path: Path, commits: tuple[int, ...], without: str
) -> None:
    went_another_way(destination, tmp_path, *commits)
    gone = {"nothing": (), "log": (tmp_path / "data").glob("ledgers/*/*.seg"), "views": (tmp_path / "data").glob("v*")}
    for left in gone[without]:
        left.unlink()
    with OldDirectory(tmp_path / "data") as old:
        planned = plan(destination, replacing=old)
        earlier = plan(destination, Point(seq=Seq(3)), old)
    (loss,) = planned.losses
    assert (loss.first, loss.count, loss.kinds, loss.unread) == (12, sum(commits), {"fill": sum(commits)}, 0)
    assert loss.of_another_history
    assert "of another history than the backup's" in loss.sentence()
    with pytest.raises(EventsWouldBeLost, match=f"^{sum(commits)} acknowledged events"):
        restore(destination, planned, NewDirectory.begin(tmp_path / "again"), progress=silent)
    assert [(loss.first, loss.count) for loss in earlier.losses] == [(12, sum(commits)), (4, 13)]


def test_a_directory_that_lags_behind_its_backup_loses_nothing(destination: LocalDestination, tmp_path: Path) -> None:
    went_another_way(destination, tmp_path)
    with OldDirectory(tmp_path / "data") as old:
        assert plan(destination, replacing=old).losses == []


def test_events_of_which_only_the_number_is_left_are_counted_as_well(
    destination: LocalDestination, tmp_path: Path
) -> None:
    store = open_store(tmp_path / "data")
    book(store, 3, 1)
    store.close()
    for left in [*(tmp_path / "data").glob("views.sqlite3*"), *(tmp_path / "data" / "ledgers").glob("*/*.seg")]:
        left.unlink()
    with OldDirectory(tmp_path / "data") as old:
        planned = plan(destination, replacing=old)
    (loss,) = planned.losses
    assert (loss.first, loss.last, loss.kinds, loss.unread) == (17, 20, {}, 4)
    assert "4 of which only the number is known" in loss.sentence()
    with pytest.raises(EventsWouldBeLost, match="4 acknowledged events"):
        restore(destination, planned, NewDirectory.begin(tmp_path / "again"), progress=silent)
    assert not (tmp_path / "again").exists()
    assert not (tmp_path / f"again{BESIDE}").exists()


def test_a_directory_in_which_somebody_still_books_is_not_given_up(
    destination: LocalDestination, tmp_path: Path
) -> None:
    store = open_store(tmp_path / "data")
    with pytest.raises(DirectoryLocked):
        OldDirectory(tmp_path / "data")
    store.close()


def test_looking_at_the_directory_given_up_changes_nothing_in_it(destination: LocalDestination, tmp_path: Path) -> None:
    (segment,) = (tmp_path / "data" / "ledgers").glob("*/*.seg")
    content = bytearray(segment.read_bytes())
    content[5_000] ^= 1
    segment.write_bytes(content)
    with OldDirectory(tmp_path / "data") as old:
        assert plan(destination, replacing=old).losses == []
    assert segment.read_bytes() == content


# --- the state that was noted -----------------------------------------------------------------------------------------


def with_state(destination: LocalDestination, **noted: object) -> Manifest:
    """The newest backup with something else noted of the state."""
    before = newest(destination)
    ledger = msgspec.structs.replace(before.ledger(ACCOUNT), **noted)
    manifest = msgspec.structs.replace(before, created_at=before.created_at + 1, ledgers=[ledger])
    write_manifest(destination, manifest)
    return manifest


def test_a_log_that_folds_to_another_state_than_was_noted_is_refused(
    destination: LocalDestination, tmp_path: Path
) -> None:
    with_state(destination, state_hash="ab" * 32)
    with pytest.raises(BackupDamaged, match=r"folds at seq 16 to the state .*, it was abababababababab"):
        restored(destination, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_state_noted_before_the_head_is_compared_there(destination: LocalDestination, tmp_path: Path) -> None:
    first = read_manifest(destination, listed(destination)[0].name)[0].ledger(ACCOUNT)
    with_state(destination, state_seq=first.state_seq, state_hash=first.state_hash)
    (ledger,) = restored(destination, tmp_path / "again")
    assert (ledger.compared_at, ledger.head_seq) == (11, 16)
    with_state(destination, state_seq=Seq(11), state_hash="ab" * 32)
    with pytest.raises(BackupDamaged, match="folds at seq 11"):
        restored(destination, tmp_path / "other")


def test_a_state_hashed_by_another_format_is_not_compared(destination: LocalDestination, tmp_path: Path) -> None:
    with_state(destination, state_hash="ab" * 32, state_format=FORMAT - 1)
    (ledger,) = restored(destination, tmp_path / "again")
    assert (ledger.compared_at, ledger.head_seq) == (0, 16)


# --- what no manifest lists -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [1, 2])
def test_without_the_newest_manifests_their_blobs_still_bring_everything_back(
    destination: LocalDestination, tmp_path: Path, lost: int
) -> None:
    head = newest(destination).ledger(ACCOUNT).head
    for backup in listed(destination)[-lost:]:
        (destination.path / backup.name).unlink()
    planned = plan(destination)
    assert planned.losses == []
    assert any("no manifest lists" in finding for finding in planned.findings)
    (ledger,) = restored(destination, tmp_path / "again")
    assert (ledger.head_seq, ledger.head_hash) == (head.seq, head.hash.hex())


def test_a_blob_beyond_the_newest_manifest_that_is_damaged_is_told_and_counts_as_lost(
    destination: LocalDestination, tmp_path: Path
) -> None:
    older = listed(destination)[0]
    known = {chunk.name for chunk in read_manifest(destination, older.name)[0].chunks}
    for chunk in newest(destination).chunks:
        if chunk.name not in known:
            (destination.path / chunk.name).write_bytes(b"rot")
    (destination.path / listed(destination)[-1].name).unlink()
    planned = plan(destination)
    assert [(loss.first, loss.last, loss.unread) for loss in planned.losses] == [(12, 16, 5)]
    assert any("cannot be unpacked" in finding for finding in planned.findings)
    with pytest.raises(EventsWouldBeLost):
        restored(destination, tmp_path / "again")
    (ledger,) = restored(destination, tmp_path / "again", accept_loss=5)
    assert ledger.head_seq == 11


def test_a_blob_of_another_history_that_reaches_further_is_not_taken_for_a_continuation(
    destination: LocalDestination, tmp_path: Path
) -> None:
    other, elsewhere = quick_store(tmp_path / "other"), destination_at(tmp_path / "other")
    book(other, 1, *[1] * 24)
    foreign = [chunk for chunk in backed_up(other, elsewhere).manifest.chunks if chunk.first <= 17 <= chunk.last]
    other.close()
    for chunk in foreign:
        destination.put(chunk.name, elsewhere.get(chunk.name))
    planned = plan(destination)
    assert planned.heads[ACCOUNT] == newest(destination).ledger(ACCOUNT).head
    assert [(loss.first, loss.last) for loss in planned.losses] == [(17, foreign[-1].last)]
    assert any("does not continue the chain" in finding for finding in planned.findings)


def test_one_backup_is_restored_exactly_as_its_manifest_says(destination: LocalDestination, tmp_path: Path) -> None:
    older = read_manifest(destination, listed(destination)[0].name)[0]
    target = NewDirectory.begin(tmp_path / "again")
    (ledger,) = restore(destination, plan_whole(older), target, progress=silent)
    assert (ledger.head_seq, ledger.compared_at) == (11, 11)


def test_the_restored_store_books_on_and_is_backed_up_beside_the_old_history(tmp_path: Path) -> None:
    store, first = booked(tmp_path, 2, 8), destination_at(tmp_path)
    backed_up(store, first)
    store.close()
    restored(first, tmp_path / "again", Point(seq=Seq(3)), accept_loss=8)
    again = open_store(tmp_path / "again")
    book(again, 1, 20)
    made = backed_up(again, first)
    assert "does not continue the backup" in made.findings[0]
    second = LocalDestination.open(tmp_path / "second", create=True)
    assert backed_up(again, second).findings == []
    before = frames_of(again), head_and_state(again)
    again.close()
    restored(second, tmp_path / "third")
    third = open_store(tmp_path / "third")
    assert (frames_of(third), head_and_state(third)) == before
    third.close()


def test_a_backup_of_nothing_restores_nothing_and_says_so(tmp_path: Path) -> None:
    store, destination = open_store(tmp_path / "data"), destination_at(tmp_path)
    backed_up(store, destination)
    store.close()
    with pytest.raises(NotFound, match="no backup here"):
        plan(destination)
