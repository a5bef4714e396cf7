"""Every recorded or published answer is read, or refused for a stated reason; totals by an independent fold."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from trueup.model.errors import Malformed
from trueup.model.events import FillBooked, FundingPaid, InstrumentDefined, OpeningBalance
from trueup.model.identifiers import AccountId
from trueup.ports import Reading
from trueup.venues.oanda.reader import OandaReader

ACCOUNT = AccountId("oanda:recorded")
DATA = Path(__file__).resolve().parents[3].parent / "shared" / "venue-data" / "oanda"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded answers are not beside this checkout")

# name: what it is read as, facts besides definitions, refused rows, and whether it is a snapshot
READ = {
    "recorded/account-account_summary.json": ("account", 0, 0, True),
    "recorded/account-changes.json": ("changes", 3, 0, False),
    "recorded/account-instruments.json": ("instruments", 0, 0, False),
    "recorded/order-error-order_rejected.json": ("outcome", 1, 0, False),
    "recorded/order-market_if_touched_order.json": ("outcome", 1, 0, False),
    "recorded/order-market_order.json": ("outcome", 3, 0, False),
    "recorded/order-order.json": ("order", 1, 0, False),
    "recorded/order-orders.json": ("orders", 0, 0, True),
    "recorded/position-close_position.json": ("outcome", 4, 0, False),
    "recorded/position-positions.json": ("positions", 0, 0, True),
    "recorded/trade-open_trades.json": ("trades", 0, 0, False),
    "recorded/trade-trade.json": ("trades", 0, 0, False),
    "recorded/transaction-idrange.json": ("transactions", 0, 2, False),  # the home currency is not known
    "recorded/transaction-sinceid.json": ("transactions", 0, 1, False),  # the same
    "samples/accounts-v3_account_by_accountID.json": ("account", 0, 0, True),
    "samples/accounts-v3_account_by_accountID_summary.json": ("account summary", 0, 0, True),
    "samples/accounts-v3_accounts_accountID_account_changes.json": ("changes", 1, 0, False),
    "samples/accounts-v3_accounts_accountID_account_config.json": ("outcome", 0, 0, False),
    "samples/orders-v3_accounts_accountID_order_cancel.json": ("outcome", 0, 0, False),
    "samples/orders-v3_accounts_accountID_order_details.json": ("order", 1, 0, False),
    "samples/orders-v3_accounts_accountID_orders_create.json": ("outcome", 1, 0, False),
    "samples/orders-v3_accounts_accountID_orders_list.json": ("orders", 0, 0, True),
    "samples/positions-v3_accounts_accountID_openpositions.json": ("positions", 0, 0, True),
    "samples/positions-v3_accounts_accountID_positiondetails.json": ("position", 0, 0, True),
    "samples/trades-v3_account_accountID_trades_close.json": ("outcome", 1, 1, False),  # the fill: no home currency
    "samples/trades-v3_account_accountID_trades_crcdo.json": ("outcome", 0, 0, False),
    "samples/trades-v3_accounts_accountID_opentrades.json": ("trades", 0, 0, False),
    "samples/trades-v3_accounts_accountID_trades.json": ("trades", 0, 0, False),
    "samples/transactions-v3_accounts_transaction_idrange.json": ("transactions", 2, 0, False),
    "samples/transactions-v3_accounts_transactions_stream.json": ("transaction stream", 0, 0, False),
}

REFUSED = {
    "recorded/account-accounts.json": "the list of accounts",
    "recorded/instrument-orderBook.json": "an order book",
    "recorded/instrument-positionBook.json": "a position book",
    "recorded/pricing-pricing.json": "prices",
    "samples/instruments-v3_instruments_instrument_candles.json": "candles",
    "samples/instruments-v3_instruments_instrument_orderbook.json": "an order book",
    "samples/instruments-v3_instruments_instrument_positionbook.json": "a position book",
    "samples/pricing-v3_accounts_accountID_pricing.json": "prices",
    "samples/transactions-v3_accounts_accountID_transactions.json": "Fetch each of its idrange pages",
    "spec/v20.json": "not recognised as an answer of OANDA",
}


def read(name: str, home_currency: str = "") -> Reading:
    return OandaReader(ACCOUNT, home_currency).read(name, (DATA / name).read_bytes())


def raw(name: str) -> Any:  # noqa: ANN401 - an answer may be anything
    """The answer by the standard library's parser, unwrapped."""
    answer = json.loads((DATA / name).read_text(encoding="utf-8"), parse_float=Decimal)
    return answer.get("response", answer)


def test_every_file_is_in_one_of_the_tables() -> None:
    files = {str(path.relative_to(DATA)) for path in DATA.rglob("*") if path.is_file()}
    assert files == READ.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", READ)
def test_file_is_read(name: str) -> None:
    reading = read(name)
    facts = [fact for fact in reading.facts if not isinstance(fact, InstrumentDefined)]
    assert (reading.kind, len(facts), len(reading.refused), reading.snapshot is not None) == READ[name]
    for refused in reading.refused:
        assert refused.field == "currency"
        assert "--home-currency" in refused.remedy


@pytest.mark.parametrize("name", REFUSED)
def test_file_is_refused_for_its_reason(name: str) -> None:
    with pytest.raises(Malformed, match=REFUSED[name]):
        read(name)


FILLS = ("recorded/account-changes.json", "recorded/order-market_order.json", "recorded/position-close_position.json")


@pytest.mark.parametrize("name", [*FILLS, "samples/trades-v3_account_accountID_trades_close.json"])
def test_units_and_money_of_fills_are_those_of_the_file(name: str) -> None:
    answer = raw(name)
    listed = answer["changes"]["transactions"] if "changes" in answer else answer.values()
    filled = [row for row in listed if isinstance(row, dict) and row.get("type") == "ORDER_FILL"]
    facts = read(name, "USD").facts
    fills = [fact for fact in facts if isinstance(fact, FillBooked)]
    signed = sum(fact.quantity if fact.side == "buy" else -fact.quantity for fact in fills)
    assert signed == sum(Decimal(row["units"]) for row in filled)
    assert sum(fact.settled_amount or 0 for fact in fills) == sum(Decimal(row["pl"]) for row in filled)
    assert sum(fact.fee for fact in fills) == sum(Decimal(row.get("commission", "0")) for row in filled)
    financing = sum(fact.amount for fact in facts if isinstance(fact, FundingPaid))
    assert financing == sum(Decimal(row["financing"]) for row in filled)
    assert [fact.price for fact in fills] == [Decimal(row["price"]) for row in filled]
    opening = next(fact for fact in facts if isinstance(fact, OpeningBalance))
    moved = sum(Decimal(row["pl"]) + Decimal(row["financing"]) - Decimal(row.get("commission", "0")) for row in filled)
    assert opening.amount + moved == Decimal(filled[-1]["accountBalance"])


def test_financing_follows_the_stated_balances() -> None:
    reading = read("recorded/transaction-idrange.json", "USD")
    rows = raw("recorded/transaction-idrange.json")["transactions"]
    opening, *payments = (fact for fact in reading.facts if not isinstance(fact, InstrumentDefined))
    assert isinstance(opening, OpeningBalance)
    amounts = [fact.amount for fact in payments if isinstance(fact, FundingPaid)]
    assert opening.amount == Decimal("100003.6196")
    assert opening.amount + sum(amounts) == Decimal(rows[-1]["accountBalance"])
    assert amounts == [Decimal("-0.0082"), Decimal("-0.0082")]
    assert reading.note == ""


def test_all_instruments_are_defined_as_listed() -> None:
    rows = {row["name"]: row for row in raw("recorded/account-instruments.json")["instruments"]}
    defined = [
        fact.instrument
        for fact in read("recorded/account-instruments.json").facts
        if isinstance(fact, InstrumentDefined)
    ]
    assert {instrument.native_symbol for instrument in defined} == rows.keys()
    for instrument in defined:
        row = rows[instrument.native_symbol]
        assert instrument.price_tick == Decimal(10) ** -row["displayPrecision"]
        assert instrument.quantity_step == Decimal(10) ** -row["tradeUnitsPrecision"]
        assert instrument.max_leverage == 1 / Decimal(row["marginRate"])
        assert f"{instrument.base}_{instrument.quote}" == row["name"]
        assert instrument.settle == instrument.quote


def test_positions_are_the_signed_sums_of_their_sides() -> None:
    name = "samples/positions-v3_accounts_accountID_openpositions.json"
    snapshot = read(name).snapshot
    assert snapshot is not None
    assert snapshot.positions is not None
    held = {key: position.quantity for key, position in snapshot.positions.items()}
    assert held == {("DE30/EUR", "net"): Decimal(10), ("EUR/USD", "net"): Decimal(-100)}
    assert snapshot.balances is None
    assert snapshot.open_orders is None
    assert snapshot.cut is None
    assert snapshot.source == (f"{name} at transaction 2327",)


def test_a_full_account_states_positions_balance_and_orders() -> None:
    snapshot = read("samples/accounts-v3_account_by_accountID.json").snapshot
    assert snapshot is not None
    assert snapshot.balances == {"EUR": Decimal("48695.6580")}
    assert snapshot.positions is not None
    assert snapshot.positions["DE30/EUR", "net"].quantity == -20
    assert snapshot.positions["DE30/EUR", "net"].entry_price == Decimal("9984.7")
    assert snapshot.open_orders is not None
    order = snapshot.open_orders["204"]
    assert (order.instrument, order.side, order.quantity, order.price) == (
        "EUR/GBP",
        "sell",
        Decimal(50000),
        Decimal("0.87"),
    )
    assert (order.client_order_id, order.order_type, order.status) == ("myID", "limit", "open")


def test_a_summary_leaves_unknown_what_it_only_counts() -> None:
    snapshot = read("samples/accounts-v3_account_by_accountID_summary.json").snapshot
    assert snapshot is not None
    assert snapshot.positions is None  # it says there is one
    assert snapshot.open_orders == {}  # it says there is none
