"""Days at the rehearsal Kite: what a morning clears out, what it carries on, and what the broker closes."""

from decimal import Decimal
from random import Random

import msgspec
import pytest

from tests.testing.servers.kit.ticking import HandClock
from tests.testing.servers.zerodha.talk import FUTURE, LEAD, MORNING, SHARE, Row, Talk
from trueup.model.errors import BadInput
from trueup.testing.servers.zerodha.demo import ACCOUNT, demo_markets
from trueup.testing.servers.zerodha.hours import always
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.faults import FaultPlan, Outage, TimeOut
from trueup.venues.paper.markets import usual_markets

D = Decimal
SBIN, NIFTY = "NSE.SBIN.CNC/INR", "NFO.NIFTY30DECFUT.NRML/INR:INR"
HOUR_S = 3_600


def holding(talk: Talk, name: str = "SBIN") -> Row:
    found: Row = next(row for row in talk.get("/portfolio/holdings") if row["tradingsymbol"] == name)
    return found


def counts(row: Row) -> tuple[int, int, int, int]:
    return row["quantity"], row["t1_quantity"], row["used_quantity"], row["opening_quantity"]


def test_orders_and_trades_are_gone_in_the_morning_and_not_before() -> None:
    talk = Talk()
    order_id = talk.order()
    talk.clock.pass_s(20 * HOUR_S - 1)
    assert len(talk.get("/orders")) == len(talk.get("/trades")) == 1
    talk.clock.pass_s(1)
    talk.log_in()
    assert talk.get("/orders") == talk.get("/trades") == []
    assert talk.refused("GET", f"/orders/{order_id}")[1] == "OrderException"
    talk.clock.pass_s(4 * HOUR_S)
    new = talk.order(**LEAD)
    assert [row["order_id"] for row in talk.get("/orders")] == [new]
    assert new > order_id
    assert talk.get("/trades")[0]["trade_id"] == "10000002"


def test_shares_bought_are_a_position_then_t1_then_settled() -> None:
    talk = Talk()
    talk.order(quantity="10")
    assert talk.held("NSE", "SBIN", "CNC")["quantity"] == 10
    assert [row["tradingsymbol"] for row in talk.get("/portfolio/holdings")] == ["INFY"]
    talk.next_day()
    assert talk.get("/portfolio/positions") == {"net": [], "day": []}
    assert counts(holding(talk)) == (0, 10, 0, 10)
    assert holding(talk)["average_price"] == D("780.7")
    talk.order(quantity="4", market_protection="1")
    assert counts(holding(talk)) == (0, 10, 0, 10), "what is bought today is a position"
    talk.next_day()
    assert counts(holding(talk)) == (10, 4, 0, 14)
    talk.order(quantity="11", transaction_type="SELL")
    assert counts(holding(talk)) == (0, 3, 11, 14), "settled shares go first"
    row = talk.held("NSE", "SBIN", "CNC")
    assert (row["quantity"], row["overnight_quantity"], row["day_sell_quantity"]) == (-11, 0, 11)
    talk.next_day()
    assert counts(holding(talk)) == (3, 0, 0, 3)
    talk.order(quantity="3", transaction_type="SELL")
    talk.next_day()
    assert [row["tradingsymbol"] for row in talk.get("/portfolio/holdings")] == ["INFY"]


def test_two_days_nobody_looked_are_two_days() -> None:
    talk = Talk()
    talk.order(quantity="10")
    talk.clock.pass_s(48 * HOUR_S)
    talk.log_in()
    assert counts(holding(talk)) == (10, 0, 0, 10)


def test_shares_and_cash_are_what_the_exchange_says() -> None:
    talk = Talk()
    talk.exchange.deposit(ACCOUNT, "INR@equity", D(500))
    talk.order(quantity="10")
    talk.order(**FUTURE)
    talk.exchange.move(NIFTY, D(24_600))
    talk.order(**FUTURE, transaction_type="SELL")
    cash = talk.get("/user/margins/equity")["available"]
    assert (cash["cash"], cash["opening_balance"], cash["intraday_payin"]) == (1_000_500, 0, 1_000_500)
    for _ in range(2):
        talk.next_day()
        cash = talk.get("/user/margins/equity")["available"]
        truth = talk.exchange.truth(ACCOUNT).balances
        assert cash["cash"] == cash["opening_balance"] == truth["INR@equity"]
        assert sum(counts(holding(talk))[:2]) == truth["NSE.SBIN.CNC@equity"] == 10


def test_futures_are_carried_at_what_they_cost_and_marked_to_the_close() -> None:
    talk = Talk()
    talk.order(**LEAD, quantity="2")
    talk.exchange.move("MCX.LEADMINI30DECFUT.NRML/INR:INR", D(185))
    talk.get("/orders")
    talk.next_day()
    talk.exchange.move("MCX.LEADMINI30DECFUT.NRML/INR:INR", D(190))
    row = talk.held("MCX", "LEADMINI30DECFUT", "NRML")
    assert (row["quantity"], row["overnight_quantity"], row["multiplier"]) == (2, 2, 1_000)
    assert (row["average_price"], row["close_price"], row["last_price"]) == (D("180.2"), 185, 190)
    assert (row["pnl"], row["m2m"], row["buy_value"]) == (19_600, 10_000, 360_400)
    assert talk.get("/portfolio/positions")["day"] == []
    talk.order(**LEAD, transaction_type="SELL", quantity="3")
    row = talk.held("MCX", "LEADMINI30DECFUT", "NRML")
    assert (row["quantity"], row["average_price"]) == (-1, row["sell_price"])
    assert talk.held("MCX", "LEADMINI30DECFUT", "NRML", "day")["quantity"] == -3


def test_what_is_for_the_day_is_closed_by_the_broker_in_the_afternoon() -> None:
    talk = Talk()
    talk.order(**{**SHARE, "product": "MIS"}, quantity="5")
    talk.order(quantity="5")
    talk.clock.pass_s(5 * HOUR_S + 19 * 60)
    assert talk.held("NSE", "SBIN", "MIS")["quantity"] == 5
    talk.clock.pass_s(60)
    assert (talk.held("NSE", "SBIN", "MIS")["quantity"], talk.held("NSE", "SBIN", "CNC")["quantity"]) == (0, 5)
    row = talk.get("/orders")[-1]
    assert (row["placed_by"], row["transaction_type"], row["product"]) == ("ADMINSQF", "SELL", "MIS")
    assert talk.exchange.truth(ACCOUNT).positions == {}


def test_what_still_waits_in_the_evening_is_cancelled() -> None:
    talk = Talk()
    order_id = talk.order(order_type="LIMIT", price="700")
    talk.clock.pass_s(14 * HOUR_S)
    assert talk.state(order_id)["status"] == "CANCELLED"
    forgotten = Talk()
    forgotten.order(order_type="LIMIT", price="700")
    forgotten.next_day()
    assert forgotten.get("/orders") == []
    assert forgotten.exchange.snapshot(ACCOUNT).open_orders == {}


def test_prices_of_the_day_begin_anew_and_remember_the_close() -> None:
    talk = Talk()
    for price in (790, 770, 785):
        talk.exchange.move(SBIN, D(price))
        talk.get("/orders")
    ohlc = talk.get("/quote/ohlc?i=NSE:SBIN")["NSE:SBIN"]["ohlc"]
    assert (ohlc["open"], ohlc["high"], ohlc["low"], ohlc["close"]) == (D("780.5"), 790, 770, 0)
    talk.clock.pass_s(24 * HOUR_S)
    talk.log_in()
    talk.exchange.move(SBIN, D(800))
    quote = talk.get("/quote?i=NSE:SBIN&i=NSE:NOBODY")
    assert set(quote) == {"NSE:SBIN"}
    assert (quote["NSE:SBIN"]["ohlc"]["close"], quote["NSE:SBIN"]["net_change"]) == (785, 15)


def test_who_is_ruined_is_sold_out_by_the_broker() -> None:
    talk = Talk()
    talk.order(**{**FUTURE, "quantity": "260"})
    talk.exchange.move(NIFTY, D(21_000))
    row = talk.get("/orders")[-1]
    assert (row["placed_by"], row["transaction_type"], row["filled_quantity"]) == ("ADMINSQF", "SELL", 260)
    assert talk.held("NFO", "NIFTY30DECFUT", "NRML")["quantity"] == 0
    assert talk.get("/user/margins/equity")["utilised"]["m2m_realised"] == (21_000 - D("24500.2")) * 260


def test_funding_where_a_market_has_it_is_money_of_the_day() -> None:
    clock = HandClock(MORNING)
    markets = [msgspec.structs.replace(market, funding_rate=D("0.001")) for market in demo_markets()]
    exchange = PaperExchange(markets, clock=clock, random=Random(1))
    exchange.open_account(ACCOUNT, {"INR@equity": D(1_000_000)})
    talk = Talk(exchange=exchange, clock=clock)
    talk.order(**FUTURE)
    clock.pass_s(2 * HOUR_S)
    exchange.advance()
    talk.order(**FUTURE, transaction_type="SELL")
    talk.next_day()
    assert talk.get("/user/margins/equity")["available"]["cash"] == exchange.truth(ACCOUNT).balances["INR@equity"]


def test_a_market_that_kite_could_not_list_is_refused() -> None:
    clock = HandClock(MORNING)
    with pytest.raises(BadInput, match="not what Kite could list"):
        Talk(exchange=PaperExchange(usual_markets(), clock=clock, random=Random(1)), clock=clock)


# --- conversions ------------------------------------------------------------------------------------------------------


CONVERT = {"exchange": "NSE", "tradingsymbol": "SBIN", "transaction_type": "BUY", "position_type": "day"}


def test_a_conversion_moves_a_position_without_a_trade() -> None:
    talk = Talk()
    talk.order(**{**SHARE, "product": "MIS"}, quantity="5")
    form = {**CONVERT, "quantity": "3", "old_product": "MIS", "new_product": "CNC"}
    status, row = talk.ask("PUT", "/portfolio/positions", form)
    assert (status, row["data"]) == (200, True)
    assert talk.held("NSE", "SBIN", "MIS")["quantity"] == 2
    delivered = talk.held("NSE", "SBIN", "CNC")
    assert (delivered["quantity"], delivered["average_price"]) == (3, D("780.7"))
    assert len(talk.get("/trades")) == 1
    truth = talk.exchange.truth(ACCOUNT)
    assert (truth.positions, truth.balances["NSE.SBIN.CNC@equity"]) == ({"NSE.SBIN.MIS/INR:INR": D(2)}, D(3))
    talk.clock.pass_s(6 * HOUR_S)
    assert talk.held("NSE", "SBIN", "MIS")["quantity"] == 0, "the broker closed the rest"
    talk.next_day()
    assert counts(holding(talk)) == (0, 3, 0, 3)
    cash = talk.get("/user/margins/equity")["available"]["cash"]
    assert cash == talk.exchange.truth(ACCOUNT).balances["INR@equity"]


def test_what_was_carried_overnight_is_converted_as_such() -> None:
    talk = Talk()
    talk.order(**FUTURE, transaction_type="SELL")
    talk.next_day()
    form = {"exchange": "NFO", "tradingsymbol": "NIFTY30DECFUT", "transaction_type": "SELL", "quantity": "65"}
    form |= {"old_product": "NRML", "new_product": "MIS"}
    assert talk.refused("PUT", "/portfolio/positions", **form, position_type="day")[1] == "InputException"
    assert talk.ask("PUT", "/portfolio/positions", {**form, "position_type": "overnight"})[0] == 200
    assert talk.held("NFO", "NIFTY30DECFUT", "MIS")["overnight_quantity"] == -65
    assert [row["product"] for row in talk.get("/portfolio/positions")["net"]] == ["MIS"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"quantity": "6"},
        {"quantity": ""},
        {"transaction_type": "SELL"},
        {"transaction_type": ""},
        {"position_type": "overnight"},
        {"position_type": ""},
        {"new_product": "MIS"},
        {"new_product": "NRML"},
        {"tradingsymbol": "NOBODY"},
    ],
)
def test_what_is_not_there_is_not_converted(wrong: dict[str, str]) -> None:
    talk = Talk()
    talk.order(**{**SHARE, "product": "MIS"}, quantity="5")
    form = {**CONVERT, "quantity": "5", "old_product": "MIS", "new_product": "CNC", **wrong}
    assert talk.refused("PUT", "/portfolio/positions", **form)[:2] == (400, "InputException")


def test_a_conversion_that_cannot_be_paid_for_is_refused() -> None:
    talk = Talk()
    talk.order(**{**SHARE, "product": "MIS"}, quantity="2000")
    form = {**CONVERT, "quantity": "2000", "old_product": "MIS", "new_product": "CNC"}
    assert talk.refused("PUT", "/portfolio/positions", **form)[2].startswith("Insufficient funds")
    assert talk.held("NSE", "SBIN", "MIS")["quantity"] == 2_000


# --- faults of the exchange -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("placed", [True, False])
def test_an_order_whose_answer_is_lost_inside_may_exist(*, placed: bool) -> None:
    clock = HandClock(MORNING)
    plan = FaultPlan((TimeOut(account=ACCOUNT, placed=placed),))
    exchange = PaperExchange(demo_markets(), clock=clock, random=Random(1), plan=plan)
    exchange.open_account(ACCOUNT, {"INR@equity": D(1_000_000)})
    talk = Talk(exchange=exchange, clock=clock)
    form = {**SHARE, "transaction_type": "BUY", "quantity": "1", "order_type": "LIMIT", "price": "700", "tag": "lost"}
    assert talk.refused("POST", "/orders/regular", **form)[:2] == (502, "DataException")
    assert [(row["tag"], row["status"]) for row in talk.get("/orders")] == ([("lost", "OPEN")] if placed else [])


def test_while_the_exchange_is_down_kite_says_that_it_cannot_be_reached() -> None:
    clock = HandClock(MORNING)
    plan = FaultPlan((Outage(account=ACCOUNT, for_ms=1_000),))
    exchange = PaperExchange(demo_markets(), clock=clock, random=Random(1), plan=plan)
    exchange.open_account(ACCOUNT, {"INR@equity": D(1_000_000)})
    talk = Talk(exchange=exchange, clock=clock, hours=always)
    exchange.advance()
    assert talk.refused("GET", "/orders")[:2] == (503, "NetworkException")
    clock.pass_s(2)
    assert talk.get("/orders") == []
