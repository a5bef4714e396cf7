"""What happened to an account, as the engine's rows: its orders and their trades, read off the exchange's own history.

A row, once told, never changes. What money did is in ``cashbook``.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import msgspec

from trueup.model import events as e
from trueup.model.facts import fact_key
from trueup.model.identifiers import AccountId
from trueup.model.numbers import exact
from trueup.testing.servers.jsonrpc_derivatives import wire
from trueup.testing.servers.jsonrpc_derivatives.cashbook import Cashbook
from trueup.testing.servers.jsonrpc_derivatives.markets import Contract, Markets, turned
from trueup.testing.servers.jsonrpc_derivatives.orders import Note, Placed
from trueup.testing.servers.jsonrpc_derivatives.wire import Row
from trueup.venues.paper.exchange import PaperExchange

IDS_PER_ACCOUNT = 1_000_000_000
FIRST_USER = 96_103

STRANGERS = 7
"""A market's trades are numbered, and most are other people's: of two of ours in a row so many lie apart."""

_STEP = 1_000

Kind = Literal["order", "trade"]


class Told(msgspec.Struct, frozen=True):
    """Something that channels tell."""

    kind: Kind
    contract: Contract
    row: Row


class Trade(msgspec.Struct, frozen=True):
    """A trade with what it is searched by.

    Attributes:
        number: Its id without the currency.
        sequence: Among the market's.
        time: Milliseconds.
    """

    contract: Contract
    number: int
    sequence: int
    time: int
    order_id: str
    row: Row


class AccountHistory:
    """One account's rows, oldest first; :meth:`catch_up` adds what is new.

    Attributes:
        orders: By id, oldest first.
        told: What channels tell of a fact, by its key.
        cashbook: What happened to its money.
        next_note: What was asked for beyond what the exchange keeps, until the next order takes it.
        seen: How many facts were folded.
        user_id: Whose it is, by the engine's number.
    """

    def __init__(self, exchange: PaperExchange, account: AccountId, place: int, markets: Markets) -> None:
        self.orders: dict[str, Placed] = {}
        self.trades: list[Trade] = []
        self.told: dict[str, list[Told]] = {}
        self.user_id = FIRST_USER + place
        self.cashbook = Cashbook(markets, (place + 1) * IDS_PER_ACCOUNT, self.user_id)
        self.next_note: Note | None = None
        self.seen = 0
        self._exchange = exchange
        self._account = account
        self._markets = markets
        self._first = (place + 1) * IDS_PER_ACCOUNT
        self._ids: dict[str, str] = {}
        self._papers: dict[str, str] = {}
        self._sequences: dict[str, int] = defaultdict(int)
        self._editing = ""
        self._reason = ""
        self._liquidating = ""

    def catch_up(self) -> "AccountHistory":
        """Fold what is new. Raises :class:`Unavailable` where the exchange does."""
        while True:
            cursor = str(self.seen - 1) if self.seen else None
            page, _ = self._exchange.history(self._account, cursor, limit=_STEP)
            new = page[1:] if self.seen else page
            if not new:
                return self
            with exact():
                for fact in new:
                    self.seen += 1
                    self.told[fact_key(fact) or ""] = list(self._fold(fact))

    @contextmanager
    def because(self, reason: str) -> Iterator[None]:
        """What is cancelled meanwhile is cancelled for a reason."""
        self._reason = reason
        try:
            yield
            self.catch_up()
        finally:
            self._reason = ""

    @contextmanager
    def editing(self, placed: Placed) -> Iterator[None]:
        """What the exchange replaces meanwhile stays one order."""
        self._editing = self.paper_id(placed)
        try:
            yield
            self.catch_up()
        finally:
            self._editing = ""

    def shown(self, venue_order_id: str) -> Placed:
        """An order by the exchange's id."""
        return self.orders[self._ids[venue_order_id]]

    def paper_id(self, placed: Placed) -> str:
        """The id of the exchange under which an order goes on."""
        return self._papers[placed.order_id]

    def labelled(self, label: str) -> list[Placed]:
        """Orders of a label, newest first."""
        return [placed for placed in reversed(self.orders.values()) if placed.note.label == label]

    def _fold(self, fact: e.Fact) -> Iterator[Told]:
        match fact:
            case e.FillBooked():
                self._liquidating = ""
                yield from self._fill(fact, self._markets.of(fact.instrument))
            case e.OrderReported():
                yield from self._order(fact, self._markets.of(fact.instrument))
            case e.FundingPaid():
                self.cashbook.settle(fact, self._markets.of(fact.instrument))
            case e.TransferBooked():
                self.cashbook.move(fact)
            case e.LiquidationFlagged():
                self._liquidating = fact.instrument
            case _:
                pass  # the exchange tells of nothing else

    # --- orders -------------------------------------------------------------------------------------------------------

    def _order(self, report: e.OrderReported, contract: Contract) -> Iterator[Told]:
        order_id = self._ids.get(report.venue_order_id)
        if order_id is None and self._editing:
            yield self._put(self._edited(report))
        elif order_id is None:
            note = self.next_note or Note(label=report.client_order_id)
            self.next_note = None
            collar = self._markets.collar(contract, buys=report.side == "buy")
            number = self._number(report.venue_order_id)
            placed = Placed.of(report, contract, note, user_id=self.user_id, number=number, collar=collar)
            self._link(report.venue_order_id, placed)
            yield self._put(placed)
        elif report.status in {"open", "partially_filled"}:
            yield self._put(msgspec.structs.replace(self.orders[order_id], updated_at=report.venue_time))
        elif report.venue_order_id != self._editing:
            yield from self._ended(self.orders[order_id], report)

    def _edited(self, report: e.OrderReported) -> Placed:
        """The edited order goes on under another id of the exchange."""
        before = self.shown(self._editing)
        self._link(report.venue_order_id, before)
        return msgspec.structs.replace(
            before,
            amount=before.filled + report.quantity,
            price=report.price,
            trigger_price=report.trigger_price if before.trigger_price is not None else None,
            updated_at=report.venue_time,
            replaced=True,
        )

    def _ended(self, placed: Placed, report: e.OrderReported) -> Iterator[Told]:
        if placed.state == "untriggered" and not self._reason and not self._liquidating:
            yield from self._fire(placed, report.venue_order_id, report.venue_time)
            placed = self.shown(report.venue_order_id)
        if report.status == "filled":
            state, reason = "filled", ""
        else:
            state, reason = "cancelled", "autoliquidation" if self._liquidating else self._reason or "user_request"
        yield self._put(msgspec.structs.replace(placed, state=state, reason=reason, updated_at=report.venue_time))

    def _fire(self, placed: Placed, venue_order_id: str, time: int) -> Iterator[Told]:
        """A trigger order comes to the market, as an order of its own."""
        collar = self._markets.collar(placed.contract, buys=placed.side == "buy")
        triggered, made = placed.fired(self._number(venue_order_id), time, collar)
        self._link(venue_order_id, made)
        yield self._put(triggered)
        yield self._put(made)

    def _link(self, venue_order_id: str, placed: Placed) -> None:
        self._ids[venue_order_id] = placed.order_id
        self._papers[placed.order_id] = venue_order_id

    def _put(self, placed: Placed) -> Told:
        self.orders[placed.order_id] = placed
        return Told("order", placed.contract, placed.row())

    def _number(self, venue_order_id: str) -> int:
        return self._first + int(venue_order_id.rpartition("-")[2])

    # --- trades -------------------------------------------------------------------------------------------------------

    def _fill(self, fill: e.FillBooked, contract: Contract) -> Iterator[Told]:
        placed = self.shown(fill.venue_order_id)
        if placed.state == "untriggered":
            yield from self._fire(placed, fill.venue_order_id, fill.venue_time)
            placed = self.shown(fill.venue_order_id)
        placed = self.orders[placed.order_id] = placed.traded(fill)
        self._sequences[contract.name] += STRANGERS
        number, sequence = self._first + int(fill.venue_trade_id), self._sequences[contract.name]
        row = _trade_row(fill, placed, contract.prefixed(str(number)), sequence)
        row["profit_loss"] = wire.rounded(self.cashbook.trade(fill, contract, row))
        self.trades.append(Trade(contract, number, sequence, row["timestamp"], placed.order_id, row))
        yield Told("trade", contract, row)


def _trade_row(fill: e.FillBooked, placed: Placed, trade_id: str, sequence: int) -> Row:
    price, contract = wire.number(fill.price), placed.contract
    row: Row = {
        "trade_seq": sequence,
        "trade_id": trade_id,
        "timestamp": wire.milliseconds(fill.venue_time),
        "tick_direction": 1,
        "state": "open" if placed.filled < placed.amount else "filled",
        "self_trade": False,
        "risk_reducing": False,
        "reduce_only": placed.reduce_only,
        "price": price,
        "post_only": placed.note.post_only,
        "order_type": "liquidation" if fill.liquidation else placed.kind,
        "order_id": placed.order_id,
        "mmp": False,
        "matching_id": None,
        "mark_price": price,
        "liquidity": "M" if fill.liquidity == "maker" else "T",
        "instrument_name": contract.name,
        "index_price": price,
        "fee_currency": fill.fee_currency,
        "fee": wire.number(fill.fee),
        "direction": fill.side,
        "contracts": wire.rounded(turned(contract, fill.quantity)),
        "api": placed.note.by_api,
        "amount": wire.number(fill.quantity),
        "user_id": placed.user_id,
    }
    if placed.note.label:
        row["label"] = placed.note.label
    if fill.liquidation:
        row["liquidation"] = "T"
    return row
