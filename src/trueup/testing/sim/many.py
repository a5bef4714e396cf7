"""Many seeds: who runs which, what is remembered between two sittings, and what all of it came to."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from hashlib import blake2b
from importlib import resources
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

import msgspec

from trueup.testing.sim.house import small
from trueup.testing.sim.run import Outcome, run
from trueup.testing.sim.vfs import SimulatedVfs, simulated

CHUNK = 50
"""Seeds between two notes of how far it is: a few seconds of work."""

MEMORY = Path("/dev/shm")  # noqa: S108 - Linux's file system in memory; elsewhere the usual place for temporary files
"""Where the files of simulated disks go when it is there: their real durability does not matter."""

FINDINGS_MAX = 1_000
"""More are counted, and not kept."""


class Finding(msgspec.Struct, frozen=True):
    """A seed at which a promise was broken, and how."""

    seed: int
    told: str


class Tally(msgspec.Struct):
    """What the seeds so far came to.

    Attributes:
        code: Fingerprint of the program they ran; those of another program say nothing of this one.
        first: The first seed.
        done: How many are done from there.
        failed: How many of them found something.
        counts: What happened how often.
        seconds: Spent, on however many processes.
    """

    code: str
    first: int
    done: int = 0
    failed: int = 0
    operations: int = 0
    events: int = 0
    seconds: float = 0.0
    counts: dict[str, int] = {}
    findings: list[Finding] = []

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Add the outcomes of the next seeds."""
        for outcome in outcomes:
            self.done += 1
            self.operations += outcome.operations
            self.events += outcome.events
            for name, count in outcome.counts.items():
                self.counts[name] = self.counts.get(name, 0) + count
            if outcome.finding:
                self.failed += 1
                if len(self.findings) < FINDINGS_MAX:
                    self.findings.append(Finding(outcome.seed, outcome.finding))


def fingerprint() -> str:
    """A hash of the program's code."""
    digest = blake2b(digest_size=16)
    root = Path(str(resources.files("trueup")))
    for path in sorted(chain(root.rglob("*.py"), root.rglob("*.sql"))):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def resumed(state: Path | None, first: int) -> Tally:
    """The tally of an earlier sitting with the same program and the same first seed, or a new one."""
    code = fingerprint()
    if state is not None and state.exists():
        tally = msgspec.json.decode(state.read_bytes(), type=Tally)
        if (tally.code, tally.first) == (code, first):
            return tally
    return Tally(code, first)


def remember(state: Path, tally: Tally) -> None:
    """Keep a tally for the next sitting."""
    state.parent.mkdir(parents=True, exist_ok=True)
    fresh = state.with_name(state.name + ".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(tally), indent=2))
    fresh.replace(state)


def run_many(seeds: Sequence[int], processes: int) -> Iterator[list[Outcome]]:
    """The outcomes of seeds, in order and some at a time."""
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    if processes == 1:
        with simulated() as vfs, small():
            yield from (_chunk(chunk, vfs) for chunk in chunks)
        return
    with ProcessPoolExecutor(processes, get_context("spawn"), _enter) as pool:
        futures = [pool.submit(_in_worker, chunk) for chunk in chunks]
        try:
            for chunk, future in zip(chunks, futures, strict=True):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    yield [Outcome(chunk[0], {}, 0, 0, f"a process died in seeds {chunk[0]} to {chunk[-1]}, or after")]
                    return
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def scratch() -> Path | None:
    """Where simulated disks go; None for the usual place."""
    return MEMORY if MEMORY.is_dir() else None


_worker: list[SimulatedVfs] = []
_entered = ExitStack()
"""What a worker process has entered for good."""


def _enter() -> None:
    _worker.append(_entered.enter_context(simulated()))
    _entered.enter_context(small())


def _in_worker(seeds: Sequence[int]) -> list[Outcome]:
    return _chunk(seeds, _worker[0])


def _chunk(seeds: Sequence[int], vfs: SimulatedVfs) -> list[Outcome]:
    return [run(seed, vfs, scratch()) for seed in seeds]
