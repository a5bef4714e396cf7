"""What a WebSocket delivers: acknowledgements, snapshots, what happens, and what goes wrong with it."""

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.testing.servers.hyperliquid.rehearsal import (
    BTC,
    BTC_ID,
    OWNER,
    SUB,
    D,
    Rehearsal,
    Row,
    Stream,
    limit,
    rehearse,
    signed,
)
from trueup.model.events import FillBooked, FundingPaid, OrderReported, TransferBooked
from trueup.testing.servers.hyperliquid import feeds
from trueup.testing.servers.hyperliquid.world import DEMO_ACCOUNT, DEMO_AGENT_KEY
from trueup.venues.hyperliquid.reader import HyperliquidReader
from trueup.venues.paper.faults import Disconnect, Drop, Duplicate, Outage

FILLS: Row = {"type": "userFills", "user": OWNER}
ORDERS: Row = {"type": "orderUpdates", "user": OWNER}
EVENTS: Row = {"type": "userEvents", "user": OWNER}
FUNDINGS: Row = {"type": "userFundings", "user": OWNER}
LEDGER: Row = {"type": "userNonFundingLedgerUpdates", "user": OWNER}


def acknowledged(subscription: Row, method: str = "subscribe") -> Row:
    return {"channel": "subscriptionResponse", "data": {"method": method, "subscription": subscription}}


def test_a_subscription_is_acknowledged_and_begins_with_a_snapshot() -> None:
    async def story(venue: Rehearsal) -> None:
        venue.trade("0.1")
        venue.trade("-0.1")
        async with venue.listening(FILLS) as stream:
            assert await stream.hear() == acknowledged(FILLS)
            snapshot = await stream.hear()
            assert snapshot["channel"] == "userFills"
            assert snapshot["data"] == {"isSnapshot": True, "user": OWNER, "fills": await venue.read("userFills")}
            assert [fill["dir"] for fill in snapshot["data"]["fills"]] == ["Close Long", "Open Long"]

    rehearse(story)


def test_what_happens_is_told_as_it_happens_and_as_it_is_read() -> None:
    async def story(venue: Rehearsal) -> None:
        async with venue.listening(FILLS, ORDERS, EVENTS, FUNDINGS, LEDGER) as stream:
            for _ in range(5 + 3):  # acknowledgements and snapshots
                await stream.hear()
            venue.trade("0.1")
            venue.step(3_600_000)
            venue.exchange.deposit(DEMO_ACCOUNT, "USDC", D(-5))
            (fill,) = await venue.read("userFills")
            (funding,) = await venue.read("userFunding", startTime=0)
            withdrawal = (await venue.read("userNonFundingLedgerUpdates", startTime=0))[-1]
            (past,) = await venue.read("historicalOrders")
            flat = {"time": funding["time"]} | {k: v for k, v in funding["delta"].items() if k != "type"}
            told = [await stream.hear() for _ in range(7)]
            channels = ["orderUpdates", "userFills", "user", "orderUpdates", "userFundings", "user"]
            assert [message["channel"] for message in told] == [*channels, "userNonFundingLedgerUpdates"]
            data = [message["data"] for message in told]
            assert [data[0][0]["status"], data[3][0]["status"]] == ["open", "filled"]
            assert data[3][0]["order"].items() <= past["order"].items()
            assert data[1] == {"user": OWNER, "fills": [fill]}
            assert data[2] == {"fills": [fill]}
            assert data[4] == {"user": OWNER, "fundings": [flat]}
            assert data[5] == {"funding": flat}
            assert data[6] == {"user": OWNER, "nonFundingLedgerUpdates": [withdrawal]}

    rehearse(story)


def test_the_reader_understands_every_message() -> None:
    async def story(venue: Rehearsal) -> None:
        reader = HyperliquidReader(DEMO_ACCOUNT, OWNER)
        async with venue.listening(FILLS, ORDERS, FUNDINGS, LEDGER) as stream:
            for _ in range(4 + 3):
                await stream.hear()
            venue.trade("0.1")
            venue.step(3_600_000)
            venue.exchange.deposit(DEMO_ACCOUNT, "USDC", D(-5))
            messages = b"\n".join([msgspec.json.encode(await stream.hear()) for _ in range(5)])
            reading = reader.read("stream", messages)
            assert not reading.refused
            kinds = {FillBooked, OrderReported, FundingPaid, TransferBooked}
            assert kinds <= {type(fact) for fact in reading.facts}

    rehearse(story)


def test_an_order_that_the_venue_cancels_is_an_event() -> None:
    async def story(venue: Rehearsal) -> None:
        async with venue.listening(EVENTS) as stream:
            assert await stream.hear() == acknowledged(EVENTS)
            await venue.order(limit(BTC_ID, "buy", "0.1", "60000", "Ioc"))
            await venue.order(limit(BTC_ID, "buy", "0.1", "59000"))
            (order,) = await venue.read("openOrders")
            await venue.act({"type": "cancel", "cancels": [{"a": BTC_ID, "o": order["oid"]}]})
            venue.trade("0.1")
            (event,) = (await stream.hear_of("user"))["nonUserCancel"]
            assert (event["coin"], event["oid"] < order["oid"]) == ("BTC", True)
            assert set(await stream.hear_of("user")) == {"fills"}, "what the user cancels is none"

    rehearse(story)


def test_a_ping_is_answered() -> None:
    async def story(venue: Rehearsal) -> None:
        async with venue.listening() as stream:
            await stream.say({"method": "ping"})
            assert await stream.hear() == {"channel": "pong"}

    rehearse(story)


def test_markets_are_shown_as_they_stand_and_when_they_move() -> None:
    async def story(venue: Rehearsal) -> None:
        mids, context = {"type": "allMids"}, {"type": "activeAssetCtx", "coin": "BTC"}
        book, page = {"type": "l2Book", "coin": "BTC"}, {"type": "webData2", "user": OWNER}
        async with venue.listening(mids, context, book, page) as stream:
            assert (await stream.hear_of("allMids"))["mids"]["BTC"] == "60000.0"
            assert (await stream.hear_of("activeAssetCtx"))["ctx"]["markPx"] == "60000.0"
            assert (await stream.hear_of("l2Book"))["levels"][0][0]["px"] == "59999.0"
            assert (await stream.hear_of("webData2"))["clearinghouseState"]["assetPositions"] == []
            venue.exchange.move(BTC, D(61000))
            assert (await stream.hear_of("allMids"))["mids"]["BTC"] == "61000.0"
            assert (await stream.hear_of("activeAssetCtx"))["ctx"]["markPx"] == "61000.0"
            assert (await stream.hear_of("l2Book"))["levels"][0][0]["px"] == "60999.0"
            assert (await stream.hear_of("webData2"))["assetCtxs"][0]["markPx"] == "61000.0"

    rehearse(story)


def test_a_spot_market_has_a_channel_of_its_own() -> None:
    async def story(venue: Rehearsal) -> None:
        async with venue.listening({"type": "activeAssetCtx", "coin": "@107"}) as stream:
            assert (await stream.hear_of("activeSpotAssetCtx"))["coin"] == "@107"

    rehearse(story)


def test_unsubscribed_is_unheard() -> None:
    async def story(venue: Rehearsal) -> None:
        async with venue.listening(FILLS, ORDERS) as stream:
            await stream.say({"method": "unsubscribe", "subscription": FILLS})
            await stream.say({"method": "unsubscribe", "subscription": FILLS})
            assert await stream.hear_of("error") == f"Already unsubscribed: {msgspec.json.encode(FILLS).decode()}"
            venue.trade("0.1")
            heard = [await stream.hear() for _ in range(2)]
            assert [message["channel"] for message in heard] == ["orderUpdates", "orderUpdates"]

    rehearse(story)


MISTAKES: list[tuple[str, object, str]] = [
    ("no such type", {"type": "nonsense"}, "Invalid subscription "),
    ("no user", {"type": "userFills"}, "Invalid subscription "),
    ("no such coin", {"type": "l2Book", "coin": "NOPE"}, "Invalid subscription "),
    ("no object", "userFills", "Invalid subscription "),
]


@pytest.mark.parametrize(("wanted", "says"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_told_and_the_connection_stays(wanted: object, says: str) -> None:
    async def story(venue: Rehearsal) -> None:
        async with venue.listening() as stream:
            await stream.say({"method": "subscribe", "subscription": wanted})
            assert (await stream.hear_of("error")).startswith(says)
            await stream.say({"method": "stand on your head"})
            assert (await stream.hear_of("error")).startswith("Error parsing JSON")
            await stream.connection.send("not JSON")
            assert (await stream.hear_of("error")).startswith("Error parsing JSON")
            await stream.say({"method": "ping"})
            assert await stream.hear() == {"channel": "pong"}

    rehearse(story)


def test_twice_is_once_and_an_error() -> None:
    async def story(venue: Rehearsal) -> None:
        async with venue.listening(FILLS, FILLS) as stream:
            assert (await stream.hear_of("error")).startswith("Already subscribed: ")
            venue.trade("0.1")
            assert len((await stream.hear_of("userFills"))["fills"]) == 1
            await stream.say({"method": "ping"})
            assert await stream.hear() == {"channel": "pong"}

    rehearse(story)


def test_ten_users_may_be_followed_and_no_more_until_one_is_left() -> None:
    def of(number: int) -> Row:
        return {"type": "userFills", "user": f"0x{number:040x}"}

    async def story(venue: Rehearsal) -> None:
        async with venue.listening(*map(of, range(feeds.USERS_MAX)), of(99)) as stream:
            assert await stream.hear_of("error") == "Cannot track more than 10 total users."
            async with venue.listening(of(99), of(1)) as other:
                assert await other.hear_of("error") == "Cannot track more than 10 total users."
                assert (await other.hear_of("userFills"))["user"] == of(1)["user"], "who is followed already"
            await stream.say({"method": "unsubscribe", "subscription": of(0)})
            await stream.say({"method": "subscribe", "subscription": of(99)})
            while (await stream.hear_of("userFills"))["user"] != of(99)["user"]:
                pass

    rehearse(story)


def test_faults_of_the_exchange_strike_the_feed() -> None:
    async def story(venue: Rehearsal) -> None:
        async with venue.listening(FILLS) as stream:
            await stream.hear_of("userFills")
            for quantity in ("0.1", "0.2", "0.3"):
                venue.trade(quantity)
            heard = [(await stream.hear_of("userFills"))["fills"][0]["sz"] for _ in range(3)]
            assert heard == ["0.2", "0.2", "0.3"]
            assert len(await venue.read("userFills")) == 3

    rehearse(story, Drop(account=DEMO_ACCOUNT, nth=1), Duplicate(account=DEMO_ACCOUNT, nth=2))


async def heard_to_the_end(stream: Stream) -> list[Row]:
    heard: list[Row] = []
    while True:
        try:
            heard.append(await stream.hear())
        except ConnectionClosed:
            return heard


@pytest.mark.parametrize("fault", [Disconnect(account=DEMO_ACCOUNT), Outage(account=DEMO_ACCOUNT, for_ms=1)])
def test_when_the_exchange_hangs_up_the_connection_ends(fault: Disconnect | Outage) -> None:
    async def story(venue: Rehearsal) -> None:
        async with venue.listening(FILLS) as stream:
            await stream.hear_of("userFills")
            venue.step()
            assert await heard_to_the_end(stream) == []
        venue.clock.pass_ms(1)
        async with venue.listening(FILLS) as again:
            assert (await again.hear_of("userFills"))["isSnapshot"] is True

    rehearse(story, fault)


def test_a_client_that_does_not_keep_up_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MESSAGES_MAX", 5)

    async def story(venue: Rehearsal) -> None:
        async with venue.listening(FILLS) as stream:
            await stream.hear_of("userFills")
            for _ in range(6):
                venue.trade("0.01")
            assert len(await heard_to_the_end(stream)) == 5

    rehearse(story)


def test_a_connection_that_says_nothing_for_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trueup.testing.servers.hyperliquid.server.IDLE_S", 0.0)

    async def story(venue: Rehearsal) -> None:
        async with venue.listening() as stream:
            assert await heard_to_the_end(stream) == []

    rehearse(story)


def test_requests_can_be_posted_over_the_connection() -> None:
    async def story(venue: Rehearsal) -> None:
        def post(number: int, kind: str, payload: object) -> Row:
            return {"method": "post", "id": number, "request": {"type": kind, "payload": payload}}

        async with venue.listening() as stream:
            await stream.say(post(1, "info", {"type": "allMids"}))
            answer = await stream.hear_of("post")
            assert answer["id"] == 1
            assert answer["response"]["payload"] == {"type": "allMids", "data": await venue.read("allMids")}
            action: Row = {"type": "order", "orders": [limit(BTC_ID, "buy", "0.01", "50000")], "grouping": "na"}
            await stream.say(post(2, "action", signed(action, DEMO_AGENT_KEY, venue.next_nonce())))
            answer = await stream.hear_of("post")
            assert answer["response"]["type"] == "action"
            (order,) = await venue.read("openOrders")
            statuses = answer["response"]["payload"]["response"]["data"]["statuses"]
            assert statuses == [{"resting": {"oid": order["oid"]}}]
            await stream.say(post(3, "info", {"type": "nonsense"}))
            assert (await stream.hear_of("post"))["response"]["type"] == "error"

    rehearse(story)


def test_a_websocket_is_at_its_own_address() -> None:
    async def story(venue: Rehearsal) -> None:
        venue.ws += "/elsewhere"
        with pytest.raises(InvalidStatus):
            async with venue.listening():
                pass

    rehearse(story)


def test_each_user_hears_of_itself_alone() -> None:
    async def story(venue: Rehearsal) -> None:
        of_sub: Row = {"type": "userFills", "user": SUB}
        async with venue.listening(of_sub, FILLS) as stream:
            for _ in range(4):
                await stream.hear()
            await venue.order(limit(BTC_ID, "buy", "0.01", "61000"), vault=SUB)
            assert (await stream.hear())["data"]["user"] == SUB
            venue.trade("0.1")
            assert (await stream.hear())["data"]["user"] == OWNER

    rehearse(story)
