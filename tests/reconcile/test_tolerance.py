"""Tolerances: the bounds are exact, both must hold, and what is unknown does not pass."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reconcile.sides import BTC, XBT
from trueup.model.errors import BadInput
from trueup.model.numbers import exact
from trueup.reconcile.tolerance import DEFAULTS, Tolerance, exposure, round_to_lot

TICK = Decimal("1e-18")
numbers = st.decimals("-1e9", "1e9", places=6)
steps = st.sampled_from([Decimal(text) for text in ("0.001", "0.05", "0.25", "1", "25")])


@pytest.mark.parametrize(
    ("sentence", "tolerance", "limit"),
    [
        ("an absolute bound is that number", Tolerance(absolute=Decimal("0.01")), "0.01"),
        ("a relative bound is a share of the venue's number", Tolerance(relative=Decimal("0.000001")), "0.002"),
        ("lots are steps of the instrument", Tolerance(lots=2), "0.5"),
        ("the widest of them holds", Tolerance(Decimal("0.1"), Decimal("0.001"), lots=3), "2"),
        ("by default nothing passes", DEFAULTS.quantity, "0"),
        ("cash may differ by a cent", DEFAULTS.cash, "0.01"),
    ],
)
def test_the_bound_itself_passes_and_no_more(sentence: str, tolerance: Tolerance, limit: str) -> None:
    theirs, step, bound = Decimal(-2000), Decimal("0.25"), Decimal(limit)
    with exact():
        for sign in (1, -1):
            assert tolerance.allows(sign * bound, theirs, step=step), sentence
            assert not tolerance.allows(sign * (bound + TICK), theirs, step=step), sentence


def test_cash_tolerance_grows_with_the_balance() -> None:
    assert DEFAULTS.cash.allows(Decimal(1), Decimal(1_000_000))
    assert not DEFAULTS.cash.allows(Decimal(1), Decimal(999_999))


@pytest.mark.parametrize(
    ("sentence", "worth", "passes"),
    [
        ("worth as much as is allowed passes", Decimal(50), True),
        ("worth more does not", Decimal(50) + TICK, False),
        ("an unknown worth does not", None, False),
    ],
)
def test_notional_bound_is_a_second_condition(sentence: str, worth: Decimal | None, passes: bool) -> None:
    tolerance = Tolerance(absolute=Decimal(1), notional=Decimal(50))
    assert tolerance.allows(Decimal("0.5"), Decimal(9), worth=worth) is passes, sentence
    assert not tolerance.allows(Decimal(2), Decimal(9), worth=Decimal(0)), "the first condition still holds"
    assert tolerance.allows(Decimal(0), Decimal(9)), "no difference needs no bound"


@pytest.mark.parametrize("bound", [{"absolute": Decimal(-1)}, {"relative": Decimal(-1)}, {"lots": -1}])
def test_a_negative_tolerance_is_refused(bound: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="negative"):
        Tolerance(**bound)


@given(numbers, steps)
def test_rounding_to_lots_is_to_the_nearest_and_even(quantity: Decimal, step: Decimal) -> None:
    with exact():
        rounded = round_to_lot(quantity, step)
        assert rounded % step == 0
        off = abs(quantity - rounded)
        assert 2 * off <= step
        if 2 * off == step:
            assert rounded / step % 2 == 0
        assert round_to_lot(-quantity, step) == -rounded
        assert round_to_lot(rounded, step) == rounded


@pytest.mark.parametrize(("quantity", "rounded"), [("0.5", 0), ("1.5", 2), ("2.5", 2), ("-1.5", -2), ("1.49", 1)])
def test_half_a_lot_goes_to_the_even_one(quantity: str, rounded: int) -> None:
    assert round_to_lot(Decimal(quantity), Decimal(1)) == rounded


def test_without_a_step_nothing_is_rounded() -> None:
    assert round_to_lot(Decimal("0.123"), None) == Decimal("0.123")


@pytest.mark.parametrize(
    ("sentence", "worth", "expected"),
    [
        ("linear: quantity times mark", exposure(BTC, Decimal(-2), Decimal(100)), Decimal(200)),
        ("inverse: a fixed amount of quote", exposure(XBT, Decimal(-2), None), Decimal(2)),
        ("unknown without a mark", exposure(BTC, Decimal(2), None), None),
        ("unknown without terms", exposure(None, Decimal(2), Decimal(100)), None),
    ],
)
def test_exposure(sentence: str, worth: Decimal | None, expected: Decimal | None) -> None:
    assert worth == expected, sentence
