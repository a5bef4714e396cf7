"""One commit while another thread of the process computes in Python, which lets go of the interpreter only when asked.

How soon it is asked is the interpreter's switch interval, a setting of the process: the library leaves it alone, a
service that computes beside its booking lowers it (``sys.setswitchinterval``). Measured with both, in turns, and with
nobody computing.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from threading import Event, Thread
from typing import Any

from benchmarks.measure import Row, in_turns, result, say, scratch
from benchmarks.world import ACCOUNT, Draw, fills, opened
from trueup.engine.ledger import Ledger

SERVICE_INTERVAL_S = 0.0005
"""What a service is to set: low enough for the target, and switching still costs its threads next to nothing."""

INSTRUMENTS = 200
FILLS = 200
TURNS = 7


def run(quick: bool) -> dict[str, Any]:
    count, turns = (30, 5) if quick else (FILLS, TURNS)
    say(f"busy: {turns} turns")
    default = sys.getswitchinterval()
    with scratch() as path:
        store, ledger = opened(path / "data", INSTRUMENTS)
        draw = fills(INSTRUMENTS, strategies=3)

        def measured(interval: float, *, computing: bool) -> float:
            store.synced(ACCOUNT)
            with _switching_every(interval), _somebody_computing(computing):
                return _commit_p50_ms(ledger, draw, count)

        try:
            service, library, quiet = in_turns(
                turns,
                lambda: measured(SERVICE_INTERVAL_S, computing=True),
                lambda: measured(default, computing=True),
                lambda: measured(default, computing=False),
            )
        finally:
            store.close()
    return result(
        [
            Row(f"one commit beside a computing thread, {_asked(SERVICE_INTERVAL_S)}, p50", service, "ms", 2, "most"),
            Row(f"the same, {_asked(default)} as Python does by itself, p50", library, "ms"),
            Row("one commit with nobody computing, p50", quiet, "ms"),
        ],
        commits_a_turn=count,
        instruments=INSTRUMENTS,
    )


def _commit_p50_ms(ledger: Ledger, draw: Draw, count: int) -> float:
    took = []
    for fill in draw(count):
        started = time.perf_counter()
        ledger.book_facts([fill])
        took.append(time.perf_counter() - started)
    return median(took) * 1_000


@contextmanager
def _switching_every(interval: float) -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def _somebody_computing(really: bool) -> Iterator[None]:
    done, begun = Event(), Event()

    def compute() -> None:
        begun.set()
        total = 0
        while not done.is_set():
            total += sum(number * number for number in range(1_000))

    thread = Thread(target=compute)
    if really:
        thread.start()
        begun.wait()
    try:
        yield
    finally:
        done.set()
        if really:
            thread.join()


def _asked(interval: float) -> str:
    return f"switching every {interval * 1_000:g} ms"
