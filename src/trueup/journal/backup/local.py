"""A destination that is a directory of this machine, best on another disk. What lives only here: how a blob gets there.

It is written under another name, synced, given its name in one step, and then the name is synced: a crash leaves the
blob whole or leaves none. What an interrupted put left behind is not listed, and goes with a later put beside it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from typing import Self

from trueup.journal.backup.destination import Blob
from trueup.journal.disk import TEMPORARY, Disk, make_directory, unfinished, write_whole
from trueup.model.errors import BackupFailed, BadInput, NotFound
from trueup.model.times import NS_PER_SECOND

FOLDERS = ("ledgers", "manifests", "proofs")
"""All that stands in a backup directory; one that holds other things is not written to."""

UNFINISHED_NS = 3_600 * NS_PER_SECOND
"""Age at which a file that is not finished never will be."""


class LocalDestination:
    """Implements :class:`trueup.journal.backup.destination.Destination`. Made by :meth:`open`."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self._disk = disk
        self._sure = {path}
        self._cleared: set[Path] = set()

    @classmethod
    def open(
        cls, path: Path, *, create: bool = False, apart_from: Path | None = None, disk: Disk | None = None
    ) -> Self:
        """Use a directory that holds backups.

        Args:
            path: The directory.
            create: Make it where there is none. The directory above must be there: where it is not, a disk may not be
                mounted, and backups would pile up on the one that they are to outlive.
            apart_from: The data directory that is backed up.
            disk: The files.

        Raises:
            BadInput: It lies within the data directory, or the other way round.
            NotFound: There is no backup directory at this place.
            BackupFailed: It holds other things, or the disk refused.
        """
        path = path.expanduser().absolute()
        if apart_from is not None:
            refuse_within(path, apart_from)
        found = cls(path, disk or Disk())
        with _told(path):
            found._begin(create=create)
        return found

    def shares_disk_with(self, other: Path) -> bool:
        """Whether it would be lost with the disk that another directory is on."""
        return self.path.stat().st_dev == other.stat().st_dev

    def put(self, name: str, data: bytes) -> None:
        """Write a blob whole and sync it."""
        path = self._place(name)
        with _told(path):
            self._make_folders(path.parent)
            try:
                write_whole(self._disk, path, data)
            except OSError:
                with suppress(OSError):  # a full disk is not to be filled with halves
                    self._disk.unlink(unfinished(path))
                raise
            if path.parent not in self._cleared:
                self._clear(path)

    def get(self, name: str) -> bytes:
        """Read a blob."""
        path = self._place(name)
        with _told(path):
            try:
                return path.read_bytes()  # not through a descriptor for writing: a backup may be mounted read-only
            except FileNotFoundError:
                raise NotFound(
                    f"The backup directory {self.path} has no {name}.",
                    remedy="See what there is: `trueup backup list`.",
                ) from None

    def blobs(self, prefix: str = "") -> Sequence[Blob]:
        """Every blob whose name begins with a prefix, by name."""
        folder = self.path / prefix.rpartition("/")[0]
        found = []
        with _told(folder):
            for path in folder.rglob("*"):
                name = path.relative_to(self.path).as_posix()
                if name.startswith(prefix) and path.suffix != TEMPORARY:
                    with suppress(FileNotFoundError):  # somebody has deleted it just now
                        status = path.stat()
                        if S_ISREG(status.st_mode):
                            found.append(Blob(name, status.st_size, status.st_mtime_ns))
        return sorted(found, key=lambda blob: blob.name)

    def delete(self, name: str) -> None:
        """Delete a blob, if it is there."""
        path = self._place(name)
        with _told(path):
            if path.exists():
                self._disk.unlink(path)  # which does not mind if somebody was quicker
                self._disk.sync_directory(path.parent)

    def _begin(self, *, create: bool) -> None:
        path = self.path
        if create and not path.exists() and path.parent.is_dir():
            make_directory(self._disk, path)
        if not path.is_dir():
            unmounted = "" if path.parent.is_dir() else f" (nor a directory {path.parent}: is the disk mounted?)"
            raise NotFound(f"There is no backup directory at {path}{unmounted}.", remedy="Name another directory.")
        entries = {entry.name for entry in path.iterdir()}
        others = sorted(entries - {*FOLDERS, "lost+found"})
        if others or not (create or entries):
            held = f"holds other things ({', '.join(others[:3])})" if others else "is empty"
            raise BackupFailed(f"{path} {held} and is no backup directory.", remedy="Name another directory.")

    def _make_folders(self, folder: Path) -> None:
        """Folders with durable names: one that is there may have been made by a process that died before its sync."""
        if folder not in self._sure:
            self._make_folders(folder.parent)
            make_directory(self._disk, folder)
            self._disk.sync_directory(folder.parent)
            self._sure.add(folder)

    def _clear(self, put: Path) -> None:
        """Delete what was left unfinished in the folder of a blob long before it: no put takes that long."""
        newest = put.stat().st_mtime_ns - UNFINISHED_NS
        for left in put.parent.glob(f"*{TEMPORARY}"):
            with suppress(FileNotFoundError):
                if left.stat().st_mtime_ns < newest:
                    self._disk.unlink(left)
        self._cleared.add(put.parent)

    def _place(self, name: str) -> Path:
        if not all(part.strip(".") for part in name.split("/")):
            raise BadInput("name", name, "not the name of a blob", remedy="Use parts that are no dots, with / between.")
        return self.path / name


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """An error of the system as what it means for backups."""
    try:
        yield
    except OSError as error:
        raise BackupFailed(
            f"The backup directory refused at {path}: {error}.",
            remedy="Mend the disk (mounted, space, permissions, hardware). The journal is not affected.",
        ) from error


def refuse_within(path: Path, data: Path) -> None:
    """Refuse a backup directory and a data directory of which one holds the other. Raises :class:`BadInput`."""
    ours, theirs = path.resolve(), data.expanduser().resolve()
    if ours.is_relative_to(theirs) or theirs.is_relative_to(ours):
        raise BadInput(
            "backup",
            str(path),
            f"the backup directory and the data directory {data} lie within one another",
            remedy="Name a directory apart from it, best on another disk.",
        )
