"""A small Kite on loopback for one test: it holds rows, and else answers as it is told. It does not trade."""

import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl

from tests.venues.transport.rawserver import Exchange, serving
from tests.venues.zerodha.kite_rows import ACCOUNT, NS, margins
from trueup.model.events import Fact
from trueup.model.times import NS_PER_SECOND
from trueup.venues.transport.secrets import Secret
from trueup.venues.zerodha import tokens
from trueup.venues.zerodha.live import ZerodhaVenue

API_KEY, TOKEN, USER = "planted-key", "planted-access-token", "AB1234"

CSV = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,"
    "segment,exchange\n"
    "779521,3045,SBIN,STATE BANK OF INDIA,0.0,,0.0,0.05,1,EQ,NSE,NSE\n"
    '1001986,3914,NIFTY26NOVFUT,"NIFTY, 50",24500.0,2026-11-26,0.0,0.05,65,FUT,NFO-FUT,NFO\n'
    "2002951,7824,LEADMINI26NOVFUT,LEADMINI,180.0,2026-11-30,0.0,0.05,1,FUT,MCX-FUT,MCX\n"
)

NIFTY = "NFO.NIFTY26NOVFUT.NRML/INR:INR"
SBIN = "NSE.SBIN.CNC/INR"

Row = dict[str, Any]
Answer = tuple[int, Any]
"""A status, 0 to hang up, and a body: data of Kite's envelope, a whole answer with its ``status``, or bytes."""


class StillClock:
    """A clock that a test sets. It begins on Friday 2026-11-20 at 09:15:01 in India."""

    def __init__(self) -> None:
        self.time = NS

    def now(self) -> int:
        return self.time

    def monotonic(self) -> float:
        return monotonic()

    def skip(self, hours: float) -> None:
        self.time += int(hours * 3_600) * NS_PER_SECOND


@dataclass
class Loopback:
    """What it holds.

    Attributes:
        states: Of orders, by id, oldest first; the last of each is in the day's list.
        says: Answers to give once each, by method and path; before anything else.
        requests: What came, as "METHOD path".
        takes: What becomes of an order that is placed, by its form: its states.
    """

    clock: StillClock = field(default_factory=StillClock)
    states: dict[str, list[Row]] = field(default_factory=dict)
    trades: list[Row] = field(default_factory=list)
    net: list[Row] = field(default_factory=list)
    holdings: list[Row] = field(default_factory=list)
    exchanges: list[str] = field(default_factory=lambda: ["NSE", "NFO"])
    csv: str = CSV
    says: dict[str, deque[Answer | Callable[[], Answer]]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    forms: list[Row] = field(default_factory=list)
    takes: Callable[[Row], list[Row]] = lambda form: [{"status": "COMPLETE", "filled_quantity": int(form["quantity"])}]

    def say(self, what: str, *answers: Answer | Callable[[], Answer]) -> None:
        """Give these answers to the next requests of a method and path."""
        self.says.setdefault(what, deque()).extend(answers)

    def asked(self, what: str) -> int:
        """How often a method and path were asked for."""
        return self.requests.count(what)

    def take(self, form: Row) -> str:
        """Have an order placed."""
        order_id = str(len(self.states) + 1)
        plain = {
            "order_id": order_id,
            "account_id": USER,
            "variety": "regular",
            "order_timestamp": "2026-11-20 09:15:01",
            "exchange_update_timestamp": None,
            "price": 0,
            "trigger_price": 0,
            "filled_quantity": 0,
            "status_message": None,
            "tag": None,
        }
        numbers: Row = {name: json.loads(form[name]) for name in ("quantity", "price", "trigger_price") if name in form}
        self.states[order_id] = [{**plain, **form, **numbers, **state} for state in self.takes(form)]
        return order_id

    async def answering(self, exchange: Exchange) -> None:
        method, target, _ = exchange.line.split(" ")
        path = target.partition("?")[0]
        assert exchange.headers.get("x-kite-version") == "3"
        assert path == "/session/token" or exchange.headers.get("authorization") == f"token {API_KEY}:{TOKEN}"
        self.requests.append(f"{method} {path}")
        form = dict(parse_qsl(exchange.body.decode()))
        if form:
            self.forms.append(form)
        told = self.says.get(f"{method} {path}")
        if told:
            said = told.popleft()
            await self._give(exchange, *(said() if callable(said) else said))
        else:
            await self._give(exchange, *self._answer(method, path, form))

    def _answer(self, method: str, path: str, form: Row) -> Answer:
        fixed: Mapping[str, object] = {
            "/user/profile": {"user_id": USER, "exchanges": self.exchanges, "products": ["CNC", "NRML"]},
            "/user/margins": margins(equity=1000, commodity=0),
            "/portfolio/positions": {"net": self.net, "day": []},
            "/portfolio/holdings": self.holdings,
            "/orders": [states[-1] for states in self.states.values()],
            "/trades": self.trades,
            "/instruments": self.csv.encode(),
        }
        if method == "GET" and path in fixed:
            return 200, fixed[path]
        order_id = path.rpartition("/")[2]
        if method == "GET" and order_id in self.states:
            return 200, self.states[order_id]
        if (method, path) == ("POST", "/orders/regular"):
            return 200, {"order_id": self.take(form)}
        return refusal(400, "OrderException", "Couldn't find that `order_id`.")

    async def _give(self, exchange: Exchange, status: int, body: object) -> None:
        if status == 0:
            exchange.reset()
            return
        if not isinstance(body, bytes):
            whole = isinstance(body, dict) and body.get("status") == "error"
            body = json.dumps(body if whole else {"status": "success", "data": body}).encode()
        date = formatdate(self.clock.time // NS_PER_SECOND, usegmt=True)
        await exchange.answer(f"{status} Told", body, Date=date)


def refusal(status: int, kind: str, text: str) -> Answer:
    """An error as Kite writes it."""
    return status, {"status": "error", "message": text, "error_type": kind, "data": None}


@asynccontextmanager
async def connected(loopback: Loopback, **more: object) -> AsyncIterator[ZerodhaVenue]:
    """An adapter that talks to a loopback, somebody being logged in."""
    with TemporaryDirectory(prefix="trueup-kite-") as folder:
        kept = tokens.TokenFile(Path(folder) / "login", ACCOUNT)
        kept.save(tokens.login(USER, TOKEN, loopback.clock.now()))
        async with serving(loopback.answering) as (url, _):
            given: dict[str, Any] = {
                "api_key": Secret("env:KEY", API_KEY),
                "token_file": Path(folder) / "login",
                "rest_url": url,
                "stream_url": url.replace("http", "ws"),
                "clock": loopback.clock,
                "random": Random(4),
            }
            venue = ZerodhaVenue(ACCOUNT, **{**given, **more})
            try:
                yield venue
            finally:
                await venue.aclose()


async def pulled(venue: ZerodhaVenue, cursor: str | None = None) -> tuple[list[Fact], str]:
    """Everything that a capture tells, and the cursor behind it."""
    pages = [page async for page in venue.history(cursor)]
    return [fact for facts, _ in pages for fact in facts], pages[-1][1]
