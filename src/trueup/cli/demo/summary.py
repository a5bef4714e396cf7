"""The whole run in numbers: what struck, what was found of it and when, and whether the book is the venues' truth."""

from collections.abc import Sequence
from statistics import median

import msgspec

from trueup.cli.demo.check import AccountCheck
from trueup.cli.demo.record import Detection, Kill, Record
from trueup.model.identifiers import AccountId
from trueup.model.times import NS_PER_MS


class Breaks(msgspec.Struct, frozen=True):
    """Differences that comparisons found; those that booking the missing facts ended; the rest."""

    found: int
    explained: int
    open: int


class FoundFault(msgspec.Struct, frozen=True):
    """A fault that struck.

    Attributes:
        at_ms: Since the venues opened.
        ids: The venue's ids of what it concerned.
        detected_ms: From the strike to the finding; None when it was not found.
        cause, explanation, booked: What the book found, in its own words.
    """

    kind: str
    account: AccountId
    at_ms: int
    ids: Sequence[str]
    detected_ms: int | None
    cause: str
    explanation: str
    booked: str


class FoundKill(msgspec.Struct, frozen=True):
    """A kill and the start after it.

    Attributes:
        unacknowledged: Facts being written when it struck; ``survived`` of them were in the log all the same.
        opened_ms: What it took to verify the logs and to have books and views as they were.
        down_ms: From the kill until books and venues agreed again.
    """

    at_ms: int
    unacknowledged: int
    survived: int
    opened_ms: int
    down_ms: int


class Detected(msgspec.Struct, frozen=True):
    """Times to detect, in milliseconds; None when nothing was detected."""

    median_ms: int | None
    max_ms: int | None


class Summary(msgspec.Struct, frozen=True):
    """The result of a run.

    Attributes:
        ok: Whether book and venues agree in everything, and all that struck was found and explained.
        events: In the journals.
        acknowledged: Facts that the book said were durable.
        lost: Facts of the venues, or acknowledged ones, that are not in the journals.
        doubled: Facts that are in the journals more than once.
        not_struck: Planned faults and kills for which the run was too short, or the machine too busy: no difference.
        problems: All that is wrong, in sentences.
        data: The data directory; None when it was removed.
    """

    ok: bool
    seed: int
    ran_ms: int
    events: int
    fills: int
    acknowledged: int
    lost: int
    doubled: int
    comparisons: int
    breaks: Breaks
    time_to_detect: Detected
    faults: Sequence[FoundFault]
    kills: Sequence[FoundKill]
    not_struck: int
    problems: Sequence[str]
    data: str | None


def summarise(
    record: Record,
    detections: Sequence[Detection],
    checks: Sequence[AccountCheck],
    file_problems: Sequence[str],
    *,
    seed: int,
    began: int,
    ran_ms: int,
    planned: int,
) -> Summary:
    """Put a run into numbers; ``planned`` is how many faults and kills there were to be."""
    faults = [_fault(detection, began) for detection in detections]
    open_breaks = record.breaks - record.explained
    problems = [
        *record.forgotten,
        *(problem for check in checks for problem in check.problems),
        *file_problems,
        *(f"{fault.account}: {fault.kind} was not found" for fault in faults if not fault.explanation),
        *(f"still open: {words}" for words in record.open),
        *([f"{open_breaks} breaks were not explained"] if open_breaks else []),
    ]
    times = [fault.detected_ms for fault in faults if fault.detected_ms is not None]
    return Summary(
        ok=not problems,
        seed=seed,
        ran_ms=ran_ms,
        events=sum(check.events for check in checks),
        fills=sum(check.fills for check in checks),
        acknowledged=sum(map(len, record.acknowledged.values())),
        lost=len(record.forgotten) + sum(len({*check.lost, *check.forgotten}) for check in checks),
        doubled=sum(len(check.doubled) for check in checks),
        comparisons=record.comparisons,
        breaks=Breaks(record.breaks, record.explained, open_breaks),
        time_to_detect=Detected(round(median(times)), max(times)) if times else Detected(None, None),
        faults=faults,
        kills=[_kill(kill, began) for kill in record.kills],
        not_struck=planned - len(faults) - len(record.kills),
        problems=problems,
        data=None,
    )


def _fault(detection: Detection, began: int) -> FoundFault:
    struck, found = detection.struck, detection.found
    at_ms = (struck.time - began) // NS_PER_MS
    if found is None:
        words = "came and went while there was no book" if detection.unseen else ""
        return FoundFault(struck.kind, struck.account, at_ms, struck.ids, None, "", words, "")
    took_ms = (found.at - struck.time) // NS_PER_MS
    told = (str(found.cause), found.explanation, found.booked)
    return FoundFault(struck.kind, struck.account, at_ms, struck.ids, took_ms, *told)


def _kill(kill: Kill, began: int) -> FoundKill:
    at_ms = (kill.at - began) // NS_PER_MS
    return FoundKill(at_ms, len(kill.unacknowledged), kill.survived, kill.opened_ms, kill.down_ms)
