"""What a comparison does to the breaks that are known: which begin, last, wait, come back, or are over.

A break ends only when a comparison that looked at its subject did not find it. One that could not look changes nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec.structs import replace

from trueup.model.differences import Difference, Kind, Status
from trueup.model.times import NS_PER_SECOND
from trueup.reconcile.lifecycle import BreakKey, BreakRecord, Move, State, Step, moved
from trueup.reconcile.persistence import Belief, belief, see

RECURS_WITHIN_NS = 24 * 60 * 60 * NS_PER_SECOND
"""A break that comes back within this time after its end is the same one; afterwards its record is no longer kept."""

BREAK_STATUSES = frozenset({Status.DRIFT, Status.PENDING})
"""What was found; a part that could not be compared is no break, and an average for information is none either."""

ONE_BREAK = dict.fromkeys((Kind.SIDE, Kind.MISSING_OURS, Kind.MISSING_THEIRS), Kind.QTY)
"""Kinds that are one break: while either side trades on, the same error shows as another of them."""

AGREES_AGAIN = "agrees again"
"""The rule that ends a break when a comparison no longer finds it."""

Followed = tuple[dict[BreakKey, BreakRecord], list[tuple[BreakKey, Move]]]
"""The breaks afterwards, and the moves that led there; a break without a move before it has just begun."""


def follow(
    known: Mapping[BreakKey, BreakRecord],
    found: Iterable[Difference],
    *,
    cut: int | None,
    now: int,
    looked_at: Callable[[BreakKey], bool],
    causes: Mapping[BreakKey, tuple[str, tuple[str, ...]]] | None = None,
) -> Followed:
    """Follow every break over one comparison.

    Args:
        known: The breaks of the account before.
        found: What the comparison found.
        cut: The venue's time of its answer.
        now: Our time in nanoseconds.
        looked_at: Whether the comparison held the subject of a break against the venue.
        causes: What corrections since the last comparison booked, by break: the cause and the entries' identities.
    """
    differences = {_key(one): one for one in found if one.status in BREAK_STATUSES}
    after = {key: record for key, record in known.items() if key in differences or not _forgotten(record, now)}
    moves: list[tuple[BreakKey, Move]] = []
    for key, record in list(after.items()):
        if key not in differences and not record.ended and looked_at(key):
            moves.append((key, _over(record, now, (causes or {}).get(key))))
    for key, one in differences.items():
        after[key], steps = _seen(key, known.get(key), one, cut, now)
        moves.extend((key, step) for step in steps)
    for key, move in moves:
        after[key] = moved(after[key], move)
    return after, moves


def _forgotten(record: BreakRecord, now: int) -> bool:
    """Whether a break ended so long ago that it is another one when it comes back."""
    return record.ended and now - record.moved_at > RECURS_WITHIN_NS


def _key(found: Difference) -> BreakKey:
    return found.account, found.subject, ONE_BREAK.get(found.kind, found.kind).value


def _seen(
    key: BreakKey, record: BreakRecord | None, found: Difference, cut: int | None, now: int
) -> tuple[BreakRecord, list[Move]]:
    """A record that has seen the difference, and the moves that follow."""
    if record is not None and _forgotten(record, now):
        record = None
    again = record is not None and record.ended
    sighting = see(None if record is None or again else record.sighting, found, cut, now)
    if record is None:
        record = BreakRecord(key=key, state=State.DETECTED, detected_at=now, moved_at=now, sighting=sighting)
    record = replace(record, sighting=sighting, kind=found.kind.value, severity=found.severity.name)
    return record, list(_steps(record, now, again=again))


def _steps(record: BreakRecord, now: int, *, again: bool) -> Iterator[Move]:
    if again:
        yield Move(step=Step.RECUR, at=now)
    if again or record.state is State.DETECTED:
        believed = belief(record.sighting, record.kind, now)
        if believed is not Belief.WAIT:
            yield Move(step=Step.CONFIRM, at=now, by=believed.value)


def _over(record: BreakRecord, now: int, booked: tuple[str, tuple[str, ...]] | None) -> Move:
    """How a break ends that is no longer found: by what was booked for it, by time alone, or as no one knows why."""
    if booked is not None:
        return Move(step=Step.AUTO_RESOLVE, at=now, by="booked", cause=booked[0], evidence=booked[1])
    if record.state is State.DETECTED:
        return Move(step=Step.EXPIRE, at=now)
    return Move(step=Step.AUTO_RESOLVE, at=now, by=AGREES_AGAIN, cause="UNEXPLAINED")
