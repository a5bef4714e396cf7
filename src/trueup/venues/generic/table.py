"""Rows out of a file: CSV with a header, or JSON lines. What a row means is decided elsewhere."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

import msgspec

from trueup.model.errors import BadInput, Malformed
from trueup.venues import rows
from trueup.venues.lines import json_lines, utf8
from trueup.venues.rows import Row


class Line(msgspec.Struct, frozen=True):
    """One row.

    Attributes:
        number: Of the line on which it begins, from 1.
        row: Its cells by column; none where it could not be told apart into cells.
        raw: As it came.
        problem: Why it could not.
    """

    number: int
    row: Row
    raw: object
    problem: BadInput | None = None


class Table(msgspec.Struct, frozen=True):
    """A file's rows.

    Attributes:
        header: The columns of a CSV file; None for JSON lines, of which each names its own.
    """

    lines: Sequence[Line]
    header: Sequence[str] | None = None


def csv_table(name: str, data: bytes) -> Table:
    """Rows of a CSV file: comma-separated, quoted with ``"`` where needed, its first row the names of the columns.

    Raises:
        Malformed: Not UTF-8, no header, a column named twice, or quotes that do not close.
    """
    records = _records(name, utf8(name, data))
    _, header, _ = next(records, (0, [], ""))
    twice = next((column for index, column in enumerate(header) if column in header[:index]), None)
    if twice is not None:
        raise Malformed(f"{name}: the column {rows.shown(twice)!r} stands twice.", remedy="Keep one of the two.")
    return Table([_line(number, cells, raw, header) for number, cells, raw in records if cells], header)


def json_table(name: str, data: bytes) -> Table:
    """Rows of a JSON-lines file: one object a line."""
    return Table([_json_line(number, value) for number, value in json_lines(name, data)])


def _records(name: str, text: str) -> Iterator[tuple[int, list[str], str]]:
    """Line number, cells and text of each record."""
    taken: list[str] = []
    reader = csv.reader(_noted(StringIO(text, newline=""), taken), strict=True)
    number = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise Malformed(
                f"{name}: not CSV from line {number} on: {error}.", remedy="Mend the quotes there."
            ) from None
        if cells is None:
            return
        yield number, cells, "".join(taken)
        taken.clear()
        number = reader.line_num + 1


def _noted(lines: Iterable[str], taken: list[str]) -> Iterator[str]:
    """The lines, each kept for as long as its record is read: a quoted cell may reach over several."""
    for line in lines:
        taken.append(line)
        yield line


def _line(number: int, cells: Sequence[str], raw: str, header: Sequence[str]) -> Line:
    kept = raw.rstrip("\r\n").encode(errors="replace")
    if len(cells) != len(header):
        problem = BadInput(
            "row",
            len(cells),
            f"the header has {len(header)} columns, the row has another number of cells",
            remedy="Quote cells that hold a comma, and keep empty ones.",
        )
        return Line(number, {}, kept, problem)
    return Line(number, dict(zip(header, cells, strict=True)), kept)


def _json_line(number: int, value: object) -> Line:
    try:
        return Line(number, rows.as_row(value), value)
    except BadInput as error:
        return Line(number, {}, value, error)
