"""A venue on loopback that answers as it is told, from documented formats; and the adapter that talks to it."""

import asyncio
import json
from base64 import b64encode, urlsafe_b64decode
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any
from urllib.parse import parse_qs

import msgspec

from tests.venues.coinbase.coinbase_rows import ACCOUNT, NS, future, order
from tests.venues.transport.rawserver import Exchange, serving
from trueup.model.times import format_time
from trueup.venues.coinbase.live import CoinbaseVenue
from trueup.venues.transport.secrets import Secret

BASE = "/api/v3/brokerage/"
KEY_NAME = "organizations/1/apiKeys/2"
SECRET = b64encode(bytes(range(32))).decode()
PORTFOLIO = "11111111-2222-4333-8444-555555555555"
SPOT = {
    "product_id": "BTC-USD",
    "product_type": "SPOT",
    "base_currency_id": "BTC",
    "quote_currency_id": "USD",
    "base_increment": "0.00000001",
    "quote_increment": "0.01",
    "price_increment": "0.01",
    "price": "60000.5",
}
FUTURE_ROW = future()

Row = dict[str, Any]


class Asked(msgspec.Struct):
    """A request as the venue sees it."""

    what: str
    query: dict[str, list[str]]
    body: Row
    signed: str
    token: Row


class Status:
    """An answer that is not 200, or none."""

    def __init__(self, line: str, body: bytes = b"") -> None:
        self.line = line
        self.body = body


HANG_UP = Status("")
NOT_FOUND = Status("404 Not Found", b'{"error":"NOT_FOUND","error_details":"not found","message":"not found"}')


def usd(value: str) -> Row:
    return {"value": value, "currency": "USD"}


def wallet(currency: str, value: str, hold: str = "0") -> Row:
    amounts = {
        name: {"value": text, "currency": currency} for name, text in (("available_balance", value), ("hold", hold))
    }
    return {"uuid": f"w-{currency}", "currency": currency, **amounts}


def summary(cash: str = "700.5", margin: str = "0", unrealized: str = "0") -> Row:
    amounts = {"cfm_usd_balance": cash, "initial_margin": margin, "unrealized_pnl": unrealized}
    return {"balance_summary": {field: usd(value) for field, value in amounts.items()}}


def held(side: str, contracts: str, **fields: object) -> Row:
    return {"product_id": "BIT-24APR26-CDE", "side": side, "number_of_contracts": contracts, **fields}


def accepted(order_id: str = "o-1") -> Row:
    return {"success": True, "success_response": {"order_id": order_id}}


def turns(*answers: object) -> Callable[[Asked], object]:
    """One after the other; the last one over and over."""
    left = list(answers)
    return lambda asked: left.pop(0) if len(left) > 1 else left[0]


def at(seconds: float) -> str:
    """A time of the venue, some seconds after it all begins."""
    return format_time(NS + int(seconds * 1_000_000) * 1_000)


class Script:
    """What the venue answers by what is asked. Callables are given the request."""

    def __init__(self, **answers: object) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, object] = {
            "GET time": {"epochMillis": str(NS // 1_000_000)},
            "GET key_permissions": {
                "can_view": True, "can_trade": True, "can_transfer": False, "portfolio_uuid": PORTFOLIO
            },
            "GET products": lambda asked: {
                "products": [FUTURE_ROW if asked.query.get("product_type") == ["FUTURE"] else SPOT]
            },
            "GET product": NOT_FOUND,
            "GET accounts": {"accounts": [wallet("USD", "10", "2.5"), wallet("BTC", "0.1")], "has_next": False},
            "GET cfm/positions": {"positions": []},
            "GET cfm/balance_summary": summary(),
            "GET orders/historical/fills": {"fills": [], "cursor": ""},
            "GET orders/historical/batch": {"orders": [], "has_next": False},
            "GET order": {"order": order("o-1")},
            "POST orders": accepted(),
        }  # fmt: skip
        self.answers |= answers

    def whats(self, *but: str) -> Sequence[str]:
        """What was asked so far, without what every account asks first."""
        first = {"GET time", "GET key_permissions", "GET products", *but}
        return [asked.what for asked in self.asked if asked.what not in first]

    def last(self, what: str) -> Asked:
        """The last request of a kind."""
        return next(asked for asked in reversed(self.asked) if asked.what == what)

    async def __call__(self, exchange: Exchange) -> None:
        method, address, _ = exchange.line.split(" ")
        path, _, query = address.partition("?")
        assert path.startswith(BASE)
        what = f"{method} {path.removeprefix(BASE)}"
        asked = Asked(what, parse_qs(query), json.loads(exchange.body or b"{}"), *_token(exchange))
        if what != "GET time":
            assert asked.token["uri"] == f"{method} {exchange.headers['host']}{path}"
        self.asked.append(asked)
        answer = self.answers[_kind(what) if what not in self.answers else what]
        value = answer(asked) if callable(answer) else answer
        if isinstance(value, Status):
            if value is HANG_UP:
                exchange.reset()
            else:
                await exchange.answer(value.line, value.body)
            return
        await exchange.answer(body=value if isinstance(value, bytes) else json.dumps(value).encode())


def _kind(what: str) -> str:
    if what.startswith("GET orders/historical/"):
        return "GET order"
    assert what.startswith("GET products/"), what
    return "GET product"


def _token(exchange: Exchange) -> tuple[str, Row]:
    """The token of a request, and what it claims."""
    token = exchange.headers.get("authorization", "").removeprefix("Bearer ")
    return token, json.loads(urlsafe_b64decode(token.split(".")[1] + "==")) if token else {}


class HandClock:
    """Stands still at the venue's time, until it is moved."""

    def __init__(self, at: int = NS) -> None:
        self.at = at

    def now(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.at / 1e9


@asynccontextmanager
async def venue(script: Script, **changes: Any) -> AsyncIterator[CoinbaseVenue]:  # noqa: ANN401 - as the adapter has them
    """The adapter, reaching the script."""
    async with serving(script) as (url, _):
        options = {
            "key_name": Secret("env:NAME", KEY_NAME),
            "secret": Secret("env:KEY", SECRET),
            "rest_url": url,
            "clock": HandClock(),
            "random": Random(7),
            **changes,
        }
        adapter = CoinbaseVenue(ACCOUNT, **options)
        try:
            yield adapter
        finally:
            await adapter.aclose()


def run(story: Callable[[CoinbaseVenue], Any], script: Script, **changes: object) -> Any:  # noqa: ANN401 - the story's
    """Run a story over a real socket."""

    async def told() -> object:
        async with venue(script, **changes) as adapter:
            return await story(adapter)

    return asyncio.run(told())


def newest_first(fills: Iterable[Row], page: int) -> Callable[[Asked], object]:
    """The venue's list of fills: since a time, newest first, in pages."""
    rows = sorted(fills, key=lambda row: row["sequence_timestamp"], reverse=True)

    def answer(asked: Asked) -> object:
        wanted = asked.query.get("order_ids")
        since = asked.query.get("start_sequence_timestamp", [""])[0]
        found = [
            row for row in rows if row["sequence_timestamp"] >= since and (wanted is None or row["order_id"] in wanted)
        ]
        start = int(asked.query.get("cursor", ["0"])[0])
        more = start + page < len(found)
        return {"fills": found[start : start + page], "cursor": str(start + page) if more else ""}

    return answer
