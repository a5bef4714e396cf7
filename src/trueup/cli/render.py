"""Tables for people. Nothing is computed here but how a figure looks.

Long decimals are shortened and then marked ``≈``; what is unknown says so and never looks like zero. Nothing is ever
cut off. Where a table is too wide for the terminal, sentences take several lines; where that is not enough, the last
columns stand below their row. Into a pipe a row is one line.
"""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Context, Decimal
from itertools import accumulate, zip_longest

import msgspec
import typer

from trueup.cli.output import write
from trueup.model.numbers import canonical
from trueup.model.times import format_time

UNKNOWN = "unknown"
NOTHING = "-"

GAP = "  "
INDENT = "    "
PROSE_WIDTH_MIN = 24
"""Sentences are not squeezed further."""

BREAKS = "/_-.,:|=#"
"""A word that is too long for a line is broken after one of these."""

NAMES_SHOWN = 8
DIGITS_SHOWN = 12
FIGURE_WIDTH_MAX = 20
"""Figures with more zeros than that are shown with an exponent."""

_SHORTER = Context(prec=DIGITS_SHOWN)

_COLOURS = {
    "SYNCED": "green",
    "ok": "green",
    "PENDING": "yellow",
    "NOT_COMPARED": "yellow",
    "warn": "yellow",
    UNKNOWN: "yellow",
    "FAILED": "magenta",
    "DRIFT": "red",
    "fail": "red",
    "past": "cyan",
}

Cell = str | Decimal | int | None


class Column(msgspec.Struct, frozen=True):
    """A column of a table.

    Attributes:
        name: In its head.
        number: Whether it is aligned to the right.
        wraps: Whether its text may take several lines.
    """

    name: str
    number: bool = False
    wraps: bool = False


def text(name: str) -> Column:
    """A column of short words."""
    return Column(name)


def number(name: str) -> Column:
    """A column of figures."""
    return Column(name, number=True)


def prose(name: str) -> Column:
    """A column of sentences or lists."""
    return Column(name, wraps=True)


def show_table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], *, title: str = "") -> None:
    """Print a table; columns in which no row has anything are left out, and what has no room stands below its row."""
    cells = [[_words(cell) for cell in row] for row in rows]
    used = [index for index in range(len(columns)) if not cells or any(row[index] for row in cells)]
    columns = [columns[index] for index in used]
    cells = [[row[index] for index in used] for row in cells]
    room = _room()
    widths = _widths(columns, cells, room)
    beside, below = columns[: len(widths)], columns[len(widths) :]
    if title:
        _print(_styled(printable(title), bold=True))
    _print(_styled(_line(beside, [column.name for column in beside], widths), bold=True))
    for row in cells:
        wrapped = [_wrap(cell, width) for cell, width in zip(row, widths, strict=False)]
        for line in zip_longest(*wrapped, fillvalue=""):
            _print(_line(beside, line, widths))
        for words in _below(below, row[len(widths) :]):
            for part in _wrap(words, (room or len(words)) - len(INDENT)):
                _print(INDENT + part)


def show(sentence: str, mood: str = "") -> None:
    """Print one sentence, in the colour of a status or verdict."""
    words = printable(sentence)
    for line in _wrap(words, _room() or len(words)):
        _print(_styled(line, _COLOURS.get(mood)))


def figure(value: Decimal | None) -> str:
    """A decimal for a person: at most twelve digits, marked when there are more; very large and small ones as 1e+30."""
    if value is None:
        return UNKNOWN
    shorter = _SHORTER.plus(value)
    words = canonical(shorter)
    if len(words) > FIGURE_WIDTH_MAX:
        words = f"{_SHORTER.normalize(shorter):e}"
    return words if shorter == value else f"≈{words}"


def amounts(by_currency: Mapping[str, Decimal]) -> str:
    """Amounts by currency in one cell, without zeros."""
    return ", ".join(f"{figure(amount)} {currency}" for currency, amount in by_currency.items() if amount)


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: the first few of them, and how many more there are."""
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def moment(time: int | None) -> str:
    """A time for a person."""
    return NOTHING if time is None else format_time(time)


def printable(words: str) -> str:
    """Text without anything a terminal would obey: other characters are shown by their number."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in words)


def _words(cell: Cell) -> str:
    return printable(figure(cell) if isinstance(cell, Decimal | None) else str(cell))


def _room() -> int | None:
    """Columns of the terminal; None where nobody looks at one."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int | None) -> list[int]:
    """Widths of the columns that stand side by side: all of them, if sentences give way; else the first that fit."""
    wanted = [max(map(len, column)) for column in zip([column.name for column in columns], *rows, strict=True)]
    if room is None:
        return wanted
    widths, excess = list(wanted), sum(wanted) + len(GAP) * (len(wanted) - 1) - room
    for index in sorted(range(len(columns)), key=lambda index: -wanted[index]):
        if excess > 0 and columns[index].wraps:
            given = min(excess, max(0, widths[index] - PROSE_WIDTH_MIN))
            widths[index] -= given
            excess -= given
    if excess <= 0:
        return widths
    ends = [end - len(GAP) for end in accumulate(width + len(GAP) for width in wanted)]
    fitting = sum(end <= room for end in ends)
    return wanted[:fitting] or [room]


def _below(columns: Sequence[Column], cells: Sequence[str]) -> Iterator[str]:
    """What stands below a row: its figures in one line, each sentence in its own."""
    named = [(column, f"{column.name.lower()} {cell}") for column, cell in zip(columns, cells, strict=True) if cell]
    figures = [words for column, words in named if not column.wraps]
    if figures:
        yield GAP.join(figures)
    yield from (words for column, words in named if column.wraps)


def _wrap(words: str, width: int) -> list[str]:
    """Lines of at most so many characters; a word that is longer is broken where a name has a joint."""
    if len(words) <= width:
        return [words]
    lines = textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False)
    return [part for line in lines for part in _parts(line, width)]


def _parts(word: str, width: int) -> Iterator[str]:
    while len(word) > width:
        joint = max(word.rfind(mark, 0, width) for mark in BREAKS) + 1
        end = joint if 2 * joint > width else width
        yield word[:end]
        word = word[end:]
    yield word


def _line(columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int]) -> str:
    """One line; a cell that is a status is coloured after it was padded."""
    padded = [
        cell.rjust(width) if column.number else cell.ljust(width)
        for cell, width, column in zip(cells, widths, columns, strict=True)
    ]
    padded[-1] = padded[-1].rstrip()
    coloured = [_styled(words, _COLOURS.get(cell)) for words, cell in zip(padded, cells, strict=True)]
    return GAP.join(coloured).rstrip()


def _styled(words: str, colour: str | None = None, *, bold: bool = False) -> str:
    wanted = (colour or bold) and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return typer.style(words, fg=colour, bold=bold or None) if wanted else words


def _print(line: str) -> None:
    write(line + "\n")
