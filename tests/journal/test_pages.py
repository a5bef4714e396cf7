"""Frames are found in the pages of a database that SQLite refuses; what is not a frame is never taken for one."""

import random
from pathlib import Path

import apsw
import pytest

from tests.journal.samples import LEDGER, frames
from tests.journal.views_world import copy_as_after_a_crash
from trueup.journal.pages import PAGE_BYTES, DamagedDatabase
from trueup.journal.views import SqliteViews
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Change, Frame


def only(frame: Frame) -> Change:
    """A frame that changed nothing else."""
    return Change(frame.ledger, frame.last, [frame], (), (), (), (), (), {}, ())


class Filled:
    """A database with many frames, some larger than a page, and what they are."""

    def __init__(self, path: Path, *, closed: bool) -> None:
        self.frames, views = frames([1, 2, 30, 1, 200, 1, 1, 60]), SqliteViews(path)
        for frame in self.frames:
            views.apply([only(frame)])
        self.path = path if closed else copy_as_after_a_crash(path, path.with_name("left.db"))
        views.close()


@pytest.fixture(params=[True, False], ids=["closed", "with its log"])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Filled:
    return Filled(tmp_path / "views.db", closed=request.param)


def found(path: Path, after: int = 0) -> list[Frame]:
    return list(DamagedDatabase(path).frames(LEDGER, Seq(after)))


def test_all_frames_of_a_whole_database_are_found(filled: Filled) -> None:
    assert found(filled.path) == filled.frames
    assert found(filled.path, filled.frames[2].last) == filled.frames[3:]
    assert found(filled.path, filled.frames[-1].last) == []


def test_frames_of_another_ledger_are_not_found(filled: Filled) -> None:
    assert list(DamagedDatabase(filled.path).frames(AccountId("paper:nobody"))) == []


def test_without_its_first_page_a_database_is_no_database_and_its_frames_are_found(filled: Filled) -> None:
    data = bytearray(filled.path.read_bytes())
    data[:PAGE_BYTES] = bytes(PAGE_BYTES)
    filled.path.write_bytes(data)
    assert found(filled.path) == filled.frames


def test_pages_full_of_noise_give_no_frame_and_hide_only_their_own(filled: Filled) -> None:
    noise = random.Random(7)
    for path in (filled.path, filled.path.with_name(filled.path.name + "-wal")):
        if path.exists():
            data = bytearray(path.read_bytes())
            for start in range(PAGE_BYTES, len(data), 3 * PAGE_BYTES):
                data[start : start + 512] = noise.randbytes(len(data[start : start + 512]))
            path.write_bytes(data)
    left = found(filled.path)
    assert 0 < len(left) < len(filled.frames)
    assert all(frame in filled.frames for frame in left)


@pytest.mark.parametrize("content", [b"", b"short", b"\x0d" * PAGE_BYTES * 3, bytes(PAGE_BYTES), b"\xff" * PAGE_BYTES])
def test_what_is_no_database_gives_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "views.db").write_bytes(content)
    (tmp_path / "views.db-wal").write_bytes(content)
    assert found(tmp_path / "views.db") == []
    assert found(tmp_path / "none.db") == []


def test_a_row_of_nine_columns_that_fits_no_hash_is_no_frame(tmp_path: Path) -> None:
    db = apsw.Connection(str(tmp_path / "views.db"))
    db.reserve_bytes("main", 8)
    db.execute("CREATE TABLE t (a, b, c, d, e, f, g, h, i)")
    db.execute("INSERT INTO t VALUES (1, 1, 1, 1, 1, 0, zeroblob(32), zeroblob(32), zeroblob(9))")
    db.execute("INSERT INTO t VALUES (1, -1, 1 << 40, -5, 1, 0, zeroblob(32), zeroblob(32), zeroblob(9))")
    db.close()
    assert found(tmp_path / "views.db") == []
