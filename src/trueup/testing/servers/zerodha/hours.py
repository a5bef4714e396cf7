"""Kite's days: from six in the morning to six in the morning, and when the exchanges of India are open in between."""

from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta

from trueup.model.times import NS_PER_SECOND
from trueup.testing.servers.zerodha.wire import INDIA, there

MORNING = time(6)
"""When sessions end, and yesterday's orders and trades are cleared out."""

SQUARE_OFF = time(15, 20)
"""When the broker closes what was bought or sold for the day only."""

Hours = Callable[[str, int], bool]
"""Whether an exchange, by its name, is open at a time in nanoseconds UTC."""

_CASH = (time(9, 15), time(15, 30))
_SESSIONS: Mapping[str, tuple[time, time]] = {"CDS": (time(9), time(17)), "MCX": (time(9), time(23, 30))}
_SATURDAY = 5


def in_india(exchange: str, now: int) -> bool:
    """The exchanges' own hours; of holidays it knows none."""
    local = there(now)
    opens, closes = _SESSIONS.get(exchange, _CASH)
    return local.weekday() < _SATURDAY and opens <= local.time() < closes


def always(_exchange: str, _now: int) -> bool:
    """Open, for a rehearsal at any time."""
    return True


def morning_after(now: int) -> int:
    """The first morning after a time."""
    return following(now, MORNING)


def following(now: int, clock: time) -> int:
    """The next time that clocks in India say so."""
    local = there(now)
    at = datetime.combine(local.date(), clock, INDIA)
    later = at if at > local else at + timedelta(days=1)
    return int(later.timestamp()) * NS_PER_SECOND
