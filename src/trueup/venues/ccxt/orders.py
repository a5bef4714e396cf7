"""ccxt's orders: what is sent for one of ours, and what a row of the venue's says of it.

A row says ``closed`` for an order that is over, whether it was filled: how much of it was tells that. A report that is
made of the answer to an order carries the time just before it was sent, where the venue states none: whatever the venue
says later is newer.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from hashlib import blake2b

import msgspec

from trueup.book.orders import as_open
from trueup.model.errors import BadInput, Rejected
from trueup.model.events import OrderReported
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO, canonical
from trueup.model.orders import OrderRequest, OrderType
from trueup.model.positions import OpenOrder
from trueup.venues import rows
from trueup.venues.ccxt.context import Context, client_name, hedge_mode, optional, position_side, told_by_venue
from trueup.venues.ccxt.facts import SIDES
from trueup.venues.rows import Row

OPEN = frozenset({"open", "partially_filled"})

_ENDED: Mapping[str, str] = {"canceled": "canceled", "canceling": "open", "expired": "expired", "rejected": "rejected"}
_PLAIN_ID = re.compile(r"[A-Za-z0-9]{1,32}", re.ASCII)
_HEX_ID = re.compile(r"0x[0-9a-f]{32}", re.ASCII)
_FORCES: Mapping[str, str] = {"gtc": "GTC", "ioc": "IOC", "fok": "FOK"}


class Placing(msgspec.Struct, frozen=True):
    """The arguments of ccxt's ``create_order`` after the symbol; sizes and prices as exact text."""

    type: str
    side: str
    amount: str
    price: str | None
    params: Mapping[str, object]


def client_id(style: str, client_order_id: str) -> str:
    """What the venue calls an order of ours: our id where it takes it as it is, else a hash of it."""
    taken = _HEX_ID if style == "hex" else _PLAIN_ID
    if not client_order_id or taken.fullmatch(client_order_id):
        return client_order_id
    return ("0x" if style == "hex" else "") + blake2b(client_order_id.encode(), digest_size=16).hexdigest()


def placing(
    request: OrderRequest,
    terms: Instrument,
    named: Mapping[str, str],
    present: Decimal | None,
    *,
    lower_sides: bool = False,
) -> Placing:
    """What is sent for an order.

    Args:
        request: What is asked for.
        terms: Of its instrument.
        named: Our id, by the parameter that takes it.
        present: The present price, where the venue needs one to bound a market order.
        lower_sides: Whether the venue writes sides of a position in small letters.

    Raises:
        Rejected: Finer than the instrument's steps: nothing is rounded silently, and nothing was sent.
    """
    _whole_steps("quantity", request.quantity, terms.quantity_step)
    for field in ("price", "trigger_price"):
        _whole_steps(field, getattr(request, field), terms.price_tick)
    params: dict[str, object] = dict(named)
    if request.reduce_only:
        params["reduceOnly"] = True
    if request.position_side != "net":
        side = request.position_side
        params |= {"hedged": True, "positionSide": side if lower_sides else side.upper()}
    if request.time_in_force in _FORCES:
        params["timeInForce"] = _FORCES[request.time_in_force]
    elif request.time_in_force == "post_only":
        params["postOnly"] = True
    if request.order_type in {"stop", "stop_limit"}:
        params["stopLossPrice"] = _text(request.trigger_price)
    elif request.order_type == "take_profit":
        params["takeProfitPrice"] = _text(request.trigger_price)
    limited = request.order_type in {"limit", "stop_limit"}
    price = request.price if limited else present
    kind = "limit" if limited else "market"
    return Placing(kind, request.side, canonical(request.quantity), _text(price), params)


def open_order(context: Context, row: Row) -> OpenOrder:
    """A row of the open orders. Raises :class:`BadInput`."""
    return as_open(report(context, row))


def report(
    context: Context, row: Row, *, request: OrderRequest | None = None, name: str = "", sent_at: int = 0
) -> OrderReported:
    """What a row says of an order; of one just placed the request says what the answer leaves out.

    Args:
        context: Of the account.
        row: As ccxt made it.
        request: The order, where this is the answer to it.
        name: The venue's name of it.
        sent_at: Nanoseconds just before it was sent.

    Raises:
        BadInput: Something is missing or not understood.
    """
    row = {**row, **told_by_venue(row, context.correction.order_info)}
    terms = context.instruments[request.instrument] if request else context.instrument(row)
    order_id = rows.identifier(row, "id")
    quantity = optional(row, "amount")
    if quantity is None:
        quantity = request.quantity if request else rows.positive(row, "amount")
    filled = rows.optional_decimal(row, "filled")
    status = _status(row, quantity, filled, placed=request is not None)
    filled = filled or ZERO
    time = _time(row, sent_at)
    trigger = optional(row, "triggerPrice") or optional(row, "stopLossPrice") or optional(row, "takeProfitPrice")
    return OrderReported(
        account=context.account,
        instrument=terms.symbol,
        side=request.side if request else rows.one_of(row, "side", SIDES),
        quantity=quantity,
        filled=filled,
        status=status,
        venue_order_id=order_id,
        venue_time=time,
        report_id=f"{order_id}:{status}:{canonical(filled)}:{time}",
        client_order_id=client_name(row) or name,
        price=request.price if request else (optional(row, "price") or None),
        trigger_price=request.trigger_price if request else trigger or None,
        order_type=request.order_type if request else _type(row, trigger),
        reduce_only=request.reduce_only if request else row.get("reduceOnly") is True,
        position_side=request.position_side if request else _side(row),
    )


def _status(row: Row, quantity: Decimal, filled: Decimal | None, *, placed: bool) -> str:
    told = row.get("status")
    if placed and (told is None or (told == "closed" and filled is None)):
        told = "open"  # the venue took it, and says no more of what became of it
    elif told == "closed" and filled is None:
        raise BadInput("filled", "", "missing from an order that is over", remedy="Look at it at the venue.")
    filled = filled or ZERO
    if told in {"open", "untriggered"} and filled < quantity:
        return "partially_filled" if filled else "open"
    if told in {"closed", "open"}:
        return "filled" if filled >= quantity else "canceled"
    if isinstance(told, str) and told in _ENDED:
        return _ENDED[told]
    raise BadInput("status", rows.shown(told), "not a known state of an order", remedy="Look at it at the venue.")


def _time(row: Row, sent_at: int) -> int:
    for field in ("lastUpdateTimestamp", "lastTradeTimestamp", "timestamp"):
        if row.get(field) is not None:
            return max(rows.milliseconds(row, field), sent_at)
    if sent_at:
        return sent_at
    return rows.milliseconds(row, "timestamp")


def _type(row: Row, trigger: Decimal | None) -> OrderType:
    limited = row.get("type") == "limit"
    if not trigger:
        return "limit" if limited or row.get("price") else "market"
    if optional(row, "takeProfitPrice"):
        return "take_profit"
    return "stop_limit" if limited else "stop"


def _side(row: Row) -> str:
    told = position_side(row)
    if told is not None:
        return told
    if not hedge_mode(row):
        return "net"
    raise BadInput("side", row.get("side"), "the row does not say which side of the position it is for", remedy="None.")


def _whole_steps(field: str, number: Decimal | None, step: Decimal | None) -> None:
    if number is not None and step is not None and number % step:
        raise Rejected(
            f"{field}={canonical(number)} is no multiple of {canonical(step)}.",
            remedy="Nothing was sent; round it yourself.",
            venue_code="step",
        )


def _text(number: Decimal | None) -> str | None:
    return None if number is None else canonical(number)
