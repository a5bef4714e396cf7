"""Planned closures by New York's clock, over both changes of its offset."""

import asyncio
import sys
import zoneinfo
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.oanda.live.loopback import BASE, Loopback, connected
from trueup.model.errors import BadInput, OutcomeUnknown
from trueup.model.times import NS_PER_SECOND, parse_time
from trueup.venues.oanda.hours import closure, new_york


def at(text: str) -> int:
    return parse_time(text, "time")


@pytest.mark.parametrize(
    ("time", "reason", "until"),
    [
        # Winter: New York is UTC-5.
        ("2026-01-09T21:57:59Z", None, None),  # a Friday
        ("2026-01-09T21:58:00Z", "daily roll", "2026-01-11T22:03:00Z"),
        ("2026-01-09T21:59:59.999999999Z", "daily roll", "2026-01-11T22:03:00Z"),
        ("2026-01-09T22:00:00Z", "weekend", "2026-01-11T22:03:00Z"),
        ("2026-01-10T12:00:00Z", "weekend", "2026-01-11T22:03:00Z"),
        ("2026-01-11T04:59:59Z", "weekend", "2026-01-11T22:03:00Z"),  # a Saturday still, in New York
        ("2026-01-11T21:59:59Z", "weekend", "2026-01-11T22:03:00Z"),
        ("2026-01-11T22:00:00Z", "daily roll", "2026-01-11T22:03:00Z"),
        ("2026-01-11T22:03:00Z", None, None),
        ("2026-01-12T21:58:00Z", "daily roll", "2026-01-12T22:03:00Z"),
        ("2026-01-12T22:03:00Z", None, None),
        # Summer: UTC-4.
        ("2026-07-10T20:59:59Z", "daily roll", "2026-07-12T21:03:00Z"),
        ("2026-07-10T21:00:00Z", "weekend", "2026-07-12T21:03:00Z"),
        ("2026-07-10T22:00:00Z", "weekend", "2026-07-12T21:03:00Z"),
        ("2026-07-12T21:03:00Z", None, None),
        ("2026-07-15T20:58:00Z", "daily roll", "2026-07-15T21:03:00Z"),
        ("2026-07-15T22:00:00Z", None, None),
        # The clocks go forward on Sunday 8 March: the weekend is an hour short.
        ("2026-03-06T22:00:00Z", "weekend", "2026-03-08T21:03:00Z"),
        ("2026-03-08T06:59:59Z", "weekend", "2026-03-08T21:03:00Z"),
        ("2026-03-08T07:00:00Z", "weekend", "2026-03-08T21:03:00Z"),
        ("2026-03-08T21:03:00Z", None, None),
        # And back on Sunday 1 November: an hour more.
        ("2026-10-30T21:00:00Z", "weekend", "2026-11-01T22:03:00Z"),
        ("2026-11-01T05:30:00Z", "weekend", "2026-11-01T22:03:00Z"),
        ("2026-11-01T06:30:00Z", "weekend", "2026-11-01T22:03:00Z"),
        ("2026-11-01T21:30:00Z", "weekend", "2026-11-01T22:03:00Z"),
        ("2026-11-01T22:03:00Z", None, None),
    ],
)
def test_the_trading_week(time: str, reason: str | None, until: str | None) -> None:
    found = closure(at(time))
    assert (found and found.reason) == reason
    assert (found and found.until) == (until and at(until))


@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_a_closure_ends_when_it_says_and_not_before(moment: datetime) -> None:
    now = int(moment.replace(tzinfo=UTC).timestamp()) * NS_PER_SECOND
    found = closure(now)
    if found is not None:
        assert now < found.until
        assert closure(found.until) is None
        assert closure(found.until - 1) is not None
        ends = datetime.fromtimestamp(found.until // NS_PER_SECOND, UTC).astimezone(new_york())
        assert (ends.hour, ends.minute) == (17, 3)
        assert found.until - now <= int(timedelta(days=2, hours=2).total_seconds()) * NS_PER_SECOND


class Standing:
    """A clock that shows one time."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return 0.0


@pytest.mark.parametrize(("now", "planned"), [("2026-01-10T12:00:00Z", True), ("2026-01-12T12:00:00Z", False)])
def test_no_answer_in_a_planned_closure_says_so(now: str, planned: bool) -> None:
    async def story() -> None:
        loopback = Loopback()
        loopback.say(f"PUT {BASE}/orders/14/cancel", (503, b""))
        async with connected(loopback, clock=Standing(at(now))) as venue:
            with pytest.raises(OutcomeUnknown) as unknown:
                await venue.cancel("EUR/USD", "14")
        told = "OANDA is closed by plan (weekend) until 2026-01-11T22:03:00Z." in unknown.value.remedy
        assert told is planned

    asyncio.run(story())


def test_without_time_zones_it_is_not_begun_and_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connecting() -> None:
        async with connected(Loopback()):
            pass

    monkeypatch.setitem(sys.modules, "tzdata", None)
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    new_york.cache_clear()
    try:
        with pytest.raises(BadInput, match="pip install tzdata"):
            asyncio.run(connecting())
    finally:
        zoneinfo.reset_tzpath()
