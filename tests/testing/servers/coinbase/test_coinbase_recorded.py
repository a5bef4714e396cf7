"""Recorded and documented answers judge the server: no field of theirs is left out, and each is written their way."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.testing.servers.coinbase.talk import BTC, FUTURE, Row, Talk

DATA = Path(__file__).parents[5] / "shared" / "venue-data" / "coinbase"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded answers are not beside this checkout")

GTC, IOC, FOK, MARKET = "limit_limit_gtc", "sor_limit_ioc", "limit_limit_fok", "market_market_ioc"
STOP = "stop_limit_stop_limit_gtc"
TERMS = {"base_size": "0.01", "limit_price": "50000"}
UNTIL = {"end_time": "2026-11-24T00:00:00Z"}
DOWN = {"stop_price": "55000", "stop_direction": "STOP_DIRECTION_STOP_DOWN"}

NOT_SERVED = {"trigger_bracket_gtc", "trigger_bracket_gtd"}
"""Configurations of orders that are declined."""

ORDERS: list[tuple[str, str, Row]] = [
    ("BUY", MARKET, {"quote_size": "100"}),
    ("BUY", MARKET, {"base_size": "0.01"}),
    ("BUY", IOC, TERMS),
    ("BUY", GTC, TERMS),
    ("BUY", "limit_limit_gtd", TERMS | UNTIL),
    ("BUY", FOK, TERMS),
    ("SELL", STOP, TERMS | DOWN),
    ("SELL", "stop_limit_stop_limit_gtd", TERMS | DOWN | UNTIL),
]


def eventful(*, older: bool = False) -> Talk:
    """An account that has every kind of order, and holds a future."""
    talk = Talk(older_positions=older)
    for side, kind, terms in ORDERS:
        talk.placed(BTC, side, kind, **terms)
    edited = talk.placed(BTC, "BUY", GTC, **TERMS)
    talk.post("/orders/edit", {"order_id": edited, "price": "50001", "size": "0.01"})
    talk.trade("2")
    return talk


@cache
def answers() -> dict[str, Any]:
    """What each path is answered by."""
    talk = eventful()
    asked = (
        "/accounts", "/portfolios", "/transaction_summary", "/cfm/positions", "/cfm/intraday/current_margin_window",
        "/orders/historical/batch", "/products", f"/products/{BTC}/ticker", f"/product_book?product_id={BTC}",
    )  # fmt: skip
    told: dict[str, Any] = {path.partition("?")[0]: talk.get(path) for path in asked}
    told["/orders/historical/fills"] = talk.get("/orders/historical/fills")
    rows = told["/orders/historical/batch"]["orders"]
    told["/orders/historical/one"] = {"order": next(row for row in rows if GTC in row["order_configuration"])}
    told["/cfm/positions older"] = eventful(older=True).get("/cfm/positions")
    taken, declined = talk.order(BTC, "BUY", GTC, **TERMS), talk.order(BTC, "BUY", MARKET, base_size="9")
    told["/orders"] = {**taken, "error_response": declined["error_response"]}
    told["/orders"] |= {"order_configuration": every_configuration(rows)}
    told["/orders/historical/batch"] = {
        **told["/orders/historical/batch"],
        "orders": [rows[0] | {"order_configuration": every_configuration(rows)}],
    }
    return told


def every_configuration(rows: list[Row]) -> Row:
    """The configurations of all orders in one, as a recorded schema has them."""
    merged: dict[str, Row] = {}
    for row in rows:
        for name, terms in row["order_configuration"].items():
            merged[name] = merged.get(name, {}) | terms
    return merged


SLOPPY = "stop_limit_stop_limit_gtd.base_size"
"""A number without quotes in an example, among nothing but numbers with them."""

RECORDED = {
    "nautilus/http_accounts.json": "/accounts",
    "nautilus/http_cfm_positions.json": "/cfm/positions",
    "nautilus/http_fills.json": "/orders/historical/fills",
    "nautilus/http_order.json": "/orders/historical/one",
    "nautilus/http_orders_list.json": "/orders/historical/batch",
    "nautilus/http_product_book.json": "/product_book",
    "nautilus/http_products.json": "/products",
    "jkorf/Endpoints-AdvancedTrade-Account-GetAccounts.txt": "/accounts",
    "jkorf/Endpoints-AdvancedTrade-Account-GetFeeInfo.txt": "/transaction_summary",
    "jkorf/Endpoints-AdvancedTrade-Account-GetFuturesCurrentMarginWindow.txt": "/cfm/intraday/current_margin_window",
    "jkorf/Endpoints-AdvancedTrade-Account-GetPortfolios.txt": "/portfolios",
    "jkorf/Endpoints-AdvancedTrade-Trading-GetFuturesPositions.txt": "/cfm/positions older",
    "jkorf/Endpoints-AdvancedTrade-Trading-GetOrders.txt": "/orders/historical/batch",
    "jkorf/Endpoints-AdvancedTrade-Trading-GetUserTrades.txt": "/orders/historical/fills",
    "jkorf/Endpoints-AdvancedTrade-Trading-PlaceOrder.txt": "/orders",
    "jkorf/Endpoints-AdvancedTrade-ExchangeData-GetOrderBook.txt": "/product_book",
    "jkorf/Endpoints-AdvancedTrade-ExchangeData-GetTradeHistory.txt": "/products/ticker",
}
"""By file: what of ours must have every field of it, written in the same way."""

ELSEWHERE = re.compile(
    r"Convert|Deposit|Withdraw|AddressTransactions|PaymentMethods|AllocatePortfolio|CreatePortfolio|DeletePortfolio"
    r"|EditPortfolio|TransferPortfolioFunds|Set(Intraday|Perpetual)|AggregatedOrderBook|GetAssets|CryptoAssets"
    r"|ExchangeRates|FiatAssets|GetKlines|Subscriptions-|ws_"
)
"""About other interfaces, of what is not served, or of a stream, which is judged with the streams."""

LOOSE = {
    "expiration_time", "margin_rate", "goods_and_services_tax", "trades", "stop_direction", "leverage", "edit_history",
    "sequence",
}  # fmt: skip
"""What a recording of a schema fills with words of its own, or what is null or empty here."""


def load(name: str) -> object:
    text = (DATA / name).read_text()
    return json.loads(text.split("\n", 3)[3] if name.endswith(".txt") else text)


@pytest.mark.parametrize(("name", "asked"), RECORDED.items())
def test_every_recorded_field_is_there_and_written_the_same_way(name: str, asked: str) -> None:
    found = answers()["/products/BTC-USD/ticker" if asked == "/products/ticker" else asked]
    assert list(differences(load(name), found, asked)) == []


def test_every_recording_is_judged_or_about_something_else() -> None:
    found = {f"{folder.name}/{path.name}" for folder in DATA.iterdir() for path in folder.iterdir()}
    assert {name for name in found - RECORDED.keys() if not ELSEWHERE.search(name)} == set()


def test_a_difference_would_be_seen() -> None:
    row: Row = {"size": "1.5", "done": True, "time": "2024-01-15T10:30:00Z", "name": "x", "of": {"value": "1", "n": 1}}
    for field, other in {"size": 1.5, "done": "true", "time": "1", "name": 1, "of": {"value": "1"}}.items():
        assert len(list(differences({"rows": [row]}, {"rows": [row | {field: other}]}, ""))) == 1, field
    assert len(list(differences([row], [{}], ""))) == len(row)
    assert list(differences([row], [row | {"more": 1}], "")) == []


def differences(recorded: object, ours: object, where: str) -> Iterator[str]:
    """Where ours lacks what was recorded, or writes it in another way. Ours may say more, and null is any value."""
    if isinstance(recorded, dict) and isinstance(ours, dict):
        for field in recorded.keys() - NOT_SERVED:
            if field not in ours:
                yield f"{where}.{field} is missing"
            elif field not in LOOSE and not f"{where}.{field}".endswith(SLOPPY):
                yield from differences(recorded[field], ours[field], f"{where}.{field}")
    elif isinstance(recorded, list) and isinstance(ours, list):
        if recorded and not ours:
            yield f"{where} is empty"
        for item in recorded[:1]:
            for mine in ours[:1]:
                yield from differences(item, mine, f"{where}[]")
    elif written(recorded) != written(ours) and None not in (recorded, ours) and "" not in (recorded, ours):
        yield f"{where}: {written(ours)} {ours!r} for {written(recorded)} {recorded!r}"


def written(value: object) -> str:
    """How a value is written."""
    if not isinstance(value, str):
        return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    patterns = {
        "digits": r"-?\d+(\.\d+)?",
        "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
        "word": r"[A-Z][A-Z0-9_]+",
    }
    return next((name for name, pattern in patterns.items() if re.fullmatch(pattern, value)), "text")


def test_the_future_that_is_held_is_the_one_that_trades() -> None:
    assert answers()["/cfm/positions"]["positions"][0]["product_id"] == FUTURE
