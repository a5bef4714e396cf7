"""The operating system as the journal uses it. What lives only here: every call that changes a file of the journal.

One small class, so that a test can put a disk in its place that fails, fills up or loses power
(:class:`trueup.testing.disk.FaultyDisk`). Nothing is retried here: after a failed sync the kernel may have dropped what
it could not write, so that a second sync would report success for data that are gone.
"""

import contextlib
import errno
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

ZEROS = bytes(1 << 20)


class Disk:
    """Files by descriptor, opened for reading and writing."""

    def open(self, path: Path, *, create: bool = False) -> int:
        """A descriptor of the file; with ``create`` a new, empty one that only its owner may read."""
        flags = os.O_RDWR | os.O_CLOEXEC
        return os.open(path, flags | os.O_CREAT | os.O_TRUNC if create else flags, 0o600)

    def write(self, file: int, data: bytes, offset: int) -> None:
        """Write all of ``data`` in one call; a short write is an error like any other."""
        written = os.pwrite(file, data, offset)
        if written != len(data):
            raise OSError(errno.ENOSPC, f"only {written} of {len(data)} bytes were written")

    def sync(self, file: int) -> None:
        """Return when the file's bytes are on the medium, not only in the kernel or the drive's cache."""
        if sys.platform == "darwin":
            fcntl.fcntl(file, fcntl.F_FULLFSYNC)
        else:
            os.fdatasync(file)

    def read(self, file: int, size: int, offset: int) -> bytes:
        """Up to ``size`` bytes; fewer only at the end of the file."""
        return os.pread(file, size, offset)

    def rename(self, source: Path, target: Path) -> None:
        """Put ``source`` in the place of ``target`` in one step; durable after :meth:`sync_directory`."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Delete a file, if it is there; durable after :meth:`sync_directory`."""
        path.unlink(missing_ok=True)

    def make_directory(self, path: Path) -> None:
        """Make a directory that only its owner may enter; durable after :meth:`sync_directory` of its parent."""
        path.mkdir(mode=0o700)

    def sync_directory(self, path: Path) -> None:
        """Return when the names in a directory are on the medium."""
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def same(self, file: int, path: Path) -> bool:
        """Whether a name still stands for the open file: it may have been deleted, or another put in its place."""
        here, there = os.fstat(file), path.stat() if path.exists() else None
        return there is not None and (here.st_ino, here.st_dev) == (there.st_ino, there.st_dev)

    def close(self, file: int) -> None:
        """Release a descriptor."""
        os.close(file)


@contextlib.contextmanager
def opened(disk: Disk, path: Path, *, create: bool = False) -> Iterator[int]:
    """A descriptor for one block of work."""
    file = disk.open(path, create=create)
    try:
        yield file
    finally:
        disk.close(file)


def write_zeros(disk: Disk, file: int, start: int, end: int) -> None:
    """Really write zeros from ``start`` to before ``end``: blocks that are only reserved cost metadata on each sync."""
    for offset in range(start, end, len(ZEROS)):
        disk.write(file, ZEROS[: end - offset], offset)


def write_whole(disk: Disk, path: Path, data: bytes) -> None:
    """Put a file in its place whole: a crash leaves the old one or the new one, never half of one."""
    temporary = unfinished(path)
    with opened(disk, temporary, create=True) as file:
        disk.write(file, data, 0)
        disk.sync(file)
    disk.rename(temporary, path)
    disk.sync_directory(path.parent)


def write_again(disk: Disk, path: Path) -> None:
    """Make a file durable as it reads now: after a failed sync the kernel may hold for written what no disk has.

    What is read once more later may be what the disk has; what was written again is what was read.
    """
    with opened(disk, path) as file:
        for offset in range(0, path.stat().st_size, len(ZEROS)):
            disk.write(file, disk.read(file, len(ZEROS), offset), offset)
        disk.sync(file)


def unfinished(path: Path) -> Path:
    """Where a file is written before it takes its place."""
    return path.with_name(path.name + TEMPORARY)


def make_directory(disk: Disk, path: Path) -> None:
    """Make a directory that only its owner may enter, unless it is there. Its name lasts when this returns.

    One that is there may have been made by a process that died before it could sync the name.
    """
    if not path.is_dir():
        disk.make_directory(path)
    disk.sync_directory(path.parent)


TEMPORARY = ".~tmp"
"""Ends the names of files that are not finished: whoever finds one after a crash deletes it. No account ends so."""


def delete_temporaries(disk: Disk, directory: Path) -> None:
    """Delete what a crash left unfinished."""
    for path in sorted(directory.glob("*" + TEMPORARY)):
        disk.unlink(path)
