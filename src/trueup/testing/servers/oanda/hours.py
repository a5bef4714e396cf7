"""When OANDA's markets are open: from Sunday 17:00 to Friday 17:00 in New York."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from trueup.model.times import NS_PER_SECOND

Hours = Callable[[int], bool]
"""Whether markets are open at a time in nanoseconds UTC."""

_NEW_YORK = "America/New_York"
_TURN = 17
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6


def in_new_york(now: int) -> bool:
    """The venue's own hours."""
    there = datetime.fromtimestamp(now // NS_PER_SECOND, ZoneInfo(_NEW_YORK))
    day, evening = there.weekday(), there.hour >= _TURN
    return (day < _FRIDAY) or (day == _FRIDAY and not evening) or (day == _SUNDAY and evening)


def always(_now: int) -> bool:
    """Open, for a rehearsal on any day."""
    return True
