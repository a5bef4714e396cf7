"""Disks that refuse: full, read-only, failing on a write or on a sync, for each file that is written, and when.

Booking is refused or goes on; in either case all that was acknowledged is there once the disk is mended, and nothing
that was refused counts as acknowledged.
"""

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Literal

import apsw
import msgspec

from tests.damage.house import ACCOUNTS, House, MemoryDisk, facts, store_at
from tests.damage.trial import Failed, require_all
from tests.engine.world import ACCOUNT
from trueup.engine.store import Store
from trueup.journal import sqlite
from trueup.model.errors import StorageError, ViewsFailed
from trueup.model.events import FillBooked

Fault = Literal["full disk", "read-only disk", "EIO on write", "EIO on sync"]
Verdict = Literal["refused", "harmless"]

NUMBERS = range(2_000_000, 2_000_012)
"""Facts offered while the disk refuses: enough for the next segment to be needed."""

_ERRNO = {
    "full disk": errno.ENOSPC,
    "read-only disk": errno.EROFS,
    "EIO on write": errno.EIO,
    "EIO on sync": errno.EIO,
}
_SQLITE = {
    "full disk": apsw.SQLITE_FULL,
    "read-only disk": apsw.SQLITE_READONLY,
    "EIO on write": apsw.SQLITE_IOERR_WRITE,
    "EIO on sync": apsw.SQLITE_IOERR_FSYNC,
}
FAULTS: Sequence[Fault] = ("full disk", "read-only disk", "EIO on write", "EIO on sync")


class RefusingDisk(MemoryDisk):
    """Refuses what touches files of a pattern, once it is told to."""

    def __init__(self, pattern: str, fault: Fault) -> None:
        self.armed = False
        self._pattern = pattern
        self._fault = fault
        self._paths: dict[int, Path] = {}

    def open(self, path: Path, *, create: bool = False) -> int:
        """As :meth:`Disk.open`."""
        if create and self._fault == "read-only disk":
            self._meet(path)
        file = super().open(path, create=create)
        self._paths[file] = path
        return file

    def write(self, file: int, data: bytes, offset: int) -> None:
        """As :meth:`Disk.write`."""
        if self._fault != "EIO on sync":
            self._meet(self._paths[file])
        super().write(file, data, offset)

    def sync(self, file: int) -> None:
        """As :meth:`Disk.sync`."""
        if self._fault == "EIO on sync":
            self._meet(self._paths[file])

    def _meet(self, path: Path) -> None:
        if self.armed and fnmatch(str(path), self._pattern):
            code = _ERRNO[self._fault]
            raise OSError(code, errno.errorcode[code])


class _RefusingFile(apsw.VFSFile):
    def __init__(self, vfs: "RefusingVfs", name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._vfs = vfs
        super().__init__("cksmvfs", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's
        """Refuse, or write."""
        self._vfs.meet("write")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's
        """Refuse, or sync."""
        self._vfs.meet("sync")
        super().xSync(flags)


class RefusingVfs(apsw.VFS):
    """The same for SQLite, above its page checksums."""

    def __init__(self, fault: Fault) -> None:
        self.armed = False
        self._fault = fault
        super().__init__("trueup-refusing", "cksmvfs", maxpathname=0)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's
        """Open a file that may refuse."""
        return _RefusingFile(self, name, flags)

    def meet(self, operation: str) -> None:
        """Refuse when told to."""
        if self.armed and (operation == "sync") == (self._fault == "EIO on sync"):
            raise apsw.exception_for(_SQLITE[self._fault])


class FaultCase(msgspec.Struct, frozen=True):
    """One file refusing at one time."""

    file: str
    damage: Fault
    place: str
    judge: Callable[[House, Path], Verdict]


def cases() -> Sequence[FaultCase]:
    """All of them."""
    files = {
        "tail segment": "*.seg",
        "sealed segment": "*/spare.~tmp",
        "saved head": "*/heads/*",
        "snapshot": "*.snapshot*",
    }
    found = [
        FaultCase(file, fault, "while it books", partial(_running, pattern, fault))
        for file, pattern in files.items()
        for fault in FAULTS
    ]
    for fault in FAULTS:
        found.append(FaultCase("tail segment", fault, "at a start", partial(_starting, "*.seg", fault)))
        found.append(FaultCase("format", fault, "when it is made", partial(_making, fault)))
        found.append(FaultCase("views database", fault, "while it books", partial(_views, fault, False)))
        found.append(FaultCase("views database", fault, "at a start", partial(_views, fault, True)))
    return found


# --- trials -----------------------------------------------------------------------------------------------------------


def _running(pattern: str, fault: Fault, house: House, scratch: Path) -> Verdict:
    """The disk begins to refuse under a store that books."""
    disk = RefusingDisk(pattern, fault)
    store = store_at(house.copy("closed", scratch), disk)
    for account in ACCOUNTS:
        store.ledger(account)
    disk.armed = True
    acknowledged, refused = _book(store)
    with suppress(StorageError):  # a snapshot or a head could not be written; all else is let go
        store.close()
    disk.armed = False
    return _verdict(house, scratch, acknowledged, refused)


def _starting(pattern: str, fault: Fault, house: House, scratch: Path) -> Verdict:
    """The disk refuses when the store is opened."""
    disk = RefusingDisk(pattern, fault)
    disk.armed = True
    store = store_at(house.copy("closed", scratch), disk)
    acknowledged, refused = _book(store)
    with suppress(StorageError):
        store.close()
    return _verdict(house, scratch, acknowledged, refused)


def _making(fault: Fault, house: House, scratch: Path) -> Verdict:
    """The disk refuses when a data directory is made; once it is mended, it is made."""
    disk = RefusingDisk("*/format*", fault)
    disk.armed = True
    try:
        store_at(scratch, disk, create=True)
    except StorageError as failure:
        _require_told(failure)
    else:
        raise Failed("a directory was made on a disk that refuses")
    store_at(scratch, create=True).close()
    return "refused"


def _views(fault: Fault, at_start: bool, house: House, scratch: Path) -> Verdict:
    """SQLite's disk refuses: booking goes on, and the views come back; a start waits for the disk to be mended."""
    path = house.copy("closed", scratch)
    with _refusing_sqlite(fault) as vfs:
        vfs.armed = at_start
        try:
            store = store_at(path)
        except ViewsFailed as failure:
            _require_told(failure)
            vfs.armed = False
            require_all(path, house.truth["closed"])
            return "refused"
        vfs.armed = True
        acknowledged, refused = _book(store)
        with suppress(ViewsFailed):
            store.synced(ACCOUNT)
        vfs.armed = False
        if store.views_failed is not None:
            store.rebuild_views()
        store.synced(ACCOUNT)
        store.close()
    return _verdict(house, scratch, acknowledged, refused)


@contextmanager
def _refusing_sqlite(fault: Fault) -> Iterator[RefusingVfs]:
    """Let the views go through a VFS that refuses when told to."""
    usual = sqlite._VFS
    vfs = RefusingVfs(fault)
    sqlite._VFS = "trueup-refusing"
    try:
        yield vfs
    finally:
        sqlite._VFS = usual
        vfs.unregister()


def _book(store: Store) -> tuple[list[int], StorageError | None]:
    """Book until the disk refuses; what was acknowledged, and the refusal."""
    acknowledged: list[int] = []
    for number in NUMBERS:
        try:
            store.ledger(ACCOUNT).book_facts(facts(ACCOUNT, number))
        except StorageError as failure:
            _require_told(failure)
            return acknowledged, failure
        acknowledged.append(number)
        store.step()
    return acknowledged, None


def _verdict(house: House, path: Path, acknowledged: Sequence[int], refused: StorageError | None) -> Verdict:
    """With the disk mended, everything acknowledged is there, and the directory is whole."""
    require_all(path, house.truth["closed"])
    store = store_at(path)
    ids = [event.venue_trade_id for _, event in store.ledger(ACCOUNT).events() if isinstance(event, FillBooked)]
    store.close()
    if len(ids) != len(set(ids)) or not {str(number) for number in acknowledged} <= set(ids):
        raise Failed(f"of {acknowledged} only {ids} is there")
    return "harmless" if refused is None else "refused"


def _require_told(failure: StorageError) -> None:
    if not failure.message or not failure.remedy:
        raise Failed(f"it does not say what to do: {failure!r}")
