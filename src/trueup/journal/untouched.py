"""A disk that only reads, for looking at a log that was verified: what opening it would write is left out."""

from pathlib import Path

from trueup.journal.disk import Disk

_NOWHERE = -1


class UntouchedDisk(Disk):
    """Reads another disk's files and changes none of them.

    Args:
        disk: The files.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def open(self, path: Path, *, create: bool = False) -> int:
        """A descriptor of a file that is there; of none, for one that would be made."""
        return _NOWHERE if create else self._disk.open(path)

    def read(self, file: int, size: int, offset: int) -> bytes:
        """As :meth:`Disk.read`."""
        return self._disk.read(file, size, offset)

    def close(self, file: int) -> None:
        """As :meth:`Disk.close`."""
        if file != _NOWHERE:
            self._disk.close(file)

    def write(self, file: int, data: bytes, offset: int) -> None:
        """Left out."""

    def sync(self, file: int) -> None:
        """Left out."""

    def rename(self, source: Path, target: Path) -> None:
        """Left out."""

    def unlink(self, path: Path) -> None:
        """Left out."""

    def make_directory(self, path: Path) -> None:
        """Left out."""

    def sync_directory(self, path: Path) -> None:
        """Left out."""
