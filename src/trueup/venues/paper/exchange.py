"""The paper exchange: who may ask for what, when the markets move, and which faults strike; synchronous, deterministic.

Time comes from a clock and chance from a seeded source, both handed in; nothing happens but inside a call. Every fact
gets a venue time of its own, later than all before it, so that a snapshot's cut divides an account's history in two.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from random import Random

import msgspec

from trueup.model.differences import VenueSnapshot
from trueup.model.errors import AuthenticationFailed, BadInput, OutcomeUnknown, Rejected, Unavailable
from trueup.model.events import Fact, OrderReported, TransferBooked
from trueup.model.identifiers import AccountId, Side
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO, exact
from trueup.model.orders import Amendment, OrderRequest
from trueup.model.times import from_ms
from trueup.model.venues import Mark
from trueup.ports import Clock
from trueup.venues.paper import faults as f
from trueup.venues.paper.account import Account
from trueup.venues.paper.desk import Desk, Stamps, Truth
from trueup.venues.paper.feed import Feed, Listener
from trueup.venues.paper.floor import Floor
from trueup.venues.paper.markets import Market
from trueup.venues.paper.orders import Order

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
        self._stamps = Stamps(clock)
        self._floor = Floor(markets, self._stamps)
        self._desks = self._floor.desks
        self._random = random
        self._faults = f.Faults(plan, clock.now())
        self._funding_interval = from_ms(funding_interval_ms)
        self._funding_at = clock.now() + self._funding_interval
        for fault in plan.faults:
            if isinstance(fault, f.ForeignTrade | f.Liquidation) and fault.instrument not in self._floor.markets:
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
        return dict(self._floor.prices)

    @property
    def markets(self) -> Mapping[str, Market]:
        """What is traded, by symbol."""
        return dict(self._floor.markets)

    def open_account(self, account: AccountId, deposits: Mapping[str, Decimal], *, hedged: bool = False) -> None:
        """Open an account, or find it open and as it is, and pay money in.

        Args:
            account: Its name.
            deposits: By currency.
            hedged: Whether it holds a long and a short position of a derivative side by side.
        """
        if account not in self._desks:
            money = Account(self._floor.markets, self._floor.prices, hedged=hedged)
            self._desks[account] = Desk(account, money, Feed(account, self._faults), self._stamps)
        for currency, amount in deposits.items():
            self.deposit(account, currency, amount)

    def hedged(self, account: AccountId) -> bool:
        """Whether an account holds a long and a short position side by side."""
        return self._desk(account).account.hedged

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
            for market in self._floor.markets.values():
                if market.follows:
                    continue
                step = self._random.randint(-market.swing, market.swing)
                self._floor.move(market, max(self._floor.prices[market.symbol] + step * market.level, market.tick))
            if now >= self._funding_at:
                self._funding_at += self._funding_interval
                self._floor.fund()

    def move(self, symbol: str, price: Decimal) -> None:
        """Set a market's price; what it reaches is matched, who it ruins is liquidated."""
        with exact():
            self._floor.move(self._floor.markets[symbol], price)

    def trade_by_hand(
        self, account: AccountId, instrument: str, side: Side, quantity: Decimal, position_side: str = ""
    ) -> OrderReported:
        """Somebody trades the account from elsewhere: a market order without a client order id.

        Where no position side is given it is the one that the trade opens.
        """
        desk = self._desk(account)
        position_side = position_side or desk.account.opens(self._floor.market(instrument), side)
        request = OrderRequest(instrument, side, quantity, position_side=position_side)
        with exact():
            self._floor.check(desk, request)
            return self._floor.accept(desk, request)

    def bust(self, account: AccountId, trade_id: str) -> None:
        """Take a trade back, as venues do with an obvious error: it stands in the history, and so does its opposite.

        Raises:
            Rejected: There is no such trade, or it was taken back already.
        """
        with exact():
            self._floor.bust(self._desk(account), trade_id)

    def truth(self, account: AccountId) -> Truth:
        """What the account did and holds."""
        return self._desk(account).truth()

    # --- for who trades on it; Unavailable in an outage, AuthenticationFailed for an account nobody opened ------------

    def instruments(self, account: AccountId) -> Sequence[Instrument]:
        """Contract terms of every market."""
        self._reach(account)
        return [market.instrument for market in self._floor.markets.values()]

    def marks(self, account: AccountId, instruments: Sequence[str]) -> Sequence[Mark]:
        """Prices now; an instrument that is not traded here is left out."""
        self._reach(account)
        now, prices = self._stamps.now(), self._floor.prices
        return [Mark(symbol, prices[symbol], now) for symbol in instruments if symbol in prices]

    def place(self, account: AccountId, request: OrderRequest) -> OrderReported:
        """Take an order; a client order id seen before gives the first order, as it stands now.

        Raises:
            Rejected: In this order: the client order id has other terms; the instrument; the kind of order; quantity,
                price, trigger; a post-only order that would trade at once; a reducing one with nothing to reduce; not
                enough money or margin.
            OutcomeUnknown: A time-out; whether the order was placed is for :meth:`find` to tell.
        """
        desk = self._reach(account)
        first = desk.by_client.get(request.client_order_id)
        if first is not None:
            _check_same(first, desk.asked[request.client_order_id], request)
            return first.reported(account)
        with exact():
            self._floor.check(desk, request)
            desk.placed += 1
            now = self._stamps.now()
            for fault in self._faults.due(f.TimeOut, account, desk.placed, now)[:1]:
                ids = [self._floor.accept(desk, request).venue_order_id] if fault.placed else []
                self._faults.strike(fault, now, request.client_order_id, *ids)
                raise OutcomeUnknown(
                    "The order timed out.", remedy="Find it by its client order id before asking again."
                )
            return self._floor.accept(desk, request)

    def cancel(self, account: AccountId, venue_order_id: str) -> OrderReported:
        """Cancel what is left of an order; one that is done is given as it is. Rejected where there is none."""
        desk = self._reach(account)
        order = _order(desk, venue_order_id)
        if order.working:
            desk.report(order, "canceled")
        return order.reported(account)

    def amend(self, account: AccountId, venue_order_id: str, amendment: Amendment) -> OrderReported:
        """Replace a working order: what is left of it, or another quantity, goes on under a new id on other terms.

        The client order id passes to the new order.

        Raises:
            Rejected: There is no such order, it is done, or the new terms are refused as :meth:`place` does; then the
                order stands as it was.
        """
        desk = self._reach(account)
        order = _order(desk, venue_order_id)
        if not order.working:
            raise Rejected(f"venue_order_id={venue_order_id!r}: {order.status} already.", venue_code="order_done")
        with exact():
            request = order.amended(amendment)
            self._floor.check(desk, request)
            desk.report(order, "canceled")
            return self._floor.accept(desk, request)

    def close(self, account: AccountId, instrument: str, position_side: str, client_order_id: str) -> OrderReported:
        """Close a position at the market, as far as it offers; a client order id seen before gives the first order.

        Raises:
            Rejected: There is no such instrument or position, or as :meth:`place` does.
            OutcomeUnknown: As :meth:`place` does.
        """
        desk = self._reach(account)
        self._floor.market(instrument)
        held = desk.account.quantity(instrument, position_side)
        request = OrderRequest(
            instrument,
            "sell" if held > ZERO else "buy",
            abs(held),
            client_order_id,
            reduce_only=True,
            position_side=position_side,
        )
        first = desk.asked.get(client_order_id)
        if first is not None:  # its side and quantity were those of the position then
            request = msgspec.structs.replace(request, side=first.side, quantity=first.quantity)
        elif not held:
            raise Rejected(f"{instrument}, {position_side}: there is no position.", venue_code="nothing_to_reduce")
        return self.place(account, request)

    def convert(self, account: AccountId, source: str, target: str, signed: Decimal, price: Decimal) -> None:
        """Hold a part of a position as another market of the same thing, taken over at a price; nothing is traded.

        So no fact tells of it: two positions just are other than their trades add up to.

        Raises:
            Rejected: There is no such market, or the account cannot pay for the target.
        """
        desk = self._reach(account)
        out, into = self._floor.market(source), self._floor.market(target)
        with exact():
            if not desk.account.affords(into, "net", signed, price):
                raise Rejected(f"quantity={signed}: more than the account can pay for.", venue_code="no_funds")
            desk.account.trade(out, "net", -signed, price)
            desk.account.trade(into, "net", signed, price)

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

    # --- faults that strike between requests --------------------------------------------------------------------------

    def _strike(self, desk: Desk, fault: f.StepFault, now: int) -> None:
        """Let a fault strike, or leave it waiting where it would have no effect."""
        fills, reason = desk.fills, ""
        if isinstance(fault, f.ForeignTrade):
            opened = desk.account.opens(self._floor.market(fault.instrument), fault.side)
            request = OrderRequest(fault.instrument, fault.side, fault.quantity, position_side=opened)
            if not self._floor.affordable(desk, request):
                return
            self.trade_by_hand(desk.id, fault.instrument, fault.side, fault.quantity)
        elif isinstance(fault, f.Liquidation):
            if not self._wick(desk, self._floor.market(fault.instrument)):
                return
        elif isinstance(fault, f.Outage):
            desk.down_until, reason = now + from_ms(fault.for_ms), "The venue is down."
            desk.feed.disconnect(reason)
        elif not desk.feed.disconnect("The venue closed the stream."):
            return
        self._faults.strike(fault, now, *(str(trade_id) for trade_id in range(fills + 1, desk.fills + 1)))

    def _wick(self, desk: Desk, market: Market) -> bool:
        """Let the price gap just past the account's liquidation price and come back; False where none is."""
        before, ruinous = self._floor.prices[market.symbol], desk.account.liquidation_price(market)
        if ruinous is None:
            return False
        ticks = ruinous // market.tick + (-1 if desk.account.net(market.symbol) > ZERO else 2)
        if ticks < 1:
            return False
        self._floor.move(market, ticks * market.tick)
        self._floor.move(market, before)
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


def _order(desk: Desk, venue_order_id: str) -> Order:
    order = desk.orders.get(venue_order_id)
    if order is None:
        raise Rejected(f"venue_order_id={venue_order_id!r}: no such order.", venue_code="unknown_order")
    return order


def _check_same(first: Order, asked: OrderRequest, request: OrderRequest) -> None:
    if asked != request:
        raise Rejected(
            f"client_order_id={request.client_order_id!r}: order {first.venue_order_id} has it, with other terms.",
            remedy="Give each order an id of its own.",
            venue_code="id_taken",
        )
