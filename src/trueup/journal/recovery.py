"""Opening a log: what lives only here is the decision between a torn tail, rot, and a refusal.

Frames are read in order from the start, or from a mark that is known good. Where the next frame should stand and does
not, in this order:

1. The next segment's header continues the chain: this segment is complete, and what is behind its last frame is zero.
2. A second copy of the frame survives (the views database): it is written back, byte for byte as it was.
3. Something says that there was more - a later segment, a valid frame further on, the saved head, the views, a
   snapshot, a file shorter than it was made, or a frame that stands there to its last byte and does not fit its hash:
   it is refused, and nothing there is changed.
4. Otherwise it is the end. Bytes there are a write that was never acknowledged, a *torn tail*: they are zeroed, so that
   they can never be read as frames later.

At last the final frame is written once more and synced. A process that died, or a sync that failed, may have left it in
the kernel's memory alone, where it reads as if it were safe.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from trueup.journal.disk import Disk, delete_temporaries, make_directory, opened, write_zeros
from trueup.journal.findings import Finding, FindingKind, RecoveryReport, damaged
from trueup.journal.frame import frame_bytes, size_of
from trueup.journal.segment_file import (
    BLOCK,
    Mark,
    Segment,
    SegmentHeader,
    SegmentReader,
    Spare,
    read_header,
    segment_numbers,
    segment_path,
)
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import GENESIS, Frame, Head

Copies = Callable[[Seq], Iterator[Frame]]
"""Frames of a second copy whose last seq is greater than the given one, oldest first."""

EMPTY = Head(Seq(0), GENESIS)


class End(msgspec.Struct, frozen=True):
    """Where a log ends.

    Attributes:
        segment: Number of the segment that takes the next frame.
        offset: Where in it.
        mark: The last frame; None in an empty log.
        epoch: Of the last frame.
    """

    segment: int
    offset: int
    head: Head
    mark: Mark | None = None
    epoch: int = 0

    def advanced(self, frame: Frame) -> "End":
        """The end once ``frame`` stands here."""
        mark = Mark(self.segment, self.offset, frame.last, frame.hash)
        head = Head(frame.last, frame.hash, frame.recorded_at)
        return End(self.segment, self.offset + size_of(frame), head, mark, frame.epoch)

    def takes(self, frame: Frame) -> bool:
        """Whether ``frame`` is the one that comes next."""
        return frame.first == self.head.seq + 1 and frame.previous == self.head.hash

    def stands_where(self, other: "End") -> bool:
        """Whether the same frame came last; the header of a segment does not know when that was recorded."""
        return (self.head.seq, self.head.hash) == (other.head.seq, other.head.hash)


class Log(msgspec.Struct, frozen=True):
    """A log that was found whole: its segments by number, and its end."""

    segments: Sequence[Segment]
    end: End
    report: RecoveryReport


def recover(
    directory: Path,
    ledger: AccountId,
    *,
    segment_bytes: int,
    copies: Copies | None,
    claims: Sequence[Head],
    start: Mark | None,
    disk: Disk,
) -> Log:
    """Open the log of one ledger, making it where there is none and healing what can be healed.

    Args:
        directory: Of this ledger alone; made if it is not there.
        ledger: Whose log it must be.
        segment_bytes: Size of a segment that has to be made.
        copies: The second copy, where there is one.
        claims: Heads that the log is known to have reached.
        start: Where to begin; if it does not fit, all is read.
        disk: The files.

    Raises:
        JournalDamaged: Frames are lost or changed, and no copy has them.
        OSError: The disk refused.
    """
    make_directory(disk, directory)
    delete_temporaries(disk, directory)
    return _Recovery(directory, ledger, segment_bytes, copies, claims, disk).run(start)


class _Recovery:
    """One opening: where the walk has come to, what it found, and the copies it draws on."""

    def __init__(
        self,
        directory: Path,
        ledger: AccountId,
        segment_bytes: int,
        copies: Copies | None,
        claims: Sequence[Head],
        disk: Disk,
    ) -> None:
        self._directory = directory
        self._ledger = ledger
        self._segment_bytes = segment_bytes
        self._copies = copies
        self._claims = [*claims, EMPTY]
        self._disk = disk
        self._segments: list[Segment] = []
        self._findings: list[Finding] = []
        self._end = End(1, BLOCK, EMPTY)
        self._copied: Iterator[Frame] = iter(())
        self._copy: Frame | None = None
        self._last: Frame | None = None

    def run(self, start: Mark | None) -> Log:
        self._refuse_mixed_up()
        segment = self._resume(start) if start is not None else None
        read_from = self._end.head.seq
        while self._walk(segment or self._enter()):
            self._end = msgspec.structs.replace(self._end, segment=self._end.segment + 1, offset=BLOCK)
            segment = None
        self._settle()
        return Log(self._segments, self._end, RecoveryReport(self._end.head, read_from, self._findings))

    def _refuse_mixed_up(self) -> None:
        """Refuse files that are whole but stand in the wrong place, before anything is written over them."""
        for number in segment_numbers(self._directory):
            path = segment_path(self._directory, number)
            header = read_header(self._disk, path)
            if header is not None and (header.ledger, header.number) != (self._ledger, number):
                raise damaged(path, 0, f"this file is segment {header.number} of {header.ledger}: files were mixed up")

    # --- segments -----------------------------------------------------------------------------------------------------

    def _resume(self, mark: Mark) -> Segment | None:
        """Begin behind the marked frame; None, and from the start, where it does not stand where the mark says."""
        self._claims.append(Head(mark.seq, mark.hash))
        segments = self._sound_segments(mark.segment)
        if segments:
            with SegmentReader(self._disk, segments[-1]) as reader:
                frame = reader.frame_at(mark.offset)
            if isinstance(frame, Frame) and (frame.last, frame.hash) == (mark.seq, mark.hash):
                self._segments = segments
                before = Head(Seq(frame.first - 1), frame.previous)
                self._end = End(mark.segment, mark.offset, before).advanced(frame)
                self._last = frame
                return segments[-1]
        path = segment_path(self._directory, mark.segment)
        self._found("snapshot", path, mark.offset, "the frame that a snapshot stands on is not there", "all was read")
        return None

    def _sound_segments(self, last: int) -> list[Segment]:
        """Segments 1 to ``last`` by their headers; none at all where one of them is not in order."""
        segments: list[Segment] = []
        for number in range(1, last + 1):
            path = segment_path(self._directory, number)
            header = read_header(self._disk, path)
            if header is None or path.stat().st_size < header.size:
                return []
            segments.append(Segment(path, header))
        return segments

    def _enter(self) -> Segment:
        """The segment that the walk comes to, its header in order."""
        path = segment_path(self._directory, self._end.segment)
        expected = self._expected_header()
        header = read_header(self._disk, path)
        if header is None:
            header = self._renew(path, expected)
        elif header != msgspec.structs.replace(expected, size=header.size):
            raise damaged(path, 0, f"the segment does not continue the journal, which ends at seq {self._end.head.seq}")
        segment = Segment(path, header)
        self._segments.append(segment)
        return segment

    def _renew(self, path: Path, header: SegmentHeader) -> SegmentHeader:
        """Make a segment that is missing, or write its header again; only where that cannot hide a loss."""
        copy = self._next_copy()
        if path.exists():
            if copy is None and not self._continues_in(path, header):
                raise damaged(path, 0, "the segment's header is damaged, and no frame behind it continues the journal")
            with opened(self._disk, path) as file:
                self._disk.write(file, header.pack(), 0)
                self._disk.sync(file)
            self._found("header", path, 0, "the segment's header was damaged", "written again")
            return header
        if copy is None and (self._later() or self._claimed() > self._end.head.seq):
            raise damaged(path, 0, f"the segment is missing, with the frames from seq {self._end.head.seq + 1} on")
        Spare(self._disk, self._directory, header.size).install(self._directory, header)
        if copy is not None:
            self._found("segment", path, 0, "the segment was missing", "made again")
        return header

    def _expected_header(self) -> SegmentHeader:
        """The header of the segment behind those walked so far."""
        number, base = len(self._segments) + 1, 0
        if self._segments:
            before = self._segments[-1].header
            base = before.base + before.size
        path = segment_path(self._directory, number)
        behind = read_header(self._disk, segment_path(self._directory, number + 1))
        if behind is not None and behind.base > base + BLOCK:
            size = behind.base - base
        elif path.exists() and path.stat().st_size > BLOCK:
            size = path.stat().st_size
        else:
            copy = self._next_copy()
            size = max(self._segment_bytes, BLOCK + size_of(copy) if copy is not None else 0)
        head = self._end.head
        return SegmentHeader(self._ledger, number, size, base, Seq(head.seq + 1), head.hash)

    def _next_follows(self) -> bool:
        """Whether the next segment begins with the frame that is due."""
        path = segment_path(self._directory, self._end.segment + 1)
        header = read_header(self._disk, path)
        if header is not None:
            return header.follows(self._end.head)
        return path.exists() and self._continues_in(path, self._expected_header())

    def _continues_in(self, path: Path, header: SegmentHeader) -> bool:
        with SegmentReader(self._disk, Segment(path, header)) as reader:
            frame = reader.frame_at(BLOCK)
        return isinstance(frame, Frame) and self._end.takes(frame)

    def _later(self) -> bool:
        return any(number > self._end.segment for number in segment_numbers(self._directory))

    # --- frames -------------------------------------------------------------------------------------------------------

    def _walk(self, segment: Segment) -> bool:
        """Read, heal or cut one segment; whether the journal goes on in the next."""
        with opened(self._disk, segment.path) as file, SegmentReader(self._disk, segment) as reader:
            goes_on: bool | None = None
            while goes_on is None:
                goes_on = self._step(segment, file, reader)
            self._clear_rest(segment, file, reader, sealed=goes_on)
            self._disk.sync(file)
        return goes_on

    def _step(self, segment: Segment, file: int, reader: SegmentReader) -> bool | None:
        """Take one frame; at the last, whether the journal goes on in the next segment."""
        found = reader.frame_at(self._end.offset)
        if isinstance(found, Frame) and self._end.takes(found):
            self._advance(segment, found)
            return None
        if self._next_follows():
            return True
        copy = self._next_copy()
        if copy is None:
            self._refuse_if_more_stood_here(segment, reader)
            return False
        if self._end.offset + size_of(copy) > segment.header.size:
            return True
        self._write_back(segment, file, copy)
        return None

    def _advance(self, segment: Segment, frame: Frame) -> None:
        for claim in self._claims:
            if frame.first <= claim.seq <= frame.last and (claim.seq, claim.hash) != (frame.last, frame.hash):
                raise damaged(
                    segment.path,
                    self._end.offset,
                    f"the frame of seq {frame.first} to {frame.last} is not the one that the saved head, the views or "
                    "a snapshot know: they are of another history",
                )
        self._end = self._end.advanced(frame)
        self._last = frame

    def _next_copy(self) -> Frame | None:
        """The surviving second copy of the frame that is due."""
        if self._copies is None:
            return None
        if self._copy is None or not self._end.takes(self._copy):
            self._copy = next(self._copied, None)
        if self._copy is None or not self._end.takes(self._copy):
            self._copied = self._copies(self._end.head.seq)
            self._copy = next(self._copied, None)
        copy = self._copy
        if copy is None or copy.ledger != self._ledger or not self._end.takes(copy):
            return None
        return copy if frame_bytes(copy) is not None else None

    def _write_back(self, segment: Segment, file: int, copy: Frame) -> None:
        offset = self._end.offset
        self._disk.write(file, frame_bytes(copy) or b"", offset)
        before = self._findings[-1] if self._findings else None
        if before is not None and (before.kind, before.path, before.last) == ("frames", segment.path, copy.first - 1):
            self._findings[-1] = msgspec.structs.replace(before, last=copy.last)
        else:
            problem, done = "frames were damaged or missing", "written back from the second copy"
            self._found("frames", segment.path, offset, problem, done, first=copy.first, last=copy.last)
        self._advance(segment, copy)

    def _clear_rest(self, segment: Segment, file: int, reader: SegmentReader, *, sealed: bool) -> None:
        """Zero what is behind the last frame, and give a file that is too short its size again."""
        offset, size = self._end.offset, segment.path.stat().st_size
        stretches = reader.written(offset)
        for start, end in stretches:
            write_zeros(self._disk, file, start, end)
        if stretches and sealed:
            self._found("padding", segment.path, offset, "bytes behind the last frame of a full segment", "zeroed")
        elif stretches:
            self._found("torn_tail", segment.path, offset, "an interrupted write that was never acknowledged", "cut")
        if size < segment.header.size:
            write_zeros(self._disk, file, max(size, offset), segment.header.size)
            missing = segment.header.size - size
            self._found("segment", segment.path, size, f"the file was {missing} bytes too short", "made whole")

    # --- the decision -------------------------------------------------------------------------------------------------

    def _refuse_if_more_stood_here(self, segment: Segment, reader: SegmentReader) -> None:
        due, offset = self._end.head.seq + 1, self._end.offset
        blank = not reader.written(offset)  # nearly always: then there is nothing to search
        newer = None if blank else reader.frame_behind(offset)
        if self._claimed() >= due:
            sign = f"the saved head, the views or a snapshot reach seq {self._claimed()}"
        elif self._later():
            sign = "later segments follow"
        elif newer is not None:
            sign = f"a valid frame of seq {newer.first} to {newer.last} was written after it"
        elif self._cut_off(segment, reader):
            sign = "the file is shorter than it was made"
        elif not blank and reader.stands_whole(offset):
            sign = "all of a frame stands there, and does not fit its hash"
        else:
            return
        raise damaged(
            segment.path,
            offset,
            f"frames from seq {due} on are damaged or missing ({sign}), and no other copy has them",
        )

    def _claimed(self) -> Seq:
        return max(claim.seq for claim in self._claims)

    def _cut_off(self, segment: Segment, reader: SegmentReader) -> bool:
        """Whether a file too short may have lost frames: unless zeros stand before the cut, or a witness says no."""
        size = segment.path.stat().st_size
        if size >= segment.header.size or self._claimed() == self._end.head.seq > 0:
            return False
        return self._end.offset >= size or bool(reader.written(self._end.offset))

    def _settle(self) -> None:
        """Make sure of the last frame and of the files' names: a dead process may have left them in memory alone.

        What is written is what was verified. Read once more, it might by now be what the disk has: after a failed sync
        the kernel may drop the page at any time.
        """
        mark = self._end.mark
        if mark is not None and self._last is not None and mark.segment == self._end.segment:
            with opened(self._disk, segment_path(self._directory, mark.segment)) as file:
                self._disk.write(file, frame_bytes(self._last) or b"", mark.offset)
                self._disk.sync(file)
        self._disk.sync_directory(self._directory)

    def _found(
        self,
        kind: FindingKind,
        path: Path,
        offset: int,
        problem: str,
        done: str,
        *,
        first: Seq = Seq(0),
        last: Seq = Seq(0),
    ) -> None:
        self._findings.append(Finding(kind, path, offset, problem, done, first, last))
