"""The breaks of an account: what the newest comparison found, each break's life, and what came of it.

A comparison is a statement that stays true until another one says otherwise. One that finds the same again is not
recorded again, so that looking every minute does not make the journal grow.
"""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import get_args

from trueup.book.lifecycle import BreakRecord, moved
from trueup.model.breaks import BreakKey
from trueup.model.differences import Break, Status
from trueup.model.errors import BadInput
from trueup.model.events import (
    AdjustmentApproved,
    AdjustmentBooked,
    AdjustmentProposed,
    BreakMoved,
    Compared,
    Corrected,
    Fact,
    Restricted,
)
from trueup.model.facts import order_key
from trueup.model.identifiers import Seq
from trueup.model.times import NS_PER_SECOND

KEPT_NS = 24 * 60 * 60 * NS_PER_SECOND
"""A break that comes back within a day after its end is the same one, and budgets reach back as far; what is older is
in the journal alone."""

BreakEvent = BreakMoved | Corrected | AdjustmentProposed | AdjustmentApproved | Restricted

BREAK_EVENTS: frozenset[type] = frozenset(get_args(BreakEvent))


class Breaks:
    """What is known of breaks.

    Attributes:
        outcome: Of the newest comparison; None while the account was never compared.
        seq: Of the event that says so; 0 without one.
        records: Those that stand, and those that ended within the last day that something happened on.
        corrections: Of that day, oldest first.
        adjustments: Synthetic adjustments that corrections booked, by id: later facts take them back.
        proposed: Adjustments that wait for approval, by break.
        approvals: Keys that approved, by adjustment id.
        restriction: What the breaks forbid; None when nothing was ever forbidden.
    """

    __slots__ = (
        "_adjusted_until", "_ends", "adjustments", "approvals", "corrections", "outcome", "proposed", "records",
        "restriction", "seq",
    )  # fmt: skip

    def __init__(self) -> None:
        self.outcome: Compared | None = None
        self.seq = Seq(0)
        self.records: dict[BreakKey, BreakRecord] = {}
        self.corrections: list[Corrected] = []
        self.adjustments: dict[str, AdjustmentBooked] = {}
        self._adjusted_until = -1
        self.proposed: dict[BreakKey, AdjustmentProposed] = {}
        self.approvals: dict[str, tuple[str, ...]] = {}
        self.restriction: Restricted | None = None
        self._ends: list[tuple[int, BreakKey]] = []  # a heap of when breaks ended: thousands may end at once

    @property
    def followed(self) -> bool:
        """Whether anything beside outcomes is known."""
        known = (self.records, self.corrections, self.adjustments, self.proposed, self.approvals)
        return any(known) or self.restriction is not None

    def record(self, outcome: Compared, seq: Seq) -> None:
        """A comparison came to this outcome."""
        self.outcome, self.seq = outcome, seq

    def told_already(self, outcome: Compared) -> bool:
        """Whether an outcome says no more than the newest one recorded."""
        return self.outcome is not None and _said(self.outcome) == _said(outcome)

    def take_up(self, records: Iterable[BreakRecord], adjustments: dict[str, AdjustmentBooked]) -> None:
        """Go on with breaks and adjustments out of a snapshot."""
        self.adjustments = adjustments
        self._adjusted_until = max((one.venue_time for one in adjustments.values()), default=-1)
        self.records = {one.key: one for one in records}
        self._ends = [(one.moved_at, one.key) for one in self.records.values() if one.ended]
        heapify(self._ends)

    def known(self, at: int) -> dict[BreakKey, BreakRecord]:
        """Those that stand, and those that ended less than a day before a time of ours."""
        return {key: record for key, record in self.records.items() if not _forgotten(record, at)}

    def reached_by(self, facts: Iterable[Fact]) -> bool:
        """Whether any of some facts happened by the cut of an adjustment: only these can have been part of one."""
        until = self._adjusted_until
        return until >= 0 and any(order_key(fact)[0] <= until for fact in facts)

    def refuse(self, event: BreakEvent) -> None:
        """Refuse what does not follow from what is known. Raises :class:`BadInput`."""
        match event:
            case BreakMoved():
                moved(self._standing(event), event)
            case AdjustmentApproved():
                self._refuse_approval(event)
            case _:
                return

    def fold(self, event: BreakEvent) -> None:
        """Fold one decision; it was admitted."""
        match event:
            case BreakMoved():
                self._move(event)
            case Corrected():
                self._forget(event.at)
                self.corrections.append(event)
                self._withdraw((event.subject, event.sort))
                if event.adjustment is not None:
                    self.adjustments[event.adjustment.adjustment_id] = event.adjustment
                    self._adjusted_until = max(self._adjusted_until, event.adjustment.venue_time)
            case AdjustmentProposed():
                self._withdraw((event.subject, event.sort))
                self.proposed[event.subject, event.sort] = event
            case AdjustmentApproved():
                self.approvals[event.adjustment_id] = (*self.approvals.get(event.adjustment_id, ()), event.by)
            case _:
                self.restriction = event

    def _move(self, move: BreakMoved) -> None:
        before = self._standing(move)
        self._forget(move.at)
        after = self.records[move.subject, move.sort] = moved(before, move)
        if after.ended:
            heappush(self._ends, (after.moved_at, after.key))
            self._withdraw(after.key)

    def _standing(self, move: BreakMoved) -> BreakRecord | None:
        """The break that a move is of; one that ended too long ago is another one when it comes back."""
        record = self.records.get((move.subject, move.sort))
        return None if record is not None and _forgotten(record, move.at) else record

    def _forget(self, at: int) -> None:
        while self._ends and at - self._ends[0][0] > KEPT_NS:
            _, key = heappop(self._ends)
            record = self.records.get(key)
            if record is not None and _forgotten(record, at):
                del self.records[key]
        self.corrections = [one for one in self.corrections if at - one.at <= KEPT_NS]

    def _withdraw(self, key: BreakKey) -> None:
        """A proposal is settled, or stands no longer."""
        proposal = self.proposed.pop(key, None)
        if proposal is not None:
            self.approvals.pop(proposal.adjustment.adjustment_id, None)

    def _refuse_approval(self, approval: AdjustmentApproved) -> None:
        proposals = {one.adjustment.adjustment_id for one in self.proposed.values()}
        if approval.adjustment_id not in proposals:
            waiting = ", ".join(sorted(proposals)) or "none"
            raise BadInput(
                "adjustment_id",
                approval.adjustment_id,
                "no such adjustment waits: its numbers changed, or it was booked",
                remedy=f"Waiting are: {waiting}.",
            )
        if not approval.by or approval.by in self.approvals.get(approval.adjustment_id, ()):
            raise BadInput("by", approval.by, "this key approved it already", remedy="Another key must approve it.")


def _forgotten(record: BreakRecord, at: int) -> bool:
    return record.ended and at - record.moved_at > KEPT_NS


def _said(outcome: Compared) -> tuple[object, ...]:
    """What makes an outcome news: its status, and each break as far as it holds still."""
    return outcome.status, outcome.unlisted, sorted(map(_held_still, outcome.breaks))


def _held_still(found: Break) -> tuple[str, ...]:
    """A difference that was found counts with its numbers; the age of an answer, or what is in flight, moves anyway."""
    numbers = (found.ours, found.database, found.theirs, *found.evidence) if found.status == Status.DRIFT else ()
    return (*found.key, found.status, found.severity, *(number or "" for number in numbers))
