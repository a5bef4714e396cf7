"""The demo venue on a real socket, read and signed to by hand: none of the product's own signing is used here."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from random import Random
from typing import Any

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect

from tests.venues.paper.world import HandClock
from trueup.model.identifiers import Side
from trueup.testing.servers.hyperliquid.server import HyperliquidServer
from trueup.testing.servers.hyperliquid.world import (
    DEMO_ACCOUNT,
    DEMO_AGENT_KEY,
    DEMO_KEY,
    DEPOSITS,
    address_of,
    hyperliquid_markets,
)
from trueup.testing.servers.serving import serving
from trueup.venues.ethereum import Account, encode_typed_data, keccak
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.faults import NO_FAULTS, AnyFault, FaultPlan

D = Decimal
Json = Any
"""Whatever an answer is; the tests say what it should be."""

Row = dict[str, Any]

OWNER, AGENT = address_of(DEMO_KEY), address_of(DEMO_AGENT_KEY)
SUB = "0x" + 20 * "5b"
STRANGER_KEY = "0x" + 32 * "99"
BTC, ETH, GOLD, HYPE = "BTC/USDC:USDC", "ETH/USDC:USDC", "test:GOLD/USDC:USDC", "HYPE/USDC"
BTC_ID, ETH_ID, GOLD_ID, HYPE_ID = 0, 1, 110_000, 10_107
PATIENCE_S = 60.0


class Rehearsal:
    """A venue being rehearsed against."""

    def __init__(self, server: HyperliquidServer, clock: HandClock, http: httpx.AsyncClient, ws: str) -> None:
        self.exchange = server.exchange
        self.clock = clock
        self.http = http
        self.ws = ws
        self._nonce = 0

    @property
    def now_ms(self) -> int:
        return self.clock.time // 1_000_000

    async def read(self, kind: str, user: str = OWNER, **fields: object) -> Json:
        answer = await self.http.post("/info", json={"type": kind, "user": user, **fields})
        assert answer.status_code == httpx.codes.OK, (kind, answer.status_code, answer.text)
        return answer.json()

    async def send(self, body: Mapping[str, object]) -> Row:
        answer = await self.http.post("/exchange", json=body)
        assert answer.status_code == httpx.codes.OK, (answer.status_code, answer.text)
        result: Row = answer.json()
        return result

    async def act(self, action: Row, key: str = DEMO_AGENT_KEY, **extra: Json) -> Row:
        return await self.send(signed(action, key, self.next_nonce(), **extra))

    async def order(self, *orders: Row, **extra: Json) -> list[Json]:
        answer = await self.act({"type": "order", "orders": list(orders), "grouping": "na"}, **extra)
        assert answer["status"] == "ok", answer
        statuses: list[Json] = answer["response"]["data"]["statuses"]
        return statuses

    def next_nonce(self) -> int:
        self._nonce = max(self.now_ms, self._nonce + 1)
        return self._nonce

    def trade(self, quantity: str, instrument: str = BTC) -> None:
        """A market order by hand: positive buys, negative sells."""
        side: Side = "buy" if D(quantity) > 0 else "sell"
        self.exchange.trade_by_hand(DEMO_ACCOUNT, instrument, side, abs(D(quantity)))

    def step(self, milliseconds: int = 100) -> None:
        self.clock.pass_ms(milliseconds)
        self.exchange.advance()

    @asynccontextmanager
    async def listening(self, *subscriptions: Row) -> AsyncIterator["Stream"]:
        async with connect(f"{self.ws}/ws") as connection:
            stream = Stream(connection)
            for subscription in subscriptions:
                await stream.say({"method": "subscribe", "subscription": subscription})
            yield stream


class Stream:
    """A WebSocket with patience."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, message: object) -> None:
        await self.connection.send(msgspec.json.encode(message).decode())

    async def hear(self) -> Row:
        """The next message."""
        async with asyncio.timeout(PATIENCE_S):
            message: Row = msgspec.json.decode(await self.connection.recv())
        return message

    async def hear_of(self, channel: str) -> Json:
        """What the next message of a channel says; those of others are dropped."""
        while True:
            message = await self.hear()
            if message["channel"] == channel:
                return message.get("data")


Story = Callable[[Rehearsal], Awaitable[None]]


def rehearse(story: Story, *faults: AnyFault, weight_per_minute: int = 1_000_000) -> None:
    """Tell a story with a venue on loopback: an owner with an agent and a sub-account."""

    async def main() -> None:
        clock = HandClock()
        exchange = PaperExchange(
            hyperliquid_markets(), clock=clock, random=Random(1), plan=FaultPlan(faults) if faults else NO_FAULTS
        )
        exchange.open_account(DEMO_ACCOUNT, DEPOSITS)
        sub = type(DEMO_ACCOUNT)("hyperliquid:sub")
        exchange.open_account(sub, {"USDC": D(1_000)})
        server = HyperliquidServer(
            exchange,
            {OWNER.upper().replace("X", "x"): DEMO_ACCOUNT, SUB: sub},
            clock=clock,
            agents={AGENT: OWNER},
            masters={SUB: OWNER},
            weight_per_minute=weight_per_minute,
        )
        async with serving(server) as at, httpx.AsyncClient(base_url=at.http, timeout=PATIENCE_S) as http:
            await story(Rehearsal(server, clock, http, at.ws))

    asyncio.run(main())


def limit(
    asset: int, side: Side, size: str, price: str, tif: str = "Gtc", cloid: str = "", *, reduce: bool = False
) -> Row:
    row: Row = {"a": asset, "b": side == "buy", "p": price, "s": size, "r": reduce, "t": {"limit": {"tif": tif}}}
    return row | ({"c": cloid} if cloid else {})


def trigger(
    asset: int, side: Side, size: str, price: str, at: str, tpsl: str, *, market: bool = True, reduce: bool = True
) -> Row:
    kind = {"trigger": {"isMarket": market, "triggerPx": at, "tpsl": tpsl}}
    return {"a": asset, "b": side == "buy", "p": price, "s": size, "r": reduce, "t": kind}


def signed(
    action: Row,
    key: str,
    nonce: int,
    *,
    vault: str = "",
    expires: int | None = None,
    source: str = "a",
    hashed: Row | None = None,
) -> Row:
    """A request of ``/exchange``, signed as the venue's documentation says; ``hashed`` to sign something else."""
    data = msgspec.msgpack.encode(hashed or action) + nonce.to_bytes(8, "big")
    data += b"\x01" + bytes.fromhex(vault[2:]) if vault else b"\x00"
    data += b"" if expires is None else b"\x00" + expires.to_bytes(8, "big")
    agent = typed("Exchange", 1337, "Agent", {"source": "string", "connectionId": "bytes32"})
    agent["message"] = {"source": source, "connectionId": keccak(data)}
    body: Row = {"action": action, "nonce": nonce, "signature": sign(agent, key)}
    return (
        body | ({"vaultAddress": vault} if vault else {}) | ({"expiresAfter": expires} if expires is not None else {})
    )


def signed_by_user(action: Row, key: str, nonce: int, fields: Mapping[str, str]) -> Row:
    """A request that only the user's own key may sign."""
    name = str(action["type"])
    primary = f"HyperliquidTransaction:{name[0].upper()}{name[1:]}"
    whole = {"hyperliquidChain": "Mainnet", "signatureChainId": "0x66eee"} | action
    data = typed("HyperliquidSignTransaction", 0x66EEE, primary, fields)
    data["message"] = {field: whole[field] for field in fields}
    return {"action": whole, "nonce": nonce, "signature": sign(data, key)}


def typed(domain: str, chain: int, primary: str, fields: Mapping[str, str]) -> Row:
    whole = {"name": "string", "version": "string", "chainId": "uint256", "verifyingContract": "address"}
    kinds = {"EIP712Domain": whole, primary: fields}
    return {
        "domain": {"name": domain, "version": "1", "chainId": chain, "verifyingContract": "0x" + 40 * "0"},
        "types": {kind: [{"name": n, "type": t} for n, t in names.items()] for kind, names in kinds.items()},
        "primaryType": primary,
    }


def sign(data: Row, key: str) -> Row:
    signature = Account.from_key(key).sign_message(encode_typed_data(full_message=data))
    return {"r": hex(signature.r), "s": hex(signature.s), "v": signature.v}
