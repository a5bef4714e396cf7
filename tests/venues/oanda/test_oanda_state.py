"""Snapshots, and how an answer is told from another."""

import json
from decimal import Decimal

import pytest

from tests.venues.oanda.oanda_rows import (
    ACCOUNT,
    NS,
    TIME,
    account,
    fill,
    only,
    order,
    problems,
    read,
    state,
)
from trueup.model.errors import Malformed
from trueup.model.events import (
    FillBooked,
    InstrumentDefined,
)
from trueup.ports import Reading
from trueup.venues.oanda.reader import OandaReader


def position(name: str, long: str = "0", short: str = "0", **fields: object) -> dict[str, object]:
    sides = {
        "long": {"units": long, "averagePrice": "1.1" if long != "0" else None},
        "short": {"units": short, "averagePrice": "1.2"},
    }
    return {"instrument": name, **sides, **fields}


def held(reading: Reading) -> dict[tuple[str, str], Decimal] | None:
    assert reading.snapshot is not None
    if reading.snapshot.positions is None:
        return None
    return {key: row.quantity for key, row in reading.snapshot.positions.items()}


def test_both_sides_held_prove_a_hedging_account() -> None:
    answer = {"positions": [position("EUR_USD", "5", "-3"), position("XAU_USD", "2"), position("DE30_EUR")]}
    assert held(state(answer)) == {
        ("EUR/USD", "long"): Decimal(5),
        ("EUR/USD", "short"): Decimal(-3),
        ("XAU/USD", "long"): Decimal(2),
    }


def test_both_sides_held_in_a_netting_account_are_not_added_up() -> None:
    reading = state(account(hedgingEnabled=False, positions=[position("EUR_USD", "5", "-3")], orders=[]))
    assert held(reading) is None
    assert reading.snapshot is not None
    assert reading.snapshot.failed == {"positions": "EUR/USD has two net positions"}


@pytest.mark.parametrize("row", [position("EUR_USD", "-5"), position("EUR_USD", "x"), {"instrument": "EUR_USD"}, 5])
def test_a_position_that_cannot_be_read_is_not_flat(row: object) -> None:
    reading = state({"positions": [position("XAU_USD", "2"), row]})
    assert held(reading) is None
    assert reading.snapshot is not None
    assert "row 2" in reading.snapshot.failed["positions"]
    assert [refused.row for refused in reading.refused] == [2]


def test_a_position_in_an_unknown_kind_of_name_is_unmapped() -> None:
    reading = state({"positions": [position("AAPL", "2"), position("MSFT")]})
    assert reading.snapshot is not None
    assert list(reading.snapshot.unmapped) == ["AAPL"]
    assert held(reading) == {}


def test_one_position_speaks_for_its_instrument_alone() -> None:
    reading = state({"position": position("EUR_USD"), "lastTransactionID": "7"})
    assert reading.snapshot is not None
    assert reading.snapshot.position_scope == frozenset({"EUR/USD"})
    assert held(reading) == {}


PENDING = {"id": "3", "createTime": TIME, "type": "LIMIT", "instrument": "EUR_USD", "units": "5", "state": "PENDING"}


def test_an_order_on_an_unknown_trade_leaves_the_orders_unknown() -> None:
    stop = {"id": "4", "createTime": TIME, "type": "STOP_LOSS", "tradeID": "9", "price": "1", "state": "PENDING"}
    answer = {"orders": [PENDING, stop]}
    reading = state(answer)
    assert reading.snapshot is not None
    assert reading.snapshot.open_orders is None
    assert "tradeID='9'" in reading.snapshot.failed["open_orders"]
    reader = OandaReader(ACCOUNT)
    state({"trades": [{"id": "9", "instrument": "EUR_USD", "initialUnits": "-5"}]}, reader)
    snapshot = state(answer, reader).snapshot
    assert snapshot is not None
    assert snapshot.open_orders is not None
    assert snapshot.open_orders["4"].side == "buy"


def test_orders_that_ended_are_not_open() -> None:
    snapshot = state({"orders": [PENDING, {**PENDING, "id": "4", "state": "CANCELLED"}]}).snapshot
    assert snapshot is not None
    assert list(snapshot.open_orders or ()) == ["3"]
    ended = state({"order": {**PENDING, "state": "FILLED"}})
    assert (ended.facts, ended.note) == ((), "the order has ended: its transactions tell how")


def test_a_full_page_of_orders_may_not_be_all() -> None:
    snapshot = state({"orders": [{**PENDING, "id": str(number)} for number in range(1, 51)]}).snapshot
    assert snapshot is not None
    assert snapshot.open_orders is None
    assert "pendingOrders" in snapshot.failed["open_orders"]


def test_what_was_filled_of_a_pending_order_is_remembered() -> None:
    reader = OandaReader(ACCOUNT, "EUR")
    read(order(3), fill(4, "40", orderID="3"), reader=reader)
    snapshot = state({"orders": [{**PENDING, "units": "100"}]}, reader).snapshot
    assert snapshot is not None
    assert snapshot.open_orders is not None
    assert (snapshot.open_orders["3"].filled, snapshot.open_orders["3"].status) == (Decimal(40), "partially_filled")


def test_unix_times_are_read_to_the_nanosecond() -> None:
    assert only(FillBooked, read({**fill(7, "20"), "time": "1772442000.123456789"})).venue_time == NS


def test_a_single_transaction_is_read_from_either_wrapping() -> None:
    row = fill(7, "20")
    for answer in ({"transaction": row, "lastTransactionID": "9"}, row):
        reading = OandaReader(ACCOUNT, "EUR").read("one", json.dumps(answer).encode())
        assert only(FillBooked, reading).venue_trade_id == "7"


@pytest.mark.parametrize(("rate", "leverage"), [("0.02", 50), ("0.03", None), ("1", 1)])
def test_leverage_is_stated_where_it_is_exact(rate: str, leverage: int | None) -> None:
    row = {"name": "EUR_USD", "displayPrecision": 5, "tradeUnitsPrecision": 0, "marginRate": rate}
    assert only(InstrumentDefined, state({"instruments": [row]})).instrument.max_leverage == leverage


def test_a_bad_instrument_stops_no_other() -> None:
    good = {"name": "EUR_USD", "displayPrecision": 5, "tradeUnitsPrecision": 0, "marginRate": "0.02"}
    reading = state({"instruments": [{**good, "displayPrecision": 99}, {**good, "marginRate": "0"}, good]})
    assert problems(reading) == [(1, "displayPrecision", "99"), (2, "marginRate", "0")]
    assert only(InstrumentDefined, reading).instrument.symbol == "EUR/USD"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"errorMessage": "Insufficient authorization"}, "an error of OANDA"),
        ({"hello": 1}, "its fields are: hello"),
        ({"transactions": {}}, "not a list"),
        (5, "not a row of named fields"),
        ({"account": {"id": "1", "currency": "EUR", "balance": "x"}}, "balance='x'"),
    ],
)
def test_an_answer_that_cannot_be_read_is_refused_as_a_whole(answer: object, why: str) -> None:
    with pytest.raises(Malformed, match=why) as caught:
        OandaReader(ACCOUNT).read("answer.json", json.dumps(answer).encode())
    assert caught.value.remedy
