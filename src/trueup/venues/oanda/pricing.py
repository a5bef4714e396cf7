"""OANDA's prices as marks: the middle between where a position would be closed, which its margin is counted at."""

from collections.abc import Sequence
from decimal import Decimal

from trueup.model.numbers import exact
from trueup.model.venues import Mark
from trueup.venues import rows
from trueup.venues.oanda import fields, instruments
from trueup.venues.rows import Row

_HALF = Decimal("0.5")


def marks(name: str, data: bytes) -> Sequence[Mark]:
    """The marks of an answer of prices; an instrument without both sides is left out.

    Raises:
        Malformed: Not such an answer.
    """
    with exact():
        found = fields.of_answer(name, data, lambda answer: [_mark(row) for row in _prices(answer)])
    return [mark for mark in found if mark is not None]


def _prices(answer: Row) -> list[Row]:
    return [rows.as_row(row, "prices") for row in rows.records(answer, "prices")]


def _mark(row: Row) -> Mark | None:
    if row.get("closeoutBid") is None or row.get("closeoutAsk") is None:
        return None
    bid, ask = rows.positive(row, "closeoutBid"), rows.positive(row, "closeoutAsk")
    symbol = instruments.from_name(rows.text(row, "instrument")).symbol
    return Mark(symbol, (bid + ask) * _HALF, fields.time(row))
