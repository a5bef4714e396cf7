"""Segments that stand under another's name go back to their places; none is overwritten, and none is lost."""

import shutil
from pathlib import Path

import pytest

from tests.journal.samples import SMALL, append, files
from trueup.journal.disk import Disk
from trueup.journal.misplaced import ASIDE, put_back
from trueup.journal.segment_file import segment_path
from trueup.journal.segments import SegmentJournal
from trueup.model.identifiers import AccountId
from trueup.testing.disk import FaultyDisk

ONE, TWO = AccountId("paper-one"), AccountId("paper-two")


@pytest.fixture
def ledgers(tmp_path: Path) -> list[Path]:
    for account in (ONE, TWO):
        journal, _ = SegmentJournal.open(tmp_path / account, account, segment_bytes=SMALL, disk=FaultyDisk())
        append(journal, [1, 2, 1, 1, 1, 2, 1, 1])
        journal.close()
    return [tmp_path / ONE, tmp_path / TWO]


def sorted_out(ledgers: list[Path]) -> list[str]:
    return list(put_back(ledgers, lambda account: ledgers[0].parent / account, Disk()))


def test_what_stands_in_its_place_is_left_alone(ledgers: list[Path]) -> None:
    before = [files(ledger) for ledger in ledgers]
    assert sorted_out(ledgers) == []
    assert [files(ledger) for ledger in ledgers] == before


@pytest.mark.parametrize("other", ["same ledger", "other ledger"])
def test_swapped_segments_are_swapped_back(ledgers: list[Path], other: str) -> None:
    before = [files(ledger) for ledger in ledgers]
    one = segment_path(ledgers[0], 1)
    two = segment_path(ledgers[0 if other == "same ledger" else 1], 2)
    one.rename(one.with_name("aside"))
    two.rename(one)
    one.with_name("aside").rename(two)
    assert len(sorted_out(ledgers)) == 2
    assert [files(ledger) for ledger in ledgers] == before
    assert sorted_out(ledgers) == []


def test_three_in_a_ring_go_back_too(ledgers: list[Path]) -> None:
    before = files(ledgers[0])
    paths = [segment_path(ledgers[0], number) for number in (1, 2, 3)]
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, [contents[1], contents[2], contents[0]], strict=True):
        path.write_bytes(content)
    assert len(sorted_out(ledgers)) == 3
    assert files(ledgers[0]) == before


@pytest.mark.parametrize("copied_from", [0, 1])
def test_a_copy_of_a_segment_that_is_there_is_put_aside_and_kept(ledgers: list[Path], copied_from: int) -> None:
    path, source = segment_path(ledgers[0], 2), segment_path(ledgers[copied_from], 3)
    shutil.copy(source, path)
    (told,) = sorted_out(ledgers)
    assert "put aside" in told
    assert not path.exists()
    assert path.with_name(path.name + ASIDE).read_bytes() == source.read_bytes()
    assert sorted_out(ledgers) == []


def test_a_segment_of_a_ledger_that_is_not_here_is_put_aside(ledgers: list[Path]) -> None:
    foreign = segment_path(ledgers[1], 2).read_bytes()
    shutil.rmtree(ledgers[1])
    segment_path(ledgers[0], 2).write_bytes(foreign)
    assert len(sorted_out(ledgers[:1])) == 1
    assert not ledgers[1].exists()


def test_what_a_crash_left_aside_goes_back_the_next_time(ledgers: list[Path]) -> None:
    before = files(ledgers[0])
    path = segment_path(ledgers[0], 2)
    path.rename(path.with_name(path.name + ASIDE))
    assert len(sorted_out(ledgers)) == 1
    assert files(ledgers[0]) == before


def test_two_that_claim_one_place_are_both_kept_aside(ledgers: list[Path]) -> None:
    third = segment_path(ledgers[0], 3)
    for number in (1, 2):
        shutil.copy(third, segment_path(ledgers[0], number))
    third.unlink()
    assert len(sorted_out(ledgers)) == 2
    assert len(list(ledgers[0].glob(f"*{ASIDE}"))) == 2
