"""How Coinbase writes numbers, times, ids and cursors, and how it refuses a request."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec

from trueup.model.errors import BadInput
from trueup.model.numbers import ONE, canonical, parse_decimal
from trueup.model.times import NS_PER_SECOND, parse_time

Row = dict[str, Any]
"""A JSON object."""

_ROUNDED = Context(prec=200, rounding=ROUND_HALF_EVEN)
_PLACES = ONE.scaleb(-16)
_NS_PER_US = 1_000
_PLACE = re.compile(r"place=(\d{1,18})", re.ASCII)


class Refusal(Exception):
    """An answer other than the one asked for.

    Attributes:
        said: The body: a row in JSON, or plain text.
    """

    def __init__(self, status: int, said: Row | str) -> None:
        super().__init__(str(said))
        self.status = status
        self.said = said


def refusal(status: int, error: str, details: str) -> Refusal:
    """A refusal in the form that the interface of orders and accounts has."""
    return Refusal(status, {"error": error, "error_details": details, "message": details})


def invalid(details: str) -> Refusal:
    """The refusal of a request that cannot be read."""
    return refusal(400, "INVALID_ARGUMENT", details)


def unauthorized() -> Refusal:
    """The refusal of a token, which never says what is wrong with it."""
    return Refusal(401, "Unauthorized\n")


def stamp(nanoseconds: int) -> str:
    """A time, to the microsecond: finer digits are cut."""
    seconds, rest = divmod(nanoseconds, NS_PER_SECOND)
    when = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return f"{when.isoformat()}.{rest // _NS_PER_US:06d}Z"


def moment(text: str, field: str) -> int:
    """Nanoseconds of a time. Raises :class:`Refusal`."""
    try:
        return parse_time(text, field)
    except BadInput:
        raise invalid(f"{field}: not a time") from None


def decimal(value: object, field: str) -> Decimal:
    """A number, which is sent as text. Raises :class:`Refusal`."""
    if not isinstance(value, str):
        raise invalid(f"{field}: not a text")
    try:
        return parse_decimal(value, field)
    except BadInput:
        raise invalid(f"{field}: not a number") from None


def amount(value: Decimal, currency: str) -> Row:
    """An amount of a currency."""
    return {"value": canonical(value), "currency": currency}


def rounded(value: Decimal) -> str:
    """A quotient, to the places that the venue has."""
    return canonical(value.quantize(_PLACES, context=_ROUNDED))


def bare(value: Decimal) -> msgspec.Raw:
    """A number without quotes, as the older fields have it; every digit is written."""
    return msgspec.Raw(canonical(value).encode())


def uuid(*parts: object) -> str:
    """An id, made of what names the thing."""
    return str(UUID(bytes=blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).digest(), version=4))


def digest(*parts: object) -> str:
    """The id of an entry of the venue's ledger, which is longer."""
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=32).hexdigest()


def cursor(place: int) -> str:
    """A cursor to a place in a list."""
    return urlsafe_b64encode(f"place={place}".encode()).decode()


def place(text: str) -> int | None:
    """The place that a cursor is for; None where none is given. Raises :class:`Refusal`."""
    if not text:
        return None
    try:
        match = _PLACE.fullmatch(urlsafe_b64decode(text).decode("ascii"))
    except ValueError:
        match = None
    if match is None:
        raise invalid("cursor: not one of ours")
    return int(match.group(1))
