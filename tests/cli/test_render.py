"""Tables: nothing is cut off and nothing is wider than the terminal, however narrow and however large the figures."""

import io
import sys
from decimal import Decimal

import pytest

from tests.cli.program import BROKEN, MAIN, STORY, Trueup, files
from trueup.cli import render

HUGE = Decimal(10) ** 35 + Decimal("1e-36")
LONG_ID = "0x" + "7" * 150
COLUMNS = [render.text("WHAT"), render.number("SIZE"), render.number("COST"), render.prose("WHY"), render.text("ID")]
ROWS: list[list[render.Cell]] = [
    ["BTC/USDC:USDC", HUGE, -HUGE, "a sentence of several words that needs some room to be read", LONG_ID]
]


class Terminal(io.StringIO):
    """A screen with a person before it."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(params=[80, 100, 130])
def screen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    width = int(request.param)
    monkeypatch.setattr(render, "_room", lambda: width)
    return width


def test_what_has_no_room_stands_below_its_row_and_whole(screen: int, capsys: pytest.CaptureFixture[str]) -> None:
    render.show_table(COLUMNS, ROWS)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= screen
    words = "".join("".join(lines).split())
    assert LONG_ID in words
    assert "1e+35" in words
    assert "a sentence of several words that needs some room to be read".replace(" ", "") in words


def test_a_sentence_is_wrapped_at_words(screen: int, capsys: pytest.CaptureFixture[str]) -> None:
    render.show("word " * 40)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= screen
    assert set(" ".join(lines).split()) == {"word"}


def test_a_long_name_is_broken_where_it_has_a_joint(screen: int, capsys: pytest.CaptureFixture[str]) -> None:
    render.show("/".join(["folder"] * 30))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= screen
    assert all(line.endswith("/") for line in lines[:-1])


def test_the_room_is_the_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "40")
    render.show("word " * 40)
    assert max(map(len, screen.getvalue().splitlines())) <= 40


def test_into_a_pipe_a_row_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    render.show_table(COLUMNS, ROWS)
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("1e35", "1e+35"),
        ("123456789012345678901234567890", "≈1.23456789012e+29"),
        ("-0.00000000000000000000000000012", "-1.2e-28"),
        ("12345678901234567890", "≈12345678901200000000"),
    ],
)
def test_figures_of_any_size_are_short(number: str, words: str) -> None:
    assert render.figure(Decimal(number)) == words


@pytest.mark.parametrize("width", [80, 100, 130])
@pytest.mark.parametrize(
    "verb",
    [
        ("positions",),
        ("balances",),
        ("explain", "BTC"),
        ("history", "BTC", "--fifo"),
        ("positions", "--as-of", "30"),
        ("diff", "--from", "12", "--all"),
        ("breaks",),
        ("reconcile", *MAIN, "--snapshot", BROKEN / "clearinghouse_state.json", BROKEN / "user_fills_by_time.json"),
        ("doctor",),
    ],
    ids=lambda words: words[0],
)
def test_no_verb_is_wider_than_the_terminal(
    trueup: Trueup, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...], width: int
) -> None:
    good = [path for path in files(STORY) if path.name != "user_fills.json"]
    trueup("import", *good, BROKEN / "user_fills.json", *MAIN)
    trueup("reconcile", *MAIN, "--snapshot", BROKEN / "clearinghouse_state.json")
    monkeypatch.setattr(render, "_room", lambda: width)
    told = trueup(*verb)
    assert told.out
    # A path of the test's own directory may be longer than any terminal; it is broken all the same.
    assert max(map(len, told.out.splitlines())) <= width
