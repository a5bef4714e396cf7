"""How the engine writes: JSON numbers, milliseconds, the envelope of an answer, and its errors with their codes."""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

import msgspec

from trueup.model.numbers import canonical
from trueup.model.times import NS_PER_MS

Row = dict[str, Any]
"""A JSON object."""

BAD_REQUEST = 400
"""The HTTP status of every answer that is an error, but for those of a venue that is closed."""

CLOSED = 503

_NS_PER_US = 1_000
_SHOWN = Context(prec=60, rounding=ROUND_HALF_EVEN)
_PLACES = 8

encode = msgspec.json.Encoder(decimal_format="number").encode
decode = msgspec.json.Decoder(float_hook=Decimal).decode


class Refusal(Exception):
    """An error for an answer.

    Attributes:
        code: The engine's.
        data: What it says besides; None for nothing.
        status: Of the HTTP answer.
    """

    def __init__(
        self, code: int, message: str, data: Mapping[str, str] | None = None, status: int = BAD_REQUEST
    ) -> None:
        super().__init__(message)
        self.code = code
        self.data = data
        self.status = status

    def row(self) -> Row:
        """As the answer has it."""
        return {"message": str(self), "code": self.code, **({"data": self.data} if self.data is not None else {})}


def invalid(param: str, reason: str) -> Refusal:
    """The error of a parameter."""
    return Refusal(-32602, "Invalid params", {"reason": reason, "param": param})


def refused(code: int, message: str, reason: str = "") -> Refusal:
    """An error of the engine's own."""
    return Refusal(code, message, {"reason": reason} if reason else None)


def number(value: Decimal) -> Decimal:
    """A value as it is, without digits that say nothing."""
    return Decimal(canonical(value))


def rounded(value: Decimal) -> Decimal:
    """A quotient, to eight places."""
    return number(value.quantize(Decimal(1).scaleb(-_PLACES), context=_SHOWN))


def milliseconds(nanoseconds: int) -> int:
    """Whole milliseconds; finer digits are cut."""
    return nanoseconds // NS_PER_MS


def envelope(request_id: object, said: Row, came: int, left: int, *, testnet: bool) -> Row:
    """An answer.

    Args:
        request_id: The client's; None where it gave none.
        said: The result or the error, under its name.
        came: When the request came, in nanoseconds.
        left: When the answer leaves.
        testnet: Whether this is no real market.
    """
    numbered = {} if request_id is None else {"id": request_id}
    us_in, us_out = came // _NS_PER_US, left // _NS_PER_US
    times = {"usIn": us_in, "usOut": us_out, "usDiff": us_out - us_in}
    return {"jsonrpc": "2.0", **numbered, **said, **times, "testnet": testnet}


def notification(channel: str, data: object) -> Row:
    """A message of a channel."""
    return {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}
