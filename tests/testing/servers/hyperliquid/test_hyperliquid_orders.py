"""What becomes of orders at the venue: taken, refused in its words, cancelled, modified, triggered, told as history."""

from collections.abc import Callable

import pytest

from tests.testing.servers.hyperliquid.rehearsal import (
    BTC,
    BTC_ID,
    ETH_ID,
    GOLD_ID,
    HYPE_ID,
    D,
    Rehearsal,
    Row,
    limit,
    rehearse,
    signed,
    trigger,
)
from trueup.testing.servers.hyperliquid.world import DEMO_ACCOUNT, DEMO_AGENT_KEY
from trueup.venues.paper.faults import TimeOut

CLOID, OTHER_CLOID = "0x" + 32 * "a", "0x" + 32 * "b"


def test_an_order_rests_is_filled_or_is_refused_each_in_its_place() -> None:
    async def story(venue: Rehearsal) -> None:
        resting, filled, refused = await venue.order(
            limit(BTC_ID, "buy", "0.01", "50000", cloid=CLOID),
            limit(BTC_ID, "buy", "0.6", "60002"),
            limit(BTC_ID, "buy", "0.01", "60000.5"),
        )
        assert set(resting["resting"]) == {"oid", "cloid"}
        assert filled["filled"] == {"totalSz": "0.6", "avgPx": "60001.33333333", "oid": filled["filled"]["oid"]}
        assert refused == {"error": f"Price must be divisible by tick size. asset={BTC_ID}"}
        (order,) = await venue.read("openOrders")
        assert (order["oid"], order["cloid"], order["limitPx"]) == (resting["resting"]["oid"], CLOID, "50000.0")
        assert venue.exchange.truth(DEMO_ACCOUNT).positions == {BTC: D("0.6")}

    rehearse(story)


def test_all_three_kinds_of_market_trade() -> None:
    async def story(venue: Rehearsal) -> None:
        statuses = await venue.order(
            limit(ETH_ID, "buy", "1", "3100", "Ioc"),
            limit(GOLD_ID, "sell", "1", "2400", "Ioc"),
            limit(HYPE_ID, "buy", "2", "36", "Ioc"),
        )
        assert ["filled" in status for status in statuses] == [True, True, True], statuses
        coins = [fill["coin"] for fill in await venue.read("userFills")]
        assert coins == ["@107", "test:GOLD", "ETH"]
        state = await venue.read("clearinghouseState", dex="test")
        assert [row["position"]["szi"] for row in state["assetPositions"]] == ["-1.0"]
        spot = await venue.read("spotClearinghouseState")
        assert {row["coin"]: row["total"] for row in spot["balances"]} == {"USDC": "19929.998", "HYPE": "1.9986"}

    rehearse(story)


TICK, MATCH = "Price must be divisible by tick size.", "Order could not immediately match against any resting orders."
FAR = "Order price cannot be more than 80% away from the reference price"
POST = "Post only order would have immediately matched, bbo was 59999.0@60001.0."
SHORT, GROW = "Insufficient margin to place order.", "Reduce only order would increase position."

REFUSED: list[tuple[str, Row, str]] = [
    ("six figures", limit(BTC_ID, "buy", "0.01", "50000.5"), TICK),
    ("too many decimals", limit(ETH_ID, "buy", "100", "0.123"), TICK),
    ("a price of nothing", limit(BTC_ID, "buy", "0.01", "0"), TICK),
    ("no size", limit(BTC_ID, "buy", "0", "50000"), "Order has zero size."),
    ("off the lot", limit(BTC_ID, "buy", "0.000001", "50000"), "Order has invalid size."),
    ("below ten dollars", limit(BTC_ID, "buy", "0.0001", "50000"), "Order must have minimum value of $10."),
    ("below ten dollars, spot", limit(HYPE_ID, "buy", "0.2", "35"), "Order must have minimum value of 10 USDC."),
    ("far away", limit(BTC_ID, "buy", "0.1", "10000"), FAR),
    ("no margin", limit(BTC_ID, "buy", "1000", "59000"), SHORT),
    ("no coins", limit(HYPE_ID, "sell", "10", "35"), "Insufficient spot balance."),
    ("nothing to reduce", limit(BTC_ID, "sell", "0.1", "61000", reduce=True), GROW),
    ("post only that would match", limit(BTC_ID, "buy", "0.1", "60001", "Alo"), POST),
    ("ioc away", limit(BTC_ID, "buy", "0.1", "60000", "Ioc"), MATCH),
    ("trigger reached", trigger(BTC_ID, "sell", "0.1", "58000", "60100", "sl", reduce=False), "Invalid TP/SL price."),
]


@pytest.mark.parametrize(("order", "says"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_refusal_is_in_the_venues_words(order: Row, says: str) -> None:
    async def story(venue: Rehearsal) -> None:
        (status,) = await venue.order(order)
        assert status == {"error": f"{says} asset={order['a']}"}
        assert await venue.read("openOrders") == []
        assert await venue.read("userFills") == []

    rehearse(story)


def test_each_dex_has_its_own_orders_and_the_main_one_those_of_spot() -> None:
    async def story(venue: Rehearsal) -> None:
        await venue.order(
            limit(BTC_ID, "buy", "0.01", "50000"),
            limit(HYPE_ID, "buy", "1", "30"),
            limit(GOLD_ID, "buy", "0.1", "2000"),
        )
        for kind in ("openOrders", "frontendOpenOrders"):
            assert [order["coin"] for order in await venue.read(kind)] == ["@107", "BTC"]
            assert [order["coin"] for order in await venue.read(kind, dex="test")] == ["test:GOLD"]

    rehearse(story)


def test_a_cloid_is_used_once() -> None:
    async def story(venue: Rehearsal) -> None:
        order = limit(BTC_ID, "buy", "0.01", "50000", cloid=CLOID)
        first, again = await venue.order(order, order)
        assert "resting" in first
        assert "error" in again
        assert len(await venue.read("openOrders")) == 1

    rehearse(story)


def test_orders_are_cancelled_by_either_id_and_once() -> None:
    async def story(venue: Rehearsal) -> None:
        one, _ = await venue.order(
            limit(BTC_ID, "buy", "0.01", "50000"), limit(BTC_ID, "buy", "0.01", "50001", cloid=CLOID)
        )
        oid = one["resting"]["oid"]
        gone = {"error": f"Order was never placed, already canceled, or filled. asset={BTC_ID}"}
        by_oid = {"type": "cancel", "cancels": [{"a": BTC_ID, "o": oid}, {"a": BTC_ID, "o": oid}]}
        assert (await venue.act(by_oid))["response"] == {"type": "cancel", "data": {"statuses": ["success", gone]}}
        by_cloid = {
            "type": "cancelByCloid",
            "cancels": [{"asset": BTC_ID, "cloid": CLOID}, {"asset": BTC_ID, "cloid": OTHER_CLOID}],
        }
        assert (await venue.act(by_cloid))["response"]["data"]["statuses"] == ["success", gone]
        assert await venue.read("openOrders") == []
        status = await venue.read("orderStatus", oid=CLOID)
        assert (status["status"], status["order"]["status"]) == ("order", "canceled")
        assert await venue.read("orderStatus", oid=OTHER_CLOID) == {"status": "unknownOid"}

    rehearse(story)


def test_a_modified_order_has_a_new_id_and_the_old_cloid() -> None:
    async def story(venue: Rehearsal) -> None:
        (first,) = await venue.order(limit(BTC_ID, "buy", "0.01", "50000", cloid=CLOID))
        oid = first["resting"]["oid"]
        moved = limit(BTC_ID, "buy", "0.02", "51000", cloid=CLOID)
        answer = await venue.act({"type": "modify", "oid": oid, "order": moved})
        assert answer == {"status": "ok", "response": {"type": "default"}}
        (order,) = await venue.read("frontendOpenOrders")
        assert (order["limitPx"], order["sz"], order["cloid"]) == ("51000.0", "0.02", CLOID)
        assert order["oid"] != oid
        assert (await venue.read("orderStatus", oid=oid))["order"]["status"] == "canceled"
        assert (await venue.read("orderStatus", oid=CLOID))["order"]["order"]["oid"] == order["oid"]
        again = limit(BTC_ID, "buy", "0.03", "52000", cloid=CLOID)
        batch: Row = {"type": "batchModify", "modifies": [{"oid": CLOID, "order": again}, {"oid": oid, "order": again}]}
        done, refused = (await venue.act(batch))["response"]["data"]["statuses"]
        assert done["resting"]["cloid"] == CLOID
        assert refused == {"error": "Cannot modify canceled or filled order"}

    rehearse(story)


def test_a_modification_that_is_refused_leaves_the_order() -> None:
    async def story(venue: Rehearsal) -> None:
        (first,) = await venue.order(limit(BTC_ID, "buy", "0.01", "50000", "Alo"))
        oid = first["resting"]["oid"]
        bad = limit(BTC_ID, "buy", "0.01", "60001", "Alo")
        answer = await venue.act({"type": "modify", "oid": oid, "order": bad})
        assert answer["status"] == "err"
        assert "immediately matched" in answer["response"]
        assert [order["oid"] for order in await venue.read("openOrders")] == [oid]

    rehearse(story)


def test_triggers_wait_fire_and_say_what_they_are() -> None:
    async def story(venue: Rehearsal) -> None:
        venue.trade("0.2")
        await venue.order(
            trigger(BTC_ID, "sell", "0.1", "55000", "59000", "sl"),
            trigger(BTC_ID, "sell", "0.1", "58900", "59000", "sl", market=False),
            trigger(BTC_ID, "sell", "0.1", "60000", "61000", "tp"),
        )
        orders = await venue.read("frontendOpenOrders")
        shown = [(o["orderType"], o["triggerCondition"], o["triggerPx"], o["limitPx"], o["tif"]) for o in orders]
        assert shown == [
            ("Take Profit Market", "Price above 61000.0", "61000.0", "60000.0", None),
            ("Stop Limit", "Price below 59000.0", "59000.0", "58900.0", None),
            ("Stop Market", "Price below 59000.0", "59000.0", "55000.0", None),
        ]
        venue.exchange.move(BTC, D(59000))
        assert venue.exchange.truth(DEMO_ACCOUNT).positions == {}
        assert [order["status"] for order in await venue.read("historicalOrders")][:2] == ["filled", "filled"]

    rehearse(story)


def test_history_gives_the_reason_of_an_end() -> None:
    async def story(venue: Rehearsal) -> None:
        venue.trade("0.1")
        await venue.order(limit(BTC_ID, "buy", "0.1", "60000", "Ioc"))
        await venue.order(limit(BTC_ID, "sell", "0.2", "61000", reduce=True))
        venue.exchange.move(BTC, D(61002))
        venue.exchange.move(BTC, D(61002))
        told = [(o["status"], o["order"]["sz"], o["order"]["origSz"]) for o in await venue.read("historicalOrders")]
        assert told == [
            ("reduceOnlyCanceled", "0.1", "0.2"),
            ("iocCancelRejected", "0.1", "0.1"),
            ("filled", "0.0", "0.1"),
        ]

    rehearse(story)


def test_leverage_is_set_within_what_the_market_allows() -> None:
    async def story(venue: Rehearsal) -> None:
        venue.trade("0.1")

        async def leverage() -> tuple[int, str]:
            (row,) = (await venue.read("clearinghouseState"))["assetPositions"]
            return row["position"]["leverage"]["value"], row["position"]["marginUsed"]

        assert await leverage() == (20, "300.0")
        answer = await venue.act({"type": "updateLeverage", "asset": BTC_ID, "isCross": True, "leverage": 10})
        assert answer == {"status": "ok", "response": {"type": "default"}}
        assert await leverage() == (10, "600.0")
        too_much = await venue.act({"type": "updateLeverage", "asset": BTC_ID, "isCross": True, "leverage": 41})
        assert too_much == {"status": "err", "response": "Invalid leverage value"}

    rehearse(story)


def test_a_scheduled_cancel_cancels_everything_when_its_time_comes() -> None:
    async def story(venue: Rehearsal) -> None:
        at = {"type": "scheduleCancel", "time": venue.now_ms + 10_000}
        refused = await venue.act(at)
        assert refused["response"].startswith("Cannot set scheduled cancel time until enough volume traded.")
        for quantity in ("2", "-2") * 5:
            venue.trade(quantity)
        soon = await venue.act({"type": "scheduleCancel", "time": venue.now_ms + 4_000})
        assert soon["response"] == "Scheduled cancel time too early, must be at least 5 seconds from now."
        assert (await venue.act(at))["status"] == "ok"
        await venue.order(limit(BTC_ID, "buy", "0.01", "50000"), limit(ETH_ID, "buy", "1", "2000"))
        venue.clock.pass_ms(9_999)
        assert len(await venue.read("openOrders")) == 2
        venue.clock.pass_ms(1)
        assert await venue.read("openOrders") == []
        assert {order["status"] for order in (await venue.read("historicalOrders"))[:2]} == {"scheduledCancel"}

    rehearse(story)


def test_who_sends_much_and_trades_little_may_only_cancel() -> None:
    async def story(venue: Rehearsal) -> None:
        (resting,) = await venue.order(limit(BTC_ID, "buy", "0.01", "50000"))
        for _ in range(10):
            await venue.order(*([limit(BTC_ID, "buy", "0.01", "1")] * 999))
        batch: Row = {"type": "order", "orders": [limit(BTC_ID, "buy", "0.01", "50000")] * 10, "grouping": "na"}
        refused = await venue.act(batch)
        assert refused["response"].startswith(
            "Too many cumulative requests sent (10001 > 10000) for cumulative volume traded $0.0."
        )
        cancel: Row = {"type": "cancel", "cancels": [{"a": BTC_ID, "o": resting["resting"]["oid"]}] * 10}
        assert (await venue.act(cancel))["response"]["data"]["statuses"][0] == "success"
        venue.trade("0.4")
        assert (await venue.act(batch))["status"] == "ok"

    rehearse(story)


@pytest.mark.parametrize("placed", [True, False])
def test_an_order_whose_outcome_is_lost_is_found_by_its_cloid_or_is_not(placed: bool) -> None:
    async def story(venue: Rehearsal) -> None:
        action: Row = {
            "type": "order",
            "orders": [limit(BTC_ID, "buy", "0.01", "50000", "Alo", CLOID)],
            "grouping": "na",
        }
        answer = await venue.http.post("/exchange", json=signed(action, DEMO_AGENT_KEY, venue.next_nonce()))
        assert answer.status_code == 504
        status = await venue.read("orderStatus", oid=CLOID)
        if placed:
            assert (status["order"]["status"], status["order"]["order"]["tif"]) == ("open", "Alo")
        else:
            assert status == {"status": "unknownOid"}
            assert "resting" in (await venue.order(limit(BTC_ID, "buy", "0.01", "50000", cloid=CLOID)))[0]

    rehearse(story, TimeOut(account=DEMO_ACCOUNT, placed=placed))


UNSERVED: list[tuple[str, Callable[[], Row], str]] = [
    (
        "groups",
        lambda: {"type": "order", "orders": [limit(BTC_ID, "buy", "0.1", "50000")], "grouping": "normalTpsl"},
        "Order groups are not served here.",
    ),
    (
        "isolated margin",
        lambda: {"type": "updateLeverage", "asset": BTC_ID, "isCross": False, "leverage": 2},
        "Isolated margin is not served here.",
    ),
]


@pytest.mark.parametrize(("action", "says"), [row[1:] for row in UNSERVED], ids=[row[0] for row in UNSERVED])
def test_what_is_not_served_says_so(action: Callable[[], Row], says: str) -> None:
    async def story(venue: Rehearsal) -> None:
        assert await venue.act(action()) == {"status": "err", "response": says}

    rehearse(story)
