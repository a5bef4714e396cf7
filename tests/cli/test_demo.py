"""``trueup demo``: real processes, real kills; and proof that its check can fail."""

import asyncio
import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from rich.console import Console

from tests.cli.program import Trueup
from trueup.bootstrap import open_store
from trueup.cli.demo import messages as m
from trueup.cli.demo import play as playing
from trueup.cli.demo.causes import Cause
from trueup.cli.demo.check import AccountCheck
from trueup.cli.demo.record import Kill, Record
from trueup.cli.demo.screen import result_view
from trueup.cli.demo.stage import BookFailed, Stage
from trueup.cli.demo.summary import Summary, summarise
from trueup.cli.demo.world import NORTH, SOUTH, Plan, make_plan, open_venues
from trueup.engine.clock import SystemClock
from trueup.model.differences import Status
from trueup.model.identifiers import Seq
from trueup.venues.paper.faults import FaultPlan, Outage, Struck

PATIENCE_S = 600
"""For a whole run and its end, on a machine as busy as can be."""

KILLS = 2
STRUCK = [
    "drop",
    "drop",
    "duplicate",
    "foreign_trade",
    "foreign_trade",
    "foreign_trade",
    "liquidation",
    "outage",
    "time_out",
]


def start(*words: str | Path, **options: Any) -> subprocess.Popen[str]:  # noqa: ANN401 - handed on
    command = [sys.executable, "-m", "trueup", "demo", *map(str, words)]
    return subprocess.Popen(command, stdout=options.pop("stdout", subprocess.PIPE), text=True, **options)


def ended(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=PATIENCE_S)
    return out


@pytest.mark.slow
def test_two_at_the_same_time_both_find_and_explain_everything() -> None:
    runs = [start("--seconds", "4", "--seed", seed, "--json", stderr=subprocess.PIPE) for seed in ("1", "2")]
    for run in runs:
        out, err = run.communicate(timeout=PATIENCE_S)
        assert (run.returncode, err) == (0, "")
        summary = json.loads(out)
        assert summary["problems"] == []
        assert (summary["ok"], summary["lost"], summary["doubled"], summary["data"]) == (True, 0, 0, None)
        assert summary["breaks"]["found"] == summary["breaks"]["explained"] > 0 == summary["breaks"]["open"]
        assert all(fault["explanation"] for fault in summary["faults"])
        for kill in summary["kills"]:  # a last word, on its way when the signal came, may have acknowledged all of it
            assert kill["unacknowledged"] >= kill["survived"] >= 0
            assert kill["down_ms"] > 0
        struck = Counter(fault["kind"] for fault in summary["faults"])
        assert struck <= Counter(STRUCK)
        assert struck.total() + len(summary["kills"]) + summary["not_struck"] == len(STRUCK) + KILLS
        assert 0 < summary["acknowledged"] <= summary["events"]


@pytest.mark.slow
def test_lines_for_a_log_and_a_book_to_look_at(tmp_path: Path, trueup: Trueup) -> None:
    run = start("--seconds", "2", "--data", tmp_path / "kept")
    out = ended(run)
    assert run.returncode == 0
    for words in (
        "killed in mid-write",
        "at one with the venues",
        "foreign trade: fill",
        "The book is the venues' truth",
    ):
        assert words in out
    assert f"trueup --data {tmp_path / 'kept'} positions" in out
    kept = ("--data", str(tmp_path / "kept"))
    assert {position["account"] for position in trueup(*kept, "positions", "--json").json} == {NORTH, SOUTH}
    verified = trueup(*kept, "journal", "verify")
    assert verified.code == 0, verified.err
    again = trueup("demo", *kept, "--json")
    assert (again.code, again.error["field"]) == (3, "data")


@pytest.mark.slow
def test_a_live_display_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    run = start("--seconds", "2", stdout=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "50"})
    os.close(theirs)
    shown = b"".join(iter(lambda: read(ours), b"")).decode()
    assert run.wait(PATIENCE_S) == 0
    for words in ("Three ways, at one cut", "Found and explained", "The book is the venues' truth"):
        assert words in shown


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # nobody holds the other end any more
        return b""


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Let children take SIGINT; a shell lets what it runs in the background ignore it, and so would its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize(
    ("sent", "code", "message"),
    [
        (signal.SIGINT, 130, "note: Ended by SIGINT; the venues and the book are closed.\n"),
        (signal.SIGTERM, 143, "note: Ended by SIGTERM; the venues and the book are closed.\n"),
        (signal.SIGKILL, -signal.SIGKILL, ""),
    ],
)
def test_no_orphan_is_left(sent: signal.Signals, code: int, message: str, tmp_path: Path) -> None:
    run = start("--seconds", "3600", stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert run.stdout is not None
    line = next(line for line in run.stdout if "running: process" in line)
    book = os.pidfd_open(int(line.rsplit(maxsplit=1)[1]))
    run.send_signal(sent)
    _, told = run.communicate(timeout=PATIENCE_S)
    assert (run.returncode, told) == (code, message)
    assert select.select([book], [], [], PATIENCE_S)[0], "the book outlives its parent"
    os.close(book)
    assert (list(tmp_path.iterdir()) == []) is (sent is not signal.SIGKILL)


# --- the check can fail -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_trade_the_book_never_saw_fails_the_run(
    trueup: Trueup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play = playing.play

    def sabotaged(data: Path, seconds: float, seed: int, _audience: playing.Audience) -> Any:  # noqa: ANN401
        return play(data, seconds, seed, trade_at_the_end)

    monkeypatch.setattr(playing, "play", sabotaged)
    result = trueup("demo", "--seconds", "2", "--data", tmp_path / "kept", "--json")
    assert (result.code, result.json["ok"], result.json["data"]) == (1, False, str(tmp_path / "kept"))
    assert result.json["lost"] >= 2  # the order and its fill
    assert any("the venue's fact is not in the book" in problem for problem in result.json["problems"])
    assert any("position of BTC/USDC:USDC" in problem for problem in result.json["problems"])


@contextmanager
def trade_at_the_end(stage: Stage) -> Iterator[Callable[[], None]]:
    yield lambda: None
    stage.exchanges[NORTH].trade_by_hand(NORTH, "BTC/USDC:USDC", "buy", Decimal("0.01"))


def test_a_book_that_dies_by_itself_ends_the_run_with_its_own_words(tmp_path: Path) -> None:
    clock = SystemClock()
    plan = make_plan(Random(1), 2)
    stage = Stage(open_venues(plan, Random(1), clock), plan, tmp_path / "data", 1, clock)
    store = open_store(tmp_path / "data")
    try:
        with pytest.raises(BookFailed, match="in use by process"):
            asyncio.run(stage.run(2, lambda: None))
    finally:
        store.close()


def test_a_book_that_starts_when_the_end_has_come_is_told_so_at_once(tmp_path: Path) -> None:
    clock = SystemClock()
    plan = make_plan(Random(1), 3600)
    stage = Stage(open_venues(plan, Random(1), clock), plan, tmp_path / "data", 1, clock)
    stage._ending = True
    asyncio.run(stage.run(3600, lambda: None))
    assert (stage.record.state, stage.record.kills, stage.struck) == ("closed", [], [])


def test_nothing_strikes_before_there_is_a_book(tmp_path: Path) -> None:
    clock = SystemClock()
    plan = Plan({NORTH: FaultPlan((Outage(account=NORTH, for_ms=1),)), SOUTH: FaultPlan()}, (), ())
    stage = Stage(open_venues(plan, Random(1), clock), plan, tmp_path / "data", 1, clock)
    early: list[Struck] = []
    asyncio.run(stage.run(0.1, lambda: early.extend(stage.struck if stage.record.state == "starting" else ())))
    assert early == []
    assert [(found.struck.kind, found.found is not None) for found in stage.record.detections(stage.struck)] == [
        ("outage", True)
    ]


# --- what belongs together --------------------------------------------------------------------------------------------


def found(cause: Cause, *ids: str, at: int = 5, account: Any = NORTH) -> m.Found:  # noqa: ANN401
    return m.Found(account, at, cause, ids, "evidence", "booked")


@pytest.mark.parametrize(
    ("finding", "explains"),
    [
        (found(Cause.REPORT_LOST, "7", "8"), True),
        (found(Cause.NOBODY_LISTENED, "7"), True),
        (found(Cause.FOREIGN_TRADE, "7"), False),
        (found(Cause.REPORT_LOST, "8"), False),
        (found(Cause.REPORT_LOST, "7", at=3), False),
        (found(Cause.REPORT_LOST, "7", account=SOUTH), False),
    ],
    ids=["lost", "nobody listened", "another cause", "another fill", "before it struck", "another account"],
)
def test_a_finding_explains_a_fault_only_when_it_is_the_truth_about_it(finding: m.Found, explains: bool) -> None:
    record = Record()
    record.hear(finding, now=9)
    (detection,) = record.detections([Struck("drop", NORTH, 4, ("7",))])
    assert (detection.found is finding) is explains
    assert not detection.unseen


def test_an_outage_while_there_was_no_book_is_nobodys_to_find() -> None:
    record = Record()
    record.died(Kill(at=10))
    record.hear(m.Ready(), now=20)
    unseen = [
        detection.unseen for detection in record.detections(Struck("outage", NORTH, time) for time in (9, 15, 21))
    ]
    assert unseen == [False, True, False]


def killed_record() -> Record:
    """A book that had acknowledged ``a``, event 1, and was killed while it wrote ``b`` and ``c``."""
    record = Record()
    record.born()
    record.hear(m.Offered(NORTH, ["a", "b", "c"]), now=1)
    record.hear(m.Acknowledged(NORTH, ["a"], ["a"], Seq(1)), now=2)
    assert record.writing
    record.died(Kill(at=3))
    record.born()
    return record


def test_what_was_being_written_at_a_kill_is_told_apart() -> None:
    record = killed_record()
    assert record.kills[0].unacknowledged == [(NORTH, "b"), (NORTH, "c")]
    record.hear(m.Opened(1, 5, {NORTH: Seq(2)}, []), now=4)
    record.hear(m.Acknowledged(NORTH, ["b", "c", "d"], ["c", "d"], Seq(4)), now=5)  # the log had b, not c
    assert (record.kills[0].survived, record.forgotten) == (1, [])
    assert record.acknowledged[NORTH] == {"a", "b", "c", "d"}


def test_an_acknowledged_fact_that_a_kill_destroyed_is_not_hidden_by_booking_it_again() -> None:
    record = killed_record()
    record.hear(m.Opened(1, 5, {NORTH: Seq(0)}, []), now=4)
    record.hear(m.Acknowledged(NORTH, ["a"], ["a"], Seq(1)), now=5)
    assert record.forgotten == [
        f"{NORTH}: acknowledged up to event 1, opened again with 0",
        f"{NORTH}: a was acknowledged, gone, and booked again",
    ]


def summary_of(record: Record, struck: list[Struck], planned: int) -> Summary:
    checks = [AccountCheck(NORTH, 9, 9, 9, (), (), (), (), (), ())]
    return summarise(record, record.detections(struck), checks, [], seed=1, began=0, ran_ms=9, planned=planned)


def test_a_planned_fault_that_never_struck_is_told_apart_from_a_difference() -> None:
    summary = summary_of(Record(), [], planned=3)
    assert (summary.ok, summary.not_struck, summary.problems) == (True, 3, [])
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(result_view(summary))
    assert "3 planned faults did not strike in time" in console.export_text()


def test_a_fault_that_struck_and_was_not_found_is_a_difference() -> None:
    summary = summary_of(Record(), [Struck("drop", NORTH, 4, ("7",))], planned=1)
    assert (summary.ok, summary.not_struck) == (False, 0)
    assert summary.problems == [f"{NORTH}: drop was not found"]


def test_a_break_that_goes_by_itself_stays_unexplained() -> None:
    record = Record()
    record.hear(m.Compared(NORTH, 1, Status.DRIFT, broken=["QTY x: more"], open=["QTY x: more"]), now=1)
    record.hear(m.Compared(NORTH, 2, Status.FAILED, problem="The venue is down."), now=2)
    assert record.open == ["QTY x: more"]
    record.hear(m.Compared(NORTH, 3, Status.SYNCED), now=3)
    assert (record.open, record.breaks, record.explained) == ([], 1, 0)
