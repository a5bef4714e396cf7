"""Orders as OANDA lists them, whatever the exchange calls them."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from trueup.model.events import OrderReported
from trueup.model.numbers import ZERO
from trueup.model.orders import OrderRequest
from trueup.testing.servers.oanda import wire
from trueup.testing.servers.oanda.wire import Row

ON_FILL = {"takeProfitOnFill": "TAKE_PROFIT", "stopLossOnFill": "STOP_LOSS"}
"""Fields of an order that place another one on the trade it opens, and of what type."""

ON_TRADE = frozenset(ON_FILL.values())
"""Types of orders that close a trade and end with it."""


class Intent(msgspec.Struct, frozen=True):
    """An order as it was asked for, from its request to its transaction.

    Attributes:
        type: Such as ``LIMIT``.
        terms: Of the order, as transactions and lists show them.
        reason: Why its transaction was made.
        more: Of the transaction only.
        closes: The one trade it closes; empty where first comes first out.
    """

    type: str
    terms: Row
    reason: str = "CLIENT_ORDER"
    more: Row = {}
    closes: str = ""


class Order(msgspec.Struct):
    """One order.

    Attributes:
        exchange_id: At the exchange; empty where it never came so far.
        left: Units to fill, positive.
        ended: What became of it, as lists show it.
    """

    id: str
    exchange_id: str
    intent: Intent
    created_at: int
    left: Decimal
    state: str = "PENDING"
    ended: Row = msgspec.field(default_factory=dict)

    @property
    def pending(self) -> bool:
        """Whether it may still fill."""
        return self.state == "PENDING"

    @property
    def client_id(self) -> str:
        """The client's name for it; empty where it gave none."""
        return str(self.intent.terms.get("clientExtensions", {}).get("id", ""))

    @property
    def trade_id(self) -> str:
        """The trade it is on; empty where it is on none."""
        return str(self.intent.terms.get("tradeID", ""))

    def row(self) -> Row:
        """The order in a list."""
        return {
            "id": self.id,
            "createTime": wire.stamp(self.created_at),
            "type": self.intent.type,
            **self.intent.terms,
            **({"partialFill": "DEFAULT_FILL"} if "partialFill" in self.intent.terms else {}),
            "state": self.state,
            **self.ended,
        } | {field: number for field, number in self.intent.more.items() if field == "replacesOrderID"}


class Orders:
    """All orders of an account, oldest first."""

    def __init__(self) -> None:
        self._all: dict[str, Order] = {}
        self._by_exchange: dict[str, Order] = {}

    def add(self, order: Order) -> None:
        """Take a new order in."""
        self._all[order.id] = order
        if order.exchange_id:
            self._by_exchange[order.exchange_id] = order

    def at_exchange(self, exchange_id: str) -> Order | None:
        """By the exchange's id."""
        return self._by_exchange.get(exchange_id)

    def all(self) -> Iterable[Order]:
        """Every order there ever was."""
        return self._all.values()

    def pending(self) -> list[Order]:
        """Orders that may still fill."""
        return [order for order in self._all.values() if order.pending]

    def find(self, specifier: str, *, ended: bool = True) -> Order | None:
        """By id, or by ``@`` and the client's id: the pending one that has it or, where asked for, the last."""
        if not specifier.startswith("@"):
            return self._all.get(specifier)
        named = [order for order in self._all.values() if order.client_id == specifier[1:]]
        pending = [order for order in named if order.pending]
        return next(reversed(pending or (named if ended else [])), None)


def by_hand(fact: OrderReported, native: str, precision: int) -> Intent:
    """What was asked for by an order that came to the exchange another way."""
    kind, price = _KINDS[fact.order_type], fact.trigger_price or fact.price
    forced = fact.venue_order_id.startswith("forced")
    terms: Row = {"instrument": native, "units": wire.units(asked(fact.quantity, fact.side))}
    if price is not None:
        terms["price"] = wire.price(price, precision)
    if fact.trigger_price is not None and fact.price is not None:
        terms["priceBound"] = wire.price(fact.price, precision)
    terms["timeInForce"] = "IOC" if kind == "MARKET" else "GTC"
    if price is not None:
        terms["triggerCondition"] = "DEFAULT"
    terms["positionFill"] = "REDUCE_ONLY" if fact.reduce_only else "DEFAULT"
    if forced:
        terms["marginCloseout"] = {"reason": "MARGIN_CHECK_VIOLATION"}
    if fact.client_order_id:
        terms["clientExtensions"] = {"id": fact.client_order_id}
    return Intent(kind, terms, "MARGIN_CLOSEOUT" if forced else "CLIENT_ORDER")


def fill_reason(intent: Intent) -> str:
    """Why a transaction fills an order."""
    plain = f"{intent.type}_ORDER"
    return plain if intent.type != "MARKET" or intent.reason == "CLIENT_ORDER" else f"{plain}_{intent.reason}"


def cancel_reason(intent: Intent) -> str:
    """Why the venue ended an order that nobody cancelled."""
    if intent.type == "MARKET":
        return "BOUNDS_VIOLATION" if "priceBound" in intent.terms else "INSUFFICIENT_LIQUIDITY"
    if intent.type in ON_TRADE:
        return "LINKED_TRADE_CLOSED"
    return "TIME_IN_FORCE_EXPIRED" if intent.terms["timeInForce"] in {"FOK", "IOC"} else "INSUFFICIENT_MARGIN"


def on_trade(kind: str, symbol: str, units: Decimal, trigger: Decimal, position_side: str) -> OrderRequest:
    """What the exchange is asked for by an order on a trade with these signed units."""
    return OrderRequest(
        symbol,
        "sell" if units > ZERO else "buy",
        abs(units),
        order_type="take_profit" if kind == "TAKE_PROFIT" else "stop",
        trigger_price=trigger,
        reduce_only=True,
        position_side=position_side,
    )


def asked(quantity: Decimal, side: str) -> Decimal:
    """Signed units."""
    return quantity if side == "buy" else ZERO - quantity


_KINDS = {
    "market": "MARKET",
    "limit": "LIMIT",
    "stop": "STOP",
    "stop_limit": "STOP",
    "take_profit": "MARKET_IF_TOUCHED",
}
