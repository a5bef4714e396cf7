"""SQLite reaches the simulated disk through the program's own page checksums, and the process gets its own back."""

from pathlib import Path
from random import Random

import apsw
import pytest

from trueup.journal import sqlite
from trueup.journal.views import SqliteViews
from trueup.model.errors import ViewsFailed
from trueup.testing.sim.faults import Died, Plan
from trueup.testing.sim.house import House
from trueup.testing.sim.vfs import SimulatedVfs, close_all, simulated


def plan(**changes: object) -> Plan:
    nothing = {"end": "kill", "on": "", "after": 10_000, "log_alone": False, "failing": {}, "room": None, "torn": 0.0}
    return Plan(**(nothing | changes))  # type: ignore[arg-type]


@pytest.fixture
def house(tmp_path: Path, vfs: SimulatedVfs) -> House:
    (tmp_path / "disk").mkdir()
    return House(tmp_path / "disk", vfs, Random(1))


def test_pages_still_carry_checksums(house: House) -> None:
    views = SqliteViews(house.machine.root / "views", house.machine)
    db = sqlite.open_reader(views.path)
    assert db.pragma("checksum_verification") == "1"
    db.close()
    views.close()
    data = bytearray(views.path.read_bytes())
    data[4096 + 2000] ^= 1
    views.path.write_bytes(data)
    with pytest.raises(ViewsFailed, match="checksum"):
        SqliteViews(views.path, house.machine)


def after_a_loss_of_power(root: Path, vfs: SimulatedVfs, seed: int) -> int:
    """Rows in a table that was synced, of which the only one was not."""
    root.mkdir()
    house = House(root, vfs, Random(seed))
    path = str(root / "some.db")
    db = apsw.Connection(path, vfs="cksmvfs")
    db.pragma("journal_mode", "wal")
    db.pragma("synchronous", 2)
    db.execute("CREATE TABLE t (x)")
    db.pragma("synchronous", 1)
    db.execute("INSERT INTO t VALUES (1)")
    house.end(plan(end="power"))
    house.machine.begin(plan())
    db = apsw.Connection(path, vfs="cksmvfs")
    rows = db.execute("SELECT count(*) FROM t").get
    db.close()
    return int(rows)


def test_what_sqlite_synced_survives_and_what_it_did_not_may_go(tmp_path: Path, vfs: SimulatedVfs) -> None:
    left = {after_a_loss_of_power(tmp_path / str(seed), vfs, seed) for seed in range(30)}
    assert left == {0, 1}


def test_a_process_dies_at_the_operation_that_was_drawn_and_does_nothing_afterwards(house: House) -> None:
    house.machine.begin(plan(on="sync", after=2))
    with pytest.raises(Died):
        SqliteViews(house.machine.root / "views", house.machine)
    before = house.machine.operations
    with pytest.raises(Died):
        house.machine.sync_directory(house.machine.root)
    close_all(house.machine.root)
    assert house.machine.operations == before


def test_a_full_disk_is_told_as_such(house: House) -> None:
    house.machine.begin(plan(room=20_000))
    with pytest.raises(ViewsFailed) as failure:
        SqliteViews(house.machine.root / "views", house.machine)
    assert "Free space" in failure.value.remedy


def test_outside_the_simulation_files_are_the_systems_own(tmp_path: Path) -> None:
    for _ in range(2):
        with simulated() as vfs:
            (tmp_path / "disk").mkdir(exist_ok=True)
            house = House(tmp_path / "disk", vfs, Random(1))
            SqliteViews(tmp_path / "outside").close()
            assert house.machine.operations == 0
        views = SqliteViews(tmp_path / "views")
        assert views.check() == []
        views.close()
    assert apsw.vfs_names()[0] == "unix"


def test_a_log_that_was_there_takes_its_directory_along_when_it_is_first_synced(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(house.machine.root / "some.db")
    db = apsw.Connection(path, vfs="cksmvfs")
    sqlite.keep_log(db, keep=True)
    db.pragma("journal_mode", "wal")
    db.execute("CREATE TABLE t (x)")
    db.close()
    synced: list[Path] = []
    monkeypatch.setattr(house.machine, "sync_directory", synced.append)
    db = apsw.Connection(path, vfs="cksmvfs")
    db.pragma("synchronous", 2)
    db.execute("INSERT INTO t VALUES (1)")
    db.execute("INSERT INTO t VALUES (2)")
    db.close()
    assert synced[:1] == [house.machine.root]
