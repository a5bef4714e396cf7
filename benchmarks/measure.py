"""What every benchmark shares: rows with their targets, fair turns, the machine's facts, and a place on the disk.

A *row* is one line of the table: samples of one measurement, one for each turn, and the figure to reach. What counts is
their median.
"""

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, Literal, TypeVar

import apsw
import msgspec

BENCHMARKS = Path(__file__).parent
SCRATCH = BENCHMARKS.parent / "build"
"""Where data directories are made: beside the results, so on the same disk, and ignored by git."""

SYNC_BYTES = 512
SYNC_FILE_BYTES = 1 << 20

Taken = TypeVar("Taken")


class Row(msgspec.Struct, frozen=True):
    """One line of the table.

    Attributes:
        what: Measured, in words.
        samples: One for each turn, in ``unit``.
        unit: ``x`` for a ratio, ``ms``, ``s``, ``/s``.
        reach: The target; None for a figure that only explains others.
        bound: Whether the target is the least or the most.
    """

    what: str
    samples: Sequence[float]
    unit: str
    reach: float | None = None
    bound: Literal["least", "most"] = "least"

    @property
    def value(self) -> float:
        """The figure that counts."""
        return median(self.samples)

    @property
    def short_by(self) -> float:
        """By which share of the target it is missed; zero or less when it is met."""
        if self.reach is None:
            return 0.0
        missing = self.reach - self.value if self.bound == "least" else self.value - self.reach
        return missing / self.reach

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        return None if self.reach is None else self.short_by <= 0


def run_here(name: str, quick: bool) -> dict[str, Any]:
    """Run one benchmark in this process; its rows, with the facts that they depend on."""
    say(f"{name}: load average {os.getloadavg()[0]:.2f}")
    load = Load()
    measured = import_module(f"benchmarks.{name}").run(quick)
    others = load.others()
    say(f"{name}: others kept {others} cores busy meanwhile")
    return {"name": name, "machine": machine(), "cores_kept_busy_by_others": others, **measured}


def result(rows: Sequence[Row], **conditions: object) -> dict[str, Any]:
    """What a benchmark returns: its rows with what follows from them, and under what conditions they hold."""
    derived = [{"value": row.value, "met": row.met, "short_by": row.short_by} for row in rows]
    return {
        "rows": [{**told, **msgspec.to_builtins(row)} for told, row in zip(derived, rows, strict=True)],
        "conditions": conditions,
    }


def in_turns(turns: int, *sides: Callable[[], Taken]) -> list[list[Taken]]:
    """Run the sides one after the other, ``turns`` times, each time beginning with another one; results by side.

    What disturbs the machine for a while disturbs all of them, and nobody always runs on a warm or a dirty cache. One
    turn before these is not counted.
    """
    taken: list[list[Taken]] = [[] for _ in sides]
    for turn in range(turns + 1):
        for place in range(len(sides)):
            side = (turn + place) % len(sides)
            measured = sides[side]()
            if turn:
                taken[side].append(measured)
    return taken


def seconds(work: Callable[[], object]) -> float:
    """How long it took."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def percentile(samples: Sequence[float], share: float) -> float:
    """The sample below which a share of them lies, the one above it where it falls between two."""
    return sorted(samples)[min(len(samples) - 1, int(len(samples) * share))]


@contextmanager
def scratch() -> Iterator[Path]:
    """A fresh directory on the disk that is measured; gone afterwards."""
    SCRATCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH, prefix="benchmark-") as path:
        yield Path(path)


def say(text: str) -> None:
    """Progress, for whoever watches."""
    print(text, file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    """What the figures depend on, the disk's latency as measured now. Nothing that names the machine."""
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_model(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "switch_interval_ms": sys.getswitchinterval() * 1000,
        "sync_us": _sync_us(),
    }


class Load:
    """How many cores others kept busy while something was measured; None where the system does not tell."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._busy, self._own = _busy_seconds(), _own_seconds()

    def others(self) -> float | None:
        """Cores, on average since the beginning. Ours counts what the kernel did for us, less what it did after."""
        busy = _busy_seconds()
        if busy is None or self._busy is None:
            return None
        foreign = (busy - self._busy) - (_own_seconds() - self._own)
        return round(max(0.0, foreign / (time.perf_counter() - self._started)), 2)


def _busy_seconds() -> float | None:
    """Processor seconds that the whole machine has spent on anybody, time taken away by a hypervisor included."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, stat.read_text("ascii").split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    return sum(os.times()[:4])


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _sync_us() -> dict[str, float]:
    """Microseconds for one small write and its sync, as the journal does it: into space that is there already."""
    taken = []
    with scratch() as path, (path / "sync").open("w+b", buffering=0) as file:
        file.write(bytes(SYNC_FILE_BYTES))
        os.fsync(file.fileno())
        for offset in range(0, SYNC_FILE_BYTES, SYNC_BYTES):
            started = time.perf_counter()
            os.pwrite(file.fileno(), b"\1" * SYNC_BYTES, offset)
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - started) * 1e6)
    return {"p50": round(median(taken), 1), "p99": round(percentile(taken, 0.99), 1)}
