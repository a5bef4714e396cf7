"""How OANDA writes numbers and times, and how it refuses a request."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from trueup.model.errors import BadInput
from trueup.model.numbers import ONE, canonical, parse_decimal
from trueup.model.times import NS_PER_SECOND, parse_time

Row = dict[str, Any]
"""A JSON object."""

CENT = Decimal("0.0001")
"""OANDA keeps accounts to a hundredth of a cent."""

_ROUNDING = Context(prec=100, rounding=ROUND_HALF_EVEN)


class Refusal(Exception):
    """An answer other than the one asked for.

    Attributes:
        row: The body.
    """

    def __init__(self, status: int, message: str, code: str = "", more: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.row: Row = {**(more or {}), "errorMessage": message} | ({"errorCode": code} if code else {})


def invalid(field: str) -> Refusal:
    """The refusal of a value that is not of the form it must have."""
    return Refusal(400, f"Invalid value specified for '{field}'")


def settled(amount: Decimal) -> Decimal:
    """The amount that is booked: the venue's own rounding, half to even."""
    return amount.quantize(CENT, context=_ROUNDING)


def money(amount: Decimal) -> str:
    """An amount in the home currency."""
    return format(settled(amount), "f")


def factor(number: Decimal) -> str:
    """A ratio, such as a conversion factor."""
    return canonical(number.quantize(CENT * CENT, context=_ROUNDING))


def price(number: Decimal, precision: int) -> str:
    """A price with all the digits that its instrument shows."""
    return format(number.quantize(ONE.scaleb(-precision), context=_ROUNDING), "f")


def units(number: Decimal) -> str:
    """A quantity."""
    return canonical(number)


def stamp(now: int) -> str:
    """A time with nine digits: ``2026-11-21T09:30:00.500000000Z``."""
    seconds, fraction = divmod(now, NS_PER_SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def as_unix(value: object) -> object:
    """A body with its times in the other notation, seconds since 1970."""
    if isinstance(value, dict):
        return {field: as_unix(inner) for field, inner in value.items()}
    if isinstance(value, list):
        return [as_unix(inner) for inner in value]
    if isinstance(value, str) and len(value) == _STAMP_LENGTH and value[10] == "T":
        seconds, fraction = divmod(parse_time(value, "time"), NS_PER_SECOND)
        return f"{seconds}.{fraction:09d}"
    return value


_STAMP_LENGTH = len("2026-11-21T09:30:00.500000000Z")


def number(text: object) -> Decimal | None:
    """A number as clients may write it, in a string or as an integer; None where it is none."""
    try:
        return parse_decimal(text, "number")
    except BadInput:
        return None


def moment(text: str, field: str) -> int:
    """A time in either notation. Raises :class:`Refusal`."""
    seconds = number(text)
    try:
        return int(seconds * NS_PER_SECOND) if seconds is not None else parse_time(text, field)
    except BadInput:
        raise invalid(field) from None


def transaction_id(text: str | None, field: str) -> int:
    """An id of a transaction. Raises :class:`Refusal`."""
    if text is None or not (text.isascii() and text.isdigit()):
        raise invalid(field)
    return int(text)


def count(text: str | None, field: str, default: int, largest: int) -> int:
    """How many of something. Raises :class:`Refusal`."""
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= largest):
        raise invalid(field)
    return int(text)
