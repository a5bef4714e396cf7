"""Reading what a call was answered with: as what it was asked for, or :class:`Malformed` says why not."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from trueup.model.errors import BadInput, Malformed
from trueup.model.numbers import exact
from trueup.venues import rows
from trueup.venues.files import json_value
from trueup.venues.rows import Row

T = TypeVar("T")


def record(name: str, body: bytes, read: Callable[[Row], T]) -> T:
    """What an answer says whose data is one record. Raises :class:`Malformed`."""
    return _read(name, body, lambda answer: read(rows.record(answer, "data")))


def listed(name: str, body: bytes, read: Callable[[Row], T]) -> Sequence[T]:
    """What the rows of an answer say whose data is a list. Raises :class:`Malformed`."""
    return _read(name, body, lambda answer: [read(rows.as_row(row)) for row in rows.records(answer, "data")])


def row(name: str, one: Row, read: Callable[[Row], T]) -> T:
    """What one row says. Raises :class:`Malformed`."""
    try:
        with exact():
            return read(one)
    except BadInput as error:
        raise Malformed(f"{name}: {error.field}={error.value!r}: {error.problem}.", remedy=error.remedy) from None


def _read(name: str, body: bytes, read: Callable[[Row], T]) -> T:
    value = json_value(name, body)
    return row(name, {"answer": value}, lambda wrapped: read(rows.record(wrapped, "answer")))
