"""The life of a break, as a table: from where, by what, to where (domain rule 2.4).

A break is DETECTED when it is first seen, CONFIRMED when it lasted, OPEN when no rule resolved it, and ends RESOLVED by
a person with cause and evidence, AUTO_RESOLVED by a rule, or EXPIRED_TIMING when it went before it was confirmed.
Nothing here reads a clock or keeps anything: a record and a move give the next record.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from trueup.model.breaks import BreakKey, Share, State, Step
from trueup.model.errors import BadInput
from trueup.model.events import BreakMoved

ENDED = frozenset({State.RESOLVED, State.AUTO_RESOLVED, State.EXPIRED_TIMING})

BELIEVED = (State.CONFIRMED, State.OPEN, State.ACKNOWLEDGED, State.INVESTIGATING)
"""It lasted, and has not ended."""

_STANDING = (State.DETECTED, *BELIEVED)

TRANSITIONS: Mapping[tuple[State | None, Step], State] = {
    (None, Step.DETECT): State.DETECTED,
    (State.DETECTED, Step.CONFIRM): State.CONFIRMED,
    (State.DETECTED, Step.EXPIRE): State.EXPIRED_TIMING,
    (State.CONFIRMED, Step.OPEN): State.OPEN,
    (State.CONFIRMED, Step.ACKNOWLEDGE): State.ACKNOWLEDGED,
    (State.OPEN, Step.ACKNOWLEDGE): State.ACKNOWLEDGED,
    (State.ACKNOWLEDGED, Step.INVESTIGATE): State.INVESTIGATING,
    **{(state, Step.RESOLVE): State.RESOLVED for state in BELIEVED},
    **{(state, Step.AUTO_RESOLVE): State.AUTO_RESOLVED for state in _STANDING},
    **{(state, Step.RECUR): State.DETECTED for state in State if state in ENDED},
    **{(state, step): state for state in _STANDING for step in (Step.CHANGE, Step.NOTE, Step.ASSIGN, Step.ESCALATE)},
}
"""From a state, or from nothing, by a step."""

BY_A_PERSON = frozenset({Step.ACKNOWLEDGE, Step.INVESTIGATE, Step.RESOLVE, Step.NOTE, Step.ASSIGN})
"""Steps that need a name."""

AS_SEEN = frozenset({Step.DETECT, Step.RECUR, Step.CHANGE})
"""Steps that say as what it shows."""

SEEN = ("kind", "severity", "difference", "why", "rest", "worth")
"""What they say."""

NOTES_MAX = 100
"""Notes kept with a break; more belong into a document that a note names."""

NOTE_LENGTH_MAX = 4_000


class BreakRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A break as it stands.

    Attributes:
        detected_at, moved_at: Our times of the first sighting of this occurrence and of the newest change of state.
        kind, severity, difference, why, rest, worth: As what it shows (:class:`trueup.model.events.BreakMoved`).
        recurrences: How often it came back after an end.
        notes: Oldest first, with who wrote them.
        cause, evidence: Why it ended.
        level: How far it was escalated.
    """

    key: BreakKey
    state: State
    detected_at: int
    moved_at: int
    kind: str = ""
    severity: str = ""
    owner: str = ""
    notes: tuple[str, ...] = ()
    recurrences: int = 0
    cause: str = ""
    evidence: tuple[str, ...] = ()
    level: int = 0
    difference: Decimal | None = None
    why: tuple[Share, ...] = ()
    rest: Decimal | None = None
    worth: Decimal | None = None

    @property
    def ended(self) -> bool:
        """Whether it is over, unless it recurs."""
        return self.state in ENDED


def moved(record: BreakRecord | None, move: BreakMoved) -> BreakRecord:
    """The break after a move; None is one that is not known yet.

    Raises:
        BadInput: No such step from this state; a person's step without a name; an end without cause and evidence; a
            level that is no higher; a note that is empty, too long, or one too many.
    """
    stands = None if record is None else record.state
    state = _after(stands, move)
    _check(record, move)
    begins = move.step in {Step.DETECT, Step.RECUR}
    ends = state in ENDED
    before = record or BreakRecord(key=(move.subject, move.sort), state=state, detected_at=move.at, moved_at=move.at)
    seen = {name: getattr(move, name) for name in SEEN} if move.step in AS_SEEN else {}
    return replace(
        before,
        state=state,
        moved_at=before.moved_at if state is stands else move.at,
        detected_at=move.at if begins else before.detected_at,
        recurrences=before.recurrences + (move.step == Step.RECUR),
        owner=move.owner or before.owner or (move.by if move.step == Step.ACKNOWLEDGE else ""),
        notes=(*before.notes, f"{move.by}: {move.note}") if move.note else before.notes,
        cause=move.cause if ends else "" if begins else before.cause,
        evidence=move.evidence if ends else () if begins else before.evidence,
        level=move.level if move.step == Step.ESCALATE else 0 if begins else before.level,
        **seen,
    )


def _after(stands: State | None, move: BreakMoved) -> State:
    possible = [step for at, step in TRANSITIONS if at is stands]
    if move.step not in possible:
        where = "nobody has seen this break" if stands is None else f"the break is {stands}"
        raise BadInput("step", move.step, where, remedy=f"From there: {', '.join(possible)}.")
    return TRANSITIONS[stands, Step(move.step)]


def _check(record: BreakRecord | None, move: BreakMoved) -> None:
    level, notes = (0, ()) if record is None else (record.level, record.notes)
    if move.step in BY_A_PERSON and not move.by:
        raise BadInput("by", "", f"{move.step} is a person's", remedy="Say who.")
    if move.step == Step.NOTE and not move.note:
        raise BadInput("note", "", "there is nothing to note", remedy="Write a note.")
    if move.step == Step.ASSIGN and not move.owner:
        raise BadInput("owner", "", "assigned to nobody", remedy="Name the owner.")
    if move.step == Step.RESOLVE and not (move.cause and move.evidence):
        raise BadInput("cause", move.cause, "resolved without cause and evidence", remedy="Name both.")
    if move.step == Step.AUTO_RESOLVE and not (move.by and move.cause):
        raise BadInput("by", move.by, "resolved by no rule", remedy="Name the rule and the cause.")
    if move.step == Step.ESCALATE and move.level <= level:
        raise BadInput("level", move.level, f"it stands at {level}", remedy="Escalate upwards only.")
    if len(move.note) > NOTE_LENGTH_MAX:
        raise BadInput("note", move.note[:80], f"longer than {NOTE_LENGTH_MAX}", remedy="Name a document.")
    if move.note and len(notes) >= NOTES_MAX:
        raise BadInput("note", move.note[:80], f"there are {NOTES_MAX}", remedy="Name a document.")
