"""What ccxt says that an exchange offers, as capabilities of ours, and what cannot be had there, in sentences."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from trueup.model.orders import OrderType, TimeInForce
from trueup.model.venues import Capabilities
from trueup.ports import Clock
from trueup.venues.ccxt.corrections import CORRECTIONS, Correction, Feed, correction_of
from trueup.venues.ccxt.exchange import Exchange, known, make

_ORDER_TYPES: Mapping[str, tuple[OrderType, ...]] = {
    "stopLossPrice": ("stop", "stop_limit"),
    "takeProfitPrice": ("take_profit",),
}
_FORCES: Mapping[str, TimeInForce] = {"GTC": "gtc", "IOC": "ioc", "FOK": "fok", "PO": "post_only"}

_NEEDED: Mapping[str, str] = {
    "fetchPositions": "Positions cannot be read: what is held can only be added up from trades.",
    "fetchBalance": "Balances cannot be read.",
    "fetchOpenOrders": "Open orders cannot be read.",
    "fetchMyTrades": "Trades cannot be read: the book cannot be kept from this exchange.",
    "fetchFundingHistory": "Funding payments cannot be read: they show as differences of cash.",
    "createOrder": "Orders cannot be placed.",
    "cancelOrder": "Orders cannot be cancelled.",
}
"""What is missing without each of ccxt's methods."""

CREDENTIALS: Mapping[str, str] = {
    "apiKey": "key",
    "secret": "secret",
    "password": "password",
    "uid": "uid",
    "walletAddress": "wallet",
    "privateKey": "secret",
}
"""Names of our settings by ccxt's."""

_NO_LEDGER = "Deposits, withdrawals and transfers are not read: they show as differences of cash."
_BY_SYMBOL = (
    "Trades are listed for each instrument by itself: those are read that are named in the settings (symbols), that "
    "have a position or an open order, or that another list names; a trade in any other one is not seen."
)
_NO_FIND = "An order whose answer was lost is looked for among the open and the newest closed ones only."
_HEDGED = "Trades of an account that holds both sides are refused: they do not say which side they are of."
_OPTIONS = "Options are not booked, nor contracts that are neither linear nor inverse."
_UNKNOWN = (
    "No recorded answers of this exchange were tried here: compare a first pull with the exchange's own statement."
)


class Offer(msgspec.Struct, frozen=True):
    """What can be reconciled at an exchange, part by part.

    Attributes:
        exchange: ccxt's name of it.
        needs: What it asks for, by the names of our settings.
        positions, balances, orders, trades, funding, transfers, streams, sandbox: Whether each can be had.
        tried: Whether there is a table of corrections for it, which recorded answers or a server were held against.
    """

    exchange: str
    needs: tuple[str, ...]
    positions: bool
    balances: bool
    orders: bool
    trades: bool
    funding: bool
    transfers: bool
    streams: bool
    sandbox: bool
    tried: bool
    capabilities: Capabilities


def feeds_of(exchange: Exchange) -> tuple[Feed, ...]:
    """The lists of the history: those of the table, else by what ccxt states of them."""
    correction = correction_of(exchange.id)
    if correction.feeds:
        return correction.feeds
    stated = _stated(exchange).get("fetchMyTrades")
    trades = stated if isinstance(stated, Mapping) else {}
    page, days = trades.get("limit"), trades.get("untilDays")
    feeds = []
    if exchange.has.get("fetchMyTrades"):
        feeds.append(
            Feed(
                "fetch_my_trades",
                "trade",
                page=page if isinstance(page, int) and page > 1 else 100,
                days=min(days, 3_650) if isinstance(days, int) and days > 0 else 7,
                by_symbol=bool(trades.get("symbolRequired")),
            )
        )
    if exchange.has.get("fetchFundingHistory"):
        feeds.append(Feed("fetch_funding_history", "funding"))
    return tuple(feeds)


def capabilities_of(exchange: Exchange) -> Capabilities:
    """What an exchange offers through this adapter."""
    correction, stated = correction_of(exchange.id), _stated(exchange)
    orders = stated.get("createOrder")
    placing = orders if isinstance(orders, Mapping) else {}
    trades = bool(exchange.has.get("fetchMyTrades"))
    return Capabilities(
        cursor="time" if trades else "none",
        find=_find(exchange, correction),
        order_types=_order_types(exchange, correction, placing),
        times_in_force=_forces(placing) - correction.ignored_forces,
        amends=exchange.has.get("editOrder") is True,
        hedges=correction.hedged_fills and bool(exchange.has.get("setPositionMode")),
        streams=streams(exchange),
        cannot=cannot(exchange),
    )


def needs(exchange: Exchange) -> tuple[str, ...]:
    """What an exchange asks for, by the names of our settings; what they have no name for by ccxt's."""
    asked = (name for name, needed in exchange.requiredCredentials.items() if needed)
    return tuple(CREDENTIALS.get(name, name) for name in asked)


def cannot(exchange: Exchange) -> tuple[str, ...]:
    """What cannot be reconciled or done there, in sentences."""
    correction, feeds = correction_of(exchange.id), feeds_of(exchange)
    told = [sentence for method, sentence in _NEEDED.items() if not exchange.has.get(method)]
    if not any(feed.kind == "ledger" for feed in feeds):
        told.append(_NO_LEDGER)
    if any(feed.by_symbol for feed in feeds):
        told.append(_BY_SYMBOL)
    if not correction.find_surely and exchange.has.get("createOrder"):
        told.append(_NO_FIND)
    if not correction.hedged_fills:
        told.append(_HEDGED)
    told.append(_OPTIONS)
    if exchange.id not in CORRECTIONS:
        told.append(_UNKNOWN)
    return (*told, *correction.cannot)


def offer_of(exchange: Exchange) -> Offer:
    """What can be reconciled at an exchange."""
    has = exchange.has
    feeds = feeds_of(exchange)
    return Offer(
        exchange.id,
        needs=needs(exchange),
        positions=bool(has.get("fetchPositions")),
        balances=bool(has.get("fetchBalance")),
        orders=bool(has.get("fetchOpenOrders")),
        trades=bool(has.get("fetchMyTrades")),
        funding=bool(has.get("fetchFundingHistory")),
        transfers=any(feed.kind == "ledger" for feed in feeds),
        streams=streams(exchange),
        sandbox=bool(exchange.urls.get("test")),
        tried=exchange.id in CORRECTIONS,
        capabilities=capabilities_of(exchange),
    )


def offers(clock: Clock) -> Sequence[Offer]:
    """What can be reconciled at each exchange that ccxt knows. Raises :class:`BadInput` where ccxt is not installed."""
    return [offer_of(make(name, {}, clock=clock)) for name in known()]


def streams(exchange: Exchange) -> bool:
    """Whether trades come as they happen."""
    return exchange.has.get("watchMyTrades") is True


def _find(exchange: Exchange, correction: Correction) -> Literal["surely", "window", "no"]:
    if correction.find_surely:
        return "surely"
    return "window" if exchange.has.get("fetchOpenOrders") else "no"


def _order_types(exchange: Exchange, correction: Correction, placing: Mapping[str, object]) -> frozenset[OrderType]:
    if not exchange.has.get("createOrder"):
        return frozenset()
    more = (kinds for name, kinds in _ORDER_TYPES.items() if placing.get(name) and not correction.plain_only)
    plain: frozenset[OrderType] = frozenset({"limit", "market"})
    return plain.union(*more)


def _forces(placing: Mapping[str, object]) -> frozenset[TimeInForce]:
    stated = placing.get("timeInForce")
    words = stated if isinstance(stated, Mapping) else {}
    return frozenset(force for word, force in _FORCES.items() if words.get(word))


def _stated(exchange: Exchange) -> Mapping[str, object]:
    """What ccxt states of an exchange's methods, of linear swaps where it has them, else of spot."""
    features = exchange.features or {}
    swap = features.get("swap")
    for stated in (swap.get("linear") if isinstance(swap, Mapping) else None, features.get("spot")):
        if isinstance(stated, Mapping):
            return stated
    return {}
