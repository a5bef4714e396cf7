"""Processes killed and power lost at random moments: what was acknowledged is there, in order, once."""

import errno
import subprocess
import sys
import textwrap
from pathlib import Path
from random import Random

import pytest

from tests.journal.samples import LEDGER, append, opened
from tests.processes import PATIENCE_S, unmeasured
from trueup.journal.codec import decode
from trueup.journal.segments import SegmentJournal
from trueup.journal.verify import verify
from trueup.model.errors import JournalFailed
from trueup.model.events import FillBooked
from trueup.ports import Frame
from trueup.testing.disk import FaultyDisk, Operation

KILLS = 25
SEGMENT = 1 << 14

APPEND_FOREVER = textwrap.dedent(f"""
    import sys
    from pathlib import Path
    from tests.journal.samples import body
    from trueup.journal.segments import SegmentJournal
    journal, _ = SegmentJournal.open(Path(sys.argv[1]), "{LEDGER}", segment_bytes={SEGMENT})
    while True:
        seq = journal.head.seq + 1
        count = seq % 7 + 1
        frame = journal.append(body(seq, count), count, seq)
        if seq % 50 == 0:
            journal.save_head()
        print(frame.last, frame.hash.hex(), flush=True)
""")


def kill_after(directory: Path, lines: int) -> list[str]:
    """Let a process append, and kill it once it has acknowledged so much; all that it acknowledged."""
    process = subprocess.Popen(
        [sys.executable, "-c", APPEND_FOREVER, str(directory)], stdout=subprocess.PIPE, text=True, env=unmeasured()
    )
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(lines)]
    process.kill()
    acknowledged += process.stdout.readlines()
    process.stdout.close()
    process.wait(timeout=PATIENCE_S)
    return [line for line in acknowledged if line.endswith("\n")]


def booked(frames: list[Frame]) -> list[str]:
    """The trade ids in a journal, in order."""
    events = [event for frame in frames for event in decode(frame.body)]
    return [event.venue_trade_id for event in events if isinstance(event, FillBooked)]


@pytest.mark.slow
def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    random = Random(20)
    hashes: dict[int, str] = {}
    for _ in range(KILLS):
        for line in kill_after(tmp_path, random.randrange(1, 120)):
            seq, _, digest = line.partition(" ")
            hashes[int(seq)] = digest.strip()
        journal, _ = SegmentJournal.open(tmp_path, LEDGER, segment_bytes=SEGMENT)
        frames = list(journal.read())
        journal.close()
        there = {frame.last: frame.hash.hex() for frame in frames}
        assert hashes.items() <= there.items()
        assert booked(frames) == [f"t{number}" for number in range(1, len(booked(frames)) + 1)]
        assert verify(tmp_path, LEDGER).ok
    assert len(hashes) > KILLS


@pytest.mark.parametrize("seed", range(60))
def test_lost_power_takes_nothing_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    disk = FaultyDisk()
    acknowledged: list[Frame] = []
    for _ in range(4):
        journal = opened(tmp_path, disk=disk)
        found = list(journal.read())
        assert found[: len(acknowledged)] == acknowledged
        assert len(found) <= len(acknowledged) + 1  # the one in flight may have made it
        acknowledged = found + append(journal, [random.randrange(1, 9) for _ in range(random.randrange(6))])
        acknowledged += interrupt(journal, disk, random)
        disk.lose_power(random)
    assert verify(tmp_path, LEDGER).head.seq >= (acknowledged[-1].last if acknowledged else 0)


def interrupt(journal: SegmentJournal, disk: FaultyDisk, random: Random) -> list[Frame]:
    """Append until the disk fails in the middle of it; what was acknowledged before."""
    operations: list[Operation] = ["write", "sync", "rename", "sync_directory"]
    disk.fail(random.choice(operations), errno.EIO, part=random.randrange(500))
    acknowledged = []
    for _ in range(6):
        try:
            acknowledged += append(journal, [3])
        except JournalFailed:
            break
    disk.mend()
    journal.close()
    return acknowledged
