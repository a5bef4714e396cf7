"""Many callers of one ledger against a lone one: what group commit gives, and what it makes each caller wait.

A lone caller books one fill, waits until it is durable, and books the next: one fill a sync. Then 1,024 callers do the
same at once, as asyncio tasks and as threads: each takes the next fill of one stream when the one before is durable, so
facts arrive in venue order but for the race. The three take turns on one ledger, whose views are kept behind it.
"""

import asyncio
import time
from collections.abc import Iterator
from threading import Barrier, Thread
from typing import Any, NamedTuple

from benchmarks.measure import Row, in_turns, percentile, result, say, scratch
from benchmarks.world import ACCOUNT, fills, opened
from trueup.engine.ledger import Ledger
from trueup.engine.store import Store
from trueup.model.events import FillBooked

CALLERS = 1_024
INSTRUMENTS = 200
FILLS_ALONE = 1_500
FILLS_EACH = 15
"""Of each of the many callers in one turn, on average."""

TURNS = 7


class Turn(NamedTuple):
    """Fills a second, and what the slowest hundredth of the calls took at least."""

    pace: float
    p99_ms: float


def run(quick: bool) -> dict[str, Any]:
    each, turns = (2, 5) if quick else (FILLS_EACH, TURNS)
    alone = FILLS_ALONE // (10 if quick else 1)
    say(f"callers: {CALLERS:,} of them, {turns} turns")
    with scratch() as path:
        store, ledger = opened(path / "data", INSTRUMENTS)
        draw = fills(INSTRUMENTS, strategies=3)
        try:
            lone, tasks, threads = in_turns(
                turns,
                lambda: _settled(store, _one_after_another(ledger, draw(alone))),
                lambda: _settled(store, asyncio.run(_as_tasks(ledger, iter(draw(each * CALLERS))))),
                lambda: _settled(store, _as_threads(ledger, iter(draw(each * CALLERS)))),
            )
        finally:
            store.close()
    return result(
        [
            Row("1,024 asyncio callers against one fill a sync", _ratios(tasks, lone), "x", 20),
            Row("1,024 asyncio callers, p99", [turn.p99_ms for turn in tasks], "ms", 25, "most"),
            Row("1,024 threads against one fill a sync", _ratios(threads, lone), "x", 4),
            Row("1,024 threads, p99", [turn.p99_ms for turn in threads], "ms", 100, "most"),
            Row("one fill a sync, a lone caller", [turn.pace for turn in lone], "/s"),
            Row("1,024 asyncio callers", [turn.pace for turn in tasks], "/s"),
            Row("1,024 threads", [turn.pace for turn in threads], "/s"),
        ],
        fills_each=each,
        fills_alone=alone,
        instruments=INSTRUMENTS,
    )


def _one_after_another(ledger: Ledger, mine: list[FillBooked]) -> Turn:
    took: list[float] = []
    started = time.perf_counter()
    for fill in mine:
        offered = time.perf_counter()
        ledger.book_facts([fill])
        took.append(time.perf_counter() - offered)
    return _turn(took, time.perf_counter() - started)


async def _as_tasks(ledger: Ledger, stream: Iterator[FillBooked]) -> Turn:
    took: list[float] = []

    async def caller() -> None:
        for fill in stream:
            offered = time.perf_counter()
            await ledger.abook_facts([fill])
            took.append(time.perf_counter() - offered)

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return _turn(took, time.perf_counter() - started)


def _as_threads(ledger: Ledger, stream: Iterator[FillBooked]) -> Turn:
    took: list[float] = []
    ready = Barrier(CALLERS + 1)

    def caller() -> None:
        ready.wait()
        for fill in stream:
            offered = time.perf_counter()
            ledger.book_facts([fill])
            took.append(time.perf_counter() - offered)

    threads = [Thread(target=caller) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    ready.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    return _turn(took, time.perf_counter() - started)


def _turn(took: list[float], elapsed: float) -> Turn:
    return Turn(len(took) / elapsed, percentile(took, 0.99) * 1_000)


def _settled(store: Store, turn: Turn) -> Turn:
    """Let the views catch up before the next side's turn."""
    store.synced(ACCOUNT)
    return turn


def _ratios(many: list[Turn], lone: list[Turn]) -> list[float]:
    return [turn.pace / alone.pace for turn, alone in zip(many, lone, strict=True)]
