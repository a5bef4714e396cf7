"""Answers of the engine, at Deribit and at Coinbase's gateway: amounts are JSON numbers, and none loses a digit."""

import json
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.model.errors import Malformed
from trueup.model.events import FillBooked, FundingPaid, InstrumentDefined, OrderReported, TransferBooked
from trueup.model.facts import fact_key
from trueup.model.identifiers import AccountId
from trueup.ports import Reader, Reading
from trueup.venues import looks
from trueup.venues.coinbase.reader import CoinbaseReader
from trueup.venues.deribit.reader import DeribitReader

MS = 1767978363493
ACCOUNT = AccountId("venue:rules")
PLACES: dict[str, tuple[Callable[[AccountId], Reader], str]] = {
    "deribit": (DeribitReader, ""),
    "coinbase": (CoinbaseReader, "global"),
}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> tuple[Reader, str]:
    make, wallet = PLACES[request.param]
    return make(ACCOUNT), wallet


def read(reader: Reader, result: object, method: str = "") -> Reading:
    asked = json.dumps({"jsonrpc": "2.0", "method": method}).encode() if method else None
    return reader.read("answer", json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode(), asked)


def trade(number: str, **fields: object) -> dict[str, object]:
    return {
        "trade_id": number,
        "trade_seq": 7,
        "instrument_name": "ETH_USDC-PERPETUAL",
        "direction": "buy",
        "amount": 0.25,
        "price": 3067.2,
        "fee": -0.0125,
        "fee_currency": "USDC",
        "timestamp": MS,
        "order_id": "USDC-1",
        "label": "ours",
        "liquidity": "M",
        **fields,
    }


def order(**fields: object) -> dict[str, object]:
    return {
        "order_id": "USDC-1",
        "order_state": "open",
        "order_type": "limit",
        "instrument_name": "ETH_USDC-PERPETUAL",
        "direction": "sell",
        "amount": 0.5,
        "filled_amount": 0.25,
        "price": 3067.2,
        "label": "ours",
        "last_update_timestamp": MS,
        **fields,
    }


def test_a_trade_is_booked_by_its_trade_id(place: tuple[Reader, str]) -> None:
    reader, wallet = place
    reading = read(reader, {"trades": [trade("ETH-1", liquidation="M")], "has_more": True})
    defined, fill = reading.facts
    assert isinstance(defined, InstrumentDefined)
    assert isinstance(fill, FillBooked)
    terms = defined.instrument
    assert (terms.symbol, terms.kind, terms.settle, terms.wallet) == ("ETH/USDC:USDC", "linear", "USDC", wallet)
    assert (fill.venue_trade_id, fill.side, fill.quantity, fill.price) == (
        "ETH-1", "buy", Decimal("0.25"), Decimal("3067.2"),
    )  # fmt: skip
    assert (fill.fee, fill.fee_currency, fill.venue_sequence) == (Decimal("-0.0125"), "USDC", 7)
    assert (fill.liquidity, fill.liquidation, fill.client_order_id) == ("maker", "liquidation", "ours")
    assert fill.venue_time == MS * 10**6
    assert "goes on" in reading.note


def test_a_number_keeps_every_digit(place: tuple[Reader, str]) -> None:
    text = json.dumps({"jsonrpc": "2.0", "result": [trade("1", amount=0)]})
    exact = text.replace('"amount": 0', '"amount": 0.12345678901234567890123')
    (fill,) = (fact for fact in place[0].read("a", exact.encode()).facts if isinstance(fact, FillBooked))
    assert fill.quantity == Decimal("0.12345678901234567890123")


def test_what_settles_in_the_coin_is_counted_in_dollars(place: tuple[Reader, str]) -> None:
    row = trade("1", instrument_name="BTC-27DEC26", amount=10.0, fee_currency="BTC")
    defined, _ = read(place[0], [row]).facts
    assert isinstance(defined, InstrumentDefined)
    terms = defined.instrument
    assert (terms.symbol, terms.kind, terms.contract_size) == ("BTC/USD:BTC-27DEC26", "inverse", Decimal(1))


@pytest.mark.parametrize("name", ["BTC-27DEC26-100000-C", "BTC-FS-25DEC26_PERP", "BTC", "", "btc-perpetual"])
def test_options_and_combos_are_refused(place: tuple[Reader, str], name: str) -> None:
    reading = read(place[0], [trade("1", instrument_name=name), trade("2")])
    assert [(refused.row, refused.field) for refused in reading.refused] == [(1, "instrument_name")]
    assert len(reading.facts) == 2


def test_a_pair_is_booked_only_where_the_money_is_not_kept_apart() -> None:
    row = trade("1", instrument_name="BTC_USDC")
    assert not read(DeribitReader(ACCOUNT), [row]).refused
    assert read(CoinbaseReader(ACCOUNT), [row]).refused


def test_an_order_and_its_trades_are_told_together(place: tuple[Reader, str]) -> None:
    reading = read(place[0], {"order": order(), "trades": [trade("1")]})
    (report,) = (fact for fact in reading.facts if isinstance(fact, OrderReported))
    assert (report.status, report.quantity, report.filled) == ("partially_filled", Decimal("0.5"), Decimal("0.25"))
    assert any(isinstance(fact, FillBooked) for fact in reading.facts)


def test_open_orders_are_told_by_the_method(place: tuple[Reader, str]) -> None:
    reading = read(place[0], [order(price="market_price", trigger_price=2228.0)], "private/get_open_orders")
    assert reading.snapshot is not None
    assert reading.snapshot.open_orders is not None
    (found,) = reading.snapshot.open_orders.values()
    assert (found.price, found.trigger_price) == (None, Decimal(2228))
    empty = read(place[0], [], "private/get_open_orders").snapshot
    assert empty is not None
    assert empty.open_orders == {}


def test_an_empty_answer_without_its_method_says_nothing(place: tuple[Reader, str]) -> None:
    with pytest.raises(Malformed, match="holds nothing of an account"):
        read(place[0], [])


def held(name: str, size: float, direction: str) -> dict[str, object]:
    return {"instrument_name": name, "size": size, "direction": direction, "average_price": 100.5, "mark_price": 101}


def test_positions_speak_for_what_they_list(place: tuple[Reader, str]) -> None:
    rows = [
        held("BTC-PERPETUAL", -30.0, "sell"),
        held("ETH_USDC-PERPETUAL", 0.0, "zero"),
        held("BTC-27DEC26-100000-C", 0.1, "buy"),
        held("BTC-27DEC26-90000-C", 0.0, "zero"),
    ]
    snapshot = read(place[0], rows).snapshot
    assert snapshot is not None
    assert snapshot.positions is not None
    assert {key: one.quantity for key, one in snapshot.positions.items()} == {("BTC/USD:BTC", "net"): Decimal(-30)}
    assert snapshot.position_scope == frozenset({"BTC/USD:BTC", "ETH/USDC:USDC"})
    assert list(snapshot.unmapped) == ["BTC-27DEC26-100000-C"]


def test_a_position_of_the_wrong_sign_fails_them_all(place: tuple[Reader, str]) -> None:
    reading = read(place[0], [held("BTC-PERPETUAL", 30.0, "sell")])
    assert [refused.field for refused in reading.refused] == ["size"]
    assert reading.snapshot is not None
    assert reading.snapshot.positions is None


def cash(currency: str, margin: float, equity: float = 12.5) -> dict[str, object]:
    return {"currency": currency, "equity": equity, "maintenance_margin": margin, "session_upl": 0, "options_value": 0}


def test_the_balances_of_all_currencies_are_compared(place: tuple[Reader, str]) -> None:
    reader, wallet = place
    suffix = f"@{wallet}" if wallet else ""
    snapshot = read(reader, {"summaries": [cash("BTC", 0), cash("USDC", 0, 7)]}).snapshot
    assert snapshot is not None
    assert snapshot.balances == {f"BTC{suffix}": Decimal("12.5"), f"USDC{suffix}": Decimal(7)}


def test_one_currency_says_nothing_of_others(place: tuple[Reader, str]) -> None:
    """Stated alone it would make zero of every other."""
    reading = read(place[0], cash("BTC", 0), "private/get_account_summary")
    assert reading.snapshot is None
    assert "get_account_summaries" in reading.note
    assert read(place[0], cash("BTC", 0)).snapshot is None


def test_no_currencies_are_not_an_empty_account(place: tuple[Reader, str]) -> None:
    snapshot = read(place[0], {"summaries": []}).snapshot
    assert snapshot is not None
    assert snapshot.balances is None


def test_a_balance_is_unknown_while_something_is_held(place: tuple[Reader, str]) -> None:
    snapshot = read(place[0], {"summaries": [cash("BTC", 0.1), cash("USDC", 0)]}).snapshot
    assert snapshot is not None
    assert snapshot.balances is None
    assert "BTC" in snapshot.failed["balances"]


def entry(number: int, kind: str, **fields: object) -> dict[str, object]:
    return {"id": number, "type": kind, "currency": "USDC", "change": 5.5, "timestamp": MS, **fields}


def test_the_log_books_money_and_funding_but_no_trade_twice(place: tuple[Reader, str]) -> None:
    reader, wallet = place
    logs = [
        entry(1, "deposit"),
        entry(2, "withdrawal", change=-1),
        entry(3, "trade"),
        entry(4, "settlement", interest_pl=-0.25, instrument_name="ETH_USDC-PERPETUAL"),
        entry(5, "settlement", interest_pl=0, instrument_name="ETH_USDC-27DEC26"),
        entry(6, "surprise"),
    ]
    reading = read(reader, {"logs": logs, "continuation": None})
    moved = [fact for fact in reading.facts if isinstance(fact, TransferBooked)]
    assert {(one.amount, one.reason) for one in moved} == {(Decimal("5.5"), "deposit"), (Decimal(-1), "withdrawal")}
    assert {one.currency for one in moved} == {f"USDC@{wallet}" if wallet else "USDC"}
    (funding,) = (fact for fact in reading.facts if isinstance(fact, FundingPaid))
    assert (funding.amount, funding.currency, funding.venue_id) == (Decimal("-0.25"), "USDC", "USDC:4")
    assert [refused.row for refused in reading.refused] == [6]
    assert "2 rows" in reading.note


def test_entries_of_two_currencies_are_two_though_they_have_one_number(place: tuple[Reader, str]) -> None:
    """Each currency has a log of its own, and nothing says that they count together."""
    logs = [entry(1, "deposit"), entry(1, "deposit", currency="BTC")]
    moved = [fact for fact in read(place[0], {"logs": logs}).facts if isinstance(fact, TransferBooked)]
    assert len({fact_key(fact) for fact in moved}) == 2


def test_messages_of_a_channel_are_told_by_its_name(place: tuple[Reader, str]) -> None:
    params = {"channel": "user.trades.any.any.raw", "data": [trade("1")]}
    reading = place[0].read("m", json.dumps({"jsonrpc": "2.0", "method": "subscription", "params": params}).encode())
    assert reading.kind == "trades"
    assert len(reading.facts) == 2


def test_an_answer_that_is_given_to_another_venue_is_named() -> None:
    assert "--venue deribit" in looks.other_venue({"jsonrpc": "2.0", "result": []}, "oanda")


def test_an_error_is_no_answer(place: tuple[Reader, str]) -> None:
    error = {"jsonrpc": "2.0", "error": {"code": 10028, "message": "too_many_requests"}}
    with pytest.raises(Malformed, match="is an error") as refusal:
        place[0].read("e", json.dumps(error).encode())
    assert refusal.value.venue_code == "10028"


ROWS = [trade("1"), trade("2", direction="sell"), trade("3", amount=0), trade("4", timestamp=MS + 1), trade("1")]


@given(st.permutations(ROWS))
def test_the_same_rows_in_any_order_are_the_same_facts(shuffled: list[object]) -> None:
    assert read(DeribitReader(ACCOUNT), shuffled).facts == read(DeribitReader(ACCOUNT), ROWS).facts


NAMES = [
    *trade(""),
    *order(),
    *cash("", 0),
    *held("", 0, ""),
    "type",
    "change",
    "interest_pl",
    "id",
    "result",
    "params",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8)
    | st.sampled_from(["1", "NaN", "BTC-PERPETUAL", "buy", "zero", "settlement", "deposit", "open", 0.5, -3.25]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=9),
    max_leaves=20,
)  # fmt: skip
GOOD = st.sampled_from([trade("1"), order(), cash("BTC", 0), held("BTC-PERPETUAL", 1, "buy"), entry(1, "deposit")])
METHODS = st.sampled_from(["", "private/get_open_orders", "private/get_positions", "public/get_instruments", "x"])


@given(GOOD, st.sampled_from(NAMES), VALUES, METHODS)
def test_no_value_breaks_the_reader(row: dict[str, object], name: str, value: object, method: str) -> None:
    survives([{**row, name: value}], method)


@given(VALUES | st.lists(VALUES, max_size=3), METHODS)
def test_no_result_breaks_the_reader(result: object, method: str) -> None:
    survives(result, method)


def survives(result: object, method: str) -> None:
    for make, _ in PLACES.values():
        try:
            reading = read(make(ACCOUNT), result, method)
        except Malformed:
            continue
        assert all(refused.problem and refused.remedy for refused in reading.refused)
