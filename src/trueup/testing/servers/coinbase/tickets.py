"""Reads what is asked for: orders in the configurations that the venue has."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from trueup.model.identifiers import Side
from trueup.testing.servers.coinbase.orders import KINDS, Intent, Kind
from trueup.testing.servers.coinbase.wire import Row, decimal, invalid, moment

NO_PREVIEW = "UNKNOWN_PREVIEW_FAILURE_REASON"

_SIDES: Mapping[str, Side] = {"BUY": "buy", "SELL": "sell"}
_ALWAYS = frozenset({"base_size", "quote_size", "reduce_only", "rfq_disabled"})
_RESTING = frozenset({"limit_limit_gtc", "limit_limit_gtd"})
"""What may be post-only."""


class Declined(Exception):
    """An order, or an edit, that the venue does not take.

    Attributes:
        reason: The venue's word.
        preview: Its word where a preview would have said so.
    """

    def __init__(self, reason: str, message: str = "", preview: str = NO_PREVIEW) -> None:
        super().__init__(message)
        self.reason = reason
        self.preview = preview


def intent(client_id: str, configuration: object) -> Intent:
    """What is asked for. Raises :class:`Declined` and :class:`Refusal`."""
    if not isinstance(configuration, dict) or len(configuration) != 1:
        raise invalid("order_configuration: exactly one is taken")
    ((name, terms),) = configuration.items()
    kind = KINDS.get(name)
    if kind is None or not isinstance(terms, dict):
        raise Declined("UNSUPPORTED_ORDER_CONFIGURATION", f"{name} is not served here", "PREVIEW_INVALID_ORDER_CONFIG")
    unknown = terms.keys() - _fields(kind)
    if unknown:
        raise invalid(f"order_configuration.{name}: unknown field {min(unknown)!r}")
    if terms.get("reduce_only"):
        raise Declined("UNSUPPORTED_ORDER_CONFIGURATION", "reduce_only is not documented, and not served here")
    if kind.order_type == "stop_limit":
        text(terms, "stop_direction")
    return Intent(
        client_id,
        kind,
        _shown(kind, terms),
        _number(terms, "limit_price", wanted=kind.order_type != "market"),
        _number(terms, "stop_price", wanted=kind.order_type == "stop_limit"),
        _quote_size(terms, kind),
        moment(text(terms, "end_time"), "end_time") if kind.name.endswith("gtd") else None,
    )


def _fields(kind: Kind) -> frozenset[str]:
    """What a configuration may state."""
    more = {
        "limit_price": kind.order_type != "market",
        "stop_price": kind.order_type == "stop_limit",
        "stop_direction": kind.order_type == "stop_limit",
        "end_time": kind.name.endswith("gtd"),
        "post_only": kind.name in _RESTING,
    }
    return _ALWAYS | {field for field, taken in more.items() if taken}


def _shown(kind: Kind, terms: Mapping[str, Any]) -> Row:
    """Terms as the venue repeats them."""
    shown = {field: value for field, value in terms.items() if field not in {"reduce_only", "rfq_disabled"}}
    if kind.name in _RESTING:
        shown.setdefault("post_only", False)
    return shown


def _quote_size(terms: Mapping[str, Any], kind: Kind) -> Decimal | None:
    """The amount of quote to spend, where that is how the size is stated. One of the two sizes must be."""
    sizes = [field for field in ("base_size", "quote_size") if terms.get(field)]
    if len(sizes) != 1 or (sizes == ["quote_size"] and kind.order_type != "market"):
        raise Declined("UNSUPPORTED_ORDER_CONFIGURATION", "either base_size or quote_size is needed")
    return decimal(terms["quote_size"], "quote_size") if sizes == ["quote_size"] else None


def _number(terms: Mapping[str, Any], field: str, *, wanted: bool) -> Decimal | None:
    if not wanted:
        return None
    if field not in terms:
        raise invalid(f"order_configuration: {field} is missing")
    return decimal(terms[field], field)


def side_of(body: Mapping[str, Any]) -> Side:
    """Which way it is to trade. Raises :class:`Declined`."""
    side = _SIDES.get(text(body, "side"))
    if side is None:
        raise Declined("INVALID_SIDE", preview="PREVIEW_INVALID_SIDE")
    return side


def text(body: Mapping[str, Any], field: str) -> str:
    """A text that must be there. Raises :class:`Refusal`."""
    value = body.get(field)
    if not isinstance(value, str) or not value:
        raise invalid(f"{field} is required")
    return value
