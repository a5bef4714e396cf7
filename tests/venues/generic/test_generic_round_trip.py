"""Facts written as rows and read back are the same facts; garbage never breaks the reader."""

import csv
import io
import json
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.generic.generic_rows import ACCOUNT, booked, read
from trueup.model import events as e
from trueup.model.errors import Malformed
from trueup.model.instruments import Instrument
from trueup.model.numbers import canonical
from trueup.model.times import format_time
from trueup.venues.generic.kinds import COLUMNS, KINDS

INSTRUMENTS = (
    Instrument("BTC/USD:BTC", "XBTUSD", "inverse", "BTC", "USD", "BTC", contract_size=Decimal(100)),
    Instrument("ETH/USD:BTC", "ETHUSD", "quanto", "ETH", "USD", "BTC", contract_size=Decimal("0.000001")),
    Instrument("SOL/USDC:USDC", "SOL", "linear", "SOL", "USDC", "USDC"),
    Instrument("EUR/USD", "EURUSD", "spot", "EUR", "USD", "USD"),
)

decimals = st.decimals(min_value=-(10**12), max_value=10**12, places=8)
positives = st.decimals(min_value=Decimal("0.00000001"), max_value=10**12, places=8)
texts = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=12)
times = st.integers(1, 2**62)
sides = st.sampled_from(["net", "long", "short"])
symbols = st.sampled_from([known.symbol for known in INSTRUMENTS])
by_name: dict[str, st.SearchStrategy[Any]] = {
    "account": st.just(ACCOUNT),
    "instrument": symbols,
    "near": symbols,
    "far": symbols,
    "position_side": sides,
    "side": st.sampled_from(["buy", "sell"]),
    "venue_time": times,
    "instrument_version": st.just(1),
    "venue_sequence": st.integers(0, 10**9),
    "new": st.integers(1, 50),
    "old": st.integers(1, 50),
    "weak": st.just(False),
    "reduce_only": st.booleans(),
    "margin_mode": st.sampled_from(["cross", "isolated"]),
    "status": st.sampled_from(["open", "partially_filled", "filled", "canceled", "rejected", "expired"]),
    **dict.fromkeys(["price", "leverage", "trigger_price", "near_price", "far_price"], positives),
}


NEVER_EMPTY = ("strategy", "order_type", "reason")
"""Texts whose default is a word of its own."""


def facts(kind: str) -> st.SearchStrategy[Any]:
    """Any fact of a kind; what may be empty sometimes is."""
    shape = KINDS[kind]
    fields = {}
    for field in msgspec.structs.fields(shape.fact):
        value = by_name.get(field.name, decimals if field.type in (Decimal, Decimal | None) else texts)
        if field.name == "quantity" and kind in ("fill", "declared", "order"):
            value = positives
        if field.name in shape.optional and not field.required and field.name not in NEVER_EMPTY:
            value |= st.just(field.default)
        fields[field.name] = value
    return st.builds(shape.fact, **fields).map(consistent)


def consistent(fact: Any) -> Any:  # noqa: ANN401 - any kind of fact
    """What two fields must agree on."""
    if isinstance(fact, e.FillBooked) and (fact.settled_amount is None or not fact.settled_currency):
        return msgspec.structs.replace(fact, settled_amount=None, settled_currency="")
    if isinstance(fact, e.OrderReported):
        return msgspec.structs.replace(fact, filled=min(abs(fact.filled), fact.quantity))
    return fact


def as_row(kind: str, fact: e.Fact) -> dict[str, str]:
    row = {"kind": kind, "id": getattr(fact, KINDS[kind].identity)}
    for name in {*KINDS[kind].required, *KINDS[kind].optional}:
        value = getattr(fact, name)
        if value is not None and value != "":
            row[name] = written(name, value)
    return row


def written(name: str, value: object) -> str:
    if name == "venue_time" and isinstance(value, int):
        return format_time(value)
    if isinstance(value, bool):
        return str(value).lower()
    return canonical(value) if isinstance(value, Decimal) else str(value)


LISTS = st.lists(
    st.sampled_from(sorted(KINDS)).flatmap(lambda kind: st.tuples(st.just(kind), facts(kind))), min_size=1, max_size=6
)


@given(LISTS)
def test_facts_come_back_from_csv(listed: list[tuple[str, Any]]) -> None:
    rows = [as_row(kind, fact) for kind, fact in listed]
    file = io.StringIO()
    writer = csv.DictWriter(file, sorted(COLUMNS))
    writer.writeheader()
    writer.writerows(rows)
    reading = read(file.getvalue(), *INSTRUMENTS)
    assert reading.refused == []
    assert booked(reading) == [fact for _, fact in listed]


@given(LISTS)
def test_facts_come_back_from_json_lines(listed: list[tuple[str, Any]]) -> None:
    text = "\n".join(json.dumps(as_row(kind, fact), ensure_ascii=False) for kind, fact in listed)
    reading = read(text, *INSTRUMENTS)
    assert reading.refused == []
    assert booked(reading) == [fact for _, fact in listed]


CELLS = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(["1", "-5", "EUR/USD", "fill"])
)
ROWS = st.dictionaries(st.sampled_from(sorted(COLUMNS)), CELLS | st.sampled_from(sorted(KINDS)), max_size=9)
JSON = st.recursive(
    CELLS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner), max_leaves=9
)
SNAPSHOTS = st.fixed_dictionaries(
    {"snapshot": st.dictionaries(st.sampled_from(["venue_time", "positions", "balances", "open_orders"]), JSON)}
)
HEADERS = st.lists(st.sampled_from(sorted(COLUMNS)), max_size=9, unique=True).map(",".join)


@given(
    st.binary(max_size=64)
    | st.text(max_size=64).map(str.encode)
    | st.lists(ROWS | JSON, max_size=4).map(lambda rows: "\n".join(map(json.dumps, rows)).encode())
    | st.tuples(HEADERS, st.text('ab1,"\r\n/:', max_size=64)).map(lambda parts: "\n".join(parts).encode())
    | (SNAPSHOTS | JSON).map(lambda value: json.dumps(value).encode())
)
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        reading = read(data, *INSTRUMENTS)
    except Malformed:
        return
    assert all(refused.problem and refused.remedy for refused in reading.refused)
