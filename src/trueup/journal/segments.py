"""The journal of one ledger on disk. What lives only here: how a frame becomes durable, and what a failure closes.

One writer. An append is one write behind the last frame and one sync, and only then the frame is returned. Any failure
closes the journal to further appends until it is opened anew, which reads what the disk really holds; nothing is
retried. Readers may read at the same time: they see frames up to the last one that is durable.
"""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Self

import msgspec

from trueup.journal.disk import Disk
from trueup.journal.findings import RecoveryReport, VerifyReport, damaged
from trueup.journal.frame import HEADER_BYTES, pack, require_appendable
from trueup.journal.records import read_head, write_head
from trueup.journal.recovery import EMPTY, Copies, End, Log, recover
from trueup.journal.seeking import last_passed, recorded_by
from trueup.journal.segment_file import BLOCK, SEGMENT_BYTES, Mark, Segment, SegmentHeader, SegmentReader, Spare
from trueup.journal.verify import Progress, Verification, verify
from trueup.model.errors import JournalFailed, StaleEpoch
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Effects, Frame, Head

_REOPEN = "Nothing of this commit was acknowledged. Mend the disk, open the journal again and resume by key."


class SegmentJournal:
    """Implements :class:`trueup.ports.Journal`. Made by :meth:`open`; appended to by one thread at a time."""

    def __init__(
        self,
        directory: Path,
        ledger: AccountId,
        epoch: int,
        segment_bytes: int,
        log: Log,
        disk: Disk,
        *,
        head_file: Path,
        background: bool,
    ) -> None:
        self.ledger = ledger
        self.epoch = epoch
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._head_file = head_file
        self._disk = disk
        self._segments = list(log.segments)
        self._end = log.end
        self._saved = EMPTY
        self._spare = Spare(disk, directory, segment_bytes, background=background)
        self._file = disk.open(self._segments[-1].path)
        self._refusal = ""

    @classmethod
    def open(
        cls,
        directory: Path,
        ledger: AccountId,
        *,
        epoch: int | None = None,
        segment_bytes: int = SEGMENT_BYTES,
        copies: Copies | None = None,
        at_least: Head | None = None,
        start: Mark | None = None,
        head_file: Path | None = None,
        disk: Disk | None = None,
        background: bool = True,
    ) -> tuple[Self, RecoveryReport]:
        """Open the journal of one ledger, or make it; heal and cut as :mod:`trueup.journal.recovery` says.

        Args:
            directory: Of this ledger alone.
            ledger: Bound into every frame: another ledger's files are refused.
            epoch: Fencing token of the present leader, written into every frame; None for that of the last frame.
            segment_bytes: Size of the segments made from now on; those that are there keep theirs.
            copies: Frames of the second copy behind a seq, oldest first.
            at_least: A head that the journal is known to have reached, such as that of the views.
            start: Where a snapshot stands: what is before it is not read.
            head_file: Where the saved head stands; among the segments unless told.
            disk: The files; the system's own unless a test wants another.
            background: Whether the next segment is made by a thread; else the append that finds it due makes it.

        Raises:
            JournalDamaged: Frames are lost or changed, and no copy has them.
            JournalFailed: The disk refused.
        """
        disk, head_file = disk or Disk(), head_file or directory / "head"
        claims = [head for head in (at_least, read_head(head_file, ledger)) if head is not None]
        try:
            log = recover(
                directory,
                ledger,
                segment_bytes=segment_bytes,
                copies=copies,
                claims=claims,
                start=start,
                disk=disk,
            )
            journal = cls(
                directory,
                ledger,
                epoch or max(1, log.end.epoch),
                segment_bytes,
                log,
                disk,
                head_file=head_file,
                background=background,
            )
            return journal, log.report
        except OSError as error:
            raise JournalFailed(
                f"The journal in {directory} cannot be opened: {error}.",
                remedy="Mend the disk (space, permissions, hardware) and open it again.",
            ) from error

    @property
    def head(self) -> Head:
        """The last durable frame, ``Head(0, GENESIS)`` when there is none."""
        return self._end.head

    @property
    def mark(self) -> Mark | None:
        """The place of the last durable frame, for a snapshot to stand on; None when there is none."""
        return self._end.mark

    def append(self, body: bytes, count: int, recorded_at: int, effects: Effects | None = None) -> Frame:  # noqa: ARG002 - for others
        """Write and sync one frame; returns when it is durable.

        ``recorded_at`` is raised to that of the frame before, if it is less. The views are fed afterwards.

        Raises:
            BadInput: An empty commit, or one of more than :data:`BODY_BYTES_MAX` bytes. Nothing was written.
            StaleEpoch: A newer leader wrote here. Nothing was written.
            JournalFailed: A write or sync failed, now or before.
        """
        self._refuse_unless_appendable(body, count)
        self._refusal = "An append did not end."  # stays if anything at all interrupts it
        try:
            self._make_room(len(body))
            end = self._end
            frame, data = pack(
                self.ledger,
                first=Seq(end.head.seq + 1),
                count=count,
                recorded_at=max(recorded_at, end.head.recorded_at),
                epoch=self.epoch,
                synced=self._segments[-1].log_offset(end.offset),
                previous=end.head.hash,
                body=body,
            )
            self._disk.write(self._file, data, end.offset)
            self._disk.sync(self._file)
        except OSError as error:
            self._refusal = f"The journal in {self._directory} could not be written: {error}."
            raise JournalFailed(self._refusal, remedy=_REOPEN) from error
        self._end = end.advanced(frame)
        self._refusal = ""
        if self._end.offset > self._segment_bytes // 2:
            self._spare.prepare()
        return frame

    def read(self, after: Seq = Seq(0)) -> Iterator[Frame]:
        """Verified frames whose last seq is greater than ``after``, oldest first, up to the head at the call.

        Raises:
            JournalDamaged: A frame is not what was written.
        """
        end, segments = self._end, list(self._segments)
        while len(segments) > 1 and segments[1].header.first <= after + 1:
            del segments[0]
        start = last_passed(self._disk, segments[0], end, lambda frame: frame.last <= after) if after else None
        frames = self._frames(segments, start or _start_of(segments[0]), end)
        return (frame for frame in frames if frame.last > after)

    def recorded_by(self, time: int) -> Head:
        """The last frame recorded at or before a time, ``Head(0, GENESIS)`` when there is none.

        Raises:
            JournalDamaged: A frame is not what was written.
        """
        return recorded_by(self._disk, list(self._segments), self._end, time, self.read)

    def read_from(self, mark: Mark) -> Iterator[Frame]:
        """Verified frames behind a mark, as :meth:`read`, without reading what is before it.

        Raises:
            JournalDamaged: The marked frame is not there, or one behind it is not what was written.
        """
        end, segments = self._end, self._segments[mark.segment - 1 :]
        if not segments:
            raise damaged(self._directory, mark.offset, f"there is no segment {mark.segment}")
        with SegmentReader(self._disk, segments[0]) as reader:
            frame = reader.frame_at(mark.offset)
        if not isinstance(frame, Frame) or (frame.last, frame.hash) != (mark.seq, mark.hash):
            raise damaged(segments[0].path, mark.offset, f"the frame that ends at seq {mark.seq} is not there")
        before = End(mark.segment, mark.offset, Head(Seq(frame.first - 1), frame.previous))
        return self._frames(segments, before.advanced(frame), end)

    def verify(self, progress: Progress | None = None) -> VerifyReport:
        """Verify the whole chain up to the present head; damage is reported, not raised."""
        return verify(self._directory, self.ledger, end=self.head, progress=progress, disk=self._disk)

    def proving(self) -> Iterator[None]:
        """Verify the whole chain up to the present head, one slice a step; the writer may go on.

        Raises:
            JournalDamaged: A file is not what was written, or not the one that is being written to.
        """
        run = Verification(self._directory, self.ledger, self.head, None, self._disk)
        for _ in run:
            yield
        for finding in run.report().findings:
            raise damaged(finding.path, finding.offset, finding.problem)

    def prove_files(self) -> str:
        """Prove the file that is written to and the saved head, which is written again where it is not what was saved.

        Nobody appends meanwhile.

        Returns:
            What was mended, in a sentence; empty when all was well.

        Raises:
            JournalDamaged: Writes go to a file that has lost its name.
            JournalFailed: The head could not be written.
        """
        path = self._segments[-1].path
        if self._file >= 0 and not self._disk.same(self._file, path):
            raise damaged(path, 0, "the file that is written to is not the one of this name any more")
        if not self._saved.seq or read_head(self._head_file, self.ledger) == self._saved:
            return ""
        self._saved = EMPTY
        self.save_head()
        return f"{self._head_file}: the saved head was not what was saved; written again"

    def overtaken(self) -> bool:
        """Nobody else writes: the data directory is locked."""
        return False

    def follow(self) -> None:
        """The head is the last frame already."""

    def save_head(self) -> None:
        """Note where the journal reaches, so that a tail lost later is missed. For a task that runs now and then.

        Raises:
            JournalFailed: The note could not be written; appending is not affected.
        """
        head = self.head
        if head == self._saved or not head.seq:
            return
        try:
            write_head(self._disk, self._head_file, self.ledger, head)
        except OSError as error:
            raise JournalFailed(
                f"The head of the journal in {self._directory} could not be saved: {error}.",
                remedy="Mend the disk (space, permissions, hardware); the journal itself is not affected.",
            ) from error
        self._saved = head

    def close(self) -> None:
        """Save the head and release the files. Raises :class:`JournalFailed` as :meth:`save_head` does."""
        if self._file < 0:
            return
        self._disk.close(self._file)
        self._file = -1
        self._spare.discard()
        if not self._refusal:
            self._refusal = "The journal is closed."
            self.save_head()

    def _refuse_unless_appendable(self, body: bytes, count: int) -> None:
        if self._refusal:
            raise JournalFailed(self._refusal, remedy=_REOPEN)
        if self._end.epoch > self.epoch:
            raise StaleEpoch(
                f"{self.ledger} is led by epoch {self._end.epoch}, and this process holds epoch {self.epoch}.",
                remedy="Let the present leader write; open the ledger again once this process leads.",
            )
        require_appendable(body, count)

    def _make_room(self, body_bytes: int) -> None:
        """Go on to a new segment where the frame does not fit; one too large for any gets a segment of its own."""
        needed = HEADER_BYTES + body_bytes
        last = self._segments[-1].header
        if self._end.offset + needed <= last.size:
            return
        head = self._end.head
        size = max(self._segment_bytes, BLOCK + needed)
        header = SegmentHeader(self.ledger, last.number + 1, size, last.base + last.size, Seq(head.seq + 1), head.hash)
        segment = self._spare.install(self._directory, header)
        file = self._disk.open(segment.path)
        self._disk.close(self._file)
        self._file = file
        self._segments.append(segment)
        self._end = msgspec.structs.replace(self._end, segment=header.number, offset=BLOCK)

    def _frames(self, segments: list[Segment], at: End, end: End) -> Iterator[Frame]:
        for segment, behind in zip_longest(segments, segments[1:]):
            if segment.header.number != at.segment:
                at = msgspec.structs.replace(at, segment=segment.header.number, offset=BLOCK)
            with SegmentReader(self._disk, segment) as reader:
                while at.head.seq < end.head.seq:
                    frame = reader.frame_at(at.offset)
                    if not isinstance(frame, Frame) or not at.takes(frame):
                        break
                    at = at.advanced(frame)
                    yield frame
            if at.stands_where(end):
                return
            if behind is None or not behind.header.follows(at.head):
                raise damaged(segment.path, at.offset, f"the frame of seq {at.head.seq + 1} is not what was written")


def _start_of(segment: Segment) -> End:
    header = segment.header
    return End(header.number, BLOCK, Head(Seq(header.first - 1), header.previous))
