"""The day's trades, captured before Kite forgets them. What lives only here: when to, and which days were missed.

Kite tells the orders and trades of one trading day, which it forgets the next morning. So each capture reads all of
them, and the cursor says of which day the newest one was and when it was made. A day is complete when it was captured
after the last of its sessions and before the clear-out. One that was not is missed: its fills may be lost to the API,
so it is kept in the cursor and told until it is :data:`TOLD_DAYS` old.

Everything is a function of the cursor, the time and the calendar. The hours of the clear-out are not documented; they
are taken early.
"""

from collections.abc import Collection, Sequence
from datetime import date, time, timedelta

import msgspec

from trueup.model.errors import BadInput
from trueup.model.times import NS_PER_SECOND
from trueup.venues import rows
from trueup.venues.zerodha import calendar, ist
from trueup.venues.zerodha.calendar import Session

DAY_BEGINS = time(6, 0)
"""From then on what Kite lists is of the new day; before, of the one before it."""

CLEARED_FROM = time(5, 0)
"""From then on the lists of the day before may be empty already, so they no longer prove it complete."""

LAST_CALL = time(4, 30)
"""When to capture a day for the last time."""

SETTLED_NS = 10 * 60 * NS_PER_SECOND
"""After a session's end its last trades are listed by then."""

TOLD_DAYS = 30
"""How long a missed day is told of."""

_REMEDY = (
    "What still tells: positions and holdings show what they changed, and the day's tradebook of Zerodha's Console has "
    "them; import it in the generic format."
)


class Missed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trading day whose trades may not all have been captured.

    Attributes:
        day: In India, ``YYYY-MM-DD``.
        captured: When it was captured last, in nanoseconds; 0 for never.
    """

    day: str
    captured: int = 0


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the history is captured.

    Attributes:
        day: The trading day of the newest capture.
        captured: When its lists were asked for, in nanoseconds; 0 where that was begun and not finished.
        missed: Days before it that are not complete, oldest first.
        begins: Whether the history begins with that day, so that what was held then comes first.
    """

    day: str
    captured: int = 0
    missed: tuple[Missed, ...] = ()
    begins: bool = False


def encode(cursor: Cursor) -> str:
    """As the journal keeps it."""
    return msgspec.json.encode(cursor).decode()


def decode(text: str) -> Cursor:
    """Raises :class:`BadInput` for what is not a cursor of Kite."""
    try:
        cursor = msgspec.json.decode(text, type=Cursor)
        _ = [date.fromisoformat(day) for day in (cursor.day, *(one.day for one in cursor.missed))]
    except (msgspec.DecodeError, ValueError) as error:
        raise BadInput(
            "cursor", rows.shown(text), "not a cursor of Kite", remedy="Pull from the start: it tells the present day."
        ) from error
    return cursor


def trading_day(now: int) -> date:
    """The day whose orders and trades Kite lists at a time."""
    today = ist.date_of(now)
    return today if now >= ist.at(today, DAY_BEGINS) else today - timedelta(days=1)


def follows(cursor: Cursor, now: int, markets: Collection[str]) -> Cursor:
    """The cursor with which a capture at a time begins: what is missed by then is in it."""
    today = trading_day(now)
    last = date.fromisoformat(cursor.day)
    if last >= today:
        return cursor
    missed = list(cursor.missed)
    if not complete(last, cursor.captured, markets):
        missed.append(Missed(cursor.day, cursor.captured))
    first = max(last + timedelta(days=1), today - timedelta(days=TOLD_DAYS))
    between = (first + timedelta(days=number) for number in range((today - first).days))
    missed += [Missed(day.isoformat()) for day in between if _sessions(day, markets)]
    oldest = (today - timedelta(days=TOLD_DAYS)).isoformat()
    return Cursor(today.isoformat(), 0, tuple(one for one in missed if one.day >= oldest))


def captured(cursor: Cursor, asked_at: int) -> Cursor:
    """The cursor behind a capture, of lists that were asked for at a time."""
    proves = asked_at < _cleared_from(date.fromisoformat(cursor.day))
    return msgspec.structs.replace(cursor, captured=asked_at) if proves else cursor


def complete(day: date, captured_at: int, markets: Collection[str]) -> bool:
    """Whether a capture of a day at a time held all of its trades; so does none, where nothing was traded."""
    ends = [session.closes for session in _sessions(day, markets)]
    return not ends or max(ends) + SETTLED_NS <= captured_at < _cleared_from(day)


def due(day: date, markets: Collection[str]) -> Sequence[int]:
    """When to capture a day, in nanoseconds: after each session's end, and ahead of the clear-out."""
    ends = {session.closes + SETTLED_NS for session in _sessions(day, markets)}
    return sorted({*ends, ist.at(day + timedelta(days=1), LAST_CALL)}) if ends else ()


def next_capture(now: int, markets: Collection[str]) -> int:
    """When to capture next, in nanoseconds after ``now``."""
    day = trading_day(now)
    days = (day + timedelta(days=number) for number in range(TOLD_DAYS))  # no market is closed for so long
    return next(moment for day in days for moment in due(day, markets) if moment > now)


def warnings(cursor: Cursor | None, now: int, markets: Collection[str]) -> Sequence[str]:
    """What a person has to know: days missed, a day that will be, and a year whose holidays are not known."""
    told = [] if cursor is None else [_told(one) for one in cursor.missed]
    today = trading_day(now)
    if cursor is not None and now >= ist.at(today + timedelta(days=1), time(0, 0)):
        current = follows(cursor, now, markets)
        if not complete(today, current.captured, markets):
            told.append(
                f"Trades of {today} are not all captured, and Kite forgets them from "
                f"{ist.shown(_cleared_from(today))} on: pull now."
            )
    if not calendar.known(today):
        told.append(
            f"The exchanges' holidays of {today.year} are not known to this version: each day is captured as if it "
            "were a trading day, and one that was missed may have been none."
        )
    return told


def _told(missed: Missed) -> str:
    day = date.fromisoformat(missed.day)
    how = "nothing of it was captured"
    if missed.captured:
        how = f"it was last captured at {ist.shown(missed.captured)}, before its sessions were over"
    maybe = "" if calendar.known(day) else " (whether it was a trading day is not known)"
    return f"Trades of {missed.day}{maybe} may be missing: {how}, and Kite has forgotten them. {_REMEDY}"


def _sessions(day: date, markets: Collection[str]) -> Sequence[Session]:
    """Those of a day in some markets; as on a usual day where the year's calendar is not known."""
    found = calendar.sessions(day) if calendar.known(day) else calendar.always(day)
    return [session for session in found if session.market in markets]


def _cleared_from(day: date) -> int:
    return ist.at(day + timedelta(days=1), CLEARED_FROM)
