"""Times as Kite writes them: naive, and in Indian Standard Time (UTC+05:30, which never changes)."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone

from trueup.model.errors import BadInput
from trueup.model.times import NS_PER_SECOND, parse_time
from trueup.venues import rows
from trueup.venues.rows import Row

_FULL = re.compile(r"(\d{4}-\d{2}-\d{2}) \d{2}:\d{2}:\d{2}", re.ASCII)
_CLOCK = re.compile(r"\d{2}:\d{2}:\d{2}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ZONE = "+05:30"
_INDIA = timezone(timedelta(hours=5, minutes=30))
_WRITE = 'Kite writes it like "2026-11-20 09:15:00", in Indian time.'


def moment(row: Row, field: str, day: str = "") -> int:
    """Nanoseconds UTC, from ``YYYY-MM-DD HH:MM:SS``, or from ``HH:MM:SS`` alone where its day is known.

    Args:
        row: With the field.
        field: Which.
        day: ``YYYY-MM-DD``, for a field of which only the clock may be given.

    Raises:
        BadInput: Neither, or no such day or hour.
    """
    text = rows.text(row, field)
    if day and _CLOCK.fullmatch(text):
        text = f"{day} {text}"
    if _FULL.fullmatch(text) is None:
        raise BadInput(field, rows.shown(text), "not a time as Kite writes it", remedy=_WRITE)
    return rows.moment({field: text + _ZONE}, field)


def latest(row: Row, *fields: str) -> int:
    """The latest of the times that are given; raises :class:`BadInput` where there is none."""
    given = [moment(row, field) for field in fields if rows.optional_text(row, field)]
    return max(given) if given else moment(row, fields[0])


def day(row: Row, field: str) -> str:
    """The Indian day, ``YYYY-MM-DD``, of a full time; raises :class:`BadInput` as :func:`moment` does."""
    moment(row, field)
    return rows.text(row, field)[:10]


def end_of_day(row: Row, field: str) -> int:
    """The last nanosecond of a date ``YYYY-MM-DD`` in India."""
    text = rows.text(row, field)
    if _DATE.fullmatch(text) is None:
        raise BadInput(field, rows.shown(text), "not a date", remedy='Kite writes it like "2026-11-26".')
    return parse_time(f"{text}T23:59:59{_ZONE}", field) + NS_PER_SECOND - 1


def date_of(venue_time: int) -> date:
    """The day in India at a time in nanoseconds UTC."""
    return datetime.fromtimestamp(venue_time // NS_PER_SECOND, UTC).astimezone(_INDIA).date()


def at(when: date, clock: time) -> int:
    """Nanoseconds UTC of an hour of a day in India."""
    return int(datetime.combine(when, clock, _INDIA).timestamp()) * NS_PER_SECOND


def shown(venue_time: int) -> str:
    """A time for a person, such as ``2026-11-20 09:15 IST``."""
    return f"{datetime.fromtimestamp(venue_time // NS_PER_SECOND, UTC).astimezone(_INDIA):%Y-%m-%d %H:%M} IST"
