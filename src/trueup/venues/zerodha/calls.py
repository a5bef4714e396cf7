"""What is asked of Kite: paths, forms and limits, as the Kite Connect documentation has them. Nothing here is sent.

What Kite has no order for, and what the day's instruments file says it would not take, is refused here before anything
goes out. Freeze quantities are left to the exchange, which changes them by the month.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import Literal
from urllib.parse import quote, urlencode

from msgspec.structs import replace

from trueup.model.errors import BadInput, Rejected
from trueup.model.numbers import canonical
from trueup.model.orders import Amendment, OrderRequest
from trueup.venues.transport.http import Call
from trueup.venues.transport.limiter import Priority, Window
from trueup.venues.zerodha.instruments import Key, Terms

ORDER_LIMITS = (Window(10, 1.0, reserve=3), Window(200, 60.0, reserve=20))
"""Ten requests about orders in a calendar second, hence in any second; and as many a minute as all sources agree on."""

QUOTE_LIMITS = (Window(1, 1.0),)
LIMITS = (Window(10, 1.0, reserve=3),)
"""Of everything else."""

REGULAR = "regular"
"""The variety of our orders."""

ORDER_TYPES = {"market": "MARKET", "limit": "LIMIT", "stop": "SL-M", "stop_limit": "SL"}
TIMES_IN_FORCE = {"": "DAY", "ioc": "IOC"}
PRODUCTS = frozenset({"CNC", "MIS", "NRML", "MTF"})

AUTOMATIC_PROTECTION = "-1"
"""Kite picks how far from the last price an order without a limit may trade; since April 2026 it has to."""

INSTRUMENTS = "/instruments"
POSITIONS, HOLDINGS, MARGINS = "/portfolio/positions", "/portfolio/holdings", "/user/margins"
ORDERS, TRADES, PROFILE = "/orders", "/trades", "/user/profile"
SESSION = "/session/token"

INSTRUMENTS_S = 60.0
"""The instruments file is some ten megabytes."""

_HEADERS = {"X-Kite-Version": "3"}
_FORM = {**_HEADERS, "Content-Type": "application/x-www-form-urlencoded"}
_NO_IOC = frozenset({"MCX"})
_TAG_BYTES = 10


def tag(client_order_id: str) -> str:
    """What Kite calls an order of ours: 20 letters and digits, a hash of our id unless it could be a tag itself."""
    if len(client_order_id) <= 2 * _TAG_BYTES and client_order_id.isascii() and client_order_id.isalnum():
        return client_order_id
    return blake2b(client_order_id.encode(), digest_size=_TAG_BYTES).hexdigest() if client_order_id else ""


def get(path: str, query: Mapping[str, str] | None = None, priority: Priority = Priority.RECONCILE) -> Call:
    """Ask for something."""
    return Call("GET", path, query or {}, headers=_HEADERS, priority=priority)


def instruments() -> Call:
    """The file of everything that is traded today."""
    return replace(get(INSTRUMENTS), answer_s=INSTRUMENTS_S)


def order(order_id: str, priority: Priority) -> Call:
    """The states that an order went through."""
    return get(f"{ORDERS}/{quote(order_id, safe='')}", priority=priority)


def last_prices(names: Iterable[str]) -> Call:
    """Last prices by ``EXCHANGE:TRADINGSYMBOL``, at most a thousand."""
    return get(f"/quote/ltp?{urlencode([('i', name) for name in names])}")


def place(form: Mapping[str, str], priority: Priority) -> Call:
    """Place an order."""
    return _write("POST", f"{ORDERS}/{REGULAR}", form, priority)


def modify(variety: str, order_id: str, form: Mapping[str, str]) -> Call:
    """Change a resting order, which keeps its id."""
    return _write("PUT", _path(variety, order_id), form, Priority.PROTECTIVE)


def cancel(variety: str, order_id: str) -> Call:
    """Cancel what is left of an order."""
    return _write("DELETE", _path(variety, order_id), {}, Priority.CANCEL)


def exchange_token(api_key: str, request_token: str, checksum: str) -> Call:
    """Exchange what a login redirected to for a token. Not signed: there is nothing yet to sign with."""
    form = {"api_key": api_key, "request_token": request_token, "checksum": checksum}
    return _write("POST", SESSION, form, Priority.RECONCILE)


def end_token(api_key: str, access_token: str) -> Call:
    """End a token for good."""
    return replace(
        _write("DELETE", SESSION, {}, Priority.RECONCILE), query={"api_key": api_key, "access_token": access_token}
    )


def priority_of(request: OrderRequest) -> Priority:
    """Who an order goes before: one that protects a position or ends it waits for nobody."""
    stops = request.order_type in {"stop", "stop_limit"}
    return Priority.PROTECTIVE if request.reduce_only or stops else Priority.REST


def order_form(request: OrderRequest, key: Key, terms: Terms | None) -> dict[str, str]:
    """An order as Kite takes it.

    Args:
        request: What is asked for.
        key: Of what.
        terms: Of the day's file; None where it is not at hand, and Kite alone judges.

    Raises:
        Rejected: What Kite does not have, or would not take.
    """
    kind = ORDER_TYPES.get(request.order_type)
    if kind is None:
        raise no_form("order_type", request.order_type, f"Kite takes {', '.join(ORDER_TYPES)}")
    force = TIMES_IN_FORCE.get(request.time_in_force)
    if force is None:
        raise no_form("time_in_force", request.time_in_force, "an order of Kite ends with the day, or is ioc")
    if force == "IOC" and key.exchange in _NO_IOC:
        raise no_form("time_in_force", "ioc", f"{key.exchange} takes none over the API")
    if request.position_side != "net":
        raise no_form("position_side", request.position_side, "positions are net")
    form = {
        "exchange": key.exchange,
        "tradingsymbol": key.tradingsymbol,
        "transaction_type": request.side.upper(),
        "order_type": kind,
        "quantity": quantity("quantity", request.quantity, key, terms),
        "product": key.product,
        "validity": force,
        **_prices(request, key, terms),
    }
    if kind in {"MARKET", "SL-M"}:
        form["market_protection"] = AUTOMATIC_PROTECTION
    if request.client_order_id:
        form["tag"] = tag(request.client_order_id)
    return form


def modification_form(amendment: Amendment, order_type: str, key: Key, terms: Terms | None) -> dict[str, str]:
    """What is to change of an order of a type, in Kite's word. Raises :class:`Rejected` as :func:`order_form` does."""
    form = {"order_type": order_type}
    if amendment.quantity is not None:
        form["quantity"] = quantity("quantity", amendment.quantity, key, terms)
    for field, given, types in (
        ("price", amendment.price, {"LIMIT", "SL"}),
        ("trigger_price", amendment.trigger_price, {"SL", "SL-M"}),
    ):
        if given is not None:
            if order_type not in types:
                raise no_form(field, canonical(given), f"an order {order_type} has none")
            form[field] = _price(field, given, key, terms)
    return form


def quantity(field: str, number: Decimal, key: Key, terms: Terms | None) -> str:
    """Whole units or lots, as the exchange counts. Raises :class:`Rejected`."""
    if number <= 0 or number != number.to_integral_value():
        raise no_form(field, canonical(number), "Kite takes whole numbers above zero")
    lot = terms.lot_size if terms is not None and key.in_units else None
    if lot is not None and number % lot:
        raise no_form(field, canonical(number), f"{key.native} is traded in lots of {canonical(lot)}")
    return canonical(number)


def no_form(field: str, value: str, why: str) -> Rejected:
    """A request that is refused before it is sent."""
    return Rejected(f"{field}={value!r}: {why}.", remedy="Nothing was sent. Ask for what the venue has.")


def key_of(symbol: str) -> Key:
    """What a symbol of ours names. Raises :class:`Rejected` for one of another venue, or of no product of Kite's."""
    try:
        key = Key.of_symbol(symbol)
    except BadInput as error:
        raise Rejected(f"instrument={symbol!r}: {error.problem}.", remedy=error.remedy) from None
    if key.product not in PRODUCTS:
        raise no_form("instrument", symbol, f"the product is none of {', '.join(sorted(PRODUCTS))}")
    return key


def _prices(request: OrderRequest, key: Key, terms: Terms | None) -> dict[str, str]:
    """The prices that an order of its type has, and no others."""
    wanted = {
        "price": request.order_type in {"limit", "stop_limit"},
        "trigger_price": request.order_type in {"stop", "stop_limit"},
    }
    found: dict[str, str] = {}
    for field, needed in wanted.items():
        given: Decimal | None = getattr(request, field)
        if (given is not None) is not needed:
            what = "needs one" if needed else "has none"
            raise no_form(field, "" if given is None else canonical(given), f"a {request.order_type} order {what}")
        if given is not None:
            found[field] = _price(field, given, key, terms)
    return found


def _price(field: str, number: Decimal, key: Key, terms: Terms | None) -> str:
    tick = terms.price_tick if terms is not None else None
    if number <= 0 or (tick is not None and number % tick):
        step = "" if tick is None else f" in steps of {canonical(tick)}"
        raise no_form(field, canonical(number), f"prices of {key.native} are above zero{step}")
    return canonical(number)


def _path(variety: str, order_id: str) -> str:
    return f"{ORDERS}/{quote(variety, safe='')}/{quote(order_id, safe='')}"


def _write(method: Literal["POST", "PUT", "DELETE"], path: str, form: Mapping[str, str], priority: Priority) -> Call:
    return Call(method, path, content=urlencode(form).encode(), headers=_FORM, priority=priority, writes=True)
