"""The files of a views database as one thing: the database, its write-ahead log, and SQLite's index of that."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

from trueup.journal.disk import Disk

_PARTS = ("", "-wal", "-shm")
"""In the order in which they go: a log without its file is not used, a file without its log would be."""


def named(path: Path, suffix: str) -> Path:
    """A name that begins as another."""
    return path.with_name(path.name + suffix)


def last_copy(path: Path) -> Path:
    """A name that no last copy has yet."""
    return next(free for n in count(1) if not (free := named(path, f".last-copy-{n}")).exists())


def remove(disk: Disk, path: Path) -> None:
    """Delete a database. Raises :class:`OSError`."""
    for part in _PARTS:
        disk.unlink(named(path, part))


def set_aside(disk: Disk, path: Path, target: Path) -> None:
    """Give a database another name, durably. Raises :class:`OSError`, with some of it moved."""
    _move(disk, path, target, _PARTS)


def put_back(disk: Disk, target: Path, path: Path) -> None:
    """Undo what was done of :func:`set_aside`. Raises :class:`OSError`."""
    _move(disk, target, path, _PARTS[::-1])


def _move(disk: Disk, source: Path, target: Path, parts: Sequence[str]) -> None:
    for part in parts:
        if named(source, part).exists():
            disk.rename(named(source, part), named(target, part))
            disk.sync_directory(target.parent)  # so that they go in this order whatever the file system does
