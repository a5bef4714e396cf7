"""What an account may ask of the exchange, and what becomes of it: the checks of requests, and working orders."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from trueup.model.errors import Rejected
from trueup.model.events import OrderReported
from trueup.model.identifiers import EXTERNAL, AccountId
from trueup.model.numbers import DIGITS_MAX, ZERO, canonical
from trueup.model.orders import Amendment, OrderRequest, OrderType
from trueup.model.positions import OpenOrder
from trueup.venues.paper.markets import Market


class Order(msgspec.Struct):
    """An order the exchange has taken, and how far it has come.

    Attributes:
        reports: How often its state changed.
        fired: Whether it has come to the market; what has a trigger waits for that.
        rests: Whether what is left of it rests at its price, to be taken.
    """

    request: OrderRequest
    venue_order_id: str
    filled: Decimal = ZERO
    status: str = "open"
    updated_at: int = 0
    reports: int = 0
    fired: bool = False
    rests: bool = False

    @property
    def left(self) -> Decimal:
        """Quantity not yet filled."""
        return self.request.quantity - self.filled

    @property
    def working(self) -> bool:
        """Whether it may still trade."""
        return self.status in {"open", "partially_filled"}

    def amended(self, amendment: Amendment) -> OrderRequest:
        """What replaces the order: what is left of it, on other terms. A stop-limit that has fired is a limit order."""
        request = self.request
        if self.fired and request.trigger_price is not None:
            request = msgspec.structs.replace(request, order_type="limit", trigger_price=None)
        changes = {"quantity": self.left} | {
            field: value for field, value in msgspec.structs.asdict(amendment).items() if value is not None
        }
        return msgspec.structs.replace(request, **changes)

    def reported(self, account: AccountId) -> OrderReported:
        """The order as the venue reports it."""
        request = self.request
        return OrderReported(
            account,
            request.instrument,
            request.side,
            request.quantity,
            self.filled,
            self.status,
            self.venue_order_id,
            self.updated_at,
            f"{self.venue_order_id}-{self.reports}",
            client_order_id=request.client_order_id,
            price=request.price,
            trigger_price=request.trigger_price,
            order_type=request.order_type,
            reduce_only=request.reduce_only,
            position_side=request.position_side,
        )

    def shown(self, account: AccountId) -> OpenOrder:
        """The order as it stands in a snapshot."""
        request = self.request
        return OpenOrder(
            account,
            request.instrument,
            request.position_side,
            request.side,
            request.quantity,
            self.filled,
            self.status,
            self.venue_order_id,
            request.client_order_id,
            request.price,
            request.trigger_price,
            request.order_type,
            request.reduce_only,
            self.updated_at,
        )


def strategy_of(client_order_id: str) -> str:
    """Who ordered: the part before the last dash of ``<strategy>-<n>``, else ``external``."""
    strategy, _, number = client_order_id.rpartition("-")
    return strategy if strategy and number.isascii() and number.isdigit() else EXTERNAL


def reduces(request: OrderRequest) -> bool:
    """Whether an order may only make its position smaller: it says so, or goes against the side that it is for."""
    against = {"long": "sell", "short": "buy"}.get(request.position_side)
    return request.reduce_only or request.side == against


TAKEN: Mapping[OrderType, frozenset[str]] = {
    "limit": frozenset({"", "gtc", "ioc", "fok", "post_only"}),
    "market": frozenset({"", "ioc", "fok"}),
    "stop": frozenset({"", "gtc"}),
    "stop_limit": frozenset({"", "gtc"}),
    "take_profit": frozenset({"", "gtc"}),
}
"""Order types that the exchange knows, and how long each may stand."""

_NET = frozenset({"net"})
_BOTH = frozenset({"long", "short"})
_PRICED = frozenset({"limit", "stop_limit"})
_TRIGGERED = frozenset({"stop", "stop_limit", "take_profit"})


def check_terms(request: OrderRequest, market: Market, *, hedged: bool) -> None:
    """Refuse terms that the market does not take: the kind of order first, then quantity, price and trigger.

    Raises:
        Rejected: Naming the field and the value.
    """
    _check_known("order_type", request.order_type, frozenset(TAKEN))
    _check_known("time_in_force", request.time_in_force, TAKEN[request.order_type])
    _check_known("position_side", request.position_side, _BOTH if hedged and not market.spot else _NET)
    _check_multiple("quantity", request.quantity, market.step)
    _check_given("price", request.price, market.tick, wanted=request.order_type in _PRICED)
    _check_given("trigger_price", request.trigger_price, market.tick, wanted=request.order_type in _TRIGGERED)


def _check_known(field: str, value: str, known: frozenset[str]) -> None:
    if value not in known:
        raise Rejected(
            f"{field}={value}: the exchange does not have it here.",
            remedy=f"Ask for one of: {', '.join(sorted(map(repr, known)))}.",
            venue_code=f"bad_{field}",
        )


def _check_given(field: str, value: Decimal | None, tick: Decimal, *, wanted: bool) -> None:
    if wanted and value is not None:
        _check_multiple(field, value, tick)
    elif wanted or value is not None:
        raise Rejected(
            f"{field}={value}: {'missing' if wanted else 'not for this order type'}.",
            remedy="Give a limit order a price, a stop or take-profit a trigger_price, a stop-limit both.",
            venue_code=f"bad_{field}",
        )


def _check_multiple(field: str, value: Decimal, step: Decimal) -> None:
    if not value.is_finite() or value <= ZERO or abs(value.adjusted()) > DIGITS_MAX or value % step:
        raise Rejected(
            f"{field}={value}: not a positive multiple of {canonical(step)}.",
            remedy=f"Round the {field} to the market's step.",
            venue_code=f"bad_{field}",
        )
