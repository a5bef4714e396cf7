"""Numbers, times and ids as the venue writes them."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from hashlib import blake2b

from trueup.model.numbers import canonical
from trueup.model.times import NS_PER_MS

NO_HASH = "0x" + 64 * "0"
"""The transaction of what nobody's transaction did, such as funding."""

_SHOWN = Context(prec=60, rounding=ROUND_HALF_EVEN)

_ID_BITS = 50
"""Trade ids of the venue have fifty bits, and no order."""


def number(value: Decimal) -> str:
    """Plain digits with at least one after the point: ``30135.0``, ``0.00785``."""
    text = canonical(value)
    return text if "." in text else f"{text}.0"


def rounded(value: Decimal, places: int = 8) -> str:
    """The same, of a quotient: to so many places."""
    return number(value.quantize(Decimal(1).scaleb(-places), context=_SHOWN))


def milliseconds(nanoseconds: int) -> int:
    """Whole milliseconds; finer digits are cut."""
    return nanoseconds // NS_PER_MS


def transaction(*parts: object) -> str:
    """The hash of a transaction, made of what names it."""
    return "0x" + _digest(parts, 32).hex()


def trade_id(*parts: object) -> int:
    """A trade id, made of what names the trade."""
    return int.from_bytes(_digest(parts, 8), "big") >> (64 - _ID_BITS)


def _digest(parts: tuple[object, ...], size: int) -> bytes:
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=size).digest()
