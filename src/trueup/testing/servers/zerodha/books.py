"""One account as Kite keeps it: what the exchange tells of it, cut into days, of which only the present one is shown.

Nothing is remembered of the exchange but how far its history was read, so that whoever trades there by other ways shows
here too. What is due at an hour, as closing what was for the day only, is done when somebody looks for the first time
after it.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import time
from decimal import Decimal

import msgspec

from trueup.model.errors import Rejected
from trueup.model.events import Fact, FillBooked, FundingPaid, OrderReported, TransferBooked
from trueup.model.identifiers import AccountId
from trueup.model.numbers import ZERO
from trueup.model.orders import Amendment, OrderRequest
from trueup.ports import Clock
from trueup.testing.servers.zerodha import orders as o
from trueup.testing.servers.zerodha import wire
from trueup.testing.servers.zerodha.hours import SQUARE_OFF, following, morning_after
from trueup.testing.servers.zerodha.listings import DELIVERY, Listing
from trueup.testing.servers.zerodha.money import Purse
from trueup.testing.servers.zerodha.orders import Ask, Order
from trueup.testing.servers.zerodha.positions import Position
from trueup.testing.servers.zerodha.prices import Prices
from trueup.testing.servers.zerodha.shares import Shares
from trueup.testing.servers.zerodha.wire import Row
from trueup.venues.paper.account import Holding
from trueup.venues.paper.exchange import PaperExchange

EVENING = time(23, 45)
"""When the last exchange has closed, and what still waits is cancelled."""

SEGMENTS = ("equity", "commodity")
INTRADAY = "MIS"

Held = tuple[str, str]
"""(``EXCHANGE:TRADINGSYMBOL``, product)"""


class Push(msgspec.Struct, frozen=True):
    """What is said of an order as it changes.

    Attributes:
        app_placed: Whether the app placed it.
    """

    row: Row
    app_placed: bool


class Books:
    """An account's orders, trades, positions, shares and money of the present day.

    Attributes:
        user_id: As Kite names the account.
        trades: Of the day, with the order each belongs to.
        pushes: All there were.
    """

    def __init__(self, exchange: PaperExchange, account: AccountId, user_id: str, prices: Prices, clock: Clock) -> None:
        self.user_id = user_id
        self.prices = prices
        self.trades: list[Row] = []
        self.positions: dict[Held, Position] = {}
        self.shares: dict[str, Shares] = {}
        self.purses: dict[str, Purse] = {segment: Purse() for segment in SEGMENTS}
        self.pushes: list[Push] = []
        self._exchange = exchange
        self._account = account
        self._clock = clock
        self._orders: dict[str, Order] = {}
        self._by_exchange: dict[str, Order] = {}
        self._costs: defaultdict[str, Holding] = defaultdict(Holding)
        self._cursor: str | None = None
        self._last: Fact | None = None
        self._numbered = 0
        self._newest = ""
        self._ask: Ask | None = None
        self._changing: Order | None = None
        self._began = 0
        self._morning = morning_after(clock.now())
        self._square_off = following(clock.now(), SQUARE_OFF)

    # --- reading ------------------------------------------------------------------------------------------------------

    def today(self) -> list[Order]:
        """The day's orders: those placed today, and older ones that traded."""
        traded = {row["order_id"] for row in self.trades}
        return [o for o in self._orders.values() if o.placed_at >= self._began or o.order_id in traded]

    def find(self, order_id: str) -> Order | None:
        """One of the day's orders."""
        return next((order for order in self.today() if order.order_id == order_id), None)

    def position(self, listing: Listing, product: str) -> Position:
        """What is held of a listing in a product."""
        return self.positions.setdefault((listing.key, product), Position(listing, product))

    def change_today(self, key: str) -> Decimal:
        """How the day's trades changed the shares of a listing."""
        position = self.positions.get((key, DELIVERY))
        return ZERO if position is None else position.today

    # --- what happened at the exchange --------------------------------------------------------------------------------

    def sync(self) -> None:
        """Take in what happened since, and do what is due. Raises :class:`Unavailable` while the exchange is down."""
        self.prices.look()
        self._catch_up()
        now = self._clock.now()
        if now >= self._square_off:
            self._square_off = following(now, SQUARE_OFF)
            self._close_intraday()
        for order in [order for order in self._orders.values() if order.pending]:
            if now >= following(order.placed_at, EVENING):
                self._exchange.cancel(self._account, order.exchange_id)
        self._catch_up()

    def _catch_up(self) -> None:
        while facts := self._pull():
            for fact in facts:
                self._turn(getattr(fact, "venue_time", 0))
                self._book(fact)
        self._turn(self._clock.now())

    def _pull(self) -> Sequence[Fact]:
        facts, self._cursor = self._exchange.history(self._account, self._cursor)
        news = facts[1:] if facts and facts[0] == self._last else facts
        self._last = facts[-1] if facts else None
        return news

    def _book(self, fact: Fact) -> None:
        match fact:
            case TransferBooked():
                self._transfer(fact)
            case FillBooked():
                self._fill(fact)
            case FundingPaid():
                self.purses[self.prices.listings.of(fact.instrument)[0].segment].realised += fact.amount
            case OrderReported(status="open") if fact.venue_order_id not in self._by_exchange:
                self._placed(fact)
            case OrderReported(status="canceled"):
                self._cancelled(fact)
            case _:
                pass  # what else is said of an order follows from its fills

    def _transfer(self, fact: TransferBooked) -> None:
        name, _, wallet = fact.currency.partition("@")
        exchange, _, rest = name.partition(".")
        listing = self.prices.listings.at(exchange, rest.removesuffix(f".{DELIVERY}"))
        if listing is not None:
            self.shares.setdefault(listing.key, Shares(listing)).receive(fact.amount)
        elif wallet in self.purses:
            self.purses[wallet].paid_in += fact.amount

    def _placed(self, report: OrderReported) -> None:
        if self._changing is not None and self._ask is not None:
            order = self._changing
            order.modify(report, self._ask)
            self._push(order, o.UPDATE)
        else:
            ask = self._ask or o.by_hand(report)
            order = self._create(report.instrument, report.side, report.quantity, ask, report.venue_time)
            order.place(report, f"1{self._numbered:015d}")
            self._push(order)
        self._by_exchange[report.venue_order_id] = order

    def _cancelled(self, report: OrderReported) -> None:
        order = self._by_exchange[report.venue_order_id]
        if order is not self._changing and order.pending:
            order.cancel(report.venue_time)
            self._push(order)

    def _fill(self, fill: FillBooked) -> None:
        listing, product = self.prices.listings.of(fill.instrument)
        signed = fill.quantity if fill.side == "buy" else -fill.quantity
        self.position(listing, product).trade(signed, fill.price)
        self._pay(listing, product, signed, fill.price)
        self.purses[listing.segment].charges += fill.fee
        order = self._by_exchange[fill.venue_order_id]
        order.fill(fill)
        self.trades.append(o.trade(fill, order))
        self._push(order, o.UPDATE if order.left else "")

    def _pay(self, listing: Listing, product: str, signed: Decimal, price: Decimal) -> None:
        market, purse = listing.markets[product], self.purses[listing.segment]
        if market.spot:
            purse.spent += market.worth(signed, price)
        else:
            purse.realised += self._costs[market.symbol].trade(market, signed, price)

    # --- what clients do ----------------------------------------------------------------------------------------------

    @contextmanager
    def asked(self, ask: Ask, changing: Order | None = None) -> Iterator[None]:
        """An order that comes to the exchange meanwhile was asked for so, or is one that is changed."""
        self._ask, self._changing = ask, changing
        try:
            yield
        finally:
            try:
                self._catch_up()
            finally:
                self._ask = self._changing = None

    def place(self, request: OrderRequest, ask: Ask) -> str:
        """Ask the exchange; gives the order's id. Raises as :meth:`PaperExchange.place` does, but for Rejected."""
        try:
            with self.asked(ask):
                self._exchange.place(self._account, request)
            return self._newest
        except Rejected:
            order = self._create(request.instrument, request.side, request.quantity, ask, self._clock.now())
            order.reject(_reason(order), self._clock.now())
            self._push(order)
            return order.order_id

    def modify(self, order: Order, amendment: Amendment, ask: Ask) -> None:
        """Change an order; one that cannot be changed stays as it is, and says why."""
        try:
            with self.asked(ask, order):
                self._exchange.amend(self._account, order.exchange_id, amendment)
        except Rejected:
            order.keep(_reason(order), self._clock.now())
            self._push(order, o.UPDATE)

    def cancel(self, order: Order) -> None:
        """Cancel an order."""
        self._exchange.cancel(self._account, order.exchange_id)
        self._catch_up()

    def _create(self, symbol: str, side: str, quantity: Decimal, ask: Ask, at: int) -> Order:
        """Give an order its id."""
        self._numbered += 1
        listing, product = self.prices.listings.of(symbol)
        self._newest = f"{wire.there(at):%y%m%d}{self._numbered:09d}"
        order = Order(self._newest, self.user_id, listing, product, side.upper(), quantity, ask, at)
        self._orders[self._newest] = order
        return order

    def convert(self, source: Position, target: Position, signed: Decimal, *, overnight: bool) -> None:
        """Take a part of a position over into another product. Raises Rejected where that cannot be paid for."""
        side = source.overnight if overnight else source.bought if signed > ZERO else source.sold
        market, into = source.listing.markets[source.product], source.listing.markets[target.product]
        self._exchange.convert(self._account, market.symbol, into.symbol, signed, side.price)
        price = source.converted(signed, overnight=overnight)
        self._pay(source.listing, source.product, -signed, price)
        self._pay(source.listing, target.product, signed, price)
        if overnight and target.product != DELIVERY:
            target.overnight.add(signed, price)
        else:
            target.trade(signed, price)

    # --- days ---------------------------------------------------------------------------------------------------------

    def _turn(self, now: int) -> None:
        """Begin every day that has begun by then."""
        while now >= self._morning:
            self._began, self._morning = self._morning, morning_after(self._morning)
            self._carry()
            for purse in self.purses.values():
                purse.next_day()
            self.trades.clear()
            self._orders = {name: order for name, order in self._orders.items() if order.pending}

    def _carry(self) -> None:
        held, self.positions = self.positions, {}
        for shares in self.shares.values():
            position = held.get((shares.listing.key, DELIVERY)) or Position(shares.listing, DELIVERY)
            shares.settle(position.today, position.bought.price, self.prices.close(shares.listing))
        for key, position in held.items():
            listing, close = position.listing, self.prices.close(position.listing)
            if position.product != DELIVERY:
                self.positions |= {key: position.carried(close)} if position.quantity else {}
            elif listing.key not in self.shares:
                self.shares[listing.key] = Shares(listing)
                self.shares[listing.key].settle(position.today, position.bought.price, close)
        self.shares = {key: shares for key, shares in self.shares.items() if shares.opening}

    def _close_intraday(self) -> None:
        """Close what was for the day only, as the broker does."""
        for position in list(self.positions.values()):
            if position.product == INTRADAY and position.quantity:
                market, held = position.listing.markets[INTRADAY], position.quantity
                with self.asked(Ask(placed_by=o.BROKER)):
                    self._exchange.trade_by_hand(
                        self._account, market.symbol, "sell" if held > ZERO else "buy", abs(held)
                    )

    # ------------------------------------------------------------------------------------------------------------------

    def _push(self, order: Order, status: str = "") -> None:
        row = order.row()
        self.pushes.append(Push({**row, "status": status or row["status"]}, order.ask.app_placed))


def _reason(order: Order) -> str:
    """Why the exchange refuses what was checked before: it cannot be paid for, or delivered."""
    if order.product == DELIVERY and order.side == "SELL":
        return "Insufficient stock holding for this order."
    return "Insufficient funds. Check the orderbook for open orders."
