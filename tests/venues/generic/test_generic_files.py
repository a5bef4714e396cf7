"""Instruments files and snapshot files."""

import json
from decimal import Decimal

import pytest

from tests.venues.generic.generic_rows import ACCOUNT, NS, TIME, only, read
from trueup.model.differences import VenueSnapshot
from trueup.model.errors import Malformed
from trueup.model.events import InstrumentDefined
from trueup.model.instruments import Instrument
from trueup.model.positions import OpenOrder
from trueup.ports import Reading
from trueup.venues.generic.instruments import read_instruments


def instruments(*listed: object) -> list[Instrument]:
    return read_instruments(json.dumps(listed).encode())


def state(**parts: object) -> Reading:
    perp = Instrument("BTC/USD:BTC", "XBTUSD", "inverse", "BTC", "USD", "BTC")
    return read(json.dumps({"snapshot": parts}), perp)


def snapshot_of(reading: Reading) -> VenueSnapshot:
    assert reading.snapshot is not None
    return reading.snapshot


def test_an_instrument_is_completed_from_its_symbol() -> None:
    (perp,) = instruments({"symbol": "BTC/USD:BTC", "contract_size": 100, "native_symbol": "XBTUSD"})
    assert perp == Instrument("BTC/USD:BTC", "XBTUSD", "inverse", "BTC", "USD", "BTC", contract_size=Decimal(100))


def test_an_instrument_may_say_everything() -> None:
    (nifty,) = instruments(
        {
            "symbol": "NIFTY26NOVFUT",
            "kind": "linear",
            "base": "NIFTY",
            "quote": "INR",
            "contract_size": "1",
            "price_tick": "0.05",
            "quantity_step": "75",
            "version": 2,
            "effective_from": TIME,
            "expiry": TIME,
            "max_leverage": "5",
            "wallet": "fno",
        }
    )
    assert (nifty.settle, nifty.version, nifty.effective_from, nifty.expiry) == ("INR", 2, NS, NS)
    assert (nifty.price_tick, nifty.quantity_step) == (Decimal("0.05"), Decimal(75))
    assert (nifty.max_leverage, nifty.wallet, nifty.native_symbol) == (Decimal(5), "fno", "NIFTY26NOVFUT")


def test_an_object_may_hold_the_list() -> None:
    data = json.dumps({"instruments": [{"symbol": "EUR/USD"}]})
    assert [known.kind for known in read_instruments(data.encode())] == ["spot"]
    assert only(InstrumentDefined, read(data)).instrument.symbol == "EUR/USD"
    assert read(data).kind == "instruments"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({}, "symbol='': missing"),
        ({"symbol": "BTC/USD:BTC"}, "contract_size='': missing: inverse contracts need it"),
        ({"symbol": "ETH/USD:BTC"}, "contract_size='': missing: quanto contracts need it"),
        ({"symbol": "XBT", "kind": "spot"}, "base='': missing"),
        ({"symbol": "EUR/USD", "base": "GBP"}, "base='GBP': the symbol EUR/USD says EUR"),
        (
            {"symbol": "EUR/USD:USD", "kind": "inverse", "contract_size": 1},
            "settle='USD': inverse instruments pay in EUR",
        ),
        ({"symbol": "EUR/USD", "contract_size": 0}, "contract_size='0'"),
        ({"symbol": "EUR/USD", "tick": 1}, "no column 'tick' in this format"),
        (5, "row='5'"),
    ],
)
def test_an_instrument_that_is_not_whole_refuses_the_file(row: object, why: str) -> None:
    with pytest.raises(Malformed, match=why) as caught:
        instruments({"symbol": "EUR/USD"}, row)
    assert "instrument 2" in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("data", [b"5", b'{"instruments": 5}', b"{"])
def test_what_is_no_list_is_no_instruments_file(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_instruments(data)


def test_a_snapshot_holds_what_it_states() -> None:
    reading = state(
        venue_time=TIME,
        positions=[
            {"instrument": "XBTUSD", "quantity": "-5", "entry_price": "100", "margin_mode": "cross"},
            {"instrument": "EUR/USD", "quantity": 0},
        ],
        balances={"BTC": "1.5"},
        open_orders=[{"venue_order_id": 9, "instrument": "EUR/USD", "side": "buy", "quantity": 5, "reduce_only": True}],
    )
    snapshot = snapshot_of(reading)
    assert (snapshot.account, snapshot.cut, snapshot.source) == (ACCOUNT, NS, ("file",))
    assert snapshot.positions is not None
    assert list(snapshot.positions) == [("BTC/USD:BTC", "net")]
    assert snapshot.positions["BTC/USD:BTC", "net"].quantity == -5
    assert snapshot.balances == {"BTC": Decimal("1.5")}
    assert snapshot.open_orders == {
        "9": OpenOrder(
            ACCOUNT, "EUR/USD", "net", "buy", Decimal(5), Decimal(0), "open", "9", "", None, None, "limit",
            reduce_only=True, updated_at=0,
        )
    }  # fmt: skip
    assert (reading.kind, reading.rows, reading.refused) == ("snapshot", 4, [])


def test_a_part_that_is_not_there_is_unknown_and_an_empty_one_is_flat() -> None:
    nothing = snapshot_of(state(positions=None))
    assert (nothing.cut, nothing.positions, nothing.balances, nothing.open_orders) == (None, None, None, None)
    flat = snapshot_of(state(positions=[], balances={}, open_orders=[]))
    assert (flat.positions, flat.balances, flat.open_orders) == ({}, {}, {})


@pytest.mark.parametrize(
    ("part", "bad"),
    [
        ("positions", [{"instrument": "EUR/USD"}]),
        ("positions", [{"instrument": "EUR/USD", "quantity": "x"}]),
        ("positions", [{"instrument": "EUR/USD", "quantity": 1, "size": 1}]),
        ("positions", [{"instrument": "EUR/USD", "quantity": 1, "position_side": "short"}]),
        ("positions", [{"instrument": "EUR/USD", "quantity": -1, "position_side": "long"}]),
        ("positions", [5]),
        ("balances", {"USD": "lots"}),
        ("balances", {"USD": None}),
        ("open_orders", [{"venue_order_id": "9", "instrument": "EUR/USD", "side": "buy"}]),
        ("open_orders", [{"venue_order_id": "9", "instrument": "???", "side": "buy", "quantity": 1}]),
    ],
)
def test_a_part_with_a_bad_row_is_unknown_as_a_whole(part: str, bad: object) -> None:
    reading = state(**{part: bad})
    snapshot = snapshot_of(reading)
    assert getattr(snapshot, part) is None
    assert snapshot.failed[part].startswith("row 1: ")
    assert len(reading.refused) == 1


def test_a_thing_stated_twice_is_unknown() -> None:
    position = {"instrument": "EUR/USD", "quantity": 1}
    order = {"venue_order_id": "9", "instrument": "EUR/USD", "side": "buy", "quantity": 1}
    snapshot = snapshot_of(state(positions=[position, position], open_orders=[order, order]))
    assert (snapshot.positions, snapshot.open_orders) == (None, None)
    assert snapshot.failed == {
        "positions": "two positions of one instrument and side",
        "open_orders": "two orders of one venue_order_id",
    }


def test_a_position_in_an_undefined_instrument_is_unmapped() -> None:
    snapshot = snapshot_of(state(positions=[{"instrument": "???", "quantity": 1}, {"instrument": "!", "quantity": 0}]))
    assert snapshot.unmapped == {"???": '{"instrument": "???", "quantity": 1}'}
    assert snapshot.positions == {}
