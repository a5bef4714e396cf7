"""Damage of every kind: healed from a copy, cut as a torn tail, or refused. Never accepted in silence."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.journal.recovery_world import (
    COUNTS,
    end_of_last,
    flip,
    frames_with_tail_cut,
    kinds,
    last_name,
    reopen,
    sample,
)
from tests.journal.samples import LEDGER, SMALL, append, body, copies_of, files, frames, head_of, opened, put
from trueup.journal.codec import encode
from trueup.journal.frame import frame_bytes, size_of
from trueup.journal.segment_file import BLOCK, CUT, SECTOR, segment_path
from trueup.journal.segments import SegmentJournal
from trueup.journal.verify import verify
from trueup.model.errors import JournalDamaged
from trueup.model.events import Quarantined
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import GENESIS, Hash, Head
from trueup.testing.disk import FaultyDisk


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
        assert found == sample().frames
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
    """Without copies: a frame that stands there to its last byte was written whole, so it is refused and never cut."""
    last = sample().frames[-1]
    begins = end_of_last() - size_of(last)
    for offset in range(BLOCK, end_of_last() + 60):
        sample().restore(tmp_path, head=head)
        flip(tmp_path / last_name(), offset * 8 + offset % 8)
        if offset < end_of_last():
            with pytest.raises(JournalDamaged, match=f"byte {BLOCK if offset < begins else begins}"):
                reopen(tmp_path)
        else:
            found, report = reopen(tmp_path)
            assert found == sample().frames
            assert kinds(report) == ["torn_tail"]
            assert not any((tmp_path / last_name()).read_bytes()[end_of_last() :])


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


def test_every_place_at_which_a_second_write_may_be_torn_behind_which_stands_what_the_first_had_written(
    tmp_path: Path,
) -> None:
    """Zeros at the end of a sector tell it from rot; where there are too few of them, it is refused to be safe."""
    journal = opened(tmp_path, segment_bytes=1 << 14)
    chain = append(journal, [1])
    data = frame_bytes(journal.append(encode([Quarantined(LEDGER, "", "malformed", b"x" * 1_500)]), 1, 3))
    journal.close()
    assert data is not None
    path, begins = segment_path(tmp_path, 1), BLOCK + size_of(chain[0])
    whole = path.read_bytes()
    for cut in range(begins, begins + len(data)):
        sector_end = min((cut // SECTOR + 1) * SECTOR, begins + len(data))
        put(path, whole[:cut] + bytes(sector_end - cut) + whole[sector_end:])
        (tmp_path / "head").unlink(missing_ok=True)
        if sector_end - cut < CUT and sector_end < begins + len(data):
            with pytest.raises(JournalDamaged, match="does not fit its hash"):
                reopen(tmp_path)
        else:
            found, report = reopen(tmp_path)
            assert found == chain
            assert kinds(report) == ["torn_tail"]


def test_a_torn_tail_may_hold_copies_of_older_frames(tmp_path: Path) -> None:
    """A quarantined row may hold anything, even the bytes of our own frames: they prove nothing."""
    journal = opened(tmp_path, segment_bytes=1 << 14)
    chain = append(journal, [1, 1])
    inner = b"".join(data for frame in chain if (data := frame_bytes(frame)) is not None)
    journal.append(encode([Quarantined(LEDGER, "", "malformed", inner)]), 1, 3)
    journal.close()
    (tmp_path / "head").unlink()
    path = segment_path(tmp_path, 1)
    end = len(path.read_bytes().rstrip(b"\0"))
    put(path, path.read_bytes()[: end - 1].ljust(1 << 14, b"\0"))
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
