"""What the simulation found in the program, each as a test of its own."""

from collections.abc import Sequence
from contextlib import closing, suppress
from errno import EIO, ENOSPC
from pathlib import Path
from random import Random
from typing import Literal

import pytest
from msgspec.structs import replace

from tests.engine.world import ACCOUNT, DEFINED, PERP, fill
from tests.journal import views_world
from tests.journal.views_world import MANY, Writer
from tests.sim.test_vfs import plan
from trueup.engine.store import Store
from trueup.journal import sqlite, views_check
from trueup.journal.directory import DataDirectory
from trueup.journal.disk import Disk
from trueup.journal.embedded import EmbeddedStorage
from trueup.journal.migration import known
from trueup.journal.segments import SegmentJournal
from trueup.journal.views import SqliteViews
from trueup.journal.views_schema import migrate
from trueup.model.errors import JournalFailed, StorageError, ViewsFailed
from trueup.model.identifiers import AccountId, Seq
from trueup.testing.disk import FaultyDisk
from trueup.testing.sim.faults import Died
from trueup.testing.sim.house import House, SimulatedClock
from trueup.testing.sim.machine import Machine
from trueup.testing.sim.vfs import SimulatedVfs, close_all

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
        self._evict()
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


# --- tables after a sync of their log has failed ----------------------------------------------------------------------


def house_of(root: Path, vfs: SimulatedVfs, seed: int) -> House:
    root.mkdir()
    house = House(root, vfs, Random(seed))
    house.machine.begin(plan())
    return house


def left_by_a_failed_sync(house: House) -> SqliteViews:
    """Tables whose log could not be synced when it was to be copied: all of it is in the cache, not all on the disk."""
    writer, path = Writer(), house.machine.root / "views"
    views = SqliteViews(path, house.machine)
    views.apply([writer.broad_change(MANY)])
    views.close()
    house.machine.begin(plan(failing={"sync": {1}}))  # the first is that of the log's head
    views = SqliteViews(path, house.machine)
    with suppress(ViewsFailed):
        for start in range(0, len(MANY), 5):
            views.apply([writer.broad_change(MANY[start : start + 5])])
    assert house.machine.faulty
    return views


def killed(house: House, *, evict: bool) -> None:
    house.machine.dead = True
    close_all(house.machine.root)
    house.machine._stop()
    if evict:
        house.machine._evict()
    house.machine.begin(plan())


@pytest.mark.parametrize("seed", range(4))
def test_a_log_that_only_the_cache_has_is_written_again_before_it_is_copied(
    tmp_path: Path, vfs: SimulatedVfs, seed: int
) -> None:
    """Found as a fact that was booked twice: its identity was on a page of an older log over a newer file."""
    for after in range(0, 60, 3):
        house = house_of(tmp_path / str(after), vfs, seed)
        held = left_by_a_failed_sync(house)
        killed(house, evict=False)
        assert held.path.with_name("views-wal").stat().st_size
        house.machine.begin(plan(after=after))
        with suppress(Died, ViewsFailed, StorageError):
            SqliteViews(house.machine.root / "views", house.machine).close()
        killed(house, evict=True)
        with closing(SqliteViews(house.machine.root / "views", house.machine)) as views:
            assert views.check() == []
            keys = {f"fill|{seq}" for seq in range(1, views.applied(views_world.ACCOUNT) + 1)}
            assert set(views.keys(views_world.ACCOUNT)) == keys


def test_nothing_is_copied_written_or_told_once_a_sync_has_failed(tmp_path: Path, vfs: SimulatedVfs) -> None:
    house = house_of(tmp_path / "disk", vfs, 1)
    views = left_by_a_failed_sync(house)
    before = views.path.read_bytes()
    house.machine._evict()  # what would be told now is what the disk has
    for ask in (views.ledgers, lambda: views.forget(views_world.ACCOUNT), lambda: list(views.proving())):
        with pytest.raises(ViewsFailed):
            ask()
    views.close()
    assert views.path.read_bytes() == before
    assert views.path.with_name("views-wal").exists()


def test_a_log_whose_name_may_not_last_is_not_copied(tmp_path: Path, vfs: SimulatedVfs) -> None:
    """SQLite syncs the directory with a log's first sync, and does not tell where that fails."""
    house = house_of(tmp_path / "disk", vfs, 1)
    house.machine.begin(plan(failing={"sync_directory": set(range(9))}))
    with pytest.raises(ViewsFailed, match="Input/output error"):
        SqliteViews(house.machine.root / "views", house.machine)


class Noting(Disk):
    """Notes whether there is a log when names are made to last."""

    def __init__(self, log: Path) -> None:
        self.there: list[bool] = []
        self._log = log

    def sync_directory(self, path: Path) -> None:
        self.there.append(self._log.exists())
        super().sync_directory(path)


def test_names_are_made_to_last_when_the_log_has_one(tmp_path: Path) -> None:
    disk = Noting(tmp_path / "views-wal")
    for _ in range(2):
        SqliteViews(tmp_path / "views", disk).close()
    assert disk.there == [True, True]


def test_a_ledger_is_reopened_though_the_tables_are_at_their_end(tmp_path: Path, vfs: SimulatedVfs) -> None:
    house = house_of(tmp_path / "disk", vfs, 1)
    ledger = house.store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED, fill(1)])
    house.machine.begin(plan(failing={"sync": {0}}))
    house.store.step()
    assert house.store.views_failed is not None
    assert house.store.reopen(ACCOUNT).book_facts([fill(1), fill(2)]).booked == 1
    assert house.store.synced(ACCOUNT) == Seq(3)
    house.close()


# --- a last frame that was written twice, and never acknowledged ------------------------------------------------------


def test_a_frame_torn_while_it_was_written_again_is_cut(tmp_path: Path) -> None:
    """Found as rot: the first attempt had left a part behind, and the second a beginning."""
    cut = 0
    for seed in range(400):
        (tmp_path / str(seed)).mkdir()
        disk, folder = Forgetful(tmp_path / str(seed), Random(seed)), tmp_path / str(seed) / "ledger"
        journal, _ = SegmentJournal.open(folder, ACCOUNT, disk=disk, segment_bytes=SEGMENT, background=False)
        acknowledged = journal.append(b"\x90" * 300, 1, 1)
        disk.begin(plan(failing={"sync": {0}}))
        with pytest.raises(JournalFailed):
            journal.append(bytes(range(1, 200)), 1, 1)
        torn = Random(seed).uniform(0, 0.28)  # so that zeros stand between it and the end of the frame's first sector
        disk.begin(plan(on="write", after=0, torn=torn))
        with suppress(Died):
            SegmentJournal.open(folder, ACCOUNT, disk=disk, segment_bytes=SEGMENT, background=False)
        disk.lose_power()
        disk.begin(plan())
        again, report = SegmentJournal.open(folder, ACCOUNT, disk=disk, segment_bytes=SEGMENT, background=False)
        assert next(again.read()) == acknowledged
        cut += bool(report.findings)
        again.close()
    assert cut > 10


# --- an exchange of tables that the disk refuses ----------------------------------------------------------------------

OTHER = AccountId("paper:two")


@pytest.mark.parametrize(
    ("operation", "calls_before"),
    [*(("rename", calls) for calls in range(4)), *(("sync_directory", 1 + calls) for calls in range(3))],
)
def test_an_exchange_that_is_refused_leaves_tables_that_answer(
    tmp_path: Path, operation: Literal["rename", "sync_directory"], calls_before: int
) -> None:
    """Found as tables that stayed closed: a rename had failed after that."""
    disk = FaultyDisk()
    with closing(store_on(disk, tmp_path)) as store:
        ledger = store.ledger(ACCOUNT)
        ledger.book_facts([DEFINED, fill(0)])
        store.synced(ACCOUNT)
        disk.fail(operation, EIO, calls_before=calls_before)
        with pytest.raises(ViewsFailed, match="injected"):
            store.rebuild_views()
        assert store.views_failed is not None
        assert "injected" in store.views_failed.message
        assert len(store.views.positions(ACCOUNT)[1]) == 1
        assert store.ledger(OTHER).book_facts([replace(DEFINED, account=OTHER)]).booked == 1
        assert ledger.book_facts([fill(0), fill(1)]).booked == 1
        store.rebuild_views()
        assert store.synced(ACCOUNT) == Seq(3)
        assert store.synced(OTHER) == Seq(1)
    with closing(store_on(disk, tmp_path)) as store:
        assert store.ledger(ACCOUNT).head.seq == store.synced(ACCOUNT) == Seq(3)
        assert store.findings == []


@pytest.mark.parametrize(
    "failures",
    [
        [("rename", 3), ("rename", 0)],  # the new tables are not put in the place, nor the old ones back
        [("sync_directory", 4)],  # the new ones stand there, and are not opened
    ],
)
def test_an_exchange_that_cannot_even_be_undone_stops_no_booking_and_is_made_when_a_ledger_needs_it(
    tmp_path: Path, failures: Sequence[tuple[Literal["rename", "sync_directory"], int]]
) -> None:
    disk = FaultyDisk()
    with closing(store_on(disk, tmp_path)) as store:
        ledger = store.ledger(ACCOUNT)
        ledger.book_facts([DEFINED, fill(0)])
        store.synced(ACCOUNT)
        for operation, calls_before in failures:
            disk.fail(operation, EIO, calls_before=calls_before)
        with pytest.raises(ViewsFailed, match="injected"):
            store.rebuild_views()
        assert ledger.book_facts([fill(0), fill(1)]).booked == 1
        with suppress(ViewsFailed):  # they may still be open
            assert store.views.applied(ACCOUNT) == 2
        store.views.close()
        with pytest.raises(ViewsFailed):
            store.views.applied(ACCOUNT)
        assert store.ledger(OTHER).book_facts([replace(DEFINED, account=OTHER)]).booked == 1
        assert store.synced(ACCOUNT) == Seq(3)
        assert any("made anew" in finding for finding in store.findings)


def test_tables_are_made_anew_by_one_at_a_time(tmp_path: Path) -> None:
    with closing(store_on(FaultyDisk(), tmp_path)) as store:
        store.ledger(ACCOUNT).book_facts([DEFINED, fill(0)])
        refused: list[str] = []

        def meanwhile(*_: object) -> None:
            with pytest.raises(ViewsFailed) as refusal:
                store.rebuild_views()
            refused.append(refusal.value.message)

        store.rebuild_views(meanwhile)
        assert set(refused) == {"The views are being made anew."}
        assert store.synced(ACCOUNT) == Seq(2)
