"""Markets: the terms the venue states, and names that cannot be mixed up."""

from decimal import Decimal

import pytest

from tests.venues.hyperliquid.saved import ACCOUNT, of, read
from trueup.model.errors import Malformed
from trueup.model.events import InstrumentDefined
from trueup.model.instruments import Instrument
from trueup.ports import Reading
from trueup.venues.hyperliquid.reader import HyperliquidReader

TOKENS = [
    {"name": "USDC", "szDecimals": 8, "weiDecimals": 8, "index": 0},
    {"name": "PURR", "szDecimals": 0, "weiDecimals": 5, "index": 1},
    {"name": "USDH", "szDecimals": 2, "weiDecimals": 8, "index": 360},
]
SPOT = {
    "tokens": TOKENS,
    "universe": [
        {"name": "PURR/USDC", "tokens": [1, 0], "index": 0},
        {"name": "@230", "tokens": [360, 0], "index": 230},
    ],
}


def defined(reading: Reading) -> list[Instrument]:
    return [fact.instrument for fact in of(reading, InstrumentDefined)]


def test_perpetuals_with_their_lots() -> None:
    universe = [
        {"name": "BTC", "szDecimals": 5, "maxLeverage": 40},
        {"name": "kPEPE", "szDecimals": 0, "isDelisted": True},
    ]
    reading = read({"universe": universe, "marginTables": []})
    assert (reading.kind, reading.rows) == ("meta", 2)
    assert defined(reading) == [
        Instrument(
            symbol="BTC/USDC:USDC",
            native_symbol="BTC",
            kind="linear",
            base="BTC",
            quote="USDC",
            settle="USDC",
            quantity_step=Decimal("0.00001"),
            max_leverage=Decimal(40),
        ),
        Instrument(
            symbol="kPEPE/USDC:USDC",
            native_symbol="kPEPE",
            kind="linear",
            base="kPEPE",
            quote="USDC",
            settle="USDC",
            quantity_step=Decimal(1),
        ),
    ]
    assert defined(read([{"universe": universe}, [{"markPx": "1"}, {}]])) == defined(reading)


def test_spot_pairs_by_their_tokens() -> None:
    reading = read(SPOT)
    assert reading.kind == "spotMeta"
    assert [(i.symbol, i.native_symbol, i.kind, i.quantity_step, i.wallet) for i in defined(reading)] == [
        ("PURR/USDC", "PURR/USDC", "spot", Decimal(1), "spot"),
        ("USDH/USDC", "@230", "spot", Decimal("0.01"), "spot"),
    ]
    assert defined(read([SPOT, []])) == defined(reading)


def test_a_dex_with_another_collateral_needs_the_token_named() -> None:
    meta = {"collateralToken": 360, "universe": [{"name": "km:US500", "szDecimals": 3}]}
    with pytest.raises(Malformed, match="no token of this index is known"):
        read(meta)
    reader = HyperliquidReader(ACCOUNT)
    read(SPOT, reader=reader)
    (instrument,) = defined(read(meta, reader=reader))
    assert (instrument.symbol, instrument.settle, instrument.wallet) == ("km:US500/USDH:USDH", "USDH", "km")
    again = read(
        [{"coin": "km:US500", "limitPx": "1", "oid": 1, "side": "B", "sz": "1", "timestamp": 1}], reader=reader
    )
    assert again.snapshot is not None
    assert [order.instrument for order in (again.snapshot.open_orders or {}).values()] == ["km:US500/USDH:USDH"]


@pytest.mark.parametrize(
    "row",
    [
        None,
        {"szDecimals": 3},
        {"name": "A/B", "szDecimals": 3},
        {"name": "a:b:c", "szDecimals": 3},
        {"name": "A", "szDecimals": -1},
        {"name": "A", "szDecimals": 19},
        {"name": "A"},
        {"name": "A", "szDecimals": 3, "maxLeverage": "many"},
    ],
)
def test_a_market_that_makes_no_sense_is_refused_and_the_others_stand(row: object) -> None:
    reading = read({"universe": [{"name": "BTC", "szDecimals": 5}, row]})
    assert [i.native_symbol for i in defined(reading)] == ["BTC"]
    assert [refusal.row for refusal in reading.refused] == [2]


@pytest.mark.parametrize("tokens", [[1], [1, 0, 0], ["1", "0"], 5, [1, 99]])
def test_a_pair_of_unknown_tokens_is_refused(tokens: object) -> None:
    reading = read({"tokens": TOKENS, "universe": [{"name": "@1", "tokens": tokens}, *SPOT["universe"]]})
    assert len(defined(reading)) == 2
    assert len(reading.refused) == 1


def test_two_markets_of_one_name_are_not_mixed() -> None:
    universe = [{"name": "PURR/USDC", "tokens": [1, 0]}, {"name": "@5", "tokens": [1, 0]}]
    reading = read({"tokens": TOKENS, "universe": universe})
    assert [i.native_symbol for i in defined(reading)] == ["PURR/USDC"]
    assert "already called PURR/USDC" in reading.refused[0].problem
