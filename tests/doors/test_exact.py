"""Numbers as people give and compare them."""

from decimal import Decimal

import pytest

from trueup.doors.exact import Exact, exactly, number, shown
from trueup.model.errors import BadInput


@pytest.mark.parametrize(
    ("given", "meant"), [(0.1, "0.1"), (1e-7, "0.0000001"), (1e22, "1e22"), (3, "3"), ("1.50", "1.5")]
)
def test_a_float_is_taken_by_its_shortest_text(given: object, meant: str) -> None:
    assert number(given, "x") == Decimal(meant)


def test_what_was_shown_may_be_given_back() -> None:
    assert type(number(Exact("1.5"), "x")) is Decimal


@pytest.mark.parametrize("given", [float("nan"), float("inf"), True, None, "1_000", "", [], 1e300])
def test_what_is_no_number(given: object) -> None:
    with pytest.raises(BadInput) as refusal:
        number(given, "x")
    assert refusal.value.field == "x"


def test_it_equals_and_orders_as_people_write_numbers() -> None:
    tenth = Exact("0.1")
    assert tenth == 0.1
    assert tenth == Decimal("0.10")
    assert tenth == Exact("0.1")
    assert tenth != 0.2
    assert tenth != "0.1"
    assert Exact(250) == 250.0
    assert Exact(250) == 250
    assert tenth <= 0.1 <= tenth
    assert tenth >= 0.1 >= tenth
    assert 0.09 < tenth < 0.11
    assert 0.11 > tenth > 0
    assert hash(tenth) == hash(Decimal("0.1"))
    assert type(tenth + 1) is Decimal
    assert tenth + Decimal("0.2") == Decimal("0.3")
    with pytest.raises(TypeError):
        _ = tenth < "1"


def test_the_unknown_stays_unknown_and_zeros_that_say_nothing_go() -> None:
    assert shown(None) is None
    assert str(shown(Decimal("1.500"))) == "1.5"
    assert str(exactly(Decimal("1E+3"))) == "1000"
