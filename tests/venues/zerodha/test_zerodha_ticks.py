"""Packets of the ticker, made by the documented layout."""

import struct
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.model.errors import BadInput
from trueup.venues.zerodha import ticks

NSE, CDS, BCD, MCX, INDEX = (number << 8 | segment for number, segment in ((11, 1), (12, 3), (13, 6), (14, 7), (15, 9)))


def framed(*packets: bytes) -> bytes:
    return struct.pack(">H", len(packets)) + b"".join(struct.pack(">H", len(one)) + one for one in packets)


def last(token: int, price: int) -> bytes:
    return struct.pack(">Ii", token, price)


def full() -> bytes:
    levels = [struct.pack(">IiHxx", 10 + number, 10_000 - number, number) for number in range(5)]
    levels += [struct.pack(">IiHxx", 0 if number == 4 else 20, 10_005 + number, 1) for number in range(5)]
    head = struct.pack(">IiIiIIIiiii", NSE, 10_001, 5, 9_950, 1_000, 600, 400, 9_900, 10_100, 9_800, 9_905)
    return head + struct.pack(">IIIII", 1_795_146_301, 70, 80, 60, 0) + b"".join(levels)


@pytest.mark.parametrize(
    ("token", "price"), [(NSE, "1234.56"), (CDS, "0.0123456"), (BCD, "12.3456"), (MCX, "1234.56"), (INDEX, "1234.56")]
)
def test_the_segment_tells_the_unit_of_prices(token: int, price: str) -> None:
    (tick,) = ticks.frame(framed(last(token, 123_456)))
    assert (tick.token, tick.last_price, tick.tradable) == (token, Decimal(price), token != INDEX)


def test_prices_may_be_negative() -> None:
    assert ticks.packet(last(MCX, -288_400)).last_price == -2884


def test_a_segment_whose_unit_is_not_known_is_refused() -> None:
    with pytest.raises(BadInput, match="segment 200"):
        ticks.packet(last(5 << 8 | 200, 100))


@pytest.mark.parametrize("heartbeat", [b"\x00", b"\x01"])
def test_a_heartbeat_is_no_tick(heartbeat: bytes) -> None:
    assert ticks.frame(heartbeat) == []


def test_an_index_has_no_quantities_and_may_have_a_time() -> None:
    body = struct.pack(">Iiiiiii", INDEX, 100, 130, 90, 95, 98, -2)
    short, long = ticks.frame(framed(body, body + struct.pack(">I", 1_795_146_301)))
    assert (short.high, short.low, short.open, short.close) == tuple(map(Decimal, ("1.3", "0.9", "0.95", "0.98")))
    assert (short.volume, short.venue_time, long.venue_time) == (None, None, 1_795_146_301 * 10**9)


def test_a_full_packet_has_times_interest_and_depth() -> None:
    tick = ticks.packet(full())
    assert (tick.last_price, tick.average_price, tick.volume) == (Decimal("100.01"), Decimal("99.5"), 1_000)
    assert (tick.open, tick.high, tick.low, tick.close) == tuple(map(Decimal, ("99", "101", "98", "99.05")))
    assert (tick.traded_at, tick.venue_time) == (1_795_146_301 * 10**9, None)
    assert (tick.open_interest, tick.open_interest_high, tick.open_interest_low) == (70, 80, 60)
    assert [one.price for one in tick.bids] == [Decimal(10_000 - number).scaleb(-2) for number in range(5)]
    assert [one.orders for one in tick.bids] == [0, 1, 2, 3, 4]
    assert len(tick.asks) == 4
    quote = ticks.packet(full()[:44])
    assert (quote.last_price, quote.traded_at, quote.bids) == (tick.last_price, None, ())


@pytest.mark.parametrize(
    "data", [b"", framed(full())[:-1], framed(full()) + b"\x00", framed(b"123456789"), b"\x00\x02\x00"]
)
def test_a_frame_that_does_not_add_up_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        ticks.frame(data)


@given(st.binary(max_size=200) | st.lists(st.binary(max_size=190), max_size=4).map(lambda parts: framed(*parts)))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = ticks.frame(data)
    except BadInput:
        return
    assert len(data) == 1 or len(found) == struct.unpack_from(">H", data)[0]
