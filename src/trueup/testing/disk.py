"""A disk that fails, fills up or loses power when told to. Its files are real; only its durability is simulated.

A sync reaches no medium here: it is noted in books, which say what a loss of power would take. That makes it exact, and
fast.
"""

from pathlib import Path
from random import Random
from threading import Lock
from typing import Literal

import msgspec

from trueup.journal.disk import Disk

SECTOR = 512
"""What a drive writes whole or not at all."""

Operation = Literal["open", "write", "sync", "read", "rename", "sync_directory"]


class _Fault(msgspec.Struct):
    operation: Operation
    error: int
    calls_before: int
    part: int


class _Write(msgspec.Struct, frozen=True):
    """A write that no sync has covered: what stood there before."""

    path: Path
    offset: int
    before: bytes

    def covers(self, other: "_Write") -> bool:
        """Whether this one wrote all of what another did."""
        start, end = self.offset, self.offset + len(self.before)
        return self.path == other.path and start <= other.offset and other.offset + len(other.before) <= end


class FaultyDisk(Disk):
    """A disk for tests of what happens when disks fail."""

    def __init__(self) -> None:
        self._faults: list[_Fault] = []
        self._paths: dict[int, Path] = {}
        self._writes: list[_Write] = []
        self._dropped: list[_Write] = []
        self._renames: list[tuple[Path, Path]] = []
        self._books = Lock()  # a journal makes its next segment in a thread of its own

    def fail(self, operation: Operation, error: int, *, calls_before: int = 0, part: int = 0) -> None:
        """Let one call of an operation raise ``OSError(error)``.

        Args:
            operation: Which.
            error: An ``errno``, such as ``ENOSPC``.
            calls_before: How many calls of it still succeed.
            part: How many bytes of a write are written nevertheless.
        """
        self._faults.append(_Fault(operation, error, calls_before, part))

    def mend(self) -> None:
        """Forget the failures that were not met yet."""
        self._faults.clear()

    def lose_power(self, random: Random) -> None:
        """Take back whatever was not synced, by chance: each sector of a write by itself, and each new name."""
        for write in reversed(self._dropped + self._writes):
            if write.path.exists():
                self._take_back(write, random)
        for source, target in reversed(self._renames):
            if target.exists() and random.random() < 1 / 2:
                target.rename(source)
        self._dropped.clear()
        self._writes.clear()
        self._renames.clear()

    def open(self, path: Path, *, create: bool = False) -> int:
        """As :meth:`Disk.open`."""
        self._meet_fault("open")
        file = super().open(path, create=create)
        self._paths[file] = path
        return file

    def write(self, file: int, data: bytes, offset: int) -> None:
        """As :meth:`Disk.write`; remembers what stood there."""
        before = super().read(file, len(data), offset).ljust(len(data), b"\0")
        with self._books:
            self._writes.append(_Write(self._paths[file], offset, before))
            fault = self._due("write")
        super().write(file, data if fault is None else data[: fault.part], offset)
        if fault is not None:
            raise _failure(fault)

    def sync(self, file: int) -> None:
        """Note that the file's bytes are safe.

        What a failed sync covered stays unsafe, as in a kernel that then forgets it: only writing it again helps.
        """
        path = self._paths[file]
        with self._books:
            mine = [write for write in self._writes if write.path == path]
            self._writes = [write for write in self._writes if write.path != path]
            fault = self._due("sync")
            if fault is not None:
                self._dropped += mine
                raise _failure(fault)
            self._dropped = [lost for lost in self._dropped if not any(write.covers(lost) for write in mine)]

    def read(self, file: int, size: int, offset: int) -> bytes:
        """As :meth:`Disk.read`."""
        self._meet_fault("read")
        return super().read(file, size, offset)

    def rename(self, source: Path, target: Path) -> None:
        """As :meth:`Disk.rename`; a new name may be lost until the directory is synced."""
        with self._books:
            self._meet_fault("rename")
            if not target.exists():
                self._renames.append((source, target))
            super().rename(source, target)
            self._writes = [
                msgspec.structs.replace(write, path=target) if write.path == source else write for write in self._writes
            ]

    def sync_directory(self, path: Path) -> None:
        """Note that the names in a directory are safe."""
        with self._books:
            self._meet_fault("sync_directory")
            self._renames = [(source, target) for source, target in self._renames if target.parent != path]

    def close(self, file: int) -> None:
        """As :meth:`Disk.close`."""
        del self._paths[file]
        super().close(file)

    def _meet_fault(self, operation: Operation) -> None:
        fault = self._due(operation)
        if fault is not None:
            raise _failure(fault)

    def _due(self, operation: Operation) -> _Fault | None:
        for fault in self._faults:
            if fault.operation == operation:
                if fault.calls_before == 0:
                    self._faults.remove(fault)
                    return fault
                fault.calls_before -= 1
                return None
        return None

    @staticmethod
    def _take_back(write: _Write, random: Random) -> None:
        with write.path.open("r+b") as file:
            start, end = write.offset, write.offset + len(write.before)
            while start < end:
                stop = min(end, (start // SECTOR + 1) * SECTOR)
                if random.random() < 1 / 2:
                    file.seek(start)
                    file.write(write.before[start - write.offset : stop - write.offset])
                start = stop


def _failure(fault: _Fault) -> OSError:
    return OSError(fault.error, f"injected into {fault.operation}")
