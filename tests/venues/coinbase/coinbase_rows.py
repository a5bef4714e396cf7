"""Rows and answers in Coinbase's formats, small enough to read beside their test."""

import json
from decimal import Decimal
from typing import TypeVar

from trueup.model.events import FillBooked
from trueup.model.identifiers import AccountId
from trueup.ports import Reading
from trueup.venues.coinbase.reader import CoinbaseReader

ACCOUNT = AccountId("coinbase:rules")
TIME = "2026-03-02T09:00:00.123456Z"
NS = 1772442000123456000
FUTURE = "BIT-24APR26-CDE"
FUTURE_SYMBOL = "BTC/USD:USD-BIT-24APR26"

T = TypeVar("T")


def fill(entry: str, **fields: object) -> dict[str, object]:
    return {
        "entry_id": entry,
        "trade_id": f"t-{entry}",
        "order_id": "o-1",
        "trade_time": TIME,
        "trade_type": "FILL",
        "price": "100",
        "size": "2",
        "commission": "0.5",
        "product_id": "BTC-USD",
        "sequence_timestamp": TIME,
        "liquidity_indicator": "TAKER",
        "size_in_quote": False,
        "side": "BUY",
        **fields,
    }


def order(number: str, **fields: object) -> dict[str, object]:
    return {
        "order_id": number,
        "client_order_id": f"c-{number}",
        "product_id": "BTC-USD",
        "order_configuration": {"limit_limit_gtc": {"base_size": "2", "limit_price": "90", "post_only": False}},
        "side": "BUY",
        "status": "OPEN",
        "created_time": TIME,
        "filled_size": "0",
        "last_fill_time": None,
        **fields,
    }


def pushed(number: str, **fields: object) -> dict[str, object]:
    return {
        "order_id": number,
        "client_order_id": f"c-{number}",
        "product_id": "BTC-USD",
        "cumulative_quantity": "0",
        "leaves_quantity": "2",
        "status": "OPEN",
        "order_side": "BUY",
        "order_type": "Limit",
        "limit_price": "90",
        **fields,
    }


def message(sequence: int, *events: object, channel: str = "user") -> dict[str, object]:
    return {"channel": channel, "timestamp": TIME, "sequence_num": sequence, "events": list(events)}


def snapshot(*orders: object, **fields: object) -> dict[str, object]:
    return {"type": "snapshot", "orders": list(orders), **fields}


def update(*orders: object, **fields: object) -> dict[str, object]:
    return {"type": "update", "orders": list(orders), **fields}


def future(**fields: object) -> dict[str, object]:
    return {
        "product_id": FUTURE,
        "product_type": "FUTURE",
        "quote_currency_id": "USD",
        "base_currency_id": "",
        "base_increment": "1",
        "price_increment": "5",
        "future_product_details": {
            "contract_root_unit": "BTC",
            "contract_size": "0.01",
            "contract_expiry": "2026-04-24T15:00:00Z",
            **fields,
        },
    }


def know_future() -> CoinbaseReader:
    """A reader that has read what the future is worth."""
    reader = CoinbaseReader(ACCOUNT)
    assert not answer({"products": [future()]}, reader).refused
    return reader


def answer(value: object, reader: CoinbaseReader | None = None) -> Reading:
    return (reader or CoinbaseReader(ACCOUNT)).read("answer", json.dumps(value).encode())


def read_fills(*rows: object, reader: CoinbaseReader | None = None) -> Reading:
    return answer({"fills": rows, "cursor": ""}, reader)


def feed(*messages: object, reader: CoinbaseReader | None = None) -> Reading:
    lines = b"\n".join(json.dumps(message).encode() for message in messages)
    return (reader or CoinbaseReader(ACCOUNT)).read("feed", lines)


def fills(reading: Reading) -> list[FillBooked]:
    return [fact for fact in reading.facts if isinstance(fact, FillBooked)]


def of(kind: type[T], reading: Reading) -> list[T]:
    return [fact for fact in reading.facts if isinstance(fact, kind)]


def problems(reading: Reading) -> list[tuple[int, str]]:
    return [(refused.row, refused.field) for refused in reading.refused]


def position_of(booked: list[FillBooked]) -> Decimal:
    return sum((f.quantity if f.side == "buy" else -f.quantity for f in booked), Decimal(0))


def cash_of(booked: list[FillBooked]) -> Decimal:
    spent = (f.quantity * f.price * (-1 if f.side == "buy" else 1) - f.fee for f in booked)
    return sum(spent, Decimal(0))
