"""OANDA's orders: the transactions that create, reject, fill and end them, and the rows that list them.

An order's id is the id of the transaction that created it. What a cancel or a fill says of an order is only its id, so
its terms come from its creation. Orders attached to a trade (stop loss, take profit) name no instrument and no units:
they close the whole trade, so they are stated with the units it was opened with. By the time they do, the trade may
have become smaller; an order that closed it is filled all the same, and its quantity is what it closed.
"""

from decimal import Decimal
from typing import Literal

from msgspec.structs import replace

from trueup.model.errors import BadInput
from trueup.model.events import OrderReported
from trueup.model.numbers import ZERO
from trueup.venues import rows
from trueup.venues.oanda import fields
from trueup.venues.oanda.known import Known
from trueup.venues.rows import Row

_AT_PRICE = frozenset({"limit", "fixed_price"})
"""Kinds whose ``price`` is the price to trade at; for all others it is the price that triggers."""

_ON_TRADE = frozenset({"take_profit", "stop_loss", "guaranteed_stop_loss", "trailing_stop_loss"})
"""Kinds that are attached to a trade."""


def created(row: Row, known: Known) -> OrderReported | None:
    """The report of an order's creation or rejection; None where it is attached to a trade that is not known.

    A closing order that was rejected may state no units: it never lived, and gives None too.
    """
    kind = rows.text(row, "type")
    rejected = kind.endswith("_REJECT")
    if rejected and row.get("units") is None and row.get("tradeID") is None:
        return None
    word = kind.removesuffix("_REJECT").removesuffix("_ORDER").lower()
    return _report(row, known, word, fields.time(row), "rejected" if rejected else "open")


def filled(row: Row, known: Known, quantity: Decimal) -> OrderReported | None:
    """The report that this transaction filled ``quantity`` more of an order; None when the order is not known."""
    order = known.orders.get(rows.optional_identifier(row, "orderID"))
    if order is None or _reported(row, order):
        return None
    total = order.filled + quantity
    if order.order_type in _ON_TRADE and row.get("tradesClosed") and not row.get("tradeReduced"):
        order = replace(order, quantity=total)
    return _next(row, replace(order, filled=total, status="filled" if total >= order.quantity else "partially_filled"))


def canceled(row: Row, known: Known) -> OrderReported | None:
    """The report that this transaction ended an order; None when the order is not known."""
    order = known.orders.get(rows.identifier(row, "orderID"))
    if order is None or _reported(row, order):
        return None
    expired = rows.optional_text(row, "reason") == "TIME_IN_FORCE_EXPIRED"
    return _next(row, replace(order, status="expired" if expired else "canceled"))


def listed(row: Row, known: Known) -> OrderReported | None:
    """The creation of an order that a list shows as pending; None when it has ended.

    Raises:
        BadInput: Also where it is attached to a trade that is not known.
    """
    if rows.text(row, "state") != "PENDING":
        return None
    report = _report(row, known, rows.text(row, "type").lower(), fields.time(row, "createTime"), "open")
    if report is None:
        raise BadInput(
            "tradeID",
            rows.shown(row["tradeID"]),
            "the order closes a trade whose instrument is not known",
            remedy="Import the account's answer (GET /accounts/ID) instead of this one, or openTrades before it.",
        )
    return report


def _report(row: Row, known: Known, order_type: str, time: int, status: str) -> OrderReported | None:
    terms = _terms(row, known)
    if terms is None:
        return None
    symbol, side, quantity, reduce_only = terms
    price = None if row.get("price") is None else rows.positive(row, "price")
    bound = None if row.get("priceBound") is None else rows.positive(row, "priceBound")
    at_price = order_type in _AT_PRICE
    order_id = fields.transaction_id(row)
    return OrderReported(
        account=known.account,
        instrument=symbol,
        side=side,
        quantity=quantity,
        filled=ZERO,
        status=status,
        venue_order_id=str(order_id),
        venue_time=time,
        report_id=str(order_id),
        client_order_id=fields.client_id(row),
        price=price if at_price else bound,
        trigger_price=None if at_price else price,
        order_type=order_type,
        reduce_only=reduce_only,
        position_side=known.position_side(buys=side == "buy", closes=reduce_only),
        venue_sequence=order_id,
    )


def _terms(row: Row, known: Known) -> tuple[str, Literal["buy", "sell"], Decimal, bool] | None:
    """Symbol, side, quantity and whether it only reduces; None for an order on a trade that is not known."""
    if row.get("units") is None:
        trade = known.trades.get(rows.identifier(row, "tradeID"))
        if trade is None:
            return None
        return trade.instrument, "sell" if trade.side == "buy" else "buy", trade.quantity, True
    units = fields.units(row)
    symbol = known.instrument(rows.text(row, "instrument")).symbol
    return symbol, "buy" if units > 0 else "sell", abs(units), row.get("positionFill") == "REDUCE_ONLY"


def _reported(row: Row, order: OrderReported) -> bool:
    """Whether the order's newest report is as new as this transaction, as when answers overlap."""
    return (fields.time(row), fields.transaction_id(row)) <= (order.venue_time, order.venue_sequence)


def _next(row: Row, report: OrderReported) -> OrderReported:
    """A later report of an order, as this transaction makes it."""
    number = fields.transaction_id(row)
    return replace(
        report,
        report_id=str(number),
        venue_time=fields.time(row),
        venue_sequence=number,
        client_order_id=rows.optional_text(row, "clientOrderID") or report.client_order_id,
    )
