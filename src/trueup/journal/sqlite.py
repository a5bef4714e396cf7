"""The one way SQLite is opened: only versions, settings, page checksums and disks that are known to keep data whole.

Every setting is read back and compared, because SQLite ignores what it does not know. Pages of the file carry checksums
(the ``cksumvfs`` extension that comes with apsw), so a flipped bit is an error on reading, never a wrong answer. Frames
of the write-ahead log carry SQLite's own, which are verified when a log is found after a crash; while the database is
open they are not, and there the comparison of memory with the database stands guard. Errors of SQLite leave this
package as :class:`ViewsFailed` with a remedy.

After each commit the log is copied into the file here where it has grown long: SQLite's own automatic checkpoint keeps
a failed sync to itself, and copies at the next commit what the disk may not have.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from urllib.parse import quote

import apsw
import apsw.sqlite_extra

from trueup.model.errors import ViewsFailed

VERSION_MIN = (3, 51, 3)
"""The first release without the WAL-reset bug, which could lose committed pages (https://sqlite.org/wal.html)."""

VERSIONS_WITHDRAWN = frozenset({(3, 52, 0)})
"""Releases that SQLite's makers took back."""

REBUILD = "Run `trueup views rebuild`; the journal is not affected."

BUSY_MS_MAX = 5_000
"""How long to wait for a lock of another program, such as somebody's SQL prompt in a write transaction."""

LOG_PAGES_MAX = 4_000
"""Length of the log at which it is copied into the file: pages that change often are copied once for many commits."""

MOUNTS = Path("/proc/mounts")
"""Where Linux says what kind of file system is mounted where."""

_CHECKSUM_BYTES = 8
_VFS = "cksmvfs"
_VFS_LOCK = Lock()

_EVERYWHERE: dict[str, int | str] = {
    "busy_timeout": BUSY_MS_MAX,
    "foreign_keys": 1,
    "trusted_schema": 0,
    "cell_size_check": 1,
    "mmap_size": 0,  # pages must pass through the checksums
    "temp_store": 2,  # in memory: temporary files would carry none
    "cache_size": -16_384,  # KiB
}

_WRITER: dict[str, int | str] = {
    "journal_mode": "wal",
    # NORMAL: a power loss may take the last transactions, never the order of them. The views are derived and catch up
    # from the journal, whose own sync must not wait for a second one of ours.
    "synchronous": 1,
    "journal_size_limit": 64 * 1024 * 1024,
}

_NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "davfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4"}
    | {"ocfs2", "orangefs", "smb2", "smb3", "smbfs"}
    | {f"fuse.{kind}" for kind in ("ceph", "davfs2", "gcsfuse", "glusterfs", "rclone", "s3fs", "sshfs")}
)


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turns errors of SQLite and of the file system into :class:`ViewsFailed`."""
    try:
        yield
    except apsw.IOError as error:
        code: int = error.extendedresult  # type: ignore[attr-defined]  # there at run time, missing in apsw's stubs
        told = "a page fails its checksum" if code == apsw.SQLITE_IOERR_DATA else str(error)
        raise ViewsFailed(f"{path}: {told}.", remedy=REBUILD) from error
    except (apsw.Error, OSError) as error:
        raise ViewsFailed(f"{path}: {error}.", remedy=_remedy(error)) from error


def open_writer(path: Path) -> apsw.Connection:
    """The connection that writes; makes the database when there is none. It keeps its log when it is closed.

    Raises:
        ViewsFailed: A version with a known fault, a network disk, a setting that did not take, or a damaged file.
    """
    check_version(apsw.sqlite_lib_version())
    _check_disk(path)
    _load_checksums()
    with refusing(path):
        db = apsw.Connection(str(path), vfs=_VFS)
        try:
            keep_log(db, keep=True)
            db.reserve_bytes("main", _CHECKSUM_BYTES)  # before the first page; without effect on one that exists
            _set(db, path, _EVERYWHERE | _WRITER)
            _harden(db)
            db.set_wal_hook(_copy_when_long)
        except BaseException:
            db.close(force=True)
            raise
    return db


def open_reader(path: Path) -> apsw.Connection:
    """A connection that only reads a database that :func:`open_writer` has open."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, vfs=_VFS)
    try:
        _set(db, path, _EVERYWHERE)
        _harden(db)
        require_checksums(db, path)
    except BaseException:
        db.close(force=True)
        raise
    return db


def keep_log(db: apsw.Connection, *, keep: bool) -> None:
    """Whether the last connection to close leaves the log as it is, or copies it into the file and removes it.

    A log that a crash has left is kept until it is known to be whole: copying a damaged one destroys the evidence.
    """
    db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(keep))


def failed_sync(error: BaseException | None) -> bool:
    """Whether an error says that the disk did not take what was written, so that the next sync says nothing."""
    return isinstance(error, apsw.IOError) and error.extendedresult == apsw.SQLITE_IOERR_FSYNC  # type: ignore[attr-defined]  # there at run time, missing in apsw's stubs


def open_without_log(path: Path) -> apsw.Connection:
    """The database file by itself, as if it had no write-ahead log; for comparing the two."""
    _load_checksums()
    name = f"file:{quote(str(path.absolute()))}?immutable=1"
    return apsw.Connection(name, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI, vfs=_VFS)


def require_checksums(db: apsw.Connection, path: Path) -> None:
    """Refuses to go on when pages are not verified: the byte of the file's head that says so may itself be damaged."""
    if db.pragma("checksum_verification") != "1":
        raise ViewsFailed(f"{path}: its pages carry no checksums.", remedy=REBUILD)


def check_version(version: str) -> None:
    """Refuses a SQLite with known corruption bugs; raises :class:`ViewsFailed`."""
    numbers = tuple(int(part) for part in version.split(".")[:3])
    if numbers < VERSION_MIN or numbers in VERSIONS_WITHDRAWN:
        least = ".".join(map(str, VERSION_MIN))
        raise ViewsFailed(
            f"SQLite {version} has known faults that can damage a database.",
            remedy=f"Install an apsw that brings SQLite {least} or later.",
        )


def network_disk(path: Path, mounts: str) -> str | None:
    """The type of the network file system that holds a path, or None when it is a local one.

    Args:
        path: An absolute path without symbolic links.
        mounts: The text of ``/proc/mounts``.
    """
    best, kind = Path("/"), ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        point = Path(fields[1].encode().decode("unicode_escape"))  # spaces are written \040
        if path.is_relative_to(point) and len(point.parts) >= len(best.parts):
            best, kind = point, fields[2]  # a later mount covers an earlier one
    return kind if kind in _NETWORK else None


def _copy_when_long(db: apsw.Connection, name: str, pages: int) -> int:
    """Called after each commit with the length of the log; an error becomes that of the commit, which is in the log."""
    if pages >= LOG_PAGES_MAX:
        with suppress(apsw.BusyError):  # another program does it
            db.wal_checkpoint(name)
    return apsw.SQLITE_OK


def _check_disk(path: Path) -> None:
    try:
        mounts = MOUNTS.read_text(encoding="utf-8")
    except FileNotFoundError:  # systems that list their mounts in another way: macOS, the BSDs
        return
    kind = network_disk(path.parent.resolve(), mounts)
    if kind is not None:
        raise ViewsFailed(
            f"{path} is on a network disk ({kind}), where SQLite's locks and shared memory do not hold.",
            remedy="Keep the data directory on a local disk.",
        )


def _load_checksums() -> None:
    with _VFS_LOCK:
        if _VFS in apsw.vfs_names():
            return
        default = apsw.vfs_names()[0]
        try:
            with_extension = apsw.Connection(":memory:")
            apsw.sqlite_extra.load(with_extension, "cksumvfs")
            with_extension.close()
        except (apsw.sqlite_extra.NotAvailable, apsw.ExtensionLoadingError) as error:
            raise ViewsFailed(
                f"This apsw brings no page checksums ({error}).",
                remedy="Install apsw from its binary wheel, which brings the cksumvfs extension.",
            ) from error
        apsw.set_default_vfs(default)  # it makes itself the default of the process, which is not ours to change


def _set(db: apsw.Connection, path: Path, settings: Mapping[str, int | str]) -> None:
    for name, wanted in settings.items():
        db.pragma(name, wanted)
        found = db.pragma(name)
        if found != wanted:
            raise ViewsFailed(
                f"{path}: SQLite's {name} is {found!r} instead of {wanted!r}.",
                remedy="Use apsw's binary wheel and a local disk.",
            )


def _harden(db: apsw.Connection) -> None:
    for option in (apsw.SQLITE_DBCONFIG_DQS_DML, apsw.SQLITE_DBCONFIG_DQS_DDL):
        db.config(option, 0)  # "text" is a name, so a misspelt column is an error
    db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)


def _remedy(error: Exception) -> str:
    if isinstance(error, apsw.FullError):
        return "Free space on the disk; nothing is lost, and the views catch up from the journal."
    if isinstance(error, apsw.BusyError):
        return "Close the other program that writes to this file."
    return REBUILD
