"""The machine: one disk under log and SQLite, which counts what is done to it and fails or stops as planned.

Its files are real, in a directory of their own, so that the program finds them with ordinary calls. Beside each stands
the model of what the medium holds; after a loss of power the real files are made to be that.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from errno import EIO, ENOSPC
from pathlib import Path
from random import Random

from trueup.journal.disk import Disk
from trueup.testing.sim.faults import Died, Operation, Plan
from trueup.testing.sim.names import CachedDirectory
from trueup.testing.sim.pages import CachedFile, Fate

Trace = Callable[[str], object]
"""Told one line for each thing that happens."""

EVICTION = 1 / 8
"""Chance before each operation on the log that the cache drops the pages it holds for clean."""


class Machine(Disk):
    """Implements the seam of the log; :mod:`trueup.testing.sim.vfs` brings SQLite to it.

    Args:
        root: An empty directory, which exists whatever happens.
        random: For everything that a disk may decide.
        trace: Told of each operation; None for nobody.

    Attributes:
        dead: Whether the process on it is gone.
        operations: How many there were.
        faults: How many operations failed.
        faulty: Whether something failed in this life.
        suspect: Whether a sync has ever failed, so that there may be what its kernel took for written and no disk has.
    """

    def __init__(self, root: Path, random: Random, trace: Trace | None = None) -> None:
        self.root = root
        self.dead = False
        self.operations = 0
        self.faults = 0
        self.faulty = False
        self.suspect = False
        self._random = random
        self._trace = trace
        self._tree = CachedDirectory()
        self._known: dict[Path, CachedDirectory] = {}
        self._files: dict[int, tuple[CachedFile, Path]] = {}
        self._plan: Plan | None = None
        self._counts: dict[Operation, int] = {}
        sector = random.choice((512, 512, 4096))
        self._fate = Fate(sector, 1 / 2, ordered=random.random() < 1 / 2)

    # --- its lives ----------------------------------------------------------------------------------------------------

    def begin(self, plan: Plan) -> None:
        """A process starts, and this is what will go wrong."""
        self.dead = False
        self.faulty = False
        self._plan = plan
        self._counts = {}

    def mend(self) -> None:
        """Nothing fails any more; the end comes as planned."""
        if self._plan is not None:
            self._plan.failing.clear()
            self._plan.room = None

    def rest(self) -> None:
        """Nothing fails any more, and the process lives on."""
        self._plan = None

    def kill(self) -> None:
        """The process dies. The kernel keeps what it wrote, and may yet drop what it holds for clean."""
        self._stop()
        if self._random.random() < 1 / 2:
            self._evict()

    def lose_power(self) -> None:
        """The machine stops: the real files become what is left."""
        self._stop()
        chance = self._random.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        self._known.clear()
        self._tree.lose_power(self._random, self._fate._replace(chance=chance))
        self._say(f"power lost, {chance:.0%} of the unsynced survives")
        shutil.rmtree(self.root)
        self.root.mkdir()
        for path in self._tree.directories():
            (self.root / path).mkdir(mode=0o700)
        for path, file in self._tree.files():
            (self.root / path).write_bytes(file.live)

    def _stop(self) -> None:
        self.dead = True
        for descriptor in self._files:
            with suppress(OSError):
                os.close(descriptor)
        self._files.clear()

    # --- the seam of the log ------------------------------------------------------------------------------------------

    def open(self, path: Path, *, create: bool = False) -> int:
        """As :meth:`Disk.open`."""
        self.require_alive()
        file = self.create(path, empty=True) if create else self.file(path)
        descriptor = super().open(path, create=create)
        self._files[descriptor] = (file, path)
        return descriptor

    def write(self, file: int, data: bytes, offset: int) -> None:
        """As :meth:`Disk.write`."""
        cached, path = self._files[file]
        self._evict_by_chance()
        self.written(cached, path, data, offset, lambda part: Disk.write(self, file, part, offset))

    def sync(self, file: int) -> None:
        """As :meth:`Disk.sync`."""
        self.synced(*self._files[file])

    def read(self, file: int, size: int, offset: int) -> bytes:
        """As :meth:`Disk.read`."""
        self.require_alive()
        self._evict_by_chance()
        return super().read(file, size, offset)

    def rename(self, source: Path, target: Path) -> None:
        """As :meth:`Disk.rename`."""
        self._attempt("rename", source)
        self._known.clear()  # it may be a directory
        super().rename(source, target)
        directory = self.directory(source.parent)
        node = directory.live.get(source.name)
        directory.change({source.name: None, target.name: node})

    def unlink(self, path: Path) -> None:
        """As :meth:`Disk.unlink`."""
        self.require_alive()
        names = self.directory(path.parent)
        if path.name in names.live:
            self.operation("delete", path)
            names.change({path.name: None})
        super().unlink(path)

    def make_directory(self, path: Path) -> None:
        """As :meth:`Disk.make_directory`."""
        self._attempt("make_directory", path)
        super().make_directory(path)
        self.directory(path.parent).change({path.name: CachedDirectory()})

    def sync_directory(self, path: Path) -> None:
        """As :meth:`Disk.sync_directory`."""
        self._attempt("sync_directory", path)
        self.directory(path).sync()

    def close(self, file: int) -> None:
        """As :meth:`Disk.close`; the descriptors of a dead process are closed already."""
        if self._files.pop(file, None) is not None:
            super().close(file)

    # --- what both seams are made of ----------------------------------------------------------------------------------

    def require_alive(self) -> None:
        """Raise :class:`Died` in a process that is gone."""
        if self.dead:
            raise Died

    def covers(self, path: Path) -> bool:
        """Whether a file is on this disk."""
        return path.is_relative_to(self.root)

    def directory(self, path: Path) -> CachedDirectory:
        """The model of a directory."""
        found = self._known.get(path)
        if found is None:
            found = self._known[path] = self._tree.find(path.relative_to(self.root))
        return found

    def file(self, path: Path) -> CachedFile:
        """The model of a file; raises :class:`FileNotFoundError`."""
        node = self.directory(path.parent).live.get(path.name)
        if not isinstance(node, CachedFile):
            raise FileNotFoundError(str(path))
        return node

    def create(self, path: Path, *, empty: bool) -> CachedFile:
        """A file of this name, made where there is none, and without content if asked for; the real one is not made."""
        names = self.directory(path.parent).live
        if path.name not in names:
            self.operation("create", path)
            self.directory(path.parent).change({path.name: CachedFile()})
        elif empty:
            self.operation("truncate", path)
            self.file(path).truncate(0, self._random, self._fate)
        return self.file(path)

    def written(
        self, file: CachedFile, path: Path, data: bytes, offset: int, really: Callable[[bytes], object]
    ) -> None:
        """Write as far as the plan lets it; raises :class:`OSError` or :class:`Died` for the rest."""
        self.require_alive()
        plan, part, error = self._plan, len(data), 0
        if plan is not None:
            if self._due("write", path):
                part, error = int(len(data) * plan.torn), EIO
            growth = max(0, offset + part - len(file.live))
            if plan.room is not None and growth > plan.room:
                part, error = part - (growth - plan.room), ENOSPC
                growth = plan.room
            if plan.room is not None:
                plan.room -= growth
            if plan.ends("write", path):
                part, error = int(part * plan.torn), -1
        self._count("write", path, f"{part} of {len(data)} bytes at {offset}")
        if part > 0:
            really(data[:part])
            file.write(data[:part], offset)
        self._fail(error, path)

    def truncated(self, file: CachedFile, path: Path, size: int) -> None:
        """Cut a file, in the model alone."""
        self.operation("truncate", path)
        file.truncate(size, self._random, self._fate)

    def synced(self, file: CachedFile, path: Path) -> None:
        """Sync a file; raises :class:`OSError` and then holds it for written all the same."""
        self.require_alive()
        failing = self._plan is not None and self._due("sync", path)
        self.operation("sync", path)
        if failing:
            file.fail_sync(self._random, self._fate)
            self.suspect = True
            self._fail(EIO, path)
        file.sync()

    def operation(self, operation: Operation, path: Path) -> None:
        """Count one; raises :class:`Died` where the plan ends before it."""
        self.require_alive()
        ending = self._plan is not None and self._plan.ends(operation, path)
        self._count(operation, path)
        if ending:
            self._fail(-1, path)

    def _attempt(self, operation: Operation, path: Path) -> None:
        """Count one that may fail as planned, with no effect."""
        self.operation(operation, path)
        if self._due(operation, path):
            self._fail(EIO, path)

    def _due(self, operation: Operation, path: Path) -> bool:
        """Whether the plan lets this one fail."""
        if self._plan is None or not self._plan.counts(path):
            return False
        number = self._counts.get(operation, 0)
        self._counts[operation] = number + 1
        return number in self._plan.failing.get(operation, ())

    def _fail(self, error: int, path: Path) -> None:
        if error < 0:
            self.dead = True
            self._say("the end")
            raise Died
        if error:
            self.faults += 1
            self.faulty = True
            self._say(f"  fails: {os.strerror(error)}")
            raise OSError(error, f"{os.strerror(error)} (simulated)", str(path))

    def _evict_by_chance(self) -> None:
        if self.suspect and self._random.random() < EVICTION:
            self._evict()

    def _evict(self) -> None:
        """Drop clean pages, under whoever has their files open."""
        for path, file in self._tree.files():
            if file.lost:
                with (self.root / path).open("r+b") as real:
                    for start in file.evict():
                        real.seek(start)
                        real.write(file.live[start : start + 4096])
                        self._say(f"the cache drops {path.name} at {start}")

    def _count(self, operation: Operation, path: Path, what: str = "") -> None:
        self.operations += 1
        if self._trace is not None:
            self._say(f"{operation:14} {path.name} {what}")

    def _say(self, line: str) -> None:
        if self._trace is not None:
            self._trace(f"{self.operations:6}  {line}")
