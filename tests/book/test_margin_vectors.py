"""Liquidation prices and margins: the venues' own examples (vectors M1 to M8), and what the formulas mean."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.book.margin import (
    binance_liquidation_price,
    binance_maintenance,
    bybit_inverse_liquidation_price_2024,
    hyperliquid_liquidation_price,
    hyperliquid_maintenance,
    oanda_closeout,
    oanda_margin_used,
)
from trueup.book.valuation import INFINITE
from trueup.model.numbers import exact, quotient

D = Decimal
WALLET = D("1535443.01")
ETH = {"quantity": D("3683.979"), "entry_price": D("1456.84"), "maintenance_rate": D("0.10")}
ETH_CUM = D(135365)
BTC = {"quantity": D("109.488"), "entry_price": D("32481.98"), "maintenance_rate": D("0.025")}
BTC_CUM = D(16300)


def rounded(price: Decimal | None, digits: int = 2) -> Decimal:
    assert price is not None
    return round(price, digits)


def test_m1_binance_isolated() -> None:
    price = binance_liquidation_price(**ETH, wallet_balance=WALLET, maintenance_amount=ETH_CUM)
    assert rounded(price) == D("1114.78")


def test_m2_binance_isolated() -> None:
    price = binance_liquidation_price(**BTC, wallet_balance=WALLET, maintenance_amount=BTC_CUM)
    assert rounded(price) == D("18778.73")


def test_m3_binance_cross() -> None:
    btc_mark, eth_mark = D("31967.27"), D("1335.18")
    btc_maintenance = binance_maintenance(BTC["quantity"], btc_mark, BTC["maintenance_rate"], BTC_CUM)
    btc_pnl = BTC["quantity"] * (btc_mark - BTC["entry_price"])
    assert (rounded(btc_maintenance), rounded(btc_pnl)) == (D("71200.81"), D("-56354.57"))
    eth_maintenance = binance_maintenance(ETH["quantity"], eth_mark, ETH["maintenance_rate"], ETH_CUM)
    eth_pnl = ETH["quantity"] * (eth_mark - ETH["entry_price"])
    eth = binance_liquidation_price(
        **ETH,
        wallet_balance=WALLET,
        maintenance_amount=ETH_CUM,
        other_maintenance=btc_maintenance,
        other_pnl=btc_pnl,
    )
    btc = binance_liquidation_price(
        **BTC,
        wallet_balance=WALLET,
        maintenance_amount=BTC_CUM,
        other_maintenance=eth_maintenance,
        other_pnl=eth_pnl,
    )
    assert (rounded(eth), rounded(btc)) == (D("1153.26"), D("26316.89"))


def hyperliquid(quantity: str, price: str, margin: str, max_leverage: str) -> Decimal | None:
    held, entry, leverage = D(quantity), D(price), D(max_leverage)
    available = D(margin) - hyperliquid_maintenance(held, entry, leverage)
    return hyperliquid_liquidation_price(held, entry, available, leverage)


def test_m4_hyperliquid_btc_short() -> None:
    price = hyperliquid("-0.00099", "65536", "21.604172", "50")
    assert price is not None
    margin_digits = D("5e-7") / D("0.00099")  # the sample states its margin to a millionth
    assert abs(price - D("86493.4617")) < margin_digits


def test_m5_hyperliquid_sol_long() -> None:
    assert rounded(hyperliquid("0.6", "173.06", "20.735658", "20"), 8) == D("142.05186667")


def test_m6_hyperliquid_eth_short() -> None:
    assert rounded(hyperliquid("-0.019", "2642.8", "25.091876", "50"), 5) == D("3924.18322")


@pytest.mark.parametrize(("quantity", "expected"), [("-60000", "55248.62"), ("60000", "45662.10")])
def test_m7_bybit_inverse(quantity: str, expected: str) -> None:
    price = bybit_inverse_liquidation_price_2024(D(quantity), D(50000), D(10), D("0.005"))
    assert rounded(price) == D(expected)


def test_m8_oanda() -> None:
    quantity, mid = D(1_000_000), D("0.8567")
    used = oanda_margin_used(quantity, mid, D("0.0333333"))
    nav = D(50000) + quantity * (mid - D("0.8568"))
    assert (rounded(used), nav, rounded(nav - used)) == (D("28556.64"), D(49900), D("21343.36"))
    assert round(oanda_closeout(used, nav) * 100, 2) == D("28.61")


def test_oanda_margin_in_another_home_currency() -> None:
    assert oanda_margin_used(D(-1000), D("1.1"), D("0.05"), D("0.9")) == D("49.50")


def test_oanda_closeout_without_assets_is_past_every_alarm() -> None:
    assert oanda_closeout(D(10), D(0)) == INFINITE


def test_a_position_that_its_margin_covers_to_zero_has_no_liquidation_price() -> None:
    assert hyperliquid("1", "100", "200", "50") is None
    assert bybit_inverse_liquidation_price_2024(D(-1), D(100), D("0.5"), D("0.005")) is None
    assert (
        binance_liquidation_price(
            quantity=D(1),
            entry_price=D(100),
            wallet_balance=D(200),
            maintenance_rate=D("0.01"),
            maintenance_amount=D(0),
        )
        is None
    )


sides = st.sampled_from([1, -1])
sizes = st.decimals("0.001", "1000", places=3)
prices = st.decimals("1", "100000", places=2)


@given(sides, sizes, prices, st.integers(2, 50), st.decimals("0.02", "0.5", places=2))
def test_at_hyperliquids_price_the_margin_left_is_the_maintenance(
    side: int, size: Decimal, price: Decimal, max_leverage: int, share: Decimal
) -> None:
    leverage = D(max_leverage)
    with exact():
        quantity = side * size
        maintenance = hyperliquid_maintenance(quantity, price, leverage)
        margin = maintenance + share * size * price
        liquidation = hyperliquid_liquidation_price(quantity, price, margin - maintenance, leverage)
        assert liquidation is not None
        left = margin + quantity * (liquidation - price)
        assert abs(left - hyperliquid_maintenance(quantity, liquidation, leverage)) < D("1e-12") * margin


@given(sides, sizes, prices, st.decimals("0.02", "0.5", places=2), st.decimals("0.001", "0.01", places=3))
def test_at_binances_price_the_wallet_left_is_the_maintenance(
    side: int, size: Decimal, entry: Decimal, share: Decimal, rate: Decimal
) -> None:
    with exact():
        quantity = side * size
        wallet = share * size * entry
        liquidation = binance_liquidation_price(quantity, entry, wallet, rate, D(0))
        assert liquidation is not None
        left = wallet + quantity * (liquidation - entry)
        assert abs(left - binance_maintenance(quantity, liquidation, rate, D(0))) < D("1e-12") * size * entry


@given(sides, prices, st.integers(1, 50), st.decimals("0.001", "0.01", places=3))
def test_at_bybits_price_the_loss_is_the_margin_less_the_maintenance(
    side: int, entry: Decimal, leverage: int, rate: Decimal
) -> None:
    quantity = D(60000) * side
    liquidation = bybit_inverse_liquidation_price_2024(quantity, entry, D(leverage), rate)
    if liquidation is None:
        assert (side, leverage) == (-1, 1), "an unlevered short is long the coin it pays with"
        return
    with exact():
        loss = quotient(quantity, liquidation) - quotient(quantity, entry)
        worth = quotient(D(60000), entry)
        assert abs(loss - worth * (quotient(D(1), D(leverage)) - rate)) < D("1e-12") * worth
