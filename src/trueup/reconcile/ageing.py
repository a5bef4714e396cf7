"""How old and how large an unsettled break is, and how far that escalates it (domain rule 2.4)."""

from collections.abc import Sequence
from decimal import Decimal
from enum import IntEnum
from itertools import pairwise

from trueup.book.lifecycle import BreakRecord
from trueup.model.errors import BadInput
from trueup.model.times import NS_PER_SECOND

_MINUTE = 60 * NS_PER_SECOND


class Age(IntEnum):
    """Buckets by the time since a break was detected; a bound belongs to the older bucket."""

    UNDER_A_MINUTE = 0
    UNDER_FIVE_MINUTES = 1
    UNDER_AN_HOUR = 2
    UNDER_A_DAY = 3
    A_DAY_OR_MORE = 4


BOUNDS_NS = (_MINUTE, 5 * _MINUTE, 60 * _MINUTE, 24 * 60 * _MINUTE)
"""Where one bucket ends and the next begins."""


def age(record: BreakRecord, now: int) -> Age:
    """The bucket of a break; that of one which ended is its age at the end."""
    elapsed = (record.moved_at if record.ended else now) - record.detected_at
    return Age(sum(elapsed >= bound for bound in BOUNDS_NS))


def level_due(record: BreakRecord, exposure: Decimal | None, bounds: Sequence[Decimal], now: int) -> int:
    """The level that a break has reached by age or by exposure, whichever is higher; 0 for one that ended.

    Each age bucket after the first is one level, each exposure bound that is reached another. An exposure that is not
    known reaches all of them.

    Args:
        record: The break.
        exposure: What the difference is worth (:func:`trueup.reconcile.tolerance.exposure`); None when unknown.
        bounds: Ascending, in the currency of the exposure.
        now: Our time in nanoseconds.

    Raises:
        BadInput: The bounds do not ascend.
    """
    if any(low >= high for low, high in pairwise(bounds)):
        raise BadInput("bounds", list(bounds), "they do not ascend", remedy="State each once, the smallest first.")
    if record.ended:
        return 0
    reached = len(bounds) if exposure is None else sum(exposure >= bound for bound in bounds)
    return max(age(record, now), reached)
