"""What is signed and done: requests of ``/exchange``, who may make them, and what is answered.

A refusal of the request as a whole is ``{"status": "err"}``; an order or cancel of a batch that is refused says so in
its own place, and the others stand.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from itertools import takewhile
from typing import TypeVar

import msgspec

from trueup.model.errors import Rejected
from trueup.model.events import OrderReported
from trueup.model.identifiers import Side
from trueup.model.numbers import ZERO, exact, quotient
from trueup.model.orders import Amendment, OrderRequest, OrderType, TimeInForce
from trueup.testing.servers.hyperliquid import signing as w
from trueup.testing.servers.hyperliquid.assets import Asset, Row
from trueup.testing.servers.hyperliquid.history import AccountHistory
from trueup.testing.servers.hyperliquid.info import REQUESTS_TO_BEGIN, Unreadable
from trueup.testing.servers.hyperliquid.nonces import Nonces
from trueup.testing.servers.hyperliquid.notation import number, rounded
from trueup.testing.servers.hyperliquid.orders import Note, Placed
from trueup.testing.servers.hyperliquid.state import State
from trueup.venues.paper.matching import best, fires

NOTIONAL_MIN = Decimal(10)
FAR = Decimal("0.8")
"""How far a price may be from the mark, as a part of it."""

VOLUME_TO_SCHEDULE = 1_000_000
SCHEDULE_AHEAD_MS = 5_000

T = TypeVar("T")

_TIF: Mapping[str, TimeInForce] = {"Gtc": "gtc", "Ioc": "ioc", "Alo": "post_only", "FrontendMarket": "ioc"}
_GONE = "Order was never placed, already canceled, or filled."
_DONE: Row = {"status": "ok", "response": {"type": "default"}}


class Refused(Exception):
    """What is wrong with a request, or with one order of it, in the venue's words."""


def parse(body: object) -> w.Signed:
    """A request, from what JSON was. Raises :class:`Unreadable`."""
    try:
        return msgspec.convert(body, w.Signed)
    except msgspec.MsgspecError as error:
        raise Unreadable from error


def size(action: w.AnyAction) -> int:
    """How many orders or cancels an action holds; one for any other."""
    match action:
        case w.PlaceOrders(orders=batch) | w.CancelOrders(cancels=batch) | w.CancelOrdersByCloid(cancels=batch):
            return len(batch)
        case w.ModifyOrders(modifies=modifies):
            return len(modifies)
        case _:
            return 1


class Actions:
    """Does what is signed by who may have it done."""

    def __init__(self, state: State, *, mainnet: bool) -> None:
        self._state = state
        self._mainnet = mainnet
        self._nonces = Nonces()

    def answer(self, request: w.Signed) -> Row:
        """The venue's answer. Raises :class:`Unavailable` and :class:`OutcomeUnknown` where the exchange does."""
        try:
            address = self._authenticated(request)
            return self._done(address, request.action)
        except Refused as refusal:
            return {"status": "err", "response": str(refusal)}

    # --- who may ------------------------------------------------------------------------------------------------------

    def _authenticated(self, request: w.Signed) -> str:
        """The address that the action is for. Raises :class:`Refused`."""
        state, now = self._state, self._state.now
        try:
            signer = w.signer(request, mainnet=self._mainnet)
        except ValueError as error:
            raise Refused("Unable to recover signer.") from error
        by_user = isinstance(request.action, w.UserAction)
        if isinstance(request.action, w.UserAction) and request.action.mainnet is not self._mainnet:
            raise Refused("The action is for the other chain.")
        user = signer if signer in state.accounts else state.agents.get(signer, "")
        if not user or (by_user and user != signer):
            raise Refused(
                f"Must deposit before performing actions. User: {signer}"
                if by_user
                else f"User or API Wallet {signer} does not exist."
            )
        wrong = self._nonces.take(signer, request.nonce, now)
        if wrong:
            raise Refused(wrong)
        if request.expires_after is not None and request.expires_after < now:
            raise Refused(f"Action expired: expiresAfter {request.expires_after} is before {now}")
        vault = (request.vault_address or "").lower()
        if vault and state.masters.get(vault) != user:
            raise Refused(f"Vault not registered: {vault}")
        self._count(user, request.action)
        return vault or user

    def _count(self, user: str, action: w.AnyAction) -> None:
        """Count the requests of an address; cancels may always be made."""
        history = self._state.history(user)
        volume = history.volume if history else ZERO
        sent, limit = self._state.requests[user] + size(action), REQUESTS_TO_BEGIN + int(volume)
        if sent > limit and not isinstance(action, w.CancelOrders | w.CancelOrdersByCloid | w.ScheduleCancel):
            raise Refused(
                f"Too many cumulative requests sent ({sent} > {limit}) for cumulative volume traded "
                f"${rounded(volume, 2)}. Place taker orders to free up 1 request per USDC traded."
            )
        self._state.requests[user] = sent

    # --- what is done -------------------------------------------------------------------------------------------------

    def _done(self, address: str, action: w.AnyAction) -> Row:
        match action:
            case w.PlaceOrders():
                return self._place_all(address, action)
            case w.CancelOrders(cancels=cancels):
                return _each("cancel", lambda c: self._cancel(address, c.a, c.o), cancels)
            case w.CancelOrdersByCloid(cancels=by_cloid):
                return _each("cancel", lambda c: self._cancel(address, c.asset, c.cloid), by_cloid)
            case w.ModifyOrder(oid=oid, order=order):
                self._modify(address, oid, order)
                return _DONE
            case w.ModifyOrders(modifies=modifies):
                return _each("order", lambda m: self._modify(address, m.oid, m.order), modifies)
            case _:
                self._settle(address, action)
                return _DONE

    def _settle(self, address: str, action: w.AnyAction) -> None:
        """Settle how the account is run."""
        match action:
            case w.UpdateLeverage():
                self._set_leverage(address, action)
            case w.ScheduleCancel(time=time):
                self._schedule(address, time)
            case w.ApproveAgent():
                self._state.approve(action.agent_address.lower(), address, action.agent_name or "")
            case w.ApproveBuilderFee():
                fee = Decimal(action.max_fee_rate.removesuffix("%")) * 1_000
                self._state.builder_fees[address, action.builder.lower()] = int(fee)
            case _:
                pass  # a referrer, or a nonce used up: nothing comes of it here

    def _place_all(self, address: str, action: w.PlaceOrders) -> Row:
        if action.grouping != "na":
            raise Refused("Order groups are not served here.")
        builder = action.builder
        if builder is not None and builder.f > self._state.builder_fees.get((address, builder.b.lower()), 0):
            raise Refused("Builder fee has not been approved.")
        return _each("order", lambda order: self._place(address, order), action.orders)

    def _place(self, address: str, order: w.Order) -> object:
        asset = self._asset(order.a)
        request = _request(asset, order)
        self._check(asset, order, request)
        history = self._history(address)
        if order.c is not None and history.find(order.c) is not None:
            raise Refused(f"Order with cloid {order.c} was placed before. asset={order.a}")
        history.next_note = Note(Decimal(order.p), order.t.limit.tif if order.t.limit else None)
        account = self._state.accounts[address]
        return self._told(history, asset, lambda: self._state.exchange.place(account, request))

    def _cancel(self, address: str, number_: int, oid: int | str) -> object:
        asset = self._asset(number_)
        order = self._history(address).find(oid)
        if order is None or order.status != "open" or order.coin != asset.coin:
            raise Refused(f"{_GONE} asset={number_}")
        self._state.cancel(address, order, "canceled")
        return "success"

    def _modify(self, address: str, oid: int | str, order: w.Order) -> object:
        """Replace an order by one of the same side and client order id."""
        asset, old = self._asset(order.a), self._history(address).find(oid)
        if old is None or old.status != "open" or old.coin != asset.coin:
            raise Refused("Cannot modify canceled or filled order")
        request, report = _request(asset, order), old.report
        note = Note(Decimal(order.p), order.t.limit.tif if order.t.limit else None)
        cloid = request.client_order_id or report.client_order_id
        if (request.side, request.order_type, request.reduce_only, cloid, note.tif) != (
            report.side, report.order_type, report.reduce_only, report.client_order_id, old.note.tif,
        ):  # fmt: skip
            raise Refused("An order is modified in price, size and trigger alone here.")
        self._check(asset, order, request)
        history, account = self._history(address), self._state.accounts[address]
        amendment = Amendment(request.quantity, request.price, request.trigger_price)
        history.next_note = note
        with history.canceled_as("canceled"):
            return self._told(
                history, asset, lambda: self._state.exchange.amend(account, report.venue_order_id, amendment)
            )

    def _set_leverage(self, address: str, action: w.UpdateLeverage) -> None:
        asset = self._asset(action.asset)
        if not 1 <= action.leverage <= int(asset.market.instrument.max_leverage or 1):
            raise Refused("Invalid leverage value")
        if not action.is_cross:
            raise Refused("Isolated margin is not served here.")
        self._state.leverage[address, asset.coin] = action.leverage

    def _schedule(self, address: str, time: int | None) -> None:
        traded = self._history(address).volume
        if time is None:
            self._state.scheduled.pop(address, None)
            return
        if traded < VOLUME_TO_SCHEDULE:
            raise Refused(
                "Cannot set scheduled cancel time until enough volume traded. "
                f"Required: ${VOLUME_TO_SCHEDULE}. Traded: ${rounded(traded, 2)}."
            )
        if time < self._state.now + SCHEDULE_AHEAD_MS:
            raise Refused("Scheduled cancel time too early, must be at least 5 seconds from now.")
        self._state.scheduled[address] = time

    # --- orders -------------------------------------------------------------------------------------------------------

    def _told(self, history: AccountHistory, asset: Asset, act: Callable[[], OrderReported]) -> object:
        """Let the exchange act, and say what became of the order as the venue does."""
        try:
            report = act()
        except Rejected as error:
            raise Refused(f"{self._refusal(error, asset)} asset={asset.number}") from error
        finally:
            history.catch_up()
            history.next_note = None
        order = history.orders[history.oid(report.venue_order_id)]
        told: Row = {"oid": order.oid}
        if report.client_order_id:
            told["cloid"] = report.client_order_id
        if order.status == "open":
            return {"resting": told}
        if not report.filled:
            raise Refused(f"{_WORDS[order.status]} asset={asset.number}")
        return {"filled": {"totalSz": number(report.filled), "avgPx": _average(history, order), **told}}

    def _refusal(self, error: Rejected, asset: Asset) -> str:
        if error.venue_code == "would_match":
            mid, market = self._state.mid(asset), asset.market
            bid, ask = (best(market, mid, buys=buys) for buys in (False, True))
            return f"Post only order would have immediately matched, bbo was {number(bid)}@{number(ask)}."
        if error.venue_code == "no_funds" and asset.market.spot:
            return "Insufficient spot balance."
        return _REFUSALS.get(error.venue_code, error.message)

    def _check(self, asset: Asset, order: w.Order, request: OrderRequest) -> None:
        """What the venue checks before its book does. Raises :class:`Refused`."""
        price, mark = Decimal(order.p), self._state.mid(asset)
        prices = [price] if request.trigger_price is None else [price, request.trigger_price]
        with exact():
            worth, away = price * request.quantity, abs(price - mark)
        if not all(each > ZERO and asset.takes_price(each) for each in prices):
            raise Refused(f"Price must be divisible by tick size. asset={order.a}")
        if not request.quantity:
            raise Refused(f"Order has zero size. asset={order.a}")
        if not asset.takes_size(request.quantity):
            raise Refused(f"Order has invalid size. asset={order.a}")
        if worth < NOTIONAL_MIN and not request.reduce_only:
            least = f"10 {asset.market.instrument.quote}" if asset.market.spot else "$10"
            raise Refused(f"Order must have minimum value of {least}. asset={order.a}")
        if away > FAR * mark:
            raise Refused(f"Order price cannot be more than 80% away from the reference price asset={order.a}")
        if request.trigger_price is not None and fires(request, mark):
            raise Refused(f"Invalid TP/SL price. asset={order.a}")

    def _asset(self, number_: int) -> Asset:
        asset = self._state.assets.by_number.get(number_)
        if asset is None:
            raise Refused(f"Invalid asset. asset={number_}")
        return asset

    def _history(self, address: str) -> AccountHistory:
        history = self._state.history(address)
        if history is None:
            raise Refused(f"User or API Wallet {address} does not exist.")
        return history


_WORDS: Mapping[str, str] = {
    "iocCancelRejected": "Order could not immediately match against any resting orders.",
    "reduceOnlyCanceled": "Reduce only order would increase position.",
    "canceled": "Insufficient margin to place order.",
}
"""What is said of an order that ended at once and unfilled, by the status that it ended in."""

_REFUSALS: Mapping[str, str] = {
    "no_funds": "Insufficient margin to place order.",
    "nothing_to_reduce": "Reduce only order would increase position.",
    "bad_price": "Price must be divisible by tick size.",
    "bad_trigger_price": "Price must be divisible by tick size.",
    "bad_quantity": "Order has invalid size.",
}
"""What is said for the exchange's reasons."""


def _each(kind: str, act: Callable[[T], object], batch: Iterable[T]) -> Row:
    """The answer to a batch: each in its own place."""
    statuses: list[object] = []
    for item in batch:
        try:
            statuses.append(act(item))
        except Refused as refusal:
            statuses.append({"error": str(refusal)})
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": statuses}}}


def _request(asset: Asset, order: w.Order) -> OrderRequest:
    """The order as the exchange takes it. Raises :class:`Refused` for a kind that it does not have."""
    quantity, price, cloid = Decimal(order.s), Decimal(order.p), order.c or ""
    symbol = asset.market.symbol
    side: Side = "buy" if order.b else "sell"
    match order.t:
        case w.Kind(limit=w.Limit(tif=tif), trigger=None):
            return OrderRequest(
                symbol, side, quantity, cloid, "limit", price, reduce_only=order.r, time_in_force=_TIF[tif]
            )
        case w.Kind(limit=None, trigger=w.Trigger(is_market=False, tpsl="tp")):
            raise Refused(f"Take-profit limit orders are not served here. asset={order.a}")
        case w.Kind(limit=None, trigger=w.Trigger() as trigger):
            kind: OrderType = "take_profit" if trigger.tpsl == "tp" else "stop" if trigger.is_market else "stop_limit"
            limit = None if trigger.is_market else price
            return OrderRequest(
                symbol, side, quantity, cloid, kind, limit, Decimal(trigger.trigger_px), reduce_only=order.r
            )
        case _:
            raise AssertionError("an order is of one kind: it was read so")


def _average(history: AccountHistory, order: Placed) -> str:
    """The average price of an order's fills, which are the last that there are."""
    fills = list(takewhile(lambda fill: fill["oid"] == order.oid, reversed(history.fills)))
    sizes = [Decimal(str(fill["sz"])) for fill in fills]
    with exact():
        worth = sum((Decimal(str(fill["px"])) * each for fill, each in zip(fills, sizes, strict=True)), ZERO)
        return rounded(quotient(worth, sum(sizes, ZERO)))
