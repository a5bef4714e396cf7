"""Whether money is where it should be: each venue's share of the portfolio against its target."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from trueup.model.errors import BadInput
from trueup.model.numbers import ZERO, exact, quotient

TOLERANCE = Decimal("0.05")
"""Drift from here on asks for a rebalancing; what is less is within tolerance."""


class Share(msgspec.Struct, frozen=True):
    """One venue's share.

    Attributes:
        target, actual: Of the whole portfolio; ``actual`` is None where it is not known.
        drift: Their distance.
    """

    venue: str
    target: Decimal
    actual: Decimal | None
    drift: Decimal | None
    tolerance: Decimal = TOLERANCE

    @property
    def within_tolerance(self) -> bool | None:
        """Whether the drift is less than the tolerance, and not equal to it; None where it is not known."""
        return None if self.drift is None else self.drift < self.tolerance


class Allocation(msgspec.Struct, frozen=True):
    """All shares of one moment, in the order of the targets."""

    portfolio_value: Decimal
    shares: Sequence[Share]

    @property
    def rebalance(self) -> Sequence[str]:
        """Venues whose drift asks for a rebalancing."""
        return tuple(one.venue for one in self.shares if one.within_tolerance is False)


def allocation(
    worth: Mapping[str, Decimal | None],
    targets: Mapping[str, Decimal],
    portfolio_value: Decimal,
    tolerance: Decimal = TOLERANCE,
) -> Allocation:
    """Hold the shares of venues against their targets.

    Args:
        worth: What is held at each venue, in the currency of the portfolio's value; None where that is not known.
        targets: Share of each venue, from 0 to 1. A venue without one has a target of 0.
        portfolio_value: Of everything, cash included.
        tolerance: Drift that is too much.

    Raises:
        BadInput: The portfolio's value is not positive.
    """
    if not portfolio_value > ZERO:
        raise BadInput(
            "portfolio_value", portfolio_value, "not a positive amount", remedy="Give the worth of everything you hold."
        )
    venues = dict.fromkeys((*targets, *worth))
    with exact():
        return Allocation(portfolio_value, tuple(_shares(venues, worth, targets, portfolio_value, tolerance)))


def _shares(
    venues: Iterable[str],
    worth: Mapping[str, Decimal | None],
    targets: Mapping[str, Decimal],
    portfolio_value: Decimal,
    tolerance: Decimal,
) -> Iterable[Share]:
    for venue in venues:
        held, target = worth.get(venue, ZERO), targets.get(venue, ZERO)
        actual = None if held is None else quotient(held, portfolio_value)
        yield Share(venue, target, actual, None if actual is None else abs(actual - target), tolerance)
