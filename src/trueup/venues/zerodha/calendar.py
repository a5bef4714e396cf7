"""When India's exchanges trade: their hours, and the holidays of the years whose calendars are known. Facts only.

Sources: the exchanges' circulars on trading holidays of each year (NSE and BSE for equities, their derivatives and
currencies; MCX for commodities), published in the December before, with what was announced since: the sessions on the
days of the Union Budget, 2025-02-01 and 2026-02-01, Diwali's Muhurat trading, and the closing of 2026-01-15 for
elections in Maharashtra. The calendar of 2027 is published in December 2026 and is not here yet. A year that is not
here is never guessed.

On most holidays of the equity markets the commodity markets are closed until 17:00 and open then. They stay open as
long as New York's day needs them: to 23:30, or to 23:55 in its winter. The later hour is taken all year, since nobody
loses anything by looking later.
"""

from collections.abc import Iterable
from datetime import date, time

import msgspec

from trueup.model.errors import BadInput
from trueup.venues.zerodha import ist

EQUITY, CURRENCY, COMMODITY = "equity", "currency", "commodity"

MARKETS = {
    "NSE": EQUITY,
    "BSE": EQUITY,
    "NFO": EQUITY,
    "BFO": EQUITY,
    "CDS": CURRENCY,
    "BCD": CURRENCY,
    "MCX": COMMODITY,
    "NCO": COMMODITY,
}
"""Whose hours each exchange keeps, by Kite's name of it."""

_HOURS = {
    EQUITY: (time(9, 0), time(16, 0)),  # from the pre-open session to the end of the closing one
    CURRENCY: (time(9, 0), time(17, 0)),
    COMMODITY: (time(9, 0), time(23, 55)),
}
_EVENING = time(17, 0)
_DAY_LONG = (time(9, 0), time(23, 55))

_SATURDAY = 5

_HOLIDAYS = {
    2025: "02-26 03-14 03-31 04-10 04-14 04-18 05-01 08-15 08-27 10-02 10-21 10-22 11-05 12-25",
    2026: "01-15 01-26 03-03 03-26 03-31 04-03 04-14 05-01 05-28 06-26 09-14 10-02 10-20 11-10 11-24 12-25",
}
"""Weekdays on which the equity markets have no usual session, by year."""

_COMMODITIES_CLOSED = {2025: "04-18 08-15 10-02 12-25", 2026: "01-26 04-03 10-02 12-25"}
"""Those on which the commodity markets have no evening session either."""

_SPECIAL = {
    date(2025, 2, 1): _HOURS[EQUITY],  # the Union Budget, a Saturday
    date(2025, 10, 21): (time(13, 30), time(15, 15)),  # Muhurat trading 13:45 to 14:45, with its other sessions
    date(2026, 2, 1): _HOURS[EQUITY],  # the Union Budget, a Sunday
    date(2026, 11, 8): _DAY_LONG,  # Muhurat trading; its hour, told by a later circular, is not known here
}
"""Sessions of all markets on days that have none by the rules above."""


class Session(msgspec.Struct, frozen=True):
    """Hours in which a market trades, in nanoseconds UTC."""

    market: str
    opens: int
    closes: int


def known(day: date) -> bool:
    """Whether the calendar of the day's year is known."""
    return day.year in _HOLIDAYS


def sessions(day: date) -> tuple[Session, ...]:
    """The sessions of a day, of each market at most one; none on a day without.

    Raises:
        BadInput: The calendar of that year is not known.
    """
    if not known(day):
        raise BadInput(
            "day",
            day.isoformat(),
            f"the exchanges' holidays of {day.year} are not known to this version",
            remedy="Look at the exchanges' circulars; a newer version has them.",
        )
    if day in _SPECIAL:
        return tuple(_session(market, day, *_SPECIAL[day]) for market in _HOURS)
    if day.weekday() >= _SATURDAY:
        return ()
    if not _listed(_HOLIDAYS, day):
        return always(day)
    if _listed(_COMMODITIES_CLOSED, day):
        return ()
    return (_session(COMMODITY, day, _EVENING, _HOURS[COMMODITY][1]),)


def always(day: date) -> tuple[Session, ...]:
    """The sessions of a day on which all markets trade as usual."""
    return tuple(_session(market, day, *hours) for market, hours in _HOURS.items())


def markets_of(exchanges: Iterable[str]) -> frozenset[str]:
    """The markets of some exchanges by Kite's names; all of them where one is not known, or none is given."""
    found = [MARKETS.get(name, "") for name in exchanges]
    return frozenset(_HOURS) if not found or "" in found else frozenset(found)


def _session(market: str, day: date, opens: time, closes: time) -> Session:
    return Session(market, ist.at(day, opens), ist.at(day, closes))


def _listed(table: dict[int, str], day: date) -> bool:
    return f"{day:%m-%d}" in table[day.year].split()
