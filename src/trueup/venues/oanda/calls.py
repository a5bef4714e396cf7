"""What is asked of OANDA: paths, bodies and limits, as the v20 REST documentation has them. Nothing here is sent.

Every id that stands in a path is escaped, since a client id may hold a slash or a space. Quantities and prices are
strings. What OANDA has no order for is refused here, before anything goes out.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Literal
from urllib.parse import quote

import msgspec

from trueup.model.errors import BadInput, Rejected
from trueup.model.numbers import canonical
from trueup.model.orders import Amendment, OrderRequest
from trueup.venues.oanda import instruments
from trueup.venues.rows import Row
from trueup.venues.transport.http import Call
from trueup.venues.transport.limiter import Priority, Window

LIMITS = (Window(120, 1.0, reserve=20),)
"""120 requests a second; 100 are advised, and the rest is kept for what protects or ends a position."""

PAGE = 1_000
"""Transactions that one answer gives at most."""

HEADERS = {"Accept-Datetime-Format": "RFC3339"}
_BODY_HEADERS = {**HEADERS, "Content-Type": "application/json"}

_TYPES = {"market": "MARKET", "limit": "LIMIT", "stop": "STOP", "take_profit": "MARKET_IF_TOUCHED"}
"""Ours to OANDA's. A stop-limit has none: theirs (a stop with ``priceBound``) is cancelled where ours would rest."""

_TIMES_IN_FORCE = {
    "market": {"": "FOK", "fok": "FOK", "ioc": "IOC"},
    "limit": {"": "GTC", "gtc": "GTC", "fok": "FOK", "ioc": "IOC"},
    "stop": {"": "GTC", "gtc": "GTC"},
    "take_profit": {"": "GTC", "gtc": "GTC"},
}
"""What OANDA takes for each type; an empty one means what it does by itself."""

_REPLACED = (
    "type",
    "instrument",
    "units",
    "price",
    "priceBound",
    "distance",
    "tradeID",
    "timeInForce",
    "gtdTime",
    "positionFill",
    "triggerCondition",
    "clientExtensions",
    "takeProfitOnFill",
    "stopLossOnFill",
    "trailingStopLossOnFill",
    "tradeClientExtensions",
)
"""Fields of a pending order that its replacement asks for again."""


class Calls:
    """The calls of one account.

    Args:
        account_id: OANDA's, such as ``001-004-1234567-001``.
    """

    def __init__(self, account_id: str) -> None:
        self._account = f"/v3/accounts/{quote(account_id, safe='')}"

    def accounts(self) -> Call:
        """Which accounts the token may see."""
        return _get("/v3/accounts")

    def account(self) -> Call:
        """Everything the account holds, and after which transaction."""
        return _get(self._account)

    def summary(self) -> Call:
        """The account without what it holds."""
        return _get(f"{self._account}/summary")

    def instruments(self) -> Call:
        """Terms of everything the account may trade."""
        return _get(f"{self._account}/instruments")

    def pricing(self, names: Iterable[str]) -> Call:
        """Prices of instruments."""
        return _get(f"{self._account}/pricing", {"instruments": ",".join(names)})

    def since(self, transaction: int) -> Call:
        """Transactions after one, at most :data:`PAGE`."""
        return _get(f"{self._account}/transactions/sinceid", {"id": str(transaction)})

    def id_range(self, first: int, last: int) -> Call:
        """Transactions from one to another, both included, at most :data:`PAGE`."""
        return _get(f"{self._account}/transactions/idrange", {"from": str(first), "to": str(last)})

    def stream(self) -> Call:
        """Transactions as they happen, a line each; the answer does not end."""
        return _get(f"{self._account}/transactions/stream")

    def order(self, order: str) -> Call:
        """One order; ``order`` as :func:`by_id` or :func:`by_client_id` makes it."""
        return _get(f"{self._account}/orders/{order}")

    def position(self, symbol: str) -> Call:
        """The position in one instrument. Sent at once: a close waits for it."""
        return msgspec.structs.replace(_get(f"{self._account}/positions/{native(symbol)}"), priority=Priority.CLOSE)

    def create(self, request: OrderRequest, *, hedging: bool) -> Call:
        """Place an order. Raises :class:`Rejected` for one that OANDA has no form for."""
        body = {"order": order_body(request, hedging=hedging)}
        return _write("POST", f"{self._account}/orders", body, priority_of(request))

    def replace(self, order: Row, order_id: str, amendment: Amendment) -> Call:
        """Put another order in the place of a pending one, which OANDA listed as ``order``."""
        path = f"{self._account}/orders/{by_id(order_id)}"
        return _write("PUT", path, {"order": replaced(order, amendment)}, Priority.PROTECTIVE)

    def cancel(self, order_id: str) -> Call:
        """Cancel a pending order."""
        return _write("PUT", f"{self._account}/orders/{by_id(order_id)}/cancel", {}, Priority.CANCEL)

    def close(self, symbol: str, side: Literal["long", "short"], client_order_id: str) -> Call:
        """Close one side of a position at the market, and leave the other alone."""
        other = "short" if side == "long" else "long"
        body: dict[str, object] = {f"{side}Units": "ALL", f"{other}Units": "NONE"}
        if client_order_id:
            body[f"{side}ClientExtensions"] = {"id": client_order_id}
        return _write("PUT", f"{self._account}/positions/{native(symbol)}/close", body, Priority.CLOSE)


def priority_of(request: OrderRequest) -> Priority:
    """Who an order goes before: one that protects a position or ends it waits for nobody."""
    return Priority.PROTECTIVE if request.reduce_only or request.order_type == "stop" else Priority.REST


def by_id(order_id: str) -> str:
    """An order, in a path, by OANDA's id."""
    return quote(order_id, safe="")


def by_client_id(client_order_id: str) -> str:
    """An order, in a path, by ours."""
    return f"@{quote(client_order_id, safe='')}"


def native(symbol: str) -> str:
    """OANDA's name of an instrument: ``EUR/USD`` is ``EUR_USD``. Raises :class:`Rejected` for what cannot be one."""
    try:
        return instruments.from_name(symbol.replace("/", "_")).native_symbol
    except BadInput as error:
        raise Rejected(f"instrument={symbol!r}: {error.problem}.", remedy=error.remedy) from None


def order_body(request: OrderRequest, *, hedging: bool) -> dict[str, object]:
    """The order as OANDA takes it. Raises :class:`Rejected` where it has no form for it."""
    kind, force = _TYPES.get(request.order_type), _TIMES_IN_FORCE.get(request.order_type, {})
    if kind is None:
        raise _no_form("order_type", request.order_type, f"OANDA takes {', '.join(_TYPES)}")
    if request.time_in_force not in force:
        told = f"OANDA takes {', '.join(filter(None, force))} for a {request.order_type} order"
        raise _no_form("time_in_force", request.time_in_force, told)
    units = request.quantity * request.sign
    body: dict[str, object] = {
        "type": kind,
        "instrument": native(request.instrument),
        "units": canonical(units),
        "timeInForce": force[request.time_in_force],
        "positionFill": _position_fill(request, hedging=hedging),
    }
    price = _price(request)
    if price is not None:
        body["price"] = canonical(price)
    if request.client_order_id:
        body["clientExtensions"] = {"id": request.client_order_id}
    return body


def replaced(order: Row, amendment: Amendment) -> dict[str, object]:
    """A pending order's terms with what is to change. Raises :class:`Rejected` where it has no such term."""
    body = {field: order[field] for field in _REPLACED if order.get(field) is not None}
    at_price = body.get("type") == "LIMIT"
    price, other = amendment.price, amendment.trigger_price
    if not at_price:
        price, other = other, price
    if other is not None:
        field = "trigger_price" if at_price else "price"
        raise _no_form(field, canonical(other), f"a {str(body.get('type')).lower()} order of OANDA has none")
    if amendment.quantity is not None:
        if "units" not in body:
            raise _no_form("quantity", canonical(amendment.quantity), "it closes a whole trade")
        sign = "-" if str(body["units"]).startswith("-") else ""
        body["units"] = f"{sign}{canonical(amendment.quantity)}"
    if price is not None:
        body["price"] = canonical(price)
    return body


def _price(request: OrderRequest) -> Decimal | None:
    """The one price that OANDA's order has: that of a limit, or the one that triggers."""
    wanted = {"limit": "price", "stop": "trigger_price", "take_profit": "trigger_price"}.get(request.order_type)
    for field in ("price", "trigger_price"):
        given: Decimal | None = getattr(request, field)
        if (given is not None) is not (field == wanted):
            what = "needs one" if field == wanted else "has none"
            raise _no_form(field, "" if given is None else canonical(given), f"a {request.order_type} order {what}")
    return None if wanted is None else getattr(request, wanted)


def _position_fill(request: OrderRequest, *, hedging: bool) -> str:
    """What the order may do to positions. It never touches the other side of a hedged one."""
    if request.position_side == "net":
        return "REDUCE_ONLY" if request.reduce_only else "DEFAULT"
    if not hedging:
        raise _no_form("position_side", request.position_side, "the account nets its positions")
    opens = request.buys is (request.position_side == "long")
    if opens and request.reduce_only:
        raise _no_form("reduce_only", "true", f"a {request.side} order adds to the {request.position_side} side")
    return "OPEN_ONLY" if opens else "REDUCE_ONLY"


def _no_form(field: str, value: str, why: str) -> Rejected:
    return Rejected(f"{field}={value!r}: {why}.", remedy="Nothing was sent. Ask for what the venue has.")


def _get(path: str, query: Mapping[str, str] | None = None) -> Call:
    return Call("GET", path, query or {}, headers=HEADERS, priority=Priority.RECONCILE)


def _write(method: Literal["POST", "PUT"], path: str, body: Mapping[str, object], priority: Priority) -> Call:
    content = msgspec.json.encode(body)
    return Call(method, path, content=content, headers=_BODY_HEADERS, priority=priority, writes=True)
