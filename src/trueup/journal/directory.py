"""The data directory. What lives only here: where things are in it, its format version, and that one process owns it.

::

    format                 the version of this layout
    lock                   who owns the directory; the lock itself is the kernel's, on the directory, so that it dies
                           with its process and is not lost with a file
    views.sqlite3          the views, derived
    proven                 what a running store last proved of itself, a note for people
    ledgers/NAME/          the journal of one ledger, NAME quoted as in a URL
    heads/NAME             where that journal was known to reach: a witness apart from what it speaks for
"""

import fcntl
import os
import shlex
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote

import msgspec

from trueup.journal import format_file
from trueup.journal.disk import Disk, make_directory, write_whole
from trueup.journal.sqlite import MOUNTS, network_disk
from trueup.model.errors import BadInput, DirectoryLocked, StorageError
from trueup.model.identifiers import AccountId, parse_account
from trueup.model.times import format_time

_COMMAND_LENGTH_MAX = 200


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
            _refuse_unreadable(path)
            _refuse_network(path)
            if create and not (path / format_file.FILE).exists():  # it comes last: with it all names last
                path.parent.mkdir(parents=True, exist_ok=True)
                make_directory(disk, path)
            format_file.require(path, create=create)
            lock = _lock(path)
            try:
                _lay_out(disk, path)
            except BaseException:
                os.close(lock)
                raise
        except OSError as error:
            raise StorageError(
                f"{path} cannot be used as a data directory: {error}.",
                remedy="Name another with --data, or mend its permissions.",
            ) from error
        return cls(path, lock, disk)

    @staticmethod
    def mend(path: Path, disk: Disk | None = None) -> str:
        """Write the format of a directory again that cannot be opened for want of it; what was done, in a sentence."""
        path = path.expanduser().absolute()
        lock = _lock(path)
        try:
            return format_file.mend(path, disk or Disk())
        finally:
            os.close(lock)

    @property
    def views_path(self) -> Path:
        """The views database."""
        return self.path / "views.sqlite3"

    def ledger_path(self, ledger: AccountId) -> Path:
        """The directory of a ledger's journal, which may not be there yet."""
        return self.path / "ledgers" / _name(ledger)

    def head_path(self, ledger: AccountId) -> Path:
        """The saved head of a ledger's journal, which may not be there yet."""
        return self.path / "heads" / _name(ledger)

    def ledgers(self) -> list[AccountId]:
        """Every ledger that has a journal here, or had one, by name. What else lies about is none."""
        folders = [path.name for path in (self.path / "ledgers").glob("*") if path.is_dir()]
        heads = [path.name for path in (self.path / "heads").glob("*")]
        return sorted(ledger for name in {*folders, *heads} if (ledger := _named(name)) is not None)

    def close(self) -> None:
        """Let others have it."""
        if self._lock >= 0:
            with suppress(OSError):  # whose it was is only for people to read
                os.truncate(self.path / "lock", 0)
            os.close(self._lock)
            self._lock = -1


def _name(ledger: AccountId) -> str:
    """What the files of a ledger are called."""
    return quote(ledger, safe="")


def _named(name: str) -> AccountId | None:
    """Whose files are called so; None where nobody's are."""
    try:
        ledger = parse_account(unquote(name))
    except BadInput:
        return None
    return ledger if _name(ledger) == name else None


def _lock(path: Path) -> int:
    """The descriptor that holds the lock, with the owner written down beside it."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _write_owner(path / "lock")
    except BlockingIOError as error:
        os.close(directory)
        raise DirectoryLocked(
            f"{path} is in use{_owner(path / 'lock')}.",
            remedy="Stop that process, or ask it: one process at a time owns a data directory.",
        ) from error
    except OSError:
        os.close(directory)
        raise
    return directory


def _write_owner(path: Path) -> None:
    command = shlex.join(sys.argv).encode(errors="backslashreplace").decode()  # arguments may be any bytes
    owner = Owner(os.getpid(), socket.gethostname(), command[:_COMMAND_LENGTH_MAX])
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(file, 0)
        os.pwrite(file, msgspec.json.encode(owner), 0)
    finally:
        os.close(file)


def _owner(path: Path) -> str:
    """Who holds the lock and since when, as far as that is written down and can be read."""
    try:
        owner = msgspec.json.decode(path.read_bytes(), type=Owner)
        since = format_time(path.stat().st_mtime_ns)
    except (msgspec.DecodeError, OSError, UnicodeDecodeError):
        return " by a process that has not said who it is"
    return f" by process {owner.pid} on {owner.host} (`{owner.command}`) since {since}"


def _lay_out(disk: Disk, path: Path) -> None:
    """Make what is not there; the format comes last, and says that the rest was made."""
    for name in ("ledgers", "heads"):
        make_directory(disk, path / name)
    if not (path / format_file.FILE).exists():
        path.chmod(0o700)
        write_whole(disk, path / format_file.FILE, format_file.line())


def _refuse_unreadable(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError as error:  # which SQLite could not open
        raise StorageError(
            f"The name {str(path)!a} of a data directory is not UTF-8.", remedy="Give it another name."
        ) from error


def _refuse_network(path: Path) -> None:
    kind = network_disk(path.resolve(), MOUNTS.read_text(encoding="utf-8")) if MOUNTS.exists() else None
    if kind is not None:
        raise StorageError(
            f"{path} is on a network disk ({kind}), where locks and syncs cannot be relied on.",
            remedy="Keep the data directory on a local disk.",
        )
