"""Whatever stands in a file, the reader reads it, refuses a row of it, or refuses it whole."""

import gzip
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.zerodha.kite_rows import ACCOUNT, TIME, holding, net, order, position, read, trade
from trueup.model.errors import Malformed
from trueup.model.events import InstrumentDefined
from trueup.venues.zerodha.reader import ZerodhaReader

NAMES = [
    *("trade_id", "order_id", "exchange", "tradingsymbol", "product", "quantity", "average_price", "multiplier"),
    *("transaction_type", "fill_timestamp", "order_timestamp", "exchange_timestamp", "status", "filled_quantity"),
    *("net", "day", "equity", "commodity", "available", "cash", "isin", "t1_quantity", "opening_quantity", "mtf"),
    *("children", "error", "message", "user_id", "products", "exchanges", "type", "data", "overnight_quantity", "tag"),
]
WORDS = ["NSE", "MCX", "CNC", "NRML", "BUY", "SELL", TIME, "09:15:00", "COMPLETE", "order", "1", "-5", "NaN", "SBIN"]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=9),
    max_leaves=25,
)
GOOD = [trade(1), order(2), position("A26DECFUT", 5), holding("SBIN", 3)]


def survives(data: bytes) -> None:
    try:
        reading = ZerodhaReader(ACCOUNT).read("garbage", data)
    except Malformed:
        return
    assert all(refused.problem and refused.remedy for refused in reading.refused)


@given(VALUES | st.fixed_dictionaries({"status": st.just("success"), "data": VALUES}))
def test_no_value_breaks_the_reader(value: object) -> None:
    survives(json.dumps(value).encode())


@given(st.sampled_from(GOOD), st.sampled_from(NAMES), VALUES)
def test_no_cell_breaks_the_reader(row: dict[str, object], field: str, value: object) -> None:
    broken = {**row, field: value}
    for data in ([broken, row], net(broken, row), {"equity": broken}, broken):
        survives(json.dumps({"status": "success", "data": data}).encode())


@given(st.binary(max_size=64) | st.text(max_size=64).map(str.encode))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    survives(data)
    survives(HEADER.encode() + data)
    survives(b"\x1f\x8b" + data)


@pytest.mark.parametrize("data", [None, True, {}, "text", 5, [1], [{}], {"coin": 1}])
def test_what_is_not_known_is_refused_as_a_whole(data: object) -> None:
    with pytest.raises(Malformed) as refusal:
        read(data)
    assert refusal.value.remedy


def test_an_answer_of_another_venue_is_named() -> None:
    with pytest.raises(Malformed, match="not recognised") as refusal:
        ZerodhaReader(ACCOUNT).read("odd", json.dumps({"account": {}, "lastTransactionID": "1"}).encode())
    assert "--venue oanda" in refusal.value.remedy


# --- the instruments file ---------------------------------------------------------------------------------------------

HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,"
    "segment,exchange\n"
)
FUTURE = "1,2,A26DECFUT,A,0,2026-12-31,0,0.05,75,FUT,NFO-FUT,NFO\n"


def defined_after(data: bytes) -> InstrumentDefined:
    reader = ZerodhaReader(ACCOUNT)
    assert not reader.read("instruments", data).refused
    (found,) = read(net(position("A26DECFUT", 75)), reader).facts
    assert isinstance(found, InstrumentDefined)
    return found


def test_the_file_tells_step_lot_and_expiry_of_what_is_met_later() -> None:
    plain = (HEADER + FUTURE).encode()
    instrument = defined_after(plain).instrument
    assert (str(instrument.price_tick), instrument.quantity_step) == ("0.05", Decimal(75))
    assert instrument.expiry == 1_798_741_799_999_999_999  # 2026-12-31T18:29:59.999999999Z
    assert defined_after(gzip.compress(plain)).instrument == instrument


@pytest.mark.parametrize(
    "row",
    [
        FUTURE.replace("2026-12-31", "31-12-2026"),
        FUTURE.replace("0.05", "cheap"),
        FUTURE.replace("1,2,", "x,2,"),
        FUTURE.strip() + ",more\n",
        "1,2,A\n",
        FUTURE.replace("NFO\n", "\n"),
    ],
)
def test_a_row_of_the_file_that_is_not_one_is_refused_alone(row: str) -> None:
    reading = ZerodhaReader(ACCOUNT).read("instruments", (HEADER + FUTURE + row + FUTURE).encode())
    assert [refused.row for refused in reading.refused] == [3]
    assert reading.rows == 3


def test_a_packed_file_that_is_cut_off_is_refused() -> None:
    with pytest.raises(Malformed, match="cut off"):
        ZerodhaReader(ACCOUNT).read("instruments", gzip.compress((HEADER + FUTURE).encode())[:-12])
