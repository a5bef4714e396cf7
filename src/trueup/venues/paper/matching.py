"""Which part of an order trades now, and at what prices. Pure: the market, its price and the order decide.

The market offers ``depth`` at each of :data:`LEVELS` prices on either side of its price, a level apart, anew at every
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
    return price + market.level if buys else max(price - market.level, market.tick)


def offers(order: Order, market: Market, price: Decimal) -> Iterator[Offer]:
    """What an order at the market trades now at the market's ``price``: at first it takes, what rests of it makes."""
    return _makes(order, market, price) if order.rests else _takes(order, market, price)


def fires(request: OrderRequest, price: Decimal) -> bool:
    """Whether the order is at the market: it has no trigger, or the price has reached that."""
    trigger = request.trigger_price
    if trigger is None:
        return True
    rising = request.buys is not (request.order_type == "take_profit")
    return price >= trigger if rising else price <= trigger


def stays(request: OrderRequest) -> bool:
    """Whether what an order at the market could not take rests there."""
    return request.price is not None and request.time_in_force not in {"ioc", "fok"}


def reaches(request: OrderRequest, price: Decimal) -> bool:
    """Whether the order's limit, if it has one, allows ``price``."""
    limit = request.price
    return limit is None or (price <= limit if request.buys else price >= limit)


def _takes(order: Order, market: Market, price: Decimal) -> Iterator[Offer]:
    left = order.left
    for level in range(1, LEVELS + 1):
        at = price + order.request.sign * level * market.level
        if left <= ZERO or at <= ZERO or not reaches(order.request, at):
            return
        taken = min(left, market.depth)
        left -= taken
        yield taken, at


def _makes(order: Order, market: Market, price: Decimal) -> Iterator[Offer]:
    request = order.request
    if request.price is not None and reaches(request, best(market, price, buys=request.buys)):
        yield min(order.left, market.depth), request.price
