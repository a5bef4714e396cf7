"""Values, P&L and conversions at a mark: the vectors of the venues' own documentation."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.book.synthetic import synthetic_entry, synthetic_pnl
from trueup.book.valuation import (
    INFINITE,
    contract_value,
    converted,
    fx_translation,
    liquidation_distance,
    margin_ratio,
    notional,
    pnl,
    position_margin_ratio,
    unrealized_pnl,
)
from trueup.model.instruments import Instrument, InstrumentKind
from trueup.model.numbers import exact
from trueup.model.positions import entry_price

D = Decimal
XBTUSD = Instrument("BTC/USD:BTC", "XBTUSD", "inverse", "BTC", "USD", "BTC")
BTC = Instrument("BTC/USDC:USDC", "BTC", "linear", "BTC", "USDC", "USDC")
EURUSD = Instrument("EUR/USD", "EUR_USD", "linear", "EUR", "USD", "USD")


def at_mark(instrument: Instrument, quantity: str, entry: str, mark: str) -> Decimal:
    """P&L of a position opened at ``entry``."""
    with exact():
        cost = contract_value(instrument, D(quantity), D(entry))
        found = unrealized_pnl(instrument, D(quantity), cost, D(mark))
    assert found is not None
    return found


def test_a6_inverse_short() -> None:
    assert round(at_mark(XBTUSD, "-100000", "10000", "11000"), 8) == D("-0.90909091")
    assert round(notional(XBTUSD, D(-100000), D(11000)), 8) == D("9.09090909")
    assert notional(XBTUSD, D(-100000), D(10000)) * D("0.00075") == D("0.0075")


@pytest.mark.parametrize(
    ("quantity", "entry", "mark", "expected"),
    [
        ("100000", "10500", "11505.60", "0.83238969"),
        ("-1250000", "15500", "12506.65", "19.301667"),
    ],
    ids=["long", "short"],
)
def test_a7_inverse_both_sides(quantity: str, entry: str, mark: str, expected: str) -> None:
    assert abs(at_mark(XBTUSD, quantity, entry, mark) - D(expected)) < D("5e-7")


def test_a8_inverse_average_is_harmonic() -> None:
    with exact():
        cost = contract_value(XBTUSD, D(1000), D(5000)) + contract_value(XBTUSD, D(2000), D(6000))
        average = entry_price(XBTUSD, D(3000), cost)
    assert average is not None
    assert round(average, 20) == D(5625)


def test_a9_inverse_long() -> None:
    assert round(at_mark(XBTUSD, "1000", "5000", "5500"), 7) == D("0.0181818")


def test_a10_inverse_close_and_funding() -> None:
    gross = at_mark(XBTUSD, "15000", "750", "800")
    funding = -notional(XBTUSD, D(15000), D(750)) * D("0.0025")
    assert (gross, funding, gross + funding) == (D("1.25"), D("-0.05"), D("1.20"))


def test_a11_quanto_pays_the_settlement_coin() -> None:
    quanto = Instrument("ETH/USD:BTC", "ETHUSD", "quanto", "ETH", "USD", "BTC", contract_size=D("1e-6"))
    assert at_mark(quanto, "1000", "500", "520") == D("0.02")


def test_a16_home_currency_at_the_booked_rate() -> None:
    gain = at_mark(EURUSD, "100000", "1.1000", "1.1050")
    assert (gain, converted(gain, D(150))) == (D(500), D(75000))


def test_a17_roll_is_a_close_and_an_opening() -> None:
    es = Instrument("ES", "ESZ6", "linear", "ES", "USD", "USD", contract_size=D(50))
    realized = at_mark(es, "10", "4500", "4550")
    open_gain = at_mark(es, "10", "4555", "4560")
    assert (realized, realized + open_gain) == (D(25000), D(27500))
    assert at_mark(es, "10", "4505", "4560") == realized + open_gain, "the strategy's basis carries the roll"


def test_a18_synthetic_future() -> None:
    entry = synthetic_entry(D(8100), D("66.40"), D("38.80"))
    assert entry == D("8127.60")
    assert synthetic_pnl(D(1), D(50), entry, D(8200)) == D(3620)
    assert synthetic_pnl(D(-1), D(50), entry, D(8200)) == D(-3620)


@pytest.mark.parametrize(("settlement", "expected"), [(4700, -300), (5300, 300)])
def test_a19_synthetic_future_per_unit(settlement: int, expected: int) -> None:
    entry = synthetic_entry(D(5000), D(100), D(100))
    assert synthetic_pnl(D(1), D(1), entry, D(settlement)) == expected


def test_unknown_basis_has_no_profit() -> None:
    assert unrealized_pnl(BTC, D(1), None, D(100)) is None
    assert position_margin_ratio(BTC, D(1), None, D(100), D(10), D("0.01")) is None


def test_translation_gain_is_of_the_balance_and_apart_from_trading() -> None:
    assert fx_translation(D(500), D(150), D(151)) == D(500)
    local, rate_booked, rate_now = D(500), D(150), D(149)
    assert converted(local, rate_booked) + fx_translation(local, rate_booked, rate_now) == converted(local, rate_now)


@pytest.mark.parametrize(
    ("quantity", "liquidation_price", "distance"),
    [("1", "90", "0.1"), ("-1", "110", "0.1"), ("1", "105", "-0.05"), ("-1", "100", "0")],
    ids=["long", "short", "past", "there"],
)
def test_liquidation_distance(quantity: str, liquidation_price: str, distance: str) -> None:
    assert liquidation_distance(D(quantity), D(100), D(liquidation_price)) == D(distance)


@pytest.mark.parametrize(
    ("maintenance", "equity", "ratio"),
    [("50", "100", "0.5"), ("0", "0", "0"), ("50", "0", "Infinity"), ("50", "-1", "Infinity")],
)
def test_margin_ratio(maintenance: str, equity: str, ratio: str) -> None:
    assert margin_ratio(D(maintenance), D(equity)) == D(ratio)


def test_no_equity_is_past_every_alarm() -> None:
    assert margin_ratio(D(50), D(-1)) > D("0.85")


def test_margin_ratio_of_a_position_follows_the_mark() -> None:
    ratios = [position_margin_ratio(BTC, D(-2), D(-200), D(mark), D(20), D("0.05")) for mark in (100, 105, 110)]
    assert ratios == [D("0.5"), D("1.05"), INFINITE]


kinds: st.SearchStrategy[InstrumentKind] = st.sampled_from(["spot", "linear", "inverse", "quanto"])
quantities = st.decimals("-1e6", "1e6", places=4)
prices = st.decimals("0.0001", "1e6", places=4)


@given(kinds, quantities, prices, st.sampled_from([D(1), D("0.001"), D(100)]))
def test_opened_and_closed_at_one_price_is_no_profit(
    kind: InstrumentKind, quantity: Decimal, price: Decimal, size: Decimal
) -> None:
    instrument = Instrument("X", "X", kind, "A", "B", "B", contract_size=size)
    with exact():
        value = contract_value(instrument, quantity, price)
        assert pnl(instrument, value, value) == 0
        assert value == -contract_value(instrument, -quantity, price)


@given(kinds, quantities, prices, prices)
def test_longs_gain_when_the_price_rises_and_shorts_when_it_falls(
    kind: InstrumentKind, quantity: Decimal, entry: Decimal, mark: Decimal
) -> None:
    instrument = Instrument("X", "X", kind, "A", "B", "B")
    with exact():
        gain = pnl(instrument, contract_value(instrument, quantity, mark), contract_value(instrument, quantity, entry))
        assert gain * quantity * (mark - entry) >= 0
