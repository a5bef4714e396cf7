"""The breaks of an account: what the newest comparison with its venue found, and when a comparison says something new.

A comparison is a statement that stays true until another one says otherwise. One that finds the same again is not
recorded again, so that looking every minute does not make the journal grow.
"""

from trueup.model.differences import Break, Status
from trueup.model.events import Compared
from trueup.model.identifiers import Seq


class Breaks:
    """The newest outcome of a comparison.

    Attributes:
        outcome: None while the account was never compared.
        seq: Of the event that says so; 0 without one.
    """

    __slots__ = ("outcome", "seq")

    def __init__(self) -> None:
        self.outcome: Compared | None = None
        self.seq = Seq(0)

    def record(self, outcome: Compared, seq: Seq) -> None:
        """A comparison came to this outcome."""
        self.outcome, self.seq = outcome, seq

    def told_already(self, outcome: Compared) -> bool:
        """Whether an outcome says no more than the newest one recorded."""
        return self.outcome is not None and _said(self.outcome) == _said(outcome)


def _said(outcome: Compared) -> tuple[object, ...]:
    """What makes an outcome news: its status, and each break as far as it holds still."""
    return outcome.status, outcome.unlisted, sorted(map(_held_still, outcome.breaks))


def _held_still(found: Break) -> tuple[str, ...]:
    """A difference that was found counts with its numbers; the age of an answer, or what is in flight, moves anyway."""
    numbers = (found.ours, found.database, found.theirs, *found.evidence) if found.status == Status.DRIFT else ()
    return (*found.key, found.status, found.severity, *(number or "" for number in numbers))
