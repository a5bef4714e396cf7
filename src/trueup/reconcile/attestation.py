"""The attestation of one day: what was compared with what, what differed, what was done, and what was not seen.

It follows from the journal alone: the events that were recorded on that day and the book as it stood at its end. So
whoever has the journal makes the same report again, to the last letter, and its digest proves that nothing was changed
since it was signed. Each names the digest of the one before (domain rule 2.9).
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b

import msgspec

from trueup.book.breaks import Breaks
from trueup.book.lifecycle import BreakRecord
from trueup.model import events as e
from trueup.model.breaks import Share, Step
from trueup.model.identifiers import AccountId, Seq
from trueup.model.numbers import ZERO, exact
from trueup.model.times import format_time
from trueup.reconcile.ageing import age
from trueup.reconcile.explain.taxonomy import TAXONOMY
from trueup.reconcile.statistics import ENDS, Statistics, statistics

VERSION = 1
"""Of the form of the report: a day is attested in the form of its own time."""


class Cut(msgspec.Struct, frozen=True):
    """One outcome of comparing that was news.

    Attributes:
        recorded_at: When it was put on record.
        cut: Venue time of its snapshot; None where the venue does not say.
        source: Names or hashes of the answers.
        not_compared: What one side did not say: the gaps in what was covered.
    """

    recorded_at: str
    cut: str | None
    status: str
    source: tuple[str, ...]
    compared: int
    counts: Mapping[str, int]
    not_compared: tuple[str, ...]


class Standing(msgspec.Struct, frozen=True):
    """A break that stood at the end of the day."""

    about: str
    kind: str
    severity: str
    state: str
    age: str
    owner: str
    level: int
    difference: Decimal | None
    worth: Decimal | None
    why: tuple[Share, ...]
    rest: Decimal | None


class Done(msgspec.Struct, frozen=True):
    """One correction, with its evidence."""

    at: str
    about: str
    sort: str
    cause: str
    entries: tuple[str, ...]
    adjusted: Decimal
    by: str


class Attestation(msgspec.Struct, frozen=True):
    """The report.

    Attributes:
        first, last: Seqs of the events recorded on the day; zeros without any.
        head: Seq and hash of the newest frame at its end.
        cuts: Outcomes that were news; the last one of the day before first, where it still held.
        gross, net: Worth of the breaks that stood at the end, and how many of them have an unknown one.
        opened, closed: Moves of the day by what they were.
        coverage_gaps: What could not be compared in the newest outcome.
        rules: Versions by name: of the program, of this form, of the table of causes.
        signer: Who issued it.
        previous: Digest of the report issued before.
    """

    version: int
    account: AccountId
    day: str
    first: Seq
    last: Seq
    head: tuple[Seq, str]
    cuts: tuple[Cut, ...]
    gross: Decimal
    net: Decimal
    unknown_worth: int
    standing: tuple[Standing, ...]
    opened: int
    closed: Mapping[str, int]
    corrections: tuple[Done, ...]
    adjustments: tuple[e.AdjustmentBooked, ...]
    approvals: tuple[e.AdjustmentApproved, ...]
    statistics: Statistics
    coverage_gaps: tuple[str, ...]
    rules: Mapping[str, str]
    signer: str
    previous: str

    @property
    def digest(self) -> str:
        """blake2b-256 of the report as canonical JSON, in hexadecimal digits."""
        return blake2b(msgspec.json.encode(self, order="sorted"), digest_size=32).hexdigest()


class Day(msgspec.Struct, frozen=True):
    """What an attestation is made from.

    Attributes:
        told: Seq, time of recording and event, of the day, oldest first.
        before: The newest outcome before the day, with its time of recording.
        breaks: As they stood at its end.
        end: The first nanosecond after it.
    """

    account: AccountId
    day: str
    told: Sequence[tuple[Seq, int, e.Event]]
    before: tuple[int, e.Compared] | None
    breaks: Breaks
    head: tuple[Seq, str]
    end: int


def rules(program: str) -> Mapping[str, str]:
    """What a report of today is made by, as versions by name; ``program`` is the one of the program."""
    return {"program": program, "form": str(VERSION), "causes": _taxonomy_version()}


def attest(day: Day, *, by: Mapping[str, str], signer: str, previous: str) -> Attestation:
    """The attestation of a day.

    Args:
        day: What happened.
        by: The :func:`rules` of the time when it is, or was, issued.
        signer: Who issues it.
        previous: Digest of the report issued before; empty for the first.
    """
    events = [event for _, _, event in day.told]
    standing = [record for _, record in sorted(day.breaks.records.items()) if not record.ended]
    with exact():
        gross, net, unknown = _worth(standing)
    cuts = _cuts(day)
    moves = [event for event in events if isinstance(event, e.BreakMoved)]
    return Attestation(
        VERSION,
        day.account,
        day.day,
        day.told[0][0] if day.told else Seq(0),
        day.told[-1][0] if day.told else Seq(0),
        day.head,
        cuts,
        gross,
        net,
        unknown,
        tuple(_standing(record, day.end) for record in standing),
        sum(move.step in {Step.DETECT, Step.RECUR} for move in moves),
        _closed(moves),
        tuple(_done(event) for event in events if isinstance(event, e.Corrected)),
        tuple(event for event in events if isinstance(event, e.AdjustmentBooked)),
        tuple(event for event in events if isinstance(event, e.AdjustmentApproved)),
        statistics(events),
        cuts[-1].not_compared if cuts else ("everything: the account was never compared",),
        by,
        signer,
        previous,
    )


def _cuts(day: Day) -> tuple[Cut, ...]:
    found = [(at, event) for _, at, event in day.told if isinstance(event, e.Compared)]
    return tuple(_cut(at, event) for at, event in ([day.before] if day.before else []) + found)


def _cut(at: int, outcome: e.Compared) -> Cut:
    return Cut(
        format_time(at),
        None if outcome.cut is None else format_time(outcome.cut),
        outcome.status,
        outcome.source,
        outcome.compared,
        dict(outcome.counts),
        outcome.not_compared,
    )


def _worth(standing: Iterable[BreakRecord]) -> tuple[Decimal, Decimal, int]:
    """Gross and net worth of breaks, the net one signed as the differences are; and how many have no known worth."""
    gross, net, unknown = ZERO, ZERO, 0
    for record in standing:
        if record.worth is None:
            unknown += 1
            continue
        gross += record.worth
        net += record.worth if (record.difference or ZERO) > ZERO else -record.worth
    return gross, net, unknown


def _standing(record: BreakRecord, end: int) -> Standing:
    return Standing(
        record.key[0],
        record.kind,
        record.severity,
        record.state.value,
        age(record, end).name,
        record.owner,
        record.level,
        record.difference,
        record.worth,
        record.why,
        record.rest,
    )


def _closed(moves: Iterable[e.BreakMoved]) -> Mapping[str, int]:
    steps = [move.step for move in moves if move.step in ENDS]
    return {step: steps.count(step) for step in sorted(set(steps))}


def _done(event: e.Corrected) -> Done:
    return Done(format_time(event.at), event.subject, event.sort, event.cause, event.entries, event.adjusted, event.by)


def _taxonomy_version() -> str:
    """Changes whenever a cause, or what is done about one, does."""
    text = "\n".join(f"{cause} {rule.action}" for cause, rule in TAXONOMY.items())
    return blake2b(text.encode(), digest_size=8).hexdigest()
