"""The program on the simulated machine: how it starts, stops and dies there."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from unittest.mock import patch

from trueup.engine import feeder, keys, rebuilding
from trueup.engine import store as stores
from trueup.engine.store import Store
from trueup.journal import directory, sqlite, views
from trueup.journal.embedded import EmbeddedStorage
from trueup.journal.segment_file import BLOCK
from trueup.testing.sim.faults import Died, Plan
from trueup.testing.sim.machine import Machine, Trace
from trueup.testing.sim.vfs import SimulatedVfs, close_all, seed_sqlite

START_NS = 1_800_000_000_000_000_000
SEGMENT_BYTES = (BLOCK + 2_048, 2 * BLOCK, 4 * BLOCK, 10 * BLOCK)
"""So small that a short history fills several."""


class SimulatedClock:
    """A clock that moves when it is told to, and a little whenever it is read."""

    def __init__(self) -> None:
        self._ns = START_NS

    def now(self) -> int:
        """As :meth:`trueup.ports.Clock.now`."""
        self._ns += 1_000_000
        return self._ns

    def monotonic(self) -> float:
        """As :meth:`trueup.ports.Clock.monotonic`."""
        return self._ns / 1e9

    def pass_by(self, seconds: float) -> None:
        """Time passes."""
        self._ns += int(seconds * 1e9)


class House:
    """A data directory on a machine, and the store that a process has opened in it.

    Args:
        root: An empty directory for the disk.
        vfs: The way SQLite reaches it.
        random: For everything.
        trace: Told of each thing that happens.
    """

    def __init__(self, root: Path, vfs: SimulatedVfs, random: Random, trace: Trace | None = None) -> None:
        self.machine = Machine(root, random, trace)
        self.clock = SimulatedClock()
        self._segment_bytes = random.choice(SEGMENT_BYTES)
        self._storage: EmbeddedStorage | None = None
        self._store: Store | None = None
        vfs.machine, vfs.random = self.machine, Random(random.random())
        seed_sqlite()

    @property
    def store(self) -> Store:
        """The open store."""
        if self._store is None:
            self.open()
        if self._store is None:
            raise RuntimeError("a store that opened is there")
        return self._store

    @property
    def is_open(self) -> bool:
        """Whether there is one."""
        return self._store is not None

    def open(self) -> None:
        """A process opens the directory. Raises whatever the program does."""
        storage = self.storage()
        self._store = Store.open(storage, self.clock, background=False)

    def storage(self) -> EmbeddedStorage:
        """The files of the directory, owned by this process."""
        if self._storage is None:
            self._storage = EmbeddedStorage.open(
                self.machine.root / "data", disk=self.machine, segment_bytes=self._segment_bytes, background=False
            )
        return self._storage

    def rebuild_views(self) -> None:
        """What `trueup views rebuild` does, on a directory that nobody has open."""
        rebuilding.rebuild_views(self.storage()).close()
        self.release()

    def close(self) -> None:
        """The process closes the directory and goes on living."""
        store, self._store = self._store, None
        if store is not None:
            store.close()
        self.release()

    def release(self) -> None:
        """What a process held is free: it closed it, or is gone."""
        self._store = None
        storage, self._storage = self._storage, None
        if storage is not None:
            with suppress(Died):
                storage.directory.close()

    def end(self, plan: Plan) -> None:
        """The process is gone, or the machine with it."""
        self.machine.dead = True
        close_all(self.machine.root)
        self.release()
        if plan.end == "power":
            self.machine.lose_power()
        else:
            self.machine.kill()


@contextmanager
def small() -> Iterator[None]:
    """Makes bounds of the program small that a short history would never reach: all that is changed in it."""
    with ExitStack() as held:
        for module, name, value in (
            (stores, "SNAPSHOT_EVENTS", 12),
            (keys, "GENERATION", 8),
            (feeder, "EVENTS_MAX", 40),
            (views, "FRAMES_A_PAGE", 4),
            (directory, "MOUNTS", Path("/nowhere")),
            (sqlite, "MOUNTS", Path("/nowhere")),  # the disk is not a network's, and asking takes a while
            (sqlite, "LOG_PAGES_MAX", 12),
        ):
            if not hasattr(module, name):
                raise AttributeError(f"{module.__name__} has no {name} to make small")
            held.enter_context(patch.object(module, name, value))
        yield
