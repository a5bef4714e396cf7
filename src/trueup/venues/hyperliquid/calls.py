"""Requests as the venue wants them, and what each weighs. What lives only here: the venue's limits.

Everything is a ``POST`` with a JSON body: ``/info`` reads, ``/exchange`` does. The limit counts weights per network
address and minute. Some lists weigh more the longer they are, which shows only when they have come: their rows are
counted then.
"""

from collections.abc import Mapping

import msgspec

from trueup.venues.transport.http import Call
from trueup.venues.transport.limiter import Priority, Window

INFO = "/info"
EXCHANGE = "/exchange"

LIMITS = (Window(weight=1200, seconds=60.0, reserve=100),)
"""Per network address, shared by all its accounts. The reserve is for what closes, cancels or protects."""

JSON = {"content-type": "application/json"}

_LIGHT = frozenset(
    {"allMids", "clearinghouseState", "exchangeStatus", "l2Book", "orderStatus", "spotClearinghouseState"}
)
_LIGHT_WEIGHT = 2
_ROLE_WEIGHT = 60
_WEIGHT = 20

_BY_LENGTH = frozenset(
    {"historicalOrders", "userFills", "userFillsByTime", "userFunding", "userNonFundingLedgerUpdates"}
    | {"userTwapSliceFills"}
)
_ROWS_PER_WEIGHT = 20

_STATE_S = 10.0
_LIST_S = 30.0
"""A list of thousands of rows takes the venue its time."""

_ACTION_S = 10.0
"""Shorter than an order stays valid (:data:`trueup.venues.hyperliquid.signing.VALID_MS`)."""


def info(kind: str, fields: Mapping[str, object], priority: Priority) -> Call:
    """A read.

    Args:
        kind: What the venue calls it: ``clearinghouseState``.
        fields: The rest of its body.
        priority: Who it goes before.
    """
    return Call(
        "POST",
        INFO,
        content=msgspec.json.encode({"type": kind, **fields}),
        headers=JSON,
        weight=weight(kind),
        priority=priority,
        answer_s=_LIST_S if kind in _BY_LENGTH else _STATE_S,
    )


def weight(kind: str) -> int:
    """What a read weighs before its rows are counted."""
    if kind in _LIGHT:
        return _LIGHT_WEIGHT
    return _ROLE_WEIGHT if kind == "userRole" else _WEIGHT


def weight_of_rows(kind: str, rows: int) -> int:
    """What the length of an answer weighs besides."""
    return rows // _ROWS_PER_WEIGHT if kind in _BY_LENGTH else 0


def exchange(priority: Priority) -> Call:
    """An action of one item; its body is made when it is signed, and carries our time."""
    return Call(
        "POST", EXCHANGE, headers=JSON, weight=1, priority=priority, writes=True, timed=True, answer_s=_ACTION_S
    )
