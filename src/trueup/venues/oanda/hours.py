"""When OANDA's markets are closed by plan. What lives only here: the trading week, and the break at each day's roll.

A trading day begins and ends at 17:00 in New York, whatever that is in UTC: financing is paid then, and for some
minutes around it nothing trades. The week ends with Friday's roll and begins with Sunday's. Holidays, and the shorter
hours of single instruments, are the venue's to tell (``tradeable`` of a price, reason ``MARKET_HALTED``).
"""

from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from trueup.model.errors import BadInput
from trueup.model.times import NS_PER_SECOND, format_time

ROLL = time(17)
"""The end of a trading day; of the week on Fridays."""

BREAK_FROM, BREAK_TO = time(16, 58), time(17, 3)
"""Around the roll nothing trades (https://www.oanda.com/us-en/trading/hours-of-operation/)."""

_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6


class Closure(msgspec.Struct, frozen=True):
    """A planned closure.

    Attributes:
        until: When trading goes on, in nanoseconds UTC.
    """

    reason: Literal["weekend", "daily roll"]
    until: int

    def __str__(self) -> str:
        return f"OANDA is closed by plan ({self.reason}) until {format_time(self.until)}"


@cache
def new_york() -> ZoneInfo:
    """New York's clock. Raises :class:`BadInput` where this system has no time zones, as small images have none."""
    name = "America/New_York"
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        raise BadInput(
            "time zone", name, "this system has no time zone data", remedy="Install tzdata: pip install tzdata."
        ) from None


def closure(at: int) -> Closure | None:
    """The planned closure that a time falls into; None while the markets trade.

    Args:
        at: Nanoseconds UTC.
    """
    local = (datetime.fromtimestamp(at // NS_PER_SECOND, UTC)).astimezone(new_york())
    day, clock = local.weekday(), local.time()
    weekend = (day == _FRIDAY and clock >= ROLL) or day == _SATURDAY or (day == _SUNDAY and clock < ROLL)
    if not weekend and not BREAK_FROM <= clock < BREAK_TO:
        return None
    last = local.date() + timedelta(days=max(0, _SUNDAY - day) if weekend or day == _FRIDAY else 0)
    until = datetime.combine(last, BREAK_TO, new_york())
    return Closure("weekend" if weekend else "daily roll", int(until.timestamp()) * NS_PER_SECOND)
