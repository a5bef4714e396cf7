"""What becomes of an order, a cancel, an edit, a close: what the venue checks before its market does, and its words."""

from collections.abc import Callable, Mapping
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Any

import msgspec

from trueup.model.errors import Rejected
from trueup.model.identifiers import AccountId, Side
from trueup.model.numbers import ONE, ZERO, canonical, exact, quotient
from trueup.model.orders import Amendment, OrderRequest
from trueup.ports import Clock
from trueup.testing.servers.coinbase.history import History
from trueup.testing.servers.coinbase.orders import KINDS, Intent, Order
from trueup.testing.servers.coinbase.products import Product, Products
from trueup.testing.servers.coinbase.shows import Shows
from trueup.testing.servers.coinbase.tickets import Declined, intent, side_of, text
from trueup.testing.servers.coinbase.wire import Row, decimal, invalid
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.matching import LEVELS, fires

CANCELS_MAX = 100
"""In one request."""

_DIRECTIONS: Mapping[str, Side] = {"STOP_DIRECTION_STOP_UP": "buy", "STOP_DIRECTION_STOP_DOWN": "sell"}
"""Which side protects itself by a stop in a direction."""

_FLOORED = Context(prec=200, rounding=ROUND_FLOOR)
_NO_CANCEL, _NO_EDIT = "UNKNOWN_CANCEL_FAILURE_REASON", "UNKNOWN_EDIT_ORDER_FAILURE_REASON"


class Desk:
    """Trades for one portfolio. Its methods raise :class:`Refusal`, and what the exchange raises but Rejected."""

    def __init__(
        self,
        exchange: PaperExchange,
        account: AccountId,
        products: Products,
        history: History,
        shows: Shows,
        clock: Clock,
    ) -> None:
        self._exchange = exchange
        self._account = account
        self._products = products
        self._history = history
        self._shows = shows
        self._clock = clock

    def create(self, body: Mapping[str, Any]) -> Row:
        """``POST orders``; a client's id that was used before gives the first order."""
        return self._answered(body, body.get("order_configuration"), self._order)

    def close(self, body: Mapping[str, Any]) -> Row:
        """``POST orders/close_position``: all of a future's position, or so many contracts of it."""
        return self._answered(body, {_MARKET.name: {}}, self._closing)

    def cancel(self, body: Mapping[str, Any]) -> Row:
        """``POST orders/batch_cancel``: each by itself."""
        ids = body.get("order_ids")
        if not isinstance(ids, list) or not 0 < len(ids) <= CANCELS_MAX or not all(isinstance(i, str) for i in ids):
            raise invalid(f"order_ids: between 1 and {CANCELS_MAX} are taken")
        return {"results": [self._cancel(order_id) for order_id in ids]}

    def edit(self, body: Mapping[str, Any]) -> Row:
        """``POST orders/edit``: other terms for a resting order of spot, which keeps its id."""
        try:
            self._edit(body)
        except Declined as declined:
            reasons = {"edit_failure_reason": declined.reason, "preview_failure_reason": declined.preview}
            return {"success": False, "errors": [reasons]}
        return {"success": True, "errors": []}

    def preview(self, body: Mapping[str, Any]) -> Row:
        """``POST orders/preview``: what an order would cost, and why it would be declined. Nothing is done."""
        try:
            with exact():
                _, request = self._order({**body, "client_order_id": "preview"})
                return self._previewed(request)
        except Declined as declined:
            return {**_NOTHING, "errs": [declined.preview]}

    def expire(self) -> None:
        """End what was to stand until a time that has come."""
        now = self._clock.now()
        for order in self._history.catch_up().working():
            if order.intent.until is not None and order.intent.until <= now:
                with self._history.ending("EXPIRED", "Order expired"):
                    self._exchange.cancel(self._account, order.exchange_id)

    # --- orders -------------------------------------------------------------------------------------------------------

    def _answered(self, body: Mapping[str, Any], shown: object, read: "Read") -> Row:
        client_id, history = text(body, "client_order_id"), self._history.catch_up()
        first = history.by_client.get(client_id)
        if first is not None:
            return _accepted(history.orders[first])
        try:
            with exact():
                asked, request = read(body)
            return self._place(asked, request)
        except Declined as declined:
            return _declined(declined, shown)

    def _order(self, body: Mapping[str, Any]) -> "Asked":
        """What is ordered, checked. Raises :class:`Declined`."""
        product, side = self._product(text(body, "product_id")), side_of(body)
        asked = intent(text(body, "client_order_id"), body.get("order_configuration"))
        request = self._request(product, side, asked)
        self._check(product, request)
        return asked, request

    def _closing(self, body: Mapping[str, Any]) -> "Asked":
        """What closes a position. Raises :class:`Declined`."""
        client_id, size = text(body, "client_order_id"), body.get("size")
        product = self._product(text(body, "product_id"))
        held = self._shows.position(product)
        if product.spot or held is None:
            raise Declined("INVALID_REQUEST", "no open position found for product")
        contracts = abs(held.quantity) if size is None else decimal(size, "size")
        if not ZERO < contracts <= abs(held.quantity):
            raise Declined("INVALID_REQUEST", "size is more than the position")
        side: Side = "sell" if held.quantity > ZERO else "buy"
        request = OrderRequest(product.market.symbol, side, contracts, client_id, reduce_only=True)
        return Intent(client_id, _MARKET, {"base_size": canonical(contracts)}), request

    def _product(self, product_id: str) -> Product:
        product = self._products.by_id.get(product_id)
        if product is None:
            raise Declined("INVALID_PRODUCT_ID", "Invalid product_id", "PREVIEW_INVALID_PRODUCT_ID")
        return product

    def _place(self, asked: Intent, request: OrderRequest) -> Row:
        """Let the exchange act. Raises :class:`Declined`."""
        try:
            with self._history.asking(asked):
                self._exchange.place(self._account, request)
        except Rejected as error:
            raise _words(error) from error
        return _accepted(self._history.orders[self._history.by_client[asked.client_order_id]])

    def _request(self, product: Product, side: Side, asked: Intent) -> OrderRequest:
        """The order as the exchange takes it. Raises :class:`Declined`."""
        kind = asked.kind
        if asked.stop_price is not None and _DIRECTIONS.get(asked.terms["stop_direction"]) != side:
            raise Declined("UNSUPPORTED_ORDER_CONFIGURATION", "only protective stops are served here")
        if asked.until is not None and asked.until <= self._clock.now():
            raise Declined("INVALID_REQUEST", "end_time is in the past")
        quote = asked.quote_size
        if quote is not None and (not product.spot or side == "sell"):
            raise Declined("UNSUPPORTED_ORDER_CONFIGURATION", "only spot is bought for an amount of quote")
        quantity = decimal(asked.terms["base_size"], "base_size") if quote is None else self._bought(product, quote)
        return OrderRequest(
            product.market.symbol,
            side,
            quantity,
            asked.client_order_id,
            kind.order_type,
            asked.price,
            asked.stop_price,
            time_in_force="post_only" if asked.terms.get("post_only") else kind.force,
        )

    def _bought(self, product: Product, quote: Decimal) -> Decimal:
        """What an amount of quote buys at the market, its fee included."""
        market, price, left, bought = product.market, self._products.price(product), quote, ZERO
        for level in range(1, LEVELS + 1):
            unit = (price + level * market.level) * (ONE + market.taker_fee)
            step = quotient(left, unit * market.step).quantize(ONE, context=_FLOORED) * market.step
            taken = min(step, market.depth)
            left -= taken * unit
            bought += taken
        return bought

    def _check(self, product: Product, request: OrderRequest) -> None:
        """What is checked before the market is asked. Raises :class:`Declined`."""
        market = product.market
        if request.quantity <= ZERO or request.quantity % market.step:
            raise Declined("INVALID_SIZE_PRECISION", "", "PREVIEW_INVALID_SIZE_PRECISION")
        for price in (request.price, request.trigger_price):
            if price is not None and (price <= ZERO or price % market.tick):
                raise Declined("INVALID_PRICE_PRECISION", "", "PREVIEW_INVALID_PRICE_PRECISION")
        if request.trigger_price is not None and fires(request, self._products.price(product)):
            word = "BELOW" if request.buys else "ABOVE"
            raise Declined("UNKNOWN_FAILURE_REASON", "", f"PREVIEW_STOP_PRICE_{word}_LAST_TRADE_PRICE")
        if product.spot and self._needed(product, request) > self._shows.available(
            product.quote if request.buys else product.base
        ):
            raise _insufficient()

    def _needed(self, product: Product, request: OrderRequest) -> Decimal:
        """What an order of a spot product takes of what is not on hold."""
        if not request.buys:
            return request.quantity
        price = request.price or self._products.touch(product, buys=True)
        return request.quantity * price * (ONE + product.market.taker_fee)

    def _previewed(self, request: OrderRequest) -> Row:
        product = self._products.by_symbol[request.instrument]
        bid, ask = (self._products.touch(product, buys=buys) for buys in (False, True))
        worth = product.market.worth(request.quantity, request.price or (ask if request.buys else bid))
        fee = worth * product.market.taker_fee
        return {
            **_NOTHING,
            "order_total": canonical(worth + fee if request.buys else worth - fee),
            "commission_total": canonical(fee),
            "quote_size": canonical(worth),
            "base_size": canonical(request.quantity),
            "best_bid": canonical(bid),
            "best_ask": canonical(ask),
        }

    # --- cancels and edits --------------------------------------------------------------------------------------------

    def _cancel(self, order_id: str) -> Row:
        order = self._history.catch_up().orders.get(order_id)
        reason = _NO_CANCEL
        if order is None:
            reason = "UNKNOWN_CANCEL_ORDER"
        elif order.status == "FILLED":
            reason = "ORDER_IS_FULLY_FILLED"
        elif order.status != "OPEN":
            reason = "INVALID_CANCEL_REQUEST"
        else:
            with self._history.ending("CANCELLED", "User requested cancel"):
                self._exchange.cancel(self._account, order.exchange_id)
        return {"success": reason == _NO_CANCEL, "failure_reason": reason, "order_id": order_id}

    def _edit(self, body: Mapping[str, Any]) -> None:
        """Edit. Raises :class:`Declined`."""
        order = self._history.catch_up().orders.get(text(body, "order_id"))
        if order is None:
            raise Declined("ORDER_NOT_FOUND")
        if not order.product.spot:
            raise Declined("CANNOT_EDIT_FUTURES_ORDER")
        if order.status != "OPEN":
            raise Declined("ONLY_OPEN_ORDERS_CAN_BE_EDITED")
        if order.intent.kind.name not in _EDITED:
            raise Declined("ONLY_LIMIT_ORDER_EDITS_SUPPORTED")
        with exact():
            asked, amendment = self._edited(order, body)
        try:
            with self._history.editing(order, asked):
                self._exchange.amend(self._account, order.exchange_id, amendment)
        except Rejected as error:
            raise Declined("COMMANDER_REJECTED_EDIT_ORDER", preview=_words(error).preview) from error

    def _edited(self, order: Order, body: Mapping[str, Any]) -> tuple[Intent, Amendment]:
        """The order on its new terms: a price or size that is left out is read as 0. Raises :class:`Declined`."""
        price, size = (decimal(body.get(field) or "0", field) for field in ("price", "size"))
        before, market = order.intent, order.product.market
        stop = before.stop_price
        if stop is not None and body.get("stop_price"):
            stop = decimal(body["stop_price"], "stop_price")
        if size <= ZERO or size % market.step:
            raise Declined("INVALID_EDITED_SIZE")
        if price <= ZERO or price % market.tick or (stop is not None and (stop <= ZERO or stop % market.tick)):
            raise Declined("INVALID_EDITED_PRICE")
        if size <= order.filled:
            raise Declined("CANNOT_EDIT_TO_BELOW_FILLED_SIZE")
        if (size, price, stop) == (order.quantity, before.price, before.stop_price):
            raise Declined("EDIT_REQUEST_EQUAL_TO_ORIGINAL_REQUEST")
        self._check_edit(order, size, price)
        terms = {**before.terms, "base_size": canonical(size), "limit_price": canonical(price)}
        if stop is not None:
            terms["stop_price"] = canonical(stop)
        asked = msgspec.structs.replace(before, terms=terms, price=price, stop_price=stop)
        return asked, Amendment(size - order.filled, price, stop)

    def _check_edit(self, order: Order, size: Decimal, price: Decimal) -> None:
        """Whether there is money enough: what the order held is its own."""
        held, currency = order.held
        request = OrderRequest(order.product.market.symbol, order.side, size - order.filled, price=price)
        if self._needed(order.product, request) > self._shows.available(currency) + held:
            raise Declined("COMMANDER_REJECTED_EDIT_ORDER", preview=_insufficient().preview)


Asked = tuple[Intent, OrderRequest]
"""As the venue keeps it, and as the exchange takes it."""

Read = Callable[[Mapping[str, Any]], Asked]

_MARKET = KINDS["market_market_ioc"]
_EDITED = frozenset({"limit_limit_gtc", "stop_limit_stop_limit_gtc"})
"""What can be edited."""

_NOTHING: Row = {
    **dict.fromkeys(("order_total", "commission_total", "quote_size", "base_size", "best_bid", "best_ask"), "0"),
    **dict.fromkeys(("order_margin_total", "leverage", "long_leverage", "short_leverage", "preview_id"), ""),
    "errs": [],
    "warning": [],
    "is_max": False,
    "slippage": "0",
}
"""A preview of nothing."""


def _insufficient() -> Declined:
    return Declined("INSUFFICIENT_FUND", "Insufficient balance in source account", "PREVIEW_INSUFFICIENT_FUND")


def _words(error: Rejected) -> Declined:
    """The venue's words for what the exchange says."""
    if error.venue_code == "no_funds":
        return _insufficient()
    if error.venue_code == "would_match":
        return Declined("INVALID_LIMIT_PRICE_POST_ONLY", "", "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY")
    return Declined("COMMANDER_REJECTED_NEW_ORDER", error.message)


def _accepted(order: Order) -> Row:
    """The answer to an order that was taken, which may have ended since."""
    return {
        "success": True,
        "success_response": {
            "order_id": order.order_id,
            "product_id": order.product.id,
            "side": order.side.upper(),
            "client_order_id": order.intent.client_order_id,
            "attached_order_id": "",
        },
        "order_configuration": {order.intent.kind.name: order.intent.terms},
    }


def _declined(declined: Declined, configuration: object) -> Row:
    return {
        "success": False,
        "error_response": {
            "error": declined.reason,
            "message": str(declined),
            "error_details": "",
            "preview_failure_reason": declined.preview,
            "new_order_failure_reason": declined.reason,
        },
        "order_configuration": configuration,
    }
