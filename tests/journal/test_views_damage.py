"""A flipped byte anywhere in the database or its log is detected, or harms nothing: never a wrong answer.

Harmless is an answer that was true at the seq it names: a log cut short by damage takes the views back to an earlier
moment, and they catch up from the journal.
"""

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import apsw
import pytest

from tests.journal.views_world import ACCOUNT, BTC, MANY, Writer, copy_as_after_a_crash, cycle
from tests.processes import PATIENCE_S
from trueup.journal import sqlite, views_check
from trueup.journal.views import SqliteViews
from trueup.model.errors import ViewsFailed
from trueup.model.identifiers import Seq

PAGE = 4_096
Answer = tuple[object, ...]


class Crashed:
    """Files as a dead process left them, and what the views answered at every seq before."""

    def __init__(self, folder: Path, *, checkpointed: bool, closed: bool = False) -> None:
        folder.mkdir()
        writer = Writer()
        views = SqliteViews(folder / "live.db")
        assert views._writer is not None
        nothing = answers(views)
        views.apply([writer.busy_change(), writer.broad_change(MANY)])
        views._writer.wal_checkpoint("main", apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self.truth: dict[Seq, Answer] = {Seq(0): nothing, writer.head.seq: answers(views)}
        for some in range(0, len(MANY), 10):  # each transaction writes to other pages
            views.apply([writer.broad_change(MANY[some : some + 10])])
            self.truth[writer.head.seq] = answers(views)
        if checkpointed:
            views._writer.wal_checkpoint("main", apsw.SQLITE_CHECKPOINT_PASSIVE)
        if closed:
            views.close()
        self.path = copy_as_after_a_crash(views.path, folder / "left.db")
        self.log = self.path.with_name("left.db-wal")
        views.close()

    def damaged(self, harm: Callable[[bytearray], None], *, log: bool = False) -> str:
        """Copy the files, harm one, and see what the views say, twice."""
        copy = copy_as_after_a_crash(self.path, self.path.with_name("copy.db"))
        victim = copy.with_name("copy.db-wal") if log else copy
        data = bytearray(victim.read_bytes())
        harm(data)
        victim.write_bytes(data)
        first, second = self.answer(copy), self.answer(copy)
        for suffix in ("", "-wal", "-shm"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)
        return "wrong" if "wrong" in {first, second} else first

    def answer(self, path: Path) -> str:
        try:
            views = SqliteViews(path)
        except ViewsFailed:
            return "refused to open"
        try:
            said = answers(views)
            seq = views.applied(ACCOUNT)
        except ViewsFailed:
            assert views.check() != []
            return "refused to read"
        finally:
            views.close()
        if self.truth.get(seq) != said:
            return "wrong"
        return "true" if seq == max(self.truth) else "true at an earlier seq"


def answers(views: SqliteViews) -> Answer:
    return (
        views.head(ACCOUNT),
        views.positions(ACCOUNT),
        views.balances(ACCOUNT),
        views.orders(ACCOUNT),
        views.cycles(ACCOUNT, BTC.symbol),
        views.find(ACCOUNT, [f"fill|{seq}" for seq in range(1, 200)]),
        [(frame.first, frame.hash, frame.body) for frame in views.frames(ACCOUNT)],
    )


def flip(at: int, bit: int = 0) -> Callable[[bytearray], None]:
    def harm(data: bytearray) -> None:
        data[at] ^= 1 << bit

    return harm


def blank(start: int, length: int) -> Callable[[bytearray], None]:
    def harm(data: bytearray) -> None:
        data[start : start + length] = bytes(len(data[start : start + length]))

    return harm


def outcomes(crashed: Crashed, places: Sequence[int], *, log: bool = False, seed: int = 1) -> Counter[str]:
    bits = random.Random(seed)
    return Counter(crashed.damaged(flip(at, bits.randrange(8)), log=log) for at in places)


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Crashed:
    crashed = Crashed(tmp_path_factory.mktemp("file") / "files", checkpointed=True, closed=True)
    assert not crashed.log.exists()
    return crashed


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Crashed]:
    """With and without a checkpoint before the crash."""
    folder = tmp_path_factory.mktemp("log")
    return {done: Crashed(folder / str(done), checkpointed=done) for done in (False, True)}


class TestTheFile:
    def test_unharmed_it_is_true(self, crashed: Crashed) -> None:
        assert crashed.damaged(lambda data: None) == "true"

    def test_a_flip_in_its_head_or_first_page(self, crashed: Crashed) -> None:
        told = outcomes(crashed, [*range(100), *range(100, PAGE, 97)])
        assert set(told) == {"refused to open"}

    def test_a_flip_in_any_other_page(self, crashed: Crashed) -> None:
        size = crashed.path.stat().st_size
        places = [start + random.Random(start).randrange(PAGE) for start in range(PAGE, size, PAGE) for _ in range(2)]
        told = outcomes(crashed, places)
        assert told["wrong"] == 0
        noticed = told["refused to read"] + told["refused to open"]
        assert noticed > len(places) // 2  # the rest: pages not asked for, of empty tables above all

    def test_check_finds_a_flip_in_every_page_that_is_in_use(self, crashed: Crashed) -> None:
        for start in range(PAGE, crashed.path.stat().st_size, PAGE):
            copy = copy_as_after_a_crash(crashed.path, crashed.path.with_name("check.db"))
            data = bytearray(copy.read_bytes())
            data[start + 1_000] ^= 4
            copy.write_bytes(data)
            try:
                views = SqliteViews(copy)
            except ViewsFailed:
                continue
            assert views.check() != []
            views.close()

    def test_a_page_of_zeros(self, crashed: Crashed) -> None:
        """Zeros have the checksum zero, so that other checks must find them, or the frame's own hash."""
        size = crashed.path.stat().st_size
        told = Counter(crashed.damaged(blank(start, PAGE)) for start in range(0, size, PAGE))
        assert told["refused to read"] + told["refused to open"] > 0
        assert told["true at an earlier seq"] == 0

    @pytest.mark.parametrize("pages", [1, 2, 5])
    def test_a_file_cut_short(self, crashed: Crashed, pages: int) -> None:
        def cut(data: bytearray) -> None:
            del data[-pages * PAGE :]

        assert crashed.damaged(cut).startswith("refused")

    def test_a_file_cut_to_nothing_is_empty_and_says_so(self, crashed: Crashed) -> None:
        assert crashed.damaged(bytearray.clear) == "true at an earlier seq"


@pytest.mark.parametrize("checkpointed", [False, True])
class TestTheLog:
    def test_unharmed_it_is_true(self, both: dict[bool, Crashed], checkpointed: bool) -> None:
        assert both[checkpointed].log.stat().st_size > 20 * PAGE
        assert both[checkpointed].damaged(lambda data: None, log=True) == "true"

    def test_a_flip_in_its_head(self, both: dict[bool, Crashed], checkpointed: bool) -> None:
        told = outcomes(both[checkpointed], range(32), log=True)
        assert set(told) == {"true" if checkpointed else "true at an earlier seq"}

    def test_a_flip_in_any_frame(self, both: dict[bool, Crashed], checkpointed: bool) -> None:
        """Where a checkpoint had run, the file is newer than the log that is left of itself: that must be refused."""
        size = both[checkpointed].log.stat().st_size
        heads = [start + 6 * (start % 4) for start in range(32, size, (PAGE + 24) * 4)]
        bodies = [start + 24 + random.Random(start).randrange(PAGE) for start in range(32, size, (PAGE + 24) * 4)]
        told = outcomes(both[checkpointed], [*heads, *bodies], log=True)
        assert set(told) <= ({"refused to open", "true"} if checkpointed else {"true at an earlier seq"})
        assert told["refused to open"] > 0 or not checkpointed

    def test_a_flip_in_the_file_beneath_it(self, both: dict[bool, Crashed], checkpointed: bool) -> None:
        """A crash in a checkpoint tears pages of the file, and the log makes them whole."""
        told = outcomes(both[checkpointed], range(PAGE + 9, both[checkpointed].path.stat().st_size, PAGE), log=False)
        assert set(told) <= {"true", "refused to open", "refused to read"}
        assert told["true"] > 0

    def test_a_log_cut_short(self, both: dict[bool, Crashed], checkpointed: bool) -> None:
        def cut(data: bytearray) -> None:
            del data[-3 * PAGE :]

        assert both[checkpointed].damaged(cut, log=True) == (
            "refused to open" if checkpointed else "true at an earlier seq"
        )

    def test_a_log_that_is_gone(self, both: dict[bool, Crashed], checkpointed: bool) -> None:
        told = both[checkpointed].damaged(bytearray.clear, log=True)
        assert told == ("true" if checkpointed else "true at an earlier seq")


def test_a_new_process_refuses_a_shortened_log_too(tmp_path: Path) -> None:
    """The page checksums are loaded once per process, so the first opening of all has a test of its own."""
    crashed = Crashed(tmp_path / "files", checkpointed=True)
    data = crashed.log.read_bytes()
    crashed.log.write_bytes(data[: len(data) // 2])
    program = "import sys, pathlib, trueup.journal.views as v; v.SqliteViews(pathlib.Path(sys.argv[1]))"
    ended = subprocess.run(
        [sys.executable, "-c", program, crashed.path], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert "the write-ahead log has lost its end" in ended.stderr


def test_an_unreadable_log_over_a_file_that_does_not_hold_together_is_refused(tmp_path: Path) -> None:
    crashed = Crashed(tmp_path / "files", checkpointed=True)
    plain = sqlite.open_writer(crashed.path)
    plain.execute("UPDATE ledgers SET applied = 1")
    plain.wal_checkpoint("main", apsw.SQLITE_CHECKPOINT_TRUNCATE)
    plain.close()
    crashed.log.write_bytes(b"\x37\x7f\x06\x82" + bytes(PAGE))
    with pytest.raises(ViewsFailed, match="write-ahead log is unreadable; the last frame is not the head"):
        SqliteViews(crashed.path)


def test_a_flip_under_an_open_database_is_detected(tmp_path: Path) -> None:
    views = SqliteViews(tmp_path / "views.db")
    writer = Writer()
    views.apply([writer.busy_change(), writer.busy_change()])
    assert views._writer is not None
    views._writer.wal_checkpoint("main", apsw.SQLITE_CHECKPOINT_TRUNCATE)
    data = bytearray(views.path.read_bytes())
    for start in range(PAGE, len(data), PAGE):
        data[start + 2_000] ^= 1
    with views.path.open("r+b") as file:
        file.write(data)
    with pytest.raises(ViewsFailed, match="a page fails its checksum") as failure:
        views.positions(ACCOUNT)
    assert "trueup views rebuild" in failure.value.remedy
    assert views.check() == [failure.value.message]
    views.close()


def test_damage_that_switches_the_checksums_off_is_detected(tmp_path: Path) -> None:
    """Byte 20 of the file says whether pages carry checksums, and is believed before its own page is verified."""
    views = SqliteViews(tmp_path / "views.db")
    writer = Writer()
    views.apply([writer.broad_change(MANY)])
    views.ledgers()  # leaves a connection that has found checksums
    views.apply([writer.busy_change()])  # and must read everything again
    assert views._writer is not None
    views._writer.wal_checkpoint("main", apsw.SQLITE_CHECKPOINT_TRUNCATE)
    with views.path.open("r+b") as file:
        file.seek(20)
        file.write(b"\x00")
    with pytest.raises(ViewsFailed, match="checksum"):
        views.ledgers()
    assert "checksum" in views.check()[0]
    views.close()


def test_a_log_without_its_file_is_not_used(tmp_path: Path) -> None:
    """As a crash leaves it that happens while a rebuilt database is put in place."""
    crashed = Crashed(tmp_path / "files", checkpointed=False)
    crashed.path.unlink()
    assert crashed.answer(crashed.path) == "true at an earlier seq"


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("UPDATE frames SET previous = zeroblob(32) WHERE first = 21", "does not continue the one before it: "),
        ("DELETE FROM frames WHERE first = 1", "does not continue the one before it: "),
        ("DELETE FROM frames WHERE first = 21", "the last frame is not the head: "),
        ("UPDATE balances SET seq = 41", "not applied yet: hyperliquid:main in balances"),
        ("PRAGMA foreign_keys = OFF; DELETE FROM instruments", "book_positions: a row names what is not there"),
    ],
)
def test_check_finds_rows_that_contradict_one_another(tmp_path: Path, harm: str, told: str) -> None:
    views = SqliteViews(tmp_path / "views.db")
    writer = Writer()
    views.apply([writer.busy_change(), writer.busy_change()])
    assert views.check() == []
    assert views._writer is not None
    views._writer.execute(harm)
    [found] = views.check()
    assert told in found
    views.close()


def test_check_says_no_more_than_a_person_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    views = SqliteViews(tmp_path / "views.db")
    views.apply([Writer().change(cycles={(BTC.symbol, "net"): (1, [cycle(n) for n in range(1, 6)])})])
    assert views._writer is not None
    views._writer.execute("UPDATE book_cycles SET seq = 9")
    monkeypatch.setattr(views_check, "FINDINGS_MAX", 3)
    assert len(views.check()) == 3
    views.close()
