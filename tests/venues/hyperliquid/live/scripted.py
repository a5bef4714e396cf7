"""A venue on loopback that answers as it is told, from documented formats; and the adapter that talks to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from tests.venues.hyperliquid.saved import ACCOUNT, ME, TIME
from tests.venues.transport.rawserver import Exchange, serving
from trueup.model.times import from_ms
from trueup.venues.hyperliquid.live import HyperliquidVenue
from trueup.venues.transport.secrets import Secret

KEY = "0x0123456789012345678901234567890123456789012345678901234567890123"
AGENT = "0x14791697260e4c9a71f18484c9f997b308e59325"
"""The address of that key."""

MASTER = "0x3333333333333333333333333333333333333333"

Row = dict[str, Any]
Answering = Callable[[Row], object]

SPOT_META = {
    "universe": [
        {"tokens": [1, 0], "name": "PURR/USDC", "index": 0, "isCanonical": True},
        {"tokens": [2, 0], "name": "@107", "index": 107, "isCanonical": False},
    ],
    "tokens": [
        {"name": "USDC", "szDecimals": 8, "weiDecimals": 8, "index": 0},
        {"name": "PURR", "szDecimals": 0, "weiDecimals": 5, "index": 1},
        {"name": "HYPE", "szDecimals": 2, "weiDecimals": 8, "index": 2},
    ],
}
META = {
    "universe": [
        {"name": "BTC", "szDecimals": 5, "maxLeverage": 40},
        {"name": "OLD", "szDecimals": 1, "maxLeverage": 3, "isDelisted": True},
        {"name": "ETH", "szDecimals": 4, "maxLeverage": 25},
    ]
}
DEX_META = {"universe": [{"name": "xyz:GOLD", "szDecimals": 2, "maxLeverage": 10}], "collateralToken": 0}


class Status:
    """An answer that is not 200, or none."""

    def __init__(self, line: str, body: bytes = b"") -> None:
        self.line = line
        self.body = body


HANG_UP = Status("")


def position(coin: str, size: str, value: str = "6000.0", **more: object) -> Row:
    state = {
        "coin": coin,
        "szi": size,
        "entryPx": "59000.0",
        "positionValue": value,
        "unrealizedPnl": "0.0",
        "leverage": {"type": "cross", "value": 5},
        "liquidationPx": None,
        **more,
    }
    return {"type": "oneWay", "position": state}


def clearinghouse(*positions: Row, time: int = TIME, value: str = "1000.0") -> Row:
    return {"assetPositions": list(positions), "marginSummary": {"accountValue": value}, "time": time}


def open_order(**changes: object) -> Row:
    return {
        "coin": "BTC",
        "side": "B",
        "limitPx": "50000.0",
        "sz": "0.1",
        "oid": 42,
        "timestamp": TIME,
        "origSz": "0.1",
        "reduceOnly": False,
        "orderType": "Limit",
        "tif": "Gtc",
        "isTrigger": False,
        "triggerPx": "0.0",
        "cloid": None,
        **changes,
    }


def order_status(status: str = "open", **changes: object) -> Row:
    report = {"order": open_order(**changes), "status": status, "statusTimestamp": TIME}
    return {"status": "order", "order": report}


UNKNOWN_ORDER = {"status": "unknownOid"}


def taken(*statuses: object, kind: str = "order") -> Row:
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": list(statuses)}}}


RESTING = taken({"resting": {"oid": 42}})


class Script:
    """What the venue answers: to a read by its type, to actions in turn. Callables are given the request."""

    def __init__(self) -> None:
        self.asked: list[Row] = []
        self.done: list[Row] = []
        self.actions: list[object] = []
        self.info: dict[str, object] = {
            "userRole": role_of({"role": "user"}, agent_of=ME),
            "userAbstraction": "default",
            "extraAgents": [],
            "spotMeta": SPOT_META,
            "meta": lambda asked: DEX_META if asked.get("dex") else META,
            "perpDexs": [None, {"name": "abc"}, {"name": "xyz"}],
            "clearinghouseState": clearinghouse(),
            "spotClearinghouseState": {"balances": []},
            "frontendOpenOrders": [],
            "allMids": {"BTC": "60000.0", "ETH": "3000.05", "@107": "40.5", "xyz:GOLD": "4000.0"},
            "userFillsByTime": [],
            "userTwapSliceFills": [],
            "userFunding": [],
            "userNonFundingLedgerUpdates": [],
            "orderStatus": UNKNOWN_ORDER,
        }

    def kinds(self) -> Sequence[str]:
        """The reads so far, by type."""
        return [asked["type"] for asked in self.asked]

    async def __call__(self, exchange: Exchange) -> None:
        request = json.loads(exchange.body)
        assert exchange.headers["content-type"] == "application/json"
        if exchange.line.startswith("POST /info"):
            self.asked.append(request)
            answer = self.info[request["type"]]
        else:
            assert exchange.line.startswith("POST /exchange")
            self.done.append(request)
            answer = self.actions.pop(0)
        value = answer(request) if callable(answer) else answer
        if isinstance(value, Status):
            if value is HANG_UP:
                exchange.reset()
            else:
                await exchange.answer(value.line, value.body)
            return
        await exchange.answer(body=value if isinstance(value, bytes) else json.dumps(value).encode())


class HandClock:
    """Stands still at the venue's time, until it is moved."""

    def __init__(self) -> None:
        self.at = from_ms(TIME)

    def now(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.at / 1e9


@asynccontextmanager
async def venue(script: Script, **changes: Any) -> AsyncIterator[HyperliquidVenue]:  # noqa: ANN401 - as the adapter has them
    """The adapter, reaching the script."""
    async with serving(script) as (url, _):
        options = {
            "address": ME,
            "signer": Secret("env:KEY", KEY),
            "rest_url": url,
            "clock": HandClock(),
            "random": Random(7),
            **changes,
        }
        adapter = HyperliquidVenue(ACCOUNT, **options)
        try:
            yield adapter
        finally:
            await adapter.aclose()


def run(story: Callable[[HyperliquidVenue], Any], script: Script, **changes: object) -> Any:  # noqa: ANN401 - the story's
    """Run a story over a real socket."""

    async def told() -> object:
        async with venue(script, **changes) as adapter:
            return await story(adapter)

    return asyncio.run(told())


def role_of(account: Row, *, agent_of: str) -> Answering:
    """What the venue says an address is: our key's an agent of the master, any other what the account is."""
    return lambda asked: {"role": "agent", "data": {"user": agent_of}} if asked["user"] == AGENT else account


def by_user(answers: Mapping[str, object]) -> Answering:
    """Answers told apart by the address that is asked about."""
    return lambda asked: answers[asked["user"]]
