"""Orders as clients write them, read and checked against the venue's rules of 2026."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeVar

import msgspec

from trueup.model.identifiers import Side
from trueup.model.numbers import ONE, ZERO, canonical
from trueup.model.orders import Amendment, OrderRequest, OrderType, TimeInForce
from trueup.testing.servers.zerodha import wire
from trueup.testing.servers.zerodha.listings import PRODUCTS, Listing
from trueup.testing.servers.zerodha.orders import Ask, Order
from trueup.testing.servers.zerodha.prices import Prices
from trueup.testing.servers.zerodha.wire import INPUT, Refusal

Form = Mapping[str, str]
T = TypeVar("T")

AUTOMATIC = Decimal(2)
"""Percent that a market order is protected by where the client leaves it to the venue."""

TAG_MAX = 20

_NEEDED = ("exchange", "tradingsymbol", "transaction_type", "quantity", "product", "order_type")
_SIDES: Mapping[str, Side] = {"BUY": "buy", "SELL": "sell"}
_TYPES: Mapping[str, OrderType] = {"MARKET": "market", "LIMIT": "limit", "SL": "stop_limit", "SL-M": "stop"}
_FORCES: Mapping[str, TimeInForce] = {"DAY": "", "IOC": "ioc"}
_PRICED, _TRIGGERED, _PROTECTED = {"LIMIT", "SL"}, {"SL", "SL-M"}, {"MARKET", "SL-M"}
_MOST = Decimal(100)
_LEFT_TO_VENUE = "-1"


class Ticket(msgspec.Struct, frozen=True):
    """An order that was read."""

    listing: Listing
    request: OrderRequest
    ask: Ask


class Tickets:
    """Reads orders. All methods raise :class:`Refusal`."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices

    def read(self, form: Form) -> Ticket:
        """A new order."""
        for field in _NEEDED:
            if not form.get(field):
                raise wire.missing(field)
        side, kind = _one_of(form, "transaction_type", _SIDES), form["order_type"]
        order_type, force = _one_of(form, "order_type", _TYPES), _one_of(form, "validity", _FORCES, "DAY")
        listing = self.listing(form)
        market = listing.markets.get(form["product"])
        if form["product"] not in PRODUCTS or market is None:
            raise Refusal(INPUT, f"Invalid product. {form['product']} is not allowed for {listing.key}.")
        _check_force(listing, order_type, force)
        ask = _ask(form, listing, kind)
        request = OrderRequest(
            market.symbol, side, _quantity(form, listing), order_type=order_type, time_in_force=force
        )
        return Ticket(listing, *self._priced(listing, request, ask))

    def change(self, form: Form, order: Order) -> tuple[Amendment, Ask]:
        """What is to change of an order, and how it then reads. What is not said stays."""
        ask, listing = order.ask, order.listing
        if form.get("order_type", ask.order_type) != ask.order_type:
            raise Refusal(INPUT, "Changing `order_type` is not served in this rehearsal.")
        quantity = _quantity(form, listing) if form.get("quantity") else order.quantity
        if quantity <= order.filled:
            raise wire.invalid("quantity")
        price = _stepped(form, "price", listing) or ask.price
        trigger = _stepped(form, "trigger_price", listing) or ask.trigger_price
        changed = msgspec.structs.replace(ask, price=price, trigger_price=trigger)
        return Amendment(quantity - order.filled, price or None, trigger or None), changed

    def listing(self, form: Form) -> Listing:
        """What a form is about."""
        listing = self._prices.listings.at(form.get("exchange", ""), form.get("tradingsymbol", ""))
        if listing is None:
            raise Refusal(INPUT, "The instrument you are placing an order for has either expired or does not exist.")
        return listing

    def _priced(self, listing: Listing, request: OrderRequest, ask: Ask) -> tuple[OrderRequest, Ask]:
        """With its limits: a market order is one at the price to which its protection reaches."""
        price, trigger = ask.price or None, ask.trigger_price or None
        if request.order_type != "market":
            return msgspec.structs.replace(request, price=price, trigger_price=trigger), ask
        percent = ask.protection if ask.protection > ZERO else AUTOMATIC
        reach = ONE + request.sign * percent / _MOST
        tick = listing.market.tick
        price = max(self._prices.last(listing) * reach // tick * tick, tick)
        limited = msgspec.structs.replace(request, order_type="limit", price=price)
        labels = ("mktp", f"mktp:{percent:.2f}")
        return limited, msgspec.structs.replace(ask, order_type="LIMIT", price=price, labels=labels)


def _ask(form: Form, listing: Listing, kind: str) -> Ask:
    tag = form.get("tag", "")
    if len(tag) > TAG_MAX:
        raise Refusal(INPUT, f"Invalid `tag`. It can have at most {TAG_MAX} characters.")
    price = _stepped(form, "price", listing) if kind in _PRICED else None
    trigger = _stepped(form, "trigger_price", listing) if kind in _TRIGGERED else None
    if kind in _PRICED and not price:
        raise wire.missing("price")
    if kind in _TRIGGERED and not trigger:
        raise wire.missing("trigger_price")
    return Ask(
        order_type=kind,
        validity=form.get("validity") or "DAY",
        price=price or ZERO,
        trigger_price=trigger or ZERO,
        disclosed_quantity=wire.decimal(form, "disclosed_quantity") or ZERO,
        protection=_protection(form) if kind in _PROTECTED else ZERO,
        tag=tag,
        app_placed=True,
    )


def _protection(form: Form) -> Decimal:
    written = form.get("market_protection", "")
    if written == _LEFT_TO_VENUE:
        return -ONE
    percent = wire.decimal(form, "market_protection")
    if not percent:
        raise Refusal(INPUT, "Market and SL-M orders without market protection are not allowed via API.")
    if percent > _MOST:
        raise wire.invalid("market_protection")
    return percent


def _check_force(listing: Listing, order_type: OrderType, force: TimeInForce) -> None:
    if force == "ioc" and listing.exchange == "MCX":
        raise Refusal(INPUT, "IOC orders are not allowed via API on MCX.")
    if force == "ioc" and order_type in {"stop", "stop_limit"}:
        raise wire.invalid("validity")


def _quantity(form: Form, listing: Listing) -> Decimal:
    quantity = wire.decimal(form, "quantity")
    if not quantity or quantity % ONE:
        raise wire.invalid("quantity")
    if quantity % listing.lot:
        raise Refusal(INPUT, f"Invalid quantity. Quantity should be multiple of {canonical(listing.lot)}.")
    return quantity


def _stepped(form: Form, field: str, listing: Listing) -> Decimal | None:
    """A price, which must be a multiple of the tick."""
    price, tick = wire.decimal(form, field), listing.market.tick
    if price is not None and price % tick:
        raise Refusal(
            INPUT,
            f"Tick size for this script is {canonical(tick)}. "
            f"Kindly enter {field.replace('_', ' ')} in the multiple of tick size for this script.",
        )
    return price


def _one_of(form: Form, field: str, known: Mapping[str, T], default: str = "") -> T:
    word = form.get(field) or default
    if word not in known:
        raise wire.invalid(field)
    return known[word]
