"""Balances and futures: what the account holds now."""

from decimal import Decimal

import pytest

from tests.venues.coinbase.coinbase_rows import FUTURE, FUTURE_SYMBOL, answer, future, know_future, of, problems
from trueup.model.differences import VenueSnapshot
from trueup.model.errors import Malformed
from trueup.model.events import InstrumentDefined
from trueup.ports import Reading

KEY = (FUTURE_SYMBOL, "net")


def wallet(number: str, currency: str, available: object, hold: object) -> dict[str, object]:
    return {"uuid": number, "currency": currency, "available_balance": available, "hold": hold}


def usd(value: str) -> dict[str, str]:
    return {"value": value, "currency": "USD"}


def stated(reading: Reading) -> VenueSnapshot:
    assert reading.snapshot is not None
    return reading.snapshot


def position(**fields: object) -> dict[str, object]:
    return {"product_id": FUTURE, "side": "SHORT", "number_of_contracts": "2", **fields}


def test_what_is_on_hold_is_part_of_a_balance_and_wallets_of_one_currency_add_up() -> None:
    listed = [
        wallet("1", "USD", usd("10.50"), usd("4.25")),
        wallet("2", "USD", usd("1"), usd("0")),
        wallet("3", "BTC", {"value": "0.1", "currency": "BTC"}, None),
    ]
    snapshot = stated(answer({"accounts": listed, "has_next": False}))
    assert snapshot.balances == {"USD": Decimal("15.75"), "BTC": Decimal("0.1")}
    assert snapshot.positions is None


def test_the_futures_wallet_among_the_wallets_of_spot_is_not_counted_with_them() -> None:
    futures = wallet("2", "USD", usd("900"), usd("0")) | {"platform": "ACCOUNT_PLATFORM_CFM_CONSUMER"}
    spot = wallet("1", "USD", usd("10"), usd("0")) | {"platform": "ACCOUNT_PLATFORM_CONSUMER"}
    assert stated(answer({"accounts": [spot, futures], "has_next": False})).balances == {"USD": Decimal(10)}


def test_a_page_of_accounts_is_not_the_whole() -> None:
    reading = answer({"accounts": [wallet("1", "USD", usd("1"), usd("0"))], "has_next": True})
    assert stated(reading).balances is None
    assert "limit=250" in stated(reading).failed["balances"]


@pytest.mark.parametrize("value", [{"accounts": []}, {"breakdown": {"spot_positions": []}}])
def test_no_wallets_are_not_an_empty_account(value: object) -> None:
    assert stated(answer(value)).balances is None
    assert "not an empty account" in stated(answer(value)).failed["balances"]


@pytest.mark.parametrize("bad", [wallet("1", "USD", usd("many"), usd("0")), wallet("1", "US@D", usd("1"), None), 7])
def test_a_balance_that_cannot_be_read_fails_them_all(bad: object) -> None:
    reading = answer({"accounts": [bad, wallet("2", "BTC", usd("1"), usd("0"))]})
    assert len(reading.refused) == 1
    assert stated(reading).balances is None
    assert "balances" in stated(reading).failed


PLAIN = {"avg_entry_price": "49000", "current_price": "50000.5", "unrealized_pnl": "-20", "liquidation_price": "0"}


@pytest.mark.parametrize(
    "amounts", [PLAIN, {field: usd(value) for field, value in PLAIN.items()} | {"contract_size": "0.010"}]
)
def test_futures_are_read_in_both_shapes(amounts: dict[str, object]) -> None:
    snapshot = stated(answer({"positions": [position(**amounts)]}, know_future()))
    assert snapshot.positions is not None
    held = snapshot.positions[KEY]
    assert (held.quantity, held.entry_price, held.mark_price) == (Decimal(-2), Decimal(49000), Decimal("50000.5"))
    assert (held.unrealized_pnl, held.liquidation_price) == (Decimal(-20), None)
    assert snapshot.position_scope == frozenset({FUTURE_SYMBOL})


def test_no_futures_held_speaks_of_futures_alone() -> None:
    snapshot = stated(answer({"positions": []}, know_future()))
    assert (snapshot.positions, snapshot.position_scope) == ({}, frozenset({FUTURE_SYMBOL}))


def test_one_position_says_nothing_of_others() -> None:
    reader = know_future()
    other = future() | {"product_id": "ET-24APR26-CDE"}
    answer({"products": [other]}, reader)
    snapshot = stated(answer({"position": position(side="LONG")}, reader))
    assert snapshot.position_scope == frozenset({FUTURE_SYMBOL})


def test_a_future_without_its_terms_is_named_and_not_guessed() -> None:
    snapshot = stated(answer({"positions": [position()]}))
    assert snapshot.positions == {}
    assert "2 contracts" in snapshot.unmapped[FUTURE]


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"contract_size": "1"}, "contract_size"),
        ({"number_of_contracts": "-2"}, "number_of_contracts"),
        ({"side": "UNKNOWN"}, "side"),
        ({"product_id": "BTC-USD"}, "contract_size"),
        ({"avg_entry_price": usd("x")}, "avg_entry_price.value"),
    ],
)
def test_a_position_that_contradicts_its_product_fails_them_all(terms: dict[str, object], field: str) -> None:
    reading = answer({"positions": [position(**terms)]}, know_future())
    assert problems(reading) == [(1, field)]
    assert stated(reading).positions is None


def test_a_product_listed_twice_fails_them_all() -> None:
    reading = answer({"positions": [position(), position()]}, know_future())
    assert problems(reading) == [(2, "product_id")]


def summary(margin: str, unrealized: str = "0") -> dict[str, object]:
    amounts = {"cfm_usd_balance": "700.5", "initial_margin": margin, "unrealized_pnl": unrealized}
    return {"balance_summary": {field: usd(value) for field, value in amounts.items()}}


def test_the_futures_cash_is_compared_only_while_nothing_is_held() -> None:
    assert stated(answer(summary("0.00"))).balances == {"USD@cfm": Decimal("700.5")}
    held = answer(summary("100"))
    assert (stated(held).balances, stated(held).failed) == (
        None,
        {},
    )  # what other wallets hold is compared all the same
    assert "marked to market" in held.note
    assert stated(answer(summary("0", "5"))).balances is None


def test_a_portfolio_states_coins_and_futures() -> None:
    breakdown = {
        "portfolio": {"uuid": "p"},
        "spot_positions": [
            {"asset": "USD", "total_balance_crypto": 10.25, "is_cash": True},
            {"asset": "BTC", "total_balance_crypto": 0.12345678},
        ],
        "futures_positions": [{"product_id": FUTURE, "side": "FUTURES_POSITION_SIDE_LONG", "amount": "3"}],
        "perp_positions": [{"product_id": "BTC-PERP-INTX", "side": "LONG", "amount": "1"}],
    }
    snapshot = stated(answer({"breakdown": breakdown}, know_future()))
    assert snapshot.balances == {"USD": Decimal("10.25"), "BTC": Decimal("0.12345678")}
    assert snapshot.positions is not None
    assert snapshot.positions[KEY].quantity == 3
    assert list(snapshot.unmapped) == ["BTC-PERP-INTX"]


def test_a_products_answer_states_terms() -> None:
    spot = {
        "product_id": "ETH-USDC",
        "product_type": "SPOT",
        "base_currency_id": "ETH",
        "quote_currency_id": "USDC",
        "base_increment": "0.00000001",
        "quote_increment": "0.01",
        "price_increment": "",
    }
    reading = answer({"products": [spot, future(), {**spot, "product_id": "X"}, future(contract_size="0")]})
    eth, btc = (fact.instrument for fact in of(InstrumentDefined, reading))
    assert (eth.symbol, eth.price_tick, eth.quantity_step) == ("ETH/USDC", Decimal("0.01"), Decimal("0.00000001"))
    assert (btc.symbol, btc.kind, btc.contract_size, btc.wallet) == (FUTURE_SYMBOL, "linear", Decimal("0.01"), "cfm")
    assert btc.expiry == 1777042800 * 10**9
    assert problems(reading) == [(3, "product_id"), (4, "contract_size")]
    assert of(InstrumentDefined, answer(spot))[0].instrument == eth


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"fee_tier": {}, "total_fees": 1}, "transaction_summary"),
        ({"sweeps": []}, "pending sweeps"),
        ({"error": "NOT_FOUND", "message": "no"}, "an error of Coinbase"),
        ({"account": {"id": "1"}, "lastTransactionID": "7"}, "not recognised"),
        ([], "not recognised"),
        ({}, "not recognised"),
    ],
)
def test_an_answer_that_holds_nothing_says_so(value: object, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        answer(value)


def test_an_answer_of_another_venue_is_named() -> None:
    with pytest.raises(Malformed) as refusal:
        answer({"assetPositions": []})
    assert "--venue hyperliquid" in refusal.value.remedy


def test_one_wallet_alone_is_not_compared() -> None:
    reading = answer({"account": wallet("1", "USD", usd("1"), usd("0"))})
    assert reading.snapshot is None
    assert "one wallet alone" in reading.note
