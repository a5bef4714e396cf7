"""The engine on loopback as a test tells it, from documented formats; and the client that talks to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from tests.venues.transport.rawserver import Exchange, serving
from trueup.model.identifiers import AccountId
from trueup.model.times import from_ms
from trueup.venues.deribit.reader import DERIBIT
from trueup.venues.jsonrpc_derivatives import auth
from trueup.venues.jsonrpc_derivatives.live import EngineVenue
from trueup.venues.transport.secrets import Secret

MS = 1_767_978_363_493
ACCOUNT = AccountId("deribit:main")
CLIENT_ID, CLIENT_SECRET = "amanda", "AMANDASECRECT"

Row = dict[str, Any]
Answering = Callable[[Row], object]

TOKEN = {"access_token": "token-1", "expires_in": 900, "scope": "session:trueup trade:read_write"}


class Fault:
    """An answer that is an error of the engine."""

    def __init__(self, code: int, message: str = "words", status: str = "400 Bad Request", **data: object) -> None:
        self.row = {"code": code, "message": message, **({"data": data} if data else {})}
        self.status = status


class Status:
    """An answer that is none of the engine's."""

    def __init__(self, line: str, body: bytes = b"") -> None:
        self.line = line
        self.body = body


HANG_UP = Status("")


def summary(currency: str, equity: object, **fields: object) -> Row:
    told = {"currency": currency, "equity": equity, "balance": equity, "futures_pl": 0, "options_value": 0}
    return {**told, "maintenance_margin": 0, **fields}


def summaries(*rows: Row, number: int = 10) -> Row:
    return {"id": number, "type": "main", "summaries": list(rows)}


def position(name: str, size: object, **fields: object) -> Row:
    direction = "buy" if float(str(size)) > 0 else "sell"
    return {"instrument_name": name, "size": size, "direction": direction, "average_price": 100.5, **fields}


def order(**fields: object) -> Row:
    return {
        "order_id": "USDC-1",
        "order_state": "open",
        "order_type": "limit",
        "instrument_name": "ETH_USDC-PERPETUAL",
        "direction": "buy",
        "amount": 0.5,
        "filled_amount": 0.0,
        "price": 3000.5,
        "label": "ours",
        "creation_timestamp": MS,
        "last_update_timestamp": MS,
        **fields,
    }


def trade(number: int, ms: int = MS, **fields: object) -> Row:
    return {
        "trade_id": f"ETH-{number}",
        "trade_seq": number,
        "instrument_name": "ETH_USDC-PERPETUAL",
        "direction": "buy",
        "amount": 0.25,
        "price": 3067.2,
        "fee": 0.0125,
        "fee_currency": "USDC",
        "timestamp": ms,
        "order_id": "USDC-1",
        "liquidity": "T",
        **fields,
    }


def entry(number: int, kind: str = "deposit", ms: int = MS, **fields: object) -> Row:
    return {"id": number, "type": kind, "currency": "USDC", "change": 5.5, "timestamp": ms, **fields}


class Script:
    """What the engine answers, by method; callables are given the parameters.

    Attributes:
        asked: Method, parameters and the token of each call so far.
        at: The engine's time in milliseconds.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, Row, str]] = []
        self.at = MS
        self.answers: dict[str, object] = {
            "public/auth": TOKEN,
            "public/get_time": lambda _: self.at,
            "public/get_instruments": [],
            "private/get_account_summaries": summaries(summary("USDC", 100)),
            "private/get_positions": [],
            "private/get_open_orders": [],
            "private/get_order_state_by_label": [],
            "private/get_order_history_by_currency": [],
            "private/get_user_trades_by_currency_and_time": {"trades": [], "has_more": False},
            "private/get_transaction_log": {"logs": [], "continuation": None},
        }

    def of(self, method: str) -> Sequence[Row]:
        """The parameters of the calls of a method."""
        return [params for asked, params, _ in self.asked if asked == method]

    async def __call__(self, exchange: Exchange) -> None:
        request = json.loads(exchange.body)
        method, token = request["method"], exchange.headers.get("authorization", "").removeprefix("Bearer ")
        assert exchange.line == f"POST /api/v2/{method} HTTP/1.1"
        assert request["jsonrpc"] == "2.0"
        self.asked.append((method, request["params"], token))
        answer = self.answers[method]
        value = answer(request["params"]) if callable(answer) else answer
        if isinstance(value, Status):
            await (exchange.answer(value.line, value.body) if value.line else _hang_up(exchange))
            return
        said, line = ({"error": value.row}, value.status) if isinstance(value, Fault) else ({"result": value}, "200 OK")
        times = {"usIn": self.at * 1000, "usOut": self.at * 1000}
        await exchange.answer(line, json.dumps({"jsonrpc": "2.0", "id": 1, **said, **times}).encode())


async def _hang_up(exchange: Exchange) -> None:
    exchange.reset()


class HandClock:
    """Stands still at the engine's time, until it is moved."""

    def __init__(self) -> None:
        self.at = from_ms(MS)

    def now(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.at / 1e9

    def skip(self, seconds: float) -> None:
        self.at += int(seconds * 1e9)


def grant() -> auth.Grant:
    return auth.client_signature(Secret("env:ID", CLIENT_ID), Secret("env:SECRET", CLIENT_SECRET), lambda: "once")


@asynccontextmanager
async def venue(
    script: Script, clock: HandClock, learnt: Mapping[str, str], stream_url: str = "ws://127.0.0.1:9"
) -> AsyncIterator[EngineVenue]:
    """The client, reaching the script."""
    async with serving(script) as (url, _):
        adapter = EngineVenue(
            ACCOUNT,
            engine=DERIBIT,
            grant=grant(),
            rest_url=f"{url}/api/v2",
            stream_url=stream_url,
            clock=clock,
            random=Random(7),
            learnt=learnt,
        )
        try:
            yield adapter
        finally:
            await adapter.aclose()


def run(
    story: Callable[[EngineVenue], Any],
    script: Script,
    clock: HandClock | None = None,
    learnt: Mapping[str, str] | None = None,
) -> Any:  # noqa: ANN401 - the story's
    """Run a story over a real socket."""

    async def told() -> object:
        async with venue(script, clock or HandClock(), learnt or {}) as adapter:
            return await story(adapter)

    return asyncio.run(told())
