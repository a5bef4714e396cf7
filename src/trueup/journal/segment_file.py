"""One segment file. What lives only here: its name, its header, how it is made, and how frames are read from it.

A segment is a file of fixed size, filled with zeros when it is made, so that appending changes no metadata and what was
never written reads as zero. Its first block is a header that says where in the ledger it stands; frames follow without
gaps, and where the next one does not fit the rest stays zero. The header can be derived from the frames before it, so
a damaged one is mended without a copy.
"""

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from threading import Thread
from types import TracebackType
from typing import Self

import msgspec

from trueup.journal.disk import TEMPORARY, Disk, opened, write_zeros
from trueup.journal.frame import HASH_BYTES, HEADER_BYTES, MAGIC, Flaw, Outline, outline, size_at, stands_whole, unpack
from trueup.model.errors import JournalDamaged
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Frame, Hash, Head

BLOCK = 4096
"""Size of the segment header, a page of its own: writing frames never rewrites it."""

SECTOR = 512
"""What a drive writes whole or not at all."""

CUT = 16
"""Zeros at the end of a sector by which a write that was cut short is known: a frame's own are fewer in a row, but for
the hash before the first frame, which stands elsewhere, and for what a quarantined row may hold."""

SEGMENT_BYTES = 16 << 20
"""Size of a segment unless told otherwise: some 100,000 fills, zeroed in a few milliseconds."""

_MAGIC = b"TRUEUPSG"
_VERSION = 1
_FIELDS = Struct("<8sIQQQQ32sH")
_CHUNK = 4 << 20
_SPARE_SECONDS_MAX = 60


class SegmentHeader(msgspec.Struct, frozen=True):
    """Where a segment stands in its ledger.

    Attributes:
        number: From 1.
        size: Bytes of the file, header included.
        base: Offset in the ledger's log of the file's first byte: the sizes of all segments before it.
        first: Seq of the first event in it.
        previous: Hash of the last frame before it.
    """

    ledger: AccountId
    number: int
    size: int
    base: int
    first: Seq
    previous: Hash

    def follows(self, head: Head) -> bool:
        """Whether the first frame of this segment is the one after ``head``."""
        return self.first == head.seq + 1 and self.previous == head.hash

    def pack(self) -> bytes:
        """The header block, with its checksum."""
        name = self.ledger.encode()
        fields = _FIELDS.pack(_MAGIC, _VERSION, self.number, self.size, self.base, self.first, self.previous, len(name))
        return _sealed(fields + name)


def unpack_header(block: bytes) -> SegmentHeader | None:
    """The header in a block; None where it is damaged or absent."""
    if len(block) < BLOCK or not block.startswith(_MAGIC):
        return None
    _, version, number, size, base, first, previous, length = _FIELDS.unpack_from(block)
    end = _FIELDS.size + length
    if version != _VERSION or end > BLOCK - HASH_BYTES or _sealed(block[:end]) != block[:BLOCK]:
        return None
    ledger = AccountId(block[_FIELDS.size : end].decode())
    return SegmentHeader(ledger, number, size, base, Seq(first), Hash(previous))


def _sealed(content: bytes) -> bytes:
    return content.ljust(BLOCK - HASH_BYTES, b"\0") + blake2b(content, digest_size=HASH_BYTES).digest()


class Segment(msgspec.Struct, frozen=True):
    """A segment file and its header, which was verified."""

    path: Path
    header: SegmentHeader

    def log_offset(self, offset: int) -> int:
        """The offset in the ledger's log of an offset in this file."""
        return self.header.base + offset


class Mark(msgspec.Struct, frozen=True):
    """A known frame: where it starts, and the seq and hash it ends the chain with. Reading can begin behind it."""

    segment: int
    offset: int
    seq: Seq
    hash: Hash


def segment_path(directory: Path, number: int) -> Path:
    """The file of a segment."""
    return directory / f"{number:08d}.seg"


def segment_numbers(directory: Path) -> list[int]:
    """Numbers of the segment files that are there, ascending."""
    return sorted(int(path.stem) for path in directory.glob("*.seg") if path.stem.isdecimal())


def read_header(disk: Disk, path: Path) -> SegmentHeader | None:
    """The header of a segment file; None where file or header is absent or damaged."""
    if not path.exists():
        return None
    with opened(disk, path) as file:
        return unpack_header(disk.read(file, BLOCK, 0))


class Spare:
    """The next segment's file, zeroed in the background so that a rollover does not wait for it.

    Args:
        disk: The files.
        directory: Of the ledger.
        size: Of the segment.
        background: Whether a thread prepares it; else the caller of :meth:`prepare` does.
    """

    def __init__(self, disk: Disk, directory: Path, size: int, *, background: bool = True) -> None:
        self._disk = disk
        self._background = background
        self._size = size
        self._path = directory / f"spare{TEMPORARY}"
        self._thread: Thread | None = None
        self._begun = False
        self._ready = False

    def prepare(self) -> None:
        """Begin, unless begun already."""
        if self._begun:
            return
        self._begun = True
        if not self._background:
            self._make()
        else:
            self._thread = Thread(target=self._make, name="trueup-spare-segment", daemon=True)
            self._thread.start()

    def install(self, directory: Path, header: SegmentHeader) -> Segment:
        """Give the spare file, or a new one, its header and its name, durably.

        Raises:
            OSError: The disk refused.
        """
        self._finish()
        if not (self._ready and header.size == self._size):
            _make_zeroed(self._disk, self._path, header.size)
        self._thread, self._begun, self._ready = None, False, False
        with opened(self._disk, self._path) as file:
            self._disk.write(file, header.pack(), 0)
            self._disk.sync(file)
        path = segment_path(directory, header.number)
        self._disk.rename(self._path, path)
        self._disk.sync_directory(directory)
        return Segment(path, header)

    def discard(self) -> None:
        """Delete what was prepared."""
        self._finish()
        self._disk.unlink(self._path)

    def _make(self) -> None:
        try:
            _make_zeroed(self._disk, self._path, self._size)
        except OSError:
            return  # install() makes the file again, where the writer can be told of a failure
        self._ready = True

    def _finish(self) -> None:
        if self._thread is not None:
            self._thread.join(timeout=_SPARE_SECONDS_MAX)
            if self._thread.is_alive():
                msg = f"the disk did not finish {self._path} within {_SPARE_SECONDS_MAX} s"
                raise TimeoutError(msg)


def _make_zeroed(disk: Disk, path: Path, size: int) -> None:
    with opened(disk, path, create=True) as file:
        write_zeros(disk, file, 0, size)
        disk.sync(file)


class SegmentReader:
    """Reads verified frames from one segment, a few megabytes at a time. A context manager."""

    def __init__(self, disk: Disk, segment: Segment) -> None:
        self._disk = disk
        self._segment = segment
        self._file = self._opened()
        self._start = 0
        self._window = memoryview(b"")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._disk.close(self._file)

    def frame_at(self, offset: int) -> Frame | Flaw:
        """The frame at an offset of the file, or why there is none."""
        self._cover(offset, HEADER_BYTES)
        size = size_at(self._window, offset - self._start)
        if size is not None:
            self._cover(offset, min(size, self._segment.header.size - offset))
        return unpack(self._window, offset - self._start, self._segment.header.ledger)

    def outline_at(self, offset: int) -> Outline | None:
        """What the header at an offset claims; None where there is none."""
        self._cover(offset, HEADER_BYTES)
        return outline(self._window, offset - self._start)

    def written(self, offset: int) -> list[tuple[int, int]]:
        """Stretches (start, end) from ``offset`` to the end of the segment that hold anything but zeros."""
        found = []
        for start, chunk in self._chunks(offset):
            if chunk.count(0) != len(chunk):
                found.append((start, start + len(chunk)))
        return found

    def frame_behind(self, offset: int) -> Frame | None:
        """A valid frame at or behind a damaged place that says that the place was synced when it was written."""
        here = self._segment.log_offset(offset)
        rest = b"".join(chunk for _, chunk in self._chunks(offset))
        place = rest.find(MAGIC)
        while place >= 0:
            frame = unpack(memoryview(rest), place, self._segment.header.ledger)
            if isinstance(frame, Frame) and frame.synced >= here:
                return frame
            place = rest.find(MAGIC, place + 1)
        return None

    def stands_whole(self, offset: int) -> bool:
        """Whether all of a frame was written at a damaged place.

        A write that was cut short leaves the end of some sector as the zeros that stood there, even where it was the
        second of the same frame and what the first had put into other sectors stands behind it.
        """
        written = b"".join(chunk for _, chunk in self._chunks(offset)).rstrip(b"\0")
        ends = range(SECTOR - offset % SECTOR, len(written), SECTOR)
        torn = any(not any(written[max(0, end - CUT) : end]) for end in ends)
        return not torn and stands_whole(written, self._segment.header.ledger)

    def _chunks(self, offset: int) -> Iterator[tuple[int, bytes]]:
        for start in range(offset, self._segment.header.size, _CHUNK):
            yield start, self._read(min(_CHUNK, self._segment.header.size - start), start)

    def _cover(self, offset: int, size: int) -> None:
        end = self._start + len(self._window)
        if offset < self._start or offset + size > end:
            room = self._segment.header.size - offset
            self._start = offset
            self._window = memoryview(self._read(min(room, max(size, _CHUNK)), offset))

    def _opened(self) -> int:
        try:
            return self._disk.open(self._segment.path)
        except OSError as error:
            raise _unreadable(self._segment.path, 0, error) from error

    def _read(self, size: int, offset: int) -> bytes:
        try:
            return self._disk.read(self._file, size, offset)
        except OSError as error:
            raise _unreadable(self._segment.path, offset, error) from error


def _unreadable(path: Path, offset: int, error: OSError) -> JournalDamaged:
    return JournalDamaged(
        f"{path} cannot be read at byte {offset}: {error}.",
        remedy="Check the disk, then run `trueup recover`; what no copy holds, restore from a backup.",
    )
