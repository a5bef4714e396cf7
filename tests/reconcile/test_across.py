"""One asset under several names and quotes, net and gross; shares against targets; rates with their age."""

from collections.abc import Mapping
from decimal import Decimal

import pytest

from trueup.book.book import Mark
from trueup.model.assets import DEFAULT_ASSETS, Named
from trueup.model.errors import BadInput
from trueup.model.identifiers import AccountId, Seq
from trueup.model.instruments import Instrument
from trueup.model.numbers import ONE, ZERO
from trueup.model.positions import Position
from trueup.reconcile.across import Across, Holdings, across
from trueup.reconcile.allocation import allocation
from trueup.reconcile.rates import Rates

D = Decimal
HL, CB, OANDA = AccountId("hyperliquid:main"), AccountId("coinbase:main"), AccountId("oanda:main")
BTC_PERP = Instrument("BTC/USDC:USDC", "BTC", "linear", "BTC", "USDC", "USDC")
BTC_SPOT = Instrument("BTC/USD", "BTC-USD", "spot", "BTC", "USD", "USD")
XBT_INVERSE = Instrument("XBT/USD:XBT", "XBTUSD", "inverse", "XBT", "USD", "XBT")
PEPE_PERP = Instrument("kPEPE/USDC:USDC", "kPEPE", "linear", "kPEPE", "USDC", "USDC")
NEW_PERP = Instrument("NEW/USDC:USDC", "NEW", "linear", "NEW", "USDC", "USDC")
EUR = Instrument("EUR/USD", "EUR_USD", "linear", "EUR", "USD", "USD")
USDC = Instrument("USDC/USD", "USDC-USD", "spot", "USDC", "USD", "USD")
INR = Instrument("USD/INR", "USDINR", "linear", "USD", "INR", "INR")
PEGGED = Rates([], {("USDC", "USD"): ONE})


def held(account: AccountId, quantities: Mapping[Instrument, str], **prices: str) -> Holdings:
    positions = [position(account, instrument, D(quantity)) for instrument, quantity in quantities.items()]
    marks = {
        instrument.symbol: Mark(D(prices[instrument.base]), 7, "")
        for instrument in quantities
        if instrument.base in prices
    }
    return Holdings(account, positions, marks)


def position(account: AccountId, instrument: Instrument, quantity: Decimal) -> Position:
    nothing = {"realized_pnl": ZERO, "adjusted_pnl": ZERO, "fee_value": ZERO, "unconfirmed": ZERO}
    counts = {"realized_unknown": 0, "updated_at": 0, "cycles": 0, "liquidations": 0, "seq": Seq(1)}
    unsaid = {"leverage": None, "margin_mode": None, "opened_at": None, "cost": None}
    maps: Mapping[str, object] = {"fees": {}, "funding": {}, "by_strategy": {}}
    return Position(account, instrument, "net", quantity, **nothing, **counts, **unsaid, **maps)  # type: ignore[arg-type]


def total(*holdings: Holdings, rates: Rates = PEGGED) -> Across:
    return across(holdings, DEFAULT_ASSETS, rates, "USD")


def test_one_asset_under_three_names_is_one_sum() -> None:
    found = total(
        held(HL, {BTC_PERP: "-0.5"}, BTC="60000"),
        held(CB, {BTC_SPOT: "0.75"}, BTC="61000"),
        held(AccountId("bitmex:main"), {XBT_INVERSE: "30000"}, XBT="60000"),
    )
    bitcoin = found.assets["BTC"]
    assert (bitcoin.net, bitcoin.gross) == (D("0.75"), D("1.75"))
    assert (bitcoin.net_worth, bitcoin.gross_worth) == (D(45750), D(105750))
    assert found.by_venue() == {"bitmex": D(30000), "coinbase": D(45750), "hyperliquid": D(30000)}


def test_a_name_that_stands_for_a_thousand_counts_a_thousand() -> None:
    assert total(held(HL, {PEPE_PERP: "3"}, kPEPE="0.01")).assets["PEPE"].net == D(3000)


def test_what_no_table_names_is_added_to_nothing_and_told() -> None:
    found = total(held(HL, {NEW_PERP: "3"}, NEW="2"))
    assert not found.assets
    assert [(leg.instrument, leg.quantity, leg.worth) for leg in found.unmapped] == [(NEW_PERP.symbol, None, D(6))]
    named = DEFAULT_ASSETS.with_names({"NEW": Named("NEW")})
    again = across([held(HL, {NEW_PERP: "3"}, NEW="2")], named, PEGGED, "USD")
    assert (again.assets["NEW"].net, again.table) == (D(3), named.version)
    assert named.version != DEFAULT_ASSETS.version == DEFAULT_ASSETS.with_names({}).version


def test_a_stable_coin_is_no_dollar_until_somebody_says_so_or_a_market_does() -> None:
    perp = held(HL, {BTC_PERP: "1"}, BTC="60000")
    assert total(perp, rates=Rates([])).assets["BTC"].gross_worth is None
    at_market = Rates([(USDC, Mark(D("0.99"), 5, ""))])
    (leg,) = total(perp, rates=at_market).assets["BTC"].legs
    assert (leg.worth, leg.marked_at) == (D(59400), 5)


def test_a_part_without_a_mark_leaves_the_sum_unknown() -> None:
    found = total(held(HL, {BTC_PERP: "1"}), held(CB, {BTC_SPOT: "1"}, BTC="60000"))
    assert (found.assets["BTC"].net, found.assets["BTC"].net_worth) == (D(2), None)
    assert found.by_venue() == {"coinbase": D(60000), "hyperliquid": None}


def test_a_table_cannot_say_that_something_is_nothing() -> None:
    with pytest.raises(BadInput, match="positive"):
        DEFAULT_ASSETS.with_names({"NEW": Named("NEW", ZERO)})


# --- rates ------------------------------------------------------------------------------------------------------------


def test_rates_go_both_ways_and_over_one_currency_with_the_oldest_mark() -> None:
    rates = Rates([(EUR, Mark(D("1.25"), 9, "")), (INR, Mark(D(80), 4, ""))])
    back = rates.rate("USD", "EUR")
    assert back is not None
    assert back.price == D("0.8")
    over = rates.rate("EUR", "INR")
    assert over is not None
    assert (over.price, over.at, over.over) == (D(100), 4, ("USD",))
    assert rates.rate("EUR", "JPY") is None
    itself = rates.rate("CHF", "CHF")
    assert itself is not None
    assert (itself.price, itself.at) == (ONE, None)


def test_two_prices_of_one_coin_are_no_rate_between_their_currencies() -> None:
    both = [(BTC_SPOT, Mark(D(61000), 1, "")), (BTC_PERP, Mark(D(60000), 1, ""))]
    assert Rates(both).rate("USDC", "USD") is None


def test_a_rate_set_by_hand_goes_before_marks_and_spot_before_contracts() -> None:
    contract = Instrument("USDC/USD:USD", "", "linear", "USDC", "USD", "USD")
    marks = [(contract, Mark(D("0.5"), 9, "")), (USDC, Mark(D("0.99"), 5, ""))]
    spot = Rates(marks).rate("USDC", "USD")
    assert spot is not None
    assert spot.price == D("0.99")
    fixed = Rates(marks, {("USDC", "USD"): ONE}).rate("USDC", "USD")
    assert fixed is not None
    assert (fixed.price, fixed.at) == (ONE, None)


# --- allocation -------------------------------------------------------------------------------------------------------

TARGETS = {"hyperliquid": D("0.80"), "coinbase": D("0.20")}


@pytest.mark.parametrize(
    ("there", "drift", "within"),
    [("80", "0", True), ("84.999", "0.04999", True), ("85", "0.05", False), ("70", "0.1", False)],
)
def test_drift_is_within_tolerance_strictly_below_it(there: str, drift: str, *, within: bool) -> None:
    found = allocation({"hyperliquid": D(there), "coinbase": D(20)}, TARGETS, D(100))
    share = found.shares[0]
    assert (share.drift, share.within_tolerance) == (D(drift), within)
    assert found.rebalance == (() if within else ("hyperliquid",))


def test_a_venue_without_a_target_should_hold_nothing_and_an_unknown_one_asks_for_nothing() -> None:
    found = allocation({"oanda": D(10), "coinbase": None}, TARGETS, D(100))
    assert [(one.venue, one.actual) for one in found.shares] == [
        ("hyperliquid", ZERO),
        ("coinbase", None),
        ("oanda", D("0.1")),
    ]
    assert found.rebalance == ("hyperliquid", "oanda")


@pytest.mark.parametrize("value", ["0", "-1"])
def test_a_portfolio_worth_nothing_has_no_shares(value: str) -> None:
    with pytest.raises(BadInput):
        allocation({}, TARGETS, D(value))
