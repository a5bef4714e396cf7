"""One account as OANDA keeps it: what the exchange tells of it, as transactions numbered without holes.

Nothing is remembered of the exchange but how far its history was read, so that whoever trades there by other ways shows
here too. A transaction once written never changes.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal

from trueup.model.errors import OutcomeUnknown
from trueup.model.events import Fact, FillBooked, FundingPaid, OrderReported, TransferBooked
from trueup.model.identifiers import AccountId
from trueup.model.numbers import ZERO
from trueup.model.orders import Amendment, OrderRequest
from trueup.ports import Clock
from trueup.testing.servers.oanda import orders as o
from trueup.testing.servers.oanda import wire
from trueup.testing.servers.oanda.filling import Fill, fill_row, financing_row
from trueup.testing.servers.oanda.markets import Markets
from trueup.testing.servers.oanda.trades import Trade, Trades
from trueup.testing.servers.oanda.wire import Row
from trueup.venues.paper.exchange import PaperExchange

USER_ID = 1_234_567

Side = tuple[str, bool]
"""(instrument, whether long)"""


class Books:
    """An account's transactions, and what follows from them.

    Attributes:
        transactions: From the first one on.
        balance: In the home currency, after the last transaction.
        realized, financing: By instrument and side, over the account's life.
        commission: By instrument, likewise.
        request_id: Of the client's request that is being served; empty between requests.
    """

    def __init__(
        self, exchange: PaperExchange, account: AccountId, account_id: str, markets: Markets, clock: Clock
    ) -> None:
        self.account_id = account_id
        self.markets = markets
        self.hedged = exchange.hedged(account)
        self.transactions: list[Row] = []
        self.orders = o.Orders()
        self.trades = Trades()
        self.balance = ZERO
        self.realized: defaultdict[Side, Decimal] = defaultdict(Decimal)
        self.financing: defaultdict[Side, Decimal] = defaultdict(Decimal)
        self.commission: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.request_id = ""
        self._exchange = exchange
        self._account = account
        self._clock = clock
        self._time = 0
        self._cursor: str | None = None
        self._last: Fact | None = None
        self._intent: o.Intent | None = None
        self._reasons: dict[str, Row] = {}
        self._dependent: list[tuple[o.Intent, OrderRequest]] = []
        self._watching: set[asyncio.Event] = set()

    # --- reading ------------------------------------------------------------------------------------------------------

    @property
    def last_id(self) -> str:
        """Id of the last transaction."""
        return str(len(self.transactions))

    @property
    def next_id(self) -> str:
        """Id of the next transaction."""
        return str(len(self.transactions) + 1)

    def after(self, number: int) -> Sequence[Row]:
        """Transactions with a greater id."""
        return self.transactions[number:]

    def watch(self) -> asyncio.Event:
        """An event that is set whenever a transaction is written, until :meth:`unwatch`."""
        event = asyncio.Event()
        self._watching.add(event)
        return event

    def unwatch(self, event: asyncio.Event) -> None:
        """Set an event no more."""
        self._watching.discard(event)

    # --- what happened at the exchange --------------------------------------------------------------------------------

    def sync(self) -> None:
        """Write down what happened since. Raises :class:`Unavailable` while the exchange is down."""
        while facts := self._pull():
            if not self.transactions:
                self._open(facts[0])
            for step in _steps(facts):
                self._book(step)
            self._settle_dependents()

    def _pull(self) -> Sequence[Fact]:
        facts, self._cursor = self._exchange.history(self._account, self._cursor)
        news = facts[1:] if facts and facts[0] == self._last else facts
        self._last = facts[-1] if facts else None
        return news

    def _open(self, first: Fact) -> None:
        """The account's own first transactions."""
        time = first.venue_time if isinstance(first, TransferBooked | OrderReported | FillBooked) else self._clock.now()
        opening: Row = {"divisionID": 4, "siteID": 101, "accountUserID": USER_ID, "accountNumber": 1}
        self.write("CREATE", {**opening, "homeCurrency": self.markets.home}, time)
        self.write("CLIENT_CONFIGURE", {"alias": "Primary", "marginRate": "1"}, time)

    def _book(self, step: "Sequence[Fact]") -> None:
        match step[0]:
            case TransferBooked() as fact:
                self._transfer(fact)
            case FillBooked():
                self._fill([fact for fact in step if isinstance(fact, FillBooked)])
            case FundingPaid():
                self._pay([fact for fact in step if isinstance(fact, FundingPaid)])
            case OrderReported(status="open") as fact if self.orders.at_exchange(fact.venue_order_id) is None:
                self._create(fact)
            case OrderReported(status="canceled") as fact:
                self._cancel(fact)
            case _:
                pass  # what else is said of an order follows from its fills

    def _transfer(self, fact: TransferBooked) -> None:
        if fact.currency != self.markets.home:
            return  # collateral of the exchange, which OANDA's books know nothing of
        self.balance += wire.settled(fact.amount)
        row = {"amount": wire.money(fact.amount), "fundingReason": "CLIENT_FUNDING"}
        self.write("TRANSFER_FUNDS", {**row, "accountBalance": wire.money(self.balance)}, fact.venue_time)

    def _create(self, fact: OrderReported) -> None:
        intent, self._intent = self._intent, None
        if intent is None:
            quoted = self.markets.of(fact.instrument)
            intent = o.by_hand(fact, quoted.name, quoted.precision)
        self.create(intent, fact.venue_time, fact.quantity, fact.venue_order_id)

    def _cancel(self, fact: OrderReported) -> None:
        order = self.orders.at_exchange(fact.venue_order_id)
        if order is not None and order.pending:
            why = self._reasons.pop(fact.venue_order_id, None)
            self.cancel(order, why or {"reason": o.cancel_reason(order.intent)}, fact.venue_time)

    def _fill(self, fills: Sequence[FillBooked]) -> None:
        order = self.orders.at_exchange(fills[0].venue_order_id)
        if order is None:
            raise LookupError(f"the exchange filled {fills[0].venue_order_id}, which it never reported")
        fill = Fill.of(fills, order, self.markets, self.trades, self.next_id)
        self.balance += fill.realized - fill.commission
        fill.book(self.trades)
        for closing, amount in fill.closings:
            self.realized[closing.trade.instrument, closing.trade.long] += amount
        self.commission[fill.instrument] += fill.commission
        order.left -= abs(fill.units)
        row = self.write("ORDER_FILL", fill_row(fill, self.balance), fill.time, order.id)
        if not order.left:
            order.state = "FILLED"
            order.ended = {"fillingTransactionID": row["id"], "filledTime": row["time"], **fill.touched()}
        if fill.opened is not None:
            self._dependent += _dependents(order, fill.opened, fills[0], row["id"])

    def _pay(self, payments: Sequence[FundingPaid]) -> None:
        row, total = financing_row(payments, self.markets, self.trades, self.financing)
        self.balance += total
        self.write("DAILY_FINANCING", {**row, "accountBalance": wire.money(self.balance)}, payments[-1].venue_time)

    # --- what clients do ----------------------------------------------------------------------------------------------

    def place(self, intent: o.Intent, request: OrderRequest) -> None:
        """Ask the exchange, and write down what came of it. Raises as :meth:`PaperExchange.place` does."""
        self._intent = intent
        try:
            self._exchange.place(self._account, request)
        finally:
            self.sync()
            self._intent = None

    def amend(self, intent: o.Intent, order: o.Order, amendment: Amendment) -> None:
        """Replace an order. Raises as :meth:`PaperExchange.amend` does."""
        replaced = str(len(self.transactions) + 2)  # the cancel comes first
        self._intent = intent
        self._reasons[order.exchange_id] = {"reason": "CLIENT_REQUEST_REPLACED", "replacedByOrderID": replaced}
        try:
            self._exchange.amend(self._account, order.exchange_id, amendment)
        finally:
            self.sync()
            self._intent = None
            self._reasons.pop(order.exchange_id, None)

    def withdraw(self, order: o.Order, reason: str) -> None:
        """Cancel a pending order. Raises as :meth:`PaperExchange.cancel` does."""
        self._reasons[order.exchange_id] = {"reason": reason}
        try:
            self._exchange.cancel(self._account, order.exchange_id)
        finally:
            self.sync()
            self._reasons.pop(order.exchange_id, None)

    def exchange_client_id(self, client_id: str) -> str:
        """The client's id as the exchange can take it, which takes each once; OANDA again when its order has ended."""
        if client_id and self._exchange.find(self._account, client_id) is not None:
            return f"{client_id}#{self.next_id}"
        return client_id

    def _settle_dependents(self) -> None:
        """End the orders on trades that are closed, and place those that trades come with."""
        for order in self.orders.pending():
            trade = self.trades.find(order.trade_id) if order.trade_id else None
            if trade is not None and not trade.open:
                self._exchange.cancel(self._account, order.exchange_id)
        waiting, self._dependent = self._dependent, []
        for intent, request in waiting:
            trade = self.trades.find(intent.closes)
            if trade is None or not trade.open:
                continue  # what was placed before it has closed the trade already
            with suppress(OutcomeUnknown):  # nobody waits for an answer; whether it was placed the history tells
                self.place(intent, request)

    # --- writing ------------------------------------------------------------------------------------------------------

    def create(self, intent: o.Intent, time: int, quantity: Decimal, exchange_id: str = "") -> o.Order:
        """Write an order down; without an exchange id it never comes to the exchange."""
        row = {**intent.terms, **intent.more, "reason": intent.reason}
        row = self.write(f"{intent.type}_ORDER", row, time, self.last_id if intent.reason == "REPLACEMENT" else "")
        order = o.Order(row["id"], exchange_id, intent, time, quantity)
        self.orders.add(order)
        return order

    def cancel(self, order: o.Order, why: Row, time: int) -> None:
        """Write down that an order has ended unfilled."""
        named = {"clientOrderID": order.client_id} if order.client_id else {}
        row = self.write("ORDER_CANCEL", {"orderID": order.id, **named, **why}, time, order.id)
        order.state = "CANCELLED"
        order.ended = {"cancellingTransactionID": row["id"], "cancelledTime": row["time"]}
        if "replacedByOrderID" in why:
            order.ended["replacedByOrderID"] = why["replacedByOrderID"]

    def write(self, kind: str, row: Row, time: int, order_id: str = "") -> Row:
        """Give a transaction its number, and a time that is not before the last one's.

        It joins the batch of the transaction ``order_id`` where that was the last one, of the same request.
        """
        number, before = self.next_id, self.transactions[-1] if self.transactions else {}
        joins = order_id and order_id == before.get("id") and self.request_id == before.get("requestID", "")
        self._time = max(self._time, time)
        written: Row = {
            "type": kind,
            **row,
            "id": number,
            "accountID": self.account_id,
            "userID": USER_ID,
            "batchID": before["batchID"] if joins else number,
            **({"requestID": self.request_id} if self.request_id else {}),
            "time": wire.stamp(self._time),
        }
        self.transactions.append(written)
        for event in self._watching:
            event.set()
        return written


def _steps(facts: Iterable[Fact]) -> list[list[Fact]]:
    """Facts that make one transaction together: what an order took in one go, and what one time of funding paid."""
    steps: list[list[Fact]] = []
    for fact in facts:
        if isinstance(fact, OrderReported) and fact.status in {"partially_filled", "filled"}:
            continue
        if steps and _belongs(fact, steps[-1]):
            steps[-1].append(fact)
        else:
            steps.append([fact])
    return steps


def _belongs(fact: Fact, step: Sequence[Fact]) -> bool:
    first = step[0]
    if isinstance(fact, FillBooked) and isinstance(first, FillBooked):
        return fact.venue_order_id == first.venue_order_id and fact.liquidity == first.liquidity == "taker"
    if isinstance(fact, FundingPaid) and isinstance(first, FundingPaid):
        paid = {(other.instrument, other.position_side) for other in step if isinstance(other, FundingPaid)}
        return (fact.instrument, fact.position_side) not in paid
    return False


def _dependents(
    order: o.Order, trade: Trade, fill: FillBooked, transaction_id: str
) -> Iterable[tuple[o.Intent, OrderRequest]]:
    """The orders that a filled order puts on the trade it opened."""
    for field, kind in o.ON_FILL.items():
        asked = order.intent.terms.get(field)
        if asked is None:
            continue
        terms = {"tradeID": trade.id, "timeInForce": "GTC", "triggerCondition": "DEFAULT", **asked}
        intent = o.Intent(kind, terms, "ON_FILL", {"orderFillTransactionID": transaction_id}, trade.id)
        yield intent, o.on_trade(kind, fill.instrument, trade.units, Decimal(asked["price"]), fill.position_side)
