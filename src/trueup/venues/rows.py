"""Reading one row of an answer strictly: a field is what it should be, or :class:`BadInput` says which is not and why.

Only here does a venue's untyped value become a text, a number or a time of ours. Nothing is guessed: a missing field is
an error unless the caller asked for the ``optional`` variant, and null counts as missing.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from msgspec.structs import replace

from trueup.model.errors import BadInput
from trueup.model.events import FeeCharged, FillBooked, FundingPaid, TransferBooked
from trueup.model.facts import terms, weak_id
from trueup.model.numbers import parse_decimal
from trueup.model.times import NS_PER_MS, from_ms, parse_time
from trueup.ports import Refused

Row = Mapping[str, object]

TEXT_MAX = 1024
"""Characters of a text field; venues stay far below."""

RAW_MAX = 65_536
"""Bytes kept of a refused row."""

MS_MAX = (2**63 - 1) // NS_PER_MS
"""The last millisecond whose nanoseconds fit 63 bits (the year 2262)."""

_SHOWN_MAX = 200
_INTEGER_MAX = 2**63 - 1

T = TypeVar("T")
WeakFact = TypeVar("WeakFact", bound=FillBooked | FeeCharged | FundingPaid | TransferBooked)


def text(row: Row, field: str) -> str:
    """A printable text that is not empty."""
    return _text(field, _present(row, field))


def _text(field: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _bad(field, value, "not a text", "Give a text that is not empty.")
    # isprintable also keeps out lone surrogates, which could never be written to the journal.
    if len(value) > TEXT_MAX or not value.isprintable():
        raise _bad(field, value, "not a plain text", f"Use at most {TEXT_MAX} printable characters.")
    return value


def optional_text(row: Row, field: str) -> str:
    """A text; empty when the field is missing, null or empty."""
    value = row.get(field)
    return "" if value is None or value == "" else _text(field, value)


def identifier(row: Row, field: str) -> str:
    """An id that the venue writes as a whole number or as a text."""
    return _identifier(field, _present(row, field))


def _identifier(field: str, value: object) -> str:
    return str(_integer(field, value)) if isinstance(value, int) else _text(field, value)


def optional_identifier(row: Row, field: str) -> str:
    """An id; empty when the field is missing, null or empty."""
    value = row.get(field)
    return "" if value is None or value == "" else _identifier(field, value)


def decimal(row: Row, field: str) -> Decimal:
    """An exact number of either sign."""
    return parse_decimal(_present(row, field), field)


def optional_decimal(row: Row, field: str) -> Decimal | None:
    """An exact number; None, which is unknown and not zero, when the field is missing, null or empty."""
    value = row.get(field)
    return None if value is None or value == "" else parse_decimal(value, field)


def positive(row: Row, field: str) -> Decimal:
    """An exact number greater than zero, such as a size or a price."""
    number = decimal(row, field)
    if number <= 0:
        raise _bad(field, row[field], "not greater than zero", "Check the row at its source.")
    return number


def integer(row: Row, field: str) -> int:
    """A whole number of at most 63 bits, as a JSON number or as ASCII digits."""
    return _integer(field, _present(row, field))


def _integer(field: str, value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < len(str(_INTEGER_MAX)):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _INTEGER_MAX:
        raise _bad(field, value, "not a whole number", "Write digits only, such as 1700000000000.")
    return value


def milliseconds(row: Row, field: str) -> int:
    """A time in nanoseconds, from whole milliseconds since 1970 in UTC."""
    value = integer(row, field)
    if not 0 < value <= MS_MAX:
        raise _bad(field, value, "not a time in milliseconds since 1970", "Write it like 1700000000000.")
    return from_ms(value)


def moment(row: Row, field: str) -> int:
    """A time in nanoseconds, from RFC 3339 text with a zone."""
    value = parse_time(text(row, field), field)
    if not 0 < value <= _INTEGER_MAX:
        raise _bad(field, row[field], "not a time between 1970 and 2262", 'Write it like "2026-11-21T09:30:00Z".')
    return value


def flag(row: Row, field: str, *, default: bool) -> bool:
    """True or false; ``default`` when the field is missing or null."""
    value = row.get(field)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise _bad(field, value, "neither true nor false", "Write true or false.")
    return value


def one_of(row: Row, field: str, choices: Mapping[str, T]) -> T:
    """What the row's word stands for; ``choices`` has every word that may stand there."""
    word = text(row, field)
    if word not in choices:
        raise _bad(field, word, "not a known word here", f"Known are: {', '.join(sorted(choices))}.")
    return choices[word]


def record(row: Row, field: str) -> Row:
    """A nested row."""
    return as_row(_present(row, field), field)


def records(row: Row, field: str) -> Sequence[object]:
    """A nested list. Its items are checked one by one with :func:`as_row`, so that a bad one stops no other."""
    value = _present(row, field)
    if not isinstance(value, list):
        raise _bad(field, value, "not a list", "Save the whole answer as the venue gave it.")
    return value


def as_row(value: object, field: str = "row") -> Row:
    """The value as a row of named fields."""
    if not isinstance(value, Mapping):
        raise _bad(field, value, "not a row of named fields", "Save the whole answer as the venue gave it.")
    return value


def read_each(file: str, items: Iterable[object], read: Callable[[Row], T]) -> tuple[list[T], list[Refused]]:
    """What ``read`` makes of each row, and the reports of those it refused with :class:`BadInput`."""
    results: list[T] = []
    bad: list[Refused] = []
    for number, item in enumerate(items, 1):
        try:
            results.append(read(as_row(item)))
        except BadInput as error:
            bad.append(refused(file, number, item, error))
    return results, bad


def refused(file: str, row_number: int, row: object, error: BadInput) -> Refused:
    """The report of a row that could not be read.

    Args:
        file: The name of the answer.
        row_number: Counted from 1.
        row: As parsed; bytes are kept as they are, anything else is written as JSON (numbers with a point as text).
        error: What was wrong with it.
    """
    raw = row if isinstance(row, bytes) else json.dumps(row, default=str, separators=(",", ":")).encode()
    return Refused(file, row_number, error.field, shown(error.value), error.problem, error.remedy, raw[:RAW_MAX])


def shown(value: object) -> str:
    """A value as text, short enough for a message."""
    words = value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
    return words if len(words) <= _SHOWN_MAX else f"{words[: _SHOWN_MAX - 1]}…"


class WeakIds:
    """Names the facts of one answer to which the venue gave no identity.

    The name is a hash of the terms and an ordinal that tells twins apart: it is the same whenever the same answer is
    read again, in whatever order its rows come, and for overlapping answers as long as none cuts between twins.
    """

    def __init__(self) -> None:
        self._seen: Counter[tuple[object, ...]] = Counter()

    def name(self, fact: WeakFact) -> WeakFact:
        """The fact with a weak identity, marked as such."""
        content = terms(fact)
        identity = weak_id(content, self._seen[content])
        self._seen[content] += 1
        if isinstance(fact, FillBooked):
            return replace(fact, venue_trade_id=identity, weak=True)
        return replace(fact, venue_id=identity, weak=True)


def _present(row: Row, field: str) -> object:
    value = row.get(field)
    if value is None:
        raise BadInput(field, "", "missing", remedy="Save the whole answer as the venue gave it.")
    return value


def _bad(field: str, value: object, problem: str, remedy: str) -> BadInput:
    return BadInput(field, shown(value), problem, remedy=remedy)
