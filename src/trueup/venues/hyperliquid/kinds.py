"""Which answer is this? Told from its content: the fields it has, or the feed that a message came through.

Only an empty list says nothing of itself; the request it was saved with may say it.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from trueup.model.errors import Malformed
from trueup.venues import looks
from trueup.venues.rows import Row

FILLS = frozenset({"userFills", "userFillsByTime", "userTwapSliceFills"})
MONEY = frozenset({"userFunding", "userNonFundingLedgerUpdates"})
OPEN_ORDERS = frozenset({"openOrders", "frontendOpenOrders"})
REPORTS = frozenset({"historicalOrders", "orderStatus"})
LISTS = FILLS | MONEY | OPEN_ORDERS | REPORTS

_PRICE = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)

USEFUL = (
    "Import answers of userFills, userFillsByTime, userTwapSliceFills, userFunding, userNonFundingLedgerUpdates, "
    "clearinghouseState, spotClearinghouseState, openOrders, frontendOpenOrders, historicalOrders, meta or spotMeta."
)


class Nothing(Malformed):
    """An answer that is understood, and holds nothing to book or compare."""


class Found(msgspec.Struct, frozen=True):
    """An answer, unwrapped.

    Attributes:
        kind: The request type it answers.
        value: Its rows, or the one row it is.
        user: Whose it says it is; empty when it does not.
        dex: The builder dex it says it is of; None when it does not.
    """

    kind: str
    value: object
    user: str = ""
    dex: str | None = None


_ROWS: Sequence[tuple[str, frozenset[str]]] = (
    ("userTwapSliceFills", frozenset({"fill"})),
    ("userFills", frozenset({"px", "sz", "closedPnl"})),
    ("userFills", frozenset({"px", "sz", "startPosition"})),
    ("userNonFundingLedgerUpdates", frozenset({"delta"})),
    ("userFunding", frozenset({"usdc", "szi", "fundingRate"})),
    ("historicalOrders", frozenset({"order", "status"})),
    ("frontendOpenOrders", frozenset({"limitPx", "oid", "orderType"})),
    ("openOrders", frozenset({"limitPx", "oid"})),
)
"""What a row of a list has to have, most telling first."""

_WHOLES: Sequence[tuple[str, frozenset[str]]] = (
    ("clearinghouseState", frozenset({"assetPositions"})),
    ("spotMeta", frozenset({"universe", "tokens"})),
    ("meta", frozenset({"universe"})),
    ("spotClearinghouseState", frozenset({"balances"})),
)

_FEEDS: Mapping[str, str] = {
    "fills": "userFills",
    "twapSliceFills": "userTwapSliceFills",
    "fundings": "userFunding",
    "nonFundingLedgerUpdates": "userNonFundingLedgerUpdates",
    "orders": "openOrders",
    "clearinghouseState": "clearinghouseState",
    "spotState": "spotClearinghouseState",
}
"""The field of a message's data that holds its rows."""

_NOTHING: Sequence[tuple[str, frozenset[str]]] = (
    ("candles", frozenset({"t", "T", "s", "i"})),
    ("market trades", frozenset({"px", "sz", "users"})),
    ("an order book", frozenset({"levels"})),
    ("the market's funding rates", frozenset({"fundingRate", "coin"})),
    ("rate limits", frozenset({"nRequestsUsed"})),
    ("states of several accounts (save the clearinghouseState of each)", frozenset({"subAccountUser"})),
    ("agents", frozenset({"validUntil"})),
    ("market data", frozenset({"assetCtxs"})),
    ("details of a token", frozenset({"maxSupply"})),
    ("mid prices", frozenset({"mids"})),
    ("the answer to an order (its fills come as userFills)", frozenset({"status", "response"})),
    ("an order that the venue does not know", frozenset({"status"})),
)
"""Answers of this venue with nothing of one account in them."""


def recognise(name: str, value: object, request: Row) -> Found:
    """The answer's kind, and what to read of it.

    Raises:
        Nothing: Of a kind that holds nothing to book or compare.
        Malformed: Not an answer of this venue, or one that could be of several kinds.
    """
    match value:
        case {"channel": str(channel), "data": data}:
            return _message(name, channel, data)
        case {"status": "order", "order": dict(report)}:
            return Found("orderStatus", [report])
        case [dict(first), list()] if "universe" in first:  # metaAndAssetCtxs: the contexts are market data
            return recognise(name, first, request)
        case []:
            return _empty(name, request)
        case list():
            return Found(_kind(name, value, _ROWS), value)
        case dict():
            return Found(_kind(name, [value], _WHOLES), value)
        case _:
            raise _unknown(name, value)


def _message(name: str, channel: str, data: object) -> Found:
    """What a feed sent."""
    if channel == "orderUpdates" and isinstance(data, list):
        return Found("historicalOrders", data)
    if isinstance(data, dict):
        user, dex = data.get("user"), data.get("dex")
        for field, kind in _FEEDS.items():
            if field in data:
                return Found(
                    kind, data[field], user if isinstance(user, str) else "", dex if isinstance(dex, str) else None
                )
        if channel == "user" and "funding" in data:
            return Found("userFunding", [data["funding"]])
    raise Nothing(f"{name}: a message of the feed {channel!r} holds nothing to book or compare.", remedy=USEFUL)


def _empty(name: str, request: Row) -> Found:
    kind = request.get("type")
    if kind in LISTS:
        return Found(str(kind), [])
    if isinstance(kind, str):
        raise Nothing(f"{name}: an empty answer to {kind!r} holds nothing to book or compare.", remedy=USEFUL)
    raise Malformed(
        f"{name}: an empty list does not say what it is a list of.",
        remedy="Leave it out, or save it in a cassette with its request.",
    )


def _kind(name: str, items: Sequence[object], known: Sequence[tuple[str, frozenset[str]]]) -> str:
    """The kind of the first row that has one."""
    for item in items:
        if isinstance(item, dict):
            for kind, fields in known:
                if fields <= item.keys():
                    return _of_ledger(item) if kind == "userNonFundingLedgerUpdates" else kind
    for item in items:
        if isinstance(item, dict):
            for what, fields in _NOTHING:
                if fields <= item.keys():
                    raise _nothing(name, what)
            if item and all(isinstance(price, str) and _PRICE.fullmatch(price) for price in item.values()):
                raise _nothing(name, "mid prices")
    raise _unknown(name, items)


def _of_ledger(row: Row) -> str:
    delta = row["delta"]
    is_funding = isinstance(delta, Mapping) and delta.get("type") == "funding"
    return "userFunding" if is_funding else "userNonFundingLedgerUpdates"


def _nothing(name: str, what: str) -> Nothing:
    return Nothing(
        f"{name}: looks like {what}; there is nothing of the account in it to book or compare.", remedy=USEFUL
    )


def _unknown(name: str, value: object) -> Malformed:
    return Malformed(
        f"{name}: not recognised as an answer of Hyperliquid.",
        remedy=looks.other_venue(value, "hyperliquid") or f"Instead of {name}: {USEFUL}",
    )
