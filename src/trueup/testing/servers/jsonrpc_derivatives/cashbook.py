"""What happened to an account's money, as the engine keeps it: cash, the P&L of the session, and the log of both.

A trade moves the fee alone; what it realises is P&L of the session, and so is what is held, marked to market. A
settlement turns both into cash, with the funding; here an instrument is settled whenever the exchange pays its funding.
So cash and the session together are the exchange's balance and its unrealised P&L.
"""

from collections import defaultdict
from decimal import Decimal

import msgspec

from trueup.model.events import FillBooked, FundingPaid, TransferBooked
from trueup.model.numbers import ZERO, exact, quotient
from trueup.testing.servers.jsonrpc_derivatives import wire
from trueup.testing.servers.jsonrpc_derivatives.markets import Contract, Markets, turned
from trueup.testing.servers.jsonrpc_derivatives.wire import Row
from trueup.venues.paper.account import Holding, gain

USERNAME = "rehearsal"

_NOTHING = dict.fromkeys(("trade_id", "order_id", "instrument_name", "position", "price", "interest_pl"))


class Session(msgspec.Struct):
    """One instrument since it was last settled, and before.

    Attributes:
        position: With its cost since it was opened.
        marked: The same with its worth at the last settlement as its cost.
        realized: P&L of the session, funding included.
        funding: Paid for it in the session.
        settled_price: At the last settlement; None before the first.
    """

    position: Holding
    marked: Holding
    realized: Decimal = ZERO
    funding: Decimal = ZERO
    settled_price: Decimal | None = None


class Entry(msgspec.Struct, frozen=True):
    """A row of the log with what it is searched by."""

    number: int
    time: int
    currency: str
    kind: str
    row: Row


class Cashbook:
    """One account's money.

    Args:
        markets: With their prices now.
        first: Where its numbers begin.
        user_id: Whose it is.

    Attributes:
        cash: By currency.
        sessions: By instrument name; of those ever traded.
        log: Oldest first.
    """

    def __init__(self, markets: Markets, first: int, user_id: int) -> None:
        self.cash: dict[str, Decimal] = defaultdict(Decimal)
        self.sessions: dict[str, Session] = defaultdict(lambda: Session(Holding(), Holding()))
        self.log: list[Entry] = []
        self._markets = markets
        self._first = first
        self._user_id = user_id

    def trade(self, fill: FillBooked, contract: Contract, trade: Row) -> Decimal:
        """Take a trade in; returns what it realised."""
        signed = fill.quantity if fill.side == "buy" else -fill.quantity
        session = self.sessions[contract.name]
        opens = session.position.quantity * signed >= ZERO
        realized = session.position.trade(contract.market, signed, fill.price)
        session.realized += session.marked.trade(contract.market, signed, fill.price)
        row = {
            **self._of(contract, session),
            "trade_id": trade["trade_id"],
            "order_id": trade["order_id"],
            "side": f"{'open' if opens else 'close'} {fill.side}",
            "price": wire.number(fill.price),
            "amount": wire.number(fill.quantity),
            "contracts": wire.rounded(turned(contract, fill.quantity)),
            "interest_pl": ZERO,
            "commission": wire.number(fill.fee),
            "cashflow": wire.rounded(realized),
            "mark_price": wire.number(fill.price),
            "index_price": wire.number(fill.price),
            "user_role": "maker" if fill.liquidity == "maker" else "taker",
            "fee_role": "maker" if fill.liquidity == "maker" else "taker",
            "profit_as_cashflow": False,
            "info": {},
        }
        kind = "liquidation" if fill.liquidation else "trade"
        self._enter(kind, contract.currency, -fill.fee, fill.venue_time, row)
        return realized

    def settle(self, funding: FundingPaid, contract: Contract) -> None:
        """Turn an instrument's session into cash."""
        session = self.sessions[contract.name]
        price = self._marked_at(funding, contract, session)
        session.funding += funding.amount
        session.realized += funding.amount
        upl, rpl = self._marked(session, contract, price), session.realized
        row = {
            **self._of(contract, session),
            "side": "long" if session.position.quantity > ZERO else "short",
            "price": wire.rounded(price),
            "amount": wire.number(abs(session.position.quantity)),
            "interest_pl": wire.number(funding.amount),
            "session_rpl": wire.number(rpl),
            "session_upl": wire.rounded(upl),
            "commission": None,
            "cashflow": wire.rounded(rpl + upl),
            "info": {"settlement_price": wire.rounded(price), "floating_pl": wire.rounded(upl)},
        }
        session.marked.cost = contract.market.worth(session.marked.quantity, price)
        session.realized, session.funding, session.settled_price = ZERO, ZERO, price
        self._enter("settlement", contract.currency, rpl + upl, funding.venue_time, row)

    def move(self, transfer: TransferBooked) -> None:
        """Take money in, or out."""
        info = {"transaction": transfer.venue_id, "deposit_type": "wallet", "addr": "rehearsal"}
        kind = "deposit" if transfer.amount > ZERO else "withdrawal"
        row: Row = {"side": "-", "commission": ZERO, "cashflow": wire.number(transfer.amount), "info": info}
        self._enter(kind, transfer.currency, transfer.amount, transfer.venue_time, row)

    def realized(self, currency: str) -> Decimal:
        """P&L of the session, by trades and funding."""
        return sum((session.realized for _, session in self._in(currency)), ZERO)

    def unrealized(self, currency: str) -> Decimal:
        """P&L of the session, by what is held."""
        with exact():
            return sum(
                (self._marked(session, each, self._markets.price(each)) for each, session in self._in(currency)), ZERO
            )

    def floating(self, contract: Contract) -> Decimal:
        """P&L of the session, by what is held of one contract."""
        return self._marked(self.sessions[contract.name], contract, self._markets.price(contract))

    def _in(self, currency: str) -> list[tuple[Contract, Session]]:
        known = [(self._markets.named(name), session) for name, session in self.sessions.items()]
        return [(contract, session) for contract, session in known if contract.currency == currency]

    @staticmethod
    def _marked(session: Session, contract: Contract, price: Decimal) -> Decimal:
        market = contract.market
        return gain(market, session.marked.cost, market.worth(session.marked.quantity, price))

    def _marked_at(self, funding: FundingPaid, contract: Contract, session: Session) -> Decimal:
        """The price that funding was paid at: it says so itself, unless there was none to pay."""
        paid, rate = funding.amount, funding.rate
        if not paid or not rate:
            return self._markets.price(contract)
        exposed = session.position.quantity * rate
        return quotient(-exposed, paid) if contract.inverse else quotient(-paid, exposed)

    def _of(self, contract: Contract, session: Session) -> Row:
        """What every row of an instrument says."""
        return {
            "instrument_name": contract.name,
            "position": wire.number(session.position.quantity),
            "price_currency": contract.market.instrument.quote,
            "session_rpl": wire.rounded(session.realized),
            "session_upl": wire.rounded(self._marked(session, contract, self._markets.price(contract))),
            "total_interest_pl": wire.number(session.funding),
        }

    def _enter(self, kind: str, currency: str, change: Decimal, time: int, row: Row) -> None:
        self.cash[currency] += change
        number = self._first + len(self.log) + 1
        shown: Row = {
            **_NOTHING,
            "username": USERNAME,
            "user_seq": len(self.log) + 1,
            "user_id": self._user_id,
            "type": kind,
            "timestamp": wire.milliseconds(time),
            "id": number,
            "currency": currency,
            "change": wire.number(change),
            "balance": wire.number(self.cash[currency]),
            "equity": wire.rounded(self.cash[currency] + self.realized(currency) + self.unrealized(currency)),
            **row,
        }
        self.log.append(Entry(number, shown["timestamp"], currency, kind, shown))
