"""Rows and answers in OANDA's formats, small enough to read beside their test."""

import json
from collections.abc import Mapping
from typing import TypeVar

from trueup.model.events import FillBooked
from trueup.model.identifiers import AccountId
from trueup.ports import Reading
from trueup.venues.oanda.reader import OandaReader

ACCOUNT = AccountId("oanda:rules")
TIME = "2026-03-02T09:00:00.123456789Z"
NS = 1772442000123456789

T = TypeVar("T")


def transaction(number: int, kind: str, **fields: object) -> dict[str, object]:
    return {"id": str(number), "time": TIME, "type": kind, **fields}


def fill(number: int, units: str, **fields: object) -> dict[str, object]:
    row = {"orderID": str(number - 1), "instrument": "EUR_USD", "units": units, "price": "1.1", "pl": "0", **fields}
    return transaction(number, "ORDER_FILL", **row)


def read(*rows: object, reader: OandaReader | None = None) -> Reading:
    reader = reader or OandaReader(ACCOUNT, "EUR")
    return reader.read("answer", json.dumps({"transactions": rows}).encode())


def state(answer: Mapping[str, object], reader: OandaReader | None = None) -> Reading:
    return (reader or OandaReader(ACCOUNT)).read("state", json.dumps(answer).encode())


def account(**fields: object) -> dict[str, object]:
    return {"account": {"id": "001", "currency": "EUR", "balance": "100", **fields}, "lastTransactionID": "1"}


def only(kind: type[T], reading: Reading) -> T:
    (found,) = (fact for fact in reading.facts if isinstance(fact, kind))
    return found


def fills(reading: Reading) -> list[FillBooked]:
    return [fact for fact in reading.facts if isinstance(fact, FillBooked)]


def problems(reading: Reading) -> list[tuple[int, str, str]]:
    return [(refused.row, refused.field, refused.value) for refused in reading.refused]


def order(number: int, kind: str = "LIMIT_ORDER", **fields: object) -> dict[str, object]:
    return transaction(number, kind, **{"instrument": "EUR_USD", "units": "100", "price": "1.05", **fields})
