"""What a comparison does to the breaks that are known: which begin, last, change, come back, or are over.

A break ends only when a comparison that looked at its subject did not find it. One that could not look changes nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal

import msgspec

from trueup.book.lifecycle import SEEN, BreakRecord, moved
from trueup.model.breaks import BreakKey, Share, State, Step
from trueup.model.differences import Difference, Kind, Status
from trueup.model.events import BreakMoved
from trueup.model.identifiers import AccountId
from trueup.reconcile.explain.causes import Explanation
from trueup.reconcile.persistence import Belief, Sighting, belief, resumed, see

BREAK_STATUSES = frozenset({Status.DRIFT, Status.PENDING})
"""What was found; a part that could not be compared is no break, and an average for information is none either."""

ONE_BREAK = dict.fromkeys((Kind.SIDE, Kind.MISSING_OURS, Kind.MISSING_THEIRS), Kind.QTY)
"""Kinds that are one break: while either side trades on, the same error shows as another of them."""

AGREES_AGAIN = "agrees again"
"""The rule that ends a break when a comparison no longer finds it."""

SHARES_MAX, EVIDENCE_MAX = 50, 20
"""Causes kept with a break, and identities with each cause."""

Booked = tuple[str, tuple[str, ...]]
"""What was booked for a break: the cause that it put right, and the identities of the entries."""


class Finding(msgspec.Struct, frozen=True):
    """A difference, what it is put down to, and its exposure; None when unknown."""

    found: Difference
    why: Explanation
    worth: Decimal | None = None


class Followed(msgspec.Struct, frozen=True):
    """What a comparison did to the breaks of an account.

    Attributes:
        moves: In order; each possible where the one before it led.
        sightings: Of the breaks that were not confirmed yet. They need not outlive the process.
    """

    moves: tuple[BreakMoved, ...]
    sightings: Mapping[BreakKey, Sighting]


def break_key(found: Difference) -> BreakKey:
    """Which break a difference is."""
    return found.subject, ONE_BREAK.get(found.kind, found.kind).value


def follow(
    account: AccountId,
    known: Mapping[BreakKey, BreakRecord],
    sightings: Mapping[BreakKey, Sighting],
    findings: Iterable[Finding],
    *,
    cut: int | None,
    now: int,
    looked_at: Callable[[BreakKey], bool],
    booked: Mapping[BreakKey, Booked] | None = None,
) -> Followed:
    """Follow every break over one comparison.

    Args:
        account: Whose breaks.
        known: Those that stand, and those that ended less than a day ago.
        sightings: What earlier comparisons of this process saw of them.
        findings: What the comparison found.
        cut: The venue's time of its answer.
        now: Our time in nanoseconds.
        looked_at: Whether the comparison held the subject of a break against the venue.
        booked: What corrections since the last comparison booked, by break.
    """
    differences = {break_key(one.found): one for one in findings if one.found.status in BREAK_STATUSES}
    seen: dict[BreakKey, Sighting] = {}
    moves = [
        _over(account, record, now, (booked or {}).get(key))
        for key, record in known.items()
        if key not in differences and not record.ended and looked_at(key)
    ]
    for key, one in differences.items():
        record = known.get(key)
        before = sightings.get(key)
        if record is not None and record.state is State.DETECTED:
            before = before or resumed(record.detected_at)
        lasts = record is not None and (not record.ended or record.state is State.RESOLVED)  # a word is no comparison
        seen[key] = see(before if lasts else None, one.found, cut, now)
        moves.extend(_steps(account, record, one, seen[key], now))
    kept = {key: sighting for key, sighting in sightings.items() if key in known and not looked_at(key)}
    return Followed(tuple(moves), {**kept, **seen})


def _steps(
    account: AccountId, record: BreakRecord | None, finding: Finding, sighting: Sighting, now: int
) -> Iterator[BreakMoved]:
    found, why = finding.found, finding.why
    key = break_key(found)
    step = Step.DETECT if record is None else Step.RECUR if record.ended else Step.CHANGE
    shares = tuple(Share(part.cause.value, part.amount, part.evidence[:EVIDENCE_MAX], part.words) for part in why.parts)
    as_seen = BreakMoved(
        account,
        *key,
        step,
        now,
        kind=found.kind.value,
        severity=found.severity.name,
        difference=found.difference,
        why=shares[:SHARES_MAX],
        rest=why.rest,
        worth=finding.worth,
    )
    if step is not Step.CHANGE or _is_news(record, as_seen):
        record = moved(record, as_seen)
        yield as_seen
    if record is not None and record.state is State.DETECTED:
        believed = belief(sighting, found.kind.value, now)
        if believed is not Belief.WAIT:
            yield BreakMoved(account, *key, Step.CONFIRM, now, by=believed.value)


def _is_news(record: BreakRecord | None, as_seen: BreakMoved) -> bool:
    """Whether a break shows as something else; what it is worth moves with the market, and is told with the rest."""
    return any(getattr(record, name) != getattr(as_seen, name) for name in SEEN if name != "worth")


def _over(account: AccountId, record: BreakRecord, now: int, booked: Booked | None) -> BreakMoved:
    """How a break ends that is no longer found: by what was booked for it, by time alone, or as no one knows why."""
    if booked is not None:
        cause, entries = booked
        return BreakMoved(account, *record.key, Step.AUTO_RESOLVE, now, by="booked", cause=cause, evidence=entries)
    if record.state is State.DETECTED:
        return BreakMoved(account, *record.key, Step.EXPIRE, now)
    return BreakMoved(account, *record.key, Step.AUTO_RESOLVE, now, by=AGREES_AGAIN, cause="UNEXPLAINED")
