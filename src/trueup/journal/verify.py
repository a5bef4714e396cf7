"""Reading a whole log to prove its chain, in one go or slice by slice beside a writer.

Nothing is changed here; it works on a log that refuses to open as well.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from trueup.journal.disk import Disk
from trueup.journal.findings import Finding, FindingKind, VerifyReport
from trueup.journal.recovery import EMPTY, End
from trueup.journal.segment_file import BLOCK, Segment, SegmentReader, read_header, segment_numbers, segment_path
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Frame, Head

Progress = Callable[[int, int], None]
"""Told the bytes read so far and the bytes in all, slice by slice."""

SLICE_BYTES = 4 << 20
"""What is read and hashed in a hundredth of a second."""


def verify(
    directory: Path,
    ledger: AccountId,
    *,
    end: Head | None = None,
    known: Head | None = None,
    progress: Progress | None = None,
    disk: Disk | None = None,
) -> VerifyReport:
    """Verify every frame of a log and the chain between them.

    After damage it goes on with the next segment, so that all of it is found.

    Args:
        directory: Of the ledger.
        ledger: Whose log it must be.
        end: Where a log in use ended when this was asked; what is behind it is left alone.
        known: What the log is known to have reached.
        progress: Called after each slice.
        disk: The files.

    Raises:
        JournalDamaged: A file that the system cannot read.
    """
    run = Verification(directory, ledger, end, known, disk or Disk())
    for done, total in run:
        if progress is not None:
            progress(done, total)
    return run.report()


class Verification:
    """A verification slice by slice: iterate it to its end, then ask for the report. Arguments as of :func:`verify`."""

    def __init__(self, directory: Path, ledger: AccountId, end: Head | None, known: Head | None, disk: Disk) -> None:
        self._directory = directory
        self._ledger = ledger
        self._target = end
        self._known = known
        self._disk = disk
        self._end = End(1, BLOCK, EMPTY)
        self._findings: list[Finding] = []
        self._frames = self._events = self._bytes = 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Verify one slice; the bytes read so far and the bytes in all."""
        sizes = {number: self._size(number) for number in segment_numbers(self._directory)}
        done, total = 0, sum(sizes.values())
        for number in range(1, max(sizes, default=0) + 1):
            if self._finished:
                return
            for offset in self._segment(number):
                yield done + offset, total
            done += sizes.get(number, 0)
            yield done, total

    def _size(self, number: int) -> int:
        path = segment_path(self._directory, number)
        return path.stat().st_size if path.exists() else 0

    @property
    def _finished(self) -> bool:
        """Whether the end that was asked for is reached."""
        return self._target is not None and self._end.head.seq >= self._target.seq

    def _segment(self, number: int) -> Iterator[int]:
        """Verify one segment; yields how far it has come."""
        path = segment_path(self._directory, number)
        header = read_header(self._disk, path)
        if header is None:
            self._found("header" if path.exists() else "segment", path, 0, "the segment's header is damaged or missing")
            return
        if (header.ledger, header.number) != (self._ledger, number):
            self._found("segment", path, 0, f"this file is segment {header.number} of {header.ledger}")
            return
        if not header.follows(self._end.head) and not self._findings:
            self._found(
                "segment", path, 0, f"it starts at seq {header.first}, but seq {self._end.head.seq} came before"
            )
        self._end = End(number, BLOCK, Head(Seq(header.first - 1), header.previous))
        segment = Segment(path, header)
        with SegmentReader(self._disk, segment) as reader:
            yield from self._walk(segment, reader)

    def report(self) -> VerifyReport:
        """What was found in all."""
        head = self._end.head
        reached = max((known.seq for known in (self._target, self._known) if known), default=0)
        if reached > head.seq and not self._findings:
            path = segment_path(self._directory, self._end.segment)
            self._found("frames", path, self._end.offset, f"the log ends before seq {reached}, which it had reached")
        return VerifyReport(head, self._frames, self._events, self._bytes, self._findings)

    def _walk(self, segment: Segment, reader: SegmentReader) -> Iterator[int]:
        told = 0
        while not self._finished:
            offset = self._end.offset
            found = reader.frame_at(offset)
            if not (isinstance(found, Frame) and self._end.takes(found)):
                self._stop(segment, reader, "a frame of another place" if isinstance(found, Frame) else found.reason)
                break
            self._end = self._end.advanced(found)
            self._frames += 1
            self._events += found.count
            self._bytes += self._end.offset - offset
            if self._end.offset - told >= SLICE_BYTES:
                told = self._end.offset
                yield told

    def _stop(self, segment: Segment, reader: SegmentReader, reason: str) -> None:
        """Say why there is no next frame, unless it is the blank end of a segment."""
        path, offset, head = segment.path, self._end.offset, self._end.head
        behind = read_header(self._disk, segment_path(self._directory, segment.header.number + 1))
        newer = reader.frame_behind(offset)
        if path.stat().st_size < segment.header.size:
            self._found("segment", path, path.stat().st_size, "the file is shorter than it was made")
        if behind is not None and not behind.follows(head):
            self._found("frames", path, offset, reason, behind.first - 1)
        elif newer is not None:
            self._found("frames", path, offset, reason, newer.first - 1)
        elif reader.stands_whole(offset):
            self._found("frames", path, offset, reason)
        elif reader.written(offset):
            self._found("padding" if behind is not None else "torn_tail", path, offset, reason)

    def _found(self, kind: FindingKind, path: Path, offset: int, problem: str, last: int = 0) -> None:
        first = Seq(self._end.head.seq + 1) if last else Seq(0)
        self._findings.append(Finding(kind, path, offset, problem, first=first, last=Seq(last)))
