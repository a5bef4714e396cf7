"""One account's dealings with the exchange: what happened to it, its orders, and how both are told."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from trueup.model.differences import VenueSnapshot
from trueup.model.errors import Rejected
from trueup.model.events import Fact, FillBooked
from trueup.model.facts import fact_key
from trueup.model.identifiers import AccountId
from trueup.model.numbers import exact
from trueup.model.orders import OrderRequest
from trueup.ports import Clock
from trueup.venues.paper.account import Account
from trueup.venues.paper.feed import Feed
from trueup.venues.paper.orders import Order


class Truth(msgspec.Struct, frozen=True):
    """What an account really did and holds, whatever was reported of it.

    Attributes:
        trade_ids: Of every fill, in order; dense from 1.
        fact_keys: Of everything in the history, in order.
        positions: Signed quantities of derivatives that are not flat, by symbol; a long and a short one together.
        balances: By currency.
    """

    trade_ids: tuple[str, ...]
    fact_keys: tuple[str, ...]
    positions: Mapping[str, Decimal]
    balances: Mapping[str, Decimal]


class Stamps:
    """Exchange time: the clock's, and for each fact a time of its own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = clock.now()

    def now(self) -> int:
        """The clock's time."""
        return self._clock.now()

    def next(self) -> int:
        """A time later than every one given before."""
        self._last = max(self._clock.now(), self._last + 1)
        return self._last


class Desk:
    """The account's money, its history without gaps, its orders, and the feed that reports them.

    Attributes:
        by_client: Orders by client order id, in whatever state; of an amended one the newest.
        asked: What was first asked for by client order id.
        busted: Ids of trades that the exchange took back.
        served: The last snapshot given.
        down_until: End of an outage, in exchange time.
        fills, placed, looked: Fills, orders and snapshots so far: what the plan of faults counts.
    """

    def __init__(self, account_id: AccountId, account: Account, feed: Feed, stamps: Stamps) -> None:
        self.id = account_id
        self.account = account
        self.feed = feed
        self.orders: dict[str, Order] = {}
        self.by_client: dict[str, Order] = {}
        self.asked: dict[str, OrderRequest] = {}
        self.busted: set[str] = set()
        self.served: VenueSnapshot | None = None
        self.down_until = 0
        self.fills = self.placed = self.looked = 0
        self._stamps = stamps
        self._facts: list[Fact] = []
        self._working: dict[str, Order] = {}

    def record(self, fact: Fact) -> None:
        """Write a fact down, and report it."""
        self._facts.append(fact)
        self.feed.publish(fact, self._stamps.now())

    def name(self, kind: str) -> str:
        """An id for the next fact."""
        return f"{kind}-{len(self._facts) + 1}"

    def take(self, request: OrderRequest, kind: str = "order") -> Order:
        """Give a request its venue order id and its place among the working orders."""
        order = Order(request, self.name(kind))
        self.orders[order.venue_order_id] = self._working[order.venue_order_id] = order
        if request.client_order_id:
            self.by_client[request.client_order_id] = order
            self.asked.setdefault(request.client_order_id, request)
        self.report(order, "open")
        return order

    def report(self, order: Order, status: str) -> None:
        """Record a change of an order's state."""
        order.status = status
        order.updated_at = self._stamps.next()
        order.reports += 1
        if not order.working:
            self._working.pop(order.venue_order_id, None)
        self.record(order.reported(self.id))

    def trade(self, trade_id: str) -> FillBooked:
        """A trade by its id. Rejected where there is none."""
        for fact in self._facts:
            if isinstance(fact, FillBooked) and fact.venue_trade_id == trade_id:
                return fact
        raise Rejected(f"trade_id={trade_id!r}: no such trade.", venue_code="unknown_trade")

    def working(self, symbol: str) -> Sequence[Order]:
        """Orders of an instrument that may still trade, oldest first."""
        return [order for order in self._working.values() if order.request.instrument == symbol]

    def observe(self) -> VenueSnapshot:
        """The state at a cut of its own: every fact so far is before it, every later one after it."""
        with exact():
            return VenueSnapshot(
                self.id,
                cut=self._stamps.next(),
                positions=self.account.shown(),
                balances=dict(self.account.balances),
                open_orders={name: order.shown(self.id) for name, order in self._working.items()},
                position_scope=self.account.derivatives,
                source=("paper",),
            )

    def page(self, cursor: str | None, limit: int) -> tuple[Sequence[Fact], str]:
        """Up to ``limit`` facts that follow the one the cursor names, with that one; and the next cursor."""
        start = self._place(cursor)
        facts = self._facts[start : start + limit + 1]
        return facts, str(start + max(len(facts) - 1, 0))

    def truth(self) -> Truth:
        """What the account did and holds."""
        return Truth(
            tuple(fact.venue_trade_id for fact in self._facts if isinstance(fact, FillBooked)),
            tuple(fact_key(fact) or "" for fact in self._facts),
            {market.symbol: self.account.net(market.symbol) for market, _ in self.account.held()},
            dict(self.account.balances),
        )

    def _place(self, cursor: str | None) -> int:
        if cursor is None:
            return 0
        if cursor.isascii() and cursor.isdigit() and int(cursor) < max(len(self._facts), 1):
            return int(cursor)
        raise Rejected(
            f"cursor={cursor!r}: names no fact of this account.",
            remedy="Start over without one.",
            venue_code="bad_cursor",
        )
