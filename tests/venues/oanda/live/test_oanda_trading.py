"""Orders: what goes out, and what of the answers is the outcome."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TypeVar

import pytest

from tests.venues.oanda.live.loopback import BASE, RECORDED, Answer, Loopback, Row, connected, transaction
from trueup.model.errors import (
    AuthenticationFailed,
    BadInput,
    Malformed,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
)
from trueup.model.events import OrderReported
from trueup.model.identifiers import Side
from trueup.model.orders import Amendment, OrderRequest
from trueup.venues.oanda import finding
from trueup.venues.oanda.calls import by_client_id, order_body
from trueup.venues.oanda.errors import NotThere
from trueup.venues.oanda.live import OandaVenue

T = TypeVar("T")

LIMIT = OrderRequest("EUR/USD", "buy", Decimal(100), "c-1", "limit", Decimal("1.05"), time_in_force="gtc")
MARKET = OrderRequest("EUR/USD", "sell", Decimal(100), "c-2")
POST, PUT = f"POST {BASE}/orders", f"PUT {BASE}/orders"


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "SETTLE_S", 0.0)


def run(loopback: Loopback, tale: Callable[[OandaVenue], Awaitable[T]], **more: object) -> T:
    async def connecting() -> T:
        async with connected(loopback, **more) as venue:
            return await tale(venue)

    return asyncio.run(connecting())


def told(loopback: Loopback, tale: Callable[[OandaVenue], Awaitable[OrderReported | None]]) -> OrderReported:
    report = run(loopback, tale)
    assert report is not None
    return report


def created(number: int, kind: str = "LIMIT_ORDER", **fields: object) -> Row:
    terms = {"instrument": "EUR_USD", "units": "100", "price": "1.05000", "timeInForce": "GTC"}
    return transaction(number, kind, **{**terms, "clientExtensions": {"id": "c-1"}, **fields})


def filled(number: int, order: int, units: str = "100") -> Row:
    opened = {"tradeID": str(number), "units": units, "price": "1.05"}
    more = {"price": "1.05", "pl": "0", "accountBalance": "9998.75", "tradeOpened": opened, "instrument": "EUR_USD"}
    return transaction(number, "ORDER_FILL", orderID=str(order), clientOrderID="c-1", units=units, **more)


def canceled(number: int, order: int, reason: str = "CLIENT_REQUEST") -> Row:
    return transaction(number, "ORDER_CANCEL", orderID=str(order), clientOrderID="c-1", reason=reason)


def pending(number: int, **fields: object) -> Row:
    terms = {"instrument": "EUR_USD", "units": "100", "price": "1.05000", "timeInForce": "GTC", "type": "LIMIT"}
    ours = {"clientExtensions": {"id": "c-1"}, "positionFill": "DEFAULT", "triggerCondition": "DEFAULT"}
    return {"id": str(number), "createTime": "2026-03-03T09:00:00Z", "state": "PENDING", **terms, **ours, **fields}


def placed(answer: Answer, request: OrderRequest = LIMIT) -> OrderReported:
    loopback = Loopback()
    loopback.say(POST, answer)
    return run(loopback, lambda venue: venue.place(request))


# --- what goes out ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        (LIMIT, {"type": "LIMIT", "units": "100", "price": "1.05", "timeInForce": "GTC", "positionFill": "DEFAULT"}),
        (MARKET, {"type": "MARKET", "units": "-100", "timeInForce": "FOK", "positionFill": "DEFAULT"}),
        (
            OrderRequest("EUR/USD", "sell", Decimal("0.50"), "c-1", time_in_force="ioc", reduce_only=True),
            {"type": "MARKET", "units": "-0.5", "timeInForce": "IOC", "positionFill": "REDUCE_ONLY"},
        ),
        (
            OrderRequest("EUR/USD", "sell", Decimal(1), "c-1", "stop", trigger_price=Decimal("1.01"), reduce_only=True),
            {"type": "STOP", "units": "-1", "price": "1.01", "timeInForce": "GTC", "positionFill": "REDUCE_ONLY"},
        ),
        (
            OrderRequest("EUR/USD", "sell", Decimal(1), "c-1", "take_profit", trigger_price=Decimal("1.2")),
            {
                "type": "MARKET_IF_TOUCHED",
                "units": "-1",
                "price": "1.2",
                "timeInForce": "GTC",
                "positionFill": "DEFAULT",
            },
        ),
    ],
)
def test_an_order_goes_out_as_oanda_takes_it(request_: OrderRequest, body: dict[str, str]) -> None:
    ours = {"instrument": "EUR_USD", "clientExtensions": {"id": request_.client_order_id}}
    assert order_body(request_, hedging=False) == {**body, **ours}


@pytest.mark.parametrize(
    ("side", "position_side", "reduce_only", "fill"),
    [
        ("buy", "long", False, "OPEN_ONLY"),
        ("sell", "long", False, "REDUCE_ONLY"),
        ("sell", "short", False, "OPEN_ONLY"),
        ("buy", "short", True, "REDUCE_ONLY"),
        ("buy", "long", True, None),
        ("sell", "short", True, None),
    ],
)
def test_an_order_for_one_side_never_touches_the_other(
    side: Side, position_side: str, reduce_only: bool, fill: str | None
) -> None:
    request = OrderRequest("EUR/USD", side, Decimal(1), reduce_only=reduce_only, position_side=position_side)
    if fill is None:
        with pytest.raises(Rejected, match="adds to the"):
            order_body(request, hedging=True)
    else:
        assert order_body(request, hedging=True)["positionFill"] == fill
    with pytest.raises(Rejected, match="nets its positions"):
        order_body(request, hedging=False)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (OrderRequest("EUR/USD", "buy", Decimal(1), order_type="stop_limit"), "order_type"),
        (OrderRequest("EUR/USD", "buy", Decimal(1), "", "limit", Decimal(1), time_in_force="post_only"), "time_in_for"),
        (OrderRequest("EUR/USD", "buy", Decimal(1), time_in_force="gtc"), "time_in_force"),
        (OrderRequest("EUR/USD", "buy", Decimal(1), order_type="limit"), "price"),
        (OrderRequest("EUR/USD", "buy", Decimal(1), price=Decimal(1)), "price"),
        (OrderRequest("EUR/USD", "buy", Decimal(1), order_type="stop"), "trigger_price"),
        (OrderRequest("../x", "buy", Decimal(1)), "instrument"),
    ],
)
def test_what_oanda_has_no_form_for_is_refused_before_it_is_sent(request_: OrderRequest, field: str) -> None:
    loopback = Loopback()
    with pytest.raises(Rejected, match=field):
        run(loopback, lambda venue: venue.place(request_))
    assert not any(one.startswith("POST") for one in loopback.requests)


def test_without_a_token_an_order_is_not_sent() -> None:
    loopback = Loopback()
    with pytest.raises(AuthenticationFailed):
        run(loopback, lambda venue: venue.place(LIMIT), token=None)
    assert loopback.requests == []


@pytest.mark.parametrize("ours", ["a/b", "a b", "ä?#%2F", "../../orders", "@x"])
def test_a_client_id_is_escaped_in_a_path(ours: str) -> None:
    loopback = Loopback()
    loopback.orders[f"@{ours}"] = pending(19, clientExtensions={"id": ours})
    found = told(loopback, lambda venue: venue.find(ours))
    assert (found.venue_order_id, found.client_order_id) == ("19", ours)
    (line,) = [one for one in loopback.requests if "/orders/" in one]
    path = line.removeprefix(f"GET {BASE}/orders/")
    assert path == by_client_id(ours)
    assert not set(path[1:]) & set("/ ?#@")


# --- placing ----------------------------------------------------------------------------------------------------------


def test_a_resting_order_is_reported_open() -> None:
    report = placed((201, {"orderCreateTransaction": created(19), "lastTransactionID": "19"}))
    assert (report.venue_order_id, report.client_order_id, report.status) == ("19", "c-1", "open")
    assert (report.quantity, report.price, report.filled) == (Decimal(100), Decimal("1.05"), Decimal(0))


def test_an_order_that_is_filled_at_once_is_reported_filled() -> None:
    rows = {"orderCreateTransaction": created(19, "MARKET_ORDER"), "orderFillTransaction": filled(20, 19)}
    report = placed((201, {**rows, "lastTransactionID": "20"}))
    assert (report.status, report.filled, report.report_id) == ("filled", Decimal(100), "20")


@pytest.mark.parametrize("reason", ["MARKET_HALTED", "INSUFFICIENT_MARGIN", "INSUFFICIENT_LIQUIDITY", "FIFO_VIOLATION"])
def test_a_201_that_was_cancelled_is_a_refusal(reason: str) -> None:
    rows = {"orderCreateTransaction": created(19, "MARKET_ORDER"), "orderCancelTransaction": canceled(20, 19, reason)}
    with pytest.raises(Rejected) as refusal:
        placed((201, {**rows, "lastTransactionID": "20"}), MARKET)
    assert refusal.value.venue_code == reason


@pytest.mark.parametrize("reason", ["TIME_IN_FORCE_EXPIRED", "INSUFFICIENT_LIQUIDITY", "BOUNDS_VIOLATION"])
def test_an_order_for_now_or_never_ends_on_its_own_terms(reason: str) -> None:
    rows = {"orderCreateTransaction": created(19), "orderCancelTransaction": canceled(20, 19, reason)}
    request = OrderRequest("EUR/USD", "buy", Decimal(100), "c-1", "limit", Decimal("1.05"), time_in_force="ioc")
    report = placed((201, {**rows, "lastTransactionID": "20"}), request)
    assert report.status == ("expired" if reason == "TIME_IN_FORCE_EXPIRED" else "canceled")
    assert report.filled == 0


def test_what_was_filled_before_the_rest_was_cancelled_counts() -> None:
    rows = {
        "orderCreateTransaction": created(19, "MARKET_ORDER"),
        "orderFillTransaction": filled(20, 19, "40"),
        "orderCancelTransaction": canceled(21, 19, "INSUFFICIENT_LIQUIDITY"),
    }
    report = placed((201, {**rows, "lastTransactionID": "21"}), MARKET)
    assert (report.status, report.filled) == ("canceled", Decimal(40))


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers are not beside this checkout")
def test_the_recorded_refusal_keeps_the_venues_words() -> None:
    body = json.loads((RECORDED / "order-error-order_rejected.json").read_bytes())
    with pytest.raises(Rejected) as refusal:
        placed((400, body))
    assert refusal.value.venue_code == "PRICE_PRECISION_EXCEEDED"
    assert refusal.value.venue_text.startswith("The price specified contains more precision")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((400, {"errorMessage": "Invalid value specified for 'instrument'"}), Rejected),
        ((401, {"errorMessage": "Insufficient authorization to perform request."}), AuthenticationFailed),
        ((403, {"errorMessage": "forbidden"}), AuthenticationFailed),
        ((404, {"errorCode": "ACCOUNT_DOESNT_EXIST", "errorMessage": "none"}), NotThere),
        ((405, {"errorMessage": "Method Not Allowed"}), Rejected),
        ((408, {}), OutcomeUnknown),
        ((429, {"errorMessage": "too many"}), RateLimited),
        ((500, {"errorMessage": "oops"}), OutcomeUnknown),
        ((502, b"<html>bad gateway</html>"), OutcomeUnknown),
        ((503, {"errorMessage": "maintenance"}), OutcomeUnknown),
        ((302, b""), OutcomeUnknown),
        ((201, b"<html>"), OutcomeUnknown),
        ((201, {"lastTransactionID": "19"}), OutcomeUnknown),
        ((201, {"orderCreateTransaction": {"id": "19"}}), OutcomeUnknown),
        ((0, b""), OutcomeUnknown),  # hung up without a word
    ],
)
def test_the_table_of_a_write(answer: Answer, error: type[Exception]) -> None:
    loopback = Loopback()
    loopback.say(POST, answer)
    with pytest.raises(error) as raised:
        run(loopback, lambda venue: venue.place(LIMIT))
    assert type(raised.value) is error
    assert sum(one.startswith("POST") for one in loopback.requests) == 1  # never again by itself


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((400, {"errorMessage": "no"}), Rejected),
        ((401, {"errorMessage": "no"}), AuthenticationFailed),
        ((403, {"errorMessage": "no"}), AuthenticationFailed),
        ((405, {"errorMessage": "no"}), Rejected),
        ((416, {"errorMessage": "no"}), Rejected),
    ],
)
def test_the_table_of_a_read(answer: Answer, error: type[Exception]) -> None:
    loopback = Loopback()
    loopback.say(f"GET {BASE}/instruments", answer)
    with pytest.raises(error):
        run(loopback, lambda venue: venue.instruments())
    assert len(loopback.requests) == 1


@pytest.mark.parametrize("answer", [(503, {}), (429, {}), (0, b"")])
def test_a_read_that_may_be_asked_again_is(answer: Answer) -> None:
    loopback = Loopback()
    loopback.say(f"GET {BASE}/instruments", answer)
    assert len(run(loopback, lambda venue: venue.instruments())) == 2


def test_a_token_of_the_other_environment_is_explained() -> None:
    from trueup.venues.oanda.errors import pairing

    told = pairing("101-004-1234567-001", "https://api-fxtrade.oanda.com")
    assert (
        told == "Account 101-004-1234567-001 looks like a practice account, and this address is the live environment."
    )
    assert "practice environment" in pairing("101-004-1234567-001", "https://api-fxpractice.oanda.com")
    loopback = Loopback()
    loopback.say("GET /v3/accounts", (401, {"errorMessage": "Insufficient authorization to perform request."}))
    with pytest.raises(AuthenticationFailed, match="tokens of their own") as refusal:
        run(loopback, lambda venue: venue.check())
    assert refusal.value.venue_text == "Insufficient authorization to perform request."


def test_asking_again_with_the_same_client_id_gives_the_order_that_rests() -> None:
    reject = created(19, "LIMIT_ORDER_REJECT", rejectReason="CLIENT_ORDER_ID_ALREADY_EXISTS")
    answer = (400, {"orderRejectTransaction": reject, "errorCode": "CLIENT_ORDER_ID_ALREADY_EXISTS"})
    loopback = Loopback(orders={"@c-1": pending(14)})
    loopback.say(POST, answer, answer)
    assert told(loopback, lambda venue: venue.place(LIMIT)).venue_order_id == "14"
    other = OrderRequest("EUR/USD", "buy", Decimal(101), "c-1", "limit", Decimal("1.05"))
    with pytest.raises(Rejected) as refusal:
        run(loopback, lambda venue: venue.place(other))
    assert refusal.value.venue_code == "CLIENT_ORDER_ID_ALREADY_EXISTS"


# --- cancelling, replacing, closing -----------------------------------------------------------------------------------


def test_a_cancelled_order_is_reported_with_its_terms() -> None:
    loopback = Loopback()
    loopback.say(f"{PUT}/14/cancel", (200, {"orderCancelTransaction": canceled(19, 14), "lastTransactionID": "19"}))
    report = told(loopback, lambda venue: venue.cancel("EUR/USD", "14"))
    assert (report.status, report.venue_order_id, report.quantity) == ("canceled", "14", Decimal(500))


def test_a_cancel_of_an_order_nobody_told_of_looks_its_terms_up() -> None:
    loopback = Loopback()
    loopback.account["orders"] = []

    def done() -> Answer:
        loopback.transactions.append(canceled(19, 14))
        return 200, {"orderCancelTransaction": canceled(19, 14), "lastTransactionID": "19"}

    loopback.say(f"{PUT}/14/cancel", done)
    report = told(loopback, lambda venue: venue.cancel("EUR/USD", "14"))
    assert (report.status, report.quantity) == ("canceled", Decimal(500))


GONE: Answer = (404, {"errorCode": "ORDER_DOESNT_EXIST", "errorMessage": "The order ID specified does not exist"})


def test_an_order_that_has_ended_is_reported_as_it_ended() -> None:
    loopback = Loopback()
    loopback.say(f"{PUT}/6/cancel", GONE)
    report = told(loopback, lambda venue: venue.cancel("DE30/EUR", "6"))
    assert (report.status, report.filled) == ("filled", Decimal(2))


@pytest.mark.parametrize("number", ["4", "99", "x", "0"])
def test_an_order_that_never_was_is_none(number: str) -> None:
    loopback = Loopback()
    loopback.say(f"{PUT}/{number}/cancel", GONE)
    assert run(loopback, lambda venue: venue.cancel("EUR/USD", number)) is None


def test_a_replacement_asks_for_the_same_terms_but_what_changes() -> None:
    guarded = pending(14, takeProfitOnFill={"price": "1.2"}, units="-500")
    loopback = Loopback(orders={"14": guarded})
    rows = {
        "orderCancelTransaction": canceled(19, 14, "CLIENT_REQUEST_REPLACED"),
        "orderCreateTransaction": created(20, units="-400", price="1.06", replacesOrderID="14"),
    }
    loopback.say(f"{PUT}/14", (201, {**rows, "lastTransactionID": "20"}))
    change = Amendment(quantity=Decimal(400), price=Decimal("1.060"))
    report = told(loopback, lambda venue: venue.amend("EUR/USD", "14", change))
    assert (report.venue_order_id, report.quantity, report.price) == ("20", Decimal(400), Decimal("1.06"))
    assert loopback.bodies(f"{PUT}/14") == [
        {
            "order": {
                "type": "LIMIT",
                "instrument": "EUR_USD",
                "units": "-400",
                "price": "1.06",
                "timeInForce": "GTC",
                "positionFill": "DEFAULT",
                "triggerCondition": "DEFAULT",
                "clientExtensions": {"id": "c-1"},
                "takeProfitOnFill": {"price": "1.2"},
            }
        }
    ]


def test_a_stop_is_moved_by_its_trigger() -> None:
    loopback = Loopback(orders={"14": pending(14, type="STOP")})
    rows = {"orderCreateTransaction": created(20, "STOP_ORDER", price="1.07")}
    loopback.say(f"{PUT}/14", (201, {**rows, "lastTransactionID": "20"}))
    change = Amendment(trigger_price=Decimal("1.07"))
    report = told(loopback, lambda venue: venue.amend("EUR/USD", "14", change))
    assert (report.trigger_price, report.price) == (Decimal("1.07"), None)
    assert loopback.bodies(f"{PUT}/14")[0]["order"]["price"] == "1.07"
    with pytest.raises(Rejected, match="price"):
        run(loopback, lambda venue: venue.amend("EUR/USD", "14", Amendment(price=Decimal(1))))


def test_what_is_not_pending_cannot_be_replaced() -> None:
    with pytest.raises(Rejected):
        run(Loopback(), lambda venue: venue.amend("EUR/USD", "6", Amendment(quantity=Decimal(1))))


def position(long: str = "0", short: str = "0") -> Answer:
    sides = {"long": {"units": long, "averagePrice": "1.1"}, "short": {"units": short, "averagePrice": "1.1"}}
    return 200, {"position": {"instrument": "EUR_USD", **sides}, "lastTransactionID": "18"}


AT, CLOSE = f"GET {BASE}/positions/EUR_USD", f"PUT {BASE}/positions/EUR_USD/close"


def closed(side: str, *, halted: bool = False) -> Answer:
    order = created(19, "MARKET_ORDER", units="-300", positionFill="REDUCE_ONLY", reason="POSITION_CLOSEOUT")
    end = canceled(20, 19, "MARKET_HALTED") if halted else filled(20, 19, "-300")
    how = f"{side}Order{'Cancel' if halted else 'Fill'}Transaction"
    return 200, {f"{side}OrderCreateTransaction": order, how: end, "lastTransactionID": "20"}


@pytest.mark.parametrize(("held", "side"), [({"long": "300"}, "long"), ({"short": "-300"}, "short")])
def test_a_net_position_is_closed_on_the_side_it_is_held(held: dict[str, str], side: str) -> None:
    loopback = Loopback()
    loopback.say(AT, position(**held))
    loopback.say(CLOSE, closed(side))
    report = told(loopback, lambda venue: venue.close("EUR/USD", "net", "c-1"))
    assert (report.status, report.filled, report.reduce_only) == ("filled", Decimal(300), True)
    other = "short" if side == "long" else "long"
    assert loopback.bodies(CLOSE) == [
        {f"{side}Units": "ALL", f"{other}Units": "NONE", f"{side}ClientExtensions": {"id": "c-1"}}
    ]


def test_of_a_hedged_position_one_side_is_closed() -> None:
    loopback = Loopback()
    loopback.account["hedgingEnabled"] = True
    loopback.say(AT, position("300", "-200"))
    loopback.say(CLOSE, closed("long"))
    report = told(loopback, lambda venue: venue.close("EUR/USD", "long", ""))
    assert (report.position_side, report.filled) == ("long", Decimal(300))
    assert loopback.bodies(CLOSE) == [{"longUnits": "ALL", "shortUnits": "NONE"}]


def test_a_close_while_the_market_is_halted_is_refused() -> None:
    loopback = Loopback()
    loopback.say(AT, position("300"))
    loopback.say(CLOSE, closed("long", halted=True))
    with pytest.raises(Rejected) as refusal:
        run(loopback, lambda venue: venue.close("EUR/USD", "net", ""))
    assert refusal.value.venue_code == "MARKET_HALTED"


def test_closing_what_is_flat_gives_the_order_that_did_it_or_refuses() -> None:
    loopback = Loopback()
    loopback.say(AT, position(), position())
    assert told(loopback, lambda venue: venue.close("EUR/USD", "net", "trend-2")).venue_order_id == "9"
    with pytest.raises(Rejected, match="there is no position"):
        run(loopback, lambda venue: venue.close("EUR/USD", "net", "other"))


# --- looking up -------------------------------------------------------------------------------------------------------


def test_an_order_is_found_after_its_end() -> None:
    found = told(Loopback(), lambda venue: venue.find("trend-1"))
    assert (found.venue_order_id, found.status, found.filled) == ("3", "filled", Decimal(1_000))


def test_a_client_id_that_was_used_again_finds_the_newest() -> None:
    loopback = Loopback()
    for row in (created(19), canceled(20, 19), created(21), filled(22, 21)):
        loopback.happen(row, tell=False)
    found = told(loopback, lambda venue: venue.find("c-1"))
    assert (found.venue_order_id, found.status) == ("21", "filled")


def test_a_refusal_is_found_where_nothing_else_is() -> None:
    loopback = Loopback()
    loopback.happen(created(19, "LIMIT_ORDER_REJECT", rejectReason="INSUFFICIENT_MARGIN"), tell=False)
    assert told(loopback, lambda venue: venue.find("c-1")).status == "rejected"
    loopback.transactions.insert(18, created(19))
    loopback.transactions[19:] = [created(20, "LIMIT_ORDER_REJECT", rejectReason="CLIENT_ORDER_ID_ALREADY_EXISTS")]
    assert told(loopback, lambda venue: venue.find("c-1")).status == "open"


def test_an_order_that_oanda_lists_as_ended_is_told_by_its_transactions() -> None:
    loopback = Loopback(orders={"@trend-1": {"id": "3", "state": "FILLED", "type": "MARKET"}})
    assert told(loopback, lambda venue: venue.find("trend-1")).filled == Decimal(1_000)


def test_an_order_that_shows_a_moment_later_is_found() -> None:
    loopback = Loopback()
    gone: Answer = (404, {"errorCode": "NO_SUCH_ORDER"})

    def appears() -> Answer:
        loopback.orders["@c-9"] = pending(19)
        return gone

    loopback.say(f"GET {BASE}/orders/%40c-9", gone)
    loopback.say(f"GET {BASE}/orders/@c-9", appears)
    assert told(loopback, lambda venue: venue.find("c-9")).venue_order_id == "19"


def test_what_was_never_placed_is_none() -> None:
    assert run(Loopback(), lambda venue: venue.find("never")) is None


def test_none_is_not_said_while_transactions_are_missing() -> None:
    loopback = Loopback(withheld={7})
    with pytest.raises(Unavailable, match="gives 6 of the transactions 1 to 18"):
        run(loopback, lambda venue: venue.find("never"))


def test_an_unknown_outcome_is_resolved_by_looking() -> None:
    loopback = Loopback()

    def acts_and_hangs_up() -> Answer:
        loopback.happen(created(19, "MARKET_ORDER"), tell=False)
        loopback.happen(filled(20, 19), tell=False)
        return 0, b""

    loopback.say(POST, acts_and_hangs_up)

    async def tale(venue: OandaVenue) -> OrderReported | None:
        with pytest.raises(OutcomeUnknown):
            await venue.place(LIMIT)
        return await venue.find(venue.client_id("c-1"))

    found = told(loopback, tale)
    assert (found.venue_order_id, found.status, found.filled) == ("19", "filled", Decimal(100))


def unreadable(number: int, order: int) -> Row:
    return {**filled(number, order, "40"), "price": "unheard of", "tradeOpened": {}, "pl": "none"}


@pytest.mark.parametrize("end", [{}, {"orderCancelTransaction": canceled(21, 19, "INSUFFICIENT_LIQUIDITY")}])
def test_an_answer_that_is_read_in_part_leaves_the_outcome_unknown(end: Row) -> None:
    rows = {"orderCreateTransaction": created(19, "MARKET_ORDER"), "orderFillTransaction": unreadable(20, 19), **end}
    with pytest.raises(OutcomeUnknown, match="cannot be read"):
        placed((201, {**rows, "lastTransactionID": "21"}), MARKET)


def test_an_order_whose_fill_cannot_be_read_is_not_found_open() -> None:
    loopback = Loopback()
    for row in (created(19), unreadable(20, 19)):
        loopback.happen(row, tell=False)
    with pytest.raises(Malformed, match="transaction 20 tells of it"):
        run(loopback, lambda venue: venue.find("c-1"))


def test_an_order_whose_end_is_out_of_sight_is_not_found_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "PAGES_MAX", 2)
    loopback = Loopback(page=1, orders={"@c-1": {"id": "19", "state": "FILLED", "type": "LIMIT"}})
    for row in (created(19), *(transaction(number, "CLIENT_CONFIGURE") for number in (20, 21)), filled(22, 19)):
        loopback.happen(row, tell=False)
    with pytest.raises(Unavailable, match="Order 19 was there after transaction 20"):
        run(loopback, lambda venue: venue.find("c-1"))


def test_without_a_client_id_no_order_is_found() -> None:
    loopback = Loopback()
    loopback.happen(created(19, clientExtensions=None), tell=False)
    with pytest.raises(BadInput, match="names no order"):
        run(loopback, lambda venue: venue.find(""))


def test_an_order_that_shows_a_moment_after_it_was_placed_is_cancelled_knowingly() -> None:
    loopback = Loopback()
    gone: Answer = (404, {"errorCode": "NO_SUCH_ORDER"})

    def shows() -> Answer:
        loopback.happen(created(19), tell=False)
        return 200, {"account": {"id": "1"}, "lastTransactionID": "18"}

    loopback.say(f"{PUT}/19/cancel", gone)
    loopback.say(f"GET {BASE}/summary", shows)
    found = told(loopback, lambda venue: venue.cancel("EUR/USD", "19"))
    assert (found.venue_order_id, found.status) == ("19", "open")
