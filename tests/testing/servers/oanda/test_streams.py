"""The two streams over a real socket: what they say, how they end, and what faults on the wire do to them."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from decimal import Decimal
from random import Random
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.testing.servers.kit.ticking import HandClock
from tests.testing.servers.oanda.talk import Talk
from trueup.testing.servers import faults as wire_faults
from trueup.testing.servers.chaos import Chaos, VenueClock
from trueup.testing.servers.oanda.demo import ACCOUNT, ACCOUNT_ID, DEPOSIT, HEDGED_ACCOUNT, TOKEN, demo_markets
from trueup.testing.servers.serving import serving
from trueup.venues.paper import faults
from trueup.venues.paper.exchange import PaperExchange

BOUND_S = 60.0

HEADERS = {"authorization": f"Bearer {TOKEN}"}

Story = Callable[[Talk, httpx.AsyncClient], Awaitable[None]]


def rehearse(story: Story, *plan: wire_faults.AnyFault, talk: Talk | None = None) -> None:
    """Tell a story of a client with a server that is served."""
    talk = talk or Talk()

    async def run() -> None:
        chaos = Chaos(talk.server, wire_faults.WirePlan(plan), VenueClock(talk.clock))
        async with (
            serving(chaos) as address,
            httpx.AsyncClient(
                base_url=f"{address.http}/v3/accounts/{ACCOUNT_ID}", headers=HEADERS, timeout=BOUND_S, trust_env=False
            ) as client,
            asyncio.timeout(BOUND_S),
        ):
            await story(talk, client)

    asyncio.run(run())


async def lines(client: httpx.AsyncClient, path: str) -> AsyncGenerator[dict[str, Any], None]:
    async with client.stream("GET", path) as answer:
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            yield json.loads(line)


async def until(stream: AsyncIterator[dict[str, Any]], kind: str, count: int = 1) -> list[dict[str, Any]]:
    """The next lines of a type, others passed over."""
    found = []
    async for line in stream:
        if line["type"] == kind:
            found.append(line)
        if len(found) == count:
            break
    return found


def _planned(clock: HandClock, *plan: faults.AnyFault) -> PaperExchange:
    exchange = PaperExchange(demo_markets(), clock=clock, random=Random(1), plan=faults.FaultPlan(plan))
    exchange.open_account(ACCOUNT, DEPOSIT)
    exchange.open_account(HEDGED_ACCOUNT, DEPOSIT, hedged=True)
    return exchange


def test_transactions_come_as_they_happen() -> None:
    async def story(talk: Talk, client: httpx.AsyncClient) -> None:
        async with aclosing(lines(client, "/transactions/stream")) as stream:
            first = await anext(stream)
            assert (first["type"], first["lastTransactionID"]) == ("HEARTBEAT", "3")
            talk.order(type="MARKET", units="100")
            (fill,) = await until(stream, "ORDER_FILL")
            assert fill == talk.transactions()[-1]
            talk.exchange.trade_by_hand(ACCOUNT, "EUR/USD", "sell", Decimal(100))
            assert (await until(stream, "ORDER_FILL"))[0]["id"] == "7"
            assert (await until(stream, "HEARTBEAT"))[0]["lastTransactionID"] == "7"
            talk.order(400, type="MARKET", units="0.5")
            assert (await until(stream, "MARKET_ORDER_REJECT"))[0]["id"] == "8"

    rehearse(story)


def test_a_report_that_the_exchange_lost_shows_with_the_next_heartbeat() -> None:
    clock = HandClock()
    exchange = _planned(clock, faults.Drop(account=ACCOUNT))

    async def story(talk: Talk, client: httpx.AsyncClient) -> None:
        async with aclosing(lines(client, "/transactions/stream")) as stream:
            await anext(stream)
            talk.exchange.trade_by_hand(ACCOUNT, "EUR/USD", "buy", Decimal(100))
            assert (await until(stream, "ORDER_FILL"))[0]["id"] == "5"

    rehearse(story, talk=Talk(exchange=exchange, clock=clock))


def test_the_exchange_ends_the_stream() -> None:
    clock = HandClock()
    exchange = _planned(clock, faults.Disconnect(account=ACCOUNT, nth=1))

    async def story(talk: Talk, client: httpx.AsyncClient) -> None:
        stream = lines(client, "/transactions/stream")
        await anext(stream)
        talk.order(type="MARKET", units="100")
        talk.exchange.advance()
        with pytest.raises(httpx.RemoteProtocolError):
            async for _ in stream:
                pass
        async with aclosing(lines(client, "/transactions/stream")) as again:
            assert (await anext(again))["lastTransactionID"] == "5"

    rehearse(story, talk=Talk(exchange=exchange, clock=clock))


def test_an_outage_keeps_a_stream_from_opening() -> None:
    clock = HandClock()
    exchange = _planned(clock, faults.Outage(account=ACCOUNT, for_ms=1_000))

    async def story(talk: Talk, client: httpx.AsyncClient) -> None:
        talk.exchange.advance()
        assert (await client.get("/transactions/stream")).status_code == 503

    rehearse(story, talk=Talk(exchange=exchange, clock=clock))


def test_prices_come_when_they_change() -> None:
    async def story(talk: Talk, client: httpx.AsyncClient) -> None:
        async with aclosing(lines(client, "/pricing/stream?instruments=EUR_USD,XAU_USD")) as stream:
            both = await until(stream, "PRICE", 2)
            assert [price["instrument"] for price in both] == ["EUR_USD", "XAU_USD"]
            await until(stream, "HEARTBEAT")
            talk.exchange.move("EUR/USD", Decimal("1.09000"))
            (changed,) = await until(stream, "PRICE")
            assert (changed["instrument"], changed["closeoutBid"]) == ("EUR_USD", "1.08992")
        async with aclosing(lines(client, "/pricing/stream?instruments=EUR_USD&snapshot=false")) as quiet:
            assert (await anext(quiet))["type"] == "HEARTBEAT"

    rehearse(story)


def test_a_stream_that_cannot_open_says_why() -> None:
    async def story(talk: Talk, client: httpx.AsyncClient) -> None:
        for path, status in (
            ("/pricing/stream", 400),
            ("/pricing/stream?instruments=EUR_XXX", 400),
            ("/orders/stream", 404),
            ("/transactions/1/stream", 404),
            ("/stream", 404),
        ):
            answer = await client.get(path)
            assert (answer.status_code, bool(answer.json()["errorMessage"])) == (status, True), path
        with pytest.raises(InvalidStatus, match="404"):
            await connect(str(client.base_url).replace("http", "ws"), proxy=None)
        refused = await client.get("/transactions/stream", headers={"authorization": "Bearer wrong"})
        assert refused.status_code == 401

    rehearse(story)


def test_faults_strike_lines_and_answers() -> None:
    async def story(talk: Talk, client: httpx.AsyncClient) -> None:
        async with aclosing(lines(client, "/transactions/stream")) as stream:
            await anext(stream)
            order = {"order": {"type": "MARKET", "instrument": "EUR_USD", "units": "100"}}
            lost = await client.post("/orders", json=order)
            assert lost.status_code == 502
            assert (await client.post("/orders", json=order)).json()["lastTransactionID"] == "7"
            fills = await until(stream, "ORDER_FILL", 2)
            assert [fill["id"] for fill in fills] == ["7", "7"]  # that of the lost answer was dropped

    rehearse(
        story,
        wire_faults.Status(status=502, at="after", method="POST", path="/orders"),
        wire_faults.Drop(message='"id":"5"'),
        wire_faults.Duplicate(message='"id":"7"'),
    )
