"""Pyramiding by the Turtle rules (domain rule 3.15): unit size, the next addition, one stop for all, open risk.

N is the 20-day average true range in price units. Units are the fills themselves, oldest first, so that slippage moves
what follows. All functions expect :func:`trueup.model.numbers.exact` to be entered by the caller. Vectors A22 and A23.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from trueup.model.errors import BadInput
from trueup.model.numbers import ONE, ZERO, quotient

RISK = Decimal("0.01")
"""Share of equity that one N of movement may cost a unit."""

STEP = Decimal("0.5")
"""N between a fill and the next addition."""

STOP = Decimal(2)
"""N between the newest unit and the stop of all."""

UNITS_MAX = 4
"""Units in one market."""


class Unit(msgspec.Struct, frozen=True):
    """One filled unit: signed quantity, and the price it was actually filled at."""

    quantity: Decimal
    price: Decimal


def unit_size(equity: Decimal, n: Decimal, point_value: Decimal) -> int:
    """Contracts in a unit, rounded down: one percent of equity over the worth of N.

    Raises:
        BadInput: N or the point value is not positive; no size follows from a market that does not move.
    """
    for field, value in (("n", n), ("point_value", point_value)):
        if value <= ZERO:
            raise BadInput(field, value, "not positive", remedy="Wait for twenty days of prices.")
    return int(max(equity, ZERO) * RISK // (n * point_value))


def next_unit_price(units: Sequence[Unit], n: Decimal) -> Decimal | None:
    """Price at which to add: half an N beyond the last fill; None once there are four units."""
    return None if len(units) >= UNITS_MAX else _beyond(units[-1], STEP * n)


def average_price(units: Sequence[Unit]) -> Decimal:
    """Average entry of all units."""
    return quotient(
        sum((unit.quantity * unit.price for unit in units), ZERO), sum((unit.quantity for unit in units), ZERO)
    )


def stop_price(units: Sequence[Unit], n: Decimal) -> Decimal:
    """The stop of all units: two N behind the newest."""
    return _beyond(units[-1], -STOP * n)


def open_risk(units: Sequence[Unit], stop: Decimal, point_value: Decimal) -> Decimal:
    """What is lost from the entries if the stop fills at its price; negative once it locks in a gain."""
    return sum((unit.quantity * (unit.price - stop) for unit in units), ZERO) * point_value


def _beyond(unit: Unit, distance: Decimal) -> Decimal:
    return unit.price + distance * ONE.copy_sign(unit.quantity)
