"""Answers are told apart by content; feeds come line by line; whatever else it is, it is refused with a reason."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.hyperliquid.saved import ACCOUNT, ME, OTHER, fill, of, read
from trueup.model.errors import Malformed
from trueup.model.events import FillBooked, InstrumentDefined
from trueup.ports import Reading
from trueup.venues.hyperliquid.reader import HyperliquidReader


def read_lines(*values: object) -> Reading:
    lines = [value if isinstance(value, str) else json.dumps(value) for value in values]
    return HyperliquidReader(ACCOUNT).read("feed.jsonl", "\n".join(lines).encode())


def message(*fills: dict[str, Any], user: str = ME) -> dict[str, Any]:
    return {"channel": "userFills", "data": {"user": user, "fills": list(fills)}}


# --- nothing to book --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([{"t": 1, "T": 2, "s": "BTC", "i": "1h", "o": "1"}], "candles"),
        ([{"coin": "BTC", "px": "1", "sz": "1", "side": "B", "users": [ME, OTHER]}], "market trades"),
        ({"coin": "BTC", "levels": [[], []], "time": 1}, "an order book"),
        ([{"coin": "BTC", "fundingRate": "0.1", "time": 1}], "funding rates"),
        ({"cumVlm": "1", "nRequestsUsed": 2, "nRequestsCap": 3}, "rate limits"),
        ([{"name": "a", "subAccountUser": ME, "clearinghouseState": {}}], "several accounts"),
        ([{"name": "a", "address": ME, "validUntil": 1}], "agents"),
        ({"name": "USDC", "maxSupply": "1", "szDecimals": 8}, "a token"),
        ({"BTC": "80868.5", "ETH": "2296.45"}, "mid prices"),
        ({"status": "ok", "response": {"type": "order"}}, "answer to an order"),
        ({"status": "unknownOid"}, "does not know"),
        ({"channel": "l2Book", "data": {"levels": []}}, "feed 'l2Book'"),
        ({"channel": "pong", "data": None}, "feed 'pong'"),
    ],
)
def test_what_holds_nothing_of_an_account_is_refused_by_what_it_is(value: object, words: str) -> None:
    with pytest.raises(Malformed, match=words) as refusal:
        read(value)
    assert "saved.json" in refusal.value.message
    assert "userFills" in refusal.value.remedy


@pytest.mark.parametrize("value", [1, "x", None, True, {}, {"a": 1}, [[]], [1], [{"a": 1}], {"a": "b"}])
def test_what_is_not_recognised_is_not_guessed(value: object) -> None:
    with pytest.raises(Malformed, match="not recognised"):
        read(value)


def test_an_empty_answer_is_what_its_request_asked_for() -> None:
    reading = read([], {"type": "userFills", "user": ME})
    assert (reading.kind, reading.rows, list(reading.facts)) == ("userFills", 0, [])
    with pytest.raises(Malformed, match="'candleSnapshot' holds nothing"):
        read([], {"type": "candleSnapshot"})
    nothing_said: list[object] = [[], {"type": 5}]
    for request in nothing_said:
        with pytest.raises(Malformed, match="does not say what it is"):
            read([], request)


def test_a_request_that_is_not_json_says_nothing() -> None:
    with pytest.raises(Malformed, match="does not say what it is"):
        HyperliquidReader(ACCOUNT).read("saved.json", b"[]", b"type=userFills")


def test_answers_of_another_account_are_refused() -> None:
    with pytest.raises(Malformed, match=f"an answer of {OTHER}, but hyperliquid:main is {ME}"):
        read([fill()], {"type": "userFills", "user": OTHER}, address=ME)
    with pytest.raises(Malformed, match="an answer of"):
        read(message(fill()), address=OTHER)
    assert read([fill()], {"type": "userFills", "user": ME.upper()}, address=ME).facts


def test_whose_an_answer_is_holds_for_those_that_follow() -> None:
    reader = HyperliquidReader(ACCOUNT)
    assert read([fill()], reader=reader).learnt == {}
    assert read([fill()], {"type": "userFills", "user": ME}, reader=reader).learnt == {"address": ME}
    assert read([fill()], {"type": "userFills", "user": ME}, reader=reader).learnt == {}, "it was said before"
    with pytest.raises(Malformed, match="an answer of"):
        read([fill()], {"type": "userFills", "user": OTHER}, reader=reader)
    assert read([fill()], reader=reader).facts


def test_what_is_on_record_of_the_account_is_kept_to() -> None:
    reader = HyperliquidReader(ACCOUNT, learnt={"address": ME})
    for answer, request in (([fill()], {"type": "userFills", "user": OTHER}), (message(fill(), user=OTHER), None)):
        with pytest.raises(Malformed, match="an answer of"):
            read(answer, request, reader=reader)
    assert read([fill()], {"type": "userFills", "user": ME}, reader=reader).learnt == {}


def test_a_feed_of_two_accounts_is_refused_as_a_whole() -> None:
    with pytest.raises(Malformed, match="an answer of"):
        read_lines(message(fill(tid=1)), message(fill(tid=2), user=OTHER))


def test_nothing_is_believed_of_an_answer_that_is_refused() -> None:
    reader = HyperliquidReader(ACCOUNT)
    with pytest.raises(Malformed, match="aggregateByTime"):
        read([fill()], {"type": "userFillsByTime", "user": OTHER, "aggregateByTime": True}, reader=reader)
    assert read([fill()], {"type": "userFills", "user": ME}, reader=reader).learnt == {"address": ME}


def test_a_message_without_its_rows_is_refused() -> None:
    with pytest.raises(Malformed, match="not a list"):
        read({"channel": "userFills", "data": {"fills": 5}})
    with pytest.raises(Malformed, match="not a row"):
        read({"channel": "clearinghouseState", "data": {"clearinghouseState": []}})


# --- lines ------------------------------------------------------------------------------------------------------------


def test_a_feed_is_read_line_by_line() -> None:
    reading = read_lines(
        {"channel": "subscriptionResponse", "data": {}},
        message(fill(tid=1), fill(tid=2, sz="0")),
        "",
        {"channel": "pong"},
        message(fill(tid=3), fill(tid=4, coin="ETH")),
        '{"channel": "userFi',
        5,
    )
    assert reading.kind == "userFills"
    assert [f.venue_trade_id for f in of(reading, FillBooked)] == ["1", "3", "4"]
    assert [f.instrument.native_symbol for f in of(reading, InstrumentDefined)] == ["BTC", "ETH"]
    assert list(reading.facts[:2]) == of(reading, InstrumentDefined)
    assert [(r.file, r.row) for r in reading.refused] == [
        ("feed.jsonl", 4),
        ("feed.jsonl", 6),
        ("feed.jsonl", 7),
        ("feed.jsonl:2", 2),
    ]


def test_states_in_a_feed_are_merged() -> None:
    reading = read_lines(
        {"channel": "spotState", "data": {"user": ME, "spotState": {"balances": []}}},
        {"channel": "openOrders", "data": {"user": ME, "dex": "", "orders": []}},
        {"channel": "pong", "data": None},
    )
    assert reading.kind == "spotClearinghouseState, openOrders"
    assert reading.snapshot is not None
    assert (set(reading.snapshot.balances or ()), reading.snapshot.open_orders) == ({"USDC@spot"}, {})
    assert reading.note == "1 messages held nothing to book."


def test_rows_may_stand_one_a_line() -> None:
    rows = [fill(tid=None, oid=1), fill(tid=None, oid=1)]
    reading = read_lines(*rows, "{")
    assert list(reading.facts) == list(read(rows).facts)
    assert (reading.rows, [r.row for r in reading.refused]) == (3, [3])


def test_lines_with_nothing_in_them_are_refused() -> None:
    with pytest.raises(Malformed, match="no message of it"):
        read_lines({"channel": "pong", "data": None}, {"channel": "allMids", "data": {"mids": {}}})
    with pytest.raises(Malformed, match="not JSON"):
        read_lines("POST", json.dumps([fill()]))
    with pytest.raises(Malformed, match="not JSON"):
        HyperliquidReader(ACCOUNT).read("empty", b"")


# --- anything ---------------------------------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["BTC", "1.5", "B", "-2"])
# fmt: off
NAMES = st.sampled_from([
    "coin", "px", "sz", "side", "time", "tid", "oid", "fee", "feeToken", "startPosition", "closedPnl", "crossed",
    "dir", "liquidation", "delta", "type", "usdc", "user", "destination", "order", "status", "statusTimestamp",
    "limitPx", "origSz", "orderType", "timestamp", "position", "szi", "leverage", "value", "assetPositions",
    "balances", "total", "universe", "tokens", "name", "szDecimals", "index", "channel", "data", "fills", "fill",
    "marginSummary", "accountValue", "hash", "amount", "token", "toPerp", "liquidatedPositions", "fundingRate",
])
# fmt: on
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=8), max_leaves=40
)
NEARLY = st.builds(
    lambda row, changes: [{**row, **changes}],
    st.sampled_from([
        fill(),
        {"time": 1, "hash": "0x1", "delta": {"type": "deposit", "usdc": "1"}},
        {"order": {"coin": "BTC"}, "status": "open", "statusTimestamp": 1},
        {"coin": "BTC", "limitPx": "1", "oid": 1, "side": "B", "sz": "1", "timestamp": 1},
    ]),
    st.dictionaries(NAMES, VALUES, max_size=3),
)  # fmt: skip


@given(VALUES | NEARLY)
def test_any_value_is_read_or_refused(value: object) -> None:
    with suppress(Malformed):
        reading = read(value)
        assert reading.facts or reading.refused or reading.snapshot or reading.rows == 0


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(Malformed):
        HyperliquidReader(ACCOUNT).read("saved", data)
