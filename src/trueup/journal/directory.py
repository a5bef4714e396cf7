"""The data directory. What lives only here: where things are in it, its format version, and that one process owns it.

::

    format                 the version of this layout
    lock                   who owns the directory; the lock itself is the kernel's, so that it dies with its process
    views.sqlite3          the views, derived
    ledgers/NAME/          the journal of one ledger, NAME quoted as in a URL
"""

import fcntl
import os
import shlex
import socket
import sys
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote

import msgspec

from trueup.journal.disk import Disk, make_directory, write_whole
from trueup.journal.sqlite import network_disk
from trueup.model.errors import DirectoryLocked, StorageError
from trueup.model.identifiers import AccountId
from trueup.model.times import format_time

FORMAT = b"trueup data directory, format 1\n"
_COMMAND_LENGTH_MAX = 200
_BEFORE_FORMAT = frozenset({"lock", "ledgers", "format.tmp"})  # what a crash while laying out may leave


class Owner(msgspec.Struct, frozen=True):
    """Who holds the lock, as they wrote it down."""

    pid: int
    host: str
    command: str


class DataDirectory:
    """Implements :class:`trueup.ports.Directory`: a data directory that this process owns. Made by :meth:`open`."""

    def __init__(self, path: Path, lock: int, disk: Disk) -> None:
        self.path = path
        self.disk = disk
        self._lock = lock

    @classmethod
    def open(cls, path: Path, *, create: bool = True, disk: Disk | None = None) -> Self:
        """Own a data directory, making it where there is none.

        Raises:
            DirectoryLocked: Another process has it, or this one already; the message says who and since when.
            StorageError: Not a data directory, one of another version, one on a network disk, or no permission.
        """
        disk, path = disk or Disk(), path.expanduser().absolute()
        try:
            _refuse_network(path)
            if create:
                path.parent.mkdir(parents=True, exist_ok=True)
                make_directory(disk, path)
            _refuse_foreign(path, create=create)
            lock = _lock(path)
            if not (path / "format").exists():
                _lay_out(disk, path)
        except OSError as error:
            raise StorageError(
                f"{path} cannot be used as a data directory: {error}.",
                remedy="Name another with --data, or mend its permissions.",
            ) from error
        return cls(path, lock, disk)

    @property
    def views_path(self) -> Path:
        """The views database."""
        return self.path / "views.sqlite3"

    def ledger_path(self, ledger: AccountId) -> Path:
        """The directory of a ledger's journal, which may not be there yet."""
        return self.path / "ledgers" / quote(ledger, safe="")

    def ledgers(self) -> list[AccountId]:
        """Every ledger that has a journal here, by name."""
        folders = (self.path / "ledgers").iterdir()
        return sorted(AccountId(unquote(path.name)) for path in folders if path.is_dir())

    def close(self) -> None:
        """Let others have it."""
        if self._lock >= 0:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = -1


def _lock(path: Path) -> int:
    """The descriptor that holds the lock."""
    file = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        message = f"{path} is in use{_owner(file)}."
        os.close(file)
        raise DirectoryLocked(
            message, remedy="Stop that process, or ask it: one process at a time owns a data directory."
        ) from error
    owner = Owner(os.getpid(), socket.gethostname(), shlex.join(sys.argv)[:_COMMAND_LENGTH_MAX])
    os.ftruncate(file, 0)
    os.pwrite(file, msgspec.json.encode(owner), 0)
    return file


def _owner(file: int) -> str:
    """Who holds the lock and since when, as far as they have written it down yet."""
    try:
        owner = msgspec.json.decode(os.pread(file, 4096, 0), type=Owner)
    except msgspec.DecodeError:
        return " by a process that has just begun"
    since = format_time(os.fstat(file).st_mtime_ns)
    return f" by process {owner.pid} on {owner.host} (`{owner.command}`) since {since}"


def _refuse_foreign(path: Path, *, create: bool) -> None:
    """Refuse what is not ours or not of this version, before anything is written to it."""
    file = path / "format"
    if file.exists():
        found = file.read_bytes()
        if found != FORMAT:
            raise StorageError(
                f"{path} has the format {found[:80]!r}, and this version reads {FORMAT!r}.",
                remedy="Open it with the version of trueup that wrote it.",
            )
        return
    if not create:
        raise StorageError(f"{path} is not a data directory of trueup.", remedy="Name another with --data.")
    foreign = sorted(entry.name for entry in path.iterdir() if entry.name not in _BEFORE_FORMAT)
    if foreign:
        raise StorageError(
            f"{path} holds other things ({', '.join(foreign[:3])}) and is not a data directory of trueup.",
            remedy="Name an empty or a new directory with --data.",
        )


def _lay_out(disk: Disk, path: Path) -> None:
    path.chmod(0o700)
    make_directory(disk, path / "ledgers")
    write_whole(disk, path / "format", FORMAT)


def _refuse_network(path: Path) -> None:
    mounts = Path("/proc/mounts")
    kind = network_disk(path.resolve(), mounts.read_text(encoding="utf-8")) if mounts.exists() else None
    if kind is not None:
        raise StorageError(
            f"{path} is on a network disk ({kind}), where locks and syncs cannot be relied on.",
            remedy="Keep the data directory on a local disk.",
        )
