"""A comparison as the journal keeps it: bounded, with its worst differences if there are very many."""

from collections import Counter
from collections.abc import Sequence

from trueup.model.differences import Break, Comparison, Difference
from trueup.model.events import Compared

BREAKS_MAX = 1_000
"""Differences kept of one comparison: enough for every account that a person can put right, little enough to keep."""

EVIDENCE_MAX = 20
"""Ids kept with each."""


def recorded(comparison: Comparison, source: Sequence[str]) -> Compared:
    """The event that says what a comparison found.

    Args:
        comparison: With the rows of its table, from which the keys are counted by status.
        source: The answers that the venue's side was made from.
    """
    kept = sorted(comparison.differences, key=lambda found: -found.severity)[:BREAKS_MAX]
    counts = Counter(row.status.value for row in comparison.rows)
    return Compared(
        account=comparison.account,
        status=comparison.status.value,
        source=tuple(source),
        cut=comparison.cut,
        compared=comparison.compared,
        counts=tuple(sorted(counts.items())),
        breaks=tuple(map(_break, kept)),
        unlisted=len(comparison.differences) - len(kept),
        not_compared=comparison.not_compared,
    )


def _break(found: Difference) -> Break:
    return Break(
        kind=found.kind.value,
        severity=found.severity.name,
        status=found.status.value,
        subject=found.subject,
        ours=found.ours,
        database=found.database,
        theirs=found.theirs,
        difference=found.difference,
        direction=found.direction,
        evidence=found.evidence[:EVIDENCE_MAX],
    )
