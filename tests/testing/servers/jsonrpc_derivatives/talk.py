"""Both demo venues on a real socket, asked and signed to by hand: none of the product's own client is used here."""

import asyncio
import hmac
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from hashlib import sha256
from random import Random
from typing import Any

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import ClientConnection, connect

from tests.venues.paper.world import HandClock
from trueup.model.identifiers import AccountId, Side
from trueup.testing.servers.jsonrpc_derivatives import world
from trueup.testing.servers.serving import serving
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.faults import NO_FAULTS, AnyFault, FaultPlan

D = Decimal
Row = dict[str, Any]
Json = Any
"""Whatever an answer is; the tests say what it should be."""

BTC, XBT = "BTC_USDC-PERPETUAL", "BTC-PERPETUAL"
"""The linear perpetual and the inverse one."""

SYMBOLS = {BTC: "BTC/USDC:USDC", XBT: "BTC/USD:BTC", "ETH_USDC-PERPETUAL": "ETH/USDC:USDC"}
PATIENCE_S = 60.0
EVER = {"start_timestamp": 0, "end_timestamp": 1 << 50}

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


class Refused(AssertionError):
    """An answer that is an error."""

    def __init__(self, status: int, error: Row) -> None:
        super().__init__(f"{status} {error}")
        self.status = status
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: Json = error.get("data")


class Talk:
    """A venue being rehearsed against, by somebody who has a token for it."""

    def __init__(
        self, exchange: PaperExchange, account: AccountId, clock: HandClock, http: httpx.AsyncClient, ws: str
    ) -> None:
        self.exchange = exchange
        self.account = account
        self.clock = clock
        self.http = http
        self.ws = ws
        self.token = ""

    @property
    def now_ms(self) -> int:
        return self.clock.time // 1_000_000

    async def log_in(self, **changed: Json) -> Row:
        """A token for the account, kept for what follows."""
        row: Row = await self.ask("public/auth", **(self.grant() | changed))
        self.token = row["access_token"]
        return row

    def grant(self) -> Row:
        if self.account == world.GATEWAY:
            return {"grant_type": "coinbase_cdp", "token": self.jwt()}
        return {
            "grant_type": "client_credentials",
            "client_id": world.CLIENT_ID,
            "client_secret": world.CLIENT_SECRET,
        }

    def jwt(self, seed: bytes = 32 * b"\x11", key: str = world.CDP_KEY, **claims: Json) -> str:
        """A token of the Ed25519 key of a seed."""
        now = self.clock.time // 1_000_000_000
        header = {"alg": "EdDSA", "kid": key, "nonce": "1", "typ": "JWT"}
        body = {"sub": key, "iss": "cdp", "nbf": now, "exp": now + 120} | claims
        signed = b".".join(base64url(msgspec.json.encode(part)) for part in (header, body))
        signature = Ed25519PrivateKey.from_private_bytes(seed).sign(signed)
        return b".".join((signed, base64url(signature))).decode()

    async def ask(self, method: str, **params: Json) -> Json:
        """The result of a method. Raises :class:`Refused`."""
        return result(await self.post({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}))

    async def post(self, body: object, path: str = "/api/v2") -> httpx.Response:
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.http.post(path, content=content, headers=self.headers)

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"} if self.token else {}

    async def refusal(self, method: str, **params: Json) -> Refused:
        """The error of what is refused."""
        try:
            answer = await self.ask(method, **params)
        except Refused as error:
            return error
        raise AssertionError(f"{method} was answered: {answer}")

    async def order(self, side: str, amount: str, name: str = BTC, **terms: Json) -> Row:
        """A market order, or one of other terms; how it stands then."""
        terms = {"type": "market"} | terms
        row: Row = await self.ask(f"private/{side}", instrument_name=name, amount=float(amount), **terms)
        order: Row = row["order"]
        return order

    def trade(self, quantity: str, name: str = BTC) -> None:
        """A market order by hand: positive buys, negative sells."""
        side: Side = "buy" if D(quantity) > 0 else "sell"
        self.exchange.trade_by_hand(self.account, SYMBOLS[name], side, abs(D(quantity)))

    def move(self, price: str, name: str = BTC) -> None:
        self.exchange.move(SYMBOLS[name], D(price))

    def step(self, milliseconds: int = 3_600_000) -> None:
        """Let time pass; an hour brings funding."""
        self.clock.pass_ms(milliseconds)
        self.exchange.advance()

    @asynccontextmanager
    async def listening(self, *channels: str) -> AsyncIterator["Stream"]:
        """A WebSocket, logged in and subscribed."""
        async with connect(f"{self.ws}/ws/api/v2") as connection:
            stream = Stream(connection)
            await stream.ask("public/auth", **self.grant())
            if channels:
                assert await stream.ask("private/subscribe", channels=list(channels)) == list(channels)
            yield stream


class Stream:
    """A WebSocket with patience."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.told: list[Row] = []
        self._asked = 0

    async def ask(self, method: str, **params: Json) -> Json:
        """The result of a method; what is told meanwhile is kept. Raises :class:`Refused`."""
        self._asked += 1
        message = {"jsonrpc": "2.0", "id": self._asked, "method": method, "params": params}
        await self.connection.send(msgspec.json.encode(message).decode())
        while True:
            answer = await self._receive()
            if answer.get("id") == self._asked:
                if "error" in answer:
                    raise Refused(0, answer["error"])
                return answer["result"]
            self.told.append(answer)

    async def hear(self) -> Row:
        """The next message that is no answer."""
        return self.told.pop(0) if self.told else await self._receive()

    async def hear_of(self, channel: str) -> Json:
        """What the next message of a channel says; those of others are dropped."""
        while True:
            message = await self.hear()
            if message["params"].get("channel") == channel:
                return message["params"]["data"]

    async def _receive(self) -> Row:
        async with asyncio.timeout(PATIENCE_S):
            message: Row = _decode(await self.connection.recv())
        return message


Story = Callable[[Talk], Awaitable[None]]


def rehearse(
    story: Story, *faults: AnyFault, account: AccountId = world.DERIBIT, limited: bool = False, heartbeat_s: int = 1
) -> None:
    """Tell a story with a venue on loopback, logged in."""

    async def main() -> None:
        clock = HandClock()
        plan = FaultPlan(faults) if faults else NO_FAULTS
        exchange = PaperExchange(world.markets(), clock=clock, random=Random(1), plan=plan)
        exchange.open_account(account, world.DEPOSITS)
        make = world.gateway_server if account == world.GATEWAY else world.deribit_server
        server = make(clock, Random(1), exchange=exchange, limited=limited, heartbeat_s=heartbeat_s)
        async with serving(server) as address, httpx.AsyncClient(base_url=address.http, timeout=PATIENCE_S) as http:
            talk = Talk(exchange, account, clock, http, address.ws)
            await talk.log_in()
            await story(talk)

    asyncio.run(main())


def result(response: httpx.Response) -> Json:
    """What an answer says. Raises :class:`Refused`."""
    row = _decode(response.content)
    assert row["jsonrpc"] == "2.0"
    assert row["usDiff"] == row["usOut"] - row["usIn"]
    if "error" in row:
        raise Refused(response.status_code, row["error"])
    assert response.status_code == httpx.codes.OK
    return row["result"]


def signature(secret: str, *parts: str) -> str:
    return hmac.new(secret.encode(), "\n".join(parts).encode(), sha256).hexdigest()


def base64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


async def eventful(talk: Talk) -> None:
    """Some life: trades of both contracts, resting and waiting orders, one that fired, funding, money in and out."""
    await talk.order("buy", "0.5", label="first")
    await talk.order("sell", "0.2")
    await talk.order("buy", "1000", XBT, label="coins")
    await talk.order("buy", "0.1", type="limit", price=50_000, label="resting")
    stop: Row = {"type": "stop_market", "trigger": "mark_price", "reduce_only": True}
    await talk.order("sell", "0.1", trigger_price=59_000, label="fires", **stop)
    await talk.order("sell", "0.1", trigger_price=40_000, label="waits", **stop)
    talk.move("58000")
    talk.exchange.deposit(talk.account, "USDC", D(25))
    talk.exchange.deposit(talk.account, "USDC", D(-5))
    talk.step()
    await talk.log_in()
    talk.trade("-0.1")
