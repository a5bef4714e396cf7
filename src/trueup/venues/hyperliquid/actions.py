"""Actions on the wire: an order, a cancellation and a change, with their keys in the order that the signature is of.

There is no market order: it is a limit order that trades at once or not at all, at the worst price it may have. Stops
and take-profits are orders with a trigger.
"""

import re
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from trueup.model.errors import Rejected
from trueup.model.orders import OrderRequest, OrderType
from trueup.venues.hyperliquid.assets import Asset

TIMES_IN_FORCE = {"": "Gtc", "gtc": "Gtc", "ioc": "Ioc", "post_only": "Alo"}
"""Ours, and the venue's words; it has no fill-or-kill."""

TRIGGERS: dict[OrderType, tuple[bool, str]] = {
    "stop": (True, "sl"),
    "stop_limit": (False, "sl"),
    "take_profit": (True, "tp"),
}
"""Whether it becomes a market order when it fires, and on which side of the market it waits."""

_CLOID = re.compile(r"0x[0-9a-f]{32}", re.ASCII)
_CLOID_BYTES = 16

Wire = dict[str, Any]


def cloid(client_order_id: str) -> str:
    """What the venue calls an order of ours: 16 bytes in hexadecimal, a hash of our id unless it is one already."""
    if not client_order_id or _CLOID.fullmatch(client_order_id):
        return client_order_id
    return "0x" + blake2b(client_order_id.encode(), digest_size=_CLOID_BYTES).hexdigest()


def needs_price(request: OrderRequest) -> bool:
    """Whether the market's present price bounds the order."""
    return request.order_type == "market"


def order(request: OrderRequest, asset: Asset, present: Decimal | None) -> Wire:
    """An order, checked.

    Args:
        request: What is asked for.
        asset: Of the market.
        present: Its present price, for a market order.

    Raises:
        Rejected: What the venue does not have or would not take; nothing was sent.
    """
    if request.position_side != "net":
        raise _without("position_side", request.position_side, "a position has one side here: net")
    wire = {
        "a": asset.id,
        "b": request.buys,
        "p": asset.price("price", _price(request, asset, present)),
        "s": asset.size(request.quantity),
        "r": request.reduce_only,
        "t": _type(request, asset),
    }
    if request.client_order_id:
        wire["c"] = cloid(request.client_order_id)
    return wire


def placing(wire: Wire) -> Wire:
    """The action that places one order."""
    return {"type": "order", "orders": [wire], "grouping": "na"}


def cancelling(asset: Asset, order_id: str) -> Wire:
    """The action that cancels one order. Raises :class:`Rejected` for an id that cannot be the venue's."""
    return {"type": "cancel", "cancels": [{"a": asset.id, "o": number(order_id)}]}


def changing(order_id: str, wire: Wire) -> Wire:
    """The action that puts another order in the place of one."""
    return {"type": "batchModify", "modifies": [{"oid": number(order_id), "order": wire}]}


def number(order_id: str) -> int:
    """An order id, which the venue counts. Raises :class:`Rejected`."""
    if order_id.isascii() and order_id.isdecimal() and len(order_id) < len(str(2**63)):
        return int(order_id)
    raise _without("venue_order_id", order_id, "the venue's order ids are whole numbers")


def _price(request: OrderRequest, asset: Asset, present: Decimal | None) -> Decimal:
    """The limit, or the worst price of what trades at the market."""
    if request.order_type in {"limit", "stop_limit"}:
        return _given("price", request.price)
    market = _given("trigger_price", request.trigger_price) if request.order_type in TRIGGERS else present
    return asset.bound(_given("price", market), buys=request.buys)


def _type(request: OrderRequest, asset: Asset) -> Wire:
    kind, force = request.order_type, request.time_in_force
    if kind in TRIGGERS:
        if force not in {"", "gtc"}:
            raise _without("time_in_force", force, f"a {kind} waits until it is cancelled")
        market, side = TRIGGERS[kind]
        trigger = asset.price("trigger_price", _given("trigger_price", request.trigger_price))
        return {"trigger": {"isMarket": market, "triggerPx": trigger, "tpsl": side}}
    if kind == "market":
        if force not in {"", "ioc"}:
            raise _without("time_in_force", force, "a market order trades at once")
        return {"limit": {"tif": "Ioc"}}
    if force not in TIMES_IN_FORCE:
        raise _without("time_in_force", force, f"the venue has {', '.join(filter(None, TIMES_IN_FORCE))}")
    return {"limit": {"tif": TIMES_IN_FORCE[force]}}


def _given(field: str, price: Decimal | None) -> Decimal:
    if price is None:
        raise _without(field, "", "an order of this kind needs one")
    return price


def _without(field: str, value: str, why: str) -> Rejected:
    return Rejected(f"{field}={value!r}: {why}.", remedy="Nothing was sent.", venue_code=field)
