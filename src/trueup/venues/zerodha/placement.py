"""Answers to orders placed: an order id, and of an order that Kite cut into slices what became of each of them."""

from collections.abc import Sequence

import msgspec

from trueup.model.errors import BadInput
from trueup.venues import rows
from trueup.venues.rows import Row

SLICES_MAX = 10
"""Into how many slices Kite cuts an order at most."""


class RefusedSlice(msgspec.Struct, frozen=True):
    """A slice that was not taken.

    Attributes:
        number: Which, from 1.
        error_type: Kite's word, such as ``MarginException``; empty where it gave none.
        message: Kite's reason.
    """

    number: int
    error_type: str
    message: str


class Placed(msgspec.Struct, frozen=True):
    """What was taken, and what was not. An order that was taken may still be rejected: its state says.

    Attributes:
        order_id: Of the order, or of the parent that its slices are tagged with.
        slices: Order ids of the slices that were taken.
    """

    order_id: str
    slices: tuple[str, ...] = ()
    refused: tuple[RefusedSlice, ...] = ()


def placed(data: Row) -> Placed:
    """What the answer says.

    Raises:
        BadInput: No order id, or a slice with neither an order id nor an error: it may have been taken or not.
    """
    order_id = rows.identifier(data, "order_id")
    listed: Sequence[object] = rows.records(data, "children") if data.get("children") is not None else ()
    if len(listed) > SLICES_MAX:
        raise BadInput("children", len(listed), f"more than {SLICES_MAX} slices", remedy="Read /orders.")
    read = [_slice(number, rows.as_row(value, "children")) for number, value in enumerate(listed, start=1)]
    taken = tuple(one for one in read if isinstance(one, str))
    return Placed(order_id, taken, tuple(one for one in read if isinstance(one, RefusedSlice)))


def _slice(number: int, row: Row) -> str | RefusedSlice:
    order_id = rows.optional_identifier(row, "order_id")
    if order_id:
        return order_id
    if row.get("error") is None:
        problem = "a slice with neither an order id nor an error"
        raise BadInput("children", number, problem, remedy="Read /orders: it says what was placed.")
    error = rows.record(row, "error")
    return RefusedSlice(number, rows.optional_text(error, "error_type"), rows.text(error, "message"))
