"""When a day is captured, which days count as missed, and what a person is told of it."""

from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.model.errors import BadInput
from trueup.venues.zerodha import calendar, capture, ist
from trueup.venues.zerodha.capture import Cursor, Missed

FRIDAY, SATURDAY, MONDAY = date(2026, 11, 20), date(2026, 11, 21), date(2026, 11, 23)
EQUITY = frozenset({calendar.EQUITY})
ALL = calendar.markets_of(())

MOMENTS = st.integers(ist.at(date(2025, 1, 2), time(0)), ist.at(date(2028, 12, 30), time(0)))
MARKETS = st.sets(st.sampled_from(sorted(ALL)), min_size=1)


def clock(day: date, text: str) -> int:
    return ist.at(day, time.fromisoformat(text))


def shown(moments: list[int]) -> list[str]:
    return [ist.shown(moment)[5:16] for moment in moments]


def test_a_trading_day_lasts_until_the_next_morning() -> None:
    assert capture.trading_day(clock(FRIDAY, "06:00")) == FRIDAY
    assert capture.trading_day(clock(SATURDAY, "05:59")) == FRIDAY


def test_a_day_is_captured_after_each_session_and_ahead_of_the_clear_out() -> None:
    assert shown(list(capture.due(FRIDAY, ALL))) == ["11-20 16:10", "11-20 17:10", "11-21 00:05", "11-21 04:30"]
    assert shown(list(capture.due(FRIDAY, EQUITY))) == ["11-20 16:10", "11-21 04:30"]
    assert capture.due(SATURDAY, ALL) == ()


def test_the_next_capture_is_found_over_nights_and_weekends() -> None:
    now = clock(FRIDAY, "09:00")
    found = []
    for _ in range(4):
        now = capture.next_capture(now, EQUITY)
        found.append(now)
    assert shown(found) == ["11-20 16:10", "11-21 04:30", "11-23 16:10", "11-24 04:30"]


@given(MOMENTS, MARKETS)
def test_who_captures_when_due_completes_every_day(now: int, markets: set[str]) -> None:
    day = capture.trading_day(now)
    cursor = Cursor(day.isoformat(), 0)
    for _ in range(12):
        now = capture.next_capture(now, markets)
        cursor = capture.captured(capture.follows(cursor, now, markets), now)
    later = capture.follows(cursor, ist.at(date.fromisoformat(cursor.day) + timedelta(days=1), time(7)), markets)
    assert not [one for one in later.missed if day.isoformat() < one.day < cursor.day]


@given(MOMENTS, MARKETS, st.integers(0, 10))
def test_every_trading_day_between_two_captures_is_missed_or_complete(now: int, markets: set[str], days: int) -> None:
    day = capture.trading_day(now)
    cursor = capture.captured(Cursor(day.isoformat()), now)
    later = ist.at(day + timedelta(days=days + 1), time(7))
    told = {one.day for one in capture.follows(cursor, later, markets).missed}
    for number in range(days + 1):
        one = day + timedelta(days=number)
        whole = number == 0 and capture.complete(day, cursor.captured, markets)
        assert (one.isoformat() in told) == (bool(capture.due(one, markets)) and not whole)


def test_a_day_that_was_captured_before_its_end_is_missed_from_then_on() -> None:
    begun = capture.captured(Cursor(FRIDAY.isoformat()), clock(FRIDAY, "15:40"))
    monday = capture.follows(begun, clock(MONDAY, "09:00"), EQUITY)
    assert monday == Cursor(MONDAY.isoformat(), 0, (Missed(FRIDAY.isoformat(), clock(FRIDAY, "15:40")),))
    (told,) = capture.warnings(monday, clock(MONDAY, "09:00"), EQUITY)
    assert "Trades of 2026-11-20 may be missing: it was last captured at 2026-11-20 15:40 IST" in told
    assert "positions and holdings" in told
    assert "tradebook" in told


def test_a_day_that_was_captured_after_its_end_is_complete() -> None:
    whole = capture.captured(Cursor(FRIDAY.isoformat()), clock(FRIDAY, "16:10"))
    assert capture.follows(whole, clock(MONDAY, "09:00"), EQUITY).missed == ()
    assert capture.follows(whole, clock(MONDAY, "09:00"), ALL).missed  # commodities were traded on


def test_lists_that_may_be_cleared_prove_nothing() -> None:
    begun = capture.captured(Cursor(FRIDAY.isoformat()), clock(FRIDAY, "15:40"))
    assert capture.captured(begun, clock(SATURDAY, "05:30")) == begun
    assert capture.captured(begun, clock(SATURDAY, "04:30")).captured == clock(SATURDAY, "04:30")


def test_a_day_on_which_nothing_was_captured_is_told_by_its_name() -> None:
    whole = capture.captured(Cursor("2026-11-18"), clock(date(2026, 11, 18), "23:59"))
    friday = capture.follows(whole, clock(FRIDAY, "08:00"), EQUITY)
    assert friday.missed == (Missed("2026-11-19"),)
    (told,) = capture.warnings(friday, clock(FRIDAY, "08:00"), EQUITY)
    assert told.startswith("Trades of 2026-11-19 may be missing: nothing of it was captured")


def test_at_night_a_day_that_is_not_whole_is_called_for() -> None:
    begun = capture.captured(Cursor(FRIDAY.isoformat()), clock(FRIDAY, "15:40"))
    assert capture.warnings(begun, clock(FRIDAY, "15:45"), EQUITY) == []
    (told,) = capture.warnings(begun, clock(SATURDAY, "01:00"), EQUITY)
    assert "Trades of 2026-11-20 are not all captured, and Kite forgets them from 2026-11-21 05:00 IST on" in told


def test_missed_days_are_told_for_a_month() -> None:
    cursor = Cursor(FRIDAY.isoformat(), clock(FRIDAY, "23:59"), (Missed("2026-10-01"), Missed("2026-11-02")))
    assert capture.follows(cursor, clock(MONDAY, "09:00"), EQUITY).missed == (Missed("2026-11-02"),)


def test_in_a_year_without_a_calendar_each_day_may_be_a_trading_day_and_that_is_told() -> None:
    republic_day = date(2028, 1, 26)
    now = clock(date(2028, 1, 27), "09:00")
    assert capture.due(republic_day, EQUITY)
    cursor = capture.follows(Cursor("2028-01-25", clock(date(2028, 1, 25), "23:59")), now, EQUITY)
    missed, unknown = capture.warnings(cursor, now, EQUITY)
    assert "2028-01-26 (whether it was a trading day is not known)" in missed
    assert "holidays of 2028 are not known" in unknown


def test_a_cursor_is_read_as_it_was_written_and_no_other() -> None:
    cursor = Cursor(FRIDAY.isoformat(), 7, (Missed("2026-11-02", 3),))
    assert capture.decode(capture.encode(cursor)) == cursor
    for text in ('{"day":"2026-13-01"}', "3", "", '{"day":"2026-11-20","places":{}}', '{"day":"x"}'):
        with pytest.raises(BadInput, match="not a cursor of Kite"):
            capture.decode(text)
