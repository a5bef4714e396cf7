"""The program as a whole: help, exit codes, where things are written, and how it ends when something goes wrong."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import BROKEN, MAIN, STORY, Trueup, files, written
from tests.processes import PATIENCE_S
from trueup import __version__
from trueup.cli import positions
from trueup.cli.main import main
from trueup.cli.options import ExitCode
from trueup.cli.output import Output
from trueup.engine.store import Store

PROGRAM = [sys.executable, "-m", "trueup"]
VERBS = [
    ("import",),
    ("positions",),
    ("balances",),
    ("history",),
    ("explain",),
    ("reconcile",),
    ("journal", "verify"),
    ("journal", "show"),
    ("journal", "export"),
    ("views", "rebuild"),
    ("doctor",),
]


def shell(*words: str | Path, data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, as a person's shell would start it."""
    env = {**os.environ, "TRUEUP_DATA": str(data), **environment}
    return subprocess.run(
        [*PROGRAM, *map(str, words)], capture_output=True, text=True, check=False, timeout=PATIENCE_S, env=env
    )


class Terminal(io.StringIO):
    """A screen with a person before it."""

    def __init__(self, *, terminal: bool = True) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def holder(data: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns the data directory."""
    script = f"""
from pathlib import Path
from trueup.bootstrap import open_store
store = open_store(Path({str(data)!r}))
print("ready", flush=True)
input()
store.close()
"""
    words = [sys.executable, "-c", script]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.communicate("\n", timeout=PATIENCE_S)


def test_help_documents_every_exit_code_and_verb(trueup: Trueup) -> None:
    told = trueup("--help")
    assert told.code == 0
    words = {0: "fine", 1: "differences found", 2: "unknown", 3: "error", 4: "usage"}
    assert set(words) == {code.value for code in ExitCode}
    for code, word in words.items():
        assert f"{code}  {word}" in told.out
    for verb, *_ in VERBS:
        assert f"\n  {verb} " in told.out


@pytest.mark.parametrize("verb", VERBS, ids="-".join)
def test_each_verb_teaches_by_example(trueup: Trueup, verb: tuple[str, ...]) -> None:
    told = trueup(*verb, "--help")
    assert told.code == 0
    assert f"\n    trueup {' '.join(verb)}" in told.out
    assert "--data" in told.out


def test_nothing_asked_is_answered_with_help(trueup: Trueup) -> None:
    assert trueup().out == trueup("--help").out
    assert trueup().code == 0


def test_the_version(trueup: Trueup) -> None:
    assert trueup("--version").out == f"trueup {__version__}\n"


def test_every_exit_code_is_reachable(trueup: Trueup, tmp_path: Path) -> None:
    codes = [
        trueup("import", *files(STORY), *MAIN).code,
        trueup("reconcile", *MAIN, "--snapshot", written(tmp_path / "none.json", "?")).code,
        trueup("explain", "DOGE").code,
        trueup("explode").code,
    ]
    assert trueup("import", BROKEN / "user_fills.json", "--venue", "hyperliquid", "--account", "other").code == 0
    other = ("--venue", "hyperliquid", "--account", "other")
    codes.append(trueup("reconcile", *other, "--snapshot", STORY / "clearinghouse_state.json").code)
    assert sorted(codes) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("positions", "--nonsense"),
        ("journal",),
        ("import", "no-such-file.json", "--venue", "hyperliquid", "--account", "main"),
        ("import",),
        ("import", __file__, "--venue", "nyse", "--account", "main"),
        ("import", __file__, "--account", "main"),
        ("reconcile",),
        ("journal", "show", "--limit", "none"),
    ],
)
def test_a_command_line_that_cannot_be_understood_is_usage(trueup: Trueup, words: tuple[str, ...]) -> None:
    told = trueup(*words)
    assert (told.code, told.out) == (4, "")
    assert "error: " in told.err
    assert "--help" in told.err
    told = trueup(*words, "--json")
    assert (told.code, told.error["code"]) == (4, "usage")


def test_an_error_is_two_lines_for_a_person_and_an_object_for_a_program(story: Trueup) -> None:
    told = story("explain", "DOGE")
    assert told.err.splitlines() == ["error: No position is called 'DOGE'.", told.err.splitlines()[1]]
    assert told.err.splitlines()[1].startswith("  There are: ")
    wrong = story("positions", "--as-of", "soon", "--json")
    assert set(wrong.error) == {"code", "message", "remedy", "field", "value"}
    assert (wrong.error["field"], wrong.error["value"]) == ("as-of", "soon")


def test_a_mistake_of_ours_keeps_its_traceback(story: Trueup, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(positions, "standing", broken)
    told = story("positions")
    assert told.code == 3
    assert "Traceback" in told.err
    assert "a mistake of ours" in told.err


def test_an_interrupt_ends_it_as_shells_expect(story: Trueup, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(positions, "standing", interrupted)
    assert story("positions").code == 130


def test_the_directory_may_be_named_before_the_verb_behind_it_or_in_the_environment(story: Trueup, data: Path) -> None:
    elsewhere = data.with_name("elsewhere")
    here = story("positions", "--json").json
    assert story("--data", elsewhere, "positions").code == 3
    assert story("positions", "--data", elsewhere).code == 3
    assert story("--data", elsewhere, "positions", "--data", data, "--json").json == here


def test_the_default_is_the_systems_own_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TRUEUP_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert main(["import", *map(str, files(STORY)), *MAIN]) == 0
    assert [path.name for path in tmp_path.rglob("views.sqlite3")] == ["views.sqlite3"]


def test_a_real_process_imports_and_another_reads(data: Path) -> None:
    imported = shell("import", *files(STORY), *MAIN, data=data)
    assert (imported.returncode, imported.stderr) == (0, "")
    shown = shell("positions", "--json", data=data)
    assert (shown.returncode, len(json.loads(shown.stdout))) == (0, 3)
    assert "\x1b" not in shell("positions", data=data).stdout
    assert shell("nonsense", data=data).returncode == 4


def test_a_second_process_is_told_who_holds_the_directory(holder: subprocess.Popen[str], data: Path) -> None:
    refused = shell("positions", data=data)
    assert refused.returncode == 3
    assert f"in use by process {holder.pid} on " in refused.stderr
    told = json.loads(shell("import", *files(STORY), *MAIN, "--json", data=data).stderr)["error"]
    assert told["code"] == "locked"


@pytest.mark.parametrize("verb", [("journal", "export"), ("balances", "--json"), ("positions",)], ids="-".join)
def test_a_reader_that_goes_away_is_no_difference_and_no_error(data: Path, verb: tuple[str, ...]) -> None:
    shell("import", *files(STORY), *MAIN, data=data)
    env = {**os.environ, "TRUEUP_DATA": str(data)}
    reader, writer = os.pipe()
    os.close(reader)  # gone before there is anything to read
    with open(writer, "wb") as nobody:  # noqa: PTH123 - a descriptor has no path
        ended = subprocess.run(
            [*PROGRAM, *verb],
            stdout=nobody,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=PATIENCE_S,
            env=env,
        )
    assert (ended.returncode, ended.stderr) == (141, "")


def test_on_a_terminal_long_work_shows_a_bar_and_tables_fit(story: Trueup, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert main(["journal", "show", "--limit", "2"]) == 0
    lines = screen.getvalue().splitlines()
    assert all(len(line) <= 90 for line in lines), "colours aside"
    assert "\x1b[1m" in lines[0]
    plain = Terminal()
    monkeypatch.setattr(sys, "stdout", plain)
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["doctor"]) == 0
    assert "\x1b" not in plain.getvalue()


def test_a_bar_appears_only_for_a_person_and_only_when_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    from trueup.cli import output

    for terminal, after, seen in ((False, 0.0, False), (True, 3_600.0, False), (True, 0.0, True)):
        screen = Terminal(terminal=terminal)
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setattr(output, "BAR_AFTER_S", after)
        with Output(as_json=False).progress("reading") as progress:
            progress(1, 2)
            progress(2, 2)
        assert ("reading" in screen.getvalue()) is seen


def test_a_store_is_closed_whatever_happens(story: Trueup, monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "ledger", broken)
        assert story("positions").code == 3
    assert story("positions").code == 0
