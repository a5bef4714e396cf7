"""Files of the generic format, small enough to read beside their test."""

import json
from typing import TypeVar

from trueup.model.events import Fact, InstrumentDefined
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.ports import Reading
from trueup.venues.generic.reader import GenericReader

ACCOUNT = AccountId("generic:rows")
TIME = "2026-03-02T09:00:00Z"
NS = 1772442000 * 10**9

T = TypeVar("T")


def read(text: str | bytes, *instruments: Instrument) -> Reading:
    data = text.encode() if isinstance(text, str) else text
    return GenericReader(ACCOUNT, instruments).read("file", data)


def rows(*listed: dict[str, object], instruments: tuple[Instrument, ...] = ()) -> Reading:
    """Read as JSON lines."""
    return read("\n".join(json.dumps(row) for row in listed), *instruments)


def row(kind: str, **cells: object) -> dict[str, object]:
    return {"kind": kind, "id": "1", "venue_time": TIME, **cells}


def fill(**cells: object) -> dict[str, object]:
    trade = {"instrument": "BTC/USDT:USDT", "side": "buy", "quantity": "2", "price": "100"}
    return {**row("fill"), **trade, **cells}


def booked(reading: Reading) -> list[Fact]:
    return [fact for fact in reading.facts if not isinstance(fact, InstrumentDefined)]


def only(kind: type[T], reading: Reading) -> T:
    (found,) = (fact for fact in reading.facts if isinstance(fact, kind))
    return found


def problems(reading: Reading) -> list[tuple[int, str, str]]:
    return [(refused.row, refused.field, refused.value) for refused in reading.refused]
