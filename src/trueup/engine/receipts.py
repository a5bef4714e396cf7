"""What callers of a ledger are told: where their events stand, and what became of each fact."""

from collections.abc import Iterator, Sequence

import msgspec

from trueup.engine.door import Fate
from trueup.model.identifiers import Seq


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What became of an offer, durable when it is handed out.

    Attributes:
        first, last: Seqs of the events written; ``last`` is ``first - 1`` when there were none.
        fates: What became of each fact or decision, in the order offered, definitions of instruments first.
    """

    first: Seq
    last: Seq
    fates: Sequence[Fate] = ()

    @property
    def booked(self) -> int:
        """How many were written for the first time."""
        return self.fates.count(Fate.BOOKED)

    @property
    def already(self) -> int:
        """How many were there before, with the same terms, or were put aside before."""
        return self.fates.count(Fate.ALREADY) + self.fates.count(Fate.QUARANTINED_BEFORE)

    @property
    def quarantined(self) -> int:
        """How many were put aside, with the reason in the journal."""
        return self.fates.count(Fate.QUARANTINED)

    @property
    def covered(self) -> int:
        """How many opening cuts were for times that the book already knew."""
        return self.fates.count(Fate.COVERED)


def divided(fates: Sequence[Fate], sizes: Sequence[int], first: Seq) -> Iterator[Receipt]:
    """The receipts of callers whose fills were booked as one batch.

    A fill is one event or none, so what was written for whom follows from the fates.

    Args:
        fates: Of all the fills.
        sizes: How many of them each caller offered, in the same order.
        first: Seq of the first event written.
    """
    start = 0
    for size in sizes:
        mine = fates[start : start + size]
        start += size
        after = Seq(first + mine.count(Fate.BOOKED) + mine.count(Fate.QUARANTINED))
        yield Receipt(first, Seq(after - 1), mine)
        first = after
