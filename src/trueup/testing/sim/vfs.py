"""SQLite on the simulated machine: an apsw VFS, under the program's own page checksums.

Every call goes to the system's VFS, and what writes, cuts, syncs, creates or deletes also to the machine. Locks and the
shared memory of the write-ahead log are the system's: neither outlives a process.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import ENOSPC
from pathlib import Path
from random import Random
from types import TracebackType

import apsw
import apsw.sqlite_extra

from trueup.testing.sim.faults import Died
from trueup.testing.sim.machine import Machine
from trueup.testing.sim.pages import CachedFile

_NAME = "trueup-simulated"
_CHECKSUMS = "cksmvfs"
_SYSTEM = "unix"
_SYNCED_WITH_ITS_NAME = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL
"""Files whose first sync also syncs the directory, if they may be created, even where they were there, and that do not
tell where this fails: as SQLite's own VFS for Unix does it, seen by tracing its system calls and by failing them."""


class SimulatedVfs(apsw.VFS):
    """Registered while it lives. Set :attr:`machine` and :attr:`random` before each use.

    Attributes:
        machine: The disk that files below its root are on.
        random: What SQLite takes its own random numbers from.
    """

    def __init__(self) -> None:
        self.machine: Machine | None = None
        self.random = Random(0)
        super().__init__(_NAME, _SYSTEM, maxpathname=0)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's
        """Open a file on the machine, or elsewhere as the system does."""
        text = name.filename() if isinstance(name, apsw.URIFilename) else name
        machine = self.machine
        if text is None or machine is None or not machine.covers(Path(text)):
            return apsw.VFSFile(_SYSTEM, name, flags)
        path = Path(text)
        machine.require_alive()
        fresh = not path.exists()
        if fresh and not flags[0] & apsw.SQLITE_OPEN_CREATE:
            return apsw.VFSFile(_SYSTEM, name, flags)  # which says so
        file = machine.create(path, empty=False) if fresh else machine.file(path)
        return _File(machine, file, path, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: FBT001, N802 - SQLite's
        """Delete a file."""
        machine, path = self.machine, Path(filename)
        if machine is None or not machine.covers(path):
            super().xDelete(filename, syncdir)
            return
        machine.require_alive()
        if path.exists():
            machine.unlink(path)
            if syncdir:
                with _in_its_words(apsw.SQLITE_IOERR_DIR_FSYNC):
                    machine.sync_directory(path.parent)
        else:
            raise apsw.exception_for(apsw.SQLITE_IOERR_DELETE_NOENT)

    def xRandomness(self, numbytes: int) -> bytes:  # noqa: N802 - SQLite's
        """From the seed."""
        return self.random.randbytes(numbytes)

    def excepthook(self, *_: object) -> bool:
        """What could not be told to SQLite was told to the machine."""
        return True


class _File(apsw.VFSFile):
    """One open file of SQLite."""

    def __init__(
        self,
        machine: Machine,
        file: CachedFile,
        path: Path,
        name: str | apsw.URIFilename | None,
        flags: list[int],
    ) -> None:
        self._machine = machine
        self._file = file
        self._path = path
        self._names_its_directory = bool(flags[0] & _SYNCED_WITH_ITS_NAME and flags[0] & apsw.SQLITE_OPEN_CREATE)
        super().__init__(_SYSTEM, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's
        """Write."""
        really = super().xWrite
        with _in_its_words(apsw.SQLITE_IOERR_WRITE):
            self._machine.written(self._file, self._path, bytes(data), offset, lambda part: really(part, offset))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's
        """Cut."""
        self._machine.truncated(self._file, self._path, newsize)
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's
        """Sync, in the model alone."""
        del flags
        with _in_its_words(apsw.SQLITE_IOERR_FSYNC):
            self._machine.synced(self._file, self._path)
        if self._names_its_directory:
            self._names_its_directory = False
            with suppress(OSError):
                self._machine.sync_directory(self._path.parent)

    def excepthook(self, *_: object) -> bool:
        """What could not be told to SQLite was told to the machine."""
        return True


@contextmanager
def _in_its_words(code: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise apsw.exception_for(apsw.SQLITE_FULL if error.errno == ENOSPC else code) from error


@contextmanager
def simulated() -> Iterator[SimulatedVfs]:
    """Puts the simulation under the page checksums of this process, and takes it out again."""
    vfs = SimulatedVfs()
    try:
        _checksums_over(_NAME)
        with _death_in_silence():
            yield vfs
    finally:
        _checksums_over(_SYSTEM)
        vfs.unregister()


@contextmanager
def _death_in_silence() -> Iterator[None]:
    """What is left of a dead process is thrown away some time later, and says once more that it is dead."""
    unraisable, uncaught = sys.unraisablehook, sys.excepthook

    def note(args: "sys.UnraisableHookArgs") -> None:
        if not isinstance(args.exc_value, Died):
            unraisable(args)

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not isinstance(error, Died):
            uncaught(kind, error, trace)

    sys.unraisablehook, sys.excepthook = note, tell
    try:
        yield
    finally:
        sys.unraisablehook, sys.excepthook = unraisable, uncaught


def seed_sqlite() -> None:
    """Let SQLite take new random numbers of its own, from the seed."""
    apsw.set_default_vfs(_NAME)
    apsw.randomness(0)  # forget
    apsw.randomness(1)  # and ask again
    apsw.set_default_vfs(_SYSTEM)


def close_all(root: Path) -> None:
    """Close what a dead process had open. It was not asked, so nothing it would still do happens."""
    for connection in apsw.connections():
        if Path(connection.filename).is_relative_to(root):
            with suppress(apsw.Error, Died):
                connection.close(force=True)


def _checksums_over(name: str) -> None:
    """Register the checksum VFS over another one; it takes the default of the moment it is registered."""
    if _CHECKSUMS in apsw.vfs_names():
        apsw.unregister_vfs(_CHECKSUMS)
    apsw.set_default_vfs(name)
    loader = apsw.Connection(":memory:")
    apsw.sqlite_extra.load(loader, "cksumvfs")
    loader.close()
    apsw.set_default_vfs(_SYSTEM)
