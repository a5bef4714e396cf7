"""How Kite writes numbers, times and answers, and how it refuses."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

import msgspec

from trueup.model.errors import BadInput
from trueup.model.numbers import ZERO, parse_decimal
from trueup.model.times import NS_PER_SECOND
from trueup.testing.servers.asgi import Answer

Row = dict[str, Any]
"""A JSON object."""

INDIA = timezone(timedelta(hours=5, minutes=30))

_FLOAT = Context(prec=15, rounding=ROUND_HALF_EVEN)
"""Kite's numbers are binary floats, of which fifteen digits hold."""

_ENCODER = msgspec.json.Encoder(decimal_format="number")

INPUT, TOKEN, PERMISSION, ORDER = "InputException", "TokenException", "PermissionException", "OrderException"
NETWORK, DATA, GENERAL = "NetworkException", "DataException", "GeneralException"

STATUSES: Mapping[str, int] = {
    INPUT: 400,
    TOKEN: 403,
    PERMISSION: 403,
    GENERAL: 500,
    ORDER: 500,
    DATA: 502,
    NETWORK: 503,
}
"""Of the answer, by the type of error."""


class Refusal(Exception):
    """An answer other than the one asked for.

    Attributes:
        status: Of the answer; the one that is usual for the type of error where none is given.
    """

    def __init__(self, error_type: str, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.status = status or STATUSES[error_type]


def missing(field: str) -> Refusal:
    """The refusal of a request without a field."""
    return Refusal(INPUT, f"Missing or empty field `{field}`")


def invalid(field: str) -> Refusal:
    """The refusal of a value that is not of the form it must have."""
    return Refusal(INPUT, f"Invalid `{field}`.")


def success(data: object) -> Answer:
    """What was asked for, in Kite's envelope."""
    return _enveloped(200, {"status": "success", "data": data})


def error(refusal: Refusal) -> Answer:
    """A refusal, in Kite's envelope."""
    row = {"status": "error", "message": refusal.message, "data": None, "error_type": refusal.error_type}
    return _enveloped(refusal.status, row)


def text(value: object) -> str:
    """JSON, with numbers as numbers."""
    return _ENCODER.encode(value).decode()


def number(amount: Decimal) -> int | Decimal:
    """A number as JSON has it: without a point where it is whole."""
    whole = int(amount)
    return whole if whole == amount else amount.normalize()


def rounded(amount: Decimal) -> int | Decimal:
    """An average or a ratio, to as many digits as Kite's numbers hold."""
    return number(_FLOAT.plus(amount))


def average(value: Decimal, quantity: Decimal) -> Decimal:
    """Value by unit, to as many digits as Kite's numbers hold; 0 of nothing."""
    return _FLOAT.divide(value, quantity) if quantity else ZERO


def stamp(now: int) -> str:
    """A time in India, without saying so: ``2026-11-23 15:00:00``."""
    return f"{there(now):%Y-%m-%d %H:%M:%S}"


def clock(now: int) -> str:
    """The time of day in India."""
    return f"{there(now):%H:%M:%S}"


def there(now: int) -> datetime:
    """A time in India."""
    return datetime.fromtimestamp(now // NS_PER_SECOND, INDIA)


def decimal(form: Mapping[str, str], field: str) -> Decimal | None:
    """A number of a form that is not negative; None where there is none. Raises :class:`Refusal`."""
    written = form.get(field, "")
    if not written:
        return None
    try:
        amount = parse_decimal(written, field)
    except BadInput:
        raise invalid(field) from None
    if amount < ZERO:
        raise invalid(field)
    return amount


def _enveloped(status: int, row: Row) -> Answer:
    return Answer(status, _ENCODER.encode(row), {"content-type": "application/json"})
