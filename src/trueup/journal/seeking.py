"""Finding a frame without reading what is before it. What lives only here: the walk from header to header.

Bodies are passed over, so nothing on the way is verified. Whoever gets a place from here verifies the frame that stands
there, and where there is no place reads everything instead.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

from trueup.journal.disk import Disk
from trueup.journal.frame import Outline
from trueup.journal.recovery import EMPTY, End
from trueup.journal.segment_file import BLOCK, Segment, SegmentReader
from trueup.model.identifiers import Seq
from trueup.ports import Frame, Head

NEVER = 2**63 - 1
"""After every time of recording."""


def last_passed(disk: Disk, segment: Segment, end: End, passed: Callable[[Outline], bool]) -> End | None:
    """Behind the last of the frames at the start of a segment that all pass, itself verified.

    Args:
        disk: The files.
        segment: Where to look.
        end: Of the log; what is behind it is not looked at.
        passed: True of a first few frames, and of none behind them.
    """
    until = end.offset if segment.header.number == end.segment else segment.header.size
    place, offset = None, BLOCK
    with SegmentReader(disk, segment) as reader:
        while offset < until:
            outline = reader.outline_at(offset)
            if outline is None or not passed(outline):
                break
            place, offset = offset, offset + outline.size
        frame = reader.frame_at(place) if place is not None else None
    if place is None or not isinstance(frame, Frame):
        return None
    before = End(segment.header.number, place, Head(Seq(frame.first - 1), frame.previous))
    return before.advanced(frame)


def recorded_by(
    disk: Disk, segments: Sequence[Segment], end: End, time: int, read: Callable[[Seq], Iterator[Frame]]
) -> Head:
    """The last frame recorded at or before a time, :data:`EMPTY` when there is none.

    Args:
        disk: The files.
        segments: Of the log, by number.
        end: Of the log.
        time: In nanoseconds.
        read: Verified frames behind a seq.

    Raises:
        JournalDamaged: A frame is not what was written.
    """
    begun = bisect_right(segments, time, key=lambda segment: _begun_at(disk, segment, end))
    found = last_passed(disk, segments[begun - 1], end, lambda frame: frame.recorded_at <= time) if begun else None
    if found is not None and found.head.recorded_at <= time < _next_recorded(found.head, read):
        return found.head
    known = EMPTY
    for frame in read(Seq(0)):  # no header led there: read everything
        if frame.recorded_at > time:
            break
        known = Head(frame.last, frame.hash, frame.recorded_at)
    return known


def _begun_at(disk: Disk, segment: Segment, end: End) -> int:
    if segment.header.first > end.head.seq:
        return NEVER
    with SegmentReader(disk, segment) as reader:
        outline = reader.outline_at(BLOCK)
    return NEVER if outline is None else outline.recorded_at


def _next_recorded(head: Head, read: Callable[[Seq], Iterator[Frame]]) -> int:
    following = next(read(head.seq), None)
    return NEVER if following is None else following.recorded_at
