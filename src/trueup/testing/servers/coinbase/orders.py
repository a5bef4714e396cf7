"""An order as the venue keeps it, and how it shows it: a row over REST, and a shorter one on the user channel."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from trueup.model.identifiers import Side
from trueup.model.numbers import ONE, ZERO, canonical, quotient
from trueup.model.orders import OrderType, TimeInForce
from trueup.testing.servers.coinbase.products import Product
from trueup.testing.servers.coinbase.wire import Row, rounded, stamp

Status = Literal["PENDING", "OPEN", "FILLED", "CANCELLED", "EXPIRED"]

_HUNDRED = Decimal(100)


class Kind(msgspec.Struct, frozen=True):
    """One of the configurations that an order can have.

    Attributes:
        name: The venue's.
        order_type, force: As the exchange has them.
        word, force_word: As the venue writes them.
    """

    name: str
    order_type: OrderType
    force: TimeInForce
    word: str
    force_word: str


_GTC, _GTD = "GOOD_UNTIL_CANCELLED", "GOOD_UNTIL_DATE_TIME"
_IOC, _FOK = "IMMEDIATE_OR_CANCEL", "FILL_OR_KILL"

KINDS = {
    kind.name: kind
    for kind in (
        Kind("market_market_ioc", "market", "ioc", "MARKET", _IOC),
        Kind("sor_limit_ioc", "limit", "ioc", "LIMIT", _IOC),
        Kind("limit_limit_gtc", "limit", "gtc", "LIMIT", _GTC),
        Kind("limit_limit_gtd", "limit", "gtc", "LIMIT", _GTD),
        Kind("limit_limit_fok", "limit", "fok", "LIMIT", _FOK),
        Kind("stop_limit_stop_limit_gtc", "stop_limit", "gtc", "STOP_LIMIT", _GTC),
        Kind("stop_limit_stop_limit_gtd", "stop_limit", "gtc", "STOP_LIMIT", _GTD),
    )
}
"""By name. Of the venue's, brackets and algorithms are not served."""


class Intent(msgspec.Struct, frozen=True):
    """What was asked of the venue.

    Attributes:
        terms: Of the configuration, as they are shown.
        price, stop_price: None where the kind has none.
        quote_size: What is to be spent, fees included, where the size is not stated in the base; the exchange gets
            what that buys.
        until: When what is left of it ends, in nanoseconds; None where it stands until it is cancelled.
        source: Where it came from.
    """

    client_order_id: str
    kind: Kind
    terms: Row
    price: Decimal | None = None
    stop_price: Decimal | None = None
    quote_size: Decimal | None = None
    until: int | None = None
    source: str = "RETAIL_ADVANCED"


class Order(msgspec.Struct):
    """An order, and how far it has come.

    Attributes:
        order_id: The venue's; an edit keeps it.
        exchange_id: The exchange's, of the newest edit.
        quantity: In base or contracts.
        value, fees: In quote, of what was filled.
        edits: As ``edit_history`` shows them.
        forced: Whether the venue made it, to liquidate.
    """

    order_id: str
    exchange_id: str
    product: Product
    side: Side
    intent: Intent
    quantity: Decimal
    created_at: int
    status: Status = "OPEN"
    filled: Decimal = ZERO
    turned: Decimal = ZERO
    fees: Decimal = ZERO
    fills: int = 0
    last_fill_at: int = 0
    edits: Sequence[Row] = ()
    cancel_message: str = ""
    forced: bool = False

    @property
    def left(self) -> Decimal:
        """Quantity that may still trade."""
        return self.quantity - self.filled if self.status in {"PENDING", "OPEN"} else ZERO

    @property
    def value(self) -> Decimal:
        """What was filled is worth, in quote."""
        return self.turned * self.product.market.instrument.contract_size

    @property
    def in_quote(self) -> bool:
        """Whether its size is stated in quote."""
        return self.intent.quote_size is not None

    @property
    def held(self) -> tuple[Decimal, str]:
        """What is put aside for it, and of which currency: the fee is, for a buy. Futures need margin instead."""
        if not self.product.spot or not self.left:
            return ZERO, self.product.quote
        if self.side == "sell":
            return self.left, self.product.base
        price = self.intent.price or ZERO
        return self.left * price * (ONE + self.product.market.taker_fee), self.product.quote

    def fill(self, quantity: Decimal, price: Decimal, fee: Decimal, time: int) -> None:
        """Take a fill in."""
        self.filled += quantity
        self.turned += quantity * price
        self.fees += fee
        self.fills += 1
        self.last_fill_at = time

    def pending(self) -> "Order":
        """The same order, as if nothing had become of it yet."""
        return Order(
            self.order_id,
            self.exchange_id,
            self.product,
            self.side,
            self.intent,
            self.quantity,
            self.created_at,
            "PENDING",
            forced=self.forced,
        )

    def row(self, user_id: str, portfolio_id: str) -> Row:
        """As ``orders/historical`` shows it."""
        price = rounded(quotient(self.turned, self.filled)) if self.filled else "0"
        after = self.value + self.fees if self.side == "buy" else self.value - self.fees
        return {
            "order_id": self.order_id,
            "product_id": self.product.id,
            "user_id": user_id,
            "order_configuration": {self.intent.kind.name: self.intent.terms},
            "side": self.side.upper(),
            "client_order_id": self.intent.client_order_id,
            "status": self.status,
            "time_in_force": self.intent.kind.force_word,
            "created_time": stamp(self.created_at),
            "completion_percentage": self._completion(),
            "filled_size": canonical(self.filled),
            "average_filled_price": price,
            "fee": "",
            "number_of_fills": str(self.fills),
            "filled_value": canonical(self.value),
            "pending_cancel": False,
            "size_in_quote": self.in_quote,
            "total_fees": canonical(self.fees),
            "size_inclusive_of_fees": self.in_quote,
            "total_value_after_fees": canonical(after),
            "trigger_status": self._trigger(),
            "order_type": self.intent.kind.word,
            "reject_reason": "REJECT_REASON_UNSPECIFIED",
            "settled": self.status == "FILLED",
            "product_type": self.product.kind,
            "reject_message": "",
            "cancel_message": self.cancel_message,
            "order_placement_source": self.intent.source,
            "outstanding_hold_amount": canonical(self.held[0]),
            "is_liquidation": self.forced,
            "last_fill_time": stamp(self.last_fill_at) if self.fills else None,
            "edit_history": list(self.edits),
            "leverage": "",
            "margin_type": "" if self.product.spot else "CROSS",
            "retail_portfolio_id": portfolio_id,
            "originating_order_id": "",
            "attached_order_id": "",
            "attached_order_configuration": None,
        }

    def update(self, portfolio_id: str) -> Row:
        """As the user channel shows it; what an ended order did not trade is left no more."""
        shown, terms = self.row("", portfolio_id), self.intent
        return {
            "order_id": self.order_id,
            "client_order_id": terms.client_order_id,
            "cumulative_quantity": shown["filled_size"],
            "leaves_quantity": canonical(self.left),
            "avg_price": shown["average_filled_price"],
            "total_fees": shown["total_fees"],
            "status": self.status,
            "product_id": self.product.id,
            "creation_time": shown["created_time"],
            "order_side": shown["side"],
            "order_type": terms.kind.word.replace("_", " ").title(),
            "cancel_reason": self.cancel_message,
            "reject_reason": "",
            "total_value_after_fees": shown["total_value_after_fees"],
            "contract_expiry_type": "UNKNOWN_CONTRACT_EXPIRY_TYPE" if self.product.spot else "EXPIRING",
            "product_type": self.product.kind,
            "risk_managed_by": "UNKNOWN_RISK_MANAGEMENT_TYPE" if self.product.spot else "MANAGED_BY_FCM",
            "time_in_force": terms.kind.force_word,
            "trigger_status": shown["trigger_status"],
            "completion_percentage": shown["completion_percentage"],
            "filled_value": shown["filled_value"],
            "limit_price": "0" if terms.price is None else canonical(terms.price),
            "stop_price": "0" if terms.stop_price is None else canonical(terms.stop_price),
            "number_of_fills": shown["number_of_fills"],
            "outstanding_hold_amount": shown["outstanding_hold_amount"],
            "post_only": str(bool(terms.terms.get("post_only"))).lower(),
            "retail_portfolio_id": portfolio_id,
            "end_time": "0001-01-01T00:00:00Z" if terms.until is None else stamp(terms.until),
            "start_time": "0001-01-01T00:00:00Z",
        }

    def _completion(self) -> str:
        return rounded(quotient(self.filled * _HUNDRED, self.quantity)) if self.quantity else "0"

    def _trigger(self) -> str:
        if self.intent.stop_price is None:
            return "INVALID_ORDER_TYPE"
        return "STOP_TRIGGERED" if self.fills else "STOP_PENDING"
