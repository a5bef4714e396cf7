"""What an exchange object of ccxt may send. What lives only here: which endpoints read, which order, and no others.

ccxt's unified methods send more than they say: some approve a fee for its makers or set a referrer before an order, or
as the markets are loaded. Which endpoint of the venue a method uses stands in its compiled code, by name. So a class is
looked through once: an endpoint reads if a reading method uses it (or it is a GET that no writing method uses), and it
orders if a method that places, changes or cancels orders does. Whatever else is asked for is refused before it is
signed, and so is an order's endpoint while nothing is being ordered.
"""

import re
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import CodeType, FunctionType
from typing import cast

import msgspec

from trueup.model.errors import Rejected

Endpoint = tuple[str, str, tuple[str, ...]]
"""Method, path and the parts of the interface's name: ``("GET", "v5/position/list", ("private",))``."""

READING = re.compile(
    r"_?(fetch_(?!deposit_address|convert)|load_|watch_|authenticate|negotiate|sign_in|keep_alive_listen_key"
    r"|is_unified|get_markets_paginated|get_listen_key)"
)
"""Names of methods that read, or that begin a session; some of those that fetch an address make one."""

WRITING = re.compile(
    r"_?(create_|cancel_|edit_|close_|set_|transfer|withdraw|deposit|add_|reduce_|modify_|borrow|repay|approve|enable|"
    r"disable|upgrade|switch|redeem|mint|convert|accept|bind|revoke|initialize_client|onboarding|futures_transfer)"
)
"""Names of methods that change something."""

ORDERING = re.compile(r"_?(create_.*order|cancel_.*order|edit_.*order|create_stop|create_take|create_trailing)")
"""Names of methods that place, change or cancel orders."""

PLAIN_ACTIONS = frozenset({"order", "cancel", "cancelByCloid", "modify", "batchModify"})
"""What Hyperliquid's one endpoint for everything may be used for."""


class Endpoints(msgspec.Struct, frozen=True):
    """Of one exchange: what reads, and what orders."""

    reads: frozenset[Endpoint]
    orders: frozenset[Endpoint]


class Permit(msgspec.Struct):
    """What one call may do.

    Attributes:
        orders: Whether it may place, change or cancel an order.
        urgent: Whether it goes ahead of the rate limiter.
        sent: Whether an order's request left, as far as we know.
        beyond: Whether something else was asked for after that: an error may be of that alone.
        answers: What the venue answered, by the path of each request.
    """

    orders: bool = False
    urgent: bool = False
    sent: bool = False
    beyond: bool = False
    answers: list[tuple[str, object]] = msgspec.field(default_factory=list)


_PERMIT: ContextVar[Permit | None] = ContextVar("_PERMIT", default=None)
_ADMITTED: ContextVar[bool] = ContextVar("_ADMITTED", default=False)


@contextmanager
def permitting(permit: Permit) -> Iterator[Permit]:
    """What is called in this block, and in tasks it starts, may do this much; outside of any, everything only reads."""
    token = _PERMIT.set(permit)
    try:
        yield permit
    finally:
        _PERMIT.reset(token)


def permitted() -> Permit:
    """What the present call may do."""
    return _PERMIT.get() or Permit()


@cache
def endpoints(kind: type) -> Endpoints:
    """What the methods of a class of ccxt use, by what their names say that they do."""
    known = _declared(kind)
    users: dict[Endpoint, set[str]] = {}
    for parent in kind.__mro__:
        for method, function in vars(parent).items():
            if isinstance(function, FunctionType):
                for name in _names(function.__code__) & known.keys():
                    users.setdefault(known[name], set()).add(method)
    reads = {endpoint for endpoint, methods in users.items() if _reads(endpoint, methods)}
    orders = {endpoint for endpoint, methods in users.items() if any(map(ORDERING.match, methods))}
    return Endpoints(frozenset(reads), frozenset(orders - reads))


class Admitting:
    """The gate of one exchange object: every request passes here, and is refused unless it is known for what it does.

    Mixed into ccxt's class of the exchange by :mod:`trueup.venues.ccxt.exchange`.
    """

    id: str

    def admit(self, endpoint: Endpoint, params: object) -> None:
        """Let a request through.

        Raises:
            Rejected: It is not known to read, and is no order, or nothing is being ordered. Nothing was sent.
        """
        known = endpoints(cast("Hashable", type(self)))
        permit = permitted()
        permit.beyond = permit.sent
        if endpoint in known.reads:
            return
        if permit.orders and endpoint in known.orders and _plain(params):
            permit.sent = True
            return
        method, path, _ = endpoint
        raise Rejected(
            f"{method} {path} is not known to {'read or to order' if permit.orders else 'read'} at {self.id}.",
            remedy="Nothing was sent: trueup uses ccxt to read and to order, and for nothing else.",
            venue_code="not_admitted",
        )

    def admitted(self, method: str) -> None:
        """Refuse what reaches the network without having passed :meth:`admit`. Raises :class:`Rejected`."""
        if method != "GET" and not _ADMITTED.get():
            raise Rejected(
                f"A {method} of {self.id} that no endpoint of its table explains.",
                remedy="Nothing was sent.",
                venue_code="not_admitted",
            )


@contextmanager
def admission() -> Iterator[None]:
    """For the length of a request that was let through."""
    token = _ADMITTED.set(True)
    try:
        yield
    finally:
        _ADMITTED.reset(token)


def _reads(endpoint: Endpoint, methods: set[str]) -> bool:
    if any(map(READING.match, methods)):
        return endpoint[0] == "GET" or not any(map(WRITING.match, methods))
    return endpoint[0] == "GET" and not any(map(WRITING.match, methods))


def _plain(params: object) -> bool:
    """Whether a request is no more than an order: nobody else earns by it, where one endpoint takes everything too."""
    if not isinstance(params, Mapping):
        return True
    action, order = params.get("action"), params.get("order")
    if isinstance(action, Mapping) and action.get("type") not in PLAIN_ACTIONS:
        return False
    parts = [part for part in (params, action, order) if isinstance(part, Mapping)]
    return not any("builder" in str(name).lower() for part in parts for name in part)


def _declared(kind: type) -> Mapping[str, Endpoint]:
    """The endpoints that a class has a name for."""
    found: dict[str, Endpoint] = {}
    for parent in kind.__mro__:
        for name, value in vars(parent).items():
            if type(value).__name__ == "Entry":
                api = (value.api,) if isinstance(value.api, str) else tuple(value.api)
                found.setdefault(name, (value.method, value.path, api))
    return found


def _names(code: CodeType) -> set[str]:
    """The names and texts in compiled code, that of functions within it included."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= _names(constant)
        elif isinstance(constant, str):
            found.add(constant)
    return found
