"""Orders at the rehearsal Kite: what is taken, what is refused and why, and how their states read."""

import pytest

from tests.testing.servers.zerodha.talk import FUTURE, LEAD, SHARE, Talk
from trueup.model.numbers import ZERO
from trueup.testing.servers.zerodha.demo import ACCOUNT

LIMIT = {**SHARE, "transaction_type": "BUY", "quantity": "10", "order_type": "LIMIT", "price": "700"}
MARKET = {**SHARE, "transaction_type": "BUY", "quantity": "1", "order_type": "MARKET", "market_protection": "-1"}
STOP = {**FUTURE, "transaction_type": "BUY", "order_type": "SL-M", "trigger_price": "25000", "market_protection": "1"}

REFUSED = [
    ({**MARKET, "market_protection": ""}, "market protection"),
    ({**MARKET, "market_protection": "0"}, "market protection"),
    ({**MARKET, "market_protection": "-2"}, "market_protection"),
    ({**MARKET, "market_protection": "100.5"}, "market_protection"),
    ({**STOP, "market_protection": ""}, "market protection"),
    ({**MARKET, **LEAD, "validity": "IOC"}, "IOC"),
    ({**STOP, "validity": "IOC"}, "validity"),
    ({**MARKET, "validity": "TTL"}, "validity"),
    ({**MARKET, **FUTURE, "quantity": "30"}, "multiple of 65"),
    ({**MARKET, "quantity": "1.5"}, "quantity"),
    ({**MARKET, "quantity": "0"}, "quantity"),
    ({**MARKET, "quantity": "-1"}, "quantity"),
    ({**MARKET, "quantity": "many"}, "quantity"),
    ({**MARKET, "tradingsymbol": "NOBODY"}, "does not exist"),
    ({**MARKET, "exchange": ""}, "exchange"),
    ({**MARKET, "product": "NRML"}, "product"),
    ({**MARKET, **FUTURE, "product": "CNC"}, "product"),
    ({**MARKET, "transaction_type": "HOLD"}, "transaction_type"),
    ({**MARKET, "order_type": "STOP"}, "order_type"),
    ({**MARKET, "tag": "twenty-one-characters"}, "tag"),
    ({**LIMIT, "price": ""}, "price"),
    ({**LIMIT, "price": "700.01"}, "Tick size"),
    ({**STOP, "trigger_price": ""}, "trigger_price"),
]


@pytest.mark.parametrize(("form", "says"), REFUSED)
def test_what_is_not_an_order_is_refused_and_leaves_nothing(form: dict[str, str], says: str) -> None:
    talk = Talk()
    status, kind, message = talk.refused("POST", "/orders/regular", **form)
    assert (status, kind) == (400, "InputException")
    assert says in message
    assert talk.get("/orders") == []


@pytest.mark.parametrize("variety", ["amo", "co", "iceberg", "auction", "nothing"])
def test_only_regular_orders_are_served(variety: str) -> None:
    assert Talk().refused("POST", f"/orders/{variety}", **MARKET)[:2] == (400, "InputException")


def test_a_market_order_becomes_a_limit_at_its_protection_and_trades() -> None:
    talk = Talk()
    row = talk.state(talk.order(quantity="3", tag="mine", market_protection="0.5"))
    assert (row["status"], row["order_type"], float(row["price"])) == ("COMPLETE", "LIMIT", 784.4)
    assert (row["tag"], row["tags"]) == ("mine", ["mine", "mktp", "mktp:0.50"])
    assert (row["filled_quantity"], row["pending_quantity"], row["cancelled_quantity"]) == (3, 0, 0)
    (trade,) = talk.get(f"/orders/{row['order_id']}/trades")
    assert (trade["quantity"], trade["average_price"]) == (3, row["average_price"])
    sold = talk.state(talk.order(transaction_type="SELL", market_protection="0.5"))
    assert float(sold["price"]) == 776.55


def test_what_the_protection_does_not_reach_rests() -> None:
    talk = Talk()
    row = talk.state(talk.order(quantity="1200", market_protection="0.03"))
    assert (row["status"], row["filled_quantity"], row["pending_quantity"]) == ("OPEN", 1_000, 200)
    assert [told["filled_quantity"] for told in talk.get(f"/orders/{row['order_id']}")] == [0, 0, 0, 0, 1_000]


def test_an_order_keeps_its_id_while_it_is_changed_filled_in_part_and_cancelled() -> None:
    talk = Talk()
    order_id = talk.order(**LIMIT, tag="a tag")
    assert talk.ask("PUT", f"/orders/regular/{order_id}", {"quantity": "1500", "price": "650"})[1]["data"] == {
        "order_id": order_id
    }
    talk.exchange.move("NSE.SBIN.CNC/INR", talk.state(order_id)["price"] - ZERO - 1)
    row = talk.state(order_id)
    assert (row["status"], row["modified"], row["quantity"], row["filled_quantity"]) == ("OPEN", True, 1_500, 1_000)
    assert talk.refused("PUT", f"/orders/regular/{order_id}", quantity="1000")[1] == "InputException"
    assert talk.refused("PUT", f"/orders/regular/{order_id}", order_type="MARKET")[1] == "InputException"
    talk.ask("PUT", f"/orders/regular/{order_id}", {"quantity": "1200", "price": "600"})
    row = talk.state(order_id)
    assert (row["quantity"], row["pending_quantity"], row["tag"]) == (1_200, 200, "a tag")
    assert talk.ask("DELETE", f"/orders/regular/{order_id}")[0] == 200
    row = talk.state(order_id)
    assert (row["status"], row["filled_quantity"], row["cancelled_quantity"]) == ("CANCELLED", 1_000, 200)
    assert len(talk.get("/orders")) == 1
    words = [told["status"] for told in talk.get(f"/orders/{order_id}")]
    assert words == [
        *("PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN"),
        *("MODIFY VALIDATION PENDING", "MODIFY PENDING", "OPEN PENDING", "OPEN"),
        "OPEN",
        *("MODIFY VALIDATION PENDING", "MODIFY PENDING", "OPEN PENDING", "OPEN"),
        *("CANCEL PENDING", "CANCELLED"),
    ]
    for method in ("PUT", "DELETE"):
        status, kind, message = talk.refused(method, f"/orders/regular/{order_id}", price="1")
        assert (status, kind) == (400, "OrderException")
        assert "as it is being processed" in message


def test_what_cannot_be_paid_for_is_taken_and_then_rejected() -> None:
    talk = Talk()
    row = talk.state(talk.order(**{**LIMIT, "quantity": "100000"}))
    assert (row["status"], row["exchange_order_id"], row["pending_quantity"]) == ("REJECTED", None, 0)
    assert row["status_message"].startswith("Insufficient funds")
    short = talk.state(talk.order(transaction_type="SELL"))
    assert (short["status"], short["status_message"]) == ("REJECTED", "Insufficient stock holding for this order.")
    margin = talk.state(talk.order(**{**FUTURE, "quantity": "650", "transaction_type": "SELL"}))
    assert (margin["status"], margin["status_message"][:18]) == ("REJECTED", "Insufficient funds")
    assert talk.exchange.truth(ACCOUNT).trade_ids == ()


def test_a_change_that_cannot_be_paid_for_is_taken_and_the_order_stays() -> None:
    talk = Talk()
    order_id = talk.order(**LIMIT)
    assert talk.ask("PUT", f"/orders/regular/{order_id}", {"quantity": "100000"})[0] == 200
    row = talk.state(order_id)
    assert (row["status"], row["quantity"], bool(row["status_message"])) == ("OPEN", 10, True)


def test_stops_wait_for_their_trigger() -> None:
    talk = Talk()
    market, limit = talk.order(**STOP), talk.order(**{**STOP, "order_type": "SL", "price": "25100"})
    assert {talk.state(order_id)["status"] for order_id in (market, limit)} == {"TRIGGER PENDING"}
    talk.exchange.move("NFO.NIFTY30DECFUT.NRML/INR:INR", talk.state(market)["trigger_price"] + ZERO)
    assert {talk.state(order_id)["status"] for order_id in (market, limit)} == {"COMPLETE"}
    assert {talk.state(order_id)["order_type"] for order_id in (market, limit)} == {"SL", "SL-M"}


def test_at_once_or_not_at_all() -> None:
    talk = Talk()
    assert talk.state(talk.order(**LIMIT, validity="IOC"))["status"] == "CANCELLED"


def test_an_order_may_be_on_its_way_for_a_while() -> None:
    talk = Talk(transit_s=0.5)
    traded, resting = talk.order(), talk.order(**LIMIT)
    assert [talk.state(order_id)["status"] for order_id in (traded, resting)] == ["OPEN PENDING", "OPEN PENDING"]
    states = talk.get(f"/orders/{traded}")
    assert (len(states), {row["filled_quantity"] for row in states}) == (3, {0})
    assert (
        {row["exchange_order_id"] for row in states} == {row["exchange_update_timestamp"] for row in states} == {None}
    )
    talk.clock.pass_s(0.6)
    assert [talk.state(order_id)["status"] for order_id in (traded, resting)] == ["COMPLETE", "OPEN"]
    talk.ask("DELETE", f"/orders/regular/{resting}")
    assert talk.state(resting)["status"] == "CANCEL PENDING"
    assert talk.refused("DELETE", f"/orders/regular/{resting}")[1] == "OrderException"
    talk.clock.pass_s(0.6)
    assert talk.state(resting)["status"] == "CANCELLED"


def test_who_trades_by_hand_shows_too_and_is_not_the_app() -> None:
    talk = Talk()
    talk.exchange.trade_by_hand(ACCOUNT, "MCX.LEADMINI30DECFUT.NRML/INR:INR", "sell", ZERO + 2)
    (row,) = talk.get("/orders")
    assert (row["tradingsymbol"], row["transaction_type"], row["status"]) == ("LEADMINI30DECFUT", "SELL", "COMPLETE")
    assert not talk.server._rooms[talk.app.api_key].books.pushes[0].app_placed


def test_an_order_or_a_market_that_is_closed_is_not_found() -> None:
    talk = Talk()
    assert talk.refused("GET", "/orders/1")[:2] == (400, "OrderException")
    assert talk.refused("GET", "/orders/1/trades")[:2] == (400, "OrderException")
    assert talk.refused("DELETE", "/orders/regular/1")[:2] == (400, "OrderException")
    talk.clock.pass_s(6 * 3_600)
    assert talk.refused("POST", "/orders/regular", **MARKET)[2].startswith("The market is closed")
    assert talk.order(**{**MARKET, **LEAD}), "commodities trade until late"
