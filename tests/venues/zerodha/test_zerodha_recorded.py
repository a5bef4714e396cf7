"""Every published answer is read, or refused for a stated reason."""

import base64
import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from trueup.model.errors import Malformed
from trueup.model.events import FillBooked, InstrumentDefined
from trueup.model.identifiers import AccountId
from trueup.ports import Reading
from trueup.venues.zerodha import ticks
from trueup.venues.zerodha.reader import ZerodhaReader

ACCOUNT = AccountId("zerodha:recorded")
DATA = Path(__file__).resolve().parents[3].parent / "shared" / "venue-data" / "zerodha" / "mocks"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded answers are not beside this checkout")

# name: what it is read as, facts besides definitions, refused rows, and whether it is a snapshot
READ = {
    "generate_session.json": ("profile", 0, 0, False),
    "holdings.json": ("holdings", 0, 0, False),
    "instruments_all.csv": ("instruments", 0, 0, False),
    "margins.json": ("margins", 0, 0, True),
    "mf_order_cancel.json": ("placed", 0, 0, False),
    "mf_order_response.json": ("placed", 0, 0, False),
    "order_cancel.json": ("placed", 0, 0, False),
    "order_response.json": ("placed", 0, 0, False),
    "orders.json": ("orders", 7, 3, True),  # of three no position says how large a lot is
    "positions.json": ("positions", 0, 0, True),
    "postback.json": ("postback", 1, 0, False),
    "profile.json": ("profile", 0, 0, False),
    "trades.json": ("trades", 1, 3, False),  # the same
}

REFUSED = {
    **dict.fromkeys(("alerts_create.json", "alerts_create_ato.json", "alerts_get_one.json"), "alerts"),
    "alerts_modify.json": "alerts",
    "alerts_delete.json": "only that a request was taken",
    **dict.fromkeys(("gtt_delete_order.json", "gtt_modify_order.json", "gtt_place_order.json"), "the id of a trigger"),
    "gtt_get_order.json": "triggers",
    "historical_minute.json": "candles",
    "holdings_auth.json": "a request to authorise holdings",
    "ltp.json": "prices",
    "ohlc.json": "prices",
    "mf_instruments.csv": "the list of mutual funds",
    **dict.fromkeys(("mf_orders_info.json", "mf_sip_info.json", "mf_sips.json"), "mutual funds"),
    **dict.fromkeys(("mf_sip_cancel.json", "mf_sip_modify.json", "mf_sip_place.json"), "a plan of mutual funds"),
    "order_margins.json": "margins and charges",
    "ticker_ltp.json": "a tick",
    "ticker_quote.json": "a tick",
    "ticker_quote.packet": "not JSON",  # a packet of the ticker is read by a function of its own
}


def read(name: str, reader: ZerodhaReader | None = None) -> Reading:
    return (reader or ZerodhaReader(ACCOUNT)).read(name, (DATA / name).read_bytes())


def raw(name: str) -> Any:  # noqa: ANN401 - an answer may be anything
    """The answer by the standard library's parser."""
    return json.loads((DATA / name).read_text(encoding="utf-8"), parse_float=Decimal)


def test_every_file_is_in_one_of_the_tables() -> None:
    assert {path.name for path in DATA.iterdir()} == READ.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", READ)
def test_file_is_read(name: str) -> None:
    reading = read(name)
    facts = [fact for fact in reading.facts if not isinstance(fact, InstrumentDefined)]
    assert (reading.kind, len(facts), len(reading.refused), reading.snapshot is not None) == READ[name]
    for refused in reading.refused:
        assert refused.field == "multiplier"
        assert "positions answer" in refused.remedy


@pytest.mark.parametrize("name", REFUSED)
def test_file_is_refused_for_its_reason(name: str) -> None:
    with pytest.raises(Malformed, match=REFUSED[name]):
        read(name)


def test_trades_of_lots_are_read_once_positions_told_their_size() -> None:
    reader = ZerodhaReader(ACCOUNT)
    rows = [row for row in raw("trades.json")["data"] if row["exchange"] != "NSE"]
    positions = [
        {**row, "quantity": 0, "overnight_quantity": 0, "product": "MIS", "multiplier": 1000 + number}
        for number, row in enumerate({row["tradingsymbol"]: row for row in rows}.values())
    ]
    told = json.dumps({"status": "success", "data": {"net": positions, "day": []}}, default=str).encode()
    assert not reader.read("positions", told).refused
    reading = read("trades.json", reader)
    assert not reading.refused
    fills = [fact for fact in reading.facts if isinstance(fact, FillBooked)]
    listed = raw("trades.json")["data"]
    assert [fill.price for fill in fills] == [row["average_price"] for row in listed]
    assert len({fill.venue_trade_id for fill in fills}) == len(listed)
    sizes = {f.instrument.base: f.instrument.contract_size for f in reading.facts if isinstance(f, InstrumentDefined)}
    assert sizes == {"NSE.SBIN.CNC": 1, "MCX.GOLDPETAL21JUNFUT.NRML": 1001}


def test_positions_state_what_is_held_and_how_large_a_lot_is() -> None:
    reading = read("positions.json")
    assert reading.snapshot is not None
    positions = reading.snapshot.positions
    assert positions is not None
    assert list(positions) == [("MCX.LEADMINI17DECFUT.NRML/INR:INR", "net")]
    assert positions["MCX.LEADMINI17DECFUT.NRML/INR:INR", "net"].entry_price == Decimal("161.05")
    sizes = {f.instrument.base: f.instrument.contract_size for f in reading.facts if isinstance(f, InstrumentDefined)}
    assert sizes == {
        "MCX.LEADMINI17DECFUT.NRML": 1000,
        "MCX.GOLDGUINEA17DECFUT.NRML": 1,
        "NSE.SBIN.CO": 1,
    }


def test_cash_is_that_of_each_segment() -> None:
    snapshot = read("margins.json").snapshot
    assert snapshot is not None
    assert snapshot.balances == {"INR@equity": Decimal("245431.6"), "INR@commodity": Decimal("100661.7")}


def test_holdings_and_positions_together_state_delivery() -> None:
    reader = ZerodhaReader(ACCOUNT)
    read("positions.json", reader)
    snapshot = read("holdings.json", reader).snapshot
    assert snapshot is not None
    assert snapshot.positions is not None
    held = {
        symbol: (p.quantity, p.entry_price) for (symbol, _), p in snapshot.positions.items() if "/INR:" not in symbol
    }
    assert held == {
        "BSE.SBIN.CNC/INR": (Decimal(16), Decimal("801.78125")),
        "NSE.AARON.CNC/INR": (Decimal(1), Decimal(161)),
        "NSE.AARON.MTF/INR": (Decimal(1000), Decimal(100)),
    }


def test_terms_of_the_instruments_file_are_those_of_what_is_met_after_it() -> None:
    reader = ZerodhaReader(ACCOUNT)
    with (DATA / "instruments_all.csv").open(encoding="utf-8", newline="") as file:
        listed = [row for row in csv.DictReader(file) if row["exchange"] == "NFO"]
    assert read("instruments_all.csv", reader).rows == 99
    rows = [
        {**row, "product": "NRML", "quantity": 0, "overnight_quantity": 0, "multiplier": 1, "average_price": 0}
        for row in listed
    ]
    reading = reader.read("positions", json.dumps({"status": "success", "data": {"net": rows, "day": []}}).encode())
    defined = {f.instrument.native_symbol: f.instrument for f in reading.facts if isinstance(f, InstrumentDefined)}
    assert len(defined) == len(listed) == 25
    for row in listed:
        instrument = defined[f"NFO:{row['tradingsymbol']}:NRML"]
        assert instrument.price_tick == Decimal(row["tick_size"])
        assert instrument.quantity_step == Decimal(row["lot_size"])
        assert instrument.expiry is not None


def test_the_recorded_packet_is_the_recorded_quote() -> None:
    quote, tick = raw("ticker_quote.json"), ticks.packet(base64.b64decode((DATA / "ticker_quote.packet").read_bytes()))
    assert (tick.token, tick.tradable, tick.volume) == (quote["instrument_token"], True, quote["volume"])
    assert (tick.last_price, tick.average_price) == (quote["last_price"], quote["average_price"])
    assert (tick.buy_quantity, tick.sell_quantity) == (quote["buy_quantity"], quote["sell_quantity"])
    ohlc = {"open": tick.open, "high": tick.high, "low": tick.low, "close": tick.close}
    assert ohlc == quote["ohlc"]
    assert tick.last_quantity == quote["last_quantity"]
