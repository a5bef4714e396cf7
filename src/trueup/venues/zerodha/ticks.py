"""Frames of the ticker: big-endian packets of whole numbers, of a length that tells what they hold.

A frame is the number of packets (2 bytes), then of each its length (2 bytes) and itself; a frame of one byte is a
heartbeat. Packets of 8 bytes are a last price, of 28 and 32 an index, of 44 a quote and of 184 a quote with depth.
Prices are whole numbers of a unit that the segment tells, and the segment is the last byte of the token. So they become
exact decimals here. Times are seconds since 1970.
"""

from collections.abc import Sequence
from decimal import Decimal
from struct import Struct

import msgspec

from trueup.model.errors import BadInput
from trueup.model.times import NS_PER_SECOND

LAST, INDEX, INDEX_FULL, QUOTE, FULL = 8, 28, 32, 44, 184

_PLACES = {1: 2, 2: 2, 3: 7, 4: 2, 5: 2, 6: 4, 7: 2, 8: 2, 9: 2}
"""Decimal places of prices by segment: NSE, NFO, CDS, BSE, BFO, BCD, MCX, MCX-SX, indices."""

_INDICES = 9
_COUNT = Struct(">H")
_LAST = Struct(">Ii")
_INDEX = Struct(">Iiiiii")
_QUOTE = Struct(">IiIiIIIiiii")
_TIMES_AND_INTEREST = Struct(">IIIII")
_LEVEL = Struct(">IiHxx")
_SECONDS = Struct(">I")
_LEVELS = 5


class Level(msgspec.Struct, frozen=True):
    """One price of the depth."""

    price: Decimal
    quantity: int
    orders: int


class Tick(msgspec.Struct, frozen=True):
    """What a packet says; None for what its length leaves out, or where it says zero seconds.

    Attributes:
        token: Of the instrument, as the instruments file names it today.
        tradable: False for an index.
        average_price: Of the day's trades.
        volume, buy_quantity, sell_quantity, open_interest: In the exchange's units.
        traded_at, venue_time: Of the last trade, and of the packet, in nanoseconds UTC.
        bids, asks: Best first, five of each; those without orders are left out.
    """

    token: int
    tradable: bool
    last_price: Decimal
    last_quantity: int | None = None
    average_price: Decimal | None = None
    volume: int | None = None
    buy_quantity: int | None = None
    sell_quantity: int | None = None
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    close: Decimal | None = None
    traded_at: int | None = None
    open_interest: int | None = None
    open_interest_high: int | None = None
    open_interest_low: int | None = None
    venue_time: int | None = None
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()


def frame(data: bytes) -> list[Tick]:
    """The ticks of a binary frame; none for a heartbeat.

    Raises:
        BadInput: A frame that is cut off or too long, or a packet that is not understood.
    """
    return [] if len(data) == 1 else [packet(part) for part in packets(data)]


def readable(token: int) -> bool:
    """Whether the unit of a token's prices is known: a frame with one of another could not be read at all."""
    return token & 0xFF in _PLACES


def packets(data: bytes) -> Sequence[bytes]:
    """The packets of a binary frame; raises :class:`BadInput` where lengths and bytes do not agree."""
    found: list[bytes] = []
    count, at = _number(data, 0), _COUNT.size
    for _ in range(count):
        begin = at + _COUNT.size
        at = begin + _number(data, at)
        if at > len(data):
            raise _broken(data, "it is cut off")
        found.append(data[begin:at])
    if at != len(data):
        raise _broken(data, f"{len(data) - at} bytes follow its {count} packets")
    return found


def packet(data: bytes) -> Tick:
    """One packet, without its length; raises :class:`BadInput` for a length or a segment that is not known."""
    if len(data) == LAST:
        token, last = _LAST.unpack(data)
        return Tick(token, _tradable(token), _price(token, last))
    if len(data) in (INDEX, INDEX_FULL):
        return _index(data)
    if len(data) in (QUOTE, FULL):
        return _full(data, _quote(data)) if len(data) == FULL else _quote(data)
    raise _broken(data, f"no packet has {len(data)} bytes")


def _index(data: bytes) -> Tick:
    token, last, high, low, first, close = _INDEX.unpack_from(data)
    return Tick(
        token,
        _tradable(token),
        _price(token, last),
        open=_price(token, first),
        high=_price(token, high),
        low=_price(token, low),
        close=_price(token, close),
        venue_time=_time(_SECONDS.unpack_from(data, INDEX)[0]) if len(data) == INDEX_FULL else None,
    )


def _quote(data: bytes) -> Tick:
    token, last, quantity, average, volume, buy, sell, first, high, low, close = _QUOTE.unpack_from(data)
    return Tick(
        token,
        _tradable(token),
        _price(token, last),
        last_quantity=quantity,
        average_price=_price(token, average),
        volume=volume,
        buy_quantity=buy,
        sell_quantity=sell,
        open=_price(token, first),
        high=_price(token, high),
        low=_price(token, low),
        close=_price(token, close),
    )


def _full(data: bytes, quote: Tick) -> Tick:
    traded_at, interest, interest_high, interest_low, seconds = _TIMES_AND_INTEREST.unpack_from(data, QUOTE)
    asks_at = FULL - _LEVELS * _LEVEL.size
    return msgspec.structs.replace(
        quote,
        traded_at=_time(traded_at),
        open_interest=interest,
        open_interest_high=interest_high,
        open_interest_low=interest_low,
        venue_time=_time(seconds),
        bids=_levels(data, asks_at - _LEVELS * _LEVEL.size, quote.token),
        asks=_levels(data, asks_at, quote.token),
    )


def _levels(data: bytes, begin: int, token: int) -> tuple[Level, ...]:
    read = (_LEVEL.unpack_from(data, begin + number * _LEVEL.size) for number in range(_LEVELS))
    return tuple(Level(_price(token, price), quantity, orders) for quantity, price, orders in read if quantity)


def _price(token: int, units: int) -> Decimal:
    places = _PLACES.get(token & 0xFF)
    if places is None:
        raise BadInput(
            "token", token, f"segment {token & 0xFF} has prices of a unit that is not known", remedy="Ask /quote/ltp."
        )
    return Decimal(units).scaleb(-places)


def _tradable(token: int) -> bool:
    return token & 0xFF != _INDICES


def _time(seconds: int) -> int | None:
    return seconds * NS_PER_SECOND or None


def _number(data: bytes, at: int) -> int:
    if at + _COUNT.size > len(data):
        raise _broken(data, "it is cut off")
    return int(_COUNT.unpack_from(data, at)[0])


def _broken(data: bytes, problem: str) -> BadInput:
    return BadInput("frame", data[:16].hex(), problem, remedy="Drop it, and connect again where it happens again.")
