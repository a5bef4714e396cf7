"""How reconciling does: runs by outcome, and how long breaks took to be found and to be put right, by cause."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import msgspec

from trueup.model import events as e
from trueup.model.breaks import BreakKey, Step
from trueup.model.facts import fact_key, order_key

ENDS = frozenset({Step.RESOLVE.value, Step.AUTO_RESOLVE.value, Step.EXPIRE.value})
PASSED = "PASSED"
"""The cause of what time alone put right."""


class Times(msgspec.Struct, frozen=True):
    """How long something took, in nanoseconds; None where nothing tells."""

    count: int = 0
    median_ns: int | None = None
    longest_ns: int | None = None


class Statistics(msgspec.Struct, frozen=True):
    """What a span of the journal tells.

    Attributes:
        runs: Reconciliations by outcome, as far as they were counted.
        success: Share of those that could compare everything they asked for; None without any.
        detected: Breaks that were seen for the first time, or again.
        ended: Breaks by the cause of their end.
        to_detect: From when a missing fact happened at the venue to when its break was seen.
        to_correct: From when a break was seen to its end, by cause.
    """

    runs: Mapping[str, int]
    success: float | None
    detected: int
    ended: Mapping[str, int]
    to_detect: Times
    to_correct: Mapping[str, Times]


def statistics(told: Iterable[e.Event]) -> Statistics:
    """What some events of one account tell, oldest first."""
    counting = _Counting()
    for event in told:
        counting.count(event)
    return counting.told()


class _Counting:
    def __init__(self) -> None:
        self._runs: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()
        self._detected = 0
        self._seen: dict[BreakKey, int] = {}
        self._happened: dict[str, int] = {}
        self._to_detect: list[int] = []
        self._to_correct: dict[str, list[int]] = {}

    def count(self, event: e.Event) -> None:
        match event:
            case e.ReconciliationsCounted():
                self._runs.update(dict(event.outcomes))
            case e.BreakMoved():
                self._move(event)
            case _:
                key = fact_key(event)
                if key is not None and not isinstance(event, e.InstrumentDefined):
                    self._happened[key] = order_key(event)[0]  # type: ignore[arg-type]  # a fact: it has a key

    def _move(self, move: e.BreakMoved) -> None:
        key = move.subject, move.sort
        if move.step in {Step.DETECT, Step.RECUR}:
            self._detected += 1
            self._seen[key] = move.at
        elif move.step in ENDS:
            cause = move.cause or PASSED
            self._ended[cause] += 1
            seen = self._seen.pop(key, None)
            if seen is not None:
                self._to_correct.setdefault(cause, []).append(move.at - seen)
                times = [self._happened[name] for name in move.evidence if name in self._happened]
                if times and min(times) <= seen:
                    self._to_detect.append(seen - min(times))

    def told(self) -> Statistics:
        runs = sum(self._runs.values())
        compared = runs - self._runs["FAILED"]
        return Statistics(
            dict(sorted(self._runs.items())),
            compared / runs if runs else None,
            self._detected,
            dict(sorted(self._ended.items())),
            _times(self._to_detect),
            {cause: _times(taken) for cause, taken in sorted(self._to_correct.items())},
        )


def _times(taken: Sequence[int]) -> Times:
    return Times(len(taken), round(median(taken)), max(taken)) if taken else Times()
