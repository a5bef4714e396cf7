"""When India's exchanges trade, and what is not known of it."""

from datetime import date, timedelta

import pytest

from trueup.model.errors import BadInput
from trueup.model.times import format_time
from trueup.venues.zerodha import calendar, ist
from trueup.venues.zerodha.calendar import COMMODITY, CURRENCY, EQUITY


def hours(day: date) -> dict[str, tuple[str, str]]:
    return {one.market: (ist.shown(one.opens)[11:16], ist.shown(one.closes)[11:16]) for one in calendar.sessions(day)}


def test_a_usual_day_has_the_hours_of_three_markets() -> None:
    found = hours(date(2026, 11, 20))
    assert found == {EQUITY: ("09:00", "16:00"), CURRENCY: ("09:00", "17:00"), COMMODITY: ("09:00", "23:55")}
    (equity, *_) = calendar.sessions(date(2026, 11, 20))
    assert format_time(equity.opens) == "2026-11-20T03:30:00Z"


@pytest.mark.parametrize("day", [date(2026, 11, 21), date(2026, 11, 22), date(2025, 12, 25), date(2026, 1, 26)])
def test_weekends_and_the_great_holidays_have_no_sessions(day: date) -> None:
    assert calendar.sessions(day) == ()


@pytest.mark.parametrize("day", [date(2026, 3, 3), date(2025, 11, 5), date(2026, 1, 15)])
def test_on_other_holidays_commodities_are_traded_in_the_evening(day: date) -> None:
    assert hours(day) == {COMMODITY: ("17:00", "23:55")}


@pytest.mark.parametrize("day", [date(2025, 2, 1), date(2026, 2, 1), date(2025, 10, 21), date(2026, 11, 8)])
def test_budget_days_and_muhurat_trading_are_sessions_on_days_without(day: date) -> None:
    assert EQUITY in hours(day)


def test_the_muhurat_session_of_2025_was_at_noon() -> None:
    assert hours(date(2025, 10, 21))[EQUITY] == ("13:30", "15:15")


def test_each_year_has_as_many_holidays_as_the_circulars_say() -> None:
    for year, holidays in ((2025, 14), (2026, 16)):
        days = (date(year, 1, 1) + timedelta(days=number) for number in range(365))
        weekdays = [day for day in days if day.weekday() < 5]
        assert len([day for day in weekdays if EQUITY not in hours(day) or day == date(2025, 10, 21)]) == holidays


@pytest.mark.parametrize("year", [2024, 2027, 2030])
def test_a_year_that_is_not_known_is_told_and_never_guessed(year: int) -> None:
    assert not calendar.known(date(year, 1, 26))
    with pytest.raises(BadInput, match=f"holidays of {year} are not known"):
        calendar.sessions(date(year, 1, 26))


def test_an_exchange_that_is_not_known_may_be_any_market() -> None:
    assert calendar.markets_of(["NSE", "NFO"]) == {EQUITY}
    assert calendar.markets_of(["NSE", "CDS"]) == {EQUITY, CURRENCY}
    assert calendar.markets_of(["NSE", "NEW"]) == calendar.markets_of([]) == {EQUITY, CURRENCY, COMMODITY}
