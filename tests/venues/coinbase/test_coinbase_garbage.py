"""Whatever stands in a file, the reader reads it, refuses a row of it, or refuses it whole."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.venues.coinbase.coinbase_rows import FUTURE, TIME, fill, know_future, order, pushed
from trueup.model.errors import Malformed

NAMES = [
    *fill(""), *order(""), *pushed(""), "uuid", "currency", "available_balance", "hold", "value", "type", "orders",
    "positions", "expiring_futures_positions", "number_of_contracts", "contract_size", "cfm_usd_balance",
    "fcm_balance_summary", "asset", "total_balance_crypto", "spot_positions", "future_product_details", "success",
]  # fmt: skip
WORDS = [
    "1", "-5", "0", "1e-8", "NaN", TIME, "BTC-USD", FUTURE, "FILL", "REVERSAL", "CORRECTION", "BUY", "LONG", "OPEN",
    "FILLED", "snapshot", "update", "user", "FUTURE",
]  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=9),
    max_leaves=25,
)
ROOTS = [
    "fills", "orders", "order", "accounts", "account", "products", "positions", "position", "balance_summary",
    "breakdown", "success", "results", "error", "has_next", "channel", "events", "sequence_num", "timestamp",
]  # fmt: skip


@given(st.dictionaries(st.sampled_from(ROOTS), VALUES | st.lists(VALUES, max_size=3), max_size=4))
def test_no_answer_breaks_the_reader(answer: dict[str, object]) -> None:
    survives(json.dumps(answer).encode())


@given(st.binary(max_size=64) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    survives(data)


ROWS = st.sampled_from([("fills", fill("1")), ("orders", order("1")), ("orders", order("1", status="FILLED"))])


@given(ROWS, st.sampled_from(NAMES), VALUES)
def test_no_value_in_a_good_row_breaks_the_reader(row: tuple[str, dict[str, object]], name: str, value: object) -> None:
    root, fields = row
    survives(json.dumps({root: [{**fields, name: value}]}).encode())


@given(st.sampled_from(NAMES), VALUES, st.sampled_from(["snapshot", "update"]))
def test_no_value_in_a_message_breaks_the_reader(name: str, value: object, kind: str) -> None:
    event = {"type": kind, "orders": [{**pushed("1"), name: value}], "positions": value}
    survives(json.dumps({"channel": "user", "timestamp": TIME, "sequence_num": 1, "events": [event]}).encode())


def survives(data: bytes) -> None:
    try:
        reading = know_future().read("garbage", data)
    except Malformed:
        return
    assert all(refused.problem and refused.remedy for refused in reading.refused)
