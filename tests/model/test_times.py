"""Nanoseconds and their RFC 3339 text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.model.errors import BadInput
from trueup.model.times import NS_PER_SECOND, format_time, from_ms, parse_time

DAY = 86_400 * NS_PER_SECOND


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-02T00:00:00.5Z", DAY + NS_PER_SECOND // 2),
        ("1970-01-02t00:00:00.000000001z", DAY + 1),
        ("1970-01-02 02:30:00+02:30", DAY),
        ("1970-01-01T22:00:00-02:00", DAY),
        ("1970-01-01T00:00:00.1234567899999Z", 123_456_789),
        ("1969-12-31T23:59:59.9Z", -100_000_000),
    ],
)
def test_times_that_are_read(text: str, nanoseconds: int) -> None:
    assert parse_time(text, "time") == nanoseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-13-01T00:00:00Z",
        "1970-02-30T00:00:00Z",
        "1970-01-01T25:00:00Z",
        "1970-01-01T00:00:60Z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00+0200",
        "1970-01-01T00:00:00Z ",
        "\u0661970-01-01T00:00:00Z",
    ],
)
def test_times_that_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="RFC 3339") as refusal:
        parse_time(text, "time")
    assert (refusal.value.field, refusal.value.value) == ("time", text)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (NS_PER_SECOND // 2, "1970-01-01T00:00:00.500Z"),
        (1_000, "1970-01-01T00:00:00.000001Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (-62_135_596_800 * NS_PER_SECOND, "0001-01-01T00:00:00Z"),
    ],
)
def test_as_many_digits_as_needed(nanoseconds: int, text: str) -> None:
    assert format_time(nanoseconds) == text


@given(st.integers(-(10**18), 10**19))
def test_a_time_reads_back_as_the_same_time(nanoseconds: int) -> None:
    assert parse_time(format_time(nanoseconds), "time") == nanoseconds


def test_milliseconds() -> None:
    assert from_ms(1_500) == 1_500_000_000
