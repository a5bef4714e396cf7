"""``Position``: the documented figures, whichever way a number is written, and what cannot be."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup import Position, PositionStatus
from trueup.model.errors import BadInput
from trueup.model.instruments import Instrument


def long(**fields: object) -> Position:
    given_ = {
        "asset": "BTC", "entry_price": 42_000, "current_price": 42_500, "size": 0.5, "leverage": 2,
        "venue": "hyperliquid", "liquidation_price": 38_000,
    }  # fmt: skip
    return Position.from_dict(given_ | fields)


def test_the_documented_figures() -> None:
    position = Position("BTC", 42_000, 42_500, 0.5, 2, "hyperliquid", liquidation_price=38_000)
    assert position.calculate_pnl() == 250.0
    assert position.calculate_pnl_percent() == pytest.approx(1.1904761904761905)
    assert round(position.calculate_liquidation_distance() or 0, 1) == 10.6
    assert round(position.get_margin_ratio() or 0, 3) == 0.106
    assert position.status is PositionStatus.OPEN
    assert not position.is_base_position


def test_a_negative_size_is_short() -> None:
    short = long(size="-0.5", liquidation_price=45_000)
    assert short.calculate_pnl() == -250
    assert short.calculate_pnl_percent() == pytest.approx(-1.1904761904761905)
    assert short.calculate_liquidation_distance() == pytest.approx(100 * 2_500 / 42_500)


def test_a_price_beyond_the_liquidation_price_leaves_no_distance() -> None:
    assert (long(current_price=37_000).calculate_liquidation_distance() or 0) < 0


def test_what_is_unknown_makes_no_figure() -> None:
    unknown = long(entry_price=None, liquidation_price=None)
    assert unknown.calculate_pnl() is None
    assert unknown.calculate_pnl_percent() is None
    assert unknown.calculate_liquidation_distance() is None
    assert unknown.get_margin_ratio() is None
    assert long(current_price=None).notional() is None


def test_an_inverse_contract_gains_in_its_coin() -> None:
    terms = Instrument("BTC/USD:BTC", "XBTUSD", "inverse", "BTC", "USD", "BTC")
    position = long(asset="BTC/USD:BTC", entry_price=40_000, current_price=50_000, size=100_000, terms=terms)
    assert position.calculate_pnl() == Decimal("0.5")
    assert Position.from_dict(position.to_dict()) == position


prices = st.decimals(min_value="0.000001", max_value="10000000", places=6)


@given(prices, prices, st.decimals(min_value="-1000000", max_value="1000000", places=6), st.booleans())
def test_it_comes_back_from_its_fields(entry: Decimal, now: Decimal, size: Decimal, base: bool) -> None:
    position = long(entry_price=entry, current_price=str(now), size=size, is_base_position=base)
    assert Position.from_dict(position.to_dict()) == position
    assert position.calculate_pnl() == size * (now - entry)


def test_a_price_may_be_negative_and_is_no_measure_then() -> None:
    oil = long(entry_price=-10, current_price=-37, size=1, liquidation_price=-50)
    assert oil.calculate_pnl() == -27
    assert oil.calculate_pnl_percent() is None
    assert oil.calculate_liquidation_distance() is None


@pytest.mark.parametrize(
    "fields",
    [
        {"entry_price": "1_000"},
        {"current_price": float("inf")},
        {"leverage": 0},
        {"size": float("nan")},
        {"size": None},
        {"status": "ASLEEP"},
        {"sise": 1},
    ],
)
def test_what_cannot_be_is_refused_by_name(fields: dict[str, object]) -> None:
    with pytest.raises(BadInput) as refused:
        long(**fields)
    assert refused.value.field in fields
