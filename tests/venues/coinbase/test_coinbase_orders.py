"""Orders: listed, asked for one by one, placed, and pushed through the user channel."""

from decimal import Decimal

import pytest

from tests.venues.coinbase.coinbase_rows import (
    FUTURE,
    FUTURE_SYMBOL,
    NS,
    answer,
    feed,
    know_future,
    message,
    of,
    order,
    problems,
    pushed,
    snapshot,
    update,
)
from trueup.model.errors import Malformed
from trueup.model.events import OrderReported
from trueup.venues.coinbase.messages import SNAPSHOT_BATCH


def test_a_list_of_orders_of_which_none_has_ended_is_compared() -> None:
    reading = answer({"orders": [order("1"), order("2", filled_size="0.5")], "has_next": False})
    assert not reading.facts
    assert reading.snapshot is not None
    assert reading.snapshot.open_orders is not None
    one, two = (reading.snapshot.open_orders[number] for number in "12")
    assert (one.quantity, one.price, one.order_type, one.status) == (Decimal(2), Decimal(90), "limit", "open")
    assert (two.filled, two.status, two.client_order_id) == (Decimal("0.5"), "partially_filled", "c-2")


@pytest.mark.parametrize(
    "answered",
    [{"orders": [order("1"), order("2", status="CANCELLED")]}, {"orders": [order("1"), order("3")], "has_next": True}],
)
def test_any_other_list_is_booked(answered: dict[str, object]) -> None:
    reading = answer(answered)
    assert reading.snapshot is None
    assert len(of(OrderReported, reading)) == 2


def test_an_empty_list_says_nothing() -> None:
    reading = answer({"orders": [], "has_next": False})
    assert reading.snapshot is None
    assert "which orders were asked for" in reading.note


def test_an_order_that_cannot_be_read_fails_the_list() -> None:
    reading = answer({"orders": [order("1"), order("2", side="")]})
    assert problems(reading) == [(2, "side")]
    assert reading.snapshot is not None
    assert reading.snapshot.open_orders is None


@pytest.mark.parametrize(
    ("word", "status"),
    [("FILLED", "filled"), ("CANCELLED", "canceled"), ("EXPIRED", "expired"), ("FAILED", "rejected"),
     ("CANCEL_QUEUED", "partially_filled")],
)  # fmt: skip
def test_the_venues_words_for_a_state(word: str, status: str) -> None:
    (report,) = of(OrderReported, answer({"order": order("1", status=word, filled_size="2")}))
    assert (report.status, report.filled) == (status, Decimal(2))


def test_a_state_that_is_not_known_is_refused() -> None:
    assert problems(answer({"order": order("1", status="UNKNOWN_ORDER_STATUS")})) == [(1, "status")]


def test_an_order_to_spend_money_is_as_large_as_what_it_bought() -> None:
    terms = {"order_configuration": {"market_market_ioc": {"quote_size": "100"}}, "size_in_quote": True}
    done = order("1", status="FILLED", filled_size="0.0325", **terms)
    (report,) = of(OrderReported, answer({"order": done}))
    assert (report.quantity, report.filled, report.order_type, report.price) == (
        Decimal("0.0325"), Decimal("0.0325"), "market", None,
    )  # fmt: skip


def test_a_stop_has_two_prices() -> None:
    terms = {"stop_limit_stop_limit_gtc": {"base_size": 0.5, "limit_price": "90", "stop_price": "91"}}
    (report,) = of(OrderReported, answer({"order": order("1", order_configuration=terms)}))
    assert (report.order_type, report.price, report.trigger_price) == ("stop_limit", Decimal(90), Decimal(91))
    assert report.quantity == Decimal("0.5")


def test_a_report_stands_at_the_last_time_that_is_stated() -> None:
    edits = [{"price": "89", "size": "2", "replace_accept_timestamp": "2026-03-02T09:00:02Z"}]
    (report,) = of(OrderReported, answer({"order": order("1", edit_history=edits)}))
    assert report.venue_time == 1772442002 * 10**9
    assert problems(answer({"order": order("1", created_time=None)})) == [(1, "created_time")]


def test_more_filled_than_asked_for_is_refused() -> None:
    assert problems(answer({"order": order("1", filled_size="3")})) == [(1, "filled_size")]


def test_a_changed_price_is_another_report() -> None:
    terms = {"limit_limit_gtc": {"base_size": "2", "limit_price": "91"}}
    reports = [
        of(OrderReported, answer({"order": row}))[0] for row in (order("1"), order("1", order_configuration=terms))
    ]
    assert len({report.report_id for report in reports}) == 2


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"success": True, "success_response": {"order_id": "o-9"}}, "accepted as o-9"),
        (
            {"success": False, "error_response": {"error": "INSUFFICIENT_FUND"}},
            "refused by the venue (INSUFFICIENT_FUND)",
        ),
        ({"success": True, "errors": []}, "accepted"),
        ({"results": [{"success": True, "order_id": "1"}]}, "orders/historical"),
    ],
)
def test_the_answer_to_a_write_books_nothing_and_says_what_it_means(value: object, told: str) -> None:
    reading = answer(value)
    assert not reading.facts
    assert told in reading.note


# --- the user channel -------------------------------------------------------------------------------------------------


def test_a_snapshot_and_what_follows_it_is_the_state_at_the_last_message() -> None:
    reading = feed(
        message(0, {"subscriptions": {"user": ["x"]}}, channel="subscriptions"),
        message(1, snapshot(pushed("1"), pushed("2"))),
        message(2, {"heartbeat_counter": 1}, channel="heartbeats"),
        message(3, update(pushed("1", status="CANCELLED"), pushed("3", cumulative_quantity="1", leaves_quantity="1"))),
    )
    assert reading.snapshot is not None
    assert reading.snapshot.open_orders is not None
    assert set(reading.snapshot.open_orders) == {"2", "3"}
    assert reading.snapshot.cut == NS
    assert {(report.venue_order_id, report.status) for report in of(OrderReported, reading)} == {
        ("1", "canceled"), ("3", "partially_filled"),
    }  # fmt: skip
    assert "2 messages held nothing" in reading.note
    assert "lost" not in reading.note


def test_a_lost_message_leaves_what_is_open_unknown_and_keeps_the_facts() -> None:
    reading = feed(message(1, snapshot(pushed("1"))), message(4, update(pushed("2"))), message(6, update(pushed("3"))))
    assert "sequence 2-3, 5" in reading.note
    assert reading.snapshot is not None
    assert reading.snapshot.open_orders is None
    assert "lost" in reading.snapshot.failed["open_orders"]
    assert len(of(OrderReported, reading)) == 2


def test_a_new_connection_begins_anew() -> None:
    reading = feed(
        message(1, snapshot(pushed("1"))), message(7, update(pushed("9"))), message(0, snapshot(pushed("2")))
    )
    assert reading.snapshot is not None
    assert reading.snapshot.open_orders is not None
    assert set(reading.snapshot.open_orders) == {"2"}


def test_a_full_batch_of_a_snapshot_goes_on() -> None:
    first = message(1, snapshot(*(pushed(str(number)) for number in range(SNAPSHOT_BATCH))))
    begun = feed(first, message(2, {"heartbeat_counter": 1}, channel="heartbeats"))
    assert begun.snapshot is not None
    assert begun.snapshot.open_orders is None
    whole = feed(first, message(2, snapshot(pushed("last"))))
    assert whole.snapshot is not None
    assert whole.snapshot.open_orders is not None
    assert len(whole.snapshot.open_orders) == SNAPSHOT_BATCH + 1


def test_futures_of_the_channel_are_kept_up_with() -> None:
    held = {"product_id": FUTURE, "side": "LONG", "number_of_contracts": "2", "entry_price": "90000"}
    begun = {"expiring_futures_positions": [held], "perpetual_futures_positions": []}
    messages = [message(1, snapshot(positions=begun))]
    reading = feed(*messages, reader=know_future())
    assert reading.snapshot is not None
    assert reading.snapshot.positions is not None
    assert reading.snapshot.positions[FUTURE_SYMBOL, "net"].entry_price == 90000
    gone = {"expiring_futures_positions": [{**held, "number_of_contracts": "0"}]}
    flat = feed(*messages, message(2, update(positions=gone)), reader=know_future())
    assert flat.snapshot is not None
    assert flat.snapshot.positions == {}


def test_a_message_that_cannot_be_read_is_refused_alone() -> None:
    reading = feed(message(1, snapshot(pushed("1"))), message(2, update(pushed("2", status="?"))),
                   message(3, update(pushed("3"))))  # fmt: skip
    assert problems(reading) == [(2, "status")]
    assert reading.snapshot is not None
    assert reading.snapshot.open_orders is None
    assert [report.venue_order_id for report in of(OrderReported, reading)] == ["3"]


def test_the_cash_of_the_futures_wallet_is_pushed_too() -> None:
    stated = {"cfm_usd_balance": "12.5", "initial_margin": "0", "unrealized_pnl": "0"}
    reading = feed(message(1, {"type": "snapshot", "fcm_balance_summary": stated}, channel="futures_balance_summary"))
    assert reading.snapshot is not None
    assert reading.snapshot.balances == {"USD@cfm": Decimal("12.5")}


def test_heartbeats_alone_hold_nothing() -> None:
    with pytest.raises(Malformed, match="no message of it"):
        feed(message(0, {"heartbeat_counter": 1}, channel="heartbeats"))


def test_a_change_that_was_taken_back_is_a_state_of_its_own() -> None:
    def edits(*prices: str) -> list[dict[str, str]]:
        return [
            {"price": price, "size": "2", "replace_accept_timestamp": f"2026-03-02T09:00:0{number}Z"}
            for number, price in enumerate(prices, 1)
        ]

    listed = [order("o-1"), order("o-1", edit_history=edits("80")), order("o-1", edit_history=edits("80", "90"))]
    reports = [of(OrderReported, answer({"order": row}))[0] for row in listed]
    assert [report.price for report in reports] == [Decimal(90), Decimal(80), Decimal(90)]
    assert len({report.report_id for report in reports}) == 3
