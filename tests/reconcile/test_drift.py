"""Residuals within tolerance: those that go both ways are rounding, those that go one way are a break."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trueup.reconcile.drift import RUN_MAX, Drift, drifted

D = Decimal


def over(*residuals: str | int | Decimal) -> Drift:
    drift = Drift()
    for residual in residuals:
        drift = drifted(drift, D(residual))
    return drift


def test_one_way_for_too_long_is_a_break_however_small() -> None:
    steps = [D(number).scaleb(-8) for number in range(1, RUN_MAX + 2)]
    assert not over(*steps[:-1]).is_break
    assert over(*steps).is_break
    assert over(*steps).amount == D(RUN_MAX + 1).scaleb(-8)
    assert over(*(-step for step in steps)).is_break


def test_a_step_back_begins_a_new_run() -> None:
    assert over(1, 2, 3, "2.5") == Drift(D("2.5"), 1, D(3))
    assert over(1, 2, 3, "2.5").amount == D("-0.5")


def test_cuts_at_which_nothing_changed_count_neither_way() -> None:
    assert over(1, 1, 2, 2, 2, 3).run == 3


@given(st.lists(st.integers(-9, 9), max_size=100))
def test_the_run_is_the_longest_tail_of_one_sign(residuals: list[int]) -> None:
    changes = [new - old for old, new in zip([0, *residuals], residuals, strict=False) if new != old]
    tail = 0
    for change in reversed(changes):
        if (change > 0) is not (changes[-1] > 0):
            break
        tail += 1
    assert over(*residuals).run == tail
    assert over(*residuals).amount == sum(changes[len(changes) - tail :])
