"""When a venue that keeps failing is left alone, and when it is tried again."""

import pytest

from trueup.model.errors import Unavailable
from trueup.venues.transport.breaker import FAILURES_MAX, OPEN_MAX_S, OPEN_S, Breaker, State


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> Hand:
    return Hand()


def opened(hand: Hand) -> Breaker:
    breaker = Breaker(hand)
    for _ in range(FAILURES_MAX):
        breaker.admit(urgent=False)
        breaker.failed()
    return breaker


def test_it_opens_after_enough_failures_in_a_row_and_says_for_how_long(hand: Hand) -> None:
    breaker = opened(hand)
    assert breaker.state is State.OPEN
    with pytest.raises(Unavailable, match=rf"failed {FAILURES_MAX} times in a row .* another {OPEN_S:.1f} s"):
        breaker.admit(urgent=False)


def test_a_success_in_between_starts_the_count_again(hand: Hand) -> None:
    breaker = Breaker(hand)
    for _ in range(FAILURES_MAX - 1):
        breaker.failed()
    breaker.succeeded()
    for _ in range(FAILURES_MAX - 1):
        breaker.failed()
    breaker.admit(urgent=False)
    assert breaker.state is State.CLOSED


def test_after_its_time_one_probe_goes_out_at_a_time_and_its_success_closes_it(hand: Hand) -> None:
    breaker = opened(hand)
    hand.now += OPEN_S
    breaker.admit(urgent=False)
    with pytest.raises(Unavailable, match="until the probe under way is answered"):
        breaker.admit(urgent=False)
    breaker.succeeded()
    breaker.admit(urgent=False)
    assert breaker.state is State.CLOSED


def test_a_failed_probe_opens_it_for_twice_as_long_up_to_a_bound(hand: Hand) -> None:
    breaker = opened(hand)
    waited = OPEN_S
    for _ in range(10):
        hand.now += waited
        breaker.admit(urgent=False)
        breaker.failed()
        waited = min(waited * 2, OPEN_MAX_S)
        hand.now += waited - 0.001
        with pytest.raises(Unavailable):
            breaker.admit(urgent=False)
        hand.now += 0.001
        assert breaker.state is State.HALF_OPEN
        hand.now -= waited
    assert waited == OPEN_MAX_S


def test_a_probe_whose_caller_gave_up_lets_the_next_one_go(hand: Hand) -> None:
    breaker = opened(hand)
    hand.now += OPEN_S
    breaker.admit(urgent=False)
    breaker.abandoned()
    breaker.admit(urgent=False)


def test_what_is_urgent_always_goes_out(hand: Hand) -> None:
    breaker = opened(hand)
    breaker.admit(urgent=True)
    hand.now += OPEN_S
    breaker.admit(urgent=False)
    breaker.admit(urgent=True)
