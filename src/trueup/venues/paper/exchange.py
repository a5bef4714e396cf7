"""The paper exchange: orders matched, positions funded and liquidated, faults struck; synchronous and deterministic.

Time comes from a clock and chance from a seeded source, both handed in; nothing happens but inside a call. Every fact
gets a venue time of its own, later than all before it, so that a snapshot's cut divides an account's history in two.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from random import Random

import msgspec

from trueup.model.differences import VenueSnapshot
from trueup.model.errors import AuthenticationFailed, BadInput, OutcomeUnknown, Rejected, Unavailable
from trueup.model.events import Fact, FillBooked, FundingPaid, LiquidationFlagged, OrderReported, TransferBooked
from trueup.model.identifiers import AccountId, Side
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO, exact
from trueup.model.orders import OrderRequest
from trueup.model.times import from_ms
from trueup.ports import Clock
from trueup.venues.paper import faults as f
from trueup.venues.paper import matching
from trueup.venues.paper.account import Account
from trueup.venues.paper.desk import Desk, Stamps, Truth
from trueup.venues.paper.feed import Feed, Listener
from trueup.venues.paper.markets import Market, by_symbol
from trueup.venues.paper.orders import Order, check_terms, strategy_of

PAGE = 500
"""Facts on a page of history."""

FUNDING_INTERVAL_MS = 3_600_000


class PaperExchange:
    """A venue of several markets and accounts.

    Args:
        markets: What is traded.
        clock: Whose ``now`` is the exchange's time.
        random: Where the walk of prices comes from.
        plan: What is to go wrong.
        funding_interval_ms: Between funding times.
    """

    def __init__(
        self,
        markets: Iterable[Market],
        *,
        clock: Clock,
        random: Random,
        plan: f.FaultPlan = f.NO_FAULTS,
        funding_interval_ms: int = FUNDING_INTERVAL_MS,
    ) -> None:
        self._markets = by_symbol(markets)
        self._prices = {symbol: market.price for symbol, market in self._markets.items()}
        self._random = random
        self._desks: dict[AccountId, Desk] = {}
        self._stamps = Stamps(clock)
        self._faults = f.Faults(plan, clock.now())
        self._funding_interval = from_ms(funding_interval_ms)
        self._funding_at = clock.now() + self._funding_interval
        for fault in plan.faults:
            if isinstance(fault, f.ForeignTrade | f.Liquidation) and fault.instrument not in self._markets:
                raise BadInput(
                    "faults.instrument", fault.instrument, "not traded here", remedy="Name a market's symbol."
                )

    # --- for who runs it ----------------------------------------------------------------------------------------------

    @property
    def struck(self) -> list[f.Struck]:
        """The faults that struck so far, oldest first."""
        return list(self._faults.struck)

    @property
    def prices(self) -> Mapping[str, Decimal]:
        """The price of every market, by symbol."""
        return dict(self._prices)

    def open_account(self, account: AccountId, deposits: Mapping[str, Decimal]) -> None:
        """Open an account, or find it open, and pay money in."""
        if account not in self._desks:
            money = Account(self._markets, self._prices)
            self._desks[account] = Desk(account, money, Feed(account, self._faults), self._stamps)
        for currency, amount in deposits.items():
            self.deposit(account, currency, amount)

    def deposit(self, account: AccountId, currency: str, amount: Decimal) -> None:
        """Pay money in, or out where ``amount`` is negative."""
        desk = self._desk(account)
        with exact():
            desk.account.balances[currency] += amount
        reason = "deposit" if amount > ZERO else "withdrawal"
        desk.record(TransferBooked(account, amount, currency, self._stamps.next(), desk.name("transfer"), reason))

    def advance(self) -> None:
        """Take a step: delayed reports, planned faults, prices with what they match or liquidate, then funding."""
        now = self._stamps.now()
        with exact():
            for desk in self._desks.values():
                desk.feed.release(now)
                for fault in self._faults.due(f.StepFault, desk.id, desk.fills, now):
                    self._strike(desk, fault, now)
            for market in self._markets.values():
                step = self._random.randint(-market.swing, market.swing)
                self._move(market, max(self._prices[market.symbol] + step * market.tick, market.tick))
            if now >= self._funding_at:
                self._funding_at += self._funding_interval
                self._fund()

    def move(self, symbol: str, price: Decimal) -> None:
        """Set a market's price; what it reaches is matched, who it ruins is liquidated."""
        with exact():
            self._move(self._markets[symbol], price)

    def trade_by_hand(self, account: AccountId, instrument: str, side: Side, quantity: Decimal) -> OrderReported:
        """Somebody trades the account from elsewhere: a market order without a client order id."""
        desk, request = self._desk(account), OrderRequest(instrument, side, quantity)
        with exact():
            self._check(desk, request)
            return self._accept(desk, request)

    def truth(self, account: AccountId) -> Truth:
        """What the account did and holds."""
        return self._desk(account).truth()

    # --- for who trades on it; Unavailable in an outage, AuthenticationFailed for an account nobody opened ------------

    def instruments(self, account: AccountId) -> Sequence[Instrument]:
        """Contract terms of every market."""
        self._reach(account)
        return [market.instrument for market in self._markets.values()]

    def place(self, account: AccountId, request: OrderRequest) -> OrderReported:
        """Take an order; a client order id seen before gives the first order, as it stands now.

        Raises:
            Rejected: In this order: the client order id has other terms; the instrument; quantity, price, trigger; a
                reduce-only order with nothing to reduce; not enough money or margin.
            OutcomeUnknown: A time-out; whether the order was placed is for :meth:`find` to tell.
        """
        desk = self._reach(account)
        first = desk.by_client.get(request.client_order_id)
        if first is not None:
            return _same(first, request).reported(account)
        with exact():
            self._check(desk, request)
            desk.placed += 1
            now = self._stamps.now()
            for fault in self._faults.due(f.TimeOut, account, desk.placed, now)[:1]:
                ids = [self._accept(desk, request).venue_order_id] if fault.placed else []
                self._faults.strike(fault, now, request.client_order_id, *ids)
                raise OutcomeUnknown(
                    "The order timed out.", remedy="Find it by its client order id before asking again."
                )
            return self._accept(desk, request)

    def cancel(self, account: AccountId, venue_order_id: str) -> OrderReported:
        """Cancel what is left of an order; one that is done is given as it is. Rejected where there is none."""
        desk = self._reach(account)
        order = desk.orders.get(venue_order_id)
        if order is None:
            raise Rejected(f"venue_order_id={venue_order_id!r}: no such order.", venue_code="unknown_order")
        if order.working:
            desk.report(order, "canceled")
        return order.reported(account)

    def find(self, account: AccountId, client_order_id: str) -> OrderReported | None:
        """The order of a client order id, in whatever state; None where there surely is none."""
        order = self._reach(account).by_client.get(client_order_id)
        return order.reported(account) if order is not None else None

    def snapshot(self, account: AccountId) -> VenueSnapshot:
        """The account's state at a cut. Positions speak for derivatives; spot is in the balances."""
        desk = self._reach(account)
        desk.looked += 1
        now, before = self._stamps.now(), desk.served
        sort = f.SnapshotFault if before is not None else f.PartialSnapshot
        fault = next(iter(self._faults.due(sort, account, desk.looked, now)), None)
        if before is not None and isinstance(fault, f.StaleSnapshot):
            self._faults.strike(fault, now, str(before.cut))
            return before
        snapshot = desk.served = desk.observe()
        if isinstance(fault, f.PartialSnapshot):
            self._faults.strike(fault, now, fault.part)
            failed = {fault.part: "the venue timed out"}
            return msgspec.structs.replace(snapshot, failed=failed, **{fault.part: None})
        return snapshot

    def history(self, account: AccountId, cursor: str | None, *, limit: int = PAGE) -> tuple[Sequence[Fact], str]:
        """A page of the account's facts and the cursor of the next one; the same cursor back means that is all.

        A cursor names the last fact served, and the next page begins with it again. Rejected where it names none.
        """
        return self._reach(account).page(cursor, limit)

    def subscribe(self, account: AccountId, listener: Listener) -> None:
        """Report every fact to a listener from now on, until it leaves or is disconnected."""
        self._reach(account).feed.join(listener)

    def unsubscribe(self, account: AccountId, listener: Listener) -> None:
        """A listener leaves; an outage does not keep it."""
        self._desk(account).feed.leave(listener)

    # --- orders -------------------------------------------------------------------------------------------------------

    def _check(self, desk: Desk, request: OrderRequest) -> None:
        market = self._markets.get(request.instrument)
        if market is None:
            raise Rejected(f"instrument={request.instrument!r}: not traded here.", venue_code="unknown_instrument")
        check_terms(request, market)
        if request.reduce_only and not _reducible(desk, request):
            raise Rejected("reduce_only=True: there is nothing to reduce.", venue_code="nothing_to_reduce")
        if not self._affordable(desk, request):
            raise Rejected(f"quantity={request.quantity}: more than the account can pay for.", venue_code="no_funds")

    def _affordable(self, desk: Desk, request: OrderRequest) -> bool:
        market = self._markets[request.instrument]
        touch = matching.best(market, self._prices[market.symbol], buys=request.buys)
        price = request.price or request.trigger_price or touch
        return desk.account.affords(market, request.sign * request.quantity, price)

    def _accept(self, desk: Desk, request: OrderRequest) -> OrderReported:
        order = desk.take(request)
        self._work(desk, order, arriving=True)
        return order.reported(desk.id)

    def _work(self, desk: Desk, order: Order, *, arriving: bool) -> None:
        """Trade what the market gives the order now, and cancel what may not wait."""
        request = order.request
        market, price = self._markets[request.instrument], self._prices[request.instrument]
        for offered, at in matching.offers(order, market, price, arriving=arriving):
            quantity = min(offered, _reducible(desk, request)) if request.reduce_only else offered
            if not quantity or not desk.account.affords(market, request.sign * quantity, at):
                desk.report(order, "canceled")
                return
            self._fill(desk, order, quantity, at, maker=request.order_type == "limit" and not arriving)
        if order.working and not matching.waits(request, price):
            desk.report(order, "canceled")

    def _fill(
        self, desk: Desk, order: Order, quantity: Decimal, price: Decimal, *, maker: bool = False, liquidation: str = ""
    ) -> None:
        request, market = order.request, self._markets[order.request.instrument]
        fee, fee_currency = market.fee(quantity, price, buys=request.buys, maker=maker)
        start = None if market.spot else desk.account.quantity(market.symbol)
        desk.account.trade(market, request.sign * quantity, price, fee, fee_currency)
        desk.fills += 1
        order.filled += quantity
        fill = FillBooked(
            account=desk.id,
            instrument=market.symbol,
            position_side="net",
            side=request.side,
            quantity=quantity,
            price=price,
            fee=fee,
            fee_currency=fee_currency,
            venue_time=self._stamps.next(),
            venue_trade_id=str(desk.fills),
            venue_order_id=order.venue_order_id,
            client_order_id=request.client_order_id,
            strategy=strategy_of(request.client_order_id),
            liquidity="maker" if maker else "taker",
            instrument_version=market.instrument.version,
            start_position=start,
            liquidation=liquidation,
        )
        desk.record(fill)
        desk.report(order, "partially_filled" if order.left else "filled")

    # --- prices, liquidation, funding ---------------------------------------------------------------------------------

    def _move(self, market: Market, price: Decimal) -> None:
        self._prices[market.symbol] = price
        settle = market.instrument.settle
        for desk in self._desks.values():
            if desk.account.held(settle) and desk.account.equity(settle) < desk.account.maintenance(settle):
                self._liquidate(desk, settle)
            for order in desk.working(market.symbol):
                self._work(desk, order, arriving=False)

    def _liquidate(self, desk: Desk, settle: str) -> None:
        """Close all that settles in a currency, at the price, whatever it leaves."""
        for market in desk.account.held(settle):
            flag = LiquidationFlagged(desk.id, self._stamps.next(), desk.name("liquidation"), market.symbol)
            desk.record(flag)
            for order in desk.working(market.symbol):
                desk.report(order, "canceled")
            held = desk.account.quantity(market.symbol)
            request = OrderRequest(market.symbol, "sell" if held > ZERO else "buy", abs(held), reduce_only=True)
            forced = desk.take(request, "forced")
            self._fill(desk, forced, request.quantity, self._prices[market.symbol], liquidation="liquidation")

    def _fund(self) -> None:
        for desk in self._desks.values():
            for market in desk.account.held():
                mark, settle, rate = self._prices[market.symbol], market.instrument.settle, market.funding_rate
                amount = -market.worth(desk.account.quantity(market.symbol), mark) * rate
                desk.account.balances[settle] += amount
                paid = (desk.id, market.symbol, amount, settle, self._stamps.next(), desk.name("funding"))
                desk.record(FundingPaid(*paid, rate=rate))

    # --- faults that strike between requests --------------------------------------------------------------------------

    def _strike(self, desk: Desk, fault: f.StepFault, now: int) -> None:
        """Let a fault strike, or leave it waiting where it would have no effect."""
        fills, reason = desk.fills, ""
        if isinstance(fault, f.ForeignTrade):
            request = OrderRequest(fault.instrument, fault.side, fault.quantity)
            if not self._affordable(desk, request):
                return
            self.trade_by_hand(desk.id, fault.instrument, fault.side, fault.quantity)
        elif isinstance(fault, f.Liquidation):
            if not self._wick(desk, self._markets[fault.instrument]):
                return
        elif isinstance(fault, f.Outage):
            desk.down_until, reason = now + from_ms(fault.for_ms), "The venue is down."
            desk.feed.disconnect(reason)
        elif not desk.feed.disconnect("The venue closed the stream."):
            return
        self._faults.strike(fault, now, *(str(trade_id) for trade_id in range(fills + 1, desk.fills + 1)))

    def _wick(self, desk: Desk, market: Market) -> bool:
        """Let the price gap just past the account's liquidation price and come back; False where none is."""
        before, ruinous = self._prices[market.symbol], desk.account.liquidation_price(market)
        if ruinous is None:
            return False
        ticks = ruinous // market.tick + (-1 if desk.account.quantity(market.symbol) > ZERO else 2)
        if ticks < 1:
            return False
        self._move(market, ticks * market.tick)
        self._move(market, before)
        return True

    # ------------------------------------------------------------------------------------------------------------------

    def _desk(self, account: AccountId) -> Desk:
        desk = self._desks.get(account)
        if desk is None:
            raise AuthenticationFailed(f"account={account!r}: not open here.", remedy="Open the account first.")
        return desk

    def _reach(self, account: AccountId) -> Desk:
        desk = self._desk(account)
        if self._stamps.now() < desk.down_until:
            raise Unavailable("The venue is down.", remedy="Try again later; nothing was done.")
        return desk


def _same(first: Order, request: OrderRequest) -> Order:
    if first.request == request:
        return first
    raise Rejected(
        f"client_order_id={request.client_order_id!r}: order {first.venue_order_id} has it, with other terms.",
        remedy="Give each order an id of its own.",
        venue_code="id_taken",
    )


def _reducible(desk: Desk, request: OrderRequest) -> Decimal:
    held = desk.account.quantity(request.instrument)
    return abs(held) if held * request.sign < ZERO else ZERO
