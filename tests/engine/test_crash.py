"""SIGKILL at random moments during heavy booking: nothing acknowledged is lost, nothing is doubled (I1, I2)."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.crash_child import BATCH, batch
from tests.engine.world import ACCOUNT, PERP, store_at
from tests.processes import unmeasured
from trueup.book.book import Book
from trueup.book.snapshot import state_hash
from trueup.model.events import FillBooked

ROOT = Path(__file__).resolve().parents[2]
KILLS = 12


def booked_until_killed(directory: Path, first: int, batches: int) -> list[int]:
    """Start the child, kill it once it has acknowledged some batches; the batches it acknowledged."""
    command = [sys.executable, "-m", "tests.engine.crash_child", str(directory), str(first)]
    acknowledged = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=unmeasured()) as child:
        assert child.stdout is not None
        for line in child.stdout:
            acknowledged.append(int(line))
            if len(acknowledged) == batches:
                child.send_signal(signal.SIGKILL)
                break
        rest = child.stdout.read().splitlines()
    return acknowledged + [int(line) for line in rest if line.isdigit() and int(line) >= first]


@pytest.mark.slow
def test_killed_again_and_again_the_ledger_loses_nothing_acknowledged_and_doubles_nothing(tmp_path: Path) -> None:
    luck = random.Random(7)
    acknowledged: set[int] = set()
    first = 0
    for _ in range(KILLS):
        acknowledged |= set(booked_until_killed(tmp_path, first, luck.randint(1, 120)))
        first = max(acknowledged) + 10  # what was in flight may have been booked or not
        store = store_at(tmp_path)
        ledger = store.ledger(ACCOUNT)
        ids = [event.venue_trade_id for _, event in ledger.events() if isinstance(event, FillBooked)]
        assert len(ids) == len(set(ids))
        assert {str(number * BATCH + index) for number in acknowledged for index in range(BATCH)} <= set(ids)
        seq, rows = store.synced(ACCOUNT), store.views.positions(ACCOUNT)
        assert rows == (seq, list(ledger.book.positions().values()))
        store.close()

    store = store_at(tmp_path)
    ledger = store.ledger(ACCOUNT)
    again = ledger.book_facts([fact for number in sorted(acknowledged) for fact in batch(number)])
    assert again.booked == 0
    assert again.already == len(acknowledged) * BATCH
    whole = Book(ACCOUNT)
    events = list(ledger.events())
    whole.evolve([event for _, event in events], events[0][0])
    assert state_hash(whole) == state_hash(ledger.book)
    assert ledger.book.position(PERP.symbol) is not None
    store.close()
