"""What the simulation found in the program, each as a test of its own."""

from contextlib import closing, suppress
from errno import EIO, ENOSPC
from pathlib import Path
from random import Random

import pytest

from tests.engine.world import ACCOUNT, DEFINED, PERP, fill
from tests.sim.test_vfs import plan
from trueup.engine.store import Store
from trueup.journal import sqlite, views_check
from trueup.journal.directory import DataDirectory
from trueup.journal.embedded import EmbeddedStorage
from trueup.journal.migration import known
from trueup.journal.segments import SegmentJournal
from trueup.journal.views import SqliteViews
from trueup.journal.views_schema import migrate
from trueup.model.errors import JournalFailed, StorageError, ViewsFailed
from trueup.model.identifiers import Seq
from trueup.testing.disk import FaultyDisk
from trueup.testing.sim.faults import Died
from trueup.testing.sim.house import SimulatedClock
from trueup.testing.sim.machine import Machine

SEEDS = range(6)
SEGMENT = 8_192


def test_a_directory_that_could_not_be_laid_out_is_not_in_use(tmp_path: Path) -> None:
    disk = FaultyDisk()
    disk.fail("write", ENOSPC)
    with pytest.raises(StorageError, match="cannot be used"):
        DataDirectory.open(tmp_path / "data", disk=disk)
    DataDirectory.open(tmp_path / "data", disk=disk).close()


@pytest.fixture(params=SEEDS)
def random(request: pytest.FixtureRequest) -> Random:
    return Random(request.param)


class Forgetful(Machine):
    """A machine whose cache drops what it may before each sync."""

    def sync(self, file: int) -> None:
        self._evict(everything=True)
        super().sync(file)


def test_the_last_frame_is_written_again_as_it_was_read_and_not_as_the_disk_has_it(
    tmp_path: Path, random: Random
) -> None:
    (tmp_path / "disk").mkdir()
    disk, folder = Forgetful(tmp_path / "disk", random), tmp_path / "disk" / "ledger"
    journal, _ = SegmentJournal.open(folder, ACCOUNT, disk=disk, segment_bytes=SEGMENT, background=False)
    disk.begin(plan(failing={"sync": {0}}))
    with pytest.raises(JournalFailed):
        journal.append(b"\x90", 1, 1)
    journal.close()
    again, _ = SegmentJournal.open(folder, ACCOUNT, disk=disk, segment_bytes=SEGMENT, background=False)
    found = [frame.hash for frame in again.read()]
    disk.lose_power()
    disk.rest()
    disk.dead = False
    after, _ = SegmentJournal.open(folder, ACCOUNT, disk=disk, segment_bytes=SEGMENT, background=False)
    assert [frame.hash for frame in after.read()] == found


def test_a_directory_whose_maker_died_before_its_name_was_safe_gets_a_safe_name(tmp_path: Path, random: Random) -> None:
    (tmp_path / "disk").mkdir()
    disk, folder = Machine(tmp_path / "disk", random), tmp_path / "disk" / "ledger"
    disk.begin(plan(on="sync_directory", after=0))
    with suppress(Died):
        SegmentJournal.open(folder, ACCOUNT, disk=disk, segment_bytes=SEGMENT, background=False)
    disk.kill()
    disk.begin(plan())
    journal, _ = SegmentJournal.open(folder, ACCOUNT, disk=disk, segment_bytes=SEGMENT, background=False)
    journal.append(b"\x90", 1, 1)
    disk.lose_power()
    disk.begin(plan())
    again, _ = SegmentJournal.open(folder, ACCOUNT, disk=disk, segment_bytes=SEGMENT, background=False)
    assert again.head.seq == 1


def test_views_that_a_crash_left_between_two_migrations_are_sound(tmp_path: Path) -> None:
    db = sqlite.open_writer(tmp_path / "views")
    migrate(db, tmp_path / "views", known()[:1])
    assert views_check.findings(db) == []
    db.close()


def test_a_round_trip_that_a_late_fill_undoes_is_forgotten_by_views_that_heard_of_it_before_the_start(
    tmp_path: Path,
) -> None:
    disk = FaultyDisk()
    store = store_on(disk, tmp_path)
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED, fill(1), fill(9, side="sell")])
    store.synced(ACCOUNT)
    assert len(store.views.cycles(ACCOUNT, PERP.symbol)) == 1
    ledger.book_facts([fill(5)])  # the views do not hear of it
    disk.fail("sync", EIO)
    with pytest.raises(JournalFailed):
        ledger.book_facts([fill(20)])
    store.reopen(ACCOUNT)
    store.synced(ACCOUNT)
    assert store.views.cycles(ACCOUNT, PERP.symbol) == []
    store.close()


def store_on(disk: FaultyDisk, path: Path) -> Store:
    storage = EmbeddedStorage.open(path / "data", disk=disk, segment_bytes=SEGMENT, background=False)
    return Store.open(storage, SimulatedClock(), background=False)


def test_a_ledger_that_could_not_be_opened_again_books_nothing_until_it_is(tmp_path: Path) -> None:
    disk = FaultyDisk()
    store = store_on(disk, tmp_path)
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED, fill(1)])
    store.synced(ACCOUNT)
    disk.fail("sync", EIO)
    with pytest.raises(JournalFailed):
        store.reopen(ACCOUNT)
    assert store.fenced()
    with pytest.raises(JournalFailed, match="opened again"):
        ledger.book_facts([fill(2)])
    ledger = store.reopen(ACCOUNT)
    assert ledger.book_facts([fill(1), fill(2)]).booked == 1
    assert store.synced(ACCOUNT) == Seq(3)
    store.close()


def test_views_that_fail_even_to_close_are_exchanged_for_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Store.open(EmbeddedStorage.open(tmp_path / "data"), SimulatedClock(), background=False)) as store:
        ledger = store.ledger(ACCOUNT)
        ledger.book_facts([DEFINED, fill(0)])
        close, old = SqliteViews.close, store.views

        def failing(views: SqliteViews) -> None:
            close(views)
            if views is old:
                raise ViewsFailed("The disk refused the last sync.")

        monkeypatch.setattr(SqliteViews, "close", failing)
        store.rebuild_views()
        ledger.book_facts([fill(1)])
        store.step()
        assert store.synced(ACCOUNT) == 3
        assert store.views is not old
