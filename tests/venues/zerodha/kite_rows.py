"""Rows and answers in Kite's formats, small enough to read beside their test."""

import json
from typing import TypeVar

from trueup.model.identifiers import AccountId
from trueup.ports import Reading
from trueup.venues.zerodha.reader import ZerodhaReader

ACCOUNT = AccountId("zerodha:rules")
DAY = "2026-11-20"
TIME = f"{DAY} 09:15:01"
NS = 1_795_146_301_000_000_000  # 2026-11-20T03:45:01Z

T = TypeVar("T")


def trade(
    number: int, side: object = "BUY", quantity: object = 10, price: object = 100.5, **fields: object
) -> dict[str, object]:
    return {
        "trade_id": str(number),
        "order_id": "7001",
        "exchange": "NSE",
        "tradingsymbol": "SBIN",
        "instrument_token": 779521,
        "product": "CNC",
        "average_price": price,
        "quantity": quantity,
        "exchange_order_id": "1",
        "transaction_type": side,
        "fill_timestamp": TIME,
        "order_timestamp": "09:15:00",
        "exchange_timestamp": TIME,
        **fields,
    }


def order(
    number: int, status: object = "OPEN", quantity: object = 10, filled: object = 0, **fields: object
) -> dict[str, object]:
    return {
        "order_id": str(number),
        "status": status,
        "order_timestamp": TIME,
        "exchange_update_timestamp": None,
        "exchange": "NSE",
        "tradingsymbol": "SBIN",
        "order_type": "LIMIT",
        "transaction_type": "BUY",
        "product": "CNC",
        "quantity": quantity,
        "price": 100.5,
        "trigger_price": 0,
        "filled_quantity": filled,
        "tag": None,
        **fields,
    }


def position(name: str, quantity: object, **fields: object) -> dict[str, object]:
    return {
        "tradingsymbol": name,
        "exchange": "NFO",
        "product": "NRML",
        "quantity": quantity,
        "overnight_quantity": 0,
        "multiplier": 1,
        "average_price": 50,
        "last_price": 51.25,
        **fields,
    }


def holding(name: str, quantity: object, **fields: object) -> dict[str, object]:
    return {
        "tradingsymbol": name,
        "exchange": "NSE",
        "isin": "INE062A01020",
        "product": "CNC",
        "quantity": quantity,
        "used_quantity": 0,
        "t1_quantity": 0,
        "opening_quantity": quantity,
        "collateral_quantity": 0,
        "average_price": 90.25,
        **fields,
    }


def net(*rows: object) -> dict[str, object]:
    return {"net": rows, "day": []}


def margins(**cash: object) -> dict[str, object]:
    return {segment: {"available": {"cash": amount}, "utilised": {}} for segment, amount in cash.items()}


def answer(data: object) -> bytes:
    return json.dumps({"status": "success", "data": data}).encode()


def read(data: object, reader: ZerodhaReader | None = None, request: bytes | None = None) -> Reading:
    return (reader or ZerodhaReader(ACCOUNT)).read("answer", answer(data), request)


def all_of(kind: type[T], reading: Reading) -> list[T]:
    return [fact for fact in reading.facts if isinstance(fact, kind)]


def problems(reading: Reading) -> list[tuple[int, str]]:
    return [(refused.row, refused.field) for refused in reading.refused]
