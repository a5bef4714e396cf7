"""Trades of the day: identity, Indian time, exact numbers, and a fee that is not known."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.zerodha.kite_rows import ACCOUNT, DAY, NS, all_of, answer, net, position, problems, read, trade
from trueup.model.errors import Malformed
from trueup.model.events import FillBooked, InstrumentDefined
from trueup.model.facts import fact_key, terms
from trueup.venues.zerodha.reader import ZerodhaReader
from trueup.venues.zerodha.trades import NO_FEES


def only(*rows: object, reader: ZerodhaReader | None = None) -> FillBooked:
    (fill,) = all_of(FillBooked, read(rows, reader))
    return fill


def test_a_trade_is_a_fill_known_by_day_exchange_order_and_trade() -> None:
    fill = only(trade(5))
    assert fill.venue_trade_id == f"{DAY}:NSE:7001:5"
    assert (fill.instrument, fill.side) == ("NSE.SBIN.CNC/INR", "buy")
    assert (fill.quantity, fill.price) == (Decimal(10), Decimal("100.5"))
    assert (fill.venue_time, fill.venue_order_id, fill.position_side) == (NS, "7001", "net")


def test_the_fee_is_unknown_and_says_so() -> None:
    reading = read([trade(5)])
    (fill,) = all_of(FillBooked, reading)
    assert (fill.fee, fill.fee_currency) == (Decimal(0), "")
    assert reading.note == NO_FEES


@pytest.mark.parametrize("price", ["0.1", "100.000000000000001", "245431.6", "1e2", "0.30000000000000004"])
def test_numbers_are_those_of_the_text(price: str) -> None:
    data = answer([trade(5, price=7777)]).replace(b"7777", price.encode())
    (fill,) = all_of(FillBooked, ZerodhaReader(ACCOUNT).read("trades", data))
    assert fill.price == Decimal(price)


@pytest.mark.parametrize(
    ("fields", "day", "at"),
    [
        ({}, DAY, NS),
        ({"fill_timestamp": "09:15:01"}, DAY, NS),
        ({"fill_timestamp": None}, DAY, NS),
        ({"exchange_timestamp": None}, DAY, NS),
        # a commodity at night: in India the next day has not begun, in UTC it is still the same
        ({"fill_timestamp": f"{DAY} 23:55:00", "exchange_timestamp": f"{DAY} 23:55:00"}, DAY, NS + 52_799 * 10**9),
        # before half past five in India it is the day before in UTC, but the trade's day is India's
        ({"fill_timestamp": f"{DAY} 00:00:00", "exchange_timestamp": f"{DAY} 00:00:00"}, DAY, NS - 33_301 * 10**9),
        # an order of the evening before: its clock alone dates nothing
        ({"order_timestamp": "20:00:00"}, DAY, NS),
        ({"order_timestamp": None}, DAY, NS),
    ],
)
def test_times_are_indian(fields: dict[str, object], day: str, at: int) -> None:
    fill = only(trade(5, **fields))
    assert (fill.venue_trade_id.partition(":")[0], fill.venue_time) == (day, at)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fill_timestamp", "2026-11-20T09:15:01Z"),
        ("fill_timestamp", "2026-02-30 09:15:01"),
        ("exchange_timestamp", "09:15:01"),
        ("order_timestamp", "25:00:00"),
        ("quantity", 0),
        ("quantity", -5),
        ("quantity", True),
        ("average_price", "NaN"),
        ("average_price", 0),
        ("transaction_type", "HOLD"),
        ("exchange", "nse"),
        ("product", ""),
        ("tradingsymbol", "A/B"),
        ("tradingsymbol", "A:B"),
        ("tradingsymbol", "A@B"),
        ("trade_id", None),
        ("order_id", 1.5),
    ],
)
def test_a_row_that_is_not_one_is_refused_alone(field: str, value: object) -> None:
    reading = read([trade(4), trade(5, **{field: value}), trade(6)])
    assert problems(reading)[0][0] == 2
    assert len(reading.refused) == 1
    assert len(all_of(FillBooked, reading)) == 2


def test_a_product_is_part_of_what_is_held() -> None:
    reading = read([trade(1), trade(2, product="MIS"), trade(3, product="MTF"), trade(4, exchange="BSE")])
    defined = {one.instrument.symbol: one.instrument for one in all_of(InstrumentDefined, reading)}
    assert {symbol: one.kind for symbol, one in defined.items()} == {
        "NSE.SBIN.CNC/INR": "spot",
        "NSE.SBIN.MIS/INR:INR": "linear",
        "NSE.SBIN.MTF/INR": "spot",
        "BSE.SBIN.CNC/INR": "spot",
    }
    assert {one.wallet for one in defined.values()} == {"equity"}


def test_a_lot_of_unknown_size_is_not_taken_for_one() -> None:
    row = trade(5, exchange="MCX", tradingsymbol="LEADMINI26DECFUT", product="NRML")
    reader = ZerodhaReader(ACCOUNT)
    assert problems(read([row], reader)) == [(1, "multiplier")]
    told = net(position("LEADMINI26DECFUT", 0, exchange="MCX", product="MIS", multiplier=1000))
    read(told, reader)
    reading = read([row], reader)
    assert not reading.refused
    (defined,) = all_of(InstrumentDefined, reading)
    assert (defined.instrument.contract_size, defined.instrument.wallet) == (Decimal(1000), "commodity")
    later = ZerodhaReader(ACCOUNT, [defined.instrument])
    assert not read([row], later).refused
    other = read(net(position("LEADMINI26DECFUT", 1, exchange="MCX", multiplier=5000)), later)
    assert problems(other) == [(1, "multiplier")]


ROWS = st.lists(
    st.builds(
        trade,
        st.integers(1, 5),
        st.sampled_from(["BUY", "SELL", "?"]),
        st.integers(-1, 50),
        st.decimals("0.05", "5000", places=2).map(float),
        product=st.sampled_from(["CNC", "MIS"]),
        exchange=st.sampled_from(["NSE", "BSE", "MCX"]),
    ),
    max_size=8,
)


@given(ROWS, st.randoms())
def test_rows_are_the_same_facts_in_whatever_order_they_come(rows: list[dict[str, object]], random: object) -> None:
    shuffled = rows.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a Random
    if not rows:
        return
    assert facts_of(rows) == facts_of(shuffled)


def facts_of(rows: list[dict[str, object]]) -> list[tuple[str, str]]:
    reading = ZerodhaReader(ACCOUNT).read("trades", json.dumps({"data": rows}).encode())
    return sorted((fact_key(fact) or "", repr(terms(fact))) for fact in reading.facts)


def test_an_empty_list_says_what_it_is_by_its_path_alone() -> None:
    with pytest.raises(Malformed, match="does not say what it is a list of"):
        read([])
    assert read([], request=b"/trades").kind == "trades"
