"""What follows from a comparison: the breaks' next steps, what is booked or proposed for them, what they forbid.

Pure: findings and what the book keeps of breaks in, decisions out, for the ledger to write in one commit. The same
verdict is a dry run where nobody writes it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec

from trueup.book.breaks import Breaks
from trueup.book.lifecycle import BreakRecord, moved
from trueup.model import events as e
from trueup.model.breaks import BreakKey, State, Step
from trueup.model.differences import Status
from trueup.model.facts import fact_key
from trueup.model.identifiers import AccountId
from trueup.reconcile.ageing import level_due
from trueup.reconcile.consequence import Consequence, consequence
from trueup.reconcile.correct import Candidate, Circumstances, Correction, Plan, plan
from trueup.reconcile.following import BREAK_STATUSES, Booked, Finding, break_key, follow
from trueup.reconcile.persistence import Sighting
from trueup.reconcile.policy import Policies

BY_RULE = "policy"
"""Who opens, escalates and corrects without being asked."""


class Looked(msgspec.Struct, frozen=True):
    """What a comparison found, and what it held against the venue.

    Attributes:
        prices: Our and the venue's average entry, by position as differences name it.
        looked_at: Whether the subject of a break was compared.
        booked: What was booked since the comparison before, by break.
    """

    findings: Sequence[Finding]
    looked_at: Callable[[BreakKey], bool]
    prices: Mapping[str, tuple[Decimal | None, Decimal | None]] = msgspec.field(default_factory=dict)
    booked: Mapping[BreakKey, Booked] = msgspec.field(default_factory=dict)


class Verdict(msgspec.Struct, frozen=True):
    """What is to be written.

    Attributes:
        moves: Of the breaks, in order.
        plan: What is booked for them, and why not.
        proposals: Adjustments that wait for approval from now on.
        restriction: What is forbidden from now on; None when that stays as it is.
        sightings: For the next verdict.
    """

    moves: tuple[e.BreakMoved, ...]
    plan: Plan
    proposals: tuple[e.AdjustmentProposed, ...]
    restriction: e.Restricted | None
    sightings: Mapping[BreakKey, Sighting]


def verdict(
    account: AccountId,
    breaks: Breaks,
    sightings: Mapping[BreakKey, Sighting],
    looked: Looked,
    policies: Policies,
    at: Circumstances,
) -> Verdict:
    """What follows from a comparison.

    Args:
        account: Which.
        breaks: What its book keeps of them.
        sightings: What earlier comparisons of this process saw of the unconfirmed ones.
        looked: What was found.
        policies: What may be corrected, when breaks escalate, and when they are critical.
        at: What else decides; the corrections and approvals in it are those of ``breaks``.
    """
    known = breaks.known(at.now)
    followed = follow(
        account,
        known,
        sightings,
        looked.findings,
        cut=at.cut,
        now=at.now,
        looked_at=looked.looked_at,
        booked=looked.booked,
    )
    moves = list(followed.moves)
    records = _after(known, moves)
    planned = plan(tuple(_candidates(looked, records, breaks)), policies, at)
    moves += _opened(account, planned, at.now)
    worths = {key: record.worth for key, record in records.items()}
    worths |= {break_key(one.found): one.worth for one in looked.findings}
    records = _after(known, moves)
    moves += _escalated(account, records.values(), worths, policies, at.now)
    forbidden = consequence(account, records.values(), worths, policies)
    return Verdict(
        tuple(moves),
        planned,
        tuple(_proposals(account, planned, breaks, at.now)),
        _changed(account, forbidden, breaks.restriction, at.now),
        followed.sightings,
    )


def correction_event(account: AccountId, correction: Correction, at: Circumstances) -> e.Corrected:
    """The decision that says what was booked for a break."""
    adjustments = [entry for entry in correction.entries if isinstance(entry, e.AdjustmentBooked)]
    return e.Corrected(
        account,
        *correction.record.key,
        at.now,
        at.author,
        causes_in_words(correction),
        tuple(fact_key(entry) or "" for entry in correction.entries),
        correction.adjusted,
        adjustments[0] if adjustments else None,
    )


def causes_in_words(correction: Correction) -> str:
    """The causes that a correction puts right, as a break's end names them."""
    return " ".join(correction.causes)


def _after(known: Mapping[BreakKey, BreakRecord], moves: Iterable[e.BreakMoved]) -> dict[BreakKey, BreakRecord]:
    records = dict(known)
    for move in moves:
        key = move.subject, move.sort
        records[key] = moved(records.get(key), move)
    return records


def _candidates(looked: Looked, records: Mapping[BreakKey, BreakRecord], breaks: Breaks) -> Iterator[Candidate]:
    """What may be corrected: what differs, and not what is left to time unless that took too long."""
    for finding in looked.findings:
        key = break_key(finding.found)
        if finding.found.status in BREAK_STATUSES and key in records and not _waits(finding, records[key]):
            ours, theirs = looked.prices.get(finding.found.subject, (None, None))
            proposal = breaks.proposed.get(key)
            known = None if proposal is None else proposal.adjustment
            yield Candidate(records[key], finding.found, finding.why, finding.worth, ours, theirs, known)


def _waits(finding: Finding, record: BreakRecord) -> bool:
    return finding.found.status is Status.PENDING and record.state is State.DETECTED


def _opened(account: AccountId, planned: Plan, now: int) -> Iterator[e.BreakMoved]:
    """What lasted and no rule puts right is for people."""
    for held in planned.held:
        if held.record.state is State.CONFIRMED:
            yield e.BreakMoved(account, *held.record.key, Step.OPEN, now, by=BY_RULE)


def _escalated(
    account: AccountId,
    records: Iterable[BreakRecord],
    worths: Mapping[BreakKey, Decimal | None],
    policies: Policies,
    now: int,
) -> Iterator[e.BreakMoved]:
    """By age, and by what they are worth now."""
    for record in records:
        level = level_due(record, worths[record.key], policies.escalate_from, now)
        if level > record.level and record.state is not State.DETECTED:  # what is not believed yet is nobody's alarm
            yield e.BreakMoved(account, *record.key, Step.ESCALATE, now, by=BY_RULE, level=level)


def _proposals(account: AccountId, planned: Plan, breaks: Breaks, now: int) -> Iterator[e.AdjustmentProposed]:
    for held in planned.held:
        known = breaks.proposed.get(held.record.key)
        if held.proposed is not None and (known is None or known.adjustment != held.proposed):
            yield e.AdjustmentProposed(account, *held.record.key, now, held.proposed, held.reason)


def _changed(account: AccountId, forbidden: Consequence, before: e.Restricted | None, now: int) -> e.Restricted | None:
    """The new restriction; None while the same is forbidden, whatever moves in its reasons."""
    instruments = tuple(sorted(forbidden.reduce_only))
    said = instruments, forbidden.account_reduce_only, forbidden.halted
    stands = ((), False, False) if before is None else (before.instruments, before.reduce_only, before.halted)
    return None if said == stands else e.Restricted(account, now, *said, forbidden.reasons)
