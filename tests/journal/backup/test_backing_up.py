"""Taking backups: only what is new is copied, nothing is forgotten, and what does not continue a backup is told."""

import errno
from pathlib import Path

import msgspec
import pytest

from tests.engine.world import ACCOUNT, DEFINED, fill
from tests.journal.backup.backups import backed_up, book, booked, destination_at, frames_of, restored
from trueup.bootstrap import open_store
from trueup.engine.backing_up import POSITIONS_AT_ONCE, back_up, finished, prune
from trueup.engine.store import Store
from trueup.journal.backup import retention
from trueup.journal.backup.destination import Destination
from trueup.journal.backup.local import LocalDestination
from trueup.journal.backup.manifests import LedgerBackup, listed, read_manifest, write_manifest
from trueup.journal.backup.retention import GRACE_NS, Keep
from trueup.model.errors import BackupFailed
from trueup.model.events import InstrumentDefined
from trueup.model.identifiers import AccountId
from trueup.ports import Head
from trueup.testing.disk import FaultyDisk

OTHER = AccountId("paper:two")


class Counting(LocalDestination):
    """A destination that notes what is put."""

    def __init__(self, path: Path, disk: FaultyDisk) -> None:
        super().__init__(path, disk)
        self.put_names: list[str] = []

    def put(self, name: str, data: bytes) -> None:
        self.put_names.append(name)
        super().put(name, data)


def head_in(destination: LocalDestination, account: AccountId = ACCOUNT) -> Head:
    return read_manifest(destination, listed(destination)[-1].name)[0].ledger(account).head


def book_other(store_path: Path) -> None:
    store = open_store(store_path)
    store.ledger(OTHER).book_facts([msgspec.structs.replace(DEFINED, account=OTHER)])
    store.close()


def test_a_sealed_chunk_is_put_once_and_nothing_at_all_when_nothing_is_new(tmp_path: Path) -> None:
    store = booked(tmp_path, *[1] * 30)
    (tmp_path / "backup").mkdir()
    destination = Counting(tmp_path / "backup", FaultyDisk())
    backed_up(store, destination)
    for _ in range(6):
        book(store, 2, 2)
        backed_up(store, destination)
    sealed = [
        chunk.name for chunk in read_manifest(destination, listed(destination)[-1].name)[0].chunks if chunk.sealed
    ]
    assert len(sealed) > 3
    assert all(destination.put_names.count(name) == 1 for name in sealed)
    before = list(destination.put_names)
    again = backed_up(store, destination)
    assert (again.name, again.new_events, destination.put_names) == ("", 0, before)
    store.close()


def test_an_empty_store_has_an_empty_backup(tmp_path: Path) -> None:
    store, destination = open_store(tmp_path / "data"), destination_at(tmp_path)
    made = backed_up(store, destination)
    assert (made.manifest.ledgers, made.findings) == ([], [])
    assert backed_up(store, destination).name == ""
    store.close()


def test_of_two_backups_the_later_is_listed_last_even_when_the_clock_went_back(tmp_path: Path) -> None:
    store, destination = booked(tmp_path, 1), destination_at(tmp_path)
    made = backed_up(store, destination)
    future = msgspec.structs.replace(made.manifest, created_at=made.manifest.created_at + 10**15)
    write_manifest(destination, future)
    book(store, 1)
    later = backed_up(store, destination)
    assert later.manifest.created_at == future.created_at + 1
    assert listed(destination)[-1].name == later.name
    store.close()


def test_a_ledger_that_lost_its_end_keeps_its_place_in_the_backup_and_that_is_told(tmp_path: Path) -> None:
    store, destination = booked(tmp_path, 2, 3), destination_at(tmp_path)
    backed_up(store, destination)
    store.close()
    full = head_in(destination)
    store = booked(tmp_path / "older", 2)
    made = backed_up(store, destination)
    store.close()
    (finding,) = made.findings
    assert finding.startswith("paper:one was not backed up: it ends at seq 3, and the backup has it up to seq 6.")
    assert "another directory" in finding
    assert (made.name, head_in(destination)) == ("", full)


@pytest.mark.parametrize("longer", [0, 5])
def test_another_history_is_told_apart_and_not_mixed_in(tmp_path: Path, longer: int) -> None:
    store, destination = booked(tmp_path, 2, 3), destination_at(tmp_path)
    backed_up(store, destination)
    store.close()
    full, blobs = head_in(destination), {blob.name for blob in destination.blobs("ledgers/")}
    store = booked(tmp_path / "other", 3, 2, *[longer] * bool(longer))
    made = backed_up(store, destination)
    store.close()
    (finding,) = made.findings
    assert "paper:one was not backed up" in finding
    assert "another directory" in finding
    assert head_in(destination) == full
    assert {blob.name for blob in destination.blobs("ledgers/")} == blobs


def test_a_ledger_that_is_gone_or_cannot_be_read_stays_in_the_backup_while_others_go_on(tmp_path: Path) -> None:
    store, destination = booked(tmp_path, 2, 3), destination_at(tmp_path)
    store.close()
    book_other(tmp_path / "data")
    store = open_store(tmp_path / "data")
    backed_up(store, destination)
    other = head_in(destination, OTHER)
    store.close()
    store = booked(tmp_path / "without", 2)
    made = backed_up(store, destination)
    store.close()
    assert {finding.partition(" ")[0] for finding in made.findings} == {str(ACCOUNT), str(OTHER)}
    (segment,) = (tmp_path / "data" / "ledgers" / "paper%3Atwo").glob("*.seg")
    segment.write_bytes(b"\xff" * segment.stat().st_size)
    for left in [*(tmp_path / "data").glob("views.sqlite3*"), *segment.parent.glob("*.snapshot")]:
        left.unlink()
    store = open_store(tmp_path / "data")
    book(store, 4)
    made = backed_up(store, destination)
    (finding,) = made.findings
    assert finding.startswith("paper:two was not backed up")
    assert (head_in(destination).seq, head_in(destination, OTHER)) == (10, other)
    store.close()
    assert [ledger.account for ledger in restored(destination, tmp_path / "again")] == [ACCOUNT, OTHER]


def test_rot_in_the_log_is_found_and_not_copied(tmp_path: Path) -> None:
    store, destination = booked(tmp_path, 2, 3), destination_at(tmp_path)
    backed_up(store, destination)
    book(store, 4)
    (segment,) = (tmp_path / "data" / "ledgers" / "paper%3Aone").glob("*.seg")
    content = segment.read_bytes()
    with segment.open("r+b") as file:
        file.seek(content.rfind(b"fill/1"))
        file.write(b"FILL/1")
    made = backed_up(store, destination)
    (finding,) = made.findings
    assert "not what was written" in finding
    assert head_in(destination).seq == 6
    with segment.open("r+b") as file:
        file.write(content)
    assert backed_up(store, destination).findings == []
    store.close()


def test_a_damaged_newest_manifest_is_told_and_a_whole_one_is_written(tmp_path: Path) -> None:
    store, destination = booked(tmp_path, 2), destination_at(tmp_path)
    backed_up(store, destination)
    book(store, 3)
    newest = destination.path / backed_up(store, destination).name
    newest.write_bytes(newest.read_bytes()[:-3])
    made = backed_up(store, destination)
    assert made.name
    assert newest.name in made.findings[0]
    assert (made.new_events, head_in(destination)) == (3, store.ledger(ACCOUNT).head)
    store.close()


def test_a_destination_that_fails_leaves_the_backups_before_as_they_were(tmp_path: Path) -> None:
    disk = FaultyDisk()
    store, destination = booked(tmp_path, 2), destination_at(tmp_path, disk)
    backed_up(store, destination)
    before = read_manifest(destination, listed(destination)[-1].name)
    book(store, 3)
    for calls_before in range(2):
        disk.fail("sync", errno.EIO, calls_before=calls_before)
        with pytest.raises(BackupFailed):
            backed_up(store, destination)
        assert read_manifest(destination, listed(destination)[-1].name) == before
    assert backed_up(store, destination).new_events == 3
    store.close()


def test_while_callers_wait_only_a_small_book_is_hashed_and_else_the_state_before_counts(tmp_path: Path) -> None:
    store, destination = booked(tmp_path, 2), destination_at(tmp_path)
    small = run_loud(store, destination)
    assert small.state_seq == small.head_seq
    perp = DEFINED.instrument
    names = [f"C{number}/USDC:USDC" for number in range(POSITIONS_AT_ONCE + 1)]
    terms = [msgspec.structs.replace(perp, symbol=name, native_symbol=name) for name in names]
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([InstrumentDefined(ACCOUNT, each) for each in terms])
    ledger.book_facts(
        [msgspec.structs.replace(fill(1_000 + index), instrument=name) for index, name in enumerate(names)]
    )
    large = run_loud(store, destination)
    assert (large.state_seq, large.state_hash) == (small.state_seq, small.state_hash)
    assert large.head_seq > small.head_seq
    book(store, 1)
    quiet = backed_up(store, destination).manifest.ledger(ACCOUNT)
    assert quiet.state_seq == quiet.head_seq
    frames = frames_of(store)
    store.close()
    (ledger_again,) = restored(destination, tmp_path / "again")
    assert ledger_again.head_seq == frames[-1].last


def run_loud(store: Store, destination: Destination) -> LedgerBackup:
    """What a backup has of the account that was taken while callers wait."""
    return finished(back_up(store, destination, quiet=False)).manifest.ledger(ACCOUNT)


def test_pruning_keeps_what_the_rule_says_and_everything_that_needs(tmp_path: Path) -> None:
    store, destination = booked(tmp_path, 1), destination_at(tmp_path)
    names = []
    for _ in range(8):
        book(store, 3)
        names.append(backed_up(store, destination).name)
    now = store.clock.now()
    young = prune(destination, Keep(2, 0, 0), now)
    assert (list(young.kept), list(young.deleted), young.blobs) == (names[-2:], names[:-2], 0)
    needed = {chunk.name for name in names[-2:] for chunk in read_manifest(destination, name)[0].chunks}
    later = prune(destination, Keep(2, 0, 0), now + GRACE_NS + 10**9)
    assert later.blobs > 0
    assert later.freed_bytes > 0
    assert {blob.name for blob in destination.blobs("ledgers/")} == needed
    store.close()
    restored(destination, tmp_path / "again")


def test_pruning_deletes_nothing_while_a_backup_that_is_to_stay_cannot_be_read(tmp_path: Path) -> None:
    store, destination = booked(tmp_path, 1), destination_at(tmp_path)
    for _ in range(4):
        book(store, 3)
        backed_up(store, destination)
    store.close()
    newest = listed(destination)[-1].name
    before = destination.blobs()
    content = destination.get(newest)
    (destination.path / newest).write_bytes(content[1:])
    done = prune(destination, Keep(2, 0, 0), store.clock.now() + 2 * GRACE_NS)
    assert (done.deleted, done.blobs) == ((), 0)
    assert newest in done.findings[0]
    assert {blob.name for blob in destination.blobs()} == {blob.name for blob in before}
    (destination.path / newest).write_bytes(content)
    assert len(prune(destination, Keep(1, 0, 0), store.clock.now()).deleted) == 3


def test_pruning_where_nothing_is_does_nothing(tmp_path: Path) -> None:
    done = prune(destination_at(tmp_path), Keep(), 0)
    assert (done.kept, done.deleted, done.findings) == ([], (), [])


def test_only_so_many_blobs_are_deleted_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "DELETIONS_MAX", 2)
    store, destination = booked(tmp_path, 1), destination_at(tmp_path)
    for _ in range(6):
        book(store, 5)
        backed_up(store, destination)
    store.close()
    now = store.clock.now() + GRACE_NS + 10**9
    counts: list[int] = []
    while not counts or counts[-1]:
        counts.append(prune(destination, Keep(1, 0, 0), now).blobs)
    assert max(counts) == 2
    assert len(counts) > 2
