"""Orders as the venue wants them. What lives only here: which of its configurations an order of ours becomes.

What Coinbase has no order for is refused before anything is sent. Nothing of it is reduce-only: see
:func:`trueup.venues.coinbase.trading.Trading.place` for what is made of that.
"""

from collections.abc import Mapping
from uuid import UUID, uuid5

from trueup.model.errors import Rejected
from trueup.model.identifiers import AccountId
from trueup.model.numbers import canonical
from trueup.model.orders import Amendment, OrderRequest
from trueup.venues import rows
from trueup.venues.coinbase import orders
from trueup.venues.rows import Row

_NAMESPACE = UUID("7e0d7a9c-6a3b-5d0e-9c1f-4b2a8f6d3e51")
_SIDES = {"buy": "BUY", "sell": "SELL"}
_DIRECTIONS = {"buy": "STOP_DIRECTION_STOP_UP", "sell": "STOP_DIRECTION_STOP_DOWN"}
_CONFIGURATIONS: Mapping[tuple[str, str], str] = {
    ("market", ""): "market_market_ioc",
    ("market", "ioc"): "market_market_ioc",
    ("limit", ""): "limit_limit_gtc",
    ("limit", "gtc"): "limit_limit_gtc",
    ("limit", "post_only"): "limit_limit_gtc",
    ("limit", "ioc"): "sor_limit_ioc",
    ("limit", "fok"): "limit_limit_fok",
    ("stop_limit", ""): "stop_limit_stop_limit_gtc",
    ("stop_limit", "gtc"): "stop_limit_stop_limit_gtc",
}
"""By the order's type and time in force; an empty one means what the venue does by itself."""

_PRICED = frozenset({"limit", "stop_limit"})
_TRIGGERED = frozenset({"stop_limit"})
_RESTING = frozenset({"limit_limit_gtc", "stop_limit_stop_limit_gtc"})


def client_id(account: AccountId, client_order_id: str) -> str:
    """What the venue calls an order of ours: a UUID, as it is wanted, and always the same one for the same order.

    One that is a UUID already stays as it is; none stays none.
    """
    if not client_order_id:
        return ""
    try:
        given = str(UUID(client_order_id))
    except ValueError:
        given = ""
    return given if given == client_order_id else str(uuid5(_NAMESPACE, f"{account}|{client_order_id}"))


def rests(request: OrderRequest) -> bool:
    """Whether an order stays until it trades; else it is over at once."""
    return _configuration(request) in _RESTING


def body(request: OrderRequest, product_id: str, client_order_id: str) -> dict[str, object]:
    """An order. Raises :class:`Rejected` where the venue has no form for it."""
    if request.position_side != "net":
        raise no_form("position_side", request.position_side, "Coinbase nets all positions")
    return {
        "client_order_id": client_order_id,
        "product_id": product_id,
        "side": _SIDES[request.side],
        "order_configuration": {_configuration(request): _terms(request)},
    }


def changed(order: Row, amendment: Amendment) -> dict[str, object]:
    """What to ask of a resting order, which the venue listed as ``order``: what is left out of it would be taken for 0.

    Raises:
        BadInput: The row has no terms.
        Rejected: The order cannot be changed, or has no such term.
    """
    configuration = rows.record(order, "order_configuration")
    kind, terms = next(((kind, rows.as_row(terms, kind)) for kind, terms in configuration.items()), ("", {}))
    if kind not in _RESTING:
        raise no_form("order_configuration", kind, "it cannot be changed: cancel it and place another")
    if amendment.trigger_price is not None and "stop_price" not in terms:
        raise no_form("trigger_price", canonical(amendment.trigger_price), "the order has none")
    price = amendment.price or orders.edited(order, "price") or rows.positive(terms, "limit_price")
    if amendment.quantity is not None:  # the venue counts what is filled already
        size = amendment.quantity + rows.decimal(order, "filled_size")
    else:
        size = orders.edited(order, "size") or rows.positive(terms, "base_size")
    asked: dict[str, object] = {
        "order_id": rows.identifier(order, "order_id"),
        "price": canonical(price),
        "size": canonical(size),
    }
    if amendment.trigger_price is not None:
        asked["stop_price"] = canonical(amendment.trigger_price)
    return asked


def no_form(field: str, value: str, why: str) -> Rejected:
    """A refusal of ours."""
    return Rejected(f"{field}={value!r}: {why}.", remedy="Nothing was sent. Ask for what the venue has.")


def _configuration(request: OrderRequest) -> str:
    known = _CONFIGURATIONS.get((request.order_type, request.time_in_force))
    if known is None:
        taken = sorted(force for kind, force in _CONFIGURATIONS if kind == request.order_type and force)
        if not taken:
            kinds = ", ".join(dict.fromkeys(kind for kind, _ in _CONFIGURATIONS))
            raise no_form("order_type", request.order_type, f"Coinbase takes {kinds}")
        told = f"Coinbase takes {', '.join(taken)} for a {request.order_type} order"
        raise no_form("time_in_force", request.time_in_force, told)
    return known


def _terms(request: OrderRequest) -> dict[str, object]:
    terms: dict[str, object] = {"base_size": canonical(request.quantity)}
    kind = request.order_type
    for field, wanted in (("price", kind in _PRICED), ("trigger_price", kind in _TRIGGERED)):
        given = getattr(request, field)
        if (given is not None) is not wanted:
            what = "needs one" if wanted else "has none"
            raise no_form(field, "" if given is None else canonical(given), f"a {kind} order {what}")
    if request.price is not None:
        terms["limit_price"] = canonical(request.price)
    if request.trigger_price is not None:
        terms |= {"stop_price": canonical(request.trigger_price), "stop_direction": _DIRECTIONS[request.side]}
    if _configuration(request) == "limit_limit_gtc":
        terms["post_only"] = request.time_in_force == "post_only"
    return terms
