"""Orders from their creation to their end, and those a list shows."""

from decimal import Decimal

import pytest

from tests.venues.oanda.oanda_rows import ACCOUNT, fill, only, order, read, transaction
from trueup.model.events import (
    OrderReported,
)
from trueup.model.positions import OpenOrder
from trueup.ports import Reading
from trueup.venues.oanda.reader import OandaReader


def reports(reading: Reading) -> list[tuple[str, str, str, Decimal]]:
    found = (fact for fact in reading.facts if isinstance(fact, OrderReported))
    return [(fact.report_id, fact.venue_order_id, fact.status, fact.filled) for fact in found]


def test_an_order_lives_from_its_creation_to_its_end() -> None:
    reading = read(
        order(3),
        fill(4, "40", orderID="3"),
        transaction(5, "ORDER_CANCEL", orderID="3", reason="CLIENT_REQUEST_REPLACED", replacedByOrderID="6"),
        order(6, replacesOrderID="3"),
        transaction(7, "ORDER_CANCEL", orderID="6", reason="TIME_IN_FORCE_EXPIRED"),
        order(8, "LIMIT_ORDER_REJECT"),
    )
    assert reports(reading) == [
        ("3", "3", "open", Decimal(0)),
        ("4", "3", "partially_filled", Decimal(40)),
        ("5", "3", "canceled", Decimal(40)),
        ("6", "6", "open", Decimal(0)),
        ("7", "6", "expired", Decimal(0)),
        ("8", "8", "rejected", Decimal(0)),
    ]


@pytest.mark.parametrize(
    ("kind", "prices"),
    [
        ("LIMIT_ORDER", (Decimal("1.05"), None)),
        ("STOP_ORDER", (None, Decimal("1.05"))),
        ("MARKET_IF_TOUCHED_ORDER", (None, Decimal("1.05"))),
    ],
)
def test_a_price_limits_or_triggers(kind: str, prices: tuple[Decimal | None, Decimal | None]) -> None:
    report = only(OrderReported, read(order(3, kind)))
    assert (report.price, report.trigger_price) == prices


def test_a_bound_is_the_price_of_a_stop() -> None:
    report = only(OrderReported, read(order(3, "STOP_ORDER", priceBound="1.06", positionFill="REDUCE_ONLY")))
    assert (report.price, report.trigger_price, report.reduce_only) == (Decimal("1.06"), Decimal("1.05"), True)


def test_an_order_on_a_trade_closes_the_whole_trade() -> None:
    opened = fill(4, "40", tradeOpened={"tradeID": "4", "units": "40", "price": "1.1"})
    stop = transaction(5, "TRAILING_STOP_LOSS_ORDER", tradeID="4", distance="0.01")
    report = only(OrderReported, read(opened, stop))
    assert (report.instrument, report.side, report.quantity, report.reduce_only) == (
        "EUR/USD",
        "sell",
        Decimal(40),
        True,
    )
    assert report.order_type == "trailing_stop_loss"


def test_reports_that_cannot_be_made_are_told() -> None:
    reading = read(
        transaction(3, "ORDER_CANCEL", orderID="1"),
        transaction(4, "STOP_LOSS_ORDER", tradeID="2", price="1.0"),
        transaction(5, "STOP_LOSS_ORDER_REJECT", tradeID="2", price="1.0"),
        transaction(6, "MARKET_ORDER_REJECT", instrument="EUR_USD"),
    )
    assert reading.facts == []
    assert reading.note == "nothing is reported of orders 1, 4, whose creation or trade was not read; nothing to book"


def test_a_cancel_of_what_the_book_holds_open_is_understood() -> None:
    known = only(OrderReported, read(order(3)))
    held = OpenOrder(
        ACCOUNT, known.instrument, "net", known.side, known.quantity, known.filled, "open", "3", "", known.price, None,
        "limit", reduce_only=False, updated_at=known.venue_time,
    )  # fmt: skip
    alone = read(transaction(5, "ORDER_CANCEL", orderID="3"), reader=OandaReader(ACCOUNT, "EUR", open_orders=[held]))
    together = read(order(3), transaction(5, "ORDER_CANCEL", orderID="3"))
    assert alone.note == ""
    assert [fact for fact in alone.facts if isinstance(fact, OrderReported)] == together.facts[-1:]


def test_a_partial_fill_the_book_knows_is_not_counted_again() -> None:
    opened, filled = (
        fact for fact in read(order(3), fill(4, "40", orderID="3")).facts if isinstance(fact, OrderReported)
    )
    held = OpenOrder(
        ACCOUNT, opened.instrument, "net", "buy", opened.quantity, filled.filled, "partially_filled", "3", "", None,
        None, "limit", reduce_only=False, updated_at=filled.venue_time,
    )  # fmt: skip
    assert reports(read(fill(4, "40", orderID="3"), reader=OandaReader(ACCOUNT, "EUR", open_orders=[held]))) == []


@pytest.mark.parametrize("kind", ["STOP_LOSS", "TAKE_PROFIT", "TRAILING_STOP_LOSS", "GUARANTEED_STOP_LOSS"])
def test_an_order_that_closed_a_trade_which_had_become_smaller_is_filled(kind: str) -> None:
    price = {"price": "1.1"}
    reading = read(
        fill(4, "100", tradeOpened={"tradeID": "4", "units": "100", **price}),
        transaction(5, f"{kind}_ORDER", tradeID="4", price="1.0"),
        fill(7, "-40", tradeReduced={"tradeID": "4", "units": "-40", "realizedPL": "0", **price}),
        fill(9, "-60", orderID="5", tradesClosed=[{"tradeID": "4", "units": "-60", "realizedPL": "0", **price}]),
    )
    assert reports(reading) == [("5", "5", "open", Decimal(0)), ("9", "5", "filled", Decimal(60))]


def test_an_order_that_only_reduced_its_trade_goes_on() -> None:
    price = {"price": "1.1"}
    reading = read(
        fill(4, "100", tradeOpened={"tradeID": "4", "units": "100", **price}),
        transaction(5, "TAKE_PROFIT_ORDER", tradeID="4", price="1.2"),
        fill(7, "-40", orderID="5", tradeReduced={"tradeID": "4", "units": "-40", "realizedPL": "0", **price}),
    )
    assert reports(reading)[-1] == ("7", "5", "partially_filled", Decimal(40))
