"""What a long history costs: proving its chain, folding it again, and starting on top of it.

A million fills of 10,000 contracts by one strategy, booked through the door in batches of 1,000, so that log, views and
snapshots are what a real account would have. A start opens the data directory and the ledger up to where it could book:
after an orderly end, and after a crash, which leaves the last snapshot up to 100,000 events behind. All of it is read
from the page cache: the first start after a boot adds the disk's time.
"""

import shutil
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measure import Row, in_turns, result, say, scratch
from benchmarks.world import ACCOUNT, fills, opened
from trueup.book.book import Book
from trueup.book.snapshot import state_hash
from trueup.bootstrap import open_store
from trueup.engine.past import Past
from trueup.engine.rebuilding import bring_up
from trueup.journal.directory import DataDirectory
from trueup.journal.embedded import EmbeddedStorage
from trueup.journal.snapshots import newest_snapshot
from trueup.journal.verify import verify
from trueup.model.identifiers import Seq

EVENTS = 1_000_000
POSITIONS = 10_000
BATCH = 1_000
TURNS = 5


class History(NamedTuple):
    """Two data directories with the same history, one closed in order and one as a crash leaves it.

    Attributes:
        seq: The last event.
        hash: Of the state that they fold to.
        open_positions: How many of the positions are not flat.
        behind: How many events the newest snapshot lacks after the crash.
    """

    closed: Path
    crashed: Path
    seq: Seq
    hash: bytes
    open_positions: int
    behind: int


def run(quick: bool) -> dict[str, Any]:
    events, positions = (30_000, 300) if quick else (EVENTS, POSITIONS)
    with scratch() as path:
        say(f"history: booking {events:,} fills")
        history = _made(path, events, positions)
        again = path / "again"

        def started_after_a_crash() -> float:
            shutil.copytree(history.crashed, again)
            try:
                return _start(again, history)
            finally:
                shutil.rmtree(again)

        say(f"history: verifying, folding and starting, {TURNS} turns")
        verified, folded, closed, crashed = in_turns(
            TURNS,
            lambda: _verify(history),
            lambda: _refold(history),
            lambda: _start(history.closed, history),
            started_after_a_crash,
        )
    name = f"{events:,} events"
    return result(
        [
            Row(f"{name}, chain verified", verified, "s", 0.6, "most"),
            Row(f"{name}, refolded", folded, "s", 6, "most"),
            Row(f"start, {history.open_positions:,} open positions, {name}", closed, "s", 1.5, "most"),
            Row("the same after a crash", crashed, "s", 1.5, "most"),
        ],
        batch=BATCH,
        events_behind_after_a_crash=history.behind,
    )


def _made(path: Path, events: int, positions: int) -> History:
    closed, crashed = path / "closed", path / "crashed"
    store, ledger = opened(closed, positions)
    draw = fills(positions, strategies=1)
    for _ in range(events // BATCH):
        ledger.book_facts(draw(BATCH))
    store.synced(ACCOUNT)
    shutil.copytree(closed, crashed)  # while it is open: what is on the disk now is what a crash would leave
    held = sum(1 for position in ledger.book.positions().values() if position.quantity)
    history = History(
        closed, crashed, ledger.head.seq, state_hash(ledger.book), held, _behind(crashed, ledger.head.seq)
    )
    store.close()
    return history


def _behind(path: Path, head: Seq) -> int:
    directory = DataDirectory.open(path)
    snapshot, _ = newest_snapshot(directory.ledger_path(ACCOUNT), ACCOUNT)
    directory.close()
    return head - (snapshot.mark.seq if snapshot is not None else 0)


def _verify(history: History) -> float:
    directory = DataDirectory.open(history.closed)
    started = time.perf_counter()
    report = verify(directory.ledger_path(ACCOUNT), ACCOUNT)
    taken = time.perf_counter() - started
    directory.close()
    _require(report.head.seq == history.seq and not report.findings)
    return taken


def _refold(history: History) -> float:
    storage = EmbeddedStorage.open(history.closed)
    views = storage.views()
    log = storage.open_ledger(ACCOUNT, views, snapshot=False)
    started = time.perf_counter()
    past = Past(log.journal)
    book = Book(ACCOUNT, past)
    bring_up(book, past, views)
    taken = time.perf_counter() - started
    log.journal.close()
    views.close()
    storage.close()
    _require(state_hash(book) == history.hash)
    return taken


def _start(path: Path, history: History) -> float:
    started = time.perf_counter()
    store = open_store(path)
    book = store.ledger(ACCOUNT).book
    taken = time.perf_counter() - started
    _require(state_hash(book) == history.hash)
    store.close()
    return taken


def _require(right: bool) -> None:
    """What was timed must have been the real thing."""
    if not right:
        raise RuntimeError("not what was booked")
