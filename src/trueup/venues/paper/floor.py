"""The trading floor: what becomes of orders at the markets' prices, who is liquidated, who pays funding.

It knows markets, prices and the desks; it neither decides who may ask for what nor when anything goes wrong.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from trueup.model.errors import Rejected
from trueup.model.events import FillBooked, FundingPaid, LiquidationFlagged, OrderReported
from trueup.model.identifiers import AccountId
from trueup.model.numbers import ZERO
from trueup.model.orders import OrderRequest
from trueup.venues.paper import matching
from trueup.venues.paper.desk import Desk, Stamps
from trueup.venues.paper.markets import Market, by_symbol
from trueup.venues.paper.orders import Order, check_terms, reduces, strategy_of


class Floor:
    """Markets with their prices, and the desks that trade there. Called under exact arithmetic.

    Attributes:
        markets, prices: By symbol.
        desks: By account.
    """

    def __init__(self, markets: Iterable[Market], stamps: Stamps) -> None:
        self.markets = by_symbol(markets)
        self.prices = {symbol: self.markets[market.priced_by].price for symbol, market in self.markets.items()}
        self.desks: dict[AccountId, Desk] = {}
        self._stamps = stamps

    def market(self, symbol: str) -> Market:
        """A market by its symbol. Rejected where it is not traded here."""
        market = self.markets.get(symbol)
        if market is None:
            raise Rejected(f"instrument={symbol!r}: not traded here.", venue_code="unknown_instrument")
        return market

    def check(self, desk: Desk, request: OrderRequest) -> None:
        """Refuse an order that cannot be taken. Raises Rejected, in the order that ``PaperExchange.place`` states."""
        market = self.market(request.instrument)
        check_terms(request, market, hedged=desk.account.hedged)
        if request.time_in_force == "post_only" and matching.reaches(request, self._touch(request)):
            raise Rejected(
                f"price={request.price}: would trade at once, and is to rest only.", venue_code="would_match"
            )
        if reduces(request) and not reducible(desk, request):
            raise Rejected("reduce_only=True: there is nothing to reduce.", venue_code="nothing_to_reduce")
        if not self.affordable(desk, request):
            raise Rejected(f"quantity={request.quantity}: more than the account can pay for.", venue_code="no_funds")

    def affordable(self, desk: Desk, request: OrderRequest) -> bool:
        """Whether the account could pay for all of an order."""
        price = request.price or request.trigger_price or self._touch(request)
        return self._affords(desk, request, request.quantity, price)

    def accept(self, desk: Desk, request: OrderRequest) -> OrderReported:
        """Take an order that was checked, and trade what the market gives it."""
        order = desk.take(request)
        self._work(desk, order)
        return order.reported(desk.id)

    def move(self, market: Market, price: Decimal) -> None:
        """Set a price, of all that share it; who it ruins is liquidated, what it reaches is matched."""
        together = [other for other in self.markets.values() if other.priced_by == market.priced_by]
        self.prices |= {each.symbol: price for each in together}
        for each in together:
            self._moved(each)

    def _moved(self, market: Market) -> None:
        for desk in self.desks.values():
            account = desk.account
            if account.held(market.cash) and account.equity(market.cash) < account.maintenance(market.cash):
                self._liquidate(desk, market.cash)
            for order in desk.working(market.symbol):
                self._work(desk, order)

    def bust(self, desk: Desk, trade_id: str) -> None:
        """Take a trade back: the same one the other way round, under its order, with its fee returned."""
        fill = desk.trade(trade_id)
        if trade_id in desk.busted:
            raise Rejected(f"trade_id={trade_id!r}: it was taken back already.", venue_code="busted")
        market, buys = self.markets[fill.instrument], fill.side == "buy"
        desk.busted.add(trade_id)
        start = None if market.spot else desk.account.quantity(market.symbol, fill.position_side)
        desk.account.trade(market, fill.position_side, -fill.quantity if buys else fill.quantity, fill.price)
        desk.account.balances[market.purse(fill.fee_currency)] += fill.fee
        desk.fills += 1
        undone = msgspec.structs.replace(
            fill,
            side="sell" if buys else "buy",
            fee=-fill.fee,
            venue_time=self._stamps.next(),
            venue_trade_id=str(desk.fills),
            liquidity="",
            start_position=start,
        )
        desk.busted.add(undone.venue_trade_id)
        desk.record(undone)

    def fund(self) -> None:
        """Let every position pay or receive funding."""
        for desk in self.desks.values():
            for market, side in desk.account.held():
                mark, settle, rate = self.prices[market.symbol], market.instrument.settle, market.funding_rate
                if not rate:
                    continue
                amount = -market.worth(desk.account.quantity(market.symbol, side), mark) * rate
                desk.account.balances[market.cash] += amount
                paid = (desk.id, market.symbol, amount, settle, self._stamps.next(), desk.name("funding"))
                desk.record(FundingPaid(*paid, position_side=side, rate=rate))

    def _touch(self, request: OrderRequest) -> Decimal:
        return matching.best(self.markets[request.instrument], self.prices[request.instrument], buys=request.buys)

    def _affords(self, desk: Desk, request: OrderRequest, quantity: Decimal, price: Decimal) -> bool:
        market = self.markets[request.instrument]
        return desk.account.affords(market, request.position_side, request.sign * quantity, price)

    def _work(self, desk: Desk, order: Order) -> None:
        """Trade what the market gives the order now, and cancel what may not wait."""
        request = order.request
        market, price = self.markets[request.instrument], self.prices[request.instrument]
        order.fired = order.fired or matching.fires(request, price)
        if not order.fired:
            return
        offers = list(matching.offers(order, market, price))
        if request.time_in_force == "fok" and not self._fills_whole(desk, request, offers):
            offers = []
        for offered, at in offers:
            quantity = min(offered, reducible(desk, request)) if reduces(request) else offered
            whole = request.time_in_force == "fok"  # paid for as a whole, or it would not have come this far
            if not quantity or not (whole or self._affords(desk, request, quantity, at)):
                desk.report(order, "canceled")
                return
            self._fill(desk, order, quantity, at, maker=order.rests)
        order.rests = matching.stays(request)
        if order.working and not order.rests:
            desk.report(order, "canceled")

    def _fills_whole(self, desk: Desk, request: OrderRequest, offers: Sequence[matching.Offer]) -> bool:
        offered = sum((quantity for quantity, _ in offers), ZERO)
        if offered < request.quantity or (reduces(request) and reducible(desk, request) < request.quantity):
            return False
        return self._affords(desk, request, request.quantity, offers[-1][1])

    def _fill(
        self, desk: Desk, order: Order, quantity: Decimal, price: Decimal, *, maker: bool = False, liquidation: str = ""
    ) -> None:
        request, market = order.request, self.markets[order.request.instrument]
        start = None if market.spot else desk.account.quantity(market.symbol, request.position_side)
        fee, fee_currency = market.fee(quantity, price, buys=request.buys, maker=maker)
        desk.account.trade(market, request.position_side, request.sign * quantity, price)
        desk.account.balances[market.purse(fee_currency)] -= fee
        desk.fills += 1
        order.filled += quantity
        fill = FillBooked(
            account=desk.id,
            instrument=market.symbol,
            position_side=request.position_side,
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

    def _liquidate(self, desk: Desk, cash: str) -> None:
        """Close all that settles in a currency, at the price, whatever it leaves."""
        for market, position_side in desk.account.held(cash):
            ids = (self._stamps.next(), desk.name("liquidation"))
            desk.record(LiquidationFlagged(desk.id, *ids, market.symbol, position_side))
            for order in desk.working(market.symbol):
                desk.report(order, "canceled")
            held = desk.account.quantity(market.symbol, position_side)
            request = OrderRequest(
                market.symbol,
                "sell" if held > ZERO else "buy",
                abs(held),
                reduce_only=True,
                position_side=position_side,
            )
            forced = desk.take(request, "forced")
            self._fill(desk, forced, request.quantity, self.prices[market.symbol], liquidation="liquidation")


def reducible(desk: Desk, request: OrderRequest) -> Decimal:
    """How much of the position an order could close."""
    held = desk.account.quantity(request.instrument, request.position_side)
    return abs(held) if held * request.sign < ZERO else ZERO
