"""An account told as a story, so that tests read like the subject: ``World().buy("1", "100", fee="0.1").sell(...)``.

Each fact happens one second after the one before and gets an id of its own; numbers are written as text.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Context, Decimal
from typing import Literal

from trueup.book.book import Book
from trueup.book.snapshot import restore, snapshot
from trueup.model import events as e
from trueup.model.identifiers import AccountId, Seq
from trueup.model.instruments import Instrument
from trueup.model.numbers import exact
from trueup.model.positions import Balance, Cycle, Position
from trueup.model.times import NS_PER_SECOND

D = Decimal
ACCOUNT = AccountId("paper:test")
BTC = Instrument("BTC/USDC:USDC", "BTC", "linear", "BTC", "USDC", "USDC")
ETH = Instrument("ETH/USDC:USDC", "ETH", "linear", "ETH", "USDC", "USDC")
XBTUSD = Instrument("BTC/USD:BTC", "XBTUSD", "inverse", "BTC", "USD", "BTC")
ETHQUANTO = Instrument("ETH/USD:BTC", "ETHUSD", "quanto", "ETH", "USD", "BTC", D("0.000001"))
SPOT = Instrument("BTC/USDC", "BTC/USDC", "spot", "BTC", "USDC", "USDC")
ES_NEAR = Instrument("ES/USD:USD-2603", "ESH6", "linear", "ES", "USD", "USD", D(50))
ES_FAR = Instrument("ES/USD:USD-2606", "ESM6", "linear", "ES", "USD", "USD", D(50))


class World:
    """A builder of events, and the book that folds them.

    Attributes:
        events: All so far, in the order told.
        time: Of the last fact, in seconds.
    """

    def __init__(self, instrument: Instrument = BTC) -> None:
        self.events: list[e.Event] = []
        self.time = 0
        self._defined: set[tuple[str, int]] = set()
        self._ids = 0
        self.side = "net"
        self.on(instrument)

    # --- where and when -----------------------------------------------------------------------------------------------

    def on(self, instrument: Instrument, side: str = "net") -> "World":
        """What follows happens to this instrument, and to its long or short side in hedge mode."""
        self.instrument, self.side = instrument, side
        if (instrument.symbol, instrument.version) not in self._defined:
            self._defined.add((instrument.symbol, instrument.version))
            self.events.append(e.InstrumentDefined(ACCOUNT, instrument))
        return self

    def at(self, seconds: int) -> "World":
        """What follows happens then, and later."""
        self.time = seconds - 1
        return self

    def add(self, event: e.Event) -> "World":
        self.events.append(event)
        return self

    # --- facts --------------------------------------------------------------------------------------------------------

    def buy(self, quantity: str, price: str, **more: str | int | bool) -> "World":
        return self._fill("buy", quantity, price, **more)

    def sell(self, quantity: str, price: str, **more: str | int | bool) -> "World":
        return self._fill("sell", quantity, price, **more)

    def fund(self, amount: str, currency: str = "USDC") -> "World":
        return self._fact(e.FundingPaid, amount=D(amount), currency=currency, venue_id=self._id())

    def charge(self, amount: str, currency: str = "USDC") -> "World":
        return self._fact(e.FeeCharged, amount=D(amount), currency=currency, venue_id=self._id())

    def transfer(self, amount: str, currency: str = "USDC", reason: str = "deposit") -> "World":
        event = e.TransferBooked(ACCOUNT, D(amount), currency, self._now(), self._id(), reason)
        return self.add(event)

    def split(self, new: int, old: int, quantity_after: str | None = None) -> "World":
        after = None if quantity_after is None else D(quantity_after)
        return self._fact(e.SplitBooked, new=new, old=old, venue_id=self._id(), quantity_after=after)

    def roll(self, near: Instrument, quantity: str, near_price: str, far_price: str, basis: str, by: str) -> "World":
        prices = D(near_price), D(far_price), D(basis)
        event = e.RollBooked(
            ACCOUNT, self._id(), near.symbol, self.instrument.symbol, by, D(quantity), *prices, self._now()
        )
        return self.add(event)

    def flag_liquidation(self) -> "World":
        return self._fact(e.LiquidationFlagged, venue_id=self._id())

    def leverage(self, leverage: str) -> "World":
        return self._fact(e.LeverageSet, leverage=D(leverage), venue_id=self._id())

    def margin_mode(self, mode: str) -> "World":
        return self._fact(e.MarginModeSet, margin_mode=mode, venue_id=self._id())

    def opening(self, quantity: str, price: str | None = None) -> "World":
        return self._fact(
            e.OpeningPosition,
            quantity=D(quantity),
            opening_id=self._id(),
            price=None if price is None else D(price),
            instrument_version=self.instrument.version,
        )

    def opening_balance(self, amount: str, currency: str = "USDC") -> "World":
        return self.add(e.OpeningBalance(ACCOUNT, currency, D(amount), self._now(), self._id()))

    def declare(self, side: Literal["buy", "sell"], quantity: str, price: str, by: str = "external") -> "World":
        return self._fact(
            e.TradeDeclared,
            side=side,
            quantity=D(quantity),
            price=D(price),
            declaration_id=self._id(),
            author="alice",
            strategy=by,
            instrument_version=self.instrument.version,
        )

    def match(self, declaration: str, fill: str, quantity: str) -> "World":
        return self.add(e.DeclarationMatched(ACCOUNT, declaration, f"fill|{fill}", D(quantity)))

    def adjust(self, quantity: str = "0", price: str | None = None, cash: str = "0", currency: str = "") -> "World":
        return self._fact(
            e.AdjustmentBooked,
            adjustment_id=self._id(),
            cause="test",
            evidence="test",
            author="alice",
            quantity=D(quantity),
            price=None if price is None else D(price),
            currency=currency,
            cash=D(cash),
            instrument_version=self.instrument.version,
        )

    def mark(self, price: str) -> "World":
        return self.add(e.MarkSampled(ACCOUNT, self.instrument.symbol, D(price), self._now()))

    def order(self, order: str, status: str, filled: str = "0", quantity: str = "1") -> "World":
        return self._fact(
            e.OrderReported,
            side="buy",
            quantity=D(quantity),
            filled=D(filled),
            status=status,
            venue_order_id=order,
            report_id=self._id(),
        )

    # --- what came of it ----------------------------------------------------------------------------------------------

    @property
    def last_id(self) -> str:
        """The id of the last fact."""
        return str(self._ids)

    @property
    def book(self) -> Book:
        """The book after everything told so far, admitted and folded in one batch."""
        return folded(self.events)

    @property
    def position(self) -> Position:
        """The position everything now happens to."""
        found = self.book.position(self.instrument.symbol, self.side)
        assert found is not None
        return found

    @property
    def cycles(self) -> Sequence[Cycle]:
        """Round trips of that position."""
        return self.book.tracks[(self.instrument.symbol, self.side)].take_cycles()[1]

    def balance(self, currency: str = "USDC") -> Balance:
        return self.book.balances()[currency]

    def _fill(self, side: Literal["buy", "sell"], quantity: str, price: str, **more: str | int | bool) -> "World":
        names = [name for name in ("fee", "fee_value", "settled_amount") if name in more]
        amounts: dict[str, object] = {name: D(more.pop(name)) for name in names}
        given: dict[str, object] = {
            "fee": D(0),
            "fee_currency": self.instrument.settle,
            "instrument_version": self.instrument.version,
            "venue_trade_id": self._id(),
        }
        fields = given | amounts | more
        return self._fact(e.FillBooked, side=side, quantity=D(quantity), price=D(price), **fields)

    def _fact(self, kind: Callable[..., e.Event], **fields: object) -> "World":
        return self.add(
            kind(
                account=ACCOUNT,
                instrument=self.instrument.symbol,
                position_side=self.side,
                venue_time=self._now(),
                **fields,
            )
        )

    def _now(self) -> int:
        self.time += 1
        return self.time * NS_PER_SECOND

    def _id(self) -> str:
        self._ids += 1
        return str(self._ids)


class Ledger:
    """A book with its journal: everything it folded, and how often it asked for that.

    Attributes:
        events: Everything folded.
        asked: How often the book asked for its history.
    """

    def __init__(self, events: Iterable[e.Event] = ()) -> None:
        self.events: list[e.Event] = []
        self.asked = 0
        self.book = Book(ACCOUNT, self.history)
        self.then(*events)

    def history(self) -> Iterator[tuple[Seq, e.Event]]:
        self.asked += 1
        return ((Seq(seq), event) for seq, event in enumerate(self.events, start=1))

    def then(self, *events: e.Event) -> Book:
        """Fold some more, in one batch."""
        self.events += events
        return folded(events, book=self.book)

    def restart(self) -> None:
        """Go on from a snapshot, as a new process would."""
        self.book = restore(snapshot(self.book), self.history)


def folded(events: Iterable[e.Event], batches: Sequence[int] = (), book: Book | None = None) -> Book:
    """The book that folds events in the order given, in batches of the sizes given and one for the rest."""
    book = Book(ACCOUNT) if book is None else book
    rest = list(events)
    for size in (*batches, len(rest)):
        batch, rest = rest[:size], rest[size:]
        for event in batch:
            if isinstance(event, e.InstrumentDefined):
                book.admit(event)
        book.evolve(batch, Seq(book.seq + 1))
    return book


def net(position: Position) -> Decimal:
    """Realised P&L less fees in the settlement currency: what the vectors call realised."""
    with exact():
        return position.realized_pnl - position.fees.get(position.instrument.settle, D(0))


def ds(*numbers: int | str | None) -> tuple[Decimal | None, ...]:
    """Decimals of numbers, to compare with."""
    return tuple(None if number is None else D(number) for number in numbers)


def rounded(number: Decimal | None, digits: int) -> Decimal:
    """To so many digits after the point, as the vectors print."""
    assert number is not None
    return Context(prec=60).quantize(number, D(1).scaleb(-digits))
