"""Starts behind a snapshot, and the verification of a whole log."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from tests.journal.recovery_world import (
    COUNTS,
    Mishap,
    cut,
    delete,
    empty,
    end_of_last,
    flip,
    frames_with_tail_cut,
    kinds,
    reopen,
    sample,
    zero,
)
from tests.journal.samples import LEDGER, SMALL, append, copies_of, files, head_of, opened, put
from trueup.journal.findings import Finding, RecoveryReport
from trueup.journal.frame import size_of
from trueup.journal.segment_file import BLOCK, Mark, segment_path
from trueup.journal.segments import SegmentJournal
from trueup.journal.verify import verify
from trueup.model.errors import JournalDamaged
from trueup.model.identifiers import Seq
from trueup.ports import GENESIS, Hash, Head
from trueup.testing.disk import FaultyDisk

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
    path = segment_path(tmp_path, 3)
    put(path, path.read_bytes()[: end_of_last() - 1].ljust(SMALL, b"\0"))
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
    flip(path := segment_path(tmp_path, 3), (end_of_last() - 1) * 8)
    assert seqs(verify(tmp_path, LEDGER).findings) == [("frames", 0, 0)]
    put(path, path.read_bytes()[: end_of_last() - 1].ljust(SMALL, b"\0"))
    assert seqs(verify(tmp_path, LEDGER).findings) == [("torn_tail", 0, 0)]


def seqs(findings: Sequence[Finding]) -> list[tuple[str, int, int]]:
    return [(finding.kind, finding.first, finding.last) for finding in findings]
