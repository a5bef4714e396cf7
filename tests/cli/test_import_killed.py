"""SIGKILL at random moments of a heavy ``trueup import``: nothing that was booked goes, nothing is doubled."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from trueup.bootstrap import open_store
from trueup.model.events import FillBooked
from trueup.model.identifiers import AccountId

ROWS = 12_000
KILLS = 8
ACCOUNT = AccountId("generic:heavy")


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


@pytest.mark.slow
def test_an_import_killed_again_and_again_ends_with_every_row_once(tmp_path: Path) -> None:
    luck = random.Random(11)
    data, file = tmp_path / "data", heavy_file(tmp_path / "fills.csv")
    command = [sys.executable, "-m", "trueup", "--data", str(data), "import", str(file)]
    command += ["--venue", "generic", "--account", "heavy"]
    before: set[str] = set()
    for _ in range(KILLS):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(luck.uniform(0.3, 1.2))
            except subprocess.TimeoutExpired:
                process.kill()
        ids = booked(data)
        assert len(ids) == len(set(ids))
        assert before <= set(ids)
        before = set(ids)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    ids = booked(data)
    assert len(ids) == ROWS
    assert set(ids) == {str(n) for n in range(ROWS)}
