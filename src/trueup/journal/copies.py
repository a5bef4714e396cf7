"""Second copies of a log, several as one. What lives only here: that each is asked in turn, and none is believed.

A frame from a copy is written back only where it continues the chain and fits its own hash, so a source may be damaged,
end early or have gaps: where one cannot go on, the next is asked.
"""

from collections.abc import Iterator, Sequence

from trueup.journal.recovery import Copies
from trueup.model.errors import StorageError
from trueup.model.identifiers import Seq
from trueup.ports import Frame


def combined(sources: Sequence[Copies]) -> Copies:
    """All sources as one: at any seq, the first that has the next frame is read as far as it goes."""

    def behind(after: Seq) -> Iterator[Frame]:
        for source in sources:
            found = _readable(source, after)
            first = next(found, None)
            if first is not None and first.first == after + 1:
                yield first
                yield from found
                return

    return behind


def _readable(source: Copies, after: Seq) -> Iterator[Frame]:
    """What can be read of a source; a failure is its end."""
    try:
        yield from source(after)
    except (StorageError, OSError):
        return
