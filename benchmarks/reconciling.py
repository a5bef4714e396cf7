"""A whole reconciliation: the venue's answer parsed, compared, explained, followed and put on record.

The venue is in this process and answers with Hyperliquid's own JSON, so that its share is the parsing of the answer and
no socket. One position in a hundred differs; every one of them must be found, and explained by the fill that is missing
in the book, which the venue's history has.
"""

import asyncio
import json
import resource
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from benchmarks.measure import Row, percentile, result, say, scratch
from benchmarks.world import ACCOUNT, opened, perpetual
from trueup.engine.ledger import Ledger
from trueup.engine.reconciling_live import Reconciler, Run
from trueup.engine.store import Store
from trueup.model.differences import Status, VenueSnapshot
from trueup.model.events import Fact, FillBooked
from trueup.model.instruments import Instrument
from trueup.model.times import NS_PER_MS, NS_PER_SECOND
from trueup.ports import LiveVenue, Refused
from trueup.reconcile.policy import Mode, Policies, Policy
from trueup.venues.hyperliquid.reader import HyperliquidReader

REACH_S = {10_000: 1.0, 100_000: 10.0}
TURNS = {10_000: 5, 100_000: 5}
BROKEN_EVERY = 100

TRADES = 500
TRADE_P99_MS = 5.0
HELD = 200

REPORTING = Policies(default=Policy(Mode.REPORT))
"""The venue's facts are evidence and are not booked, so that each turn finds the same."""


def run(quick: bool) -> dict[str, Any]:
    rows = []
    for positions, reach in REACH_S.items():
        if quick and positions > 10_000:
            continue
        rows += _whole(positions // 10 if quick else positions, reach, 2 if quick else TURNS[positions])
    rows += _after_a_trade(20 if quick else TRADES)
    return result(rows, broken_every=BROKEN_EVERY, held_at_a_trade=HELD)


class _Venue:
    """Answers in this process: positions as JSON, and a history that has every fill."""

    account = ACCOUNT
    warnings: Sequence[str] = ()
    learnt: Mapping[str, str] = {}

    def __init__(self, fills: Sequence[FillBooked], instruments: Sequence[Instrument]) -> None:
        self.fills = list(fills)
        self._reader = HyperliquidReader(ACCOUNT, instruments=instruments)
        self._held = [
            {"type": "oneWay", "position": {"coin": terms.native_symbol, "szi": "1", "entryPx": "100"}}
            for terms in instruments
        ]

    def holds(self, place: int, size: Decimal) -> None:
        cast("dict[str, Any]", self._held[place]["position"])["szi"] = str(size)

    def answer(self) -> bytes:
        now = time.time_ns() // NS_PER_MS
        return json.dumps({"assetPositions": self._held, "time": now, "withdrawable": "0"}).encode()

    async def snapshot(self) -> VenueSnapshot:
        snapshot = self._reader.read("clearinghouseState", self.answer()).snapshot
        if snapshot is None or snapshot.positions is None:
            raise RuntimeError("The answer was not understood.")
        return snapshot

    async def instruments(self) -> Sequence[Instrument]:
        return ()

    async def history(self, cursor: str | None) -> AsyncIterator[tuple[Sequence[Fact], str]]:
        yield self.fills[int(cursor or 0) :], str(len(self.fills))

    async def cursor_at(self, venue_time: int) -> str:
        return str(sum(fill.venue_time < venue_time for fill in self.fills))

    def refused(self) -> Sequence[Refused]:
        return ()


def _whole(positions: int, reach: float, turns: int) -> list[Row]:
    say(f"reconciling: {positions:,} positions, {turns} turns")
    with scratch() as path:
        store, ledger = opened(path / "data", positions)
        fills = [_fill(number) for number in range(positions)]
        ledger.book_facts([fill for number, fill in enumerate(fills) if number % BROKEN_EVERY])
        store.synced(ACCOUNT)
        venue = _Venue(fills, [perpetual(number) for number in range(positions)])
        taken = [asyncio.run(_timed(store, ledger, venue, positions)) for _ in range(turns)]
        store.close()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        Row(f"{positions:,} positions, 1 % broken: asked to reconciled", taken, "s", reach, "most"),
        Row(f"microseconds a position at {positions:,}", [seconds / positions * 1e6 for seconds in taken], "us"),
        Row(f"peak memory with {positions:,} positions", [peak_mb], "MB"),
    ]


async def _timed(store: Store, ledger: Ledger, venue: _Venue, positions: int) -> float:
    reconciler = Reconciler(store, ledger, cast("LiveVenue", venue), policies=REPORTING)
    began = time.perf_counter()
    found = await reconciler.run()
    took = time.perf_counter() - began
    _check(found, positions)
    return took


def _check(found: Run, positions: int) -> None:
    explained = [one for one in found.findings if one.found.status is Status.DRIFT and one.why.complete]
    causes = {cause.value for one in explained for cause in one.why.causes}
    expected = len(range(0, positions, BROKEN_EVERY))
    quantities = [one for one in explained if one.found.subject.endswith(" net")]
    if len(quantities) != expected or causes != {"FILL_MISSING"}:
        raise RuntimeError(f"{len(quantities)} of {expected} explained, by {causes}")


def _after_a_trade(trades: int) -> list[Row]:
    """From the acknowledged fill to the outcome of the check at the venue, which has it as well."""
    say(f"reconciling: {trades} checks after a trade")
    with scratch() as path:
        store, ledger = opened(path / "data", HELD)
        fills = [_fill(number) for number in range(HELD)]
        ledger.book_facts(fills)
        venue = _Venue(fills, [perpetual(number) for number in range(HELD)])
        taken = asyncio.run(_trades(store, ledger, venue, trades))
        store.close()
    return [
        Row("a check after a trade, p50", [percentile(taken, 0.5)], "ms"),
        Row("a check after a trade, p99", [percentile(taken, 0.99)], "ms", TRADE_P99_MS, "most"),
    ]


async def _trades(store: Store, ledger: Ledger, venue: _Venue, trades: int) -> list[float]:
    reconciler = Reconciler(store, ledger, cast("LiveVenue", venue))
    await reconciler.run("start")
    taken = []
    for number in range(trades):
        fill = _fill(HELD + number, of=number % HELD)
        venue.fills.append(fill)
        venue.holds(number % HELD, Decimal(number // HELD + 2))
        ledger.book_facts([fill])
        began = time.perf_counter()
        found = await reconciler.run("trade")
        taken.append((time.perf_counter() - began) * 1_000)
        if found.comparison.status is not Status.SYNCED:
            raise RuntimeError(f"{found.comparison.differences}")
    return taken


def _fill(number: int, of: int | None = None) -> FillBooked:
    terms = perpetual(number if of is None else of)
    return FillBooked(
        ACCOUNT,
        terms.symbol,
        "net",
        "buy",
        Decimal(1),
        Decimal(100),
        Decimal(0),
        "USDC",
        time.time_ns() - NS_PER_SECOND,
        str(number),
    )
