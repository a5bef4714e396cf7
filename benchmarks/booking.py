"""Durable booking against the least that a database could do: the same fills as plain rows, without an index.

Ours: ``Ledger.book_facts``, which checks, dedupes, folds, hashes, writes, syncs and acknowledges, while the views are
kept behind it. Theirs: ``executemany`` into one table of 16 columns without any key, WAL, synchronous FULL, one
transaction a batch, from rows that are ready as text and integers. Both book the same fills in the same batches on the
same disk, in turns.
"""

import time
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from benchmarks.measure import Row, in_turns, result, say, scratch, seconds
from benchmarks.world import ACCOUNT, fills, opened
from trueup.engine.ledger import Ledger
from trueup.engine.store import Store
from trueup.model.events import FillBooked

COLUMNS = FillBooked.__struct_fields__[:16]
INSTRUMENTS = 200
TURNS = 9

FILLS_A_TURN = {1: 1_500, 10: 8_000, 100: 20_000, 1_000: 30_000}
"""By batch: some tenths of a second for either side, so that the views' pace of 20 ms does not matter."""

ACKNOWLEDGED = {1: 1.0, 10: 0.8, 100: 0.65, 1_000: 0.55}
CAUGHT_UP = {100: 0.5, 1_000: 0.35}
"""Ratios to reach, by batch."""


class Turn(NamedTuple):
    """Seconds until the last batch was durable, and until everything was in the views too."""

    durable: float
    caught_up: float


def run(quick: bool) -> dict[str, Any]:
    rows = []
    speed: dict[str, dict[str, float]] = {}
    for strategies in (1, 3):
        for batch, reach in ACKNOWLEDGED.items():
            say(f"booking: batches of {batch}, {strategies} strategies")
            count = FILLS_A_TURN[batch] // (10 if quick else 1) // batch
            ours, theirs = _measured(strategies, batch, max(2, count), 5 if quick else TURNS)
            name = f"{batch:,} a batch, {strategies} {'strategy' if strategies == 1 else 'strategies'}"
            durable = [their.durable / our.durable for our, their in zip(ours, theirs, strict=True)]
            caught_up = [their.durable / our.caught_up for our, their in zip(ours, theirs, strict=True)]
            rows.append(Row(f"booked and acknowledged, {name}", durable, "x", reach))
            rows.append(Row(f"the same, views caught up, {name}", caught_up, "x", CAUGHT_UP.get(batch)))
            speed[name] = _speeds(ours, theirs, batch * max(2, count))
    return result(rows, instruments=INSTRUMENTS, fills_a_second=speed)


def _measured(strategies: int, batch: int, count: int, turns: int) -> list[list[Turn]]:
    with scratch() as path:
        store, ledger = opened(path / "ours", INSTRUMENTS)
        plain = _plain_table(path / "plain.sqlite3")
        for_us, for_them = fills(INSTRUMENTS, strategies), fills(INSTRUMENTS, strategies)

        def ours() -> Turn:
            return _book(store, ledger, [for_us(batch) for _ in range(count)])

        def theirs() -> Turn:
            return _insert(plain, [[plain_row(fill) for fill in for_them(batch)] for _ in range(count)])

        try:
            return in_turns(turns, ours, theirs)
        finally:
            plain.close()
            store.close()


def _book(store: Store, ledger: Ledger, batches: list[list[FillBooked]]) -> Turn:
    started = time.perf_counter()
    for batch in batches:
        ledger.book_facts(batch)
    durable = time.perf_counter() - started
    store.synced(ACCOUNT)
    return Turn(durable, time.perf_counter() - started)


def _insert(db: apsw.Connection, batches: list[list[tuple[str | int, ...]]]) -> Turn:
    insert = f"INSERT INTO fills VALUES ({', '.join('?' * len(COLUMNS))})"

    def work() -> None:
        for batch in batches:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(insert, batch)
            db.execute("COMMIT")

    taken = seconds(work)
    return Turn(taken, taken)


def _plain_table(path: Path) -> apsw.Connection:
    db = apsw.Connection(str(path))
    db.pragma("journal_mode", "wal")
    db.pragma("synchronous", "full")
    db.execute(f"CREATE TABLE fills ({', '.join(COLUMNS)})")
    return db


def plain_row(fill: FillBooked) -> tuple[str | int, ...]:
    values = (getattr(fill, name) for name in COLUMNS)
    return tuple(str(value) if isinstance(value, Decimal) else value for value in values)


def _speeds(ours: list[Turn], theirs: list[Turn], count: int) -> dict[str, float]:
    """Fills a second of the best turn of each, to give the ratios a scale."""
    return {
        "ours, acknowledged": round(count / min(turn.durable for turn in ours)),
        "ours, views caught up": round(count / min(turn.caught_up for turn in ours)),
        "plain rows": round(count / min(turn.durable for turn in theirs)),
    }
