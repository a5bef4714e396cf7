"""What becomes of orders: the transactions they make, and the word with which each is refused."""

from collections.abc import Mapping
from decimal import Decimal
from random import Random

import pytest

from tests.testing.servers.kit.ticking import HandClock
from tests.testing.servers.oanda.talk import Talk, kinds
from trueup.model.instruments import Instrument
from trueup.model.times import parse_time
from trueup.testing.servers.oanda.demo import ACCOUNT, HEDGED_ACCOUNT, HEDGED_ACCOUNT_ID, demo_markets
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.markets import Market

MID = Decimal("1.08500")
ASK, BID = "1.08508", "1.08492"


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_a_market_order_is_created_and_filled(talk: Talk) -> None:
    answer = talk.order(type="MARKET", units="100", clientExtensions={"id": "a/b c", "tag": "t"})
    create, fill = answer["orderCreateTransaction"], answer["orderFillTransaction"]
    assert answer["relatedTransactionIDs"] == [create["id"], fill["id"]] == ["4", "5"]
    assert answer["lastTransactionID"] == "5"
    assert (create["type"], create["timeInForce"], create["positionFill"]) == ("MARKET_ORDER", "FOK", "DEFAULT")
    assert (fill["orderID"], fill["clientOrderID"], fill["reason"]) == ("4", "a/b c", "MARKET_ORDER")
    assert (fill["units"], fill["tradeOpened"]["price"], fill["tradeOpened"]["tradeID"]) == ("100", ASK, "5")
    assert fill["batchID"] == create["batchID"] == "4"
    assert fill["requestID"] == create["requestID"]
    assert talk.get("/orders/4")["order"]["state"] == "FILLED"


def test_an_order_at_a_limit_rests_until_the_market_comes(talk: Talk) -> None:
    answer = talk.order(type="LIMIT", units="100", price="1.084", clientExtensions={"id": "a-1"})
    assert "orderFillTransaction" not in answer
    pending = talk.get("/orders/@a-1")["order"]
    assert (pending["state"], pending["price"]) == ("PENDING", "1.08400")
    assert talk.get("/pendingOrders")["orders"] == [pending]
    talk.exchange.move("EUR/USD", Decimal("1.08390"))
    fill = talk.transactions()[-1]
    assert (fill["type"], fill["reason"], fill["price"]) == ("ORDER_FILL", "LIMIT_ORDER", "1.08400")
    assert "requestID" not in fill
    assert talk.get("/pendingOrders")["orders"] == []
    status, gone = talk.ask("GET", "/orders/@a-1")  # the client's id is free again
    assert (status, gone["errorCode"], gone["lastTransactionID"]) == (404, "NO_SUCH_ORDER", fill["id"])


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"type": "LIMIT", "units": "100", "price": "1.08", "timeInForce": "FOK"}, "TIME_IN_FORCE_EXPIRED"),
        ({"type": "LIMIT", "units": "100", "price": "1.08", "timeInForce": "IOC"}, "TIME_IN_FORCE_EXPIRED"),
        ({"type": "MARKET", "units": "100", "priceBound": "1.08"}, "BOUNDS_VIOLATION"),
        ({"type": "MARKET", "units": "60000000", "instrument": "CHF_USD"}, "INSUFFICIENT_LIQUIDITY"),
    ],
)
def test_created_is_not_filled(order: Mapping[str, str], reason: str) -> None:
    talk = Talk(exchange=_shallow())
    answer = talk.order(**order)
    assert "orderFillTransaction" not in answer
    assert answer["orderCancelTransaction"]["reason"] == reason
    assert answer["orderCancelTransaction"]["orderID"] == answer["orderCreateTransaction"]["id"]
    assert talk.get(f"/orders/{answer['orderCreateTransaction']['id']}")["order"]["state"] == "CANCELLED"


def test_what_is_taken_at_several_prices_is_one_fill_at_their_average() -> None:
    talk = Talk(exchange=_shallow())
    answer = talk.order(type="MARKET", instrument="CHF_USD", units="25", timeInForce="IOC")
    fill = answer["orderFillTransaction"]
    # 10 at 1.0001, 10 at 1.0002 and 5 at 1.0003
    assert (fill["units"], fill["price"]) == ("25", "1.00018")
    assert kinds(talk.transactions())[-2:] == ["MARKET_ORDER", "ORDER_FILL"]


def test_ioc_takes_what_there_is() -> None:
    talk = Talk(exchange=_shallow())
    answer = talk.order(type="MARKET", instrument="CHF_USD", units="80", timeInForce="IOC")
    assert answer["orderFillTransaction"]["units"] == "50"
    assert answer["orderCancelTransaction"]["reason"] == "INSUFFICIENT_LIQUIDITY"


@pytest.mark.parametrize(
    ("kind", "units", "price", "reached"),
    [
        ("STOP", "100", "1.08600", "1.08601"),
        ("STOP", "-100", "1.08400", "1.08399"),
        ("MARKET_IF_TOUCHED", "100", "1.08600", "1.08601"),
        ("MARKET_IF_TOUCHED", "100", "1.08400", "1.08399"),
        ("MARKET_IF_TOUCHED", "-100", "1.08600", "1.08601"),
        ("MARKET_IF_TOUCHED", "-100", "1.08400", "1.08399"),
    ],
)
def test_an_order_waits_for_its_trigger(talk: Talk, kind: str, units: str, price: str, reached: str) -> None:
    talk.order(type=kind, units=units, price=price)
    talk.exchange.move("EUR/USD", MID + (Decimal(price) - MID) / 2)
    assert len(talk.get("/pendingOrders")["orders"]) == 1
    talk.exchange.move("EUR/USD", Decimal(reached))
    fill = talk.transactions()[-1]
    assert (fill["type"], fill["reason"], fill["units"]) == ("ORDER_FILL", f"{kind}_ORDER", units)


def test_a_market_order_ends_at_once_while_markets_are_closed() -> None:
    talk = Talk(clock=HandClock(parse_time("2026-11-21T12:00:00Z", "time")))  # a Saturday
    answer = talk.order(type="MARKET", units="100")
    assert answer["orderCreateTransaction"]["type"] == "MARKET_ORDER"
    assert answer["orderCancelTransaction"]["reason"] == "MARKET_HALTED"
    assert "orderFillTransaction" not in answer
    assert talk.exchange.truth(ACCOUNT).trade_ids == ()
    assert "orderCancelTransaction" not in talk.order(type="LIMIT", units="100", price="1.08")
    price = talk.get("/pricing?instruments=EUR_USD")["prices"][0]
    assert (price["tradeable"], price["status"]) == (False, "non-tradeable")


MARKET = {"type": "MARKET", "units": "100"}
LIMIT = {"type": "LIMIT", "units": "100", "price": "1.08400"}

REJECTED = [
    (MARKET | {"instrument": ""}, "INSTRUMENT_MISSING"),
    (MARKET | {"instrument": "EUR_XXX"}, "INSTRUMENT_UNKNOWN"),
    ({"type": "MARKET"}, "UNITS_MISSING"),
    (MARKET | {"units": "0"}, "UNITS_INVALID"),
    (MARKET | {"units": "NaN"}, "UNITS_INVALID"),
    (MARKET | {"units": "0.5"}, "UNITS_PRECISION_EXCEEDED"),
    (MARKET | {"units": "100000001"}, "UNITS_LIMIT_EXCEEDED"),
    (MARKET | {"units": "90000000"}, "INSUFFICIENT_MARGIN"),
    (MARKET | {"timeInForce": "GTC"}, "TIME_IN_FORCE_INVALID"),
    (MARKET | {"priceBound": "1.0800001"}, "PRICE_BOUND_PRECISION_EXCEEDED"),
    (MARKET | {"positionFill": "ALL"}, "ORDER_FILL_POSITION_ACTION_INVALID"),
    (MARKET | {"positionFill": "REDUCE_ONLY"}, "CLOSEOUT_POSITION_DOESNT_EXIST"),
    (MARKET | {"clientExtensions": {"id": ""}}, "CLIENT_ORDER_ID_INVALID"),
    (MARKET | {"clientExtensions": {"id": "a", "tag": "x" * 129}}, "CLIENT_ORDER_TAG_INVALID"),
    (MARKET | {"tradeClientExtensions": {"comment": 1}}, "CLIENT_TRADE_COMMENT_INVALID"),
    (MARKET | {"takeProfitOnFill": {}}, "TAKE_PROFIT_ON_FILL_PRICE_MISSING"),
    (MARKET | {"stopLossOnFill": {"price": "x"}}, "STOP_LOSS_ON_FILL_PRICE_INVALID"),
    (MARKET | {"stopLossOnFill": {"price": "1.1", "timeInForce": "GFD"}}, "STOP_LOSS_ON_FILL_TIME_IN_FORCE_INVALID"),
    (MARKET | {"trailingStopLossOnFill": {"distance": "0.1"}}, "TRAILING_STOP_LOSS_ORDERS_NOT_SUPPORTED"),
    ({"type": "LIMIT", "units": "100"}, "PRICE_MISSING"),
    (LIMIT | {"price": "-1"}, "PRICE_INVALID"),
    (LIMIT | {"price": "1.084001"}, "PRICE_PRECISION_EXCEEDED"),
    (LIMIT | {"timeInForce": "GTD"}, "TIME_IN_FORCE_INVALID"),
    (LIMIT | {"priceBound": "1.08"}, "PRICE_BOUND_INVALID"),
    ({"type": "STOP_LOSS", "price": "1.08"}, "TRADE_ID_UNSPECIFIED"),
    ({"type": "STOP_LOSS", "price": "1.08", "tradeID": "77"}, "TRADE_DOESNT_EXIST"),
    ({"type": "TAKE_PROFIT", "price": "1.08", "clientTradeID": "mine"}, "TRADE_DOESNT_EXIST"),
]


@pytest.mark.parametrize(("order", "reason"), REJECTED)
def test_a_refused_order_uses_up_a_transaction_id(talk: Talk, order: Mapping[str, object], reason: str) -> None:
    answer = talk.order(400, **order)
    rejected = answer["orderRejectTransaction"]
    assert (rejected["type"], rejected["rejectReason"]) == (f"{order['type']}_ORDER_REJECT", reason)
    assert (answer["errorCode"], bool(answer["errorMessage"])) == (reason, True)
    assert rejected["id"] == answer["lastTransactionID"] == "4"
    assert talk.order(type="MARKET", units="1")["orderCreateTransaction"]["id"] == "5"


@pytest.mark.parametrize("body", [None, [], {}, {"order": []}, {"order": {"type": "TRAILING_STOP_LOSS"}}])
def test_what_is_no_order_is_refused_without_a_transaction(talk: Talk, body: object) -> None:
    status, answer = talk.ask("POST", "/orders", body)
    assert (status, set(answer)) == (400, {"errorMessage"})
    assert talk.get("/summary")["lastTransactionID"] == "3"


def test_a_client_id_is_taken_while_its_order_is_pending(talk: Talk) -> None:
    talk.order(**LIMIT, clientExtensions={"id": "a-1"})
    answer = talk.order(400, **LIMIT, clientExtensions={"id": "a-1"})
    assert answer["errorCode"] == "CLIENT_ORDER_ID_ALREADY_EXISTS"
    talk.put("/orders/@a-1/cancel")
    again = talk.order(**LIMIT, clientExtensions={"id": "a-1"})
    assert talk.get("/orders/@a-1")["order"]["id"] == again["orderCreateTransaction"]["id"]


def test_a_client_id_with_a_slash_is_escaped_in_a_path(talk: Talk) -> None:
    talk.order(**LIMIT, clientExtensions={"id": "a/b c"})
    assert talk.get("/orders/@a%2Fb%20c")["order"]["clientExtensions"] == {"id": "a/b c"}
    assert talk.ask("GET", "/orders/@a/b c")[0] == 404


def test_a_cancel(talk: Talk) -> None:
    order_id = talk.order(**LIMIT, clientExtensions={"id": "a-1"})["orderCreateTransaction"]["id"]
    cancel = talk.put(f"/orders/{order_id}/cancel")["orderCancelTransaction"]
    assert (cancel["orderID"], cancel["clientOrderID"], cancel["reason"]) == (order_id, "a-1", "CLIENT_REQUEST")
    assert talk.get(f"/orders/{order_id}")["order"]["cancellingTransactionID"] == cancel["id"]
    for specifier in (order_id, "@a-1", "99"):
        answer = talk.put(f"/orders/{specifier}/cancel", expected=404)
        assert answer["orderCancelRejectTransaction"]["rejectReason"] == answer["errorCode"] == "ORDER_DOESNT_EXIST"
    assert kinds(talk.transactions())[-3:] == ["ORDER_CANCEL_REJECT"] * 3


def test_a_replacement_is_a_cancel_and_a_new_order(talk: Talk) -> None:
    old = talk.order(**LIMIT, clientExtensions={"id": "a-1"})["orderCreateTransaction"]["id"]
    terms = {"instrument": "EUR_USD", "units": "250", "price": "1.083", "clientExtensions": {"id": "a-1"}}
    answer = talk.put("/orders/@a-1", {"order": {**LIMIT, **terms}}, expected=201)
    cancel, create = answer["orderCancelTransaction"], answer["orderCreateTransaction"]
    assert (cancel["reason"], cancel["orderID"]) == ("CLIENT_REQUEST_REPLACED", old)
    assert cancel["replacedByOrderID"] == create["id"]
    assert (create["reason"], create["replacesOrderID"], create["units"]) == ("REPLACEMENT", old, "250")
    assert create["batchID"] == cancel["batchID"] == cancel["id"]
    assert talk.get("/orders/@a-1")["order"]["id"] == create["id"]
    assert talk.get(f"/orders/{old}")["order"]["replacedByOrderID"] == create["id"]


def test_a_replacement_that_fills_at_once(talk: Talk) -> None:
    old = talk.order(**LIMIT)["orderCreateTransaction"]["id"]
    answer = talk.put(f"/orders/{old}", {"order": LIMIT | {"instrument": "EUR_USD", "price": "1.09"}}, expected=201)
    assert answer["orderFillTransaction"]["orderID"] == answer["orderCreateTransaction"]["id"]
    assert answer["relatedTransactionIDs"] == ["5", "6", "7"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": "STOP"}, "REPLACING_ORDER_INVALID"),
        ({"units": "-100"}, "REPLACING_ORDER_INVALID"),
        ({"instrument": "GBP_USD"}, "REPLACING_ORDER_INVALID"),
        ({"price": "1.084001"}, "PRICE_PRECISION_EXCEEDED"),
        ({"units": "50000000"}, "INSUFFICIENT_MARGIN"),
    ],
)
def test_a_replacement_that_is_refused_leaves_the_order(talk: Talk, change: dict[str, str], reason: str) -> None:
    old = talk.order(**LIMIT)["orderCreateTransaction"]["id"]
    order = LIMIT | {"instrument": "EUR_USD"} | change
    answer = talk.put(f"/orders/{old}", {"order": order}, expected=400)
    assert answer["orderRejectTransaction"]["rejectReason"] == answer["errorCode"] == reason
    assert talk.get(f"/orders/{old}")["order"]["state"] == "PENDING"
    assert talk.put("/orders/99", {"order": order}, expected=404)["errorCode"] == "ORDER_DOESNT_EXIST"


# --- closing ----------------------------------------------------------------------------------------------------------


def test_trades_are_closed_first_in_first_out(talk: Talk) -> None:
    first = talk.order(type="MARKET", units="100")["orderFillTransaction"]["id"]
    talk.exchange.move("EUR/USD", Decimal("1.08600"))
    second = talk.order(type="MARKET", units="100")["orderFillTransaction"]["id"]
    fill = talk.order(type="MARKET", units="-150")["orderFillTransaction"]
    (closed,), reduced = fill["tradesClosed"], fill["tradeReduced"]
    assert (closed["tradeID"], closed["units"], closed["realizedPL"]) == (first, "-100", "0.0840")
    assert (reduced["tradeID"], reduced["units"], reduced["realizedPL"]) == (second, "-50", "-0.0080")
    assert (fill["pl"], fill["accountBalance"]) == ("0.0760", "100000.0760")
    flip = talk.order(type="MARKET", units="-80")["orderFillTransaction"]
    assert (flip["tradesClosed"][0]["units"], flip["tradeOpened"]["units"]) == ("-50", "-30")
    position = talk.get("/positions/EUR_USD")["position"]
    assert (position["long"]["units"], position["short"]["units"]) == ("0", "-30")


def test_a_trade_is_closed_by_name(talk: Talk) -> None:
    talk.order(type="MARKET", units="100")
    second = talk.order(type="MARKET", units="100", tradeClientExtensions={"id": "mine"})["orderFillTransaction"]["id"]
    answer = talk.put("/trades/@mine/close", {"units": "40"})
    assert answer["orderCreateTransaction"]["tradeClose"] == {"tradeID": second, "units": "40"}
    assert answer["orderFillTransaction"]["reason"] == "MARKET_ORDER_TRADE_CLOSE"
    assert answer["orderFillTransaction"]["tradeReduced"]["tradeID"] == second
    assert talk.put(f"/trades/{second}/close")["orderFillTransaction"]["tradesClosed"][0]["units"] == "-60"
    assert talk.put(f"/trades/{second}/close", expected=404)["errorCode"] == "TRADE_DOESNT_EXIST"
    shown = talk.get(f"/trades/{second}")["trade"]
    assert (shown["state"], shown["currentUnits"], len(shown["closingTransactionIDs"])) == ("CLOSED", "0", 2)
    assert [row["id"] for row in talk.get("/openTrades")["trades"]] == ["5"]
    too_many = talk.put("/trades/5/close", {"units": "101"}, expected=400)
    assert too_many["errorCode"] == "CLOSE_TRADE_UNITS_EXCEED_TRADE_SIZE"
    assert talk.put("/trades/5/close", {"units": "-1"}, expected=400)["errorCode"] == "UNITS_INVALID"


def test_a_position_is_closed(talk: Talk) -> None:
    talk.order(type="MARKET", units="-100")
    body = {"longUnits": "NONE", "shortUnits": "30", "shortClientExtensions": {"id": "c-1"}}
    answer = talk.put("/positions/EUR_USD/close", body)
    assert answer["shortOrderCreateTransaction"]["shortPositionCloseout"] == {"instrument": "EUR_USD", "units": "30"}
    assert answer["shortOrderFillTransaction"]["clientOrderID"] == "c-1"
    assert answer["relatedTransactionIDs"] == ["6", "7"]
    assert "longOrderCreateTransaction" not in answer
    assert talk.put("/positions/EUR_USD/close", {})["shortOrderFillTransaction"]["units"] == "70"
    assert talk.get("/openPositions")["positions"] == []
    assert len(talk.get("/positions")["positions"]) == 1


def test_what_is_not_held_cannot_be_closed(talk: Talk) -> None:
    answer = talk.put("/positions/EUR_USD/close", {"shortUnits": "ALL", "longUnits": "NONE"}, expected=404)
    rejected = answer["shortOrderRejectTransaction"]
    assert rejected["rejectReason"] == answer["errorCode"] == "CLOSEOUT_POSITION_DOESNT_EXIST"
    talk.order(type="MARKET", units="100")
    more = talk.put("/positions/EUR_USD/close", {"longUnits": "101"}, expected=400)
    assert more["errorCode"] == "CLOSEOUT_POSITION_UNITS_EXCEED_POSITION_SIZE"
    assert talk.put("/positions/EUR_XXX/close", {"longUnits": "ALL"}, expected=400).keys() == {"errorMessage"}
    both = {"longUnits": "NONE", "shortUnits": "NONE"}
    assert talk.put("/positions/EUR_USD/close", both, expected=400).keys() == {"errorMessage"}


def test_closing_waits_for_no_closed_market() -> None:
    clock = HandClock()
    talk = Talk(clock=clock)
    talk.order(type="MARKET", units="100")
    clock.pass_s(5 * 86_400)
    answer = talk.put("/positions/EUR_USD/close", {"longUnits": "ALL"})
    assert answer["longOrderCancelTransaction"]["reason"] == "MARKET_HALTED"


# --- orders on trades -------------------------------------------------------------------------------------------------


def test_an_order_comes_with_orders_on_its_trade(talk: Talk) -> None:
    extra = {"takeProfitOnFill": {"price": "1.09"}, "stopLossOnFill": {"price": "1.08"}}
    answer = talk.order(type="MARKET", units="100", **extra)
    assert answer["relatedTransactionIDs"] == ["4", "5", "6", "7"]
    profit, loss = talk.transactions()[-2:]
    assert (profit["type"], profit["tradeID"], profit["reason"]) == ("TAKE_PROFIT_ORDER", "5", "ON_FILL")
    assert (loss["type"], loss["orderFillTransactionID"]) == ("STOP_LOSS_ORDER", "5")
    assert talk.get("/trades/5")["trade"]["takeProfitOrder"]["id"] == "6"
    assert talk.get("/summary")["account"]["pendingOrderCount"] == 2
    talk.exchange.move("EUR/USD", Decimal("1.07990"))
    rows = talk.transactions()[7:]
    assert kinds(rows) == ["ORDER_FILL", "ORDER_CANCEL"]
    assert (rows[0]["reason"], rows[0]["orderID"], rows[0]["tradesClosed"][0]["tradeID"]) == (
        "STOP_LOSS_ORDER",
        "7",
        "5",
    )
    assert (rows[1]["orderID"], rows[1]["reason"]) == ("6", "LINKED_TRADE_CLOSED")


def test_an_order_on_a_trade_is_placed_replaced_and_unique(talk: Talk) -> None:
    talk.order(type="MARKET", units="100")
    stop = {"type": "STOP_LOSS", "tradeID": "5", "price": "1.08"}
    answer = talk.order(**stop)
    assert answer["orderCreateTransaction"]["tradeID"] == "5"
    assert talk.order(400, **stop)["errorCode"] == "STOP_LOSS_ORDER_ALREADY_EXISTS"
    replaced = talk.put("/orders/6", {"order": stop | {"price": "1.081"}}, expected=201)
    assert replaced["orderCreateTransaction"]["price"] == "1.08100"
    talk.put("/positions/EUR_USD/close", {"longUnits": "ALL"})
    assert talk.transactions()[-1]["reason"] == "LINKED_TRADE_CLOSED"


# --- an account that holds both sides ---------------------------------------------------------------------------------


def test_a_hedging_account_holds_both_sides(talk: Talk) -> None:
    talk.account_id = HEDGED_ACCOUNT_ID
    talk.order(type="MARKET", units="100")
    talk.order(type="MARKET", units="-40")
    position = talk.get("/positions/EUR_USD")["position"]
    assert (position["long"]["units"], position["short"]["units"]) == ("100", "-40")
    fill = talk.order(type="MARKET", units="-30", positionFill="REDUCE_ONLY")["orderFillTransaction"]
    assert (fill["tradeReduced"]["tradeID"], "tradeOpened" in fill) == ("5", False)
    assert talk.order(400, type="MARKET", units="1", positionFill="REDUCE_FIRST")["errorCode"] == (
        "ORDER_FILL_POSITION_ACTION_INVALID"
    )
    answer = talk.put("/positions/EUR_USD/close", {"longUnits": "ALL", "shortUnits": "ALL"})
    assert answer["longOrderFillTransaction"]["units"] == "-70"
    assert answer["shortOrderFillTransaction"]["units"] == "40"
    assert answer["relatedTransactionIDs"] == ["11", "12", "13", "14"]
    assert talk.get("/summary")["account"]["hedgingEnabled"] is True


def _shallow() -> PaperExchange:
    """An exchange with one more market, that offers ten units at each price."""
    clock = HandClock()
    chf = Market(
        Instrument(
            "CHF/USD", "CHF_USD", "linear", "CHF", "USD", "USD",
            price_tick=Decimal("0.0001"), quantity_step=Decimal(1), max_leverage=Decimal(1_000),
        ),
        price=Decimal(1), depth=Decimal(10), maker_fee=Decimal(0), taker_fee=Decimal(0),
    )  # fmt: skip
    exchange = PaperExchange([*demo_markets(), chf], clock=clock, random=Random(7))
    exchange.open_account(ACCOUNT, {"USD": Decimal(100_000)})
    exchange.open_account(HEDGED_ACCOUNT, {"USD": Decimal(100_000)}, hedged=True)
    return exchange
