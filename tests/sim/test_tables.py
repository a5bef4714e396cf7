"""The tables alone, through lives whose syncs fail: each start finds some moment of the past, whole, and no mixture."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import apsw
import pytest

from tests.journal.views_world import ACCOUNT, MANY, Writer
from tests.sim.test_vfs import plan
from trueup.journal import sqlite, views
from trueup.journal.views import SqliteViews
from trueup.model.errors import ViewsFailed
from trueup.ports import Change
from trueup.testing.sim.faults import Died, Plan
from trueup.testing.sim.house import House
from trueup.testing.sim.machine import Machine
from trueup.testing.sim.vfs import SimulatedVfs, close_all

SEEDS = range(40)
LIVES_MAX = 5
CHANGES = 60


def history(random: Random) -> Sequence[Change]:
    """Transactions that each touch some pages and leave others as they are."""
    writer, changes = Writer(), []
    for _ in range(CHANGES):
        start = random.randrange(len(MANY) - 7)
        changes.append(writer.broad_change(MANY[start : start + random.randint(1, 7)]))
    return changes


def draw(random: Random) -> Plan:
    syncs = {random.randrange(10) for _ in range(random.randint(0, 2))}
    names = {random.randrange(4)} if random.random() < 1 / 8 else set()
    return plan(
        on=random.choice(("", "", "sync", "write")),
        after=random.choice((random.randrange(20), random.randrange(250), 10_000)),
        failing={"sync": syncs, "sync_directory": names},
        torn=random.random(),
    )


def require_whole(tables: SqliteViews, changes: Sequence[Change]) -> int:
    """They are what some of the changes, from the first on, have made; how many."""
    assert tables.check() == []
    applied = tables.applied(ACCOUNT)
    rows = {position.instrument.symbol: position.seq for position in tables.positions(ACCOUNT)[1]}
    assert set(tables.keys(ACCOUNT)) == {key for change in changes[:applied] for key, _ in change.keys}
    assert rows == {row.instrument.symbol: row.seq for change in changes[:applied] for row in change.positions}
    return applied


def work(tables: SqliteViews, changes: Sequence[Change], random: Random, machine: Machine) -> None:
    """Write some more, and look."""
    try:
        applied = require_whole(tables, changes)
        for change in changes[applied : applied + random.randrange(8)]:
            tables.apply([change])
            if random.random() < 1 / 3:
                require_whole(tables, changes)
            machine._evict_by_chance()
    finally:
        with suppress(ViewsFailed, apsw.Error):
            tables.close()


def live(changes: Sequence[Change], random: Random, machine: Machine) -> None:
    """Open the tables some times, and work; whatever fails has a fault of the disk behind it."""
    for _ in range(random.randint(1, 3)):
        try:
            work(SqliteViews(machine.root / "tables", machine), changes, random, machine)
        except (ViewsFailed, apsw.Error):
            machine.require_alive()
            assert machine.faulty
        machine.require_alive()


def run(root: Path, vfs: SimulatedVfs, seed: int) -> None:
    root.mkdir()
    random = Random(seed)
    house, changes = House(root, vfs, random), history(random)
    machine = house.machine
    for _ in range(random.randint(1, LIVES_MAX)):
        machine.begin(draw(random))
        with suppress(Died):
            live(changes, random, machine)
        machine.dead = True
        close_all(root)
        random.choice((machine.kill, machine.lose_power))()
    machine.begin(plan())
    live(changes, random, machine)
    assert not machine.faulty


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_found_is_whole_whatever_failed_before(tmp_path: Path, vfs: SimulatedVfs, seed: int) -> None:
    run(tmp_path / "disk", vfs, seed)


@pytest.mark.parametrize(
    ("module", "care"), [(views, "write_again"), (sqlite, "failed_sync")], ids=["write_again", "failed_sync"]
)
def test_either_care_left_out_is_noticed(
    tmp_path: Path, vfs: SimulatedVfs, monkeypatch: pytest.MonkeyPatch, module: object, care: str
) -> None:
    monkeypatch.setattr(module, care, lambda *_: None)
    for seed in range(300):
        try:
            run(tmp_path / str(seed), vfs, seed)
        except (AssertionError, ViewsFailed):
            return
    pytest.fail("it was not")
