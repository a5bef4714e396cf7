"""Who may ask, how often, what a path picks, and what is said while the exchange cannot answer."""

from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from tests.testing.servers.kit.ticking import MONDAY, HandClock
from tests.testing.servers.oanda.talk import Talk, kinds
from trueup.model.errors import AuthenticationFailed, BadInput
from trueup.model.identifiers import account_id
from trueup.model.instruments import Instrument
from trueup.model.orders import OrderRequest
from trueup.model.times import NS_PER_SECOND, parse_time
from trueup.testing.servers.asgi import Request
from trueup.testing.servers.oanda.demo import (
    ACCOUNT,
    ACCOUNT_ID,
    DEPOSIT,
    HEDGED_ACCOUNT_ID,
    TOKEN,
    demo_exchange,
    demo_markets,
    demo_server,
)
from trueup.testing.servers.oanda.hours import always, in_new_york
from trueup.testing.servers.oanda.server import OandaServer
from trueup.venues.paper import faults
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.markets import Market

MARKET = {"order": {"type": "MARKET", "instrument": "EUR_USD", "units": "100", "clientExtensions": {"id": "a-1"}}}


@pytest.fixture
def talk() -> Talk:
    return Talk()


# --- who asks ---------------------------------------------------------------------------------------------------------


def test_a_token_sees_its_accounts(talk: Talk) -> None:
    seen = [{"id": ACCOUNT_ID, "tags": []}, {"id": HEDGED_ACCOUNT_ID, "tags": []}]
    assert talk.get("/v3/accounts") == {"accounts": seen}
    assert talk.ask("GET", "/v3/accounts", token="other-token") == (200, {"accounts": []})


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/summary", "wrong", 401),
        ("/v3/accounts", "wrong", 401),
        ("/transactions/stream", "wrong", 401),
        ("/summary", "other-token", 403),
        ("/v3/accounts/101-004-9999999-001/summary", TOKEN, 403),
        ("/v3/accounts/main/summary", TOKEN, 400),
        ("/nothing", TOKEN, 404),
        ("/v3", TOKEN, 404),
        ("/v1/accounts", TOKEN, 404),
        ("/positions/EUR_XXX", TOKEN, 400),
        ("/orders/77", TOKEN, 404),
        ("/orders/@77", TOKEN, 404),
        ("/trades/77", TOKEN, 404),
        ("/transactions/77", TOKEN, 404),
        ("/transactions/x", TOKEN, 400),
        ("/pricing", TOKEN, 400),
        ("/pricing?instruments=EUR_XXX", TOKEN, 400),
        ("/instruments?instruments=EUR_XXX", TOKEN, 400),
        ("/changes", TOKEN, 400),
        ("/changes?sinceTransactionID=99", TOKEN, 416),
        ("/transactions/sinceid", TOKEN, 400),
        ("/transactions/sinceid?id=4", TOKEN, 416),
        ("/transactions/idrange?from=3&to=2", TOKEN, 400),
        ("/transactions/idrange?from=0&to=2", TOKEN, 400),
        ("/transactions/idrange?from=4&to=5", TOKEN, 416),
        ("/transactions?pageSize=1001", TOKEN, 400),
        ("/transactions?from=yesterday", TOKEN, 400),
        ("/orders?state=LOST", TOKEN, 400),
        ("/orders?count=501", TOKEN, 400),
        ("/trades?beforeID=x", TOKEN, 400),
    ],
)
def test_what_is_refused_says_why(talk: Talk, path: str, token: str, status: int) -> None:
    answered, row = talk.ask("GET", path, token=token)
    assert (answered, bool(row["errorMessage"])) == (status, True)


def test_a_header_without_a_token_is_refused(talk: Talk) -> None:
    for headers in ({"authorization": TOKEN}, {"authorization": ""}):
        assert talk.ask("GET", "/summary", headers=headers)[0] == 401


def test_a_path_that_is_known_takes_its_own_methods_only(talk: Talk) -> None:
    assert talk.ask("POST", "/summary")[0] == 405
    assert talk.ask("DELETE", "/orders/1")[0] == 405
    assert talk.ask("POST", "/orders")[0] == 400


def test_so_many_requests_a_second_and_no_more() -> None:
    talk = Talk(requests_max=3)
    assert [talk.ask("GET", "/summary")[0] for _ in range(5)] == [200, 200, 200, 429, 429]
    assert talk.ask("GET", "/v3/accounts", token="other-token")[0] == 200
    talk.clock.pass_s(0.9)
    assert talk.ask("GET", "/summary")[0] == 429
    talk.clock.pass_s(0.1)
    assert talk.ask("GET", "/summary")[0] == 200


def test_bodies_that_are_no_json_change_nothing(talk: Talk) -> None:
    path = f"/v3/accounts/{ACCOUNT_ID}/orders"
    for body in (b"{", b"\xff", b'"x"'):
        request = Request("POST", path, path, {}, {"authorization": f"Bearer {TOKEN}"}, body)
        assert talk.server.answer(request).status == 400
    assert talk.get("/summary")["lastTransactionID"] == "3"


# --- times ------------------------------------------------------------------------------------------------------------


def test_times_come_in_the_notation_asked_for(talk: Talk) -> None:
    status, row = talk.ask("GET", "/transactions/3", headers={"accept-datetime-format": "UNIX"})
    assert (status, row["transaction"]["time"]) == (200, f"{MONDAY // NS_PER_SECOND}.000000001")
    assert talk.get("/transactions/3")["transaction"]["time"] == "2026-11-23T09:30:00.000000001Z"


@pytest.mark.parametrize(
    ("time", "is_open"),
    [
        ("2026-11-20T21:59:59Z", True),  # Friday, 16:59:59 in New York in winter
        ("2026-11-20T22:00:00Z", False),
        ("2026-11-22T21:59:59Z", False),
        ("2026-11-22T22:00:00Z", True),
        ("2026-07-03T20:59:59Z", True),  # in summer
        ("2026-07-03T21:00:00Z", False),
        ("2026-07-05T21:00:00Z", True),
        ("2026-11-21T12:00:00Z", False),
        ("2026-11-25T03:00:00Z", True),
    ],
)
def test_hours_are_those_of_new_york(time: str, is_open: bool) -> None:
    assert in_new_york(parse_time(time, "time")) is is_open
    assert always(parse_time(time, "time"))


# --- history ----------------------------------------------------------------------------------------------------------


def test_history_is_read_in_pieces_without_a_hole() -> None:
    talk = Talk(transactions_max=4)
    for _ in range(4):
        talk.order(type="MARKET", units="100")
    ids: list[str] = []
    while True:
        answer = talk.get(f"/transactions/sinceid?id={ids[-1] if ids else 0}")
        ids += [row["id"] for row in answer["transactions"]]
        if ids[-1] == answer["lastTransactionID"]:
            break
    assert ids == [str(number) for number in range(1, 12)]
    assert [row["id"] for row in talk.get("/transactions/idrange?from=9&to=10")["transactions"]] == ["9", "10"]
    assert len(talk.get("/transactions/idrange?from=1&to=11")["transactions"]) == 4
    fills = talk.get("/transactions/sinceid?id=4&type=ORDER_FILL,ORDER_CANCEL")["transactions"]
    assert kinds(fills) == ["ORDER_FILL", "ORDER_FILL"]  # of the four behind 4


def test_pages_are_links_that_can_be_followed(talk: Talk) -> None:
    for _ in range(3):
        talk.order(type="MARKET", units="100")
    talk.clock.pass_s(60)
    talk.order(type="MARKET", units="100")
    answer = talk.get("/transactions?pageSize=4")
    assert (answer["count"], answer["pageSize"], len(answer["pages"])) == (11, 4, 3)
    followed = [row["id"] for link in answer["pages"] for row in _follow(talk, link)]
    assert followed == [str(number) for number in range(1, 12)]
    late = talk.get("/transactions?from=2026-11-23T09:31:00Z")
    assert [row["id"] for link in late["pages"] for row in _follow(talk, link)] == ["10", "11"]
    early = talk.get("/transactions?to=2026-11-23T09:30:30Z&type=CREATE")
    assert [row["id"] for link in early["pages"] for row in _follow(talk, link)] == ["1"]


def _follow(talk: Talk, link: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = talk.get(link.removeprefix("http://127.0.0.1:1"))["transactions"]
    return rows


def test_lists_are_picked_from(talk: Talk) -> None:
    limit = {"type": "LIMIT", "units": "100", "price": "1.08"}
    for number in range(3):
        talk.order(**limit, clientExtensions={"id": f"a-{number}"})
    talk.order(**{**limit, "instrument": "GBP_USD", "price": "1.2"})
    talk.put("/orders/4/cancel")

    def ids(query: str) -> list[str]:
        return [row["id"] for row in talk.get(f"/orders{query}")["orders"]]

    assert ids("") == ["7", "6", "5"]
    assert ids("?state=ALL") == ["7", "6", "5", "4"]
    assert ids("?state=CANCELLED") == ["4"]
    assert ids("?instrument=GBP_USD") == ["7"]
    assert ids("?beforeID=6") == ["6", "5"]
    assert ids("?count=1") == ["7"]
    assert ids("?ids=5,7") == ["7", "5"]


# --- an exchange that does not answer ---------------------------------------------------------------------------------


def _faulty(*plan: faults.AnyFault) -> Talk:
    clock = HandClock()
    exchange = PaperExchange(demo_markets(), clock=clock, random=Random(1), plan=faults.FaultPlan(plan))
    for account, hedged in ((ACCOUNT, False), (account_id("oanda", "hedged"), True)):
        exchange.open_account(account, DEPOSIT, hedged=hedged)
    return Talk(exchange=exchange, clock=clock)


@pytest.mark.parametrize(("placed", "rows"), [(True, ["MARKET_ORDER", "ORDER_FILL"]), (False, [])])
def test_a_time_out_leaves_open_what_was_done(placed: bool, rows: list[str]) -> None:
    talk = _faulty(faults.TimeOut(account=ACCOUNT, placed=placed))
    assert talk.ask("POST", "/orders", MARKET)[0] == 504
    assert kinds(talk.transactions()[3:]) == rows
    created = [row for row in talk.transactions() if row["type"] == "MARKET_ORDER"]
    assert [row["clientExtensions"] for row in created] == [{"id": "a-1"}] * len(created)
    assert talk.ask("POST", "/orders", MARKET)[0] == 201  # the id is free: that order has ended, or never was


@pytest.mark.parametrize("placed", [True, False])
def test_an_order_on_a_trade_may_time_out_unseen(placed: bool) -> None:
    talk = _faulty(faults.TimeOut(account=ACCOUNT, nth=2, placed=placed))
    answer = talk.order(type="MARKET", units="100", takeProfitOnFill={"price": "1.2"})
    assert len(answer["relatedTransactionIDs"]) == 2 + placed
    assert talk.get("/summary")["account"]["pendingOrderCount"] == placed


def test_an_outage_is_said_and_nothing_is_done() -> None:
    talk = _faulty(faults.Outage(account=ACCOUNT, for_ms=1_000))
    talk.exchange.advance()
    assert talk.ask("POST", "/orders", MARKET)[0] == 503
    assert talk.ask("GET", "/summary")[0] == 503
    talk.clock.pass_s(1)
    assert talk.get("/summary")["lastTransactionID"] == "3"


# --- who trades by other ways -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "shown"),
    [
        ({"order_type": "limit", "price": Decimal("1.08")}, {"type": "LIMIT", "price": "1.08000"}),
        ({"order_type": "stop", "trigger_price": Decimal("1.1")}, {"type": "STOP", "price": "1.10000"}),
        (
            {"order_type": "stop_limit", "trigger_price": Decimal("1.1"), "price": Decimal("1.2")},
            {"type": "STOP", "price": "1.10000", "priceBound": "1.20000"},
        ),
        (
            {"order_type": "take_profit", "trigger_price": Decimal("1.07"), "client_order_id": "hand-1"},
            {"type": "MARKET_IF_TOUCHED", "price": "1.07000", "clientExtensions": {"id": "hand-1"}},
        ),
    ],
)
def test_what_comes_to_the_exchange_another_way_shows(order: dict[str, Any], shown: dict[str, object]) -> None:
    talk = Talk()
    talk.exchange.place(ACCOUNT, OrderRequest("EUR/USD", "buy", Decimal(100), **order))
    (pending,) = talk.get("/pendingOrders")["orders"]
    expected = {"instrument": "EUR_USD", "units": "100", "timeInForce": "GTC", "state": "PENDING", **shown}
    assert {field: pending[field] for field in expected} == expected


# --- what it can be put in front of -----------------------------------------------------------------------------------


def test_markets_that_oanda_could_not_have_are_refused() -> None:
    clock = HandClock()
    perpetual = Instrument(
        "BTC/USDC:USDC",
        "BTC-PERP",
        "linear",
        "BTC",
        "USDC",
        "USDC",
        price_tick=Decimal("0.5"),
        quantity_step=Decimal(1),
    )
    halves = Instrument(
        "EUR/USD", "EUR_USD", "linear", "EUR", "USD", "USD", price_tick=Decimal("0.5"), quantity_step=Decimal(1)
    )
    for instrument, problem in ((perpetual, "linear contracts"), (halves, "decimal places")):
        market = Market(instrument, price=Decimal(1), depth=Decimal(1))
        exchange = PaperExchange([market], clock=clock, random=Random(1))
        with pytest.raises(BadInput, match=problem):
            OandaServer(exchange, {}, clock=clock, tokens={})


def test_accounts_must_be_named_as_oanda_does_and_be_open() -> None:
    clock = HandClock()
    exchange = demo_exchange(clock, Random(1))
    with pytest.raises(BadInput, match="account id"):
        OandaServer(exchange, {"main": ACCOUNT}, clock=clock, tokens={})
    with pytest.raises(AuthenticationFailed):
        OandaServer(exchange, {ACCOUNT_ID: account_id("oanda", "other")}, clock=clock, tokens={})
    with pytest.raises(BadInput, match="no market tells what USD is worth"):
        OandaServer(exchange, {}, clock=clock, tokens={}, home_currency="CHF")


def test_the_demo_is_open_on_any_day() -> None:
    clock = HandClock(parse_time("2026-11-21T12:00:00Z", "time"))
    path = f"/v3/accounts/{ACCOUNT_ID}/pricing"
    request = Request("GET", path, path, {"instruments": "XAU_USD"}, {"authorization": f"Bearer {TOKEN}"})
    answer = demo_server(clock, Random(1)).answer(request)
    assert b'"tradeable":true' in answer.body
    assert answer.headers["date"] == datetime(2026, 11, 21, 12, tzinfo=UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
