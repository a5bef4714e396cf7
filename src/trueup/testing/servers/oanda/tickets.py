"""What a client asks for when it orders, read and checked in a fixed order: each refusal has OANDA's own word."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from trueup.model.errors import Rejected
from trueup.model.numbers import ONE, ZERO
from trueup.model.orders import OrderRequest, TimeInForce
from trueup.testing.servers.oanda import orders as o
from trueup.testing.servers.oanda import wire
from trueup.testing.servers.oanda.markets import UNITS_MAX, Markets, Quoted
from trueup.testing.servers.oanda.trades import Trades
from trueup.testing.servers.oanda.wire import Row

TYPES = frozenset({"MARKET", "LIMIT", "STOP", "MARKET_IF_TOUCHED", "TAKE_PROFIT", "STOP_LOSS"})
"""Types of orders that are served."""

CLIENT_ID_MAX = 128

_TIMES_IN_FORCE: Mapping[str, tuple[str, ...]] = {"MARKET": ("FOK", "IOC"), "LIMIT": ("GTC", "IOC", "FOK")}
"""By type of order, the usual one first."""

_STAYS = ("GTC",)
"""Of all other types."""

_POSITION_FILLS = frozenset({"DEFAULT", "OPEN_ONLY", "REDUCE_ONLY", "REDUCE_FIRST"})

_REASONS = {
    "no_funds": "INSUFFICIENT_MARGIN",
    "nothing_to_reduce": "CLOSEOUT_POSITION_DOESNT_EXIST",
    "bad_quantity": "UNITS_PRECISION_EXCEEDED",
    "bad_price": "PRICE_PRECISION_EXCEEDED",
    "bad_trigger_price": "PRICE_PRECISION_EXCEEDED",
    "order_done": "ORDER_DOESNT_EXIST",
}

_WORDS = {
    "PRICE_PRECISION_EXCEEDED": "The price specified contains more precision than is allowed for the instrument",
    "INSUFFICIENT_MARGIN": "The Account does not have enough margin available to fund the Order",
    "CLIENT_ORDER_ID_ALREADY_EXISTS": "The client Order ID specified is already assigned to another pending Order",
    "CLOSEOUT_POSITION_DOESNT_EXIST": "The Position requested to be closed out does not exist",
    "ORDER_DOESNT_EXIST": "The Order specified does not exist",
    "TRADE_DOESNT_EXIST": "The Trade specified does not exist",
}


class Declined(Exception):
    """An order that OANDA rejects.

    Attributes:
        reason: In OANDA's word.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def reject_reason(error: Rejected) -> str:
    """OANDA's word for a refusal of the exchange."""
    return _REASONS.get(error.venue_code, "INTERNAL_SERVER_ERROR")


def in_words(reason: str) -> str:
    """A sentence for a person."""
    return _WORDS.get(reason, reason.replace("_", " ").capitalize())


def usual(kind: str) -> Row:
    """What an order of a type says where its client says nothing."""
    terms = {"timeInForce": _TIMES_IN_FORCE.get(kind, _STAYS)[0]}
    if kind != "MARKET":
        terms["triggerCondition"] = "DEFAULT"
    if kind not in o.ON_TRADE | {"MARKET"}:
        terms["partialFill"] = "DEFAULT"
    if kind not in o.ON_TRADE:
        terms["positionFill"] = "DEFAULT"
    return terms


class Tickets:
    """Reads orders for one account.

    Args:
        hedged: Whether it holds long and short positions side by side.
    """

    def __init__(self, markets: Markets, trades: Trades, orders: o.Orders, *, hedged: bool) -> None:
        self._markets = markets
        self._trades = trades
        self._orders = orders
        self._hedged = hedged

    def read(self, order: Mapping[str, Any], replaced: o.Order | None = None) -> tuple[o.Intent, OrderRequest]:
        """An order as it will be shown, and what the exchange is asked for, without a client order id.

        Args:
            order: As the client wrote it; its type is known.
            replaced: The order in whose place it comes.

        Raises:
            Declined: OANDA rejects it.
        """
        kind = order.get("type", "MARKET")
        if kind in o.ON_TRADE:
            return self._on_trade(kind, order, replaced)
        quoted = self._quoted(order)
        units = self._units(order, quoted)
        price = None if kind == "MARKET" else _price(order, "price", quoted)
        bound = _price(order, "priceBound", quoted) if "priceBound" in order else None
        if bound is not None and kind != "MARKET":
            raise Declined("PRICE_BOUND_INVALID")
        in_force = _in_force(kind, order)
        position_fill = order.get("positionFill", "DEFAULT")
        position_side, reduces = self._position(units, position_fill)
        terms: Row = {"instrument": quoted.name, "units": wire.units(units)}
        terms |= {} if price is None else {"price": quoted.shown(price)}
        terms |= {} if bound is None else {"priceBound": quoted.shown(bound)}
        terms |= usual(kind) | {"timeInForce": in_force, "positionFill": position_fill}
        terms |= self._extras(order, quoted, replaced)
        order_type, limit, trigger = _plan(kind, units, price, quoted.mid)
        request = OrderRequest(
            quoted.market.symbol,
            "buy" if units > ZERO else "sell",
            abs(units),
            order_type="limit" if bound is not None else order_type,
            price=limit if bound is None else bound,
            trigger_price=trigger,
            reduce_only=reduces,
            time_in_force=_EXCHANGE_TIMES[in_force] if order_type in {"market", "limit"} else "gtc",
            position_side=position_side,
        )
        return o.Intent(kind, terms), request

    def closing(self, side: tuple[str, bool], units: Decimal) -> tuple[Row, OrderRequest]:
        """A market order that closes so many units of a side, long or not, of an instrument."""
        name, long = side
        signed = -units if long else units
        terms = {
            "instrument": name,
            "units": wire.units(signed),
            "timeInForce": "FOK",
            "positionFill": "REDUCE_ONLY",
        }
        request = OrderRequest(
            self._markets[name].market.symbol,
            "sell" if long else "buy",
            units,
            reduce_only=True,
            time_in_force="fok",
            position_side=self.side(long=long),
        )
        return terms, request

    def side(self, *, long: bool) -> str:
        """The exchange's name for the position on a side."""
        if not self._hedged:
            return "net"
        return "long" if long else "short"

    def _on_trade(self, kind: str, order: Mapping[str, Any], replaced: o.Order | None) -> tuple[o.Intent, OrderRequest]:
        specifier = order.get("tradeID") or ("@" + order["clientTradeID"] if order.get("clientTradeID") else "")
        if not specifier:
            raise Declined("TRADE_ID_UNSPECIFIED")
        trade = self._trades.find(str(specifier))
        if trade is None or not trade.open:
            raise Declined("TRADE_DOESNT_EXIST")
        for other in self._orders.pending():
            if other is not replaced and (other.intent.type, other.trade_id) == (kind, trade.id):
                raise Declined(f"{kind}_ORDER_ALREADY_EXISTS")
        quoted = self._markets[trade.instrument]
        price = _price(order, "price", quoted)
        terms: Row = {
            "tradeID": trade.id,
            "price": quoted.shown(price),
            **usual(kind),
            "timeInForce": _in_force(kind, order),
            **self._extras(order, quoted, replaced),
        }
        request = o.on_trade(kind, quoted.market.symbol, trade.units, price, self.side(long=trade.long))
        return o.Intent(kind, terms, closes=trade.id), request

    def _quoted(self, order: Mapping[str, Any]) -> Quoted:
        name = order.get("instrument")
        if not name:
            raise Declined("INSTRUMENT_MISSING")
        if name not in self._markets:
            raise Declined("INSTRUMENT_UNKNOWN")
        return self._markets[name]

    def _units(self, order: Mapping[str, Any], quoted: Quoted) -> Decimal:
        if "units" not in order:
            raise Declined("UNITS_MISSING")
        units = wire.number(order["units"])
        if not units:
            raise Declined("UNITS_INVALID")
        if units % quoted.market.step:
            raise Declined("UNITS_PRECISION_EXCEEDED")
        if abs(units) > UNITS_MAX:
            raise Declined("UNITS_LIMIT_EXCEEDED")
        return units

    def _position(self, units: Decimal, position_fill: object) -> tuple[str, bool]:
        """Which position an order is for, and whether it only makes it smaller."""
        if position_fill not in _POSITION_FILLS or (self._hedged and position_fill == "REDUCE_FIRST"):
            raise Declined("ORDER_FILL_POSITION_ACTION_INVALID")
        reduces = position_fill == "REDUCE_ONLY"
        return self.side(long=(units > ZERO) is not reduces), reduces

    def _extras(self, order: Mapping[str, Any], quoted: Quoted, replaced: o.Order | None) -> Row:
        """What else an order may carry."""
        extras: Row = {}
        for field, word in (("clientExtensions", "ORDER"), ("tradeClientExtensions", "TRADE")):
            if order.get(field) is not None:
                extras[field] = _extensions(order[field], word)
        client_id = extras.get("clientExtensions", {}).get("id", "")
        first = self._orders.find("@" + client_id, ended=False) if client_id else None
        if first is not None and first is not replaced:
            raise Declined("CLIENT_ORDER_ID_ALREADY_EXISTS")
        for field, kind in o.ON_FILL.items():
            if order.get(field) is not None:
                extras[field] = _on_fill(order[field], kind, quoted)
        if order.get("trailingStopLossOnFill") is not None:
            raise Declined("TRAILING_STOP_LOSS_ORDERS_NOT_SUPPORTED")
        return extras


def _plan(kind: str, units: Decimal, price: Decimal | None, mid: Decimal) -> tuple[Any, Decimal | None, Decimal | None]:
    """Order type, limit and trigger at the exchange.

    An order that waits to be touched fires from whichever side the price comes.
    """
    if kind == "MARKET" or price is None:
        return "market", None, None
    if kind == "LIMIT":
        return "limit", price, None
    rises = price > mid
    with_the_move = kind == "STOP" or rises is (units > ZERO)
    return "stop" if with_the_move else "take_profit", None, price


def _in_force(kind: str, order: Mapping[str, Any]) -> str:
    known = _TIMES_IN_FORCE.get(kind, _STAYS)
    asked = order.get("timeInForce", known[0])
    if asked not in known:
        raise Declined("TIME_IN_FORCE_INVALID")
    return str(asked)


def _price(order: Mapping[str, Any], field: str, quoted: Quoted, word: str = "") -> Decimal:
    word = word or ("PRICE_BOUND" if field == "priceBound" else "PRICE")
    if field not in order:
        raise Declined(f"{word}_MISSING")
    price = wire.number(order[field])
    if price is None or price <= ZERO:
        raise Declined(f"{word}_INVALID")
    if price % ONE.scaleb(-quoted.precision):
        raise Declined(f"{word}_PRECISION_EXCEEDED")
    return price


def _on_fill(details: object, kind: str, quoted: Quoted) -> Row:
    word = f"{kind}_ON_FILL"
    if not isinstance(details, dict):
        raise Declined(f"{word}_PRICE_MISSING")
    price = _price(details, "price", quoted, f"{word}_PRICE")
    if details.get("timeInForce", "GTC") != "GTC":
        raise Declined(f"{word}_TIME_IN_FORCE_INVALID")
    return {"price": quoted.shown(price), "timeInForce": "GTC"}


def _extensions(given: object, word: str) -> Row:
    if not isinstance(given, dict):
        raise Declined(f"CLIENT_{word}_ID_INVALID")
    known = {}
    for field in ("id", "tag", "comment"):
        text = given.get(field)
        if text is not None:
            if not isinstance(text, str) or not 0 < len(text) <= CLIENT_ID_MAX:
                raise Declined(f"CLIENT_{word}_{field.upper()}_INVALID")
            known[field] = text
    return known


_EXCHANGE_TIMES: Mapping[str, TimeInForce] = {"GTC": "gtc", "IOC": "ioc", "FOK": "fok"}
