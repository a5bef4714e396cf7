"""Exact arithmetic, the one rounding, and numbers that come in as text."""

from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, getcontext, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.model.errors import BadInput
from trueup.model.numbers import DIGITS_MAX, EXACT, bounded, canonical, exact, parse_decimal, quotient

D = Decimal
LONGEST = "9" * DIGITS_MAX
BOUNDED = st.integers(-(10**72) + 1, 10**72 - 1).map(lambda digits: EXACT.scaleb(D(digits), -36))


def test_an_operation_that_would_lose_a_digit_raises() -> None:
    with exact(), pytest.raises(Inexact):
        D(1) / D(3)


def test_a_float_cannot_slip_in() -> None:
    with exact(), pytest.raises(Exception, match="FloatOperation"):
        D("0.1") + D(0.1)


def test_the_context_is_left_as_it_was_found() -> None:
    with localcontext(Context(prec=3)):
        with exact():
            assert getcontext().prec == EXACT.prec
        assert getcontext().prec == 3


def test_the_quotient_rounds_half_to_even_at_28_digits_in_any_context() -> None:
    with localcontext(Context(prec=3)):
        assert quotient(D(1), D(3)) == D("0." + "3" * 28)
        assert quotient(D("1" * 28 + "5"), D(1)) == D("1" * 27 + "20")
        assert quotient(D("1" * 27 + "25"), D(1)) == D("1" * 27 + "20")
    with exact():
        assert quotient(D(2), D(3)) == D("0." + "6" * 27 + "7")


@given(BOUNDED, BOUNDED, BOUNDED, BOUNDED)
def test_products_and_sums_of_bounded_numbers_are_exact(a: Decimal, b: Decimal, c: Decimal, d: Decimal) -> None:
    with exact():
        assert a * b * c * d + a * b - d == d * c * b * a + b * a - d


def test_a_quotient_by_nothing_is_a_programmers_error() -> None:
    with pytest.raises(DivisionByZero):
        quotient(D(1), D(0))
    with pytest.raises(InvalidOperation):
        quotient(D(0), D(0))


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("1", "1"),
        ("-1.50", "-1.50"),
        ("1e-8", "0.00000001"),
        ("12E+3", "12000"),
        (f"{LONGEST}.{LONGEST}", f"{LONGEST}.{LONGEST}"),
        (7, "7"),
        (-(10**35), f"-1{'0' * 35}"),
        (D("2.5"), "2.5"),
    ],
)
def test_numbers_that_are_taken(given: object, number: str) -> None:
    assert parse_decimal(given, "price") == D(number)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "1_000",
        " 1",
        "1\n",
        "+1",
        ".5",
        "1.",
        "1,5",
        "NaN",
        "Infinity",
        "\u0661",
        "\uff11",
        "0x1",
        "1e999",
        f"1{LONGEST}",
        f"0.{LONGEST}9",
        "1e36",
        "1e-37",
        10**36,
        True,
        1.5,
        None,
        b"1",
        D("NaN"),
        D("-Infinity"),
        D("1e36"),
        D("1e-37"),
    ],
)
def test_numbers_that_are_refused(given: object) -> None:
    with pytest.raises(BadInput) as refusal:
        parse_decimal(given, "price")
    assert refusal.value.field == "price"
    assert refusal.value.value == str(given)
    assert refusal.value.remedy


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1.50", "1.5"),
        ("100", "100"),
        ("100.00", "100"),
        ("1E+3", "1000"),
        ("1.5E-9", "0.0000000015"),
        ("-0", "0"),
        ("0E-9", "0"),
        ("-2.0", "-2"),
    ],
)
def test_the_shortest_plain_notation(number: str, text: str) -> None:
    with localcontext(Context(prec=1)):
        assert canonical(D(number)) == text


@given(BOUNDED)
def test_canonical_text_reads_back_as_the_same_value(number: Decimal) -> None:
    assert parse_decimal(canonical(number), "x") == number


@given(st.from_regex(r"-?[0-9]{1,36}(\.[0-9]{1,36})?", fullmatch=True).filter(str.isascii))
def test_plain_digits_are_within_the_bounds_as_they_are_written(text: str) -> None:
    assert str(parse_decimal(text, "price")) == str(Decimal(text))
    assert bounded(parse_decimal(text, "price"))
