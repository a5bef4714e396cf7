"""Orders as the engine takes them: methods and parameters. Nothing here is sent.

What the engine has no order for is refused here, before anything goes out. Amounts are those of the book: coins for
what settles in a stable coin, dollars for what settles in the coin itself.
"""

from collections.abc import Mapping

from trueup.model.errors import BadInput, Rejected
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO, canonical, exact
from trueup.model.orders import Amendment, OrderRequest
from trueup.venues import rows
from trueup.venues.jsonrpc_derivatives import instruments
from trueup.venues.jsonrpc_derivatives.calls import Params
from trueup.venues.rows import Row
from trueup.venues.transport.limiter import Priority

LABEL_MAX = 64

TRIGGER = "mark_price"
"""What fires a trigger: a single trade far from everything moves it least."""

_TYPES = {
    "market": "market",
    "limit": "limit",
    "stop": "stop_market",
    "stop_limit": "stop_limit",
    "take_profit": "take_market",
}
_PRICED = frozenset({"limit", "stop_limit"})
_TRIGGERED = frozenset({"stop", "stop_limit", "take_profit"})

_AS_USUAL = {"": "good_til_cancelled", "gtc": "good_til_cancelled"}
_AT_ONCE = {"ioc": "immediate_or_cancel", "fok": "fill_or_kill"}
_FORCES: Mapping[str, Mapping[str, str]] = {
    "market": {"": "good_til_cancelled", **_AT_ONCE},
    "limit": {**_AS_USUAL, **_AT_ONCE, "post_only": "good_til_cancelled"},
    "stop": _AS_USUAL,
    "stop_limit": _AS_USUAL,
    "take_profit": _AS_USUAL,
}
"""What the engine takes for each type."""


def method_of(request: OrderRequest) -> str:
    """The method that places an order."""
    return "private/buy" if request.buys else "private/sell"


def priority_of(request: OrderRequest) -> Priority:
    """Who an order goes before: one that protects a position or ends it waits for nobody."""
    return Priority.PROTECTIVE if request.reduce_only or request.order_type == "stop" else Priority.REST


def terms(symbol: str, wallet: str) -> Instrument:
    """The instrument of a symbol. Raises :class:`Rejected` for what the engine has no name for."""
    try:
        return instruments.from_symbol(symbol, wallet)
    except BadInput as error:
        raise Rejected(f"instrument={symbol!r}: {error.problem}.", remedy=error.remedy) from None


def params_of(request: OrderRequest, wallet: str, valid_until: int) -> Params:
    """The parameters of an order.

    Args:
        request: What is asked for.
        wallet: In which the account's trades of this engine are kept apart; empty for none.
        valid_until: The engine's millisecond from which it is not taken any more, however late it arrives.

    Raises:
        Rejected: The engine has no form for it.
    """
    kind, forces = _TYPES.get(request.order_type), _FORCES.get(request.order_type, {})
    if kind is None:
        raise _no_form("order_type", request.order_type, f"there are {', '.join(_TYPES)}")
    if request.time_in_force not in forces:
        raise _no_form("time_in_force", request.time_in_force, f"a {request.order_type} order has none such")
    if request.position_side != "net":
        raise _no_form("position_side", request.position_side, "positions are net")
    if len(request.client_order_id) > LABEL_MAX:
        raise _no_form("client_order_id", request.client_order_id, f"a label has at most {LABEL_MAX} characters")
    params: dict[str, object] = {
        "instrument_name": terms(request.instrument, wallet).native_symbol,
        "amount": request.quantity,
        "type": kind,
        "time_in_force": forces[request.time_in_force],
        "reduce_only": request.reduce_only,
        "valid_until": valid_until,
    }
    if request.time_in_force == "post_only":
        params |= {"post_only": True, "reject_post_only": True}  # else it would be moved to another price
    for field, wanted in (("price", _PRICED), ("trigger_price", _TRIGGERED)):
        given = getattr(request, field)
        if (given is not None) is not (request.order_type in wanted):
            what = "needs one" if request.order_type in wanted else "has none"
            raise _no_form(field, "" if given is None else canonical(given), f"a {request.order_type} order {what}")
        if given is not None:
            params[field] = given
    if request.order_type in _TRIGGERED:
        params["trigger"] = TRIGGER
    return {**params, "label": request.client_order_id} if request.client_order_id else params


def changed(order: Row, amendment: Amendment) -> Params:
    """The parameters of an edit: what the order has, with what is to change.

    Everything is said again, since what is left out may go back to what the engine does by itself.

    Raises:
        Rejected: The order has no such term.
        BadInput: A term of it cannot be read.
    """
    params: dict[str, object] = {
        "order_id": rows.identifier(order, "order_id"),
        "amount": rows.decimal(order, "amount"),
    }
    if amendment.quantity is not None:
        with exact():  # the engine's amount is that of the whole order, ours what is to rest of it
            params["amount"] = amendment.quantity + (rows.optional_decimal(order, "filled_amount") or ZERO)
    for field in ("price", "trigger_price"):
        present, wanted = order.get(field), getattr(amendment, field)
        has = present is not None and not isinstance(present, str)
        if wanted is not None and not has:
            raise _no_form(field, canonical(wanted), f"a {rows.shown(order.get('order_type'))} order has none")
        if has:
            params[field] = rows.decimal(order, field) if wanted is None else wanted
    for field in ("post_only", "reduce_only", "reject_post_only"):
        if rows.flag(order, field, default=False):
            params[field] = True
    return params


def _no_form(field: str, value: str, why: str) -> Rejected:
    return Rejected(f"{field}={value!r}: {why}.", remedy="Nothing was sent. Ask for what the venue has.")
