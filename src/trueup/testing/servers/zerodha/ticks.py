"""Packets of the ticker: whole numbers, big-endian, as long as the mode asks for.

A frame is the number of packets (2 bytes), then of each its length (2 bytes) and itself. Prices are whole numbers of a
part that the segment tells: of ten millionths for CDS, of ten thousandths for BCD, else of hundredths.
"""

from collections.abc import Iterable
from decimal import Decimal
from struct import Struct

from trueup.model.times import NS_PER_SECOND
from trueup.testing.servers.zerodha.listings import Listing
from trueup.testing.servers.zerodha.prices import Prices

LTP, QUOTE, FULL = "ltp", "quote", "full"

HEARTBEAT = b"\0"

_PLACES = {"CDS": 7, "BCD": 4}
_USUAL_PLACES = 2
_SHORT = Struct(">H")
_LTP = Struct(">Ii")
_QUOTE = Struct(">IiIiIIIiiii")
_REST = Struct(">IIIII")
_LEVEL = Struct(">IiHxx")


def frame(packets: Iterable[bytes]) -> bytes:
    """Packets in one message."""
    listed = list(packets)
    return _SHORT.pack(len(listed)) + b"".join(_SHORT.pack(len(packet)) + packet for packet in listed)


def packet(listing: Listing, mode: str, prices: Prices, now: int) -> bytes:
    """What a mode says of a listing."""
    last = _points(listing, prices.last(listing))
    if mode == LTP:
        return _LTP.pack(listing.token, last)
    day, market = prices.day(listing), listing.market
    bids, asks = prices.listings.depth(listing)
    depth = int(market.depth)
    ranged = (_points(listing, price) for price in (day.open, day.high, day.low, day.close))
    quote = _QUOTE.pack(listing.token, last, int(listing.lot), last, 0, depth * len(bids), depth * len(asks), *ranged)
    if mode == QUOTE:
        return quote
    seconds = now // NS_PER_SECOND
    offered = [*bids, *[Decimal(0)] * (len(asks) - len(bids)), *asks]
    levels = (_LEVEL.pack(depth if price else 0, _points(listing, price), 1 if price else 0) for price in offered)
    return quote + _REST.pack(seconds, 0, 0, 0, seconds) + b"".join(levels)


def timeless(packet: bytes) -> bytes:
    """A packet without the times in it."""
    begin, end = _QUOTE.size, _QUOTE.size + _REST.size
    return packet if len(packet) <= begin else packet[:begin] + packet[end:]


def _points(listing: Listing, price: Decimal) -> int:
    return int(price.scaleb(_PLACES.get(listing.exchange, _USUAL_PLACES)))
