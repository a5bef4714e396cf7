"""Orders are taken or declined in the venue's words, and what becomes of them is told by their rows."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.testing.servers.coinbase.talk import BTC, BTC_SYMBOL, ENDING, FUTURE, FUTURE_SYMBOL, Row, Talk
from trueup.model.numbers import exact
from trueup.testing.servers.coinbase.demo import ACCOUNT
from trueup.testing.servers.coinbase.desk import CANCELS_MAX
from trueup.testing.servers.coinbase.orders import KINDS
from trueup.venues.paper.faults import TimeOut

D = Decimal
GTC, IOC, FOK, MARKET = "limit_limit_gtc", "sor_limit_ioc", "limit_limit_fok", "market_market_ioc"
STOP = "stop_limit_stop_limit_gtc"


def test_a_limit_order_rests_holds_money_and_is_cancelled() -> None:
    talk = Talk()
    order_id = talk.placed(BTC, "BUY", GTC, "mine", base_size="0.1", limit_price="50000")
    row = talk.shown(order_id)
    assert (row["status"], row["filled_size"], row["client_order_id"]) == ("OPEN", "0", "mine")
    assert row["order_configuration"] == {
        GTC: {"base_size": "0.1", "limit_price": "50000", "post_only": False},
    }
    assert talk.wallet("USD") == (D(50_000) - D(5_030), D(5_030)), "the fee is held too"
    told = talk.post("/orders/batch_cancel", {"order_ids": [order_id, order_id, "unknown"]})["results"]
    assert [row["success"] for row in told] == [True, False, False]
    reasons = ["UNKNOWN_CANCEL_FAILURE_REASON", "INVALID_CANCEL_REQUEST", "UNKNOWN_CANCEL_ORDER"]
    assert [row["failure_reason"] for row in told] == reasons
    assert talk.shown(order_id)["status"] == "CANCELLED"
    assert talk.wallet("USD") == (D(50_000), D(0))


def test_a_market_order_is_filled_at_the_levels_and_pays_its_fee_in_quote() -> None:
    talk = Talk()
    order_id = talk.placed(BTC, "BUY", MARKET, base_size="0.5")
    row, fills = talk.shown(order_id), talk.fills()
    with exact():
        worth = D("0.4") * 60_001 + D("0.1") * 60_002
        fee = worth * D("0.006")
    assert [(f["price"], f["size"], f["liquidity_indicator"]) for f in fills] == [
        ("60002", "0.1", "TAKER"),
        ("60001", "0.4", "TAKER"),
    ]
    assert (row["status"], row["filled_size"], row["number_of_fills"]) == ("FILLED", "0.5", "2")
    assert D(row["average_filled_price"]) == D("60001.2")
    assert (D(row["filled_value"]), D(row["total_fees"])) == (worth, fee)
    assert D(row["total_value_after_fees"]) == worth + fee
    assert sum(D(f["commission"]) for f in fills) == fee
    assert talk.wallet("USD")[0] == D(50_000) - worth - fee
    assert talk.wallet("BTC")[0] == 1
    assert talk.post("/orders/batch_cancel", {"order_ids": [order_id]})["results"][0]["failure_reason"] == (
        "ORDER_IS_FULLY_FILLED"
    )


def test_what_is_bought_for_an_amount_of_quote_states_its_fills_in_quote() -> None:
    talk = Talk()
    order_id = talk.placed(BTC, "BUY", MARKET, quote_size="30000")
    row, fills = talk.shown(order_id), talk.fills()
    assert row["size_in_quote"] is True
    assert row["status"] == "FILLED"
    assert all(fill["size_in_quote"] for fill in fills)
    spent = sum((D(fill["size"]) + D(fill["commission"]) for fill in fills), D(0))
    assert D(29_999) < spent <= D(30_000), "the fee is part of the amount"
    assert sum(D(f["size"]) for f in fills) == D(row["filled_value"])
    assert sum(D(f["size"]) / D(f["price"]) for f in fills) == D(row["filled_size"])
    assert talk.wallet("USD")[0] == D(50_000) - spent


def test_a_future_is_traded_in_contracts_and_paid_for_in_its_own_wallet() -> None:
    talk = Talk()
    order_id = talk.placed(FUTURE, "SELL", MARKET, base_size="3")
    row, (fill,) = talk.shown(order_id), talk.fills()
    assert (row["product_type"], row["filled_size"], row["average_filled_price"]) == ("FUTURE", "3", "59995")
    assert D(row["filled_value"]) == D("59995") * 3 / 100
    assert (fill["size"], fill["side"], fill["product_id"]) == ("3", "SELL", FUTURE)
    (held,) = talk.get("/cfm/positions")["positions"]
    assert (held["side"], held["number_of_contracts"]) == ("SHORT", "3")
    assert held["avg_entry_price"] == {"value": "59995", "currency": "USD"}
    assert talk.wallet("USD") == (D(50_000), D(0))
    summary = talk.get("/cfm/balance_summary")["balance_summary"]
    assert D(summary["cfm_usd_balance"]["value"]) == D(100_000) - D(fill["commission"])


def test_a_clients_id_that_was_used_gives_the_first_order_whatever_is_asked_for() -> None:
    talk = Talk()
    first = talk.placed(BTC, "BUY", GTC, "once", base_size="0.1", limit_price="50000")
    again = talk.order(FUTURE, "SELL", MARKET, "once", base_size="7")
    assert again["success_response"]["order_id"] == first
    assert again["success_response"]["product_id"] == BTC
    assert len(talk.get("/orders/historical/batch")["orders"]) == 1
    closed = talk.post("/orders/close_position", {"client_order_id": "once", "product_id": FUTURE})
    assert closed["success_response"]["order_id"] == first


CROSSES = "INVALID_LIMIT_PRICE_POST_ONLY"
DECLINED: list[tuple[tuple[str, str, str], Row, str]] = [
    (("DOGE-USD", "BUY", MARKET), {"base_size": "1"}, "INVALID_PRODUCT_ID"),
    ((BTC, "HOLD", MARKET), {"base_size": "1"}, "INVALID_SIDE"),
    ((BTC, "BUY", GTC), {"base_size": "0.000000001", "limit_price": "50000"}, "INVALID_SIZE_PRECISION"),
    ((BTC, "BUY", GTC), {"base_size": "-1", "limit_price": "50000"}, "INVALID_SIZE_PRECISION"),
    ((FUTURE, "BUY", MARKET), {"base_size": "0.5"}, "INVALID_SIZE_PRECISION"),
    ((BTC, "BUY", GTC), {"base_size": "0.1", "limit_price": "50000.001"}, "INVALID_PRICE_PRECISION"),
    ((BTC, "BUY", GTC), {"base_size": "10", "limit_price": "50000"}, "INSUFFICIENT_FUND"),
    ((BTC, "SELL", GTC), {"base_size": "0.6", "limit_price": "70000"}, "INSUFFICIENT_FUND"),
    ((BTC, "BUY", MARKET), {"quote_size": "60000"}, "INSUFFICIENT_FUND"),
    ((FUTURE, "BUY", MARKET), {"base_size": "5000"}, "INSUFFICIENT_FUND"),
    ((BTC, "BUY", GTC), {"base_size": "0.1", "limit_price": "61000", "post_only": True}, CROSSES),
    ((BTC, "SELL", MARKET), {"quote_size": "100"}, "UNSUPPORTED_ORDER_CONFIGURATION"),
    ((FUTURE, "BUY", MARKET), {"quote_size": "100"}, "UNSUPPORTED_ORDER_CONFIGURATION"),
    ((BTC, "BUY", MARKET), {}, "UNSUPPORTED_ORDER_CONFIGURATION"),
    ((BTC, "BUY", "trigger_bracket_gtc"), {"base_size": "1"}, "UNSUPPORTED_ORDER_CONFIGURATION"),
    ((FUTURE, "BUY", MARKET), {"base_size": "1", "reduce_only": True}, "UNSUPPORTED_ORDER_CONFIGURATION"),
    (
        (BTC, "BUY", "limit_limit_gtd"),
        {"base_size": "0.1", "limit_price": "50000", "end_time": "2020-01-01T00:00:00Z"},
        "INVALID_REQUEST",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("what", "terms", "reason"), DECLINED, ids=[f"{n} {row[2]}" for n, row in enumerate(DECLINED)])
def test_what_is_declined_has_the_venues_reason_and_leaves_nothing(
    what: tuple[str, str, str], terms: Row, reason: str
) -> None:
    talk = Talk()
    assert talk.declined(*what, **terms)[0] == reason
    assert talk.get("/orders/historical/batch")["orders"] == []
    assert talk.wallet("USD") == (D(50_000), D(0))


def test_what_another_order_holds_cannot_be_spent_twice() -> None:
    talk = Talk()
    talk.placed(BTC, "BUY", GTC, base_size="0.9", limit_price="50000")
    word, preview = talk.declined(BTC, "BUY", GTC, base_size="0.1", limit_price="50000")
    assert (word, preview) == ("INSUFFICIENT_FUND", "PREVIEW_INSUFFICIENT_FUND")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"client_order_id": "", "product_id": BTC, "side": "BUY", "order_configuration": {}},
        {"client_order_id": "x", "product_id": BTC, "side": "BUY"},
        {"client_order_id": "x", "product_id": BTC, "side": "BUY", "order_configuration": {MARKET: {}, GTC: {}}},
        {"client_order_id": "x", "product_id": BTC, "side": "BUY", "order_configuration": {MARKET: {"base_size": 1}}},
        {"client_order_id": "x", "product_id": BTC, "side": "BUY", "order_configuration": {GTC: {"base_size": "1"}}},
        {"client_order_id": "x", "product_id": BTC, "side": "BUY", "order_configuration": {MARKET: {"size": "1"}}},
        [],
        None,
    ],
)
def test_what_cannot_be_read_is_a_bad_request(body: object) -> None:
    status, row = Talk().ask("POST", "/orders", body)
    assert (status, row["error"]) == (400, "INVALID_ARGUMENT")


WORDS = ["1", "0.1", "-1", "50000", "1e400", "NaN", BTC, FUTURE, "BUY", "2026-11-24T00:00:00Z", GTC, MARKET]
NAMES = ["quote_size", "limit_price", "stop_price", "stop_direction", "end_time", "post_only"]
SIMPLE = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
JSON = st.recursive(
    SIMPLE | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KINDS, *NAMES, "base_size"]), inner, max_size=3)
    ),
    max_leaves=6,
)
TERMS = st.fixed_dictionaries({"base_size": JSON}, optional=dict.fromkeys(NAMES, JSON))
BODY = st.fixed_dictionaries(
    {},
    optional={
        "client_order_id": JSON | st.just("mine"),
        "product_id": JSON | st.sampled_from([BTC, FUTURE]),
        "side": JSON | st.sampled_from(["BUY", "SELL"]),
        "order_configuration": JSON
        | st.dictionaries(st.sampled_from(list(KINDS)), TERMS | JSON, min_size=1, max_size=1),
        "order_ids": JSON | st.lists(st.just("x"), min_size=1, max_size=2),
        "order_id": JSON | st.just("x"),
        "size": JSON,
        "price": JSON,
    },
)


@given(body=BODY | JSON, path=st.sampled_from(["", "/batch_cancel", "/edit", "/preview", "/close_position"]))
def test_whatever_is_sent_is_answered_and_never_fails(body: object, path: str) -> None:
    talk = Talk()
    talk.trade("1")
    status, row = talk.ask("POST", f"/orders{path}", body)
    assert status in {200, 400}, row


def test_only_what_rests_may_be_post_only() -> None:
    body = {
        "client_order_id": "x",
        "product_id": BTC,
        "side": "BUY",
        "order_configuration": {IOC: {"base_size": "0.1", "limit_price": "50000", "post_only": True}},
    }
    assert Talk().ask("POST", "/orders", body)[0] == 400


def test_what_does_not_trade_at_once_ends_or_trades_whole() -> None:
    talk = Talk()
    away = talk.placed(BTC, "BUY", IOC, base_size="0.1", limit_price="50000")
    near = talk.placed(BTC, "BUY", IOC, base_size="0.1", limit_price="60100")
    much = talk.placed(FUTURE, "BUY", FOK, base_size="150", limit_price="60100")
    whole = talk.placed(FUTURE, "BUY", FOK, base_size="30", limit_price="60100")
    told = [(talk.shown(each)["status"], talk.shown(each)["filled_size"]) for each in (away, near, much, whole)]
    assert told == [("CANCELLED", "0"), ("FILLED", "0.1"), ("CANCELLED", "0"), ("FILLED", "30")]


def test_a_stop_waits_for_its_price() -> None:
    talk = Talk()
    talk.trade("2")
    order_id = talk.placed(
        FUTURE, "SELL", STOP,
        base_size="2", limit_price="55000", stop_price="58000", stop_direction="STOP_DIRECTION_STOP_DOWN",
    )  # fmt: skip
    row = talk.shown(order_id)
    assert (row["status"], row["trigger_status"], row["order_type"]) == ("OPEN", "STOP_PENDING", "STOP_LIMIT")
    talk.exchange.move(FUTURE_SYMBOL, D(57_000))
    row = talk.shown(order_id)
    assert (row["status"], row["trigger_status"], row["filled_size"]) == ("FILLED", "STOP_TRIGGERED", "2")
    assert talk.get("/cfm/positions")["positions"] == []


def test_a_stop_beyond_the_price_or_the_wrong_way_round_is_declined() -> None:
    talk = Talk()
    terms = {"base_size": "2", "limit_price": "55000", "stop_price": "61000"}
    down, up = "STOP_DIRECTION_STOP_DOWN", "STOP_DIRECTION_STOP_UP"
    assert talk.declined(FUTURE, "SELL", STOP, **terms, stop_direction=down) == (
        "UNKNOWN_FAILURE_REASON",
        "PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE",
    )
    assert talk.declined(FUTURE, "SELL", STOP, **terms, stop_direction=up)[0] == "UNSUPPORTED_ORDER_CONFIGURATION"


def test_an_order_until_a_time_expires_then() -> None:
    talk = Talk()
    order_id = talk.placed(
        BTC, "BUY", "limit_limit_gtd", base_size="0.1", limit_price="50000", end_time="2026-11-23T10:00:00Z"
    )
    assert talk.shown(order_id)["time_in_force"] == "GOOD_UNTIL_DATE_TIME"
    talk.clock.pass_s(1_800)
    assert talk.shown(order_id)["status"] == "EXPIRED"


def test_an_edit_keeps_the_order_and_what_it_has_filled() -> None:
    talk = Talk()
    order_id = talk.placed(BTC, "BUY", GTC, "edited", base_size="0.6", limit_price="59990")
    talk.exchange.move(BTC_SYMBOL, D(59_989))
    assert talk.shown(order_id)["filled_size"] == "0.4"
    told = talk.post("/orders/edit", {"order_id": order_id, "price": "50000", "size": "0.7"})
    assert told == {"success": True, "errors": []}
    row = talk.shown(order_id)
    assert row["order_configuration"] == {GTC: {"base_size": "0.7", "limit_price": "50000", "post_only": False}}
    assert (row["status"], row["filled_size"], row["client_order_id"]) == ("OPEN", "0.4", "edited")
    assert [(edit["price"], edit["size"]) for edit in row["edit_history"]] == [("50000", "0.7")]
    assert talk.wallet("USD")[1] == D("0.3") * 50_000 * D("1.006")
    talk.exchange.move(BTC_SYMBOL, D(49_000))
    row = talk.shown(order_id)
    assert (row["status"], row["filled_size"], row["number_of_fills"]) == ("FILLED", "0.7", "2")
    assert len(talk.get("/orders/historical/batch")["orders"]) == 1


def test_a_stop_is_edited_with_its_trigger() -> None:
    talk = Talk()
    order_id = talk.placed(
        BTC, "SELL", STOP,
        base_size="0.1", limit_price="55000", stop_price="58000", stop_direction="STOP_DIRECTION_STOP_DOWN",
    )  # fmt: skip
    edit = {"order_id": order_id, "price": "54000", "size": "0.2", "stop_price": "57000"}
    assert talk.post("/orders/edit", edit)["success"]
    assert talk.shown(order_id)["order_configuration"][STOP] == {
        "base_size": "0.2",
        "limit_price": "54000",
        "stop_price": "57000",
        "stop_direction": "STOP_DIRECTION_STOP_DOWN",
    }
    talk.exchange.move(BTC_SYMBOL, D(57_500))
    assert talk.shown(order_id)["status"] == "OPEN"
    talk.exchange.move(BTC_SYMBOL, D(56_900))
    assert talk.shown(order_id)["status"] == "FILLED"


def test_an_edit_that_cannot_be_says_why() -> None:
    talk = Talk()
    future = talk.placed(FUTURE, "BUY", GTC, base_size="1", limit_price="50000")
    resting = talk.placed(BTC, "BUY", GTC, base_size="0.6", limit_price="59990")
    talk.exchange.move(BTC_SYMBOL, D(59_989))
    done = talk.placed(BTC, "SELL", MARKET, base_size="0.1")
    until = talk.placed(
        BTC, "BUY", "limit_limit_gtd", base_size="0.1", limit_price="50000", end_time="2026-11-23T10:00:00Z"
    )

    def edit(order_id: str, **terms: str) -> str:
        told = talk.post("/orders/edit", {"order_id": order_id, **terms})
        assert told["success"] is False
        reason: str = told["errors"][0]["edit_failure_reason"]
        return reason

    assert edit("unknown", price="1", size="1") == "ORDER_NOT_FOUND"
    assert edit(future, price="49000", size="1") == "CANNOT_EDIT_FUTURES_ORDER"
    assert edit(done, price="49000", size="1") == "ONLY_OPEN_ORDERS_CAN_BE_EDITED"
    assert edit(until, price="49000", size="0.1") == "ONLY_LIMIT_ORDER_EDITS_SUPPORTED"
    assert edit(resting, price="49000") == "INVALID_EDITED_SIZE", "what is left out is read as 0"
    assert edit(resting, size="0.6") == "INVALID_EDITED_PRICE"
    assert edit(resting, price="49000", size="0.4") == "CANNOT_EDIT_TO_BELOW_FILLED_SIZE"
    assert edit(resting, price="59990", size="0.6") == "EDIT_REQUEST_EQUAL_TO_ORIGINAL_REQUEST"
    assert edit(resting, price="49000", size="60") == "COMMANDER_REJECTED_EDIT_ORDER"
    assert talk.shown(resting)["edit_history"] == []


def test_a_position_is_closed_whole_or_in_part_and_never_beyond() -> None:
    talk = Talk()
    talk.trade("-5")

    def close(name: str, **size: str) -> Row:
        return talk.post("/orders/close_position", {"client_order_id": name, "product_id": FUTURE, **size})

    assert close("part", size="2")["success"]
    assert close("part", size="2")["success"], "the same id again closes no more"
    assert talk.get(f"/cfm/positions/{FUTURE}")["position"]["number_of_contracts"] == "3"
    assert close("beyond", size="4")["error_response"]["error"] == "INVALID_REQUEST"
    assert close("rest")["success"]
    assert talk.ask("GET", f"/cfm/positions/{FUTURE}")[0] == 404
    assert close("nothing")["error_response"]["error"] == "INVALID_REQUEST"


def test_a_lost_answer_leaves_the_order_to_be_found_in_the_list() -> None:
    for placed in (True, False):
        talk = Talk(TimeOut(account=ACCOUNT, nth=1, placed=placed))
        body = {
            "client_order_id": "lost",
            "product_id": BTC,
            "side": "BUY",
            "order_configuration": {GTC: {"base_size": "0.1", "limit_price": "50000"}},
        }
        assert talk.ask("POST", "/orders", body)[0] == 504
        found = [row["client_order_id"] for row in talk.get("/orders/historical/batch")["orders"]]
        assert found == (["lost"] if placed else [])
        assert talk.post("/orders", body)["success"]
        assert len(talk.get("/orders/historical/batch")["orders"]) == 1


def test_a_preview_tells_the_cost_or_the_reason_and_does_nothing() -> None:
    talk = Talk()
    body = {"product_id": BTC, "side": "BUY", "order_configuration": {MARKET: {"base_size": "0.1"}}}
    told = talk.post("/orders/preview", body)
    assert told["errs"] == []
    assert D(told["order_total"]) == D(told["quote_size"]) + D(told["commission_total"])
    told = talk.post("/orders/preview", body | {"order_configuration": {MARKET: {"base_size": "10"}}})
    assert told["errs"] == ["PREVIEW_INSUFFICIENT_FUND"]
    assert talk.get("/orders/historical/batch")["orders"] == []


def test_who_trades_by_hand_shows_with_an_id_of_its_own() -> None:
    talk = Talk()
    talk.trade("1")
    (row,) = talk.get("/orders/historical/batch")["orders"]
    assert (row["order_placement_source"], row["status"]) == ("RETAIL_SIMPLE", "FILLED")
    assert row["client_order_id"]


def test_a_liquidation_is_an_order_of_the_venues_own() -> None:
    talk = Talk()
    talk.trade("100", FUTURE_SYMBOL)
    talk.placed(ENDING, "BUY", GTC, base_size="1", limit_price="5000")
    talk.exchange.deposit(ACCOUNT, "USD@cfm", D(-89_000))
    talk.exchange.move(FUTURE_SYMBOL, D(52_000))
    rows = talk.get("/orders/historical/batch")["orders"]
    assert rows[0]["is_liquidation"] is True
    assert {row["status"] for row in rows[1:]} == {"FILLED", "OPEN"}
    assert talk.get("/cfm/positions")["positions"] == []


def test_too_many_cancels_at_once_are_refused() -> None:
    talk = Talk()
    for ids in ([], ["x"] * (CANCELS_MAX + 1), "x", [1]):
        assert talk.ask("POST", "/orders/batch_cancel", {"order_ids": ids})[0] == 400
