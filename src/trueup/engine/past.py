"""Everything a ledger holds so far: its log, and behind it what the batch in progress has staged."""

from collections.abc import Iterator

from trueup.journal.codec import decode
from trueup.model.events import Event
from trueup.model.identifiers import Seq
from trueup.ports import Journal


class Past:
    """The history a book asks for when a fact belongs before what it keeps in memory.

    Attributes:
        journal: The log.
        staged: Events of the batch in progress, behind the log's head.
        until: While a log is being folded, how far; None once it is folded to its head.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.staged: list[Event] = []
        self.until: Seq | None = None

    def __call__(self) -> Iterator[tuple[Seq, Event]]:
        """Every event so far, oldest first."""
        head = self.journal.head.seq
        yield from self.after(Seq(0))
        for seq, event in enumerate(self.staged, head + 1):
            yield Seq(seq), event

    def after(self, seq: Seq) -> Iterator[tuple[Seq, Event]]:
        """The durable events after a seq, oldest first."""
        for frame in self.journal.read(seq):
            if self.until is not None and frame.first > self.until:
                return
            for at, event in enumerate(decode(frame.body), frame.first):
                if at > seq:
                    yield Seq(at), event
