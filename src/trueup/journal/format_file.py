"""The file that says what a directory is: its one line, and how damage is told from another version.

What lives only here: that line.
The line carries its own checksum: a flipped bit must neither pass for another version nor lock anybody out of his data.
"""

import re
from pathlib import Path
from zlib import crc32

from trueup.journal.disk import TEMPORARY, Disk, write_whole
from trueup.journal.segment_file import read_header
from trueup.model.errors import StorageError

FILE = "format"
VERSION = 1
_WORDS = "trueup data directory, format {version}"
_LINE = re.compile(rb"(trueup data directory, format \d+), crc32 ([0-9a-f]{8})\n")
_BEFORE_FORMAT = frozenset({"lock", "ledgers", "heads", FILE + TEMPORARY})  # what a crash while laying out may leave
_RECOVER = "If it is one, `trueup recover` writes it again; else name another with --data."


def line(version: int = VERSION) -> bytes:
    """What the file holds."""
    words = _WORDS.format(version=version).encode()
    return words + f", crc32 {crc32(words):08x}\n".encode()


def require(path: Path, *, create: bool) -> None:
    """Refuse a directory that is not ours or not of this version, before anything is written to it.

    Args:
        path: Of the directory.
        create: Whether an empty one will do.

    Raises:
        StorageError: It will not do; the remedy says what helps.
        OSError: It cannot be read.
    """
    found = _content(path)
    if found == line():
        return
    if found is not None and _is_whole(found):
        raise StorageError(
            f"{path / FILE} says {found.decode().strip()!r}, and this version reads format {VERSION}.",
            remedy="Open it with the version of trueup that wrote it.",
        )
    if found is not None:
        raise StorageError(f"{path / FILE} is damaged: it says {found[:80]!r}.", remedy=_RECOVER)
    if not create:
        raise StorageError(f"{path} is not a data directory of trueup: it has no file {FILE}.", remedy=_RECOVER)
    others = sorted(entry.name for entry in path.iterdir() if entry.name not in _BEFORE_FORMAT)
    if others:
        raise StorageError(
            f"{path} holds other things ({', '.join(others[:3])}) and has no file {FILE}.",
            remedy=f"Name an empty or a new directory with --data. {_RECOVER}",
        )


def mend(path: Path, disk: Disk) -> str:
    """Write a file that is damaged or gone again, where a segment proves that the directory is one of this version.

    Returns:
        What was done, in a sentence; empty when nothing was.
    """
    found = _content(path)
    if found is not None and _is_whole(found):
        return ""
    if all(read_header(disk, segment) is None for segment in path.glob("ledgers/*/*.seg")):
        return ""
    write_whole(disk, path / FILE, line())
    return f"{FILE}: the file was {'missing' if found is None else 'damaged'}; written again"


def _content(path: Path) -> bytes | None:
    file = path / FILE
    return file.read_bytes() if file.exists() else None


def _is_whole(content: bytes) -> bool:
    parts = _LINE.fullmatch(content)
    return parts is not None and parts[2] == f"{crc32(parts[1]):08x}".encode()
