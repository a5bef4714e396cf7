"""Which part of an order trades now, and at what prices. Pure: the market, its price and the order decide.

The market offers ``depth`` at each of :data:`LEVELS` prices on either side of its price, a tick apart, anew at every
step. What takes from it walks through the levels; what rests is filled at its own price when the market reaches it.
"""

from collections.abc import Iterator
from decimal import Decimal

from trueup.model.numbers import ZERO
from trueup.model.orders import OrderRequest
from trueup.venues.paper.markets import Market
from trueup.venues.paper.orders import Order

LEVELS = 5

Offer = tuple[Decimal, Decimal]
"""(quantity, price)"""


def best(market: Market, price: Decimal, *, buys: bool) -> Decimal:
    """What a taker pays or gets for the first lot."""
    return price + market.tick if buys else max(price - market.tick, market.tick)


def offers(order: Order, market: Market, price: Decimal, *, arriving: bool) -> Iterator[Offer]:
    """What the order trades now at the market's ``price``; ``arriving`` it takes, later a limit order makes."""
    request = order.request
    if request.order_type == "limit" and not arriving:
        return _makes(order, market, price)
    if request.order_type == "stop" and not fired(request, price):
        return iter(())
    return _takes(order, market, price)


def fired(request: OrderRequest, price: Decimal) -> bool:
    """Whether the price has reached a stop's trigger."""
    trigger = request.trigger_price
    return trigger is not None and (price >= trigger if request.buys else price <= trigger)


def waits(request: OrderRequest, price: Decimal) -> bool:
    """Whether what is left of an order stays: of a limit order, and of a stop that has not fired."""
    return request.order_type == "limit" or (request.order_type == "stop" and not fired(request, price))


def reaches(request: OrderRequest, price: Decimal) -> bool:
    """Whether the order's limit, if it has one, allows ``price``."""
    limit = request.price
    return limit is None or (price <= limit if request.buys else price >= limit)


def _takes(order: Order, market: Market, price: Decimal) -> Iterator[Offer]:
    left = order.left
    for level in range(1, LEVELS + 1):
        at = price + order.request.sign * level * market.tick
        if left <= ZERO or at <= ZERO or not reaches(order.request, at):
            return
        taken = min(left, market.depth)
        left -= taken
        yield taken, at


def _makes(order: Order, market: Market, price: Decimal) -> Iterator[Offer]:
    request = order.request
    if request.price is not None and reaches(request, best(market, price, buys=request.buys)):
        yield min(order.left, market.depth), request.price
