"""Whole files gone, zeroed, swapped or put back from an older copy: healed from a copy or refused, never accepted."""

import shutil
from pathlib import Path

import msgspec
import pytest

from tests.journal.recovery_world import (
    COUNTS,
    Mishap,
    delete,
    empty,
    kinds,
    older,
    reopen,
    sample,
    zero,
)
from tests.journal.samples import LEDGER, SMALL, append, copies_of, files, head_of, put, written
from trueup.journal.disk import Disk
from trueup.journal.segment_file import BLOCK, read_header, segment_path
from trueup.journal.segments import SegmentJournal
from trueup.journal.verify import verify
from trueup.model.errors import JournalDamaged
from trueup.model.identifiers import AccountId, Seq
from trueup.testing.disk import FaultyDisk

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
    for name in ("spare.~tmp", "head.~tmp", "00000000000000000009.snapshot.~tmp"):
        (tmp_path / name).write_bytes(b"half")
    assert reopen(tmp_path)[1].findings == []
    assert not list(tmp_path.glob("*.~tmp"))
