"""Requests as the venue wants them, and its limits. What lives only here: paths, and how lists are asked for.

Everything stands below ``/api/v3/brokerage``. A list that is longer than an answer says so and gives a cursor, which
stands for this one query: the next page is the same query with it.
"""

from collections.abc import Mapping, Sequence
from typing import Literal
from urllib.parse import quote

import msgspec

from trueup.model.times import format_time
from trueup.venues.transport.http import Call
from trueup.venues.transport.limiter import Priority, Window

LIMITS = (Window(weight=30, seconds=1.0, reserve=5),)
"""Private requests a second; the reserve is for what closes, cancels or protects."""

PAGE = 100
"""Fills of one answer: what the venue gives where nothing is asked for."""

LIST = 250
"""Wallets or orders of one answer."""

BETWEEN = ("PENDING", "QUEUED", "CANCEL_QUEUED", "EDIT_QUEUED")
"""States in which an order is neither resting nor done."""

Query = Mapping[str, str | Sequence[str]]

_BASE = "/api/v3/brokerage"
_ORDERS = f"{_BASE}/orders"
_FILLS = f"{_ORDERS}/historical/fills"
_LISTED = f"{_ORDERS}/historical/batch"
_FUTURES = f"{_BASE}/cfm"
_JSON = {"content-type": "application/json"}
_LIST_S = 30.0
"""A long list takes the venue its time."""


def time() -> Call:
    """The venue's clock. Needs no key."""
    return _get(f"{_BASE}/time")


def key_permissions() -> Call:
    """Of which portfolio the key is, and what it may do."""
    return _get(f"{_BASE}/key_permissions")


def products(kind: Literal["SPOT", "FUTURE"]) -> Call:
    """Terms of all products of a kind; of futures also those that expired."""
    expired = {"expiring_contract_status": "STATUS_ALL"} if kind == "FUTURE" else {}
    return _get(f"{_BASE}/products", {"product_type": kind, **expired})


def product(product_id: str) -> Call:
    """Terms of one product."""
    return _get(f"{_BASE}/products/{quote(product_id, safe='')}")


def prices(product_ids: Sequence[str]) -> Call:
    """What products last traded at."""
    return _get(f"{_BASE}/products", {"product_ids": product_ids}, priority=Priority.REST)


def accounts() -> Call:
    """Wallets with their balances."""
    return _get(f"{_BASE}/accounts", {"limit": str(LIST)})


def positions(priority: Priority = Priority.RECONCILE) -> Call:
    """Futures held."""
    return _get(f"{_FUTURES}/positions", priority=priority)


def balance_summary() -> Call:
    """The cash of the futures wallet."""
    return _get(f"{_FUTURES}/balance_summary")


def fills_since(at: int) -> Call:
    """Fills at or after a time in nanoseconds, newest first."""
    since = {"start_sequence_timestamp": format_time(at)} if at > 0 else {}
    return _get(_FILLS, {"limit": str(PAGE), **since})


def fills_of(order_id: str) -> Call:
    """All fills of an order."""
    return _get(_FILLS, {"limit": str(PAGE), "order_ids": [order_id]})


def order(order_id: str, priority: Priority) -> Call:
    """One order, in whatever state."""
    return _get(f"{_ORDERS}/historical/{quote(order_id, safe='')}", priority=priority)


def orders_of(order_ids: Sequence[str]) -> Call:
    """Orders by their ids, in whatever state."""
    return _get(_LISTED, {"order_ids": order_ids, "limit": str(LIST)})


def orders_in(states: Sequence[str]) -> Call:
    """Orders in these states. ``OPEN`` is not taken together with others."""
    return _get(_LISTED, {"order_status": states, "limit": str(LIST)})


def orders_since(at: int) -> Call:
    """Orders in whatever state that were made at or after a time in nanoseconds."""
    return _get(_LISTED, {"start_date": format_time(at), "limit": str(LIST)})


def next_page(call: Call, cursor: str) -> Call:
    """The same query, from where an answer ended."""
    return msgspec.structs.replace(call, query={**call.query, "cursor": cursor})


def create(body: Mapping[str, object], priority: Priority) -> Call:
    """Place an order."""
    return _post(_ORDERS, body, priority)


def close(body: Mapping[str, object]) -> Call:
    """Close a position in a future."""
    return _post(f"{_ORDERS}/close_position", body, Priority.CLOSE)


def cancel(order_id: str) -> Call:
    """Cancel what is left of an order."""
    return _post(f"{_ORDERS}/batch_cancel", {"order_ids": [order_id]}, Priority.CANCEL)


def edit(body: Mapping[str, object]) -> Call:
    """Change a resting order."""
    return _post(f"{_ORDERS}/edit", body, Priority.PROTECTIVE)


def _get(path: str, query: Query | None = None, *, priority: Priority = Priority.RECONCILE) -> Call:
    return Call("GET", path, query or {}, priority=priority, answer_s=_LIST_S if query else 10.0)


def _post(path: str, body: Mapping[str, object], priority: Priority) -> Call:
    return Call(
        "POST", path, content=msgspec.json.encode(body), headers=_JSON, priority=priority, writes=True, timed=True
    )
