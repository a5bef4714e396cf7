"""SIGKILL at random moments during heavy booking: nothing acknowledged is lost, nothing is doubled (I1, I2)."""

import random
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.engine.crash_child import batch
from tests.engine.evidence import assert_sound
from tests.postgresql import await_end_of_writers
from tests.processes import unmeasured
from trueup.bootstrap import open_store
from trueup.journal.postgres.address import Address, Place

ROOT = Path(__file__).resolve().parents[2]
KILLS = 5
BATCHES_MAX = 60


def booked_until_killed(where: Place, first: int, batches: int) -> list[int]:
    """Start the child, kill it once it has acknowledged some batches; the batches it acknowledged."""
    place = where.direct if isinstance(where, Address) else str(where)
    command = [sys.executable, "-m", "tests.engine.crash_child", place, str(first)]
    acknowledged = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=unmeasured()) as child:
        assert child.stdout is not None
        for line in child.stdout:
            acknowledged.append(int(line))
            if len(acknowledged) == batches:
                child.send_signal(signal.SIGKILL)
                break
        rest = child.stdout.read().splitlines()
    if isinstance(where, Address):
        await_end_of_writers(where.direct)  # a server may be at the last commit of a client that is dead
    return acknowledged + [int(line) for line in rest if line.isdigit() and int(line) >= first]


@pytest.mark.slow
def test_killed_again_and_again_the_ledger_loses_nothing_acknowledged_and_doubles_nothing(where: Place) -> None:
    luck = random.Random(7)
    acknowledged: set[int] = set()
    first = 0
    for _ in range(KILLS):
        now = booked_until_killed(where, first, luck.randint(1, BATCHES_MAX))
        assert now, "it was killed while it booked"
        acknowledged |= set(now)
        first = max(acknowledged) + 10  # what was in flight may have been booked or not
        with closing(open_store(where)) as store:
            assert_sound(store, [fact for number in sorted(acknowledged) for fact in batch(number)])
