"""What earlier rows and answers have told about the account, so that later ones can be understood.

Everything that a reader remembers is here. A fact never depends on it in part: where something that is needed is not
known, the row is refused or gives no fact, so that reading it again with more knowledge cannot contradict the book.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Literal

import msgspec

from trueup.book.orders import ENDED
from trueup.model.errors import BadInput
from trueup.model.events import OrderReported
from trueup.model.identifiers import AccountId, PositionSide
from trueup.model.instruments import Instrument
from trueup.model.positions import OpenOrder
from trueup.venues.oanda import instruments

HOME_UNKNOWN = "Import the account's answer (GET /accounts/ID) first or beside it, or give --home-currency."

_ACCOUNT, _HOME, _HEDGING = "account_id", "home_currency", "hedging"
_YES = "true"
_LAST_ID = 2**63 - 1


class Trade(msgspec.Struct, frozen=True):
    """A trade as OANDA counts them: what one opening fill opened.

    Attributes:
        quantity: Positive, as it was opened.
    """

    instrument: str
    side: Literal["buy", "sell"]
    quantity: Decimal


class Known:
    """The account as far as it is known.

    Attributes:
        learnt: What answers said of the account itself, by name; it is on record from then on.
        created: Its first transaction was read, so its balance began at zero.
        two_sided: A fill opened one side of an instrument while the other was held.
        orders: The newest report of each order, by order id.
        trades: By trade id.
        held: Trades not closed yet by what was read, each with the transaction that opened it.
        closed: Trades that what was read closed.
    """

    def __init__(
        self,
        account: AccountId,
        home: str,
        *,
        hedging: bool | None,
        open_orders: Iterable[OpenOrder] = (),
        learnt: Mapping[str, str],
    ) -> None:
        self.account = account
        self.learnt = dict(learnt)
        self._home = home
        self._hedging = hedging
        self.created = False
        self.two_sided = False
        self.orders = {order.venue_order_id: _as_report(order) for order in open_orders}
        self.trades: dict[str, Trade] = {}
        self.held: dict[str, tuple[int, Trade]] = {}
        self.closed: set[str] = set()
        self._by_name: dict[str, Instrument] = {}
        self._by_symbol: dict[str, Instrument] = {}

    def fork(self, *, orders: bool = True) -> "Known":
        """The same knowledge, with that of orders or without, to go on from apart."""
        known = Known(self.account, self._home, hedging=self._hedging, learnt=self.learnt)
        known.created, known.two_sided = self.created, self.two_sided
        known.orders = self.orders.copy() if orders else {}
        known.trades, known.held = self.trades.copy(), self.held.copy()
        known.closed = self.closed.copy()
        known._by_name, known._by_symbol = self._by_name.copy(), self._by_symbol.copy()
        return known

    def forget_ended(self) -> None:
        """Drop orders and trades that have ended, which no later row refers to."""
        self.orders = {number: order for number, order in self.orders.items() if order.status not in ENDED}
        for trade in self.closed:
            self.trades.pop(trade, None)
        self.closed.clear()

    def define(self, instrument: Instrument) -> None:
        """Use these terms from now on."""
        self._by_name[instrument.native_symbol] = self._by_symbol[instrument.symbol] = instrument

    def instrument(self, name: str) -> Instrument:
        """The instrument of this OANDA name; from the name alone where the instruments answer was not read."""
        if name not in self._by_name:
            self.define(instruments.from_name(name))
        return self._by_name[name]

    def defined(self, symbol: str) -> Instrument | None:
        """The instrument of a symbol; None for that of an open order the book told of, since the book defines it."""
        return self._by_symbol.get(symbol)

    @property
    def home(self) -> str:
        """Its home currency, in which OANDA states every amount; empty while unknown."""
        return self.learnt.get(_HOME, self._home)

    @property
    def hedging(self) -> bool | None:
        """Whether it holds long and short positions side by side; None while unknown."""
        return self.learnt[_HEDGING] == _YES if _HEDGING in self.learnt else self._hedging

    def learn_hedging(self, *, hedging: bool) -> None:
        """Take from an answer whether it does."""
        self.learnt[_HEDGING] = _YES if hedging else "false"

    def learn_home(self, currency: str) -> None:
        """Take the home currency from an answer; raises :class:`BadInput` when another one is known."""
        if currency != (self.home or currency):
            raise BadInput(
                "currency",
                currency,
                f"the home currency of this account was given as {self.home}",
                remedy="Import each account under a name of its own (--account), and check --home-currency.",
            )
        self.learnt[_HOME] = currency

    def home_currency(self) -> str:
        """The home currency; raises :class:`BadInput` while it is unknown."""
        if not self.home:
            raise BadInput("currency", "", "the account's home currency is not known", remedy=HOME_UNKNOWN)
        return self.home

    def check_account(self, venue_account: str) -> None:
        """Answers of two accounts must not be mixed in one ledger; raises :class:`BadInput` for a second one."""
        known = self.learnt.setdefault(_ACCOUNT, venue_account)
        if venue_account != known:
            raise BadInput(
                "accountID",
                venue_account,
                f"another account than {known}, whose answers were read into {self.account} before",
                remedy="Import each account under a name of its own (--account).",
            )

    def position_side(self, *, buys: bool, closes: bool) -> PositionSide:
        """The position that a trade belongs to: ``net``, or in a hedging account the side it opens or closes.

        Raises:
            BadInput: Nothing says whether it is one, and what was read looks like it.
        """
        self.check_mode()
        if not self.hedging:
            return "net"
        return "long" if buys is not closes else "short"

    def check_mode(self) -> None:
        """Refuse to take positions as netted where what was read looks otherwise; raises :class:`BadInput`."""
        if self.hedging is None and self.two_sided:
            raise BadInput(
                "hedgingEnabled",
                "",
                "long and short were held side by side, and nothing says that the account does so",
                remedy="Import the account's answer (GET /accounts/ID) first, then this one again.",
            )


def _as_report(order: OpenOrder) -> OrderReported:
    """What the book holds of an order, as its newest report."""
    number = int(order.venue_order_id)
    return OrderReported(
        account=order.account,
        instrument=order.instrument,
        side="buy" if order.side == "buy" else "sell",
        quantity=order.quantity,
        filled=order.filled,
        status=order.status,
        venue_order_id=order.venue_order_id,
        venue_time=order.updated_at,
        report_id=order.venue_order_id,
        client_order_id=order.client_order_id,
        price=order.price,
        trigger_price=order.trigger_price,
        order_type=order.order_type,
        reduce_only=order.reduce_only,
        position_side=order.position_side,
        # Which transaction filled a part is not kept, so whatever happened at that very time counts as reported.
        venue_sequence=_LAST_ID if order.filled else number,
    )
