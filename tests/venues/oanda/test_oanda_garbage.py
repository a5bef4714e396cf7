"""Whatever stands in a file, the reader reads it, refuses a row of it, or refuses it whole."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.oanda.oanda_rows import (
    ACCOUNT,
    TIME,
    fill,
    fills,
)
from trueup.model.errors import Malformed
from trueup.venues.oanda.reader import OandaReader

NAMES = [
    *("id", "time", "type", "units", "instrument", "price", "pl", "orderID", "tradeID", "financing", "currency"),
    *("balance", "positions", "orders", "trades", "long", "short", "tradesClosed", "tradeOpened", "state", "amount"),
    *("positionFinancings", "clientExtensions", "accountBalance", "createTime", "homeConversionFactors", "realizedPL"),
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["1", "-5", "EUR_USD", TIME, "NaN"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner
            | st.sampled_from(["ORDER_FILL", "DAILY_FINANCING", "LIMIT_ORDER", "ORDER_CANCEL", "PENDING", "HEARTBEAT"]),
            max_size=9,
        )
    ),
    max_leaves=25,
)
ROOTS = ["transactions", "transaction", "changes", "account", "positions", "position", "orders", "order", "trades"]


@given(
    st.dictionaries(
        st.sampled_from([*ROOTS, "trade", "instruments", "xTransaction"]), VALUES | st.lists(VALUES), max_size=2
    )
)
def test_no_answer_breaks_the_reader(answer: dict[str, object]) -> None:
    survives(json.dumps(answer).encode())


@given(
    st.binary(max_size=64) | st.text(max_size=64).map(str.encode) | VALUES.map(lambda value: json.dumps(value).encode())
)
def test_no_bytes_break_the_reader(data: bytes) -> None:
    survives(data)


def survives(data: bytes) -> None:
    try:
        reading = OandaReader(ACCOUNT, "EUR").read("garbage", data)
    except Malformed:
        return
    assert all(refused.problem and refused.remedy for refused in reading.refused)


@pytest.mark.parametrize("row", [{"id": 7, "type": "ORDER_FILL"}, {"id": "7", "type": 7}, {"id": "7"}, "x", 5])
def test_a_list_without_a_single_transaction_is_refused_as_a_whole(row: object) -> None:
    with pytest.raises(Malformed, match="no row of it is a transaction") as refusal:
        OandaReader(ACCOUNT, "EUR").read("odd.json", json.dumps([row, row]).encode())
    assert "odd.json" in refusal.value.remedy


def test_a_row_that_is_no_transaction_is_refused_beside_those_that_are() -> None:
    reading = OandaReader(ACCOUNT, "EUR").read("list", json.dumps([{"coin": "BTC"}, fill(7, "20")]).encode())
    assert [refused.row for refused in reading.refused] == [1]
    assert len(fills(reading)) == 1
