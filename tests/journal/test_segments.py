import errno
import resource
import subprocess
import sys
import textwrap
from pathlib import Path
from random import Random
from threading import Event, Thread

import msgspec
import pytest

from tests.journal.samples import LEDGER, SMALL, append, body, files, head_of, opened, written
from tests.processes import PATIENCE_S
from trueup.journal.disk import Disk
from trueup.journal.frame import BODY_BYTES_MAX, size_of
from trueup.journal.frame import MAGIC as FRAME_MAGIC
from trueup.journal.segment_file import BLOCK, SegmentHeader, segment_path, unpack_header
from trueup.journal.segments import SegmentJournal
from trueup.model.errors import BadInput, JournalDamaged, JournalFailed, StaleEpoch
from trueup.model.identifiers import Seq
from trueup.ports import GENESIS, Head, Journal
from trueup.testing.disk import FaultyDisk, Operation

ROOMY = 1 << 16
"""A segment that is not filled to the half, so that no spare one is made in the background."""


def test_a_new_journal_is_empty_and_its_segment_is_really_filled_with_zeros(tmp_path: Path) -> None:
    journal = opened(tmp_path / "ledger", disk=Disk())
    port: Journal = journal
    assert port.head == Head(Seq(0), GENESIS)
    assert journal.mark is None
    assert list(port.read()) == []
    data = (tmp_path / "ledger" / "00000001.seg").read_bytes()
    assert len(data) == SMALL
    assert not any(data[BLOCK:])
    assert segment_path(tmp_path / "ledger", 1).stat().st_blocks * 512 >= SMALL
    journal.close()


def test_frames_come_back_in_order_across_segments_and_openings(tmp_path: Path) -> None:
    frames = append(journal := opened(tmp_path, disk=Disk()), [1, 2, 1, 3, 1, 2])
    assert list(journal.read()) == frames
    journal.close()
    assert len(files(tmp_path)) > 2
    again = opened(tmp_path)
    assert again.head == head_of(frames[-1])
    frames += append(again, [1])
    assert list(again.read()) == frames
    assert [frame.first for frame in frames] == [1, 2, 4, 5, 8, 9, 11]
    again.close()


def test_each_frame_says_what_was_synced_before_it(tmp_path: Path) -> None:
    first, second, *_, last = written(tmp_path, [1, 1, 1, 1, 1])
    assert first.synced == BLOCK
    assert second.synced > first.synced
    assert last.synced > SMALL + BLOCK  # in the second segment


@pytest.mark.parametrize("after", range(11))
def test_reading_begins_behind_any_seq(tmp_path: Path, after: int) -> None:
    frames = written(tmp_path, [1, 3, 1, 2, 1, 2])
    journal = opened(tmp_path)
    assert list(journal.read(Seq(after))) == [frame for frame in frames if frame.last > after]
    journal.close()


def test_reading_begins_behind_any_mark(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    marks, frames = [], []
    for _ in range(8):
        frames += append(journal, [1])
        marks.append(journal.mark)
    for count, mark in enumerate(marks, start=1):
        assert mark is not None
        assert list(journal.read_from(mark)) == frames[count:]
    journal.close()


def test_reading_does_not_touch_segments_before_its_start(tmp_path: Path) -> None:
    frames = append(journal := opened(tmp_path), [1] * 8)
    segment_path(tmp_path, 1).write_bytes(b"")
    assert list(journal.read(Seq(5))) == frames[5:]
    journal.close()


def test_a_mark_that_does_not_stand_is_refused(tmp_path: Path) -> None:
    append(journal := opened(tmp_path), [1, 1, 1, 1, 1])
    mark = journal.mark
    assert mark is not None
    for change in ({"offset": BLOCK + 1}, {"segment": 9}, {"seq": 1}):
        with pytest.raises(JournalDamaged):
            list(journal.read_from(msgspec.structs.replace(mark, **change)))
    journal.close()


def test_recorded_at_never_goes_back(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    assert [journal.append(body(1), 1, at).recorded_at for at in (5, 3, 9)] == [5, 5, 9]
    journal.close()
    journal = opened(tmp_path)
    assert journal.append(body(1), 1, 1).recorded_at == 9
    journal.close()


def test_a_kill_behind_the_making_of_a_segment_leaves_a_journal_that_opens(tmp_path: Path) -> None:
    """The new segment is there, its first frame is not: with a snapshot at the head, nothing before it is read."""

    class Killed(BaseException):
        """Stands for the process that is gone: whatever it held open stays as it is."""

    class KilledDisk(FaultyDisk):
        armed = False

        def write(self, file: int, data: bytes, offset: int) -> None:
            if self.armed and data.startswith(FRAME_MAGIC):
                raise Killed
            super().write(file, data, offset)

    disk = KilledDisk()
    frames = append(journal := opened(tmp_path, disk=disk), [1])
    mark = journal.mark
    while len(files(tmp_path)) == 1:
        mark, disk.armed = journal.mark, journal._end.offset + size_of(frames[-1]) > SMALL
        try:
            frames += append(journal, [1])
        except Killed:
            break
    assert len(files(tmp_path)) == 2

    again, report = SegmentJournal.open(tmp_path, LEDGER, segment_bytes=SMALL, start=mark)
    assert report.findings == []
    assert again.head == head_of(frames[-1])
    assert list(again.read(again.head.seq)) == []
    assert list(again.read()) == frames
    frames += append(again, [1])
    assert list(again.read()) == frames
    again.close()


def test_a_frame_too_large_for_any_segment_gets_one_of_its_own(tmp_path: Path) -> None:
    frames = append(journal := opened(tmp_path), [1, 60, 1])
    journal.close()
    sizes = [len(data) for data in files(tmp_path).values()]
    assert sizes[0] == sizes[2] == SMALL < sizes[1]
    journal = opened(tmp_path)
    assert list(journal.read()) == frames
    journal.close()


def test_a_commit_without_events_or_beyond_the_bound_is_refused_and_the_next_goes_on(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    with pytest.raises(BadInput, match="count"):
        journal.append(body(1), 0, 1)
    with pytest.raises(BadInput, match="smaller batches"):
        journal.append(bytes(BODY_BYTES_MAX + 1), 1, 1)
    append(journal, [1])
    journal.close()


def test_a_deposed_leader_cannot_append(tmp_path: Path) -> None:
    journal, _ = SegmentJournal.open(tmp_path, LEDGER, epoch=2, segment_bytes=SMALL)
    append(journal, [1])
    journal.close()
    old, _ = SegmentJournal.open(tmp_path, LEDGER, epoch=1, segment_bytes=SMALL)
    with pytest.raises(StaleEpoch, match="epoch 2"):
        append(old, [1])
    assert old.head.seq == 1
    old.close()
    new, _ = SegmentJournal.open(tmp_path, LEDGER, epoch=3, segment_bytes=SMALL)
    assert append(new, [1])[0].epoch == 3
    new.close()


def test_a_closed_journal_refuses_and_closing_twice_is_harmless(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.close()
    journal.close()
    with pytest.raises(JournalFailed, match="closed"):
        append(journal, [1])


def test_a_segment_header_comes_back_and_any_flipped_bit_in_it_is_seen() -> None:
    header = SegmentHeader(LEDGER, 3, SMALL, 2 * SMALL, Seq(17), GENESIS)
    block = header.pack()
    assert len(block) == BLOCK
    assert unpack_header(block + b"frames") == header
    assert unpack_header(block[:-1]) is None
    for bit in range(0, BLOCK * 8, 7):
        flipped = bytearray(block)
        flipped[bit // 8] ^= 1 << bit % 8
        assert unpack_header(bytes(flipped)) is None


def test_a_short_write_is_a_failure(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    disk = Disk()
    file = disk.open(tmp_path / "file", create=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match="only 100 of 200 bytes"):
            disk.write(file, bytes(200), 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        disk.close(file)


# --- failing disks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["write", "sync"])
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("part", [0, 1, 150, 10_000])
def test_a_failed_append_closes_the_journal_until_it_is_opened_again(
    tmp_path: Path, operation: Operation, error: int, part: int
) -> None:
    disk = FaultyDisk()
    acknowledged = append(journal := opened(tmp_path, disk=disk, segment_bytes=ROOMY), [1, 1])
    disk.fail(operation, error, part=part)
    with pytest.raises(JournalFailed, match="injected") as failure:
        append(journal, [1])
    assert "resume by key" in failure.value.remedy
    for _ in range(2):  # the disk would work again, but what it holds is not known
        with pytest.raises(JournalFailed, match="injected"):
            append(journal, [1])
    assert list(journal.read()) == acknowledged
    journal.close()

    journal = opened(tmp_path, disk=disk)
    assert list(journal.read())[:2] == acknowledged
    acknowledged = list(journal.read()) + append(journal, [1])
    journal.close()
    disk.lose_power(Random(1))
    journal = opened(tmp_path, disk=disk)
    assert list(journal.read()) == acknowledged
    journal.close()


@pytest.mark.parametrize("seed", range(20))
def test_a_frame_whose_sync_failed_is_written_again_before_anybody_builds_on_it(tmp_path: Path, seed: int) -> None:
    disk = FaultyDisk()
    append(journal := opened(tmp_path, disk=disk, segment_bytes=ROOMY), [1])
    disk.fail("sync", errno.EIO)
    with pytest.raises(JournalFailed):
        append(journal, [5])
    journal.close()

    journal = opened(tmp_path, disk=disk)
    assert journal.head.seq == 6  # it reads as if it were safe
    acknowledged = append(journal, [1])
    journal.close()
    disk.lose_power(Random(seed))
    journal = opened(tmp_path, disk=disk)
    assert list(journal.read())[-1:] == acknowledged
    journal.close()


def test_a_commit_that_is_interrupted_closes_the_journal_too(tmp_path: Path) -> None:
    class InterruptedDisk(FaultyDisk):
        interrupted = False

        def sync(self, file: int) -> None:
            if self.interrupted:
                raise KeyboardInterrupt
            super().sync(file)

    disk = InterruptedDisk()
    journal = opened(tmp_path, disk=disk, segment_bytes=ROOMY)
    disk.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        append(journal, [1])
    disk.interrupted = False
    with pytest.raises(JournalFailed, match="did not end"):
        append(journal, [1])
    journal.close()


def test_a_torn_write_of_a_frame_with_a_segment_of_its_own_is_cut(tmp_path: Path) -> None:
    disk = FaultyDisk()
    acknowledged = append(journal := opened(tmp_path, disk=disk), [1])
    assert journal._spare._thread is not None
    journal._spare._thread.join(timeout=PATIENCE_S)  # the spare segment is ready, and too small for what comes
    disk.fail("write", errno.EIO, calls_before=2, part=10)  # behind the zeros and the header
    with pytest.raises(JournalFailed):
        append(journal, [60])
    journal.close()
    journal = opened(tmp_path, disk=disk)
    assert list(journal.read())[:1] == acknowledged
    journal.close()


@pytest.mark.parametrize("operation", ["open", "write", "sync", "rename", "sync_directory"])
@pytest.mark.parametrize("calls_before", range(4))
def test_a_failed_rollover_loses_nothing_acknowledged(tmp_path: Path, operation: Operation, calls_before: int) -> None:
    disk = FaultyDisk()
    journal = opened(tmp_path, disk=disk)
    acknowledged = []
    disk.fail(operation, errno.EIO, calls_before=calls_before)
    for _ in range(16):
        try:
            acknowledged += append(journal, [1])
        except JournalFailed:
            journal.close()
            disk.lose_power(Random(calls_before))
            journal = opened(tmp_path, disk=disk)
            found = list(journal.read())
            assert found[: len(acknowledged)] == acknowledged
            acknowledged = found
    assert list(journal.read()) == acknowledged
    journal.close()


def test_a_journal_that_cannot_be_made_or_opened_says_so(tmp_path: Path) -> None:
    disk = FaultyDisk()
    disk.fail("write", errno.ENOSPC)
    with pytest.raises(JournalFailed, match="cannot be opened"):
        opened(tmp_path, disk=disk)
    append(journal := opened(tmp_path, disk=disk), [1])
    journal.close()
    disk.fail("open", errno.EACCES)
    with pytest.raises(JournalFailed, match="cannot be opened"):
        opened(tmp_path, disk=disk)


def test_a_place_that_the_system_cannot_read_is_damage(tmp_path: Path) -> None:
    disk = FaultyDisk()
    append(journal := opened(tmp_path, disk=disk), [1])
    disk.fail("read", errno.EIO)
    with pytest.raises(JournalDamaged, match=r"00000001\.seg cannot be read at byte 4096"):
        list(journal.read())
    journal.close()


def test_saving_the_head_may_fail_without_touching_the_journal(tmp_path: Path) -> None:
    disk = FaultyDisk()
    append(journal := opened(tmp_path, disk=disk, segment_bytes=ROOMY), [1])
    disk.fail("write", errno.ENOSPC)
    with pytest.raises(JournalFailed, match="could not be saved"):
        journal.save_head()
    append(journal, [1])
    journal.save_head()
    journal.save_head()  # nothing new: nothing is written
    journal.close()


def test_a_full_disk_for_real(tmp_path: Path) -> None:
    """A limit on the size of files: the system itself refuses the write in the middle of the second segment."""
    program = textwrap.dedent(f"""
        import resource, signal, sys
        from pathlib import Path
        from trueup.journal.segments import SegmentJournal
        from trueup.model.errors import JournalFailed
        journal, _ = SegmentJournal.open(Path(sys.argv[1]), "{LEDGER}", segment_bytes=8192)
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
        acknowledged = 0
        try:
            while True:
                journal.append(b"x" * 400, 1, 1)
                acknowledged += 1
        except JournalFailed as failure:
            print(acknowledged, failure)
    """)
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    acknowledged, _, message = run.stdout.partition(" ")
    assert "could not be written" in message
    journal = opened(tmp_path)
    assert journal.head.seq == int(acknowledged) == (6000 - BLOCK) // 508
    append(journal, [1])
    journal.close()


# --- reading while writing --------------------------------------------------------------------------------------------


def test_readers_see_whole_durable_frames_while_the_writer_appends(tmp_path: Path) -> None:
    journal = opened(tmp_path, disk=Disk())
    done = Event()
    problems: list[str] = []

    def watch() -> None:
        while not done.is_set():
            reached = journal.head
            seqs = [frame.first for frame in journal.read()]
            if seqs != list(range(1, len(seqs) + 1)) or len(seqs) < reached.seq:
                problems.append(f"{len(seqs)} frames at seq {reached.seq}")
            if not journal.verify().ok:
                problems.append(f"damage before seq {reached.seq}")

    readers = [Thread(target=watch) for _ in range(2)]
    for reader in readers:
        reader.start()
    append(journal, [1] * 150)
    done.set()
    for reader in readers:
        reader.join(timeout=PATIENCE_S)
        assert not reader.is_alive()
    assert problems == []
    journal.close()


def test_a_reader_is_told_of_damage_under_its_feet(tmp_path: Path) -> None:
    append(journal := opened(tmp_path), [1] * 8)
    path = segment_path(tmp_path, 2)
    data = bytearray(path.read_bytes())
    data[BLOCK + 200] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalDamaged, match=r"00000002\.seg, byte 4288: the frame of seq 5 is not what was written"):
        list(journal.read())
    journal.close()
