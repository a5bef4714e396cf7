"""Kite's stream, frame by frame: orders as they stand, a gap after each fill, and prices beside them."""

import json
from base64 import b64decode
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.zerodha.kite_rows import ACCOUNT, order
from trueup.model.errors import Malformed, Unavailable
from trueup.model.events import InstrumentDefined, OrderReported
from trueup.model.venues import Gap
from trueup.venues.zerodha.known import Known
from trueup.venues.zerodha.stream import TOKENS_MAX, Conversation, Ticker

RECORDED = Path(__file__).resolve().parents[5] / "shared" / "venue-data" / "zerodha" / "mocks"

HEARTBEAT = b"\x00"


def conversation(ticker: Ticker | None = None, tokens: tuple[int, ...] = ()) -> Conversation:
    return Conversation(Known(ACCOUNT, (), {}), ticker or Ticker(), tokens)


def update(row: dict[str, object]) -> str:
    return json.dumps({"type": "order", "data": row})


def test_prices_are_subscribed_to_and_orders_come_by_themselves() -> None:
    assert conversation().hello() == ()
    assert [json.loads(said) for said in conversation(tokens=(408065, 884737)).hello()] == [
        {"a": "subscribe", "v": [408065, 884737]},
        {"a": "mode", "v": ["full", [408065, 884737]]},
    ]
    (subscribed, _) = conversation(tokens=tuple(range(TOKENS_MAX + 5))).hello()
    assert len(json.loads(subscribed)["v"]) == TOKENS_MAX


@pytest.mark.parametrize("first", [HEARTBEAT, update(order(1)), '{"type":"message","data":"hello"}'])
def test_any_frame_agrees(first: str | bytes) -> None:
    talk = conversation()
    assert not talk.agreed
    talk.read(first)
    assert talk.agreed


def test_an_order_is_reported_after_what_it_is_of() -> None:
    defined, report = conversation().read(update(order(7, tag="mine")))
    assert isinstance(defined, InstrumentDefined)
    assert isinstance(report, OrderReported)
    assert (report.client_order_id, report.status, defined.instrument.symbol) == ("mine", "open", report.instrument)


def test_each_increase_of_what_is_filled_is_followed_by_a_gap_and_nothing_else_is() -> None:
    talk = conversation()
    gaps = []
    for status, filled in (("OPEN", 0), ("UPDATE", 4), ("UPDATE", 4), ("OPEN", 0), ("COMPLETE", 10), ("COMPLETE", 10)):
        items = talk.read(update(order(7, status, filled=filled)))
        gaps.append([isinstance(item, Gap) for item in items][-1])
    assert gaps == [False, True, False, False, True, False]


def test_messages_for_people_say_nothing_and_errors_end_the_connection() -> None:
    talk = conversation()
    assert talk.read('{"type":"message","data":"Markets are closed"}') == ()
    with pytest.raises(Unavailable, match="exceeded"):
        talk.read('{"type":"error","data":"subscriptions exceeded"}')


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "[]",
        "{}",
        '{"type":"order"}',
        '{"type":"order","data":3}',
        update(order(7, quantity="many")),
        b"\x00\x05\x00",
    ],
)
def test_what_cannot_be_read_is_malformed(frame: str | bytes) -> None:
    with pytest.raises(Malformed):
        conversation().read(frame)


@given(st.one_of(st.text(), st.binary(), st.dictionaries(st.text(), st.text()).map(json.dumps)))
def test_whatever_comes_is_read_or_refused(frame: str | bytes) -> None:
    with suppress(Malformed, Unavailable):
        conversation().read(frame)


def test_prices_go_to_the_ticker_and_a_new_connection_forgets_them() -> None:
    ticker = Ticker()
    talk = conversation(ticker)
    assert talk.read(pack(">HHIi", 1, 8, 408065, 150025)) == ()
    assert {token: tick.last_price for token, tick in ticker.last.items()} == {408065: Decimal("1500.25")}
    conversation(ticker)
    assert ticker.last == {}


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers are not beside this checkout")
def test_a_published_frame_and_a_published_update_are_read() -> None:
    ticker = Ticker()
    frame = b64decode((RECORDED / "ticker_quote.packet").read_bytes())
    conversation(ticker).read(pack(">HH", 1, len(frame)) + frame)
    assert ticker.last
    update_ = json.loads((RECORDED / "postback.json").read_bytes())
    *_, report, gap = conversation().read(json.dumps({"type": "order", "data": update_}))
    assert isinstance(report, OrderReported)
    assert isinstance(gap, Gap)
