"""SIGKILL at random moments of a heavy ``trueup import``: nothing that was booked goes, nothing is doubled."""

import random
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.processes import unmeasured
from trueup.bootstrap import open_store
from trueup.model.events import FillBooked
from trueup.model.identifiers import AccountId

ROWS = 6_000
KILLS = 6
SYNCS_MAX = 14
"""Of which an import of so many rows makes a few more."""

ACCOUNT = AccountId("generic:heavy")

IMPORT_TELLING_EACH_SYNC = textwrap.dedent("""
    import os, sys
    from trueup.cli.main import main
    from trueup.journal.disk import Disk

    def sync_and_tell(disk, file, sync=Disk.sync):
        sync(disk, file)
        os.write(1, b"synced\\n")

    Disk.sync = sync_and_tell
    sys.exit(main(sys.argv[1:]))
""")


def heavy_file(path: Path) -> Path:
    """A file of fills, one a second, two in three of them buys."""
    lines = ["kind,venue_trade_id,instrument,side,quantity,price,fee,fee_currency,venue_time"]
    for n in range(ROWS):
        side, price, time = "buy" if n % 3 else "sell", 100 + n % 7, 1_700_000_000_000 + n * 1000
        lines.append(f"fill,{n},BTC/USDC:USDC,{side},1,{price},0.01,USDC,{time}")
    path.write_text("\n".join(lines) + "\n")
    return path


def booked(data: Path) -> list[str]:
    """The ids of the fills in the journal, which opens whatever was done to its process."""
    store = open_store(data)
    ids = [event.venue_trade_id for _, event in store.ledger(ACCOUNT).events() if isinstance(event, FillBooked)]
    store.synced(ACCOUNT)
    store.close()
    return ids


def kill_after(syncs: int, words: list[str]) -> None:
    """Start the program, and kill it once so many syncs are behind it; it may have ended before."""
    command = [sys.executable, "-c", IMPORT_TELLING_EACH_SYNC, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=unmeasured()) as process:
        assert process.stdout is not None
        for _ in range(syncs):
            process.stdout.readline()
        process.kill()


@pytest.mark.slow
def test_an_import_killed_again_and_again_ends_with_every_row_once(tmp_path: Path) -> None:
    luck = random.Random(11)
    data, file = tmp_path / "data", heavy_file(tmp_path / "fills.csv")
    words = ["--data", str(data), "import", str(file), "--venue", "generic", "--account", "heavy"]
    before: set[str] = set()
    for _ in range(KILLS):
        kill_after(luck.randint(1, SYNCS_MAX), words)
        ids = booked(data)
        assert len(ids) == len(set(ids))
        assert before <= set(ids)
        before = set(ids)
    assert before, "a kill came after rows were booked"
    subprocess.run([sys.executable, "-m", "trueup", *words], check=True, stdout=subprocess.DEVNULL)
    ids = booked(data)
    assert len(ids) == ROWS
    assert set(ids) == {str(n) for n in range(ROWS)}
