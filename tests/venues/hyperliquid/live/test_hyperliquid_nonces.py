"""Nonces rise, are used once, and are not given where the venue would not take them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.model.errors import Unavailable
from trueup.venues.hyperliquid.nonces import AHEAD_MS_MAX, Nonces, nonces_of

NOW = 1_772_446_200_000


@given(st.lists(st.integers(0, AHEAD_MS_MAX // 2), min_size=1))
def test_rise_strictly_and_are_never_behind_the_clock_however_it_jumps(jumps: list[int]) -> None:
    nonces, last = Nonces(), 0
    for jump in jumps:
        nonce = nonces.next(NOW + jump)
        assert nonce >= NOW + jump
        assert nonce > last
        last = nonce


def test_a_clock_that_went_back_by_hours_is_told() -> None:
    nonces = Nonces()
    nonces.next(NOW)
    with pytest.raises(Unavailable, match="clock went back"):
        nonces.next(NOW - AHEAD_MS_MAX - 1)
    assert nonces.next(NOW) == NOW + 1


def test_a_signer_has_one_row_of_them_in_the_whole_process() -> None:
    assert nonces_of("0xABC") is nonces_of("0xabc")
    assert nonces_of("0xabc") is not nonces_of("0xdef")


def test_threads_never_get_the_same() -> None:
    nonces = Nonces()
    with ThreadPoolExecutor(8) as pool:
        given_out = list(pool.map(lambda _: nonces.next(NOW), range(2_000)))
    assert len(set(given_out)) == 2_000
