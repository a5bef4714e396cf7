"""The channels over a real WebSocket: signed in, kept alive, with a gap first and wherever money moved unexplained."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.venues.jsonrpc_derivatives.live.engine_script import (
    ACCOUNT,
    CLIENT_SECRET,
    TOKEN,
    HandClock,
    Row,
    Script,
    order,
    trade,
    venue,
)
from trueup.model.errors import AuthenticationFailed, Malformed, RateLimited
from trueup.model.events import FillBooked, InstrumentDefined, OrderReported
from trueup.model.venues import Gap
from trueup.venues.deribit.reader import DERIBIT, DeribitReader
from trueup.venues.jsonrpc_derivatives.live import EngineVenue
from trueup.venues.jsonrpc_derivatives.socket import HEARTBEAT_S, SUBSCRIBE_ID
from trueup.venues.jsonrpc_derivatives.stream import Conversation, channels

PATIENCE_S = 60.0
CHANNELS = ["user.changes.future.any.raw", "user.changes.spot.any.raw", "user.portfolio.any"]


class Peer:
    """The engine's end of one connection."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection

    async def asked(self) -> Row:
        """The next request."""
        async with asyncio.timeout(PATIENCE_S):
            row: Row = json.loads(await self.connection.recv())
            return row

    async def say(self, row: Row) -> None:
        await self.connection.send(json.dumps({"jsonrpc": "2.0", **row}))

    async def tell(self, channel: str, data: object) -> None:
        await self.say({"method": "subscription", "params": {"channel": channel, "data": data}})

    async def let_in(self, *, token: Row = TOKEN, given: Sequence[str] = CHANNELS) -> list[Row]:
        """Take the sign-in and the subscriptions; what was asked."""
        asked = [await self.asked()]
        await self.say({"id": asked[0]["id"], "result": token})
        asked += [await self.asked(), await self.asked()]
        await self.say({"id": asked[1]["id"], "result": "ok"})
        await self.say({"id": asked[2]["id"], "result": list(given)})
        return asked


Talking = Callable[[Peer], Awaitable[object]]
Story = Callable[[EngineVenue], Awaitable[object]]


@asynccontextmanager
async def talking(talk: Talking) -> AsyncIterator[str]:
    async def handle(connection: ServerConnection) -> None:
        await talk(Peer(connection))
        await connection.wait_closed()

    async with serve(handle, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/ws/api/v2"


def told(talk: Talking, story: Story, clock: HandClock | None = None) -> None:
    async def both() -> None:
        async with talking(talk) as url, venue(Script(), clock or HandClock(), {}, url) as adapter:
            async with asyncio.timeout(PATIENCE_S):
                await story(adapter)

    asyncio.run(both())


async def first(adapter: EngineVenue, count: int) -> list[object]:
    stream = adapter.stream()
    return [await anext(stream) for _ in range(count)]


def test_a_connection_signs_in_asks_for_heartbeats_and_channels_and_begins_with_a_gap() -> None:
    asked: list[Row] = []

    async def talk(peer: Peer) -> None:
        asked.extend(await peer.let_in())
        await peer.tell(CHANNELS[0], {"trades": [trade(1)], "orders": [order(order_state="filled", filled_amount=0.5)]})

    async def story(adapter: EngineVenue) -> None:
        gap, *facts = await first(adapter, 4)
        assert gap == Gap("connected")
        assert {type(fact) for fact in facts} == {InstrumentDefined, FillBooked, OrderReported}

    told(talk, story)
    auth, heartbeat, subscribe = asked
    assert (auth["method"], auth["params"]["grant_type"]) == ("public/auth", "client_signature")
    assert "scope" not in auth["params"], "bound to this connection"
    assert CLIENT_SECRET not in json.dumps(asked)
    assert (heartbeat["method"], heartbeat["params"]) == ("public/set_heartbeat", {"interval": HEARTBEAT_S})
    assert (subscribe["method"], subscribe["params"]["channels"]) == ("private/subscribe", CHANNELS)


def test_what_comes_before_the_channels_are_given_comes_after_the_gap() -> None:
    async def talk(peer: Peer) -> None:
        auth = await peer.asked()
        await peer.say({"id": auth["id"], "result": TOKEN})
        await peer.tell(CHANNELS[0], {"trades": [trade(1)]})
        await peer.say({"id": SUBSCRIBE_ID, "result": CHANNELS})

    async def story(adapter: EngineVenue) -> None:
        gap, _, fill = await first(adapter, 3)
        assert isinstance(gap, Gap)
        assert isinstance(fill, FillBooked)

    told(talk, story)


def test_a_question_whether_we_are_there_is_answered() -> None:
    answered: list[str] = []

    async def talk(peer: Peer) -> None:
        await peer.let_in()
        await peer.say({"method": "heartbeat", "params": {"type": "heartbeat"}})
        await peer.say({"method": "heartbeat", "params": {"type": "test_request"}})
        answered.append((await peer.asked())["method"])
        await peer.tell(CHANNELS[0], {"trades": [trade(1)]})

    async def story(adapter: EngineVenue) -> None:
        await first(adapter, 3)

    told(talk, story)
    assert answered == ["public/test"]


def test_the_sign_in_is_renewed_ahead_of_its_end() -> None:
    clock = HandClock()
    renewed: list[str] = []

    async def talk(peer: Peer) -> None:
        await peer.let_in()
        clock.skip(800)
        await peer.say({"method": "heartbeat", "params": {"type": "heartbeat"}})
        again = await peer.asked()
        renewed.append(again["method"])
        await peer.say({"id": again["id"], "result": TOKEN})
        await peer.tell(CHANNELS[0], {"trades": [trade(1)]})

    async def story(adapter: EngineVenue) -> None:
        await first(adapter, 3)

    told(talk, story, clock)
    assert renewed == ["public/auth"]


def test_a_connection_that_is_lost_is_signed_in_anew_and_begins_with_a_gap() -> None:
    connections: list[int] = []

    async def talk(peer: Peer) -> None:
        connections.append(len(await peer.let_in()))
        await peer.tell(CHANNELS[0], {"trades": [trade(len(connections))]})
        if len(connections) == 1:
            await peer.connection.close()

    async def story(adapter: EngineVenue) -> None:
        items = await first(adapter, 6)
        assert [type(item) for item in items] == [Gap, InstrumentDefined, FillBooked] * 2

    told(talk, story)
    assert connections == [3, 3]


@pytest.mark.parametrize("given", [[], CHANNELS[:2]])
def test_a_channel_that_is_not_given_ends_the_stream(given: Sequence[str]) -> None:
    async def talk(peer: Peer) -> None:
        await peer.let_in(given=given)

    async def story(adapter: EngineVenue) -> None:
        with pytest.raises(AuthenticationFailed, match=r"user\.portfolio\.any"):
            await first(adapter, 1)

    told(talk, story)


def test_a_sign_in_that_is_refused_ends_the_stream() -> None:
    async def talk(peer: Peer) -> None:
        auth = await peer.asked()
        await peer.say({"id": auth["id"], "error": {"code": 13004, "message": "invalid_credentials"}})

    async def story(adapter: EngineVenue) -> None:
        with pytest.raises(AuthenticationFailed, match="invalid_credentials"):
            await first(adapter, 1)

    told(talk, story)


# --- messages, without a socket ---------------------------------------------------------------------------------------


def conversation() -> Conversation:
    made = Conversation(DERIBIT, DeribitReader(ACCOUNT))
    assert list(channels(DERIBIT)) == CHANNELS
    assert not made.read(json.dumps({"id": SUBSCRIBE_ID, "result": CHANNELS}))
    assert made.agreed
    return made


def portfolio(currency: str, balance: object) -> str:
    data = {"currency": currency, "balance": balance, "equity": 5}
    return json.dumps({"method": "subscription", "params": {"channel": "user.portfolio.any", "data": data}})


def changes(*trades: Row) -> str:
    data = {"trades": list(trades), "orders": []}
    return json.dumps({"method": "subscription", "params": {"channel": CHANNELS[0], "data": data}})


def gaps(made: Conversation, message: str) -> int:
    return sum(isinstance(item, Gap) for item in made.read(message))


def test_channels_that_are_not_given_now_are_asked_for_again_later() -> None:
    error = {"code": 10028, "message": "too_many_requests"}
    with pytest.raises(RateLimited):
        Conversation(DERIBIT, DeribitReader(ACCOUNT)).read(json.dumps({"id": SUBSCRIBE_ID, "error": error}))


def test_a_position_that_changes_by_no_trade_is_a_gap() -> None:
    """At a settlement, say, or a delivery."""
    assert gaps(conversation(), changes()) == 1


def test_a_balance_that_moves_by_fees_alone_is_no_gap() -> None:
    made = conversation()
    assert gaps(made, portfolio("USDC", 100)) == 1, "what it was before is not known"
    assert gaps(made, portfolio("USDC", 100)) == 0
    assert gaps(made, changes(trade(1, fee=0.0125), trade(2, fee=-0.0025))) == 0
    assert gaps(made, portfolio("USDC", 99.99)) == 0
    assert gaps(made, portfolio("BTC", 1)) == 1


@pytest.mark.parametrize("balance", ["100.5", "99.9", "94.99"])
def test_a_balance_that_moves_by_anything_else_is_a_gap(balance: str) -> None:
    made = conversation()
    made.read(portfolio("USDC", 100))
    made.read(changes(trade(1, fee=0.0125)))
    assert gaps(made, portfolio("USDC", Decimal(balance).__float__())) == 1
    assert gaps(made, portfolio("USDC", Decimal(balance).__float__())) == 0


def test_a_fee_that_is_rounded_is_no_gap() -> None:
    made = conversation()
    made.read(portfolio("BTC", 1))
    made.read(changes(trade(1, instrument_name="BTC-PERPETUAL", fee_currency="BTC", fee=0.000000014)))
    assert gaps(made, portfolio("BTC", 0.99999999)) == 0


@pytest.mark.parametrize(
    "message",
    [
        "no JSON",
        "[]",
        json.dumps({"method": "subscription", "params": {"channel": CHANNELS[0]}}),
        json.dumps({"method": "subscription", "params": 5}),
        changes(trade(1, amount="NaN")),
        portfolio("USDC", "much"),
    ],
)
def test_a_message_that_cannot_be_read_is_told_as_such(message: str) -> None:
    with pytest.raises(Malformed):
        conversation().read(message)


@pytest.mark.parametrize("row", [{"id": 7, "result": "ok"}, {"method": "heartbeat", "params": {"type": "heartbeat"}}])
def test_what_says_nothing_of_the_account_says_nothing(row: Row) -> None:
    assert not conversation().read(json.dumps(row))
