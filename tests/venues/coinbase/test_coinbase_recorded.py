"""Every recorded or published answer is read, or refused for a stated reason."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from tests.venues.coinbase.coinbase_rows import fills, of
from trueup.model.errors import Malformed
from trueup.model.events import InstrumentDefined, OrderReported
from trueup.model.identifiers import AccountId
from trueup.ports import Reading
from trueup.venues.coinbase.reader import CoinbaseReader

ACCOUNT = AccountId("coinbase:recorded")
DATA = Path(__file__).resolve().parents[3].parent / "shared" / "venue-data" / "coinbase"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded answers are not beside this checkout")

_REST, _FEED = "jkorf/Endpoints-AdvancedTrade-", "jkorf/Subscriptions-AdvancedTrade-"

# name: what it is read as, facts besides definitions, refused rows, and whether it is a snapshot
READ = {
    "nautilus/http_accounts.json": ("accounts", 0, 0, True),
    "nautilus/http_cfm_positions.json": ("positions", 0, 0, True),
    "nautilus/http_fills.json": ("fills", 2, 0, False),
    "nautilus/http_order.json": ("order", 1, 0, False),
    "nautilus/http_orders_list.json": ("orders", 2, 0, False),
    "nautilus/http_products.json": ("products", 0, 0, False),
    "nautilus/ws_user.json": ("user channel", 0, 0, True),
    f"{_REST}Account-GetAccounts.txt": ("accounts", 0, 0, True),
    f"{_REST}Trading-GetFuturesPositions.txt": ("positions", 0, 0, True),
    f"{_REST}Trading-GetOrders.txt": ("orders", 0, 1, False),  # it has every configuration at once
    f"{_REST}Trading-GetUserTrades.txt": ("fills", 1, 0, False),
    f"{_REST}Trading-PlaceOrder.txt": ("outcome", 0, 0, False),
}

_MARK = re.compile(r"\n=\d*\s")
"""Before a pushed message."""

_OLDER, _NO_MESSAGE = "the older interface", "no message of it holds anything"
_EMPTY = "not recognised"

REFUSED = {
    "nautilus/http_product_book.json": "an order book",
    "nautilus/ws_candles.json": _NO_MESSAGE,
    "nautilus/ws_heartbeats.json": _NO_MESSAGE,
    "nautilus/ws_l2_data_update.json": _NO_MESSAGE,
    "nautilus/ws_subscriptions.json": _NO_MESSAGE,
    "nautilus/ws_ticker.json": _NO_MESSAGE,
    f"{_REST}Account-AllocatePortfolio.txt": _EMPTY,
    f"{_REST}Account-CommitConvertTrade.txt": "a conversion's",
    f"{_REST}Account-CreateConvertQuote.txt": "a conversion's",
    f"{_REST}Account-CreateDepositAddress.txt": _OLDER,
    f"{_REST}Account-CreatePortfolio.txt": "a portfolio's name",
    f"{_REST}Account-DeletePortfolio.txt": _EMPTY,
    f"{_REST}Account-Deposit.txt": _OLDER,
    f"{_REST}Account-EditPortfolio.txt": "a portfolio's name",
    f"{_REST}Account-GetAddressTransactions.txt": _OLDER,
    f"{_REST}Account-GetConvertTrade.txt": "a conversion's",
    f"{_REST}Account-GetDeposit.txt": _OLDER,
    f"{_REST}Account-GetDepositAddress.txt": _OLDER,
    f"{_REST}Account-GetDepositAddresses.txt": _OLDER,
    f"{_REST}Account-GetFeeInfo.txt": "transaction_summary",
    f"{_REST}Account-GetFuturesCurrentMarginWindow.txt": "the margin window",
    f"{_REST}Account-GetPaymentMethods.txt": "payment methods",
    f"{_REST}Account-GetPortfolios.txt": "the list of portfolios",
    f"{_REST}Account-GetWithdrawal.txt": _OLDER,
    f"{_REST}Account-SetIntradayMarginSetting.txt": _EMPTY,
    f"{_REST}Account-SetPerpetualMultiAssetCollateralMode.txt": "a setting",
    f"{_REST}Account-TransferPortfolioFunds.txt": "transfer between portfolios",
    f"{_REST}Account-Withdraw.txt": _OLDER,
    f"{_REST}Account-WithdrawCrypto.txt": _OLDER,
    f"{_REST}ExchangeData-GetAggregatedOrderBook.txt": "an order book",
    f"{_REST}ExchangeData-GetAssets.txt": _EMPTY,
    f"{_REST}ExchangeData-GetCryptoAssets.txt": _OLDER,
    f"{_REST}ExchangeData-GetExchangeRates.txt": _OLDER,
    f"{_REST}ExchangeData-GetFiatAssets.txt": _OLDER,
    f"{_REST}ExchangeData-GetKlines.txt": "candles",
    f"{_REST}ExchangeData-GetOrderBook.txt": "an order book",
    f"{_REST}ExchangeData-GetTradeHistory.txt": "market trades",
    f"{_FEED}BatchTicker.txt": _NO_MESSAGE,
    f"{_FEED}Concurrent.txt": _NO_MESSAGE,
    f"{_FEED}Heartbeat.txt": _NO_MESSAGE,
    f"{_FEED}Klines.txt": _NO_MESSAGE,
    f"{_FEED}Symbol.txt": _NO_MESSAGE,
    f"{_FEED}Ticker.txt": _NO_MESSAGE,
    f"{_FEED}Trades.txt": _NO_MESSAGE,
}


def content(name: str) -> bytes:
    """The venue's part of a file: some have the request in front, or what went to and fro."""
    text = (DATA / name).read_text(encoding="utf-8")
    if name.startswith(_REST):
        text = text.split("\n", 3)[3]
    if name.startswith(_FEED):
        text = _MARK.split(text, maxsplit=1)[1]
        text = _MARK.sub("\n", text)
    return text.encode()


def read(name: str) -> Reading:
    return CoinbaseReader(ACCOUNT).read(name, content(name))


def test_every_file_is_in_one_of_the_tables() -> None:
    files = {str(path.relative_to(DATA)) for path in DATA.rglob("*") if path.is_file()}
    assert files == READ.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", READ)
def test_file_is_read(name: str) -> None:
    reading = read(name)
    facts = [fact for fact in reading.facts if not isinstance(fact, InstrumentDefined)]
    assert (reading.kind, len(facts), len(reading.refused), reading.snapshot is not None) == READ[name]


@pytest.mark.parametrize("name", REFUSED)
def test_file_is_refused_for_its_reason(name: str) -> None:
    with pytest.raises(Malformed, match=REFUSED[name]):
        read(name)


@pytest.mark.parametrize("name", [name for name in (*READ, *REFUSED) if name.startswith(_REST)])
def test_a_file_with_its_request_in_front_is_refused(name: str) -> None:
    with pytest.raises(Malformed, match="a request recorded as text"):
        CoinbaseReader(ACCOUNT).read(name, (DATA / name).read_bytes())


def test_fills_are_those_of_the_file() -> None:
    name = "nautilus/http_fills.json"
    rows = json.loads(content(name))["fills"]
    booked = {fill.venue_trade_id: fill for fill in fills(read(name))}
    for row in rows:
        fill = booked[row["entry_id"]]
        assert (fill.quantity, fill.price, fill.fee) == tuple(Decimal(row[f]) for f in ("size", "price", "commission"))
        assert fill.side == row["side"].lower()


def test_states_are_those_of_the_file() -> None:
    accounts = read("nautilus/http_accounts.json").snapshot
    assert accounts is not None
    assert accounts.balances == {"BTC": Decimal("1.23956789"), "USD": Decimal("10450.50")}
    futures = read("nautilus/http_cfm_positions.json").snapshot
    assert futures is not None
    assert list(futures.unmapped) == ["BIP-20DEC30-CDE"]  # its product is not in the file
    user = read("nautilus/ws_user.json").snapshot
    assert user is not None
    assert user.open_orders is not None
    assert [order.quantity for order in user.open_orders.values()] == [Decimal("0.001")]
    listed = of(OrderReported, read("nautilus/http_orders_list.json"))
    assert {(report.status, report.quantity) for report in listed} == {
        ("open", Decimal("0.01")), ("filled", Decimal("0.0325")),
    }  # fmt: skip
