"""The ticker and the postbacks over real sockets: bytes of prices, words of orders, and what is posted."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from random import Random
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.testing.servers.kit.ticking import HandClock
from tests.testing.servers.zerodha.talk import FUTURE, LEAD, MORNING, SHARE, Row, Talk
from trueup.model.errors import BadInput
from trueup.testing.servers import asgi
from trueup.testing.servers.asgi import App, Receive, Scope, Send
from trueup.testing.servers.chaos import Chaos, VenueClock
from trueup.testing.servers.faults import Drop, WirePlan
from trueup.testing.servers.serving import serving
from trueup.testing.servers.zerodha.demo import ACCOUNT, demo_app, demo_markets
from trueup.testing.servers.zerodha.hours import always
from trueup.testing.servers.zerodha.postbacks import PATIENCE_S
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.faults import FaultPlan, Outage
from trueup.venues.zerodha import postback, ticks

D = Decimal
WAIT_S = 60.0
SBIN = "NSE.SBIN.CNC/INR"


class Line:
    """A connection to the ticker, and what it says."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def say(self, **message: object) -> None:
        await self._socket.send(json.dumps(message))

    async def order(self) -> Row:
        """The next order that is told."""
        while True:
            said = await self._next()
            if isinstance(said, str):
                row: Row = json.loads(said)
                assert row["type"] == "order", row
                data: Row = row["data"]
                return data

    async def ticks(self) -> list[ticks.Tick]:
        """The next prices; signs of life are heard over."""
        while True:
            said = await self._next()
            if isinstance(said, bytes) and (told := ticks.frame(said)):
                return told

    async def heartbeat(self) -> bytes:
        while True:
            said = await self._next()
            if isinstance(said, bytes) and len(said) == 1:
                return said

    async def words(self) -> Row:
        while True:
            said = await self._next()
            if isinstance(said, str):
                row: Row = json.loads(said)
                return row

    async def _next(self) -> str | bytes:
        async with asyncio.timeout(WAIT_S):
            return await self._socket.recv()


@asynccontextmanager
async def listening(talk: Talk, app: App | None = None) -> AsyncIterator[Line]:
    async with serving(app or talk.server) as address:
        url = f"{address.ws}?api_key={talk.app.api_key}&access_token={talk.token}"
        async with connect(url) as socket:
            yield Line(socket)


def token(talk: Talk, names: dict[str, str]) -> int:
    listing = talk.server.prices.listings.at(names["exchange"], names["tradingsymbol"])
    assert listing is not None
    return listing.token


def test_prices_come_as_they_are_subscribed_and_as_they_change() -> None:
    talk = Talk()
    rupee = {"exchange": "CDS", "tradingsymbol": "USDINR30DECFUT"}
    tokens = [token(talk, names) for names in (SHARE, FUTURE, LEAD, rupee)]

    async def run() -> None:
        async with listening(talk) as line:
            assert await line.heartbeat() == b"\0"
            await line.say(a="subscribe", v=tokens)
            told = {tick.token: tick for tick in await line.ticks()}
            assert [told[each].last_price for each in tokens] == [D("780.5"), D(24_500), D(180), D("84.5")]
            assert all(tick.volume == 0 and not tick.bids for tick in told.values())
            await line.say(a="mode", v=["full", tokens[:1]])
            (full,) = await line.ticks()
            assert (full.bids[0].price, full.asks[4].price, full.venue_time) == (D("780.3"), D("781.5"), MORNING)
            await line.say(a="mode", v=["ltp", tokens[3:]])
            (last,) = await line.ticks()
            assert (last.token, last.volume, last.last_price) == (tokens[3], None, D("84.5"))
            talk.exchange.move("CDS.USDINR30DECFUT.NRML/INR:INR", D("84.6025"))
            assert [tick.last_price for tick in await line.ticks()] == [D("84.6025")]
            await line.say(a="unsubscribe", v=[["nothing"], *tokens[:1]])
            assert await line.heartbeat()
            talk.exchange.move(SBIN, D(781))
            talk.exchange.move("MCX.LEADMINI30DECFUT.NRML/INR:INR", D(181))
            assert [tick.token for tick in await line.ticks()] == [tokens[2]]

    asyncio.run(run())


def test_orders_are_told_as_they_change_whoever_placed_them() -> None:
    talk = Talk()

    async def run() -> None:
        async with listening(talk) as line:
            await line.heartbeat()
            order_id = talk.order(order_type="LIMIT", price="700", quantity="1400", tag="told")
            told = await line.order()
            assert (told["order_id"], told["status"], told["tag"]) == (order_id, "OPEN", "told")
            talk.exchange.move(SBIN, D(699))
            told = await line.order()
            assert (told["status"], told["filled_quantity"], told["unfilled_quantity"]) == ("UPDATE", 1_000, 400)
            talk.exchange.move(SBIN, D(698))
            assert (await line.order())["status"] == "COMPLETE"
            talk.exchange.trade_by_hand(ACCOUNT, SBIN, "sell", D(1))
            assert [(await line.order())["status"] for _ in range(2)] == ["OPEN", "COMPLETE"]

    asyncio.run(run())


def test_faults_on_the_wire_strike_the_ticker_too() -> None:
    talk = Talk()
    chaos = Chaos(talk.server, WirePlan((Drop(message="COMPLETE"),)), VenueClock(talk.clock))

    async def run() -> None:
        async with listening(talk, chaos) as line:
            await line.heartbeat()
            talk.order()
            assert (await line.order())["status"] == "OPEN"
            talk.order()
            assert (await line.order())["status"] == "OPEN"
            assert (await line.order())["status"] == "COMPLETE"

    asyncio.run(run())
    assert [struck.kind for struck in chaos.struck] == ["drop"]


@pytest.mark.parametrize("said", ["", "{}", '{"a": "subscribe"}', '{"a": "mode", "v": ["most", []]}', "[1]"])
def test_what_is_not_understood_is_said_so(said: str) -> None:
    talk = Talk()

    async def run() -> None:
        async with serving(talk.server) as address:
            url = f"{address.ws}?api_key={talk.app.api_key}&access_token={talk.token}"
            async with connect(url) as socket:
                await socket.send(said)
                assert (await Line(socket).words())["type"] == "error"

    asyncio.run(run())


def test_nobody_listens_without_a_session() -> None:
    talk = Talk()

    async def run() -> None:
        async with serving(talk.server) as address:
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"{address.ws}?api_key={talk.app.api_key}&access_token=wrong")
            assert refused.value.response.status_code == 403

    asyncio.run(run())


def test_an_exchange_that_goes_down_hangs_up() -> None:
    clock = HandClock(MORNING)
    plan = FaultPlan((Outage(account=ACCOUNT, for_ms=1_000),))
    exchange = PaperExchange(demo_markets(), clock=clock, random=Random(1), plan=plan)
    exchange.open_account(ACCOUNT, {})
    talk = Talk(exchange=exchange, clock=clock, hours=always)

    async def run() -> None:
        async with serving(talk.server) as address:
            url = f"{address.ws}?api_key={talk.app.api_key}&access_token={talk.token}"
            async with connect(url) as socket:
                line = Line(socket)
                await line.heartbeat()
                exchange.advance()
                with pytest.raises(ConnectionClosed):
                    await line.words()
            with pytest.raises(InvalidStatus) as refused:
                await connect(url)
            assert refused.value.response.status_code == 503

    asyncio.run(run())


# --- postbacks --------------------------------------------------------------------------------------------------------


def receiver(taken: "asyncio.Queue[Row]") -> App:
    async def take(scope: Scope, receive: Receive, send: Send) -> None:
        request = await asgi.request(scope, receive)
        taken.put_nowait(json.loads(request.body))
        await asgi.reply(send, asgi.Answer(200, b""))

    return take


def with_postbacks(story: Callable[[Talk, httpx.AsyncClient, "asyncio.Queue[Row]"], Awaitable[None]]) -> None:
    """A story of an app whose postbacks are taken."""

    async def run() -> None:
        taken: asyncio.Queue[Row] = asyncio.Queue()
        async with serving(receiver(taken)) as there:
            talk = Talk(app=demo_app(f"{there.http}/kite"))
            headers = {"x-kite-version": "3", "authorization": f"token {talk.app.api_key}:{talk.token}"}
            async with (
                serving(talk.server) as here,
                httpx.AsyncClient(base_url=here.http, headers=headers, trust_env=False, timeout=WAIT_S) as client,
            ):
                assert (await client.get("/user/profile")).status_code == 200
                await story(talk, client, taken)

    asyncio.run(run())


def test_an_apps_orders_are_posted_with_a_checksum_that_only_the_two_can_make() -> None:
    async def story(talk: Talk, client: httpx.AsyncClient, taken: "asyncio.Queue[Row]") -> None:
        async def next_one() -> Row:
            async with asyncio.timeout(WAIT_S):
                row = await taken.get()
            postback.check(row, talk.app.api_secret)
            with pytest.raises(BadInput, match="checksum"):
                postback.check(row, "another secret")
            return row

        form = {**SHARE, "transaction_type": "BUY", "quantity": "1200", "order_type": "LIMIT", "price": "700"}
        placed = await client.post("/orders/regular", data=form)
        order_id = placed.json()["data"]["order_id"]
        talk.exchange.trade_by_hand(ACCOUNT, SBIN, "buy", D(1))
        talk.exchange.move(SBIN, D(699))
        first = await next_one()
        assert (first["order_id"], first["status"], first["unfilled_quantity"]) == (order_id, "UPDATE", 200)
        await client.delete(f"/orders/regular/{order_id}")
        assert (await next_one())["status"] == "CANCELLED"
        await client.post("/orders/regular", data={**form, "quantity": "100000"})
        assert (await next_one())["status"] == "REJECTED"

    with_postbacks(story)


def test_a_receiver_that_is_away_is_left_alone() -> None:
    async def run() -> None:
        talk = Talk(app=demo_app("http://127.0.0.1:9/"))
        headers: dict[str, Any] = {"x-kite-version": "3", "authorization": f"token {talk.app.api_key}:{talk.token}"}
        async with serving(talk.server) as here, httpx.AsyncClient(base_url=here.http, trust_env=False) as client:
            form = {**SHARE, "transaction_type": "BUY", "quantity": "1", "order_type": "LIMIT", "price": "790"}
            await client.post("/orders/regular", data=form, headers=headers)
            for _ in range(20):
                await asyncio.sleep(0.01)
                orders = (await client.get("/orders", headers=headers)).json()["data"]
                assert [row["status"] for row in orders] == ["COMPLETE"]

    assert PATIENCE_S < WAIT_S
    asyncio.run(run())


def test_the_instruments_file_is_packed_for_who_can_unpack_it() -> None:
    async def run() -> None:
        talk = Talk()
        headers = {"x-kite-version": "3", "authorization": f"token {talk.app.api_key}:{talk.token}"}
        async with (
            serving(talk.server) as here,
            httpx.AsyncClient(base_url=here.http, headers=headers, trust_env=False) as client,
        ):
            packed = await client.get("/instruments/NFO")
            plain = await client.get("/instruments/NFO", headers={"accept-encoding": "identity"})
            quotes = (await client.get("/quote/ltp?i=NSE:SBIN&i=NSE:INFY")).json()["data"]
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert packed.text == plain.text
        assert packed.text.splitlines()[1:] == [
            "768770,3003,NIFTY30DECFUT,,24500,2030-12-31,0.0,0.05,65,FUT,NFO-FUT,NFO"
        ]
        assert set(quotes) == {"NSE:SBIN", "NSE:INFY"}
        assert quotes["NSE:INFY"]["last_price"] == 1_520

    asyncio.run(run())
