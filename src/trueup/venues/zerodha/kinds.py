"""What an answer of Kite is, told by its content: nothing else in a saved file says it."""

from collections.abc import Mapping, Sequence

POSITIONS, MARGINS, PROFILE, PLACED = "positions", "margins", "profile", "placed"
TRADES, ORDERS, HOLDINGS = "trades", "orders", "holdings"

LISTS = {"/trades": TRADES, "/orders": ORDERS, "/portfolio/holdings": HOLDINGS}
"""Answers that are lists, by the path that was asked: an empty one says nothing by its content."""

Fields = frozenset[str]

_RECORDS: Sequence[tuple[Fields, str]] = (
    (frozenset({"net", "day"}), POSITIONS),
    (frozenset({"equity", "commodity"}), MARGINS),
    (frozenset({"equity"}), MARGINS),
    (frozenset({"commodity"}), MARGINS),
    (frozenset({"user_id", "products", "exchanges"}), PROFILE),
)

_ROWS: Sequence[tuple[Fields, str]] = (
    (frozenset({"trade_id", "order_id", "average_price"}), TRADES),
    (frozenset({"order_id", "status", "exchange", "filled_quantity"}), ORDERS),
    (frozenset({"isin", "t1_quantity"}), HOLDINGS),
)

_NOTHING: Sequence[tuple[Fields, str]] = (
    (frozenset({"candles"}), "candles"),
    (frozenset({"trigger_id"}), "the id of a trigger (GTT): what it places will be among the orders"),
    (frozenset({"condition", "orders"}), "triggers (GTT): what they place will be among the orders"),
    (frozenset({"fund"}), "orders or plans of mutual funds, which are not traded here"),
    (frozenset({"sip_id"}), "the id of a plan of mutual funds, which are not traded here"),
    (frozenset({"uuid", "lhs_attribute"}), "alerts"),
    (frozenset({"request_id"}), "a request to authorise holdings"),
    (frozenset({"charges", "total"}), "margins and charges that orders would need"),
    (frozenset({"instrument_token", "last_price", "mode"}), "a tick"),
    (frozenset({"available", "utilised"}), "the margins of a segment that is not named: ask for /user/margins"),
)
"""Answers with neither facts nor the state of an account, by fields that tell them."""


def of_record(data: Mapping[str, object]) -> str:
    """The kind of an answer that is one record; empty when it is none that is read."""
    if "order_id" in data and data.keys() <= {"order_id", "children"}:
        return PLACED
    return _told(data, _RECORDS)


def of_list(listed: Sequence[object]) -> str:
    """The kind of an answer that is a list, by the first of its rows that tells; empty when none does."""
    found = (_told(row, _ROWS) for row in listed if isinstance(row, Mapping))
    return next((kind for kind in found if kind), "")


def nothing(data: object) -> str:
    """What an answer holds that is neither booked nor compared; empty when it is not known."""
    if data is None or isinstance(data, bool):
        return "only that a request was taken"
    listed = data if isinstance(data, list) else [data]
    told = (_told(row, _NOTHING) for row in listed if isinstance(row, Mapping))
    found = next((what for what in told if what), "")
    return found or ("prices" if isinstance(data, Mapping) and _quotes(data) else "")


def _told(row: Mapping[str, object], table: Sequence[tuple[Fields, str]]) -> str:
    return next((kind for fields, kind in table if fields <= row.keys()), "")


def _quotes(data: Mapping[str, object]) -> bool:
    """Whether all of it is prices by ``EXCHANGE:TRADINGSYMBOL``."""
    return bool(data) and all(
        ":" in name and isinstance(row, Mapping) and "last_price" in row for name, row in data.items()
    )
