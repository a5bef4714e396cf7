"""Venues: answers decoded to facts, a stream's message until its booking is acknowledged, a page pulled and compared.

The Hyperliquid adapter speaks to the rehearsal server over loopback sockets, in one process and one event loop, so what
is timed holds the server's share too. What was timed must have been right: facts are counted, and book and venue agree.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from random import Random
from typing import Any

from benchmarks.measure import Row, percentile, result, say, scratch, seconds
from benchmarks.world import ACCOUNT, perpetual
from trueup.bootstrap import open_store
from trueup.engine.clock import SystemClock
from trueup.engine.following import Follower, Pace
from trueup.engine.ledger import Ledger
from trueup.engine.pulling import Page, pull
from trueup.engine.receipts import Receipt
from trueup.engine.reconciling_live import reconcile_live
from trueup.model.differences import Status
from trueup.model.events import Fact, FillBooked, InstrumentDefined
from trueup.model.instruments import Instrument
from trueup.testing.servers.hyperliquid.server import HyperliquidServer
from trueup.testing.servers.hyperliquid.world import DEMO_ACCOUNT, DEMO_KEY, address_of, hyperliquid_markets
from trueup.testing.servers.serving import serving
from trueup.venues.hyperliquid.live import HyperliquidVenue
from trueup.venues.hyperliquid.reader import HyperliquidReader
from trueup.venues.paper.exchange import PaperExchange

DECODED_LEAST = 50_000
"""Fills a second."""

FILLS = 2_000
INSTRUMENTS = 10_000
MESSAGES = 500
TURNS = 5

SYMBOL, LOT = "BTC/USDC:USDC", Decimal("0.001")


def run(quick: bool) -> dict[str, Any]:
    turns = 2 if quick else TURNS
    rows = [
        _decode(10 if quick else 100),
        *_starts(turns),
        *_instruments(1_000 if quick else INSTRUMENTS, turns),
        *_stream(20 if quick else MESSAGES, turns),
        *_page(200 if quick else FILLS, turns),
    ]
    return result(rows, fills_an_answer=FILLS, messages_a_turn=MESSAGES)


# --- decoding ---------------------------------------------------------------------------------------------------------


def _decode(answers: int) -> Row:
    say(f"venues: decode {answers:,} answers of {FILLS:,} fills")
    terms = [perpetual(number) for number in range(200)]
    bodies = [_answer(number, terms) for number in range(answers)]
    rates = []
    for _ in range(TURNS):
        reader = HyperliquidReader(ACCOUNT, "0x" + 40 * "1", terms)
        began, facts = time.perf_counter(), 0
        for body in bodies:
            facts += len(reader.read("fills", body).facts)
        rates.append(answers * FILLS / (time.perf_counter() - began))
        if facts < answers * FILLS:
            raise RuntimeError(f"{facts} facts of {answers * FILLS} fills")
    return Row("Hyperliquid fills decoded to facts", rates, "/s", DECODED_LEAST)


def _answer(number: int, terms: Sequence[Instrument]) -> bytes:
    """An answer as the venue gives it, oldest first."""
    chance = Random(number)
    rows = []
    for place in range(FILLS):
        made = number * FILLS + place
        rows.append(
            {
                "coin": chance.choice(terms).native_symbol,
                "px": f"{chance.randrange(10_000, 90_000)}.{chance.randrange(10)}",
                "sz": f"{chance.randrange(1, 20)}.{chance.randrange(1, 1_000):03d}",
                "side": chance.choice("AB"),
                "time": 1_700_000_000_000 + made * 7,
                "startPosition": f"{chance.randrange(-50, 50)}.5",
                "dir": "Open Long",
                "closedPnl": "0.0",
                "hash": f"0x{made:064x}",
                "oid": 40_000_000_000 + made // 3,
                "crossed": True,
                "fee": f"0.{chance.randrange(1, 10**6):06d}",
                "feeToken": "USDC",
                "tid": 100_000_000_000_000 + made,
                "cloid": f"0x{made:032x}",
            }
        )
    return json.dumps(rows, separators=(",", ":")).encode()


# --- starting ---------------------------------------------------------------------------------------------------------

_IMPORTS = {
    "without adapters": "import trueup.bootstrap",
    "with the adapters of Hyperliquid and OANDA": (
        "import trueup.bootstrap, trueup.venues.hyperliquid.live, trueup.venues.oanda.live"
    ),
}

_MEASURED = "; print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])"
"""The most memory it ever had, in kilobytes; what getrusage tells counts that of the process before it, too."""


def _starts(turns: int) -> list[Row]:
    say("venues: starts")
    rows = []
    for what, imports in _IMPORTS.items():
        took, memory = [], []
        for _ in range(turns + 1):
            began = time.perf_counter()
            ended = subprocess.run(
                [sys.executable, "-c", imports + _MEASURED], check=True, capture_output=True, text=True
            )
            took.append((time.perf_counter() - began) * 1_000)
            memory.append(int(ended.stdout) / 1_024)
        rows += [Row(f"a process {what}", took[1:], "ms"), Row(f"its memory, {what}", memory[1:], "MB")]
    return rows


# --- instruments ------------------------------------------------------------------------------------------------------


def _instruments(count: int, turns: int) -> list[Row]:
    say(f"venues: {count:,} instruments")
    universe = [
        {"name": perpetual(number).native_symbol, "szDecimals": 3, "maxLeverage": 20, "marginTableId": 20}
        for number in range(count)
    ]
    meta = json.dumps({"universe": universe, "marginTables": [], "collateralToken": 0}).encode()
    first: list[float] = []
    again: list[float] = []
    for _ in range(turns):
        with scratch() as path:
            store = open_store(path / "data")
            ledger = store.ledger(ACCOUNT)
            for took in (first, again):
                took.append(seconds(lambda: _load(ledger, meta, count)) * 1_000)  # noqa: B023 - called at once
            store.close()
    return [
        Row(f"{count:,} instruments decoded and booked", first, "ms"),
        Row("the same again: nothing new", again, "ms"),
    ]


def _load(ledger: Ledger, meta: bytes, count: int) -> None:
    reading = HyperliquidReader(ACCOUNT).read("meta", meta)
    definitions = [fact for fact in reading.facts if isinstance(fact, InstrumentDefined)]
    if len(definitions) != count:
        raise RuntimeError(f"{len(definitions)} definitions of {count}")
    asyncio.run(ledger.aserve(Page(definitions, None)))


# --- over sockets -----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _venue() -> AsyncIterator[tuple[PaperExchange, HyperliquidVenue]]:
    clock = SystemClock()
    exchange = PaperExchange(hyperliquid_markets(), clock=clock, random=Random(1))
    exchange.open_account(DEMO_ACCOUNT, {"USDC": Decimal(10_000_000)})
    owner = address_of(DEMO_KEY)
    server = HyperliquidServer(exchange, {owner: DEMO_ACCOUNT}, clock=clock, weight_per_minute=10**9)
    async with serving(server) as address:
        venue = HyperliquidVenue(
            DEMO_ACCOUNT,
            address=owner,
            rest_url=address.http,
            stream_url=f"{address.ws}/ws",
            clock=clock,
            random=Random(1),
        )
        try:
            yield exchange, venue
        finally:
            await venue.aclose()


def _stream(messages: int, turns: int) -> list[Row]:
    say(f"venues: {messages} messages of a stream, {turns} turns")
    taken = [asyncio.run(_followed(messages)) for _ in range(turns)]
    return [
        Row("stream message to acknowledged booking, p50", [percentile(each, 0.50) for each in taken], "ms"),
        Row("stream message to acknowledged booking, p99", [percentile(each, 0.99) for each in taken], "ms"),
    ]


async def _followed(messages: int) -> list[float]:
    """Milliseconds from a trade at the exchange until the book has acknowledged its fill."""
    heard = asyncio.Event()

    def acknowledged(facts: Sequence[Fact], _receipt: Receipt) -> None:
        if any(isinstance(fact, FillBooked) for fact in facts):
            heard.set()

    with scratch() as path:
        store = open_store(path / "data")
        async with _venue() as (exchange, venue):
            follower = Follower(
                store.ledger(DEMO_ACCOUNT), venue, random=Random(1), pace=Pace(), acknowledged=acknowledged
            )
            following = asyncio.create_task(follower.run())
            await follower.pulled.wait()
            exchange.trade_by_hand(DEMO_ACCOUNT, SYMBOL, "buy", LOT)
            await heard.wait()
            took = []
            for number in range(messages):
                heard.clear()
                began = time.perf_counter()
                exchange.trade_by_hand(DEMO_ACCOUNT, SYMBOL, "sell" if number % 2 else "buy", LOT)
                await heard.wait()
                took.append((time.perf_counter() - began) * 1_000)
            follower.stop()
            await following
        store.close()
    return took


def _page(fills: int, turns: int) -> list[Row]:
    say(f"venues: a page of {fills:,} fills, {turns} turns")
    taken = [asyncio.run(_pulled(fills)) for _ in range(turns)]
    return [
        Row(f"{fills:,} fills pulled and booked", [pulled for pulled, _ in taken], "ms"),
        Row("and the account compared with its venue", [compared for _, compared in taken], "ms"),
    ]


async def _pulled(fills: int) -> tuple[float, float]:
    """Milliseconds for a pull, and for looking at the account and comparing it."""
    with scratch() as path:
        store = open_store(path / "data")
        ledger = store.ledger(DEMO_ACCOUNT)
        async with _venue() as (exchange, venue):
            for number in range(fills):
                exchange.trade_by_hand(DEMO_ACCOUNT, SYMBOL, "sell" if number % 3 == 2 else "buy", LOT)
            await venue.check()
            began = time.perf_counter()
            report = await pull(ledger, venue)
            pulled = time.perf_counter()
            found = await reconcile_live(store, ledger, venue)
            compared = time.perf_counter()
        store.close()
    if report.booked_kinds.get("fill") != fills or found.comparison.status is not Status.SYNCED:
        raise RuntimeError(f"{report.booked_kinds} booked of {fills} fills; {found.comparison.differences}")
    return (pulled - began) * 1_000, (compared - pulled) * 1_000
