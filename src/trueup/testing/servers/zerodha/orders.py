"""Orders as Kite lists them: one id from the first word to the last, whatever the exchange calls what becomes of it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from trueup.model.events import FillBooked, OrderReported
from trueup.model.numbers import ZERO
from trueup.testing.servers.zerodha import wire
from trueup.testing.servers.zerodha.listings import Listing
from trueup.testing.servers.zerodha.wire import Row

COMPLETE, CANCELLED, REJECTED = "COMPLETE", "CANCELLED", "REJECTED"
OPEN, TRIGGER_PENDING = "OPEN", "TRIGGER PENDING"
UPDATE = "UPDATE"
"""What pushes call a change of an order that goes on."""

BROKER = "ADMINSQF"
"""Who places the orders that close what was for the day only."""

_TAKEN = ("PUT ORDER REQ RECEIVED", "VALIDATION PENDING")
_CHANGING = ("MODIFY VALIDATION PENDING", "MODIFY PENDING")

_TYPES: Mapping[str, str] = {"limit": "LIMIT", "market": "MARKET", "stop_limit": "SL", "stop": "SL-M"}


class Ask(msgspec.Struct, frozen=True):
    """An order as it was asked for.

    Attributes:
        protection: Percent by which the price of a market order may get worse; -1 as the venue sees fit.
        labels: What Kite adds to the order's own tag.
        app_placed: By the app, whose postbacks then tell of it; else by a person or the broker.
    """

    order_type: str = "MARKET"
    validity: str = "DAY"
    price: Decimal = ZERO
    trigger_price: Decimal = ZERO
    disclosed_quantity: Decimal = ZERO
    protection: Decimal = ZERO
    tag: str = ""
    labels: tuple[str, ...] = ()
    placed_by: str = ""
    app_placed: bool = False

    @property
    def tags(self) -> list[str]:
        """All of them."""
        return [*([self.tag] if self.tag else []), *self.labels]


class Said(msgspec.Struct, frozen=True):
    """One state of an order.

    Attributes:
        at: When it began, in nanoseconds UTC.
        passing: Whether it only goes through it.
    """

    at: int
    row: Row
    passing: bool


class Order(msgspec.Struct):
    """One order.

    Attributes:
        exchange_id: The paper exchange's, of what is left of it; empty where it never came so far.
        number: The exchange's number, as Kite shows it; empty likewise.
        value: Of what was filled: the sum of quantity times price.
        said: Its states, one after the other.
    """

    order_id: str
    user_id: str
    listing: Listing
    product: str
    side: str
    quantity: Decimal
    ask: Ask
    placed_at: int
    exchange_id: str = ""
    number: str = ""
    status: str = OPEN
    message: str = ""
    filled: Decimal = ZERO
    value: Decimal = ZERO
    updated_at: int = 0
    modified: bool = False
    said: list[Said] = msgspec.field(default_factory=list)

    @property
    def pending(self) -> bool:
        """Whether it may still trade."""
        return self.status in {OPEN, TRIGGER_PENDING}

    @property
    def left(self) -> Decimal:
        """Not yet filled."""
        return self.quantity - self.filled

    # --- what becomes of it -------------------------------------------------------------------------------------------

    def place(self, report: OrderReported, number: str) -> None:
        """It has come to the exchange."""
        self._pass((*_TAKEN, *_pending(report)), report.venue_time)
        self.exchange_id, self.number = report.venue_order_id, number
        self._wait(report)

    def modify(self, report: OrderReported, ask: Ask) -> None:
        """It goes on at the exchange on other terms."""
        self.modified = True
        self._pass((*_CHANGING, *_pending(report)), report.venue_time)
        self.ask, self.exchange_id, self.quantity = ask, report.venue_order_id, self.filled + report.quantity
        self._wait(report)

    def fill(self, fill: FillBooked) -> None:
        """A part of it was traded. One that waited for its trigger has reached it."""
        self.filled += fill.quantity
        self.value += fill.quantity * fill.price
        self._say(OPEN if self.left else COMPLETE, fill.venue_time)

    def cancel(self, now: int) -> None:
        """It has ended unfilled, or filled in part."""
        self._pass(("CANCEL PENDING",), now)
        self._say(CANCELLED, now)

    def keep(self, message: str, now: int) -> None:
        """A change was refused, and it goes on as it was."""
        self._pass(_CHANGING[:1], now)
        self.message = message
        self._say(self.status, now)

    def reject(self, message: str, now: int) -> None:
        """It was refused after it was taken."""
        self._pass(_TAKEN, now)
        self.message = message
        self._say(REJECTED, now)

    def _wait(self, report: OrderReported) -> None:
        self._say(OPEN if _pending(report) else TRIGGER_PENDING, report.venue_time)

    def _pass(self, words: Sequence[str], now: int) -> None:
        """Go through states in which it does not stay."""
        at = {"order_timestamp": wire.stamp(now)}
        self.said += [Said(now, {**self.row(), "status": word, **at}, passing=True) for word in words]

    def _say(self, status: str, now: int) -> None:
        self.status, self.updated_at = status, now
        self.said.append(Said(now, self.row(), passing=False))

    # --- as it is shown -----------------------------------------------------------------------------------------------

    def history(self, now: int, transit_ns: int) -> list[Row]:
        """Its states as far as they are known, where those in which it stays are known after their transit only."""
        return [one.row for one in self.said if one.passing or now - one.at >= transit_ns or not transit_ns]

    def row(self) -> Row:
        """The order as it is."""
        reached = bool(self.number)
        tags = self.ask.tags
        return {
            "account_id": self.user_id,
            "placed_by": self.ask.placed_by or self.user_id,
            "order_id": self.order_id,
            "exchange_order_id": self.number or None,
            "parent_order_id": None,
            "status": self.status,
            "status_message": self.message or None,
            "status_message_raw": f"RMS:{self.message}" if self.message else None,
            "order_timestamp": wire.stamp(self.updated_at or self.placed_at),
            "exchange_update_timestamp": wire.stamp(self.updated_at) if reached else None,
            "exchange_timestamp": wire.stamp(self.placed_at) if reached else None,
            "variety": "regular",
            "modified": self.modified,
            **self.listing.named(),
            "order_type": self.ask.order_type,
            "transaction_type": self.side,
            "validity": self.ask.validity,
            "validity_ttl": 0,
            "product": self.product,
            **self._numbers(),
            "market_protection": wire.number(self.ask.protection),
            "meta": {},
            "tag": self.ask.tag or None,
            **({"tags": tags} if tags else {}),
            "guid": f"{self.user_id}X{self.order_id}",
        }

    def _numbers(self) -> Row:
        ended = self.status in {COMPLETE, REJECTED}
        return {
            "quantity": wire.number(self.quantity),
            "disclosed_quantity": wire.number(self.ask.disclosed_quantity),
            "price": wire.number(self.ask.price),
            "trigger_price": wire.number(self.ask.trigger_price),
            "average_price": wire.rounded(wire.average(self.value, self.filled)),
            "filled_quantity": wire.number(self.filled),
            "pending_quantity": 0 if ended else wire.number(self.left),
            "cancelled_quantity": wire.number(self.left) if self.status == CANCELLED else 0,
        }


def _pending(report: OrderReported) -> tuple[str, ...]:
    """What an order goes through on its way to the market; one with a trigger does not go there yet."""
    return () if report.order_type in {"stop", "stop_limit"} else ("OPEN PENDING",)


def by_hand(report: OrderReported) -> Ask:
    """What was asked for by an order that came to the exchange another way."""
    broker = report.venue_order_id.startswith("forced")
    return Ask(
        order_type=_TYPES.get(report.order_type, "MARKET"),
        price=report.price or ZERO,
        trigger_price=report.trigger_price or ZERO,
        placed_by=BROKER if broker else "",
    )


def trade(fill: FillBooked, order: Order) -> Row:
    """A fill as a trade."""
    at = wire.stamp(fill.venue_time)
    return {
        "trade_id": str(_FIRST_TRADE + int(fill.venue_trade_id)),
        "order_id": order.order_id,
        **order.listing.named(),
        "product": order.product,
        "average_price": wire.number(fill.price),
        "quantity": wire.number(fill.quantity),
        "exchange_order_id": order.number,
        "transaction_type": order.side,
        "fill_timestamp": at,
        "order_timestamp": wire.clock(order.placed_at),
        "exchange_timestamp": at,
    }


_FIRST_TRADE = 10_000_000
