"""Finding a frame by its seq or its time without reading all before it; what is found is verified all the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.journal.samples import LEDGER
from trueup.journal.frame import MAGIC, size_of
from trueup.journal.segment_file import BLOCK
from trueup.journal.segments import SegmentJournal
from trueup.model.errors import JournalDamaged
from trueup.model.identifiers import Seq
from trueup.ports import GENESIS, Head

SMALL = BLOCK * 2
TIMES = [10, 10, 20, 35, 35, 35, 90]


def written(directory: Path, times: list[int], counts: list[int] | None = None) -> SegmentJournal:
    """A journal of several small segments with a frame at each of the times."""
    journal, _ = SegmentJournal.open(directory, LEDGER, segment_bytes=SMALL, background=False)
    for number, time in enumerate(times):
        count = counts[number % len(counts)] if counts else 1
        journal.append(b"\x90" + bytes([number % 256]) * 900, count, time)
    return journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SegmentJournal]:
    made = written(tmp_path, TIMES, [1, 3])
    yield made
    made.close()


def heads(journal: SegmentJournal) -> list[Head]:
    return [Head(frame.last, frame.hash, frame.recorded_at) for frame in journal.read()]


def test_reading_behind_any_seq_gives_the_frames_that_end_after_it(journal: SegmentJournal) -> None:
    frames = list(journal.read())
    assert len(journal._segments) > 1
    for seq in range(journal.head.seq + 2):
        assert list(journal.read(Seq(seq))) == [frame for frame in frames if frame.last > seq]


def test_the_last_frame_recorded_by_a_time_is_found(journal: SegmentJournal) -> None:
    every = heads(journal)
    for time in range(100):
        known = [head for head in every if head.recorded_at <= time]
        assert journal.recorded_by(time) == (known[-1] if known else Head(Seq(0), GENESIS))


def test_an_empty_journal_has_recorded_nothing(tmp_path: Path) -> None:
    journal = written(tmp_path, [])
    assert journal.recorded_by(10**18) == Head(Seq(0), GENESIS)
    assert list(journal.read(Seq(5))) == []
    journal.close()


@given(times=st.lists(st.integers(1, 30), max_size=60).map(sorted), asked=st.integers(0, 31))
def test_any_times_in_any_number_of_segments(
    tmp_path_factory: pytest.TempPathFactory, times: list[int], asked: int
) -> None:
    journal = written(tmp_path_factory.mktemp("log"), times)
    count = sum(time <= asked for time in times)
    assert journal.recorded_by(asked).seq == count
    assert [frame.first for frame in journal.read(Seq(count))] == list(range(count + 1, len(times) + 1))
    journal.close()


@pytest.mark.parametrize("place", [8, 12, 20], ids=["count", "first", "recorded_at"])
def test_a_header_that_lies_on_the_way_is_found_out(tmp_path: Path, place: int) -> None:
    journal = written(tmp_path, TIMES)
    path, offset = journal._segments[0].path, BLOCK + size_of(next(journal.read()))
    data = bytearray(path.read_bytes())
    assert data.startswith(MAGIC, offset)
    data[offset + place + 3] ^= 0x01
    path.write_bytes(data)
    with pytest.raises(JournalDamaged):
        journal.recorded_by(15)
    with pytest.raises(JournalDamaged):
        list(journal.read(Seq(1)))
    journal.close()
