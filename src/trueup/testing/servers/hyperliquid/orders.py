"""Orders as the venue shows them, in its several forms."""

from decimal import Decimal

import msgspec

from trueup.model.events import OrderReported
from trueup.model.numbers import ZERO
from trueup.testing.servers.hyperliquid.assets import Row
from trueup.testing.servers.hyperliquid.notation import milliseconds, number

_TYPES = {
    "limit": "Limit",
    "market": "Market",
    "stop": "Stop Market",
    "stop_limit": "Stop Limit",
    "take_profit": "Take Profit Market",
}


class Note(msgspec.Struct, frozen=True):
    """What was asked of the venue, and the exchange does not keep.

    Attributes:
        limit: The limit price; of what becomes a market order, how far it may slip.
        tif: The venue's word; None for what waits for a trigger.
    """

    limit: Decimal
    tif: str | None

    @classmethod
    def of(cls, report: OrderReported) -> "Note":
        """Of an order that did not come through the venue's interface: a market order has no limit."""
        tif = {"limit": "Gtc", "market": "FrontendMarket"}.get(report.order_type)
        return cls(report.price or report.trigger_price or ZERO, tif)


class Placed(msgspec.Struct, frozen=True):
    """An order and how it stands.

    Attributes:
        report: The exchange's last word on it.
        placed_at: Nanoseconds.
        status: The venue's word.
    """

    oid: int
    coin: str
    report: OrderReported
    note: Note
    placed_at: int
    status: str = "open"

    @property
    def left(self) -> Decimal:
        """What is not filled yet."""
        return self.report.quantity - self.report.filled

    def basic(self) -> Row:
        """As ``openOrders`` and the feed show it."""
        row: Row = {
            "coin": self.coin,
            "side": "B" if self.report.side == "buy" else "A",
            "limitPx": number(self.note.limit),
            "sz": number(self.left),
            "oid": self.oid,
            "timestamp": milliseconds(self.placed_at),
            "origSz": number(self.report.quantity),
        }
        if self.report.reduce_only:
            row["reduceOnly"] = True
        if self.report.client_order_id:
            row["cloid"] = self.report.client_order_id
        return row

    def full(self) -> Row:
        """As ``frontendOpenOrders``, ``historicalOrders`` and ``orderStatus`` show it."""
        trigger = self.report.trigger_price
        return {
            **self.basic(),
            "triggerCondition": "N/A" if trigger is None else self._condition(trigger),
            "isTrigger": trigger is not None,
            "triggerPx": "0.0" if trigger is None else number(trigger),
            "children": [],
            "isPositionTpsl": False,
            "reduceOnly": self.report.reduce_only,
            "orderType": _TYPES[self.report.order_type],
            "tif": self.note.tif,
            "cloid": self.report.client_order_id or None,
        }

    def update(self) -> Row:
        """As ``orderUpdates`` tells that it changed."""
        return {"order": self.basic(), "status": self.status, "statusTimestamp": milliseconds(self.report.venue_time)}

    def past(self) -> Row:
        """As ``historicalOrders`` lists it."""
        return {**self.update(), "order": self.full()}

    def _condition(self, trigger: Decimal) -> str:
        rises = (self.report.side == "buy") is not (self.report.order_type == "take_profit")
        return f"Price {'above' if rises else 'below'} {number(trigger)}"
