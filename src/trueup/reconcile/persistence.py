"""When a difference is believed: found at several cuts in a row, or waited for too long (domain rule 2.2).

Cuts count, not looks: the same answer read twice proves nothing more. A cut that could not compare the subject neither
confirms nor clears anything.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from trueup.model.differences import Difference, Kind, Status
from trueup.model.times import NS_PER_SECOND

CUTS = 2
"""Consecutive cuts that a difference must persist in."""

APART_NS = 5 * NS_PER_SECOND
"""Cuts that are closer lack the same late fill, so they are one (domain rule 2.2, the window of what is in flight)."""

AT_ONCE = frozenset({Kind.SIDE.value, Kind.STOP_MISSING.value})
"""Kinds that one cut is enough for: the wrong side, or no stop, costs money while one waits."""

IN_FLIGHT_NS_MAX = 60 * NS_PER_SECOND
"""Longest that fills are on their way. An order in flight for longer is itself a break."""


class Belief(StrEnum):
    """What follows from what was seen so far."""

    WAIT = "WAIT"
    CONFIRMED = "CONFIRMED"
    OVERDUE = "OVERDUE"


class Sighting(msgspec.Struct, frozen=True):
    """What was seen of one difference since it was last absent.

    Attributes:
        first_at: Our time when it was first seen, in nanoseconds.
        cuts: Consecutive cuts in which it was a difference that time does not explain.
        cut: The newest cut that it was seen in; None where the venue does not say, and then each look is one.
        pending: Whether that cut left it to time.
        amount: The difference of these cuts, where it is a number: another one is another fill that has not come yet.
    """

    first_at: int
    cuts: int
    cut: int | None
    pending: bool
    amount: Decimal | None = None


def see(before: Sighting | None, found: Difference, cut: int | None, now: int) -> Sighting:
    """The difference was found at a cut. An older cut, the same one, or one right after it adds nothing."""
    first_at = now if before is None else before.first_at
    apart = None if before is None or cut is None or before.cut is None else cut - before.cut
    if before is not None and apart is not None and apart <= 0:
        return before
    if found.status is Status.PENDING:
        return Sighting(first_at, 0, cut, pending=True)
    if before is None or not before.cuts or found.difference != before.amount:
        return Sighting(first_at, 1, cut, pending=False, amount=found.difference)
    if apart is not None and apart < APART_NS:
        return before
    return Sighting(first_at, before.cuts + 1, cut, pending=False, amount=found.difference)


def resumed(first_at: int) -> Sighting:
    """Of a break that was detected before a start: cuts are not kept, so they are counted anew, and its age is not."""
    return Sighting(first_at, 0, None, pending=True)


def belief(
    sighting: Sighting, kind: str, now: int, *, cuts: int = CUTS, in_flight_ns_max: int = IN_FLIGHT_NS_MAX
) -> Belief:
    """Whether a difference is believed by now."""
    if sighting.cuts >= (1 if kind in AT_ONCE else cuts):
        return Belief.CONFIRMED
    return Belief.OVERDUE if now - sighting.first_at > in_flight_ns_max else Belief.WAIT
