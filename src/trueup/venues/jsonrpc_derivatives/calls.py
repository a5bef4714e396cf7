"""What is asked of the engine: a method and its parameters as JSON-RPC 2.0 over HTTP, and what each call costs.

Every call is a ``POST`` to the method's own path, so that nothing of it stands in an address. Numbers go out as JSON
numbers with every digit. Limits are credits per account (https://docs.deribit.com/articles/rate-limits): a pool for
reads, one for the transaction log, and one for what reaches the matching engine, here as for the least busy accounts.
"""

from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import urlsplit

import msgspec

from trueup.venues.transport.http import Call
from trueup.venues.transport.limiter import Priority, Window

Params = Mapping[str, object]

JSON = {"Content-Type": "application/json"}

_ENCODER = msgspec.json.Encoder(decimal_format="number")

TRADES_MAX = 1_000
"""Trades that one answer gives at most."""

LOG_MAX = 250
"""Entries of the transaction log that one answer gives at most."""

ORDERS_MAX = 1_000
"""Orders of the past that are asked for at once."""


class Pool(StrEnum):
    """Which limit a call counts against; each has connections of its own, so that none waits for another's."""

    READS = "rest"
    LOG = "log"
    ORDERS = "orders"


LIMITS: Mapping[Pool, tuple[Window, ...]] = {
    Pool.READS: (Window(50_000, 5.0, reserve=5_000),),
    Pool.LOG: (Window(80_000, 8.0),),
    Pool.ORDERS: (Window(20, 4.0, reserve=5),),
}
"""A pool that is refilled steadily holds out as long as no more than what it holds goes out while it refills once."""

_READ, _LISTING, _LOG = 500, 10_000, 10_000
_LISTS = frozenset({"public/get_instruments"})
_LOGS = frozenset({"private/get_transaction_log"})
_MATCHING = frozenset({"private/buy", "private/sell", "private/edit", "private/cancel"})
_LONG = _LISTS | _LOGS | frozenset({"private/get_user_trades_by_currency_and_time"})


def pool_of(method: str) -> Pool:
    """The limit that a method counts against."""
    if method in _MATCHING:
        return Pool.ORDERS
    return Pool.LOG if method in _LOGS else Pool.READS


def weight_of(method: str) -> int:
    """What a method costs in its pool."""
    if method in _MATCHING:
        return 1
    if method in _LOGS:
        return _LOG
    return _LISTING if method in _LISTS else _READ


def call(prefix: str, method: str, params: Params, priority: Priority) -> Call:
    """A call.

    Args:
        prefix: The path of the interface: ``/api/v2``.
        method: As the engine names it.
        params: Of the method.
        priority: Who it goes before.
    """
    writes = method in _MATCHING
    return Call(
        "POST",
        f"{prefix}/{method}",
        content=message(method, params),
        headers=JSON,
        weight=weight_of(method),
        priority=priority,
        writes=writes,
        timed="valid_until" in params,
        answer_s=30.0 if method in _LONG else 10.0,
    )


def message(method: str, params: Params, number: int = 1) -> bytes:
    """A JSON-RPC request. Over HTTP its number says nothing, since an answer is that of its request."""
    return _ENCODER.encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


def split_url(url: str) -> tuple[str, str]:
    """The base address of a URL and the path of the interface below it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
