"""Open orders, three ways, by venue order id: unknown to us, unknown to the venue, or of other terms."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import chain

from trueup.model.differences import Kind, Severity, Status
from trueup.model.numbers import canonical
from trueup.model.positions import OpenOrder
from trueup.reconcile.database import compare_row, shown
from trueup.reconcile.findings import Findings, worst
from trueup.reconcile.state import Sides

SECTION = "open_orders"

TERMS = ("instrument", "position_side", "side", "quantity", "filled", "price", "trigger_price", "reduce_only", "status")
"""What both sides of an order must agree on, where both state it."""

Three = tuple[OpenOrder | None, OpenOrder | None, OpenOrder | None]
"""What memory, database and venue have under one id."""


def compare_orders(sides: Sides, found: Findings) -> None:
    """Compare every open order of the three sides."""
    ours, answers = sides.ours.orders, sides.theirs.open_orders
    rows = {} if sides.database is None else sides.database.orders
    for order_id in dict.fromkeys(chain(ours, rows, answers or ())):
        before = len(found.differences)
        order, row = ours.get(order_id), rows.get(order_id)
        answer = None if answers is None else answers.get(order_id)
        status = compare_row(sides, found, order_id, order, row)
        if SECTION in sides.theirs.failed:
            status = worst([status, Status.FAILED])
        if answers is not None:
            found.compared += 1
            _compare_order(found, order_id, (order, row, answer))
        else:
            status = worst([status, Status.NOT_COMPARED])
        if answers is not None or sides.database is not None or status is Status.FAILED:
            found.row(SECTION, order_id, (shown(order), shown(row), shown(answer)), before, status)


def _compare_order(found: Findings, order_id: str, three: Three) -> None:
    order, row, answer = three
    if order is None and answer is None:
        return  # only the database has it
    if order is None:
        kind, words, severity = Kind.ORPHAN_ORDER, "live at the venue, unknown to us", None
    elif answer is None:
        kind, words, severity = Kind.ORDER_MISSING, "open in our book, not at the venue", _severity(order)
    else:
        kind, words, severity = Kind.ORDER_STATE, "; ".join(_other_terms(order, answer)), _severity(order)
        if not words:
            return
    found.add(
        kind,
        order_id,
        words,
        ours=shown(order),
        database=shown(row),
        theirs=shown(answer),
        severity=severity,
    )


def _other_terms(order: OpenOrder, answer: OpenOrder) -> Iterator[str]:
    """The terms that differ, in words."""
    for term in TERMS:
        ours, theirs = getattr(order, term), getattr(answer, term)
        if ours not in {None, ""} and theirs not in {None, ""} and ours != theirs:
            yield f"venue has {term} {_word(theirs)}, we have {_word(ours)}"


def _word(value: object) -> str:
    return canonical(value) if isinstance(value, Decimal) else str(value)


def _severity(order: OpenOrder) -> Severity | None:
    """HIGH for an order that protects a position: a stop, or one that can only reduce."""
    return Severity.HIGH if order.reduce_only or order.trigger_price is not None else None
