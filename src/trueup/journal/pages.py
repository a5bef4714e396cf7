"""Frames out of the pages of a views database that SQLite refuses, or that is half gone.

What lives only here: as much of SQLite's file format (https://sqlite.org/fileformat2.html) as it takes to find rows of
the table ``frames`` in leaf pages, whatever became of the tree above them. Nothing has to be believed: every frame
proves itself by its hash, so that a wrong guess gives no frame, never a wrong one.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path
from struct import error as StructError  # noqa: N812 - an exception, named as one
from struct import unpack_from
from typing import Any

import msgspec

from trueup.journal.frame import frame_bytes
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Frame, Hash

PAGE_BYTES = 4096
RESERVED_BYTES = 8
"""Of every page, for its checksum: what :mod:`trueup.journal.sqlite` makes."""

_USABLE = PAGE_BYTES - RESERVED_BYTES
_LOCAL_MAX = _USABLE - 35
_LOCAL_MIN = (_USABLE - 12) * 32 // 255 - 23
_LEAF = 0x0D
_FILE_HEADER_BYTES = 100
_LOG_HEADER_BYTES = 32
_LOG_FRAME_BYTES = 24
_COLUMNS = 9
_HASHES = slice(6, 8)
_HASH_SERIAL = 12 + 2 * 32
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)
_ZERO, _ONE = 8, 9


class _Place(msgspec.Struct, frozen=True):
    """Where a row stands: in which state of the file, on which page, in which cell."""

    state: int
    page: int
    cell: int


class DamagedDatabase:
    """The frames that can be found in a database file and its write-ahead log. They are looked for when first asked.

    Args:
        path: Of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._states: list[Mapping[int, memoryview]] = []
        self._places: defaultdict[Seq, list[_Place]] | None = None

    def frames(self, ledger: AccountId, after: Seq = Seq(0)) -> Iterator[Frame]:
        """Frames of a ledger whose last seq is greater than ``after``, oldest first; there may be gaps.

        Raises:
            OSError: It cannot be read.
        """
        if self._places is None:
            self._places = self._found()
        for first in sorted(self._places):
            for place in self._places[first]:
                frame = self._frame(ledger, place)
                if frame is not None and frame.last > after:
                    yield frame
                    break

    def _found(self) -> defaultdict[Seq, list[_Place]]:
        file, log = _mapped(self._path), _mapped(self._path.with_name(self._path.name + "-wal"))
        pages = {1 + at // PAGE_BYTES: file[at : at + PAGE_BYTES] for at in range(0, len(file), PAGE_BYTES)}
        self._states = [pages, pages | dict(_logged(log))] if len(log) else [pages]
        found: defaultdict[Seq, list[_Place]] = defaultdict(list)
        for state, known in enumerate(self._states):
            for number in known:
                for cell in range(_cells(known[number], number)):
                    row = self._row(place := _Place(state, number, cell), whole=False)
                    if row is not None:
                        found[row[1]].append(place)
        return found

    def _frame(self, ledger: AccountId, place: _Place) -> Frame | None:
        row = self._row(place, whole=True)
        if row is None:
            return None
        _, first, count, recorded_at, epoch, synced, previous, hash_, body = row
        frame = Frame(ledger, Seq(first), count, recorded_at, epoch, synced, Hash(previous), Hash(hash_), body)
        try:
            return frame if frame_bytes(frame) is not None else None
        except Exception:  # noqa: BLE001 - numbers that no frame can hold
            return None

    def _row(self, place: _Place, *, whole: bool) -> tuple[Any, ...] | None:
        """The columns in a cell, if it looks like a row of ``frames``; the body only where the whole row is wanted."""
        try:
            return _record(self._payload(place, whole=whole), whole=whole)
        except (LookupError, ValueError, StructError):
            return None

    def _payload(self, place: _Place, *, whole: bool) -> bytes:
        """The record in a cell; only the part on its own page unless the whole of it is wanted."""
        pages = self._states[place.state]
        page = pages[place.page]
        (at,) = unpack_from(">H", page, _header(place.page) + 8 + 2 * place.cell)
        size, at = _varint(page, at)
        _, at = _varint(page, at)
        local = size
        if size > _LOCAL_MAX:
            local = _LOCAL_MIN + (size - _LOCAL_MIN) % (_USABLE - 4)
            local = local if local <= _LOCAL_MAX else _LOCAL_MIN
        payload = bytearray(page[at : at + local])
        following = unpack_from(">I", page, at + local)[0] if local < size else 0
        while whole and len(payload) < size:
            page = pages[following]
            payload += page[4 : min(_USABLE, 4 + size - len(payload))]
            (following,) = unpack_from(">I", page, 0)
        return bytes(payload)


def _mapped(path: Path) -> memoryview:
    """A file without reading it into memory; nothing where there is none."""
    if not path.exists() or not path.stat().st_size:
        return memoryview(b"")
    with path.open("rb") as file:
        return memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))


def _logged(log: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The pages in a write-ahead log, oldest first."""
    for at in range(_LOG_HEADER_BYTES, len(log) - _LOG_FRAME_BYTES - PAGE_BYTES + 1, _LOG_FRAME_BYTES + PAGE_BYTES):
        yield unpack_from(">I", log, at)[0], log[at + _LOG_FRAME_BYTES : at + _LOG_FRAME_BYTES + PAGE_BYTES]


def _header(number: int) -> int:
    return _FILE_HEADER_BYTES if number == 1 else 0


def _cells(page: memoryview, number: int) -> int:
    """How many cells a page has, if it is a leaf of a table."""
    header = _header(number)
    if len(page) < PAGE_BYTES or page[header] != _LEAF:
        return 0
    count: int = unpack_from(">H", page, header + 3)[0]
    return min(count, _USABLE // 2)


def _record(payload: bytes, *, whole: bool) -> tuple[Any, ...]:
    """The values of a record with the types of a frame's columns; raises :class:`ValueError` for any other."""
    end, at = _varint(payload, 0)
    serials = []
    while at < end:
        serial, at = _varint(payload, at)
        serials.append(serial)
    if len(serials) != _COLUMNS or set(serials[_HASHES]) != {_HASH_SERIAL} or serials[-1] < 12 or serials[-1] % 2:  # noqa: PLR2004 - blobs are even, from 12
        raise ValueError("not a row of frames")
    values: list[Any] = []
    for serial in serials if whole else serials[:-1]:
        size = _size(serial)
        if at + size > len(payload):
            raise ValueError("the record is cut off")
        values.append(_value(serial, payload[at : at + size]))
        at += size
    return tuple(values)


def _size(serial: int) -> int:
    if serial < len(_INTEGER_BYTES):
        return _INTEGER_BYTES[serial]
    return 0 if serial in {_ZERO, _ONE} else (serial - 12) // 2


def _value(serial: int, data: bytes) -> int | bytes:
    if serial in {_ZERO, _ONE}:
        return serial - _ZERO
    return int.from_bytes(data, "big", signed=True) if serial < len(_INTEGER_BYTES) else data


def _varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends."""
    value = 0
    for count in range(8):
        byte = data[at + count]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004 - the high bit says that more follows
            return value, at + count + 1
    return value << 8 | data[at + 8], at + 9
