"""How far a venue's clock is from ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.model.errors import Unavailable
from trueup.model.times import NS_PER_MS
from trueup.venues.transport.skew import SAMPLES, ClockSkew

NOW = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


def test_before_the_first_answer_nothing_is_known_and_nothing_refused() -> None:
    skew = ClockSkew(refused_ms=1)
    assert skew.offset is None
    assert skew.venue_now(NOW) == NOW
    skew.require_close()


def test_the_narrowest_of_the_recent_answers_counts() -> None:
    skew = ClockSkew(refused_ms=10_000)
    skew.answered(NOW, NOW + 3 * SECOND, NOW + 4 * SECOND)
    skew.answered(NOW, NOW + 2 * SECOND, NOW + 10 * NS_PER_MS)
    offset = skew.offset
    assert offset is not None
    assert abs(offset.offset_ns - (2 * SECOND - 5 * NS_PER_MS)) <= NS_PER_MS
    for _ in range(SAMPLES):
        skew.answered(NOW, NOW, NOW + SECOND)
    forgotten = skew.offset
    assert forgotten is not None
    assert forgotten.error_ns > offset.error_ns


@pytest.mark.parametrize("set_by", [30 * SECOND, -30 * SECOND])
def test_a_clock_that_was_set_is_noticed_by_the_next_answer(set_by: int) -> None:
    skew = ClockSkew(refused_ms=10_000)
    skew.answered(NOW, NOW, NOW + 10 * NS_PER_MS)
    skew.require_close()
    skew.answered(NOW + set_by, NOW, NOW + set_by + SECOND)
    assert skew.offset is not None
    assert abs(skew.offset.offset_ns + set_by) <= skew.offset.error_ns
    with pytest.raises(Unavailable):
        skew.require_close()


def test_an_answer_that_came_before_it_was_asked_for_says_nothing() -> None:
    skew = ClockSkew(refused_ms=1)
    skew.answered(NOW, NOW, NOW - 1)
    assert skew.offset is None


@given(
    skew_ns=st.integers(-10 * SECOND, 10 * SECOND),
    trips=st.lists(st.tuples(st.integers(0, SECOND), st.integers(0, SECOND)), min_size=1, max_size=10),
    resolution=st.sampled_from([1, NS_PER_MS, SECOND]),
)
def test_the_true_offset_is_always_within_the_error(
    skew_ns: int, trips: list[tuple[int, int]], resolution: int
) -> None:
    skew = ClockSkew(refused_ms=1)
    for there, back in trips:
        venue_time = NOW + there + skew_ns
        skew.answered(NOW, venue_time - venue_time % resolution, NOW + there + back, resolution)
    offset = skew.offset
    assert offset is not None
    assert abs(offset.offset_ns - skew_ns) <= offset.error_ns


@pytest.mark.parametrize(("ahead", "told"), [(2 * SECOND, "behind"), (-2 * SECOND, "ahead of")])
def test_an_offset_surely_beyond_the_bound_is_refused(ahead: int, told: str) -> None:
    skew = ClockSkew(refused_ms=1_000)
    skew.answered(NOW, NOW + ahead, NOW + NS_PER_MS)
    with pytest.raises(Unavailable, match=told) as refused:
        skew.require_close()
    assert refused.value.remedy == "Nothing was sent. Set the clock by NTP."


def test_an_offset_that_the_error_may_explain_is_not_refused() -> None:
    skew = ClockSkew(refused_ms=1_000)
    skew.answered(NOW, NOW + 3 * SECOND, NOW + 4 * SECOND)
    skew.require_close()
