"""What is sent, what its answers mean, and that nothing leaves that could not be taken."""

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.venues.coinbase.coinbase_rows import ACCOUNT, FUTURE, FUTURE_SYMBOL, order
from tests.venues.coinbase.live.scripted import (
    HANG_UP,
    NOT_FOUND,
    PORTFOLIO,
    Asked,
    Row,
    Script,
    Status,
    accepted,
    at,
    held,
    run,
    turns,
)
from trueup.model.errors import (
    AuthenticationFailed,
    BadInput,
    Malformed,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
    VenueError,
)
from trueup.model.events import OrderReported
from trueup.model.identifiers import account_id
from trueup.model.orders import Amendment, OrderRequest
from trueup.venues.coinbase import lookup
from trueup.venues.coinbase.placement import client_id

BTC = "BTC/USD"
D = Decimal
MINE = client_id(ACCOUNT, "a-1")
FILLED = order("o-1", status="FILLED", filled_size="2", client_order_id=MINE)
BATCH = "GET orders/historical/batch"
CANCEL = "POST orders/batch_cancel"
EDIT = "POST orders/edit"
CLOSE = "POST orders/close_position"
TOO_MANY = b'{"errors":[{"id":"rate_limit_exceeded","message":"Too many requests"}]}'


def buy(quantity: str = "2", instrument: str = BTC, **changes: object) -> OrderRequest:
    limit = {"order_type": "limit", "price": D(90)} if "order_type" not in changes else {}
    return replace(OrderRequest(instrument, "buy", D(quantity), "a-1"), **limit, **changes)


def placed(request: OrderRequest, **answers: object) -> tuple[OrderReported, Script]:
    """The report of an order and what the venue saw."""
    script = Script(**answers)
    return run(lambda venue: venue.place(request), script), script


def refused(request: OrderRequest, **answers: object) -> tuple[VenueError, Script]:
    script = Script(**answers)
    with pytest.raises(VenueError) as error:
        run(lambda venue: venue.place(request), script)
    return error.value, script


def cancelled(failure: str = "") -> Row:
    return {"results": [{"success": not failure, "failure_reason": failure, "order_id": "o-1"}]}


# --- client ids -------------------------------------------------------------------------------------------------------


@given(st.text(max_size=40))
def test_a_client_id_is_a_uuid_and_always_the_same(name: str) -> None:
    found = client_id(ACCOUNT, name)
    assert found == client_id(ACCOUNT, name) == client_id(ACCOUNT, found)
    assert not name or str(UUID(found)) == found


def test_two_accounts_never_share_a_client_id_unless_they_gave_one() -> None:
    other, given_one = account_id("coinbase", "other"), "0e1f2a3b-0000-4000-8000-000000000001"
    assert client_id(ACCOUNT, "a-1") != client_id(other, "a-1")
    assert client_id(ACCOUNT, given_one) == client_id(other, given_one) == given_one


def test_an_order_by_hand_gets_an_id_too() -> None:
    report, script = placed(buy(client_order_id=""))
    assert UUID(script.last("POST orders").body["client_order_id"]).version == 4
    assert report.venue_order_id == "o-1"


# --- what is sent -----------------------------------------------------------------------------------------------------

LIMIT = {"base_size": "2", "limit_price": "90"}
FORMS: list[tuple[OrderRequest, str, Row]] = [
    (buy(), "limit_limit_gtc", {**LIMIT, "post_only": False}),
    (buy(time_in_force="gtc"), "limit_limit_gtc", {**LIMIT, "post_only": False}),
    (buy(time_in_force="post_only"), "limit_limit_gtc", {**LIMIT, "post_only": True}),
    (buy(time_in_force="ioc"), "sor_limit_ioc", LIMIT),
    (buy(time_in_force="fok"), "limit_limit_fok", LIMIT),
    (buy("0.00010000", order_type="market"), "market_market_ioc", {"base_size": "0.0001"}),
    (
        buy(order_type="stop_limit", price=D("1E+2"), trigger_price=D(95)),
        "stop_limit_stop_limit_gtc",
        {"base_size": "2", "limit_price": "100", "stop_price": "95", "stop_direction": "STOP_DIRECTION_STOP_UP"},
    ),
    (
        buy(order_type="stop_limit", price=D(80), trigger_price=D(85), side="sell"),
        "stop_limit_stop_limit_gtc",
        {"base_size": "2", "limit_price": "80", "stop_price": "85", "stop_direction": "STOP_DIRECTION_STOP_DOWN"},
    ),
]


@pytest.mark.parametrize(("request_", "configuration", "terms"), FORMS)
def test_an_order_takes_the_venues_form(request_: OrderRequest, configuration: str, terms: Row) -> None:
    _, script = placed(request_, **{"GET order": {"order": FILLED}})
    assert script.last("POST orders").body == {
        "client_order_id": MINE,
        "product_id": "BTC-USD",
        "side": request_.side.upper(),
        "order_configuration": {configuration: terms},
    }


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (buy(order_type="stop", trigger_price=D(95)), "order_type"),
        (buy(order_type="take_profit", trigger_price=D(95)), "order_type"),
        (buy(order_type="market", time_in_force="fok"), "time_in_force"),
        (buy(order_type="stop_limit", price=D(1), trigger_price=D(1), time_in_force="ioc"), "time_in_force"),
        (buy(order_type="market", price=D(1)), "price"),
        (buy(order_type="limit"), "price"),
        (buy(order_type="stop_limit", price=D(1)), "trigger_price"),
        (buy(trigger_price=D(1)), "trigger_price"),
        (buy(position_side="long"), "position_side"),
        (buy(instrument="NO/SUCH"), "instrument"),
        (buy(reduce_only=True), "reduce_only"),
    ],
)
def test_what_the_venue_has_no_form_for_is_not_sent(request_: OrderRequest, field: str) -> None:
    error, script = refused(request_)
    assert isinstance(error, Rejected)
    assert f"{field}=" in str(error)
    assert "Nothing was sent" in error.remedy
    assert not any(what.startswith("POST") for what in script.whats())


# --- what its answers mean --------------------------------------------------------------------------------------------


def test_an_order_is_looked_at_until_it_stays_where_it_is() -> None:
    seen = turns(
        NOT_FOUND,
        {"order": order("o-1", status="PENDING")},
        {"order": order("o-1", status="OPEN")},
        {"order": FILLED},
    )
    report, script = placed(buy(order_type="market"), **{"GET order": seen})
    assert (report.status, report.filled, report.client_order_id) == ("filled", D(2), MINE)
    assert script.whats() == ["POST orders", *["GET orders/historical/o-1"] * 4]


def test_an_order_that_rests_is_not_waited_for() -> None:
    report, script = placed(buy(), **{"GET order": {"order": order("o-1")}})
    assert (report.status, script.whats().count("GET orders/historical/o-1")) == ("open", 1)


@pytest.mark.parametrize("unseen", [NOT_FOUND, Status("503 Service Unavailable"), {"order": {"order_id": "o-1"}}])
def test_what_was_taken_up_and_is_not_seen_since_is_open(unseen: object) -> None:
    report, _ = placed(buy(), **{"GET order": unseen})
    assert (report.status, report.filled, report.venue_order_id) == ("open", D(0), "o-1")
    assert (report.client_order_id, report.price) == (MINE, D(90))


def test_an_order_that_fails_after_it_was_taken_up_is_refused() -> None:
    failed = order("o-1", status="FAILED", reject_reason="INSUFFICIENT_FUND", reject_message="too little")
    error, _ = refused(buy(), **{"GET order": {"order": failed}})
    assert isinstance(error, Rejected)
    assert (error.venue_code, error.venue_text) == ("INSUFFICIENT_FUND", "too little")


REFUSAL = {
    "error": "UNKNOWN_FAILURE_REASON",
    "message": "The order configuration was invalid",
    "error_details": "Market orders cannot be placed with empty order sizes",
    "preview_failure_reason": "PREVIEW_INVALID_BASE_SIZE",
    "new_order_failure_reason": "UNKNOWN_FAILURE_REASON",
}


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        ({"success": False, "error_response": REFUSAL}, Rejected, "PREVIEW_INVALID_BASE_SIZE"),
        ({"success": False, "failure_reason": "UNKNOWN_FAILURE_REASON"}, Rejected, "UNKNOWN_FAILURE_REASON"),
        ({"success": False}, Rejected, ""),
        ({"success": True}, OutcomeUnknown, ""),
        ({}, OutcomeUnknown, ""),
        (b"<html>", OutcomeUnknown, ""),
        (HANG_UP, OutcomeUnknown, ""),
        (Status("500 Internal Server Error"), OutcomeUnknown, "500"),
        (Status("408 Request Timeout"), OutcomeUnknown, "408"),
        (Status("409 Conflict", b'{"error":"ALREADY_EXISTS"}'), OutcomeUnknown, "ALREADY_EXISTS"),
        (Status("499 Canceled", b'{"error":"CANCELED"}'), OutcomeUnknown, "CANCELED"),
        (Status("302 Found"), OutcomeUnknown, "302"),
        (Status("429 Too Many Requests", TOO_MANY), RateLimited, "rate_limit_exceeded"),
        (Status("401 Unauthorized", b"Unauthorized\n"), AuthenticationFailed, "401"),
        (Status("403 Forbidden", b'{"error":"PERMISSION_DENIED"}'), AuthenticationFailed, "PERMISSION_DENIED"),
        (Status("400 Bad Request", b'{"error":"INVALID_ARGUMENT","message":"no"}'), Rejected, "INVALID_ARGUMENT"),
    ],
)
def test_what_became_of_an_order_is_told_by_the_error(answer: object, error: type[VenueError], code: str) -> None:
    found, script = refused(buy(), **{"POST orders": answer})
    assert type(found) is error
    assert found.venue_code == code
    assert script.whats().count("POST orders") == 1


def test_the_venues_words_are_kept() -> None:
    found, _ = refused(buy(), **{"POST orders": {"success": False, "error_response": REFUSAL}})
    assert REFUSAL["error_details"] in str(found)


def test_a_token_that_the_venue_repeats_goes_no_further() -> None:
    sent: list[str] = []

    def parrot(asked: Asked) -> object:
        sent.append(asked.signed)
        return Status("401 Unauthorized", f"who is {asked.signed}?".encode())

    found, _ = refused(buy(), **{"POST orders": parrot})
    assert "who is" in str(found)
    assert sent[0].count(".") == 2
    assert sent[0][:60] not in f"{found} {found.venue_text}"


def test_a_read_that_fails_is_asked_again() -> None:
    answers = {"GET accounts": turns(Status("503 Service Unavailable"), {"accounts": []})}
    assert run(lambda venue: venue.snapshot(), Script(**answers)).failed.keys() == {"balances"}


# --- reduce only ------------------------------------------------------------------------------------------------------


def closing(quantity: str, **changes: object) -> OrderRequest:
    return buy(quantity, FUTURE_SYMBOL, **{"order_type": "market", "side": "sell", "reduce_only": True, **changes})


@pytest.mark.parametrize(("asked", "sent"), [("1", "1"), ("2", "2"), ("5", "2")])
def test_a_market_order_that_only_reduces_is_a_close_of_no_more_than_is_held(asked: str, sent: str) -> None:
    filled = order("o-1", product_id=FUTURE, side="SELL", status="FILLED", filled_size=sent)
    filled["order_configuration"] = {"market_market_ioc": {"base_size": sent}}
    answers = {
        "GET cfm/positions": {"positions": [held("LONG", "2")]},
        CLOSE: accepted(),
        "GET order": {"order": filled},
    }
    report, script = placed(closing(asked), **answers)
    assert script.last(CLOSE).body == {"client_order_id": MINE, "product_id": FUTURE, "size": sent}
    assert (report.status, report.filled) == ("filled", D(sent))


@pytest.mark.parametrize("positions", [[], [held("SHORT", "2")]])
def test_what_would_open_a_position_is_not_sent_as_reducing(positions: list[Row]) -> None:
    error, script = refused(closing("1"), **{"GET cfm/positions": {"positions": positions}})
    assert isinstance(error, Rejected)
    assert script.whats() == ["GET cfm/positions"]


def test_a_stop_that_only_reduces_rests_where_it_does_now() -> None:
    stop = closing("2", order_type="stop_limit", price=D(80), trigger_price=D(85))
    answers = {"GET cfm/positions": {"positions": [held("LONG", "2")]}, "GET order": {"order": order("o-1")}}
    _, script = placed(stop, **answers)
    assert "stop_limit_stop_limit_gtc" in script.last("POST orders").body["order_configuration"]
    error, script = refused(replace(stop, quantity=D(3)), **answers)
    assert "more than the 2 held" in str(error)
    assert script.whats() == ["GET cfm/positions"]


def test_coins_are_sold_no_further_than_they_go() -> None:
    _, script = placed(buy(side="sell", reduce_only=True))
    assert script.whats()[0] == "POST orders"


@pytest.mark.parametrize("row", [held("LONG", "many"), {**held("LONG", "1"), "product_id": None}, "cut off"])
def test_a_position_that_cannot_be_read_is_not_taken_for_flat(row: object) -> None:
    error, _ = refused(closing("1"), **{"GET cfm/positions": {"positions": [row]}})
    assert isinstance(error, Malformed)


# --- cancel -----------------------------------------------------------------------------------------------------------


def cancel(**answers: object) -> tuple[OrderReported | None, Script]:
    script = Script(**answers)
    return run(lambda venue: venue.cancel(BTC, "o-1"), script), script


def test_a_cancel_goes_out_first_and_the_order_is_looked_at_until_it_ends() -> None:
    seen = turns({"order": order("o-1", status="CANCEL_QUEUED")}, {"order": order("o-1", status="CANCELLED")})
    report, script = cancel(**{CANCEL: cancelled(), "GET order": seen})
    assert script.asked[0].what == CANCEL
    assert script.last(CANCEL).body == {"order_ids": ["o-1"]}
    assert report is not None
    assert report.status == "canceled"


def test_an_order_that_is_still_being_cancelled_is_reported_so() -> None:
    report, script = cancel(**{CANCEL: cancelled(), "GET order": {"order": order("o-1", status="CANCEL_QUEUED")}})
    assert report is not None
    assert report.status == "open"
    assert script.whats().count("GET orders/historical/o-1") == 1 + len(lookup.PAUSES_S)


@pytest.mark.parametrize(
    ("reason", "seen", "status"),
    [
        ("ORDER_IS_FULLY_FILLED", {"order": FILLED}, "filled"),
        ("UNKNOWN_CANCEL_ORDER", NOT_FOUND, None),
        ("DUPLICATE_CANCEL_REQUEST", {"order": order("o-1", status="CANCELLED")}, "canceled"),
        ("DUPLICATE_CANCEL_REQUEST", {"order": order("o-1", status="CANCEL_QUEUED")}, "open"),
    ],
)
def test_an_order_that_cannot_be_cancelled_any_more_is_reported_as_it_is(
    reason: str, seen: object, status: str | None
) -> None:
    report, _ = cancel(**{CANCEL: cancelled(reason), "GET order": seen})
    assert (report.status if report else None) == status


def test_a_cancel_that_is_refused_while_the_order_rests_says_so() -> None:
    with pytest.raises(Rejected, match="NOT_ALLOWED_TO_CANCEL"):
        cancel(**{CANCEL: cancelled("NOT_ALLOWED_TO_CANCEL"), "GET order": {"order": order("o-1")}})


@pytest.mark.parametrize("answer", [HANG_UP, {}, {"results": []}, {"results": [7]}, b"?"])
def test_a_cancel_without_a_clear_answer_may_have_been_done(answer: object) -> None:
    with pytest.raises(OutcomeUnknown):
        cancel(**{CANCEL: answer})


def test_a_cancel_whose_order_cannot_be_read_may_have_been_done() -> None:
    with pytest.raises(OutcomeUnknown, match="could not be read"):
        cancel(**{CANCEL: cancelled(), "GET order": Status("503 Service Unavailable")})


# --- amend ------------------------------------------------------------------------------------------------------------


def edited(price: str, size: str) -> Row:
    return order("o-1", edit_history=[{"price": price, "size": size, "replace_accept_timestamp": at(5)}])


def amend(amendment: Amendment, **answers: object) -> tuple[OrderReported, Script]:
    script = Script(**{EDIT: {"success": True, "errors": []}, **answers})
    return run(lambda venue: venue.amend(BTC, "o-1", amendment), script), script


def test_what_is_not_changed_is_said_again_since_the_venue_would_take_it_for_nothing() -> None:
    seen = turns({"order": order("o-1")}, {"order": edited("80", "2")})
    report, script = amend(Amendment(price=D(80)), **{"GET order": seen})
    assert script.last(EDIT).body == {"order_id": "o-1", "price": "80", "size": "2"}
    assert (report.price, report.quantity, report.venue_order_id) == (D(80), D(2), "o-1")


def test_a_second_change_builds_on_the_first() -> None:
    seen = turns({"order": edited("80", "3")}, {"order": edited("80", "4")})
    _, script = amend(Amendment(quantity=D("4.0")), **{"GET order": seen})
    assert script.last(EDIT).body == {"order_id": "o-1", "price": "80", "size": "4"}


def test_a_quantity_is_what_is_to_rest_beside_what_is_filled() -> None:
    part = order("o-1", filled_size="0.5", average_filled_price="90")
    changed = {**part, "edit_history": [{"price": "90", "size": "1.5", "replace_accept_timestamp": at(5)}]}
    report, script = amend(Amendment(quantity=D(1)), **{"GET order": turns({"order": part}, {"order": changed})})
    assert script.last(EDIT).body["size"] == "1.5"
    assert (report.quantity, report.filled) == (D("1.5"), D("0.5"))


def test_terms_that_are_stated_as_numbers_are_exact() -> None:
    stop = order("o-1", order_configuration={"stop_limit_stop_limit_gtd": {}})
    terms = b'{"base_size": 0.00100, "limit_price": 90.10, "stop_price": "95"}'
    body = (
        json.dumps({"order": stop})
        .encode()
        .replace(b'"stop_limit_stop_limit_gtd": {}', b'"stop_limit_stop_limit_gtc": ' + terms)
    )
    _, script = amend(Amendment(trigger_price=D(96)), **{"GET order": body})
    assert script.last(EDIT).body == {"order_id": "o-1", "price": "90.1", "size": "0.001", "stop_price": "96"}


def test_a_stop_has_a_trigger_to_change() -> None:
    terms = {"base_size": "2", "limit_price": "90", "stop_price": "95", "stop_direction": "STOP_DIRECTION_STOP_UP"}
    stop = order("o-1", order_configuration={"stop_limit_stop_limit_gtc": terms})
    _, script = amend(Amendment(trigger_price=D(96)), **{"GET order": {"order": stop}})
    assert script.last(EDIT).body["stop_price"] == "96"
    with pytest.raises(Rejected, match="the order has none"):
        amend(Amendment(trigger_price=D(96)))


@pytest.mark.parametrize(
    "seen", [NOT_FOUND, {"order": FILLED}, {"order": order("o-1", order_configuration={"sor_limit_ioc": {}})}]
)
def test_what_does_not_rest_is_not_changed(seen: object) -> None:
    script = Script(**{"GET order": seen})
    with pytest.raises(Rejected):
        run(lambda venue: venue.amend(BTC, "o-1", Amendment(price=D(1))), script)
    assert EDIT not in script.whats()


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (
            {"success": False, "errors": [{"edit_failure_reason": "CANNOT_EDIT_FUTURES_ORDER"}]},
            Rejected,
            "CANNOT_EDIT_FUTURES_ORDER",
        ),
        ({"errors": [{"preview_failure_reason": "PREVIEW_INVALID_PRICE"}]}, Rejected, "PREVIEW_INVALID_PRICE"),
        ({"success": False, "errors": {"edit_failure_reason": "ORDER_NOT_FOUND"}}, Rejected, "ORDER_NOT_FOUND"),
        ({"success": False, "errors": []}, Rejected, "no reason given"),
        ({"errors": [7]}, OutcomeUnknown, "cannot be read"),
    ],
)
def test_a_change_that_is_refused(answer: object, error: type[VenueError], told: str) -> None:
    with pytest.raises(error, match=told):
        amend(Amendment(price=D(80)), **{EDIT: answer})


def test_a_change_whose_order_is_lost_from_sight_was_taken_up() -> None:
    with pytest.raises(OutcomeUnknown, match="taken up"):
        amend(Amendment(price=D(80)), **{"GET order": turns({"order": order("o-1")}, Status("500 Oops"))})


# --- close ------------------------------------------------------------------------------------------------------------


def test_a_close_is_of_what_is_held() -> None:
    filled = order("o-1", product_id=FUTURE, status="FILLED", filled_size="3")
    filled["order_configuration"] = {"market_market_ioc": {"base_size": "3"}}
    answers = {
        "GET cfm/positions": {"positions": [held("SHORT", "3")]},
        CLOSE: accepted(),
        "GET order": {"order": filled},
    }
    script = Script(**answers)
    report = run(lambda venue: venue.close(FUTURE_SYMBOL, "net", "a-1"), script)
    assert script.last(CLOSE).body == {"client_order_id": MINE, "product_id": FUTURE, "size": "3"}
    assert (report.status, report.side) == ("filled", "buy")


def test_a_position_is_closed_whatever_rows_of_others_hold() -> None:
    filled = order("o-1", product_id=FUTURE, status="FILLED", filled_size="3")
    filled["order_configuration"] = {"market_market_ioc": {"base_size": "3"}}
    others = [{**held("LONG", "many"), "product_id": "ET-24APR26-CDE"}]
    answers = {
        "GET cfm/positions": {"positions": [*others, held("LONG", "3")]},
        CLOSE: accepted(),
        "GET order": {"order": filled},
    }
    script = Script(**answers)
    run(lambda venue: venue.close(FUTURE_SYMBOL, "net", "a-1"), script)
    assert script.last(CLOSE).body["size"] == "3"


@pytest.mark.parametrize(("symbol", "side"), [(FUTURE_SYMBOL, "net"), (FUTURE_SYMBOL, "long"), (BTC, "net")])
def test_what_is_not_held_is_not_closed(symbol: str, side: str) -> None:
    script = Script()
    with pytest.raises(Rejected) as error:
        run(lambda venue: venue.close(symbol, side, "a-1"), script)
    assert error.value.venue_code == "nothing_to_close"
    assert CLOSE not in script.whats()


# --- find -------------------------------------------------------------------------------------------------------------


def found(**answers: object) -> tuple[OrderReported | None, Script]:
    script = Script(**answers)
    return run(lambda venue: venue.find("a-1"), script), script


def test_an_order_is_found_among_those_of_the_last_day_page_by_page() -> None:
    def listed(asked: Asked) -> object:
        if "cursor" not in asked.query:
            return {"orders": [order("o-9")], "has_next": True, "cursor": "more"}
        return {"orders": [FILLED], "has_next": False, "cursor": "over"}

    report, script = found(**{BATCH: listed})
    assert report is not None
    assert (report.venue_order_id, report.status) == ("o-1", "filled")
    assert script.last(BATCH).query["start_date"][0].startswith("2026-03-01T09:00:00.123")
    assert script.whats() == [BATCH, BATCH]


def test_an_older_one_that_rests_is_found_too() -> None:
    def listed(asked: Asked) -> object:
        resting = [order("o-1", client_order_id=MINE)] if asked.query.get("order_status") == ["OPEN"] else []
        return {"orders": resting, "has_next": False}

    report, _ = found(**{BATCH: listed})
    assert report is not None


def test_a_look_that_finds_nothing_is_taken_twice() -> None:
    nothing, one = {"orders": [order("o-9")]}, {"orders": [FILLED]}
    report, script = found(**{BATCH: turns(nothing, nothing, one)})
    assert report is not None
    report, script = found(**{BATCH: nothing})
    assert report is None
    assert script.whats() == [BATCH] * 4


def test_an_order_that_is_there_and_cannot_be_read_is_not_none() -> None:
    with pytest.raises(Malformed):
        found(**{BATCH: {"orders": [{**FILLED, "status": "SOMETHING"}]}})
    with pytest.raises(Unavailable):
        found(**{BATCH: Status("503 Service Unavailable")})
    with pytest.raises(BadInput):
        run(lambda venue: venue.find(""), Script())


# --- the key ----------------------------------------------------------------------------------------------------------


def key(**changes: object) -> Row:
    return {"can_view": True, "can_trade": True, "can_transfer": False, "portfolio_uuid": PORTFOLIO, **changes}


def test_a_key_that_may_not_trade_sends_nothing() -> None:
    error, script = refused(buy(), **{"GET key_permissions": key(can_trade=False)})
    assert isinstance(error, AuthenticationFailed)
    assert script.whats() == []


def test_a_key_of_another_portfolio_is_refused_before_anything_is_believed() -> None:
    script = Script()
    with pytest.raises(AuthenticationFailed, match="of portfolio"):
        run(lambda venue: venue.snapshot(), script, learnt={"portfolio": "another"})
    assert script.whats() == []
    assert run(_learnt, Script()) == {"portfolio": PORTFOLIO}
    with pytest.raises(AuthenticationFailed, match="may not view"):
        run(lambda venue: venue.snapshot(), Script(**{"GET key_permissions": key(can_view=False)}))


async def _learnt(venue: Any) -> object:  # noqa: ANN401 - the adapter
    assert venue.learnt == {}
    await venue.snapshot()
    return venue.learnt


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "may view and trade; it may not"),
        ({"can_trade": False}, "not trade"),
        ({"can_transfer": True}, "move money out"),
    ],
)
def test_a_first_look_says_what_the_key_may_do(changes: Row, told: str) -> None:
    sentences = run(lambda venue: venue.check(), Script(**{"GET key_permissions": key(**changes)}))
    assert PORTFOLIO in sentences[0]
    assert "BTC, USD, USD@cfm and 0 futures" in sentences[1]
    assert any(told in sentence for sentence in sentences)


def test_a_token_is_of_the_venues_time() -> None:
    script = Script(**{"GET time": {"epochMillis": "1772442030123"}})
    run(lambda venue: venue.snapshot(), script)
    assert {asked.token["nbf"] for asked in script.asked if asked.token} == {1772442030}
