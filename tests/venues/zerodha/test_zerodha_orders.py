"""Orders in all four places where Kite states them."""

import json
from decimal import Decimal
from itertools import permutations

import pytest

from tests.venues.zerodha.kite_rows import ACCOUNT, DAY, NS, all_of, order, problems, read, trade
from trueup.book.book import Book
from trueup.model.errors import Malformed
from trueup.model.events import FillBooked, OrderReported
from trueup.model.identifiers import Seq
from trueup.venues.zerodha.reader import ZerodhaReader


def reports(*rows: object, request: bytes | None = None) -> list[OrderReported]:
    return all_of(OrderReported, read(rows, request=request))


@pytest.mark.parametrize(
    ("word", "filled", "status"),
    [
        ("COMPLETE", 10, "filled"),
        ("CANCELLED", 0, "canceled"),
        ("CANCELLED", 4, "canceled"),
        ("REJECTED", 0, "rejected"),
        ("OPEN", 0, "open"),
        ("OPEN", 4, "partially_filled"),
        ("TRIGGER PENDING", 0, "open"),
        ("MODIFY VALIDATION PENDING", 0, "open"),
        ("SOMETHING NEW", 0, "open"),
    ],
)
def test_three_words_are_the_end_and_all_others_are_on_the_way(word: str, filled: int, status: str) -> None:
    (report,) = reports(order(1, word, filled=filled))
    assert (report.status, report.filled, report.quantity) == (status, Decimal(filled), Decimal(10))


def test_an_order_is_read_with_its_tag_prices_and_time() -> None:
    row = order(
        1, order_type="SL", price=99.95, trigger_price=100, tag="abc1", exchange_update_timestamp=f"{DAY} 09:15:03"
    )
    (report,) = reports(row)
    assert (report.client_order_id, report.order_type) == ("abc1", "stop_limit")
    assert (report.price, report.trigger_price) == (Decimal("99.95"), Decimal(100))
    assert (report.venue_order_id, report.venue_time) == ("1", NS + 2 * 10**9)


def test_a_price_of_zero_is_no_price() -> None:
    (report,) = reports(order(1, order_type="MARKET", price=0, trigger_price=0))
    assert (report.order_type, report.price, report.trigger_price) == ("market", None, None)


def test_the_days_list_states_what_is_open() -> None:
    reading = read([order(1, "COMPLETE", filled=10), order(2, filled=3), order(3, "CANCELLED")])
    assert reading.snapshot is not None
    assert reading.snapshot.open_orders is not None
    assert list(reading.snapshot.open_orders) == ["2"]
    assert reading.snapshot.open_orders["2"].filled == 3
    assert reading.snapshot.positions is None


def test_a_row_that_cannot_be_read_leaves_open_orders_unknown_unless_it_has_ended() -> None:
    ended = read([order(1), order(2, "COMPLETE", filled=10, exchange="MCX")])
    assert problems(ended) == [(2, "multiplier")]
    assert ended.snapshot is not None
    assert list(ended.snapshot.open_orders or ()) == ["1"]
    still = read([order(1), order(2, exchange="MCX")])
    assert still.snapshot is not None
    assert (still.snapshot.open_orders, list(still.snapshot.failed)) == (None, ["open_orders"])


HISTORY = [
    order(1, "PUT ORDER REQ RECEIVED"),
    order(1, "VALIDATION PENDING"),
    order(1, "OPEN PENDING"),
    order(1, "OPEN"),
    order(1, "OPEN", filled=4),
    order(1, "UPDATE", filled=4, price=101),
]


def test_the_history_of_an_order_says_nothing_of_others() -> None:
    reading = read(HISTORY)
    assert (reading.kind, reading.snapshot, len(all_of(OrderReported, reading))) == ("order", None, 6)


@pytest.mark.parametrize("rows", [HISTORY, HISTORY[::-1], HISTORY[3:] + HISTORY[:3]])
def test_states_within_one_second_end_in_the_last(rows: list[dict[str, object]]) -> None:
    assert folded(rows).open_orders()["1"].price == 101


@pytest.mark.parametrize("changed", [{"price": 101}, {"quantity": 20}, {"trigger_price": 99}])
def test_a_change_within_the_second_of_its_order_is_another_report_and_no_repetition(changed: dict[str, int]) -> None:
    first, second = (one.report_id for one in reports(order(1), {**order(1), **changed}, request=b"/orders/1"))
    (again,) = reports(order(1), order(1), request=b"/orders/1")
    assert first != second
    assert again.report_id == first


def test_words_along_the_way_go_before_their_spelling() -> None:
    rows = [order(1, "VALIDATION PENDING", price=100), order(1, "OPEN", price=101)]
    assert folded(rows).open_orders()["1"].price == folded(rows[::-1]).open_orders()["1"].price == 101


def test_a_cancelled_order_stays_ended_in_any_order() -> None:
    for rows in permutations([order(1), order(1, "OPEN", filled=4), order(1, "CANCELLED", filled=4)]):
        assert folded(list(rows)).open_orders() == {}


def folded(rows: list[dict[str, object]]) -> Book:
    book = Book(ACCOUNT)
    book.evolve(list(read(rows).facts), Seq(1))
    return book


def test_of_one_order_alone_only_the_path_says_whether_it_is_all() -> None:
    assert read([order(1)]).snapshot is None
    assert read([order(1)], request=b"/orders/1").snapshot is None
    whole = read([order(1)], request=b"/orders").snapshot
    assert whole is not None
    assert list(whole.open_orders or ()) == ["1"]
    empty = read([], request=b"/orders").snapshot
    assert empty is not None
    assert empty.open_orders == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [("filled_quantity", 11), ("filled_quantity", -1), ("quantity", 0), ("order_timestamp", None), ("status", None)],
)
def test_a_row_that_is_not_one_is_refused_alone(field: str, value: object) -> None:
    reading = read([order(1), order(2, **{field: value})])
    assert problems(reading) == [(2, field)]
    assert len(all_of(OrderReported, reading)) == 1


def test_orders_pushed_and_posted_are_read_alike() -> None:
    reader = ZerodhaReader(ACCOUNT)
    row = order(1, filled=4)
    listed = all_of(OrderReported, read([row]))
    posted = reader.read("postback", json.dumps({**row, "checksum": "x"}).encode())
    pushed = reader.read("frame", json.dumps({"type": "order", "data": row}).encode())
    assert all_of(OrderReported, posted) == all_of(OrderReported, pushed) == listed
    assert (posted.kind, posted.snapshot, pushed.snapshot) == ("postback", None, None)


def test_frames_one_a_line_are_read_and_messages_counted() -> None:
    lines = [
        json.dumps({"type": "message", "data": "maintenance"}),
        json.dumps({"type": "order", "data": order(1)}),
        json.dumps({"type": "order", "data": order(1)}),
        json.dumps({"type": "order", "data": "?"}),
        "{",
    ]
    reading = ZerodhaReader(ACCOUNT).read("feed", "\n".join(lines).encode())
    assert len(all_of(OrderReported, reading)) == 1
    assert problems(reading) == [(4, "data"), (5, "frame")]
    assert "1 messages" in reading.note
    with pytest.raises(Malformed, match="messages for a person"):
        ZerodhaReader(ACCOUNT).read("frame", json.dumps({"type": "error", "data": "too many"}).encode())


def test_the_tag_of_an_order_is_that_of_its_trades() -> None:
    reader = ZerodhaReader(ACCOUNT)
    read([order(7001, "COMPLETE", filled=10, tag="mine")], reader)
    (fill,) = all_of(FillBooked, read([trade(1)], reader))
    assert fill.client_order_id == "mine"


def test_answers_of_another_user_are_refused() -> None:
    reader = ZerodhaReader(ACCOUNT)
    profile = {"user_id": "AB1234", "products": [], "exchanges": []}
    assert read(profile, reader).learnt == {"user_id": "AB1234"}
    with pytest.raises(Malformed, match="another user than AB1234"):
        read({**profile, "user_id": "CD5678"}, reader)
    assert read([order(1, status=None, account_id="CD5678")]).learnt == {}
    assert problems(read([order(1, account_id="AB1234"), order(2, account_id="CD5678")], reader)) == [(2, "user_id")]
