"""Durable booking in PostgreSQL against bare COPY of the same fills into a table without an index.

Ours: ``Ledger.book_facts``, which checks, dedupes, folds, hashes, and commits frame, keys and rows in one transaction.
Theirs: asyncpg's ``copy_records_to_table`` into 16 columns without any key, one transaction a batch, from rows that are
ready. Both book the same fills in the same batches on the same server, in turns. The server is the one on this machine,
or that of TRUEUP_TEST_POSTGRES.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from benchmarks.booking import COLUMNS, INSTRUMENTS, TURNS, plain_row
from benchmarks.measure import Row, in_turns, result, say
from benchmarks.world import Draw, fills, opened
from trueup.engine.ledger import Ledger
from trueup.journal.postgres.address import Address
from trueup.model.events import FillBooked

SERVER = os.environ.get("TRUEUP_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")

Plain: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

FILLS_A_TURN = {1: 200, 10: 1_000, 100: 5_000, 1_000: 15_000}
"""By batch."""

REACH = {1_000: 0.45}


def run(quick: bool) -> dict[str, Any]:
    rows = []
    speed: dict[str, dict[str, float]] = {}
    with _database() as url:
        store, ledger = opened(Address.parse(url), INSTRUMENTS)
        for_us, for_them = fills(INSTRUMENTS, 1), fills(INSTRUMENTS, 1)
        for batch, count in FILLS_A_TURN.items():
            say(f"postgres: batches of {batch}")
            turns, batches = (5, max(2, count // batch // 10)) if quick else (TURNS, count // batch)
            with asyncio.Runner() as runner:
                plain = runner.run(asyncpg.connect(url))
                us = partial(_book, ledger, for_us, batch, batches)
                them = partial(_copy, runner, plain, for_them, batch, batches)
                ours, theirs = in_turns(turns, us, them)
                runner.run(plain.close())
            name = f"{batch:,} a batch"
            ratios = [their / our for our, their in zip(ours, theirs, strict=True)]
            rows.append(Row(f"booked and committed, {name}", ratios, "x", REACH.get(batch)))
            done = batch * batches
            speed[name] = {"ours": round(done / min(ours)), "bare COPY": round(done / min(theirs))}
        store.close()
    return result(rows, instruments=INSTRUMENTS, fills_a_second=speed)


def _book(ledger: Ledger, draw: Draw, batch: int, count: int) -> float:
    batches = [draw(batch) for _ in range(count)]
    started = time.perf_counter()
    for some in batches:
        ledger.book_facts(some)
    return time.perf_counter() - started


def _copy(runner: asyncio.Runner, plain: Plain, draw: Draw, batch: int, count: int) -> float:
    batches = [[_as_text(fill) for fill in draw(batch)] for _ in range(count)]

    async def work() -> float:
        started = time.perf_counter()
        for some in batches:
            async with plain.transaction():
                await plain.copy_records_to_table("fills", records=some)
        return time.perf_counter() - started

    return runner.run(work())


def _as_text(fill: FillBooked) -> tuple[str, ...]:
    return tuple(map(str, plain_row(fill)))


@contextmanager
def _database() -> Iterator[str]:
    name = f"trueup_benchmark_{os.getpid()}"
    url = urlunsplit(urlsplit(SERVER)._replace(path=f"/{name}"))

    async def ask(where: str, statement: str) -> None:
        connection = await asyncpg.connect(where)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(ask(SERVER, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"))
    try:
        asyncio.run(ask(url, f"CREATE TABLE fills ({', '.join(f'{column} text' for column in COLUMNS)})"))
        yield url
    finally:
        asyncio.run(ask(SERVER, f"DROP DATABASE {name} WITH (FORCE)"))
