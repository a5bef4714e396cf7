"""The stream over a real WebSocket: what is subscribed to, that a gap comes first and after each loss, what is read."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
import stamina
from websockets.asyncio.server import ServerConnection, serve

from tests.venues.hyperliquid.live.scripted import AGENT, MASTER, HandClock, Script, order_status, venue
from tests.venues.hyperliquid.saved import ME, OTHER, TIME, fill
from trueup.model.errors import AuthenticationFailed, Malformed, Rejected
from trueup.model.events import Fact, FillBooked, FundingPaid, InstrumentDefined, OrderReported, TransferBooked
from trueup.model.venues import Gap
from trueup.venues.hyperliquid.live import HyperliquidVenue
from trueup.venues.hyperliquid.stream import FEEDS, PING_S, Conversation
from trueup.venues.transport.stream import Stream

PATIENCE_S = 60.0
Talking = Callable[[ServerConnection], Awaitable[None]]


@pytest.fixture(autouse=True)
def _without_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


def message(channel: str, data: object) -> str:
    return json.dumps({"channel": channel, "data": data})


def fills(*rows: dict[str, Any], snapshot: bool = False, user: str = ME) -> str:
    told = {"user": user, "fills": list(rows)}
    return message("userFills", {"isSnapshot": True, **told} if snapshot else told)


def funding(coin: str = "BTC") -> str:
    row = {"time": TIME, "coin": coin, "usdc": "-0.5", "szi": "1", "fundingRate": "0.00001"}
    return message("userFundings", {"user": ME, "fundings": [row]})


def deposit() -> str:
    row = {"time": TIME, "hash": "0x" + "1" * 64, "delta": {"type": "deposit", "usdc": "10.0"}}
    return message("userNonFundingLedgerUpdates", {"user": ME, "nonFundingLedgerUpdates": [row]})


def order(status: str = "open") -> str:
    return message("orderUpdates", [order_status(status)["order"]])


async def agree(connection: ServerConnection) -> list[dict[str, Any]]:
    """Take all that is subscribed to, and say so."""
    asked = []
    for _ in FEEDS:
        request = json.loads(await connection.recv())
        asked.append(request)
        await connection.send(message("subscriptionResponse", request))
    return asked


@asynccontextmanager
async def streaming(
    talk: Talking, script: Script | None = None
) -> AsyncIterator[tuple[HyperliquidVenue, Stream[Fact]]]:
    """The adapter's stream, from a venue that talks as it is told on each connection."""
    async with serve(talk, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with venue(script or Script(), stream_url=f"ws://127.0.0.1:{port}") as adapter:
            yield adapter, adapter.stream()


async def take(stream: Stream[Fact], number: int) -> Sequence[Fact | Gap]:
    """So many items, definitions of instruments aside."""
    items: list[Fact | Gap] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(items) < number:
            item = await anext(stream)
            if not isinstance(item, InstrumentDefined):
                items.append(item)
    return items


def test_subscribes_to_everything_of_the_account_and_tells_it_in_order() -> None:
    asked: list[dict[str, Any]] = []

    async def talk(connection: ServerConnection) -> None:
        asked.extend(await agree(connection))
        for text in (fills(fill(tid=1)), order(), funding(), deposit(), fills(fill(tid=2))):
            await connection.send(text)
        await connection.wait_closed()

    async def story() -> Sequence[Fact | Gap]:
        async with streaming(talk) as (adapter, stream):
            items = await take(stream, 6)
            assert adapter.health["stream"].connected
            assert adapter.health["stream"].gaps == 1
            return items

    items = asyncio.run(story())
    assert [type(item) for item in items] == [Gap, FillBooked, OrderReported, FundingPaid, TransferBooked, FillBooked]
    assert [item["subscription"] for item in asked] == [{"type": feed, "user": ME} for feed in FEEDS]


def test_the_gap_comes_first_whatever_the_venue_says_before_it_has_agreed() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send("Websocket connection established.")
        await connection.send(fills(fill(tid=1), snapshot=True))
        await agree(connection)
        await connection.send(fills(fill(tid=2)))
        await connection.wait_closed()

    async def story() -> Sequence[Fact | Gap]:
        async with streaming(talk) as (_, stream):
            return await take(stream, 3)

    gap, first, second = asyncio.run(story())
    assert gap == Gap("connected")
    assert [fact.venue_trade_id for fact in (first, second) if isinstance(fact, FillBooked)] == ["1", "2"]


def test_each_connection_begins_with_a_gap() -> None:
    connections = 0

    async def talk(connection: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        await agree(connection)
        await connection.send(fills(fill(tid=connections)))
        if connections == 3:
            await connection.wait_closed()

    async def story() -> tuple[Sequence[Fact | Gap], int]:
        async with streaming(talk) as (adapter, stream):
            items = await take(stream, 6)
            return items, adapter.health["stream"].reconnects

    items, reconnects = asyncio.run(story())
    assert [isinstance(item, Gap) for item in items] == [True, False] * 3
    assert reconnects == 2


@pytest.mark.parametrize(
    "bad",
    [
        "hello",
        '{"channel":5}',
        '{"data":[]}',
        fills(fill(px="NaN")),
        fills(fill(coin="@999")),
        fills(fill(), user=OTHER),
        message("userFills", {"user": ME, "fills": 5}),
    ],
)
def test_a_message_that_cannot_be_read_is_a_gap_and_the_stream_goes_on(bad: str) -> None:
    async def talk(connection: ServerConnection) -> None:
        await agree(connection)
        await connection.send(bad)
        await connection.send(fills(fill(tid=2)))
        await connection.wait_closed()

    async def story() -> Sequence[Fact | Gap]:
        async with streaming(talk) as (_, stream):
            return await take(stream, 3)

    first, second, third = asyncio.run(story())
    assert first == Gap("connected")
    assert isinstance(second, Gap)
    assert "could not be read" in second.reason
    assert isinstance(third, FillBooked)


def test_a_subscription_that_the_venue_refuses_ends_the_stream() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send(message("error", "Cannot track more than 10 total users."))
        await connection.wait_closed()

    async def story() -> None:
        async with streaming(talk) as (_, stream):
            with pytest.raises(Rejected, match="more than 10 total users"):
                await take(stream, 1)

    asyncio.run(story())


def test_the_stream_of_an_agents_address_is_refused() -> None:
    script = Script()
    script.info["userRole"] = {"role": "agent", "data": {"user": MASTER}}

    async def talk(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async def story() -> None:
        async with streaming(talk, script) as (_, stream):
            with pytest.raises(AuthenticationFailed, match=MASTER):
                await take(stream, 1)

    asyncio.run(story())
    assert AGENT not in str(script.asked)


def test_pings_as_often_as_the_venues_own_client_and_hears_the_answer() -> None:
    async def story() -> None:
        async with venue(Script(), clock=HandClock(), random=Random(1)) as adapter:
            conversation = Conversation(adapter._session)
            assert json.loads(conversation.ping()) == {"method": "ping"}
            assert conversation.ping_s == PING_S == 50.0
            assert conversation.silence_s > PING_S
            assert conversation.read('{"channel":"pong"}') == ()
            with pytest.raises(Malformed):
                conversation.read(b"\xff")

    asyncio.run(story())
