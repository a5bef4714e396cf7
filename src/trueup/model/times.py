"""Times as whole nanoseconds since 1970-01-01T00:00:00Z, and their RFC 3339 text.

Integers because venues count finer than ``datetime`` does, and because they compare fast and exactly.
"""

import re
from datetime import UTC, datetime, timedelta

from trueup.model.errors import BadInput

NS_PER_SECOND = 1_000_000_000
NS_PER_MS = 1_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def from_ms(milliseconds: int) -> int:
    """Nanoseconds from whole milliseconds."""
    return milliseconds * NS_PER_MS


def parse_time(text: str, field: str) -> int:
    """Nanoseconds from RFC 3339 text with a zone, such as ``2026-11-21T09:30:00.5Z``; finer digits are cut.

    Raises:
        BadInput: Not such a text, or no such day or hour.
    """
    match = _RFC3339.fullmatch(text)
    if match is not None:
        day, clock, fraction, zone = match.groups()
        try:
            moment = datetime.fromisoformat(f"{day}T{clock}{zone.upper().replace('Z', '+00:00')}")
        except ValueError:
            pass
        else:
            seconds = (moment - _EPOCH) // timedelta(seconds=1)
            return seconds * NS_PER_SECOND + int((fraction or "0").ljust(9, "0"))
    raise BadInput(field, text, "not an RFC 3339 time with a zone", remedy='Write it like "2026-11-21T09:30:00Z".')


def format_time(nanoseconds: int) -> str:
    """RFC 3339 in UTC with as many digits as needed, in groups of three: ``2026-11-21T09:30:00.500Z``."""
    seconds, fraction = divmod(nanoseconds, NS_PER_SECOND)
    text = (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()
    digits = f"{fraction:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{text}.{digits}Z" if digits else f"{text}Z"
