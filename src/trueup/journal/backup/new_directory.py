"""A data directory in the making. What lives only here: that nobody sees it before it is whole.

It is made beside its place under another name and takes its place in one step. A crash leaves nothing there, and what
it leaves beside it is cleared away by the next attempt. Frames are written as if a log that lost all of them were
healed: byte for byte, each proved, in segments as the log had them.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from trueup.journal.directory import DataDirectory
from trueup.journal.disk import Disk
from trueup.journal.embedded import EmbeddedStorage
from trueup.journal.recovery import Copies
from trueup.journal.segment_file import SEGMENT_BYTES
from trueup.journal.segments import SegmentJournal
from trueup.model.errors import BadInput, StorageError
from trueup.model.identifiers import AccountId
from trueup.ports import Head

BESIDE = ".restoring"
"""Ends the name under which it is made."""

_ON_IT = "Name a directory on that disk, which is not there yet."


class NewDirectory:
    """Made by :meth:`begin`, ended by :meth:`publish` or :meth:`discard`.

    Attributes:
        storage: The directory as a storage, owned by this process.
    """

    def __init__(self, path: Path, storage: EmbeddedStorage, disk: Disk) -> None:
        self.path = path
        self.storage = storage
        self._disk = disk

    @classmethod
    def begin(cls, path: Path, disk: Disk | None = None, *, apart_from: Sequence[Path] = ()) -> Self:
        """Begin a directory that will stand at ``path``, or where that points to.

        Args:
            path: The place.
            disk: The files.
            apart_from: Directories that are not for it, nor anything in them.

        Raises:
            BadInput: Something is there already, or it is no place that a directory can be moved to.
            DirectoryLocked: Another process is making it.
            StorageError: The disk refused.
        """
        disk, path = disk or Disk(), path.expanduser().resolve()
        for other in apart_from:
            refuse_inside("to", path, other)
        _refuse_taken(path)
        beside = path.with_name(path.name + BESIDE)
        if beside.exists():
            left = DataDirectory.open(beside, disk=disk)  # which refuses what is in use, or is not one of ours
            shutil.rmtree(beside)
            left.close()
        return cls(path, EmbeddedStorage.open(beside, disk=disk, segment_bytes=SEGMENT_BYTES), disk)

    def write_log(self, account: AccountId, frames: Copies, head: Head) -> None:
        """Write a ledger's log up to a head.

        Raises:
            JournalDamaged: The frames do not lead there.
            StorageError: Reading or writing them failed.
        """
        directory = self.storage.directory
        SegmentJournal.open(
            directory.ledger_path(account),
            account,
            copies=frames,
            at_least=head,
            head_file=directory.head_path(account),
            segment_bytes=SEGMENT_BYTES,
            disk=self._disk,
            background=False,
        )[0].close()

    def publish(self) -> None:
        """Put the directory in its place. Raises :class:`StorageError`; then it is still beside it."""
        self.storage.close()
        try:
            self._disk.rename(self.storage.directory.path, self.path)
            self._disk.sync_directory(self.path.parent)
        except OSError as error:
            raise StorageError(
                f"{self.storage.directory.path} could not be renamed to {self.path}: {error}.",
                remedy="Mend the disk (space, permissions, hardware) and restore again.",
            ) from error

    def discard(self) -> None:
        """Leave nothing behind."""
        self.storage.close()
        shutil.rmtree(self.storage.directory.path, ignore_errors=True)


def refuse_inside(field: str, path: Path, other: Path) -> None:
    """Refuse a place in a directory that is to hold nothing but its own. Raises :class:`BadInput`."""
    if path.expanduser().resolve().is_relative_to(other.expanduser().resolve()):
        raise BadInput(field, str(path), f"it lies in {other}, which is to stay as it is", remedy="Name a place apart.")


def _refuse_taken(path: Path) -> None:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise BadInput(
            "to",
            str(path),
            "there is something already, and a restore never writes over anything",
            remedy="Name a new or an empty directory; move the old one away if the new one shall take its place.",
        )
    if path.is_mount():
        raise BadInput(
            "to", str(path), "a disk is mounted there, and a directory cannot be moved to that name", remedy=_ON_IT
        )
