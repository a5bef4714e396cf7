"""The venue's own description and recorded answers judge the server: no field too many, and none left out."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.testing.servers.oanda.talk import Row, Talk

DATA = Path(__file__).parents[5] / "shared" / "venue-data" / "oanda"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded answers are not beside this checkout")

LATER = frozenset({"tags", "requestedUnits", "timestamp", "partialFill"}) | frozenset(
    f"AccountChangesState.{field}"
    for field in ("balance", "pl", "resettablePL", "financing", "commission", "guaranteedExecutionFees")
)
"""Fields that recordings have, and the description of 2018 does not."""

LEFT_OUT = frozenset({
    "unitsAvailable",  # deprecated, and nothing to book or compare
    "clientExtensionsModify",  # changing extensions is not served
    "marginCallEnterTime",
})  # fmt: skip
"""Fields that recordings have and the server does not say."""

LIMIT = {"type": "LIMIT", "units": "100", "price": "1.08400"}


@cache
def answers() -> dict[str, Row]:
    """Every kind of answer, of one eventful account, by method and path as the description writes them."""
    talk = Talk()
    talk.order(type="MARKET", units="1000", stopLossOnFill={"price": "1.05"})
    told: dict[str, Row] = {}
    extensions = {"clientExtensions": {"id": "id", "tag": "tag", "comment": "comment"}}
    touched = {"type": "MARKET_IF_TOUCHED", "units": "100", "price": "1.08", "positionFill": "OPEN_ONLY"}
    told["POST /orders market"] = talk.order(type="MARKET", units="1000", **extensions)
    told["POST /orders touched"] = talk.order(**touched)
    talk.order(**touched, clientExtensions={"id": "gone", "tag": "t"})
    talk.put("/orders/@gone/cancel")
    told["POST /orders 400"] = talk.order(400, **{**touched, "price": "1.080000001"})
    told["POST /orders limit"] = talk.order(**LIMIT, **extensions, stopLossOnFill={"price": "1.05"})
    told["PUT /orders/{orderSpecifier}"] = talk.put("/orders/@id", {"order": {**LIMIT, "instrument": "EUR_USD"}}, 201)
    limit = told["PUT /orders/{orderSpecifier}"]["orderCreateTransaction"]["id"]
    talk.order(**LIMIT, clientExtensions={"id": "other", "comment": "c"}, stopLossOnFill={"price": "1.05"})
    told["PUT /orders/{orderSpecifier}/cancel"] = talk.put("/orders/@other/cancel")
    told["PUT /orders/{orderSpecifier}/cancel 404"] = talk.put("/orders/99/cancel", expected=404)
    talk.clock.pass_s(3_600)
    talk.exchange.advance()
    told["PUT /trades/{tradeSpecifier}/close"] = talk.put("/trades/5/close", {"units": "1000"})
    told["PUT /positions/{instrument}/close"] = talk.put("/positions/EUR_USD/close", {"longUnits": "ALL"})
    told["PUT /positions/{instrument}/close 404"] = talk.put(
        "/positions/EUR_USD/close", {"shortUnits": "ALL", "longUnits": "NONE"}, 404
    )
    talk.order(type="MARKET", units="1000", takeProfitOnFill={"price": "1.2"})
    talk.order(type="MARKET", instrument="USD_JPY", units="-1000")
    talk.order(type="STOP", units="100", price="1.2")
    talk.order(**LIMIT, stopLossOnFill={"price": "1.05"}, **extensions)
    for path, asked in {
        "": "",
        "/summary": "/summary",
        "/changes": "/changes?sinceTransactionID=1",
        "/instruments": "/instruments",
        "/pricing": "/pricing?instruments=EUR_USD,USD_JPY",
        "/positions": "/positions",
        "/openPositions": "/openPositions",
        "/positions/{instrument}": "/positions/EUR_USD",
        "/trades": "/trades?state=ALL",
        "/openTrades": "/openTrades",
        "/trades/{tradeSpecifier}": "/trades/5",
        "/orders": "/orders?state=ALL",
        "/pendingOrders": "/pendingOrders",
        "/orders/{orderSpecifier}": f"/orders/{limit}",
        "/transactions": "/transactions?type=ORDER_FILL",
        "/transactions/idrange": "/transactions/idrange?from=1&to=1000",
        "/transactions/sinceid": "/transactions/sinceid?id=0",
        "/transactions/{transactionID}": "/transactions/4",
    }.items():
        told[f"GET {path}"] = talk.get(asked)
    told["GET /accounts"] = talk.get("/v3/accounts")
    return told


# --- the description --------------------------------------------------------------------------------------------------


@cache
def description() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((DATA / "spec" / "v20.json").read_text())
    return read


KINDS: dict[str, Any] = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}


def problems(value: object, schema: dict[str, Any], name: str) -> Iterator[str]:
    """What of a value the description does not know."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        if name in {"Transaction", "Order"} and isinstance(value, dict):
            name = _camel(value["type"]) + name
        schema = description()["definitions"][name]
    if name == "PriceBucket.liquidity" and isinstance(value, str):
        return  # of a transaction's prices it is recorded as text
    if "type" in schema and not isinstance(value, KINDS[schema["type"]]):
        yield f"{name}: {value!r} is no {schema['type']}"
    elif isinstance(value, dict) and "properties" in schema:
        for field, inner in value.items():
            if field in schema["properties"]:
                yield from problems(inner, schema["properties"][field], f"{name}.{field}")
            elif not {field, f"{name}.{field}"} & LATER:
                yield f"{name}.{field} is not known"
    elif isinstance(value, list):
        for inner in value:
            yield from problems(inner, schema.get("items", {}), name)
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{name}: {value!r} is none of {schema['enum']}"


def _camel(words: str) -> str:
    return "".join(word.capitalize() for word in words.removesuffix("_ORDER").split("_")) + (
        "Order" if words.endswith("_ORDER") else ""
    )


@pytest.mark.parametrize("asked", sorted(answers()) if DATA.is_dir() else [])
def test_the_description_knows_every_field(asked: str) -> None:
    method, _, rest = asked.partition(" ")
    path, _, variant = rest.partition(" ")
    whole = path if path == "/accounts" else f"/accounts/{{accountID}}{path}"
    operation = description()["paths"][whole][method.lower()]["responses"]
    default = "201" if method == "POST" or (path == "/orders/{orderSpecifier}" and method == "PUT") else "200"
    schema = operation[variant if variant.isdigit() else default]["schema"]
    assert list(problems(answers()[asked], schema, asked)) == []


# --- recorded answers -------------------------------------------------------------------------------------------------

RECORDED = {
    "recorded/account-account_summary.json": "GET /summary",
    "recorded/account-accounts.json": "GET /accounts",
    "recorded/account-changes.json": "GET /changes",
    "recorded/account-instruments.json": "GET /instruments",
    "recorded/order-error-order_rejected.json": "POST /orders 400",
    "recorded/order-market_if_touched_order.json": "POST /orders touched",
    "recorded/order-market_order.json": "POST /orders market",
    "recorded/order-order.json": "GET /orders",
    "recorded/order-orders.json": "GET /orders",
    "recorded/position-close_position.json": "PUT /positions/{instrument}/close",
    "recorded/position-positions.json": "GET /positions",
    "recorded/pricing-pricing.json": "GET /pricing",
    "recorded/trade-open_trades.json": "GET /openTrades",
    "recorded/trade-trade.json": "GET /trades",
    "recorded/transaction-idrange.json": "GET /transactions/idrange",
    "recorded/transaction-sinceid.json": "GET /transactions/sinceid",
    "samples/accounts-v3_account_by_accountID.json": "GET ",
    "samples/accounts-v3_account_by_accountID_summary.json": "GET /summary",
    "samples/accounts-v3_accounts_accountID_account_changes.json": "GET /changes",
    "samples/orders-v3_accounts_accountID_order_cancel.json": "PUT /orders/{orderSpecifier}/cancel",
    "samples/orders-v3_accounts_accountID_order_details.json": "GET /orders",
    "samples/orders-v3_accounts_accountID_orders_create.json": "POST /orders limit",
    "samples/orders-v3_accounts_accountID_orders_list.json": "GET /orders",
    "samples/positions-v3_accounts_accountID_openpositions.json": "GET /openPositions",
    "samples/positions-v3_accounts_accountID_positiondetails.json": "GET /positions",
    "samples/pricing-v3_accounts_accountID_pricing.json": "GET /pricing",
    "samples/trades-v3_account_accountID_trades_close.json": "PUT /trades/{tradeSpecifier}/close",
    "samples/trades-v3_accounts_accountID_opentrades.json": "GET /openTrades",
    "samples/trades-v3_accounts_accountID_trades.json": "GET /trades",
    "samples/transactions-v3_accounts_accountID_transactions.json": "GET /transactions",
    "samples/transactions-v3_accounts_transaction_idrange.json": "GET /transactions/idrange",
}
"""By file: what of ours must have every field of it, in the same JSON type."""

SINGULAR = {"order": "orders", "position": "positions", "trade": "trades", "transaction": "transactions"}

NOT_SERVED = frozenset({"ORDER_CLIENT_EXTENSIONS_MODIFY"})


def shape(value: object) -> object:
    """The fields of a value, with the types of what stands there; what lists hold is laid one upon another by type."""
    if isinstance(value, dict):
        return {SINGULAR.get(field, field): shape(inner) for field, inner in value.items()}
    if isinstance(value, list):
        merged: object = None
        for inner in value:
            told = shape(inner)
            kind = inner.get("type") if isinstance(inner, dict) else None
            merged = _laid(merged, {kind: told} if kind and kind != "PRICE" and kind.isupper() else told)
        return merged
    return type(value).__name__


def _laid(one: object, other: object) -> object:
    if isinstance(one, dict) and isinstance(other, dict):
        return {field: _laid(one.get(field), other.get(field)) for field in one | other}
    return other if one is None else one


def missing(theirs: object, ours: object, where: str) -> Iterator[str]:
    """What a recorded answer has, and ours has not."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for field, inner in theirs.items():
            if field in LEFT_OUT | NOT_SERVED:
                continue
            if field not in ours:
                yield f"{where}.{field} is left out"
            else:
                yield from missing(inner, ours[field], f"{where}.{field}")
    elif theirs is not None and ours is not None and theirs != ours:
        yield f"{where} is {ours}, not {theirs}"


@pytest.mark.parametrize(("name", "asked"), RECORDED.items())
def test_every_recorded_field_is_there(name: str, asked: str) -> None:
    recorded = json.loads((DATA / name).read_text())
    if "response" in recorded:
        recorded = recorded["response"]
    if "order" in recorded:
        recorded = {**recorded, "order": [recorded["order"]]}
    assert list(missing(shape(recorded), shape(answers()[asked]), name)) == []


def test_every_recording_is_judged_or_about_something_else() -> None:
    elsewhere = re.compile(r"instrument-|instruments-v3|account_config|trades_crcdo|transactions_stream")
    found = {f"{folder}/{path.name}" for folder in ("recorded", "samples") for path in (DATA / folder).iterdir()}
    assert {name for name in found - RECORDED.keys() if not elsewhere.search(name)} == set()
