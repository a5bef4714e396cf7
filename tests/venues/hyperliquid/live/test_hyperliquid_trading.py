"""What is sent, what its answers mean, and that nothing leaves that could not be taken."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import stamina
from msgspec.structs import replace

from tests.venues.hyperliquid.live.scripted import (
    AGENT,
    HANG_UP,
    MASTER,
    RESTING,
    UNKNOWN_ORDER,
    Answering,
    HandClock,
    Row,
    Script,
    Status,
    by_user,
    clearinghouse,
    open_order,
    order_status,
    position,
    role_of,
    run,
    taken,
    venue,
)
from tests.venues.hyperliquid.saved import ACCOUNT, ME, TIME
from trueup.model.errors import (
    AuthenticationFailed,
    Malformed,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
    VenueError,
)
from trueup.model.events import OrderReported
from trueup.model.orders import Amendment, OrderRequest
from trueup.model.times import from_ms
from trueup.venues.ethereum import Account, encode_typed_data
from trueup.venues.hyperliquid.actions import cloid
from trueup.venues.hyperliquid.live import HyperliquidVenue
from trueup.venues.hyperliquid.signing import VALID_MS, action_hash
from trueup.venues.transport.http import Answer, Call, HttpTransport, Sign
from trueup.venues.transport.limiter import Priority

BTC = "BTC/USDC:USDC"
ETH = "ETH/USDC:USDC"
HYPE = "HYPE/USDC"
GOLD = "xyz:GOLD/USDC:USDC"
D = Decimal
DONE = taken("success", kind="cancel")
GONE = taken({"error": "Order was never placed, already canceled, or filled. asset=0"}, kind="cancel")


@pytest.fixture(autouse=True)
def _without_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


def buy(instrument: str = BTC, quantity: str = "0.01", **changes: object) -> OrderRequest:
    limit = {"order_type": "limit", "price": D(50_000)} if "order_type" not in changes else {}
    return replace(OrderRequest(instrument, "buy", D(quantity), "a-1"), **limit, **changes)


def placed(request: OrderRequest, *answers: object, **options: object) -> tuple[Any, Script]:
    """The report of an order and what the venue saw."""
    script = Script()
    script.actions = list(answers) or [RESTING]
    return run(lambda venue: venue.place(request), script, **options), script


def sent(script: Script) -> dict[str, Any]:
    """The one order on the wire."""
    (body,) = script.done
    (order,) = body["action"]["orders"]
    return dict(order)


def by_order(orders: dict[str, Row]) -> Answering:
    """What the venue says of an order by our id."""
    return lambda asked: orders.get(asked["oid"], UNKNOWN_ORDER)


def signer_of(body: dict[str, Any]) -> str:
    """Who signed, recovered from the signature as a venue does."""
    agent = {
        "source": "a",
        "connectionId": action_hash(body["action"], body["nonce"], body["vaultAddress"], body["expiresAfter"]),
    }
    domain = {"name": "Exchange", "version": "1", "chainId": 1337, "verifyingContract": "0x" + "0" * 40}
    types = {"Agent": [{"name": "source", "type": "string"}, {"name": "connectionId", "type": "bytes32"}]}
    signature = [body["signature"]["v"], int(body["signature"]["r"], 16), int(body["signature"]["s"], 16)]
    return str(Account.recover_message(encode_typed_data(domain, types, agent), vrs=signature)).lower()


def test_a_limit_order_goes_out_signed_with_a_nonce_and_an_end() -> None:
    report, script = placed(buy())
    (body,) = script.done
    assert body["action"] == {
        "type": "order",
        "orders": [
            {
                "a": 0,
                "b": True,
                "p": "50000",
                "s": "0.01",
                "r": False,
                "t": {"limit": {"tif": "Gtc"}},
                "c": cloid("a-1"),
            }
        ],
        "grouping": "na",
    }
    assert list(body["action"]["orders"][0]) == ["a", "b", "p", "s", "r", "t", "c"], "the signature is of this order"
    assert body["vaultAddress"] is None
    assert body["nonce"] >= TIME
    assert body["expiresAfter"] == TIME + VALID_MS
    assert signer_of(body) == AGENT
    assert report == OrderReported(
        ACCOUNT,
        BTC,
        "buy",
        D("0.01"),
        D(0),
        "open",
        "42",
        from_ms(body["nonce"] - 1_000),
        f"42:resting:{body['nonce']}",
        client_order_id=cloid("a-1"),
        price=D(50_000),
    )


@pytest.mark.parametrize(
    ("request_", "wire"),
    [
        (buy(time_in_force="post_only"), {"t": {"limit": {"tif": "Alo"}}}),
        (buy(time_in_force="ioc"), {"t": {"limit": {"tif": "Ioc"}}}),
        (buy(time_in_force="gtc", reduce_only=True), {"t": {"limit": {"tif": "Gtc"}}, "r": True}),
        (buy(HYPE, "1.25", price=D("40.123"), order_type="limit"), {"a": 10_107, "p": "40.123", "s": "1.25"}),
        (buy(GOLD, "1", price=D(4000), order_type="limit"), {"a": 120_000}),
        (buy(order_type="market"), {"p": "63000", "t": {"limit": {"tif": "Ioc"}}}),
        (buy(ETH, "0.5", order_type="market"), {"p": "3150", "a": 2}),
        (OrderRequest(ETH, "sell", D("0.5")), {"b": False, "p": "2850.1"}),
        (
            OrderRequest(BTC, "sell", D("0.01"), order_type="stop", trigger_price=D(55_000), reduce_only=True),
            {"p": "52250", "r": True, "t": {"trigger": {"isMarket": True, "triggerPx": "55000", "tpsl": "sl"}}},
        ),
        (
            OrderRequest(BTC, "sell", D("0.01"), order_type="take_profit", trigger_price=D(70_000), reduce_only=True),
            {"p": "66500", "t": {"trigger": {"isMarket": True, "triggerPx": "70000", "tpsl": "tp"}}},
        ),
        (
            buy(order_type="stop_limit", price=D(61_100), trigger_price=D(61_000), time_in_force="gtc"),
            {"p": "61100", "t": {"trigger": {"isMarket": False, "triggerPx": "61000", "tpsl": "sl"}}},
        ),
    ],
)
def test_each_kind_of_order_has_its_form(request_: OrderRequest, wire: dict[str, object]) -> None:
    _, script = placed(request_, dexes=("", "xyz"))
    order = sent(script)
    assert {name: order[name] for name in wire} == wire
    assert ("c" in order) == bool(request_.client_order_id)


@pytest.mark.parametrize(
    "request_",
    [
        buy(price=D("50000.5"), order_type="limit"),
        buy(quantity="0.000001"),
        buy(quantity="0"),
        buy(time_in_force="fok"),
        buy(order_type="market", time_in_force="post_only"),
        buy(order_type="stop", trigger_price=D(61_000), time_in_force="ioc"),
        buy(order_type="stop"),
        buy(order_type="limit", price=None),
        buy(order_type="stop_limit", trigger_price=D(61_000)),
        buy(order_type="stop", trigger_price=D("61000.5")),
        buy(position_side="long"),
        buy("DOGE/USDC:USDC"),
        buy("OLD/USDC:USDC", "1", order_type="market"),
    ],
)
def test_what_the_venue_would_not_take_is_refused_before_anything_is_sent(request_: OrderRequest) -> None:
    script = Script()
    with pytest.raises(Rejected):
        run(lambda venue: venue.place(request_), script)
    assert not script.done


@pytest.mark.parametrize(
    ("request_", "status", "filled", "word"),
    [
        (buy(), {"resting": {"oid": 42}}, "0", "open"),
        (buy(), {"filled": {"totalSz": "0.01", "avgPx": "50000", "oid": 42}}, "0.01", "filled"),
        (buy(), {"filled": {"totalSz": "0.004", "avgPx": "50000", "oid": 42}}, "0.004", "partially_filled"),
        (buy(time_in_force="ioc"), {"filled": {"totalSz": "0.004", "avgPx": "50000", "oid": 42}}, "0.004", "canceled"),
        (buy(order_type="market"), {"filled": {"totalSz": "0.004", "avgPx": "6", "oid": 42}}, "0.004", "canceled"),
    ],
)
def test_a_report_says_what_the_answer_says(request_: OrderRequest, status: object, filled: str, word: str) -> None:
    report, _ = placed(request_, taken(status))
    assert (report.status, report.filled, report.venue_order_id) == (word, D(filled), "42")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (taken({"error": "Insufficient margin to place order. asset=0"}), Rejected),
        ({"status": "err", "response": "Order has zero size."}, Rejected),
        ({"status": "err", "response": f"User or API Wallet {AGENT} does not exist."}, AuthenticationFailed),
        ({"status": "err", "response": "Too many cumulative requests sent (2 > 1)"}, RateLimited),
        ({"status": "err", "response": "Action already expired"}, Unavailable),
        ({"status": "err", "response": "Invalid nonce: duplicate nonce 5"}, OutcomeUnknown),
        (taken("waitingForFill"), OutcomeUnknown),
        (taken(), OutcomeUnknown),
        (b"<html>", OutcomeUnknown),
        (Status("429 Too Many Requests"), RateLimited),
        (Status("502 Bad Gateway"), OutcomeUnknown),
        (Status("422 Unprocessable", b"Failed to deserialize the JSON body into the target type"), Rejected),
        (HANG_UP, OutcomeUnknown),
    ],
)
def test_an_order_is_sent_once_and_its_error_says_what_is_known(answer: object, kind: type[VenueError]) -> None:
    script = Script()
    script.actions = [answer]
    with pytest.raises(VenueError) as told:
        run(lambda venue: venue.place(buy()), script)
    assert type(told.value) is kind
    assert len(script.done) == 1


def test_an_account_without_a_key_cannot_trade_and_nothing_is_even_asked() -> None:
    calls: list[Callable[[HyperliquidVenue], Awaitable[object]]] = [
        lambda venue: venue.place(buy()),
        lambda venue: venue.cancel(BTC, "42"),
        lambda venue: venue.amend(BTC, "42", Amendment(price=D(1))),
        lambda venue: venue.close(BTC, "net", "a-1"),
    ]
    for call in calls:
        script = Script()
        with pytest.raises(AuthenticationFailed, match="no key"):
            run(call, script, signer=None)
        assert not script.asked
        assert not script.done


def test_an_order_for_a_sub_account_names_it_and_one_that_would_not_is_refused() -> None:
    script = Script()
    script.info["userRole"] = role_of({"role": "subAccount", "data": {"master": MASTER}}, agent_of=MASTER)
    script.actions = [RESTING]
    run(lambda venue: venue.place(buy()), script, vault=True)
    (body,) = script.done
    assert body["vaultAddress"] == ME
    assert signer_of(body) == AGENT
    with pytest.raises(AuthenticationFailed, match="vault = true"):
        run(lambda venue: venue.place(buy()), script)
    script.info["userRole"] = role_of({"role": "user"}, agent_of=ME)
    with pytest.raises(AuthenticationFailed, match="vault = false"):
        run(lambda venue: venue.place(buy()), script, vault=True)
    assert len(script.done) == 1


@pytest.mark.parametrize("role", [{"role": "missing"}, {"role": "user"}, {"role": "agent", "data": {"user": MASTER}}])
def test_an_order_signed_with_another_accounts_key_is_never_sent_for_it_would_be_done_there(role: Row) -> None:
    script = Script()
    script.info["userRole"] = by_user({ME: {"role": "user"}, AGENT: role})
    script.info["clearinghouseState"] = clearinghouse(position("BTC", "0.1"))
    script.info["orderStatus"] = order_status()
    calls: list[Callable[[HyperliquidVenue], Awaitable[object]]] = [
        lambda venue: venue.place(buy()),
        lambda venue: venue.place(buy(reduce_only=True)),
        lambda venue: venue.amend(BTC, "42", Amendment(price=D(51_000))),
        lambda venue: venue.close(BTC, "net", "a-1"),
    ]
    for call in calls:
        with pytest.raises(AuthenticationFailed, match="not an API wallet"):
            run(call, script)
    assert not script.done


def test_whose_the_key_is_is_asked_once() -> None:
    script = Script()
    script.actions = [RESTING, RESTING]

    async def story(venue: HyperliquidVenue) -> None:
        await venue.place(buy())
        await venue.place(buy())

    run(story, script)
    assert [asked["user"] for asked in script.asked if asked["type"] == "userRole"] == [ME, AGENT]


def test_a_cancellation_does_not_wait_for_who_asks_for_the_markets() -> None:
    script = Script()
    script.actions = [DONE]
    script.info["orderStatus"] = order_status("canceled")

    async def story(venue: HyperliquidVenue) -> None:
        async with venue._session._lock:  # as a pull does that waits for its turn
            await venue.cancel(BTC, "42")

    run(story, script)
    assert len(script.done) == 1


def test_a_close_does_not_wait_until_an_unknown_market_is_explained() -> None:
    script = Script()
    script.info["clearinghouseState"] = clearinghouse(position("BTC", "0.1"), position("@999", "1"))
    script.actions = [RESTING]

    async def story(venue: HyperliquidVenue) -> None:
        await venue.instruments()
        script.info["spotMeta"] = Status("503 Service Unavailable")
        await venue.close(BTC, "net", "a-2")

    run(story, script)
    assert sent(script)["s"] == "0.1"


def test_nonces_rise_even_while_the_clock_stands_still() -> None:
    script = Script()
    script.actions = [RESTING] * 20

    async def story(venue: HyperliquidVenue) -> None:
        await asyncio.gather(*(venue.place(buy(client_order_id=f"a-{n}")) for n in range(20)))

    run(story, script)
    nonces = [body["nonce"] for body in script.done]
    assert len(set(nonces)) == 20
    assert all(signer_of(body) == AGENT for body in script.done)


def test_a_clock_that_is_off_is_compensated() -> None:
    clock = HandClock()
    clock.at -= 20_000 * 1_000_000
    _, script = placed(buy(), clock=clock)
    assert abs(script.done[0]["expiresAfter"] - TIME - VALID_MS) < 100


def test_a_clock_that_is_far_off_lets_out_only_what_ends_or_protects() -> None:
    clock = HandClock()
    clock.at -= 90_000 * 1_000_000
    script = Script()
    script.actions = [RESTING, DONE]
    script.info["orderStatus"] = order_status("canceled")

    async def story(venue: HyperliquidVenue) -> None:
        with pytest.raises(Unavailable, match="clock"):
            await venue.place(buy())
        assert not script.done
        await venue.place(buy(reduce_only=True))
        await venue.cancel(BTC, "42")

    run(story, script, clock=clock)
    assert len(script.done) == 2


def test_a_cancellation_has_no_end_and_reports_what_was_filled() -> None:
    script = Script()
    script.actions = [DONE]
    script.info["orderStatus"] = order_status("canceled", sz="0.06")
    report = run(lambda venue: venue.cancel(BTC, "42"), script)
    (body,) = script.done
    assert body["action"] == {"type": "cancel", "cancels": [{"a": 0, "o": 42}]}
    assert body["expiresAfter"] is None
    assert (report.status, report.quantity, report.filled) == ("canceled", D("0.1"), D("0.04"))


def test_an_order_that_is_done_already_is_reported_as_it_is() -> None:
    script = Script()
    script.actions = [GONE, GONE]
    script.info["orderStatus"] = order_status("filled", sz="0.0")
    assert run(lambda venue: venue.cancel(BTC, "42"), script).status == "filled"
    script.info["orderStatus"] = UNKNOWN_ORDER
    assert run(lambda venue: venue.cancel(BTC, "42"), script) is None


def test_a_cancellation_that_the_venue_took_counts_even_where_it_still_shows_the_order_open() -> None:
    script = Script()
    script.actions = [DONE]
    script.info["orderStatus"] = order_status("open", sz="0.06")
    clock = HandClock()
    clock.at += 500 * 1_000_000
    report = run(lambda venue: venue.cancel(BTC, "42"), script, clock=clock)
    assert (report.status, report.filled) == ("canceled", D("0.04"))
    nonce = script.done[0]["nonce"]
    assert report.venue_time == from_ms(max(TIME, nonce - 1_000)), "what the venue says of it later is newer"


@pytest.mark.parametrize("answer", [HANG_UP, b"null", {"status": "order", "order": {"order": {"coin": "BTC"}}}])
def test_a_cancellation_whose_effect_cannot_be_read_is_left_open(answer: object) -> None:
    script = Script()
    script.actions = [DONE]
    script.info["orderStatus"] = answer
    with pytest.raises(OutcomeUnknown, match="is cancelled"):
        run(lambda venue: venue.cancel(BTC, "42"), script)


@pytest.mark.parametrize("order_id", ["", "0x12", "-1", "9" * 30, "٤٢"])
def test_what_cannot_be_an_order_id_is_refused(order_id: str) -> None:
    script = Script()
    with pytest.raises(Rejected, match="venue_order_id"):
        run(lambda venue: venue.cancel(BTC, order_id), script)
    assert not script.done


def test_a_change_keeps_what_is_not_changed() -> None:
    script = Script()
    script.actions = [taken({"resting": {"oid": 43}})]
    ours = cloid("a-1")
    script.info["orderStatus"] = order_status(cloid=ours, sz="0.06", tif="Alo", reduceOnly=True)
    report = run(lambda venue: venue.amend(BTC, "42", Amendment(price=D(51_000))), script)
    (body,) = script.done
    wire = {"a": 0, "b": True, "p": "51000", "s": "0.06", "r": True, "t": {"limit": {"tif": "Alo"}}, "c": ours}
    assert body["action"] == {"type": "batchModify", "modifies": [{"oid": 42, "order": wire}]}
    assert (report.venue_order_id, report.quantity, report.client_order_id) == ("43", D("0.06"), ours)
    assert signer_of(body) == AGENT


def test_a_changed_quantity_is_that_of_the_order_that_takes_its_place() -> None:
    script = Script()
    script.actions = [RESTING]
    script.info["orderStatus"] = order_status(sz="0.06")
    run(lambda venue: venue.amend(BTC, "42", Amendment(quantity=D("0.2"))), script)
    assert script.done[0]["action"]["modifies"][0]["order"]["s"] == "0.2"
    with pytest.raises(Rejected):
        run(lambda venue: venue.amend(BTC, "42", Amendment(quantity=D(0))), script)
    assert len(script.done) == 1


def test_a_stop_can_be_moved() -> None:
    script = Script()
    script.actions = [RESTING]
    stop: Row = {"orderType": "Stop Market", "isTrigger": True, "triggerPx": "55000.0", "limitPx": "52250", "tif": None}
    script.info["orderStatus"] = order_status(side="A", reduceOnly=True, **stop)
    run(lambda venue: venue.amend(BTC, "42", Amendment(trigger_price=D(56_000))), script)
    order = script.done[0]["action"]["modifies"][0]["order"]
    assert order["t"] == {"trigger": {"isMarket": True, "triggerPx": "56000", "tpsl": "sl"}}
    assert (order["p"], order["b"], order["r"]) == ("53200", False, True)


@pytest.mark.parametrize(
    "status",
    [
        UNKNOWN_ORDER,
        order_status("filled", sz="0.0"),
        order_status(orderType="Twap"),
        order_status(tif=None),
        order_status(tif="New"),
    ],
)
def test_what_does_not_rest_cannot_be_changed(status: object) -> None:
    script = Script()
    script.info["orderStatus"] = status
    with pytest.raises(Rejected):
        run(lambda venue: venue.amend(BTC, "42", Amendment(price=D(51_000))), script)
    assert not script.done


def test_a_time_in_force_that_cannot_be_read_changes_nothing() -> None:
    script = Script()
    script.info["orderStatus"] = order_status(tif=5)
    with pytest.raises(Malformed):
        run(lambda venue: venue.amend(BTC, "42", Amendment(price=D(51_000))), script)
    assert not script.done


def test_an_order_that_was_lost_in_the_change_is_told() -> None:
    script = Script()
    text = "Error placing new order during modify: Post only order would have immediately matched, bbo was 1@2"
    script.actions = [taken({"error": text})]
    script.info["orderStatus"] = order_status()
    with pytest.raises(OutcomeUnknown, match="The order is gone"):
        run(lambda venue: venue.amend(BTC, "42", Amendment(price=D(51_000))), script)


@pytest.mark.parametrize(("size", "side", "bound"), [("0.1", False, "57000"), ("-0.1", True, "63000")])
def test_a_position_is_closed_by_the_other_side_and_never_beyond_flat(size: str, side: bool, bound: str) -> None:
    script = Script()
    script.info["clearinghouseState"] = clearinghouse(position("BTC", size))
    script.actions = [taken({"filled": {"totalSz": "0.1", "avgPx": "60000", "oid": 50}})]
    report = run(lambda venue: venue.close(BTC, "net", "a-2"), script)
    order = sent(script)
    assert (order["b"], order["p"], order["s"], order["r"]) == (side, bound, "0.1", True)
    assert order["t"] == {"limit": {"tif": "Ioc"}}
    assert (report.status, report.reduce_only, report.client_order_id) == ("filled", True, cloid("a-2"))


def test_a_position_whose_mark_was_rounded_away_is_closed_by_the_mid() -> None:
    script = Script()
    script.info["clearinghouseState"] = clearinghouse(position("BTC", "0.00007", "4.19"))
    script.actions = [RESTING]
    run(lambda venue: venue.close(BTC, "net", "a-2"), script)
    assert sent(script)["p"] == "57000"


@pytest.mark.parametrize(("instrument", "side"), [(BTC, "net"), (BTC, "long"), (HYPE, "net")])
def test_what_is_flat_has_two_sides_or_is_spot_cannot_be_closed(instrument: str, side: str) -> None:
    script = Script()
    with pytest.raises(Rejected) as told:
        run(lambda venue: venue.close(instrument, side, "a-2"), script)
    assert told.value.venue_code == "nothing_to_close"
    assert not script.done


def test_a_position_that_cannot_be_read_is_not_taken_for_flat() -> None:
    script = Script()
    script.info["clearinghouseState"] = clearinghouse(position("BTC", "NaN"))
    with pytest.raises(Malformed):
        run(lambda venue: venue.close(BTC, "net", "a-2"), script)


def test_an_order_is_found_by_our_id_in_whatever_state() -> None:
    script = Script()
    ours = cloid("a-1")
    script.info["orderStatus"] = lambda asked: (
        order_status("canceled", cloid=ours) if asked["oid"] == ours else UNKNOWN_ORDER
    )
    found = run(lambda venue: venue.find("a-1"), script)
    assert (found.status, found.client_order_id, found.instrument) == ("canceled", ours, BTC)
    assert run(lambda venue: venue.find("a-2"), script) is None
    assert run(lambda venue: venue.find("a-1"), script, signer=None).venue_order_id == "42"


@pytest.mark.parametrize("answer", [b"null", {}, {"status": "order"}, {"status": "order", "order": {}}, HANG_UP])
def test_an_order_is_only_not_there_where_the_venue_says_so(answer: object) -> None:
    script = Script()
    script.info["orderStatus"] = answer
    with pytest.raises((Malformed, Unavailable)):
        run(lambda venue: venue.find("a-1"), script)


def test_a_lost_answer_is_resolved_by_looking() -> None:
    script = Script()
    script.actions = [HANG_UP]

    async def story(venue: HyperliquidVenue) -> OrderReported | None:
        with pytest.raises(OutcomeUnknown):
            await venue.place(buy())
        wire = script.done[0]["action"]["orders"][0]
        script.info["orderStatus"] = lambda asked: (
            order_status(cloid=wire["c"]) if asked["oid"] == wire["c"] else UNKNOWN_ORDER
        )
        return await venue.find("a-1")

    found = run(story, script)
    assert found is not None
    assert found.client_order_id == cloid("a-1")
    assert len(script.done) == 1


def test_what_ends_or_protects_a_position_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, Priority]] = []
    request = HttpTransport.request

    async def watched(self: HttpTransport, call: Call, sign: Sign | None = None) -> Answer:
        seen.append((call.path, call.priority))
        return await request(self, call, sign)

    monkeypatch.setattr(HttpTransport, "request", watched)
    script = Script()
    script.info["clearinghouseState"] = clearinghouse(position("BTC", "0.1"))
    script.info["orderStatus"] = order_status("canceled")
    script.actions = [DONE, RESTING, RESTING, RESTING, RESTING, RESTING]
    stop = OrderRequest(BTC, "sell", D("0.1"), "a-1", order_type="stop", trigger_price=D(50_000), reduce_only=True)

    async def priorities(call: Awaitable[object]) -> set[Priority]:
        seen.clear()
        await call
        return {priority for _, priority in seen}

    async def story(venue: HyperliquidVenue) -> list[set[Priority]]:
        return [
            await priorities(venue.cancel(BTC, "42")),  # with all that comes before a first call
            await priorities(venue.place(stop)),
            await priorities(venue.close(BTC, "net", "a-2")),
            await priorities(venue.place(OrderRequest(BTC, "sell", D("0.1"), "a-3", reduce_only=True))),
            await priorities(venue.place(buy())),
            await priorities(venue.place(replace(stop, reduce_only=False))),  # may open a position
        ]

    assert run(story, script) == [
        {Priority.CANCEL},
        {Priority.PROTECTIVE},
        {Priority.CLOSE},
        {Priority.CLOSE},
        {Priority.REST},
        {Priority.REST},
    ]


def test_the_key_is_nowhere_but_in_the_signature() -> None:
    _, script = placed(buy())

    async def story(adapter: HyperliquidVenue) -> str:
        with pytest.raises(VenueError) as told:
            await adapter.place(buy())
        return f"{told.value!r} {adapter!r} {adapter._trading._secret!r} {adapter._trading.signer()!r} {vars(adapter)}"

    async def told() -> str:
        script.actions = [{"status": "err", "response": f"User or API Wallet {AGENT} does not exist."}]
        async with venue(script) as adapter:
            return await story(adapter)

    text = asyncio.run(told()) + json.dumps(script.done)
    assert "0123456789012345678901234567890123456789012345678901234567890123" not in text


def test_open_orders_of_the_state_carry_the_ids_that_orders_were_given() -> None:
    script = Script()
    script.info["frontendOpenOrders"] = [open_order(cloid=cloid("a-1"))]

    async def story(adapter: HyperliquidVenue) -> bool:
        (order,) = ((await adapter.snapshot()).open_orders or {}).values()
        return order.client_order_id == adapter.client_id("a-1")

    assert run(story, script)
