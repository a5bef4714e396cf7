"""Orders, as the day's list, an order's history, a postback and the stream state them: all in the same fields.

COMPLETE, CANCELLED and REJECTED are the end of an order; every other word, known or not, is a state on the way, in
which it may still trade. One that was cancelled may have been filled in part. Times are whole seconds, so within one
the reports are put in order by what was filled and then by how far the words are along an order's way.
"""

from decimal import Decimal

import msgspec

from trueup.model.errors import BadInput
from trueup.model.events import OrderReported
from trueup.model.numbers import ZERO, canonical
from trueup.venues import rows
from trueup.venues.rows import Row
from trueup.venues.zerodha import instruments, ist
from trueup.venues.zerodha.instruments import unless_zero
from trueup.venues.zerodha.known import Known
from trueup.venues.zerodha.trades import SIDES

ENDED = {"COMPLETE": "filled", "CANCELLED": "canceled", "REJECTED": "rejected"}

RESTING = frozenset({"AMO REQ RECEIVED", "TRIGGER PENDING", "OPEN"})
"""Words of an order that has arrived and waits; all that are neither these nor an end are on the way."""

_WAY = ("AMO REQ RECEIVED", "PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "TRIGGER PENDING", "OPEN")
"""The words in the order in which an order that is not changed goes through them."""

_ORDER_TYPES = {"LIMIT": "limit", "MARKET": "market", "SL": "stop_limit", "SL-M": "stop"}

_STEPS = 16
"""More than there are words on the way, so that what was filled goes before them."""

_FILLED_MAX = 2**58
"""Filled units that tell reports of one second apart: with the steps within 63 bits."""


class State(msgspec.Struct, frozen=True):
    """An order as a row tells it, with what only Kite has a use for.

    Attributes:
        word: Kite's status.
        variety, order_type: As its changes have to name them.
        message: Why it was refused, where it was.
    """

    report: OrderReported
    word: str
    variety: str
    order_type: str
    message: str


def state(row: Row, known: Known) -> State:
    """The whole of what a row tells. Raises as :func:`report` does."""
    return State(
        report(row, known),
        rows.text(row, "status"),
        rows.optional_text(row, "variety"),
        rows.text(row, "order_type"),
        rows.optional_text(row, "status_message") or rows.optional_text(row, "status_message_raw"),
    )


def report(row: Row, known: Known) -> OrderReported:
    """The state that a row tells.

    Raises:
        BadInput: A field at fault, more filled than was ordered, or another user's order.
    """
    order, word = rows.identifier(row, "order_id"), rows.text(row, "status")
    quantity, filled = rows.positive(row, "quantity"), _filled(row)
    if filled > quantity:
        raise BadInput("filled_quantity", filled, "more than was ordered", remedy="Check the row at its source.")
    at = ist.latest(row, "order_timestamp", "exchange_update_timestamp")
    tag = rows.optional_text(row, "tag")
    price, trigger = unless_zero(row, "price"), unless_zero(row, "trigger_price")
    terms = ":".join("" if number is None else canonical(number) for number in (filled, quantity, price, trigger))
    found = OrderReported(
        account=known.account,
        instrument=known.instrument(instruments.key(row)).symbol,
        side=rows.one_of(row, "transaction_type", SIDES),
        quantity=quantity,
        filled=filled,
        status=ENDED.get(word) or ("partially_filled" if filled else "open"),
        venue_order_id=order,
        venue_time=at,
        report_id=f"{order}:{word}:{terms}:{at}",  # within one second it may be changed, and keep its word
        client_order_id=tag,
        price=price,
        trigger_price=trigger,
        order_type=_order_type(rows.text(row, "order_type")),
        venue_sequence=min(int(filled), _FILLED_MAX) * _STEPS + _step(word),
    )
    known.check_user(rows.optional_text(row, "account_id") or rows.optional_text(row, "user_id"))
    if tag:
        known.tags[order] = tag
    return found


def _filled(row: Row) -> Decimal:
    filled = rows.decimal(row, "filled_quantity")
    if filled < ZERO:
        raise BadInput("filled_quantity", filled, "less than nothing", remedy="Check the row at its source.")
    return filled


def _order_type(word: str) -> str:
    return _ORDER_TYPES.get(word) or word.lower()


def _step(word: str) -> int:
    """How far along its way an order is; a change or an unknown word comes after all that have a place there."""
    if word in ENDED:
        return _STEPS - 1
    return _WAY.index(word) if word in _WAY else len(_WAY)
