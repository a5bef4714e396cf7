"""Second copies of a log, several as one. What lives only here: that each is asked in turn, and none is believed.

A frame from a copy is written back only where it continues the chain and fits its own hash, so a source may be damaged,
end early or have gaps: where one cannot go on, the next is asked.
"""

from collections.abc import Iterator, Sequence

from trueup.journal.frame import frame_bytes
from trueup.journal.recovery import Copies
from trueup.model.errors import StorageError
from trueup.model.identifiers import Seq
from trueup.ports import Frame


def combined(sources: Sequence[Copies]) -> Copies:
    """All sources as one: at any seq, the first that has the next frame is read as far as it goes."""

    def behind(after: Seq) -> Iterator[Frame]:
        for source in sources:
            found = _proved(source, after)
            first = next(found, None)
            if first is not None:
                yield first
                yield from found
                return

    return behind


def _proved(source: Copies, after: Seq) -> Iterator[Frame]:
    """The frames that come next, each true to its hash and to the one before it; a failure of the source is its end."""
    before: Frame | None = None
    try:
        for frame in source(after):
            expected = frame.previous if before is None else before.hash
            if (frame.first, frame.previous) != (after + 1, expected) or frame_bytes(frame) is None:
                return
            yield frame
            after, before = frame.last, frame
    except (StorageError, OSError):
        return
