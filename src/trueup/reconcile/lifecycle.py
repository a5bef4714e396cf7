"""The life of a break, as a table: from where, by what, to where (domain rule 2.4).

A break is DETECTED when it is first seen, CONFIRMED when it lasted, OPEN when no rule resolved it, and ends RESOLVED by
a person with cause and evidence, AUTO_RESOLVED by a rule, or EXPIRED_TIMING when it went before it was confirmed.
Nothing here reads a clock or keeps anything: a record and a move give the next record.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

import msgspec

from trueup.model.errors import BadInput
from trueup.reconcile.persistence import Sighting


class State(StrEnum):
    """Where a break is in its life."""

    DETECTED = "DETECTED"
    CONFIRMED = "CONFIRMED"
    OPEN = "OPEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    INVESTIGATING = "INVESTIGATING"
    RESOLVED = "RESOLVED"
    AUTO_RESOLVED = "AUTO_RESOLVED"
    EXPIRED_TIMING = "EXPIRED_TIMING"


class Step(StrEnum):
    """What can happen to a break.

    Attributes:
        CONFIRM: It lasted.
        OPEN: No rule resolved it; it is for people.
        RESOLVE: A person names cause and evidence.
        AUTO_RESOLVE: A rule booked what was missing, or the sides agree again.
        EXPIRE: The sides agree again before it was confirmed.
        RECUR: The same break is back.
        NOTE, ASSIGN, ESCALATE: Leave it where it is.
    """

    CONFIRM = "CONFIRM"
    OPEN = "OPEN"
    ACKNOWLEDGE = "ACKNOWLEDGE"
    INVESTIGATE = "INVESTIGATE"
    RESOLVE = "RESOLVE"
    AUTO_RESOLVE = "AUTO_RESOLVE"
    EXPIRE = "EXPIRE"
    RECUR = "RECUR"
    NOTE = "NOTE"
    ASSIGN = "ASSIGN"
    ESCALATE = "ESCALATE"


ENDED = frozenset({State.RESOLVED, State.AUTO_RESOLVED, State.EXPIRED_TIMING})

_BELIEVED = (State.CONFIRMED, State.OPEN, State.ACKNOWLEDGED, State.INVESTIGATING)

TRANSITIONS: Mapping[tuple[State, Step], State] = {
    (State.DETECTED, Step.CONFIRM): State.CONFIRMED,
    (State.DETECTED, Step.EXPIRE): State.EXPIRED_TIMING,
    (State.CONFIRMED, Step.OPEN): State.OPEN,
    (State.CONFIRMED, Step.ACKNOWLEDGE): State.ACKNOWLEDGED,
    (State.OPEN, Step.ACKNOWLEDGE): State.ACKNOWLEDGED,
    (State.ACKNOWLEDGED, Step.INVESTIGATE): State.INVESTIGATING,
    **{(state, Step.RESOLVE): State.RESOLVED for state in _BELIEVED},
    **{(state, Step.AUTO_RESOLVE): State.AUTO_RESOLVED for state in (State.DETECTED, *_BELIEVED)},
    **{(state, Step.RECUR): State.DETECTED for state in State if state in ENDED},
    **{
        (state, step): state
        for state in (State.DETECTED, *_BELIEVED)
        for step in (Step.NOTE, Step.ASSIGN, Step.ESCALATE)
    },
}

BY_A_PERSON = frozenset({Step.ACKNOWLEDGE, Step.INVESTIGATE, Step.RESOLVE, Step.NOTE, Step.ASSIGN})
"""Steps that need a name."""

NOTES_MAX = 100
"""Notes kept with a break; more belong into a document that a note names."""

NOTE_LENGTH_MAX = 4_000

BreakKey: TypeAlias = tuple[str, str, str]
"""Account, subject, sort of break: which one it is, from one comparison to the next."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One step in the life of a break: what an event of it says.

    Attributes:
        at: Our time in nanoseconds.
        by: The person or the rule.
        note: Free text.
        owner: With ASSIGN, to whom.
        cause: With RESOLVE and AUTO_RESOLVE, why the sides differed.
        evidence: With the same, identities of the facts that show it, or entries booked.
        level: With ESCALATE, the new one.
    """

    step: Step
    at: int
    by: str = ""
    note: str = ""
    owner: str = ""
    cause: str = ""
    evidence: tuple[str, ...] = ()
    level: int = 0


class BreakRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A break as it stands.

    Attributes:
        detected_at, moved_at: Our times of the first sighting of this occurrence and of the newest change of state.
        sighting: How long and how often it was seen.
        kind, severity: Of the newest sighting, by name.
        recurrences: How often it came back after an end.
        notes: Oldest first, with who wrote them.
        level: How far it was escalated.
    """

    key: BreakKey
    state: State
    detected_at: int
    moved_at: int
    sighting: Sighting
    kind: str = ""
    severity: str = ""
    owner: str = ""
    notes: tuple[str, ...] = ()
    recurrences: int = 0
    cause: str = ""
    evidence: tuple[str, ...] = ()
    level: int = 0

    @property
    def ended(self) -> bool:
        """Whether it is over, unless it recurs."""
        return self.state in ENDED


def moved(record: BreakRecord, move: Move) -> BreakRecord:
    """The break after a move.

    Raises:
        BadInput: No such step from this state; a person's step without a name; an end without cause and evidence; a
            level that is no higher; a note that is empty, too long, or one too many.
    """
    state = TRANSITIONS.get((record.state, move.step))
    if state is None:
        steps = ", ".join(step for at, step in TRANSITIONS if at is record.state)
        raise BadInput("step", move.step, f"the break is {record.state}", remedy=f"From there: {steps}.")
    _check(record, move)
    again = move.step is Step.RECUR
    ends = move.step in {Step.RESOLVE, Step.AUTO_RESOLVE}
    return msgspec.structs.replace(
        record,
        state=state,
        moved_at=record.moved_at if state is record.state else move.at,
        detected_at=move.at if again else record.detected_at,
        recurrences=record.recurrences + again,
        owner=move.owner or record.owner or (move.by if move.step is Step.ACKNOWLEDGE else ""),
        notes=(*record.notes, f"{move.by}: {move.note}") if move.note else record.notes,
        cause=move.cause if ends else "" if again else record.cause,
        evidence=move.evidence if ends else () if again else record.evidence,
        level=move.level if move.step is Step.ESCALATE else 0 if again else record.level,
    )


def _check(record: BreakRecord, move: Move) -> None:
    if move.step in BY_A_PERSON and not move.by:
        raise BadInput("by", "", f"{move.step} is a person's", remedy="Say who.")
    if move.step is Step.NOTE and not move.note:
        raise BadInput("note", "", "there is nothing to note", remedy="Write a note.")
    if move.step is Step.ASSIGN and not move.owner:
        raise BadInput("owner", "", "assigned to nobody", remedy="Name the owner.")
    if move.step is Step.RESOLVE and not (move.cause and move.evidence):
        raise BadInput("cause", move.cause, "resolved without cause and evidence", remedy="Name both.")
    if move.step is Step.AUTO_RESOLVE and not (move.by and move.cause):
        raise BadInput("by", move.by, "resolved by no rule", remedy="Name the rule and the cause.")
    if move.step is Step.ESCALATE and move.level <= record.level:
        raise BadInput("level", move.level, f"it stands at {record.level}", remedy="Escalate upwards only.")
    if len(move.note) > NOTE_LENGTH_MAX:
        raise BadInput("note", move.note[:80], f"longer than {NOTE_LENGTH_MAX}", remedy="Name a document.")
    if move.note and len(record.notes) >= NOTES_MAX:
        raise BadInput("note", move.note[:80], f"there are {NOTES_MAX}", remedy="Name a document.")
