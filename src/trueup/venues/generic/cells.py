"""Cells: how each value of the generic format is written, in CSV and in JSON alike.

A cell that is empty, or null in JSON, is not there. Everything else is read strictly.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches

from trueup.model.errors import BadInput, Malformed
from trueup.venues import rows
from trueup.venues.rows import Row

Cell = Callable[[Row, str], object]
"""Reads the named cell of a row; raises :class:`BadInput`."""

_TRUTH = {"true": True, "false": False}


def filled(value: object) -> Row:
    """The row without its empty cells."""
    return {name: cell for name, cell in rows.as_row(value).items() if cell is not None and cell != ""}


def choice(*words: str) -> Cell:
    """A cell that holds one of a few words."""
    known = {word: word for word in words}
    return lambda row, field: rows.one_of(row, field, known)


def not_negative(row: Row, field: str) -> Decimal:
    """An exact number of zero or more."""
    number = rows.decimal(row, field)
    if number < 0:
        raise BadInput(field, number, "less than zero", remedy="Check the row at its source.")
    return number


def count(row: Row, field: str) -> int:
    """A whole number from 1."""
    number = rows.integer(row, field)
    if number < 1:
        raise BadInput(field, number, "not a whole number from 1", remedy="Check the row at its source.")
    return number


def index(row: Row, field: str) -> int:
    """A whole number from 0."""
    number = rows.integer(row, field)
    if number < 0:
        raise BadInput(field, number, "not a whole number from 0", remedy="Check the row at its source.")
    return number


def moment(row: Row, field: str) -> int:
    """A time: RFC 3339 with a zone, or whole milliseconds since 1970 in UTC."""
    value = row.get(field)
    digits = isinstance(value, str) and value.isascii() and value.isdecimal()
    return rows.milliseconds(row, field) if digits or isinstance(value, int) else rows.moment(row, field)


def truth(row: Row, field: str) -> bool:
    """``true`` or ``false``, as a word or as JSON's own."""
    value = row.get(field)
    return value if isinstance(value, bool) else rows.one_of(row, field, _TRUTH)


def read(row: Row, cells: Mapping[str, Cell]) -> dict[str, object]:
    """The values of those cells that the row has."""
    return {name: cell(row, name) for name, cell in cells.items() if name in row}


def require(row: Row, names: Iterable[str], what: str) -> None:
    """Refuse a row without one of the named cells; raises :class:`BadInput`."""
    for name in names:
        if name not in row:
            raise BadInput(name, "", f"missing: {what} needs it", remedy=f"Fill in {name}.")


def check_names(file: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a whole file for a name it should not have, since a misspelt column would lose its data unseen.

    Raises:
        Malformed: It names the first such column, and the one that was perhaps meant.
    """
    allowed = sorted(known)
    for name in names:
        if name not in allowed:
            near = get_close_matches(name, allowed, n=1)
            remedy = f"Did you mean {near[0]}?" if near else f"Known are: {', '.join(allowed)}."
            raise Malformed(f"{file}: there is no column {rows.shown(name)!r} in this format.", remedy=remedy)
