"""Ids of markets, and which sizes and prices are taken."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.model.errors import BadInput, Rejected
from trueup.venues.hyperliquid.assets import SLIPPAGE, Asset, Assets, dex_places
from trueup.venues.hyperliquid.meta import perpetual, spot

D = Decimal

BTC = Asset(perpetual("BTC", decimals=5), 0, 5, 1)
ETH = Asset(perpetual("ETH", decimals=4), 1, 4, 2)
MEME = Asset(perpetual("MEME", decimals=0), 2, 0, 6)
PURR = Asset(spot("PURR/USDC", "PURR", "USDC", decimals=0), 10_000, 0, 8)


def test_perpetuals_go_by_place_spot_by_index_and_builder_dexes_have_ranges_of_their_own() -> None:
    assets = Assets()
    assets.name_perpetuals({"universe": [{"name": "BTC"}, {"name": "OLD", "isDelisted": True}, {"name": "ETH"}]}, 0)
    assets.name_perpetuals({"universe": [{"name": "xyz:A"}, {"name": "xyz:B"}]}, 1)
    assets.name_perpetuals({"universe": [{"name": "uvw:C"}]}, 3)
    assets.name_spot({"universe": [{"name": "PURR/USDC", "index": 0}, {"name": "@107", "index": 107}]})
    assets.define(
        [
            *(perpetual(coin, decimals=2) for coin in ("BTC", "ETH", "xyz:B", "uvw:C")),
            spot("PURR/USDC", "PURR", "USDC", decimals=0),
            spot("@107", "HYPE", "USDC", decimals=2),
        ]
    )
    ids = {
        "BTC/USDC:USDC": 0,
        "ETH/USDC:USDC": 2,
        "xyz:B/USDC:USDC": 110_001,
        "uvw:C/USDC:USDC": 130_000,
        "PURR/USDC": 10_000,
        "HYPE/USDC": 10_107,
        "@107": 10_107,
    }
    assert {symbol: assets.asset(symbol).id for symbol in ids} == ids
    assert assets.asset("HYPE/USDC").price_decimals == 6
    assert assets.asset("BTC").price_decimals == 4
    with pytest.raises(Rejected, match="not traded here"):
        assets.asset("DOGE/USDC:USDC")


def test_dexes_are_counted_with_the_main_one_which_is_null() -> None:
    assert dex_places([None, {"name": "xyz"}, None, {"name": "uvw"}]) == {"xyz": 1, "uvw": 3}
    with pytest.raises(BadInput):
        dex_places({"name": "xyz"})


@pytest.mark.parametrize(
    ("asset", "price", "wire"),
    [
        (BTC, D("60000.0"), "60000"),
        (BTC, D("1234.5"), "1234.5"),
        (BTC, D(123456), "123456"),  # a whole number is always a price
        (ETH, D("1670.1"), "1670.1"),
        (MEME, D("0.001234"), "0.001234"),
        (MEME, D("1E-6"), "0.000001"),
        (PURR, D("0.00001234"), "0.00001234"),
        (PURR, D(12345678), "12345678"),
    ],
)
def test_takes_prices_by_the_rule(asset: Asset, price: D, wire: str) -> None:
    assert asset.price("price", price) == wire


@pytest.mark.parametrize(
    ("asset", "price"),
    [
        (BTC, D("60000.1")),  # six figures
        (BTC, D("1234.56")),  # six figures
        (BTC, D("1.25")),  # two decimals where one is allowed
        (ETH, D("12.345")),
        (MEME, D("0.0012345")),
        (MEME, D("1.23456")),
        (PURR, D("0.000123456")),
        (PURR, D("0.000000001")),
        (BTC, D(0)),
        (BTC, D(-1)),
    ],
)
def test_refuses_prices_that_the_venue_would(asset: Asset, price: D) -> None:
    with pytest.raises(Rejected, match="nothing was sent"):
        asset.price("price", price)


def test_refuses_sizes_that_are_too_fine_or_none() -> None:
    assert BTC.size(D("0.00120")) == "0.0012"
    for size in (D("0.000001"), D(0), D(-1)):
        with pytest.raises(Rejected, match="nothing was sent"):
            BTC.size(size)


@given(
    st.sampled_from([BTC, ETH, MEME, PURR]),
    st.decimals(D("0.0001"), D(10**7), places=8, allow_nan=False, allow_infinity=False),
    st.booleans(),
)
def test_the_bound_of_a_market_order_is_a_price_and_never_beyond_the_slippage(
    asset: Asset, price: D, buys: bool
) -> None:
    if price < D("0.5") and asset is not MEME and asset is not PURR:
        price += 1
    bound = asset.bound(price, buys=buys)
    assert asset.price("price", bound)
    if buys:
        assert bound <= price * (1 + SLIPPAGE)
    else:
        assert bound >= price * (1 - SLIPPAGE)
    assert abs(bound - price * (1 + SLIPPAGE if buys else 1 - SLIPPAGE)) <= max(
        price / 1000, D(10) ** -asset.price_decimals
    )


def test_a_price_that_rounds_to_nothing_is_refused() -> None:
    with pytest.raises(Rejected):
        BTC.bound(D("0.01"), buys=True)
