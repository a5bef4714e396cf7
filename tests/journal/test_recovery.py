"""Damage of every kind: healed from a copy, cut as a torn tail, or refused. Never accepted in silence."""

import shutil
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.journal.samples import LEDGER, SMALL, append, body, copies_of, files, frames, head_of, opened, put, written
from trueup.journal.codec import encode
from trueup.journal.disk import Disk
from trueup.journal.findings import Finding, RecoveryReport
from trueup.journal.frame import frame_bytes, size_of
from trueup.journal.recovery import Copies
from trueup.journal.segment_file import BLOCK, Mark, read_header, segment_path
from trueup.journal.segments import SegmentJournal
from trueup.journal.verify import verify
from trueup.model.errors import JournalDamaged
from trueup.model.events import Quarantined
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import GENESIS, Frame, Hash, Head
from trueup.testing.disk import FaultyDisk

COUNTS = (1, 2, 1, 1, 1, 2, 1, 1)
"""Frames in three segments, the last of them with room."""


class Written(msgspec.Struct):
    """A journal as it was before anybody touched it."""

    frames: list[Frame]
    files: dict[str, bytes]
    head: bytes

    def restore(self, directory: Path, *, head: bool) -> None:
        for name, data in self.files.items():
            put(directory / name, data)
        if head:
            put(directory / "head", self.head)


@cache
def sample() -> Written:
    with TemporaryDirectory() as name:
        chain = written(Path(name), COUNTS, save_head=True)
        return Written(chain, files(Path(name)), (Path(name) / "head").read_bytes())


def reopen(
    directory: Path,
    *,
    copies: Copies | None = None,
    at_least: Head | None = None,
    start: Mark | None = None,
    ledger: AccountId = LEDGER,
) -> tuple[list[Frame], RecoveryReport]:
    """The frames that are there after opening; the journal is left as a crash would leave it."""
    head = (directory / "head").read_bytes() if (directory / "head").exists() else None
    journal, report = SegmentJournal.open(
        directory,
        ledger,
        segment_bytes=SMALL,
        copies=copies,
        at_least=at_least,
        start=start,
        disk=FaultyDisk(),
    )
    found = list(journal.read())
    assert report.head == journal.head
    journal.close()
    if head is None:
        (directory / "head").unlink(missing_ok=True)
    return found, report


def kinds(report: RecoveryReport) -> list[str]:
    return [finding.kind for finding in report.findings]


def flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    put(path, data)


def last_name() -> str:
    return max(sample().files)


def end_of_last() -> int:
    """Where the last frame of the last segment ends."""
    return len(sample().files[last_name()].rstrip(b"\0"))


def test_the_sample_is_what_the_cases_below_take_it_for() -> None:
    assert len(sample().files) == 3
    assert end_of_last() + 100 < SMALL
    assert sample().frames[-2].synced == 2 * SMALL + BLOCK  # two frames in the last segment


# --- any one flip, any one cut ----------------------------------------------------------------------------------------

segments = st.sampled_from(range(3))


@given(segments, st.integers(0, SMALL * 8 - 1), st.booleans())
def test_any_flipped_bit_is_healed_from_copies(segment: int, bit: int, head: bool) -> None:
    with TemporaryDirectory() as name:
        directory = Path(name)
        sample().restore(directory, head=head)
        flip(segment_path(directory, segment + 1), bit)
        assert not verify(directory, LEDGER).ok
        found, report = reopen(directory, copies=copies_of(sample().frames))
        assert found == sample().frames
        assert report.findings
        assert files(directory) == sample().files  # byte for byte
        assert verify(directory, LEDGER).ok
        assert reopen(directory)[1].findings == []


@given(segments, st.integers(0, SMALL * 8 - 1), st.booleans())
def test_any_flipped_bit_without_copies_is_mended_cut_or_refused(segment: int, bit: int, head: bool) -> None:
    with TemporaryDirectory() as name:
        directory = Path(name)
        sample().restore(directory, head=head)
        flip(path := segment_path(directory, segment + 1), bit)
        touched = path.read_bytes()
        try:
            found, report = reopen(directory)
        except JournalDamaged:
            with pytest.raises(JournalDamaged, match=path.name):
                reopen(directory)
            assert path.read_bytes() == touched
            return
        assert report.findings
        if found != sample().frames:  # the last frame looks as if it had never been acknowledged
            assert not head
            assert (segment, found, kinds(report)) == (2, sample().frames[:-1], ["torn_tail"])
        assert reopen(directory) == (found, msgspec.structs.replace(report, findings=[]))


@given(segments, st.integers(0, SMALL - 1), st.booleans(), st.booleans())
def test_any_cut_file_is_healed_or_refused(segment: int, length: int, head: bool, with_copies: bool) -> None:
    with TemporaryDirectory() as name:
        directory = Path(name)
        sample().restore(directory, head=head)
        path = segment_path(directory, segment + 1)
        put(path, path.read_bytes()[:length])
        assert not verify(directory, LEDGER).ok
        try:
            found, report = reopen(directory, copies=copies_of(sample().frames) if with_copies else None)
        except JournalDamaged:
            assert not (with_copies and head)
            with pytest.raises(JournalDamaged):
                reopen(directory)
            return
        assert found == sample().frames
        assert "segment" in kinds(report)
        assert files(directory) == sample().files


@pytest.mark.parametrize("head", [False, True])
def test_every_byte_of_the_last_frames(tmp_path: Path, head: bool) -> None:
    """Without copies: the last frame is cut if no witness speaks for it; the one before never is."""
    last = sample().frames[-1]
    begins = end_of_last() - size_of(last)
    for offset in range(BLOCK, end_of_last() + 60):
        sample().restore(tmp_path, head=head)
        flip(tmp_path / last_name(), offset * 8 + offset % 8)
        if offset < begins or (head and offset < end_of_last()):
            with pytest.raises(JournalDamaged, match=f"byte {BLOCK if offset < begins else begins}"):
                reopen(tmp_path)
        else:
            found, report = reopen(tmp_path)
            assert found == sample().frames[: -1 if offset < end_of_last() else None]
            assert kinds(report) == ["torn_tail"]
            assert not any((tmp_path / last_name()).read_bytes()[begins if offset < end_of_last() else end_of_last() :])


def test_every_length_to_which_the_last_file_may_be_cut(tmp_path: Path) -> None:
    """Without witnesses: only where zeros stand before the cut can no frame be missing."""
    for length in range(BLOCK, SMALL):
        sample().restore(tmp_path, head=False)
        path = tmp_path / last_name()
        put(path, path.read_bytes()[:length])
        if length <= end_of_last():
            with pytest.raises(JournalDamaged, match=r"shorter than it was made|written after"):
                reopen(tmp_path)
            assert path.stat().st_size == length
        else:
            found, report = reopen(tmp_path)
            assert (found, kinds(report)) == (sample().frames, ["segment"])
            assert files(tmp_path) == sample().files


def test_every_length_to_which_a_write_may_be_torn(tmp_path: Path) -> None:
    last = sample().frames[-1]
    data = frame_bytes(last)
    assert data is not None
    begins = end_of_last() - len(data)
    for length in range(1, len(data)):
        sample().restore(tmp_path, head=False)
        path = tmp_path / last_name()
        put(path, path.read_bytes()[:begins].ljust(begins + length, b"x").ljust(SMALL, b"\0"))
        found, report = reopen(tmp_path)
        assert found == sample().frames[:-1]
        assert kinds(report) == ["torn_tail"]
        assert not any(path.read_bytes()[begins:])


def test_a_torn_tail_may_hold_copies_of_older_frames(tmp_path: Path) -> None:
    """A quarantined row may hold anything, even the bytes of our own frames: they prove nothing."""
    journal = opened(tmp_path, segment_bytes=1 << 14)
    chain = append(journal, [1, 1])
    inner = b"".join(data for frame in chain if (data := frame_bytes(frame)) is not None)
    journal.append(encode([Quarantined(LEDGER, "", "malformed", inner)]), 1, 3)
    journal.close()
    (tmp_path / "head").unlink()
    path = segment_path(tmp_path, 1)
    put(path, path.read_bytes()[:-1] + b"\0")
    flip(path, (BLOCK + size_of(chain[0]) + size_of(chain[1]) + 20) * 8)
    found, report = reopen(tmp_path)
    assert found == chain
    assert kinds(report) == ["torn_tail"]


# --- what witnesses and copies are good for ---------------------------------------------------------------------------


@pytest.mark.parametrize("kept", range(len(COUNTS)))
def test_a_cleanly_cut_tail_is_written_back_or_refused(tmp_path: Path, kept: int) -> None:
    chain = frames_with_tail_cut(tmp_path, kept)
    for witness in (head_of(chain[kept]), head_of(chain[-1])):
        with pytest.raises(JournalDamaged, match=f"reach seq {witness.seq}|is missing"):
            reopen(tmp_path, at_least=witness)
    found, report = reopen(tmp_path, at_least=head_of(chain[-1]), copies=copies_of(chain))
    assert found == chain
    assert {"frames"} <= set(kinds(report)) <= {"frames", "segment"}
    assert files(tmp_path) == sample().files


def frames_with_tail_cut(directory: Path, kept: int) -> list[Frame]:
    """The sample, so that it looks as if only ``kept`` frames had ever been written."""
    chain = written(directory, COUNTS[:kept])
    assert chain == sample().frames[:kept]
    return sample().frames


def test_a_tail_that_only_a_copy_knows_is_written_back(tmp_path: Path) -> None:
    chain = frames_with_tail_cut(tmp_path, 4)
    found, _ = reopen(tmp_path, copies=copies_of(chain[:6]))
    assert found == chain[:6]


def test_the_saved_head_misses_a_tail(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    append(journal, [1, 1])
    journal.save_head()
    journal.close()
    path = segment_path(tmp_path, 1)
    put(path, path.read_bytes()[: BLOCK + 192].ljust(SMALL, b"\0"))
    with pytest.raises(JournalDamaged, match="reach seq 2"):
        reopen(tmp_path)
    reached = Head(Seq(2), GENESIS)
    assert [finding.kind for finding in verify(tmp_path, LEDGER, known=reached).findings] == ["frames"]


def test_a_damaged_saved_head_or_one_of_another_ledger_proves_nothing(tmp_path: Path) -> None:
    sample().restore(tmp_path, head=True)
    flip(tmp_path / "head", 400)
    assert reopen(tmp_path)[0] == sample().frames
    other = AccountId("paper:other")
    journal, _ = SegmentJournal.open(tmp_path / "other", other, segment_bytes=SMALL, disk=FaultyDisk())
    journal.append(body(1), 1, 1)
    journal.close()
    sample().restore(tmp_path, head=False)
    shutil.copy(tmp_path / "other" / "head", tmp_path / "head")
    assert reopen(tmp_path)[1].findings == []


def test_copies_that_are_damaged_or_end_early_do_not_heal(tmp_path: Path) -> None:
    chain = sample().frames
    for copies in (chain[:2], [], [msgspec.structs.replace(frame, body=b"\x90") for frame in chain], chain[3:]):
        sample().restore(tmp_path, head=False)
        flip(segment_path(tmp_path, 1), (BLOCK + chain[0].count * 192 + 280) * 8)
        with pytest.raises(JournalDamaged, match="seq 4 on are damaged or missing"):
            reopen(tmp_path, copies=copies_of(copies))


@pytest.mark.parametrize("position", range(len(COUNTS)))
def test_a_witness_of_another_history_is_refused(tmp_path: Path, position: int) -> None:
    sample().restore(tmp_path, head=False)
    frame = sample().frames[position]
    wrong = Head(frame.last, Hash(bytes(31) + b"\1"))
    with pytest.raises(JournalDamaged, match="another history"):
        reopen(tmp_path, at_least=wrong)
    if frame.count > 1:  # a seq in the middle of a frame was never a head
        with pytest.raises(JournalDamaged, match="another history"):
            reopen(tmp_path, at_least=Head(frame.first, frame.hash))


def test_copies_of_another_ledger_do_not_heal(tmp_path: Path) -> None:
    foreign = frames(COUNTS, AccountId("paper:other"))
    assert reopen(tmp_path, copies=copies_of(foreign))[0] == []


# --- whole files ------------------------------------------------------------------------------------------------------

Mishap = Callable[[Path], None]


def delete(*numbers: int) -> Mishap:
    def mishap(directory: Path) -> None:
        for number in numbers:
            segment_path(directory, number).unlink()

    return mishap


def zero(*numbers: int) -> Mishap:
    def mishap(directory: Path) -> None:
        for number in numbers:
            put(segment_path(directory, number), bytes(SMALL))

    return mishap


def empty(*numbers: int) -> Mishap:
    def mishap(directory: Path) -> None:
        for number in numbers:
            put(segment_path(directory, number), b"")

    return mishap


def cut(number: int) -> Mishap:
    def mishap(directory: Path) -> None:
        path = segment_path(directory, number)
        put(path, path.read_bytes()[: BLOCK + 200])

    return mishap


def older(number: int, keep: int) -> Mishap:
    """Put an older copy of a segment in its place: one with fewer frames."""

    def mishap(directory: Path) -> None:
        path = segment_path(directory, number)
        put(path, path.read_bytes()[:keep].ljust(SMALL, b"\0"))

    return mishap


MISHAPS: dict[str, Mishap] = {
    "first missing": delete(1),
    "middle missing": delete(2),
    "last missing": delete(3),
    "two missing": delete(2, 3),
    "all missing": delete(1, 2, 3),
    "first zeroed": zero(1),
    "middle zeroed": zero(2),
    "last zeroed": zero(3),
    "all zeroed": zero(1, 2, 3),
    "first emptied": empty(1),
    "middle emptied": empty(2),
    "last emptied": empty(3),
    "all emptied": empty(1, 2, 3),
    "first older": older(1, BLOCK + 192),
    "first older, without frames": older(1, BLOCK),
    "middle older": older(2, BLOCK + 192),
    "last older": older(3, BLOCK),
}


@pytest.mark.parametrize("mishap", MISHAPS.values(), ids=MISHAPS.keys())
def test_whole_files_are_healed_from_copies_and_refused_without(tmp_path: Path, mishap: Mishap) -> None:
    sample().restore(tmp_path, head=True)
    mishap(tmp_path)
    before = files(tmp_path)
    assert not verify(tmp_path, LEDGER, known=head_of(sample().frames[-1])).ok
    for _ in range(2):
        with pytest.raises(JournalDamaged):
            reopen(tmp_path)
        assert files(tmp_path) == before
    found, report = reopen(tmp_path, copies=copies_of(sample().frames))
    assert found == sample().frames
    assert "frames" in kinds(report)
    assert files(tmp_path) == sample().files
    assert reopen(tmp_path) == (found, msgspec.structs.replace(report, findings=[]))


def test_an_only_segment_that_was_zeroed_is_refused_without_any_witness(tmp_path: Path) -> None:
    written(tmp_path, [1])
    zero(1)(tmp_path)
    for _ in range(2):
        with pytest.raises(JournalDamaged, match="header is damaged"):
            reopen(tmp_path)


def test_a_first_segment_that_starts_later_is_refused(tmp_path: Path) -> None:
    sample().restore(tmp_path, head=False)
    path = segment_path(tmp_path, 1)
    header = read_header(Disk(), path)
    assert header is not None
    put(path, msgspec.structs.replace(header, first=Seq(5)).pack() + path.read_bytes()[BLOCK:])
    with pytest.raises(JournalDamaged, match="does not continue the journal"):
        reopen(tmp_path)
    assert "starts at seq 5" in verify(tmp_path, LEDGER).findings[0].problem


def swap(directory: Path, one: int, other: int) -> None:
    first, second = segment_path(directory, one), segment_path(directory, other)
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


@pytest.mark.parametrize("pair", [(1, 2), (2, 3), (1, 3)])
def test_swapped_segments_are_refused_and_left_alone(tmp_path: Path, pair: tuple[int, int]) -> None:
    sample().restore(tmp_path, head=True)
    swap(tmp_path, *pair)
    before = files(tmp_path)
    assert not verify(tmp_path, LEDGER).ok
    for copies in (None, copies_of(sample().frames)):
        with pytest.raises(JournalDamaged, match="mixed up"):
            reopen(tmp_path, copies=copies)
    assert files(tmp_path) == before  # what stands there is whole: only its place is wrong


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_segment_of_another_ledger_is_refused_and_left_alone(tmp_path: Path, number: int) -> None:
    other = AccountId("paper:other")
    journal, _ = SegmentJournal.open(tmp_path / "other", other, segment_bytes=SMALL, disk=FaultyDisk())
    append(journal, COUNTS)
    journal.close()
    sample().restore(tmp_path, head=False)
    shutil.copy(segment_path(tmp_path / "other", number), segment_path(tmp_path, number))
    before = files(tmp_path)
    assert not verify(tmp_path, LEDGER).ok
    for copies in (None, copies_of(sample().frames)):
        with pytest.raises(JournalDamaged, match=f"segment {number} of paper:other"):
            reopen(tmp_path, copies=copies)
    assert files(tmp_path) == before


def test_a_segment_of_another_past_of_the_same_ledger_is_refused(tmp_path: Path) -> None:
    journal, _ = SegmentJournal.open(tmp_path / "other", LEDGER, epoch=7, segment_bytes=SMALL, disk=FaultyDisk())
    append(journal, COUNTS)
    journal.close()
    sample().restore(tmp_path, head=False)
    shutil.copy(segment_path(tmp_path / "other", 2), segment_path(tmp_path, 2))
    for copies in (None, copies_of(sample().frames)):
        with pytest.raises(JournalDamaged):
            reopen(tmp_path, copies=copies)


def test_a_header_is_mended_from_the_frames_around_it(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        sample().restore(tmp_path, head=False)
        path = segment_path(tmp_path, number)
        put(path, bytes(BLOCK) + path.read_bytes()[BLOCK:])
        found, report = reopen(tmp_path)
        assert (found, kinds(report)) == (sample().frames, ["header"])
        assert files(tmp_path) == sample().files


def test_a_frame_too_large_for_a_segment_is_healed_with_its_segment(tmp_path: Path) -> None:
    chain = written(tmp_path, [1, 60, 1, 1])
    before = files(tmp_path)
    delete(2)(tmp_path)
    assert reopen(tmp_path, copies=copies_of(chain))[0] == chain
    assert files(tmp_path) == before
    delete(2, 3)(tmp_path)
    assert reopen(tmp_path, copies=copies_of(chain))[0] == chain


def test_leftovers_of_unfinished_work_are_deleted(tmp_path: Path) -> None:
    sample().restore(tmp_path, head=True)
    for name in ("spare.tmp", "head.tmp", "00000000000000000009.snapshot.tmp"):
        (tmp_path / name).write_bytes(b"half")
    assert reopen(tmp_path)[1].findings == []
    assert not list(tmp_path.glob("*.tmp"))


# --- starting behind a snapshot ---------------------------------------------------------------------------------------


def marks(directory: Path) -> list[Mark]:
    journal = opened(directory / "marked")
    found = []
    for count in COUNTS:
        append(journal, [count])
        assert journal.mark is not None
        found.append(journal.mark)
    journal.close()
    return found


@pytest.mark.parametrize("position", range(len(COUNTS)))
def test_a_start_reads_only_what_is_behind_its_mark(tmp_path: Path, position: int) -> None:
    mark = marks(tmp_path)[position]
    sample().restore(tmp_path, head=True)
    found, report = reopen(tmp_path, start=mark)
    assert found == sample().frames
    assert report == RecoveryReport(head_of(sample().frames[-1]), mark.seq, [])
    journal, _ = SegmentJournal.open(tmp_path, LEDGER, segment_bytes=SMALL, start=mark, disk=FaultyDisk())
    append(journal, [1])
    assert verify(tmp_path, LEDGER).ok
    journal.close()


def test_a_start_heals_and_cuts_behind_its_mark(tmp_path: Path) -> None:
    mark = marks(tmp_path)[1]
    sample().restore(tmp_path, head=False)
    zero(3)(tmp_path)
    assert reopen(tmp_path, start=mark, copies=copies_of(sample().frames))[0] == sample().frames
    flip(segment_path(tmp_path, 3), (end_of_last() - 1) * 8)
    found, report = reopen(tmp_path, start=mark)
    assert (found, kinds(report), report.read_from) == (sample().frames[:-1], ["torn_tail"], mark.seq)


@pytest.mark.parametrize("mishap", [delete(1), delete(2), zero(1), empty(2), zero(3), cut(2)])
def test_a_start_reads_all_where_the_files_before_its_mark_are_not_in_order(tmp_path: Path, mishap: Mishap) -> None:
    mark = marks(tmp_path)[-1]
    sample().restore(tmp_path, head=False)
    mishap(tmp_path)
    found, report = reopen(tmp_path, start=mark, copies=copies_of(sample().frames))
    assert found == sample().frames
    assert report.read_from == 0
    assert kinds(report)[0] == "snapshot"


def test_a_mark_beyond_the_end_is_a_witness(tmp_path: Path) -> None:
    mark = marks(tmp_path)[-1]
    chain = frames_with_tail_cut(tmp_path, 5)
    with pytest.raises(JournalDamaged, match=f"reach seq {chain[-1].last}"):
        reopen(tmp_path, start=mark)
    found, report = reopen(tmp_path, start=mark, copies=copies_of(chain))
    assert found == chain
    assert "snapshot" in kinds(report)


def test_a_mark_of_another_history_is_refused(tmp_path: Path) -> None:
    mark = msgspec.structs.replace(marks(tmp_path)[2], hash=Hash(bytes(31) + b"\1"))
    sample().restore(tmp_path, head=False)
    with pytest.raises(JournalDamaged, match="another history"):
        reopen(tmp_path, start=mark)


# --- verify -----------------------------------------------------------------------------------------------------------


def test_verify_counts_what_it_read_and_reports_progress(tmp_path: Path) -> None:
    sample().restore(tmp_path, head=True)
    steps: list[tuple[int, int]] = []
    report = verify(tmp_path, LEDGER, progress=lambda done, total: steps.append((done, total)))
    assert report.ok
    assert report.head == head_of(sample().frames[-1])
    assert (report.frames, report.events) == (len(COUNTS), sum(COUNTS))
    assert report.log_bytes == sum(size_of(frame) for frame in sample().frames)
    assert steps == [(SMALL * n, SMALL * 3) for n in (1, 2, 3)]


def test_verify_of_nothing_is_fine(tmp_path: Path) -> None:
    report = verify(tmp_path, LEDGER)
    assert report.ok
    assert report.head == Head(Seq(0), GENESIS)


def test_verify_finds_all_damage_and_changes_nothing(tmp_path: Path) -> None:
    sample().restore(tmp_path, head=True)
    flip(segment_path(tmp_path, 1), (BLOCK + 50) * 8)
    flip(segment_path(tmp_path, 2), (BLOCK + 50) * 8)
    flip(segment_path(tmp_path, 3), (SMALL - 5) * 8)
    before = files(tmp_path)
    report = verify(tmp_path, LEDGER)
    assert seqs(report.findings) == [("frames", 1, 4), ("frames", 5, 8), ("torn_tail", 0, 0)]
    assert files(tmp_path) == before


def test_verify_tells_rot_before_a_valid_frame_from_a_torn_tail(tmp_path: Path) -> None:
    sample().restore(tmp_path, head=False)
    flip(segment_path(tmp_path, 3), (BLOCK + 50) * 8)
    assert seqs(verify(tmp_path, LEDGER).findings) == [("frames", 9, 9)]
    sample().restore(tmp_path, head=False)
    flip(segment_path(tmp_path, 3), (end_of_last() - 1) * 8)
    assert seqs(verify(tmp_path, LEDGER).findings) == [("torn_tail", 0, 0)]


def seqs(findings: Sequence[Finding]) -> list[tuple[str, int, int]]:
    return [(finding.kind, finding.first, finding.last) for finding in findings]
