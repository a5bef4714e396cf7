"""What a restore would lose: events that something knows to have been acknowledged and that it would not bring back."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from trueup.journal.codec import decode
from trueup.model.errors import EventsWouldBeLost
from trueup.model.facts import kind_of
from trueup.model.identifiers import AccountId, Seq
from trueup.model.times import format_time
from trueup.ports import Frame

SHOWN_MAX = 20
"""Ledgers named in a refusal."""


class Loss(msgspec.Struct, frozen=True):
    """Events of one ledger that would not come back.

    Attributes:
        first, last: Their seqs.
        kinds: How many of each kind, of those that can still be read.
        unread: How many are known by their number alone.
        newest_recorded_at, newest_venue_time: Of those that can be read, in nanoseconds; None where none can, or none
            has a venue time.
        of_another_history: Whether they went on from another past than what comes back: both then have these seqs.
    """

    account: AccountId
    first: Seq
    last: Seq
    kinds: Mapping[str, int]
    unread: int
    newest_recorded_at: int | None = None
    newest_venue_time: int | None = None
    of_another_history: bool = False

    @property
    def count(self) -> int:
        """How many events."""
        return self.last - self.first + 1

    def sentence(self) -> str:
        """For a person."""
        kinds = [f"{count} {kind}" for kind, count in sorted(self.kinds.items())]
        kinds += [f"{self.unread} of which only the number is known"] if self.unread else []
        newest = f", the newest recorded at {format_time(self.newest_recorded_at)}" if self.newest_recorded_at else ""
        venue = f" with venue times up to {format_time(self.newest_venue_time)}" if self.newest_venue_time else ""
        other = " of another history than the backup's" if self.of_another_history else ""
        return f"{self.account}: seq {self.first} to {self.last}{other} ({', '.join(kinds)}{newest}{venue})"


def loss(
    account: AccountId, restored: Seq, known: Seq, frames: Iterable[Frame], *, of_another_history: bool = False
) -> Loss | None:
    """What is lost of a ledger that is restored up to one seq and known up to another; None when nothing is.

    Args:
        account: Whose.
        restored: The last seq that comes back.
        known: The last seq that anything knows of.
        frames: Those behind ``restored`` that can be read, in any order, some perhaps twice.
        of_another_history: Whether what comes back behind ``restored`` is something else.
    """
    if known <= restored:
        return None
    kinds: Counter[str] = Counter()
    recorded, happened = 0, 0
    read: set[int] = set()
    for frame in frames:
        for seq, event in enumerate(decode(frame.body), frame.first):
            if restored < seq <= known and seq not in read:
                read.add(seq)
                kinds[kind_of(event)] += 1
                recorded = max(recorded, frame.recorded_at)
                happened = max(happened, getattr(event, "venue_time", 0))
    unread = known - restored - len(read)
    first = Seq(restored + 1)
    return Loss(account, first, known, kinds, unread, recorded or None, happened or None, of_another_history)


def refuse_unless_accepted(losses: Sequence[Loss], accepted: int) -> None:
    """Let a restore go on only if somebody said that so many events may be lost.

    Raises:
        EventsWouldBeLost: More would be; the message says how many and which.
    """
    count = sum(lost.count for lost in losses)
    if count <= accepted:
        return
    sentences = [lost.sentence() for lost in losses[:SHOWN_MAX]]
    if len(losses) > SHOWN_MAX:
        sentences.append(f"and {len(losses) - SHOWN_MAX} more ledgers")
    raise EventsWouldBeLost(
        f"{count} acknowledged events would be lost. {'; '.join(sentences)}.",
        remedy=f"Restore a later point, or accept the loss with --accept-loss {count}. Nothing was written.",
    )
