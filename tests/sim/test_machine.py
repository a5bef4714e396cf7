"""The machine fails what its plan says, and nothing of what failed lasts."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from random import Random

import pytest

from trueup.testing.sim.faults import NAMING, Operation, Plan, draw
from trueup.testing.sim.machine import Machine


@pytest.mark.parametrize("operation", NAMING)
def test_what_is_done_to_names_may_fail_and_then_has_no_effect(tmp_path: Path, operation: Operation) -> None:
    lasted = set()
    for seed in range(20):
        root = tmp_path / str(seed)
        root.mkdir()
        machine = Machine(root, Random(seed))
        machine.begin(Plan("power", "delete", 9, log_alone=False, failing={operation: {0}}, room=None, torn=0))
        machine.close(machine.open(root / "a", create=True))
        tried: Mapping[Operation, Callable[[], object]] = {
            "rename": partial(machine.rename, root / "a", root / "b"),
            "make_directory": partial(machine.make_directory, root / "b"),
            "sync_directory": partial(machine.sync_directory, root),
        }
        with pytest.raises(OSError, match="Input/output"):
            tried[operation]()
        assert {path.name for path in root.iterdir()} == {"a"}
        if operation != "sync_directory":
            machine.sync_directory(root)
        machine.lose_power()
        lasted.add(frozenset(path.name for path in root.iterdir()))
    assert lasted == ({frozenset(), frozenset("a")} if operation == "sync_directory" else {frozenset("a")})


def test_every_kind_of_failure_is_drawn() -> None:
    drawn = {operation for seed in range(200) for operation in draw(Random(seed)).failing}
    assert drawn == {"sync", "write", *NAMING}
