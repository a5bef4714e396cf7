"""A small OANDA on loopback for one test: it holds transactions and pending orders, and else answers as it is told.

Formats are those of the v20 documentation. It does not trade: what comes of an order, the test says beforehand.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs, unquote

from tests.venues.transport.rawserver import Exchange, serving
from trueup.engine.clock import SystemClock
from trueup.model.events import Fact
from trueup.model.identifiers import AccountId
from trueup.venues.oanda.live import OandaVenue
from trueup.venues.transport.secrets import Secret

ACCOUNT = AccountId("oanda:story")
ACCOUNT_ID = "001-011-1234567-001"
TOKEN = "2f1c-planted-token"
BASE = f"/v3/accounts/{ACCOUNT_ID}"
STORY = Path(__file__).resolve().parents[3] / "fixtures" / "oanda" / "story"

RECORDED = Path(__file__).resolve().parents[4].parent / "shared" / "venue-data" / "oanda" / "recorded"
"""Answers of the venue itself, where they are beside this checkout."""

Answer = tuple[int, Any]
"""A status, and a body: JSON, or bytes as they are."""

Row = dict[str, Any]


def story(name: str) -> dict[str, Any]:
    """A file of the fixtures."""
    found: dict[str, Any] = json.loads((STORY / name).read_bytes())
    return found


@dataclass
class Loopback:
    """What it holds.

    Attributes:
        transactions: By id, in order.
        withheld: Ids that are not given.
        page: Most transactions in an answer.
        orders: Pending ones by specifier as it stands in a path, unescaped.
        says: Answers to give once each, by method and path; before anything else.
        lines: Of the transaction stream; None hangs up.
        requests: What came, as "METHOD path?query".
    """

    transactions: list[Row] = field(default_factory=lambda: story("transactions.json")["transactions"])
    account: Row = field(default_factory=lambda: story("account.json")["account"])
    instruments: list[Row] = field(default_factory=lambda: story("instruments.json")["instruments"])
    withheld: set[int] = field(default_factory=set)
    page: int = 1_000
    orders: dict[str, Row] = field(default_factory=dict)
    says: dict[str, deque[Answer | Callable[[], Answer]]] = field(default_factory=dict)
    lines: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    requests: list[str] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def last(self) -> int:
        return max((int(row["id"]) for row in self.transactions), default=0)

    def say(self, what: str, *answers: Answer | Callable[[], Answer]) -> None:
        """Give these answers to the next requests of a method and path."""
        self.says.setdefault(what, deque()).extend(answers)

    def bodies(self, what: str) -> list[Any]:
        """The bodies that came with requests of a method and path."""
        return [json.loads(one.body) for one in self.exchanges if one.line.startswith(f"{what} ") and one.body]

    async def answering(self, exchange: Exchange) -> None:
        method, target, _ = exchange.line.split(" ")
        path, _, query = target.partition("?")
        self.requests.append(f"{method} {target}")
        self.exchanges.append(exchange)
        told = self.says.get(f"{method} {path}")
        if told:
            said = told.popleft()
            await self._give(exchange, *(said() if callable(said) else said))
        elif path == f"{BASE}/transactions/stream":
            await self._stream(exchange)
        else:
            values = {name: found[0] for name, found in parse_qs(query).items()}
            await self._give(exchange, *self._answer(unquote(path.removeprefix(BASE)), values))

    def _answer(self, path: str, query: Mapping[str, str]) -> Answer:
        ends = {"lastTransactionID": str(self.last)}
        fixed: dict[str, Row] = {
            "/v3/accounts": {"accounts": [{"id": ACCOUNT_ID, "tags": []}]},
            "": {"account": {**self.account, **ends}, **ends},
            "/summary": {"account": {"id": ACCOUNT_ID}, **ends},
            "/instruments": {"instruments": self.instruments, **ends},
        }
        if path in fixed:
            return 200, fixed[path]
        if path.startswith("/transactions/"):
            return self._transactions(path, query)
        order = self.orders.get(path.removeprefix("/orders/"))
        if order is not None:
            return 200, {"order": order, **ends}
        return 404, {"errorCode": "NO_SUCH_ORDER", "errorMessage": "The order ID specified does not exist", **ends}

    def _transactions(self, path: str, query: Mapping[str, str]) -> Answer:
        ends = {"lastTransactionID": str(self.last)}
        if path.endswith("/sinceid"):
            return 200, {"transactions": self._given(int(query["id"]) + 1, self.last), **ends}
        first, to = int(query["from"]), int(query["to"])
        if not 1 <= first <= to <= self.last or to - first >= 1_000:
            return 416, {"errorMessage": "The Transaction range specified is invalid"}
        return 200, {"transactions": self._given(first, to), **ends}

    def _given(self, first: int, to: int) -> list[Row]:
        within = (row for row in self.transactions if first <= int(row["id"]) <= to)
        return [row for row in within if int(row["id"]) not in self.withheld][: self.page]

    async def _give(self, exchange: Exchange, status: int, body: object) -> None:
        if status == 0:
            exchange.reset()
            return
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        await exchange.answer(f"{status} Told", data, Date="Mon, 02 Mar 2026 23:30:00 GMT")

    async def _stream(self, exchange: Exchange) -> None:
        await exchange.raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while (line := await self.lines.get()) is not None:
            data = line + b"\n"
            await exchange.raw(b"%x\r\n%b\r\n" % (len(data), data))
        exchange.reset()

    def heartbeat(self, last: int | None = None) -> None:
        """Let the stream name the last transaction."""
        told = {"type": "HEARTBEAT", "lastTransactionID": str(last or self.last), "time": "2026-03-02T23:30:00Z"}
        self.lines.put_nowait(json.dumps(told).encode())

    def happen(self, row: Row, *, tell: bool = True) -> None:
        """A transaction happens, and the stream tells it or not."""
        self.transactions.append(row)
        if tell:
            self.lines.put_nowait(json.dumps(row).encode())


def oanda(url: str, **more: object) -> OandaVenue:
    """An adapter of the account that a loopback serves."""
    given: dict[str, Any] = {
        "account_id": ACCOUNT_ID,
        "token": Secret("env:OANDA_TOKEN", TOKEN),
        "rest_url": url,
        "stream_url": url,
        "clock": SystemClock(),
        "random": Random(4),
    }
    given.update(more)
    return OandaVenue(ACCOUNT, **given)


@asynccontextmanager
async def connected(loopback: Loopback, **more: object) -> AsyncIterator[OandaVenue]:
    """An adapter that talks to a loopback."""
    async with serving(loopback.answering) as (url, _):
        venue = oanda(url, **more)
        try:
            yield venue
        finally:
            await venue.aclose()


async def pulled(venue: OandaVenue, cursor: str | None = None) -> tuple[list[Fact], str]:
    """Everything after a cursor, and the cursor behind it."""
    pages = [page async for page in venue.history(cursor)]
    return [fact for facts, _ in pages for fact in facts], pages[-1][1]


def transaction(number: int, kind: str, **fields: object) -> Row:
    """A row of the account's."""
    return {"id": str(number), "accountID": ACCOUNT_ID, "time": "2026-03-03T09:00:00Z", "type": kind, **fields}


def transfers(numbers: Iterable[int]) -> list[Row]:
    """An account's creation as transaction 1, and deposits of one euro each."""
    return [
        transaction(number, "TRANSFER_FUNDS", amount="1", accountBalance=str(number - 1))
        if number > 1
        else transaction(1, "CREATE", homeCurrency="EUR")
        for number in numbers
    ]
