"""Adjustments: the price that leads to the venue's average (vectors R1, R2) and an identity that never doubles."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.model.errors import BadInput
from trueup.model.identifiers import AccountId
from trueup.model.numbers import exact
from trueup.reconcile.adjust import adjustment_id, adjustment_price

D = Decimal
MAIN = AccountId("hyperliquid:main")


@pytest.mark.parametrize(
    ("before", "price_before", "after", "price_after", "expected"),
    [
        ("10", "100", "15", "102", "106"),
        ("-100", "1.30", "-200", "1.28", "1.26"),
        ("150", "1.23456", "250", "1.24567", "1.262335"),
    ],
)
def test_r1_same_side(before: str, price_before: str, after: str, price_after: str, expected: str) -> None:
    assert adjustment_price(D(before), D(price_before), D(after), D(price_after)) == D(expected)


@pytest.mark.parametrize(
    ("sentence", "before", "price_before", "after", "price_after", "expected"),
    [
        ("a position that turns opens at the venue's average", "100", "1.20", "-100", "1.25", "1.25"),
        ("a position that closes goes at its own", "100", "1.20", "0", "7", "1.20"),
        ("a position that opens takes the venue's", "0", "7", "-5", "1.25", "1.25"),
    ],
)
def test_r2_across_zero(
    sentence: str, before: str, price_before: str, after: str, price_after: str, expected: str
) -> None:
    assert adjustment_price(D(before), D(price_before), D(after), D(price_after)) == D(expected), sentence


@pytest.mark.parametrize(
    ("sentence", "before", "price_before", "after", "price_after"),
    [
        ("no free contracts", "100", "2", "200", "1"),
        ("no negative price", "100", "2", "200", "0.5"),
        ("nothing changes", "100", "2", "100", "3"),
        ("the venue's price is none", "0", "0", "100", "0"),
    ],
)
def test_r2_refusal(sentence: str, before: str, price_before: str, after: str, price_after: str) -> None:
    with pytest.raises(BadInput):
        adjustment_price(D(before), D(price_before), D(after), D(price_after))


prices = st.decimals("0.01", "1000", places=2)
sizes = st.decimals("0.01", "1000", places=2)


@given(sizes, prices, sizes, prices, st.sampled_from([1, -1]))
def test_on_one_side_it_leads_to_the_venues_average(
    held: Decimal, average: Decimal, more: Decimal, added_at: Decimal, side: int
) -> None:
    with exact():
        after = held + more
        cost = held * average + more * added_at
    average_after = cost / after
    price = adjustment_price(side * held, average, side * after, average_after)
    assert abs(price - added_at) <= D("1e-15") * (cost + 1)


def test_identity_is_that_of_the_change() -> None:
    change = adjustment_id(MAIN, "BTC/USDC:USDC", 7, D("1.50"), D(3))
    assert change == adjustment_id(MAIN, "BTC/USDC:USDC", 7, D("1.5"), D("3.0")), "the same numbers, written otherwise"
    others = [
        adjustment_id(AccountId("hyperliquid:other"), "BTC/USDC:USDC", 7, D("1.5"), D(3)),
        adjustment_id(MAIN, "ETH/USDC:USDC", 7, D("1.5"), D(3)),
        adjustment_id(MAIN, "BTC/USDC:USDC", 8, D("1.5"), D(3)),
        adjustment_id(MAIN, "BTC/USDC:USDC", 7, D("1.6"), D(3)),
        adjustment_id(MAIN, "BTC/USDC:USDC", 7, D("1.5"), D(4)),
        adjustment_id(MAIN, "BTC/USDC:USDC", 7, D("1.5"), D(3), position_side="long"),
    ]
    assert len({change, *others}) == 1 + len(others)


def test_identity_is_the_same_in_every_version() -> None:
    assert adjustment_id(MAIN, "BTC/USDC:USDC", 7, D("1.5"), D(3)) == "00e1f13645318db1dc226d24"
