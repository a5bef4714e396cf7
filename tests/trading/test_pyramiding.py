"""Pyramiding by the Turtle rules: vectors A22 and A23, both sides, and where adding ends."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.model.errors import BadInput
from trueup.model.numbers import exact
from trueup.trading.pyramiding import (
    UNITS_MAX,
    Unit,
    average_price,
    next_unit_price,
    open_risk,
    stop_price,
    unit_size,
)

D = Decimal
N = D(2)
LONG = [Unit(D(1), D(price)) for price in (100, 101, 102, 103)]
SHORT = [Unit(D(-1), D(price)) for price in (100, 99, 98, 97)]


def test_a22_unit_is_one_percent_of_equity_rounded_down() -> None:
    with exact():
        assert unit_size(D(1_000_000), D("0.0141"), D(42_000)) == 16


@pytest.mark.parametrize(("units", "average", "stop"), [(LONG, "101.5", 99), (SHORT, "98.5", 101)])
def test_a23_four_units(units: list[Unit], average: str, stop: int) -> None:
    assert average_price(units) == D(average)
    assert stop_price(units, N) == stop
    assert open_risk(units, D(stop), D(1)) == 10
    assert open_risk(units, D(stop), D(50)) == 500


@pytest.mark.parametrize("units", [LONG, SHORT], ids=["long", "short"])
def test_each_unit_is_added_half_an_n_beyond_the_last_fill(units: list[Unit]) -> None:
    for held in range(1, UNITS_MAX):
        assert next_unit_price(units[:held], N) == units[held].price
    assert next_unit_price(units, N) is None, "four units are all"


def test_slippage_moves_the_next_addition_and_the_stop() -> None:
    slipped = [LONG[0], Unit(D(1), D("101.4"))]
    assert next_unit_price(slipped, N) == D("102.4")
    assert stop_price(slipped, N) == D("97.4")


def test_a_stop_beyond_the_entries_locks_in_a_gain() -> None:
    assert open_risk(LONG, D(104), D(1)) == -10


@pytest.mark.parametrize(
    ("sentence", "equity", "expected"),
    [("not enough for one", "5921", 0), ("just enough for one", "59220", 1), ("nothing left", "-5", 0)],
)
def test_unit_size_is_whole_and_never_negative(sentence: str, equity: str, expected: int) -> None:
    assert unit_size(D(equity), D("0.0141"), D(42_000)) == expected, sentence


@pytest.mark.parametrize(("n", "point_value"), [("0", "1"), ("-1", "1"), ("1", "0")])
def test_a_market_that_does_not_move_has_no_unit(n: str, point_value: str) -> None:
    with pytest.raises(BadInput, match="not positive"):
        unit_size(D(1000), D(n), D(point_value))


@given(st.decimals("1", "1e9", places=2), st.decimals("0.0001", "1000", places=4), st.sampled_from([1, 50, 42_000]))
def test_a_unit_risks_at_most_one_percent_for_an_n(equity: Decimal, n: Decimal, point_value: int) -> None:
    with exact():
        size = unit_size(equity, n, D(point_value))
        assert size * n * point_value <= equity / 100 < (size + 1) * n * point_value
