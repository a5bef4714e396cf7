"""What happened to a portfolio, read off the exchange: its orders and fills, oldest first, as the venue shows them.

Nothing is remembered of the exchange but how far its history was read, so that whoever trades there by other ways shows
here too.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

from trueup.model.events import Fact, FillBooked, OrderReported
from trueup.model.identifiers import AccountId
from trueup.model.numbers import ZERO, canonical, exact
from trueup.model.times import NS_PER_SECOND
from trueup.testing.servers.coinbase.orders import KINDS, Intent, Order, Status
from trueup.testing.servers.coinbase.products import Products
from trueup.testing.servers.coinbase.wire import Row, digest, stamp, uuid
from trueup.venues.paper.account import Holding
from trueup.venues.paper.exchange import PaperExchange

_STEP = 1_000
_DAY_NS = 86_400 * NS_PER_SECOND

BY_HAND = "RETAIL_SIMPLE"
"""Where orders come from that did not come over this interface."""


class Fill:
    """A fill's row, with what lists are sorted and searched by."""

    __slots__ = ("order_id", "price", "row", "sequence", "trade_id")

    def __init__(self, row: Row, sequence: int, price: Decimal) -> None:
        self.row = row
        self.sequence = sequence
        self.price = price
        self.order_id: str = row["order_id"]
        self.trade_id: str = row["trade_id"]


class History:
    """One portfolio's past; :meth:`catch_up` adds what is new.

    Args:
        exchange: Where it happens.
        account: Whose.
        products: Of the venue.
        settles_after: How many looks at orders find a new one pending still, and at fills a new one not there yet.

    Attributes:
        user_id, portfolio_id: Ids that every row carries.
        orders: By order id, oldest first.
        by_client: Order ids by client order id.
        fills: Oldest first.
        intent: What was asked of the venue, until the next new order takes it.
    """

    def __init__(
        self, exchange: PaperExchange, account: AccountId, products: Products, *, settles_after: int = 0
    ) -> None:
        self.user_id = uuid("user", account)
        self.portfolio_id = uuid("portfolio", account)
        self.orders: dict[str, Order] = {}
        self.by_client: dict[str, str] = {}
        self.fills: list[Fill] = []
        self.intent: Intent | None = None
        self._exchange = exchange
        self._account = account
        self._products = products
        self._by_exchange: dict[str, Order] = {}
        self._editing: Order | None = None
        self._ending: tuple[Status, str] = ("CANCELLED", "")
        self._held: dict[str, Holding] = defaultdict(Holding)
        self._realized: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
        self._reversed: set[str] = set()
        self._seen = 0
        self._settles_after = settles_after
        self._looks = {"orders": 0, "fills": 0}
        self._shown_from: dict[str, int] = {}
        self._listed_from: list[int] = []

    def catch_up(self) -> "History":
        """Read what is new. Raises :class:`Unavailable` where the exchange does."""
        while True:
            cursor = str(self._seen - 1) if self._seen else None
            page, _ = self._exchange.history(self._account, cursor, limit=_STEP)
            new = page[1:] if self._seen else page
            if not new:
                return self
            with exact():
                for fact in new:
                    self._fold(fact)
            self._seen += len(new)

    def order_of(self, report: OrderReported | FillBooked) -> Order | None:
        """The order that a fact is about; None where the venue does not have its market."""
        return self._by_exchange.get(report.venue_order_id)

    def look(self) -> Sequence[Order]:
        """All orders as a look at them shows them now, oldest first."""
        self._looks["orders"] += 1
        return [self.seen(order) for order in self.orders.values()]

    def seen(self, order: Order) -> Order:
        """An order as the last look showed it."""
        settled = self._looks["orders"] > self._shown_from[order.order_id]
        return order if settled or not self._settles_after else order.pending()

    def list_fills(self) -> Sequence[Fill]:
        """All fills that a look at them lists now, oldest first."""
        self._looks["fills"] += 1
        listed = bisect_right(self._listed_from, self._looks["fills"] - 1)
        return self.fills[:listed]

    def starts(self, report: OrderReported, order: Order) -> bool:
        """Whether a report is the first of an order that is told to be pending first."""
        return bool(self._settles_after) and report.status == "open" and not order.edits

    def working(self) -> list[Order]:
        """Orders that may still trade, oldest first."""
        return [order for order in self.orders.values() if order.status == "OPEN"]

    def realized(self, symbol: str, now: int) -> Decimal:
        """P&L that a product realised on the day, in UTC."""
        return self._realized.get((symbol, now // _DAY_NS), ZERO)

    @contextmanager
    def asking(self, intent: Intent) -> Iterator[None]:
        """The exchange is asked for an order meanwhile; what came of it is read, however that ended."""
        self.catch_up()
        self.intent = intent
        try:
            yield
        finally:
            self.catch_up()
            self.intent = None

    @contextmanager
    def editing(self, order: Order, intent: Intent) -> Iterator[None]:
        """The exchange replaces the order meanwhile; here it stays the same one."""
        self.catch_up()
        self._editing, self.intent = order, intent
        try:
            yield
        finally:
            self.catch_up()
            self._editing = self.intent = None

    @contextmanager
    def ending(self, status: Status, message: str) -> Iterator[None]:
        """What ends meanwhile ends so."""
        before, self._ending = self._ending, (status, message)
        try:
            yield
            self.catch_up()
        finally:
            self._ending = before

    def _fold(self, fact: Fact) -> None:
        match fact:
            case OrderReported() if fact.instrument in self._products.by_symbol:
                self._order(fact)
            case FillBooked() if fact.instrument in self._products.by_symbol:
                self._fill(fact)
            case _:
                pass  # this interface tells neither deposits nor funding

    def _order(self, report: OrderReported) -> None:
        order = self._by_exchange.get(report.venue_order_id)
        if order is None:
            self._begin(report)
        elif report.status == "filled":
            order.status = "FILLED"
        elif report.status == "canceled" and order is not self._editing:
            order.status, order.cancel_message = self._ending

    def _begin(self, report: OrderReported) -> None:
        intent, self.intent = self.intent, None
        if self._editing is not None and intent is not None:
            self._replaced(self._editing, intent, report)
            return
        order = Order(
            uuid("order", self._account, report.venue_order_id),
            report.venue_order_id,
            self._products.by_symbol[report.instrument],
            report.side,
            intent or self._by_hand(report),
            report.quantity,
            report.venue_time,
            forced=report.venue_order_id.startswith("forced"),
        )
        self.orders[order.order_id] = self._by_exchange[report.venue_order_id] = order
        self.by_client[order.intent.client_order_id] = order.order_id
        self._shown_from[order.order_id] = self._looks["orders"] + self._settles_after

    def _replaced(self, order: Order, intent: Intent, report: OrderReported) -> None:
        """An order goes on under another id of the exchange."""
        self._editing = None
        del self._by_exchange[order.exchange_id]
        order.exchange_id, order.intent = report.venue_order_id, intent
        order.quantity = order.filled + report.quantity
        edit = {"price": intent.terms["limit_price"], "size": canonical(order.quantity)}
        order.edits = [*order.edits, {**edit, "replace_accept_timestamp": stamp(report.venue_time)}]
        self._by_exchange[order.exchange_id] = order

    def _by_hand(self, report: OrderReported) -> Intent:
        """What somebody asked for elsewhere: the venue gives such an order a client's id too."""
        name = uuid("client", self._account, report.venue_order_id)
        return Intent(name, KINDS["market_market_ioc"], {"base_size": canonical(report.quantity)}, source=BY_HAND)

    def _fill(self, fill: FillBooked) -> None:
        order = self._by_exchange[fill.venue_order_id]
        market = order.product.market
        if not market.spot:
            signed = fill.quantity if fill.side == "buy" else -fill.quantity
            gain = self._held[fill.instrument].trade(market, signed, fill.price)
            self._realized[fill.instrument, fill.venue_time // _DAY_NS] += gain
        if fill.side == order.side:
            order.fill(fill.quantity, fill.price, fill.fee, fill.venue_time)
            row = self._traded(order, fill)
        else:
            row = self._taken_back(order, fill)
        self.fills.append(Fill(row, fill.venue_time, fill.price))
        self._listed_from.append(self._looks["fills"] + self._settles_after)

    def _traded(self, order: Order, fill: FillBooked) -> Row:
        size = fill.quantity * fill.price if order.in_quote else fill.quantity
        return {
            "entry_id": digest("entry", self._account, fill.venue_trade_id),
            "trade_id": uuid("trade", self._account, fill.venue_trade_id),
            "order_id": order.order_id,
            "trade_time": stamp(fill.venue_time),
            "trade_type": "FILL",
            "price": canonical(fill.price),
            "size": canonical(size),
            "commission": canonical(fill.fee),
            "product_id": order.product.id,
            "sequence_timestamp": stamp(fill.venue_time),
            "liquidity_indicator": "MAKER" if fill.liquidity == "maker" else "TAKER",
            "size_in_quote": order.in_quote,
            "user_id": self.user_id,
            "side": fill.side.upper(),
            "retail_portfolio_id": self.portfolio_id,
        }

    def _taken_back(self, order: Order, fill: FillBooked) -> Row:
        """The row of a fill that is taken back, once more: which sign and side the venue gives it is not known."""
        terms = self._traded(order, fill)
        row = next(
            other.row
            for other in self.fills
            if other.order_id == order.order_id
            and other.trade_id not in self._reversed
            and (other.row["price"], other.row["size"]) == (terms["price"], terms["size"])
        )
        self._reversed.add(row["trade_id"])
        own = ("entry_id", "trade_time", "sequence_timestamp")
        return row | {field: terms[field] for field in own} | {"trade_type": "REVERSAL"}
