"""What a small account is offered: seeded facts of every kind, early and late, repeated, and contradicting."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random

import msgspec

from trueup.model import events as e
from trueup.model.facts import fact_key, order_key
from trueup.model.identifiers import AccountId, Side
from trueup.model.instruments import Instrument
from trueup.model.times import NS_PER_SECOND

PERP = Instrument("BTC/USDC:USDC", "BTC", "linear", "BTC", "USDC", "USDC")
INVERSE = Instrument("BTC/USD:BTC", "XBTUSD", "inverse", "BTC", "USD", "BTC")
SPOT = Instrument("ETH/USDC", "ETH/USDC", "spot", "ETH", "USDC", "USDC")
INSTRUMENTS = (PERP, INVERSE, SPOT)

START = 1_700_000_000 * NS_PER_SECOND
LATE = 1 / 6
"""Share of facts that happened before others that were offered already."""


class Offers:
    """Makes offers for one account.

    Args:
        account: Whose.
        random: For everything.
        plain: Whether to leave out what makes a position more than the sum of its fills: openings, splits, roles of
            people who declare trades.

    Attributes:
        made: Every fact offered so far, for repeating, but for those that only the history tells.
        history: The venue's, page by page. The cursor behind a page is the number of pages up to it.
    """

    def __init__(self, account: AccountId, random: Random, *, plain: bool) -> None:
        self.account = account
        self.made: list[e.Fact] = []
        self.history: list[list[e.Fact]] = []
        self._random = random
        self._time = START
        self._ids = 0
        kinds: list[tuple[Callable[[], e.Fact], int]] = [
            (self._fill, 12),
            (self._funding, 2),
            (self._fee, 2),
            (self._transfer, 2),
            (self._order, 2),
            (self._leverage, 1),
            (self._liquidation, 1),
        ]
        if not plain:
            kinds += [(self._opening, 1), (self._opening_balance, 1), (self._split, 1), (self._declared, 3)]
        self._kinds = [kind for kind, weight in kinds for _ in range(weight)]

    def definitions(self) -> list[e.Fact]:
        """The terms of every instrument."""
        return [e.InstrumentDefined(self.account, instrument) for instrument in INSTRUMENTS]

    def fresh(self) -> list[e.Fact]:
        """Facts nobody has offered yet."""
        facts = self._facts()
        self.made += facts
        return facts

    def page(self, done: int) -> list[e.Event]:
        """The page of the venue's history behind so many, some of it told before, and the cursor to go on from."""
        if done == len(self.history):
            self.history.append(sorted([*self.repeated(), *self._facts()], key=order_key))
        return [*self.history[done], e.CursorMoved(self.account, str(done + 1))]

    def repeated(self) -> list[e.Fact]:
        """Facts offered before, most of them recently, and some again within the offer."""
        newest = self.made[-12:] if self._random.random() < 1 / 2 else self.made
        return [self._random.choice(newest) for _ in range(self._random.randint(1, 4))] if newest else []

    def contradicting(self) -> list[e.Fact]:
        """A fill offered before, under its identity, at another price."""
        fills = [fact for fact in self.made if type(fact) is e.FillBooked]
        if not fills:
            return []
        fill = self._random.choice(fills)
        return [msgspec.structs.replace(fill, price=fill.price + self._random.randint(1, 2))]

    def mixed(self) -> list[e.Fact]:
        """All of these in one offer."""
        facts = [*self.repeated(), *self.fresh(), *self.contradicting()]
        self._random.shuffle(facts)
        return facts

    def mark(self) -> e.MarkSampled:
        """A decision that goes in as it is."""
        return e.MarkSampled(self.account, PERP.symbol, self._price(), self._now(), "simulation")

    def source(self) -> e.SourceRead:
        """A note of provenance."""
        return e.SourceRead(self.account, f"answer-{self._id()}", "00" * 32, "fills", 1, 0)

    def _facts(self) -> list[e.Fact]:
        return [self._random.choice(self._kinds)() for _ in range(self._random.choice((1, 1, 2, 3, 6)))]

    # --- kinds --------------------------------------------------------------------------------------------------------

    def _fill(self) -> e.FillBooked:
        instrument = self._random.choice(INSTRUMENTS)
        return e.FillBooked(
            account=self.account,
            side=self._side(),
            quantity=self._quantity(),
            price=self._price(),
            fee=Decimal(self._random.randint(-2, 9)) / 100,
            fee_currency=self._random.choice((instrument.settle, "BNB")),
            venue_trade_id=self._id(),
            venue_sequence=self._random.randrange(3),
            strategy=self._random.choice(("trend", "carry", "external")),
            instrument=instrument.symbol,
            position_side="net",
            venue_time=self._now(),
        )

    def _funding(self) -> e.FundingPaid:
        amount = Decimal(self._random.randint(-50, 50)) / 100
        return e.FundingPaid(
            self.account, PERP.symbol, amount, PERP.settle, self._now(), self._id(), position_side="net"
        )

    def _fee(self) -> e.FeeCharged:
        symbol = self._random.choice(("", PERP.symbol))
        return e.FeeCharged(self.account, Decimal("0.25"), "USDC", self._now(), self._id(), symbol)

    def _transfer(self) -> e.TransferBooked:
        amount = Decimal(self._random.randint(-300, 900))
        return e.TransferBooked(self.account, amount, "USDC", self._now(), self._id())

    def _order(self) -> e.OrderReported:
        status = self._random.choice(("open", "partially_filled", "filled", "canceled"))
        return e.OrderReported(
            account=self.account,
            side=self._side(),
            quantity=Decimal(5),
            filled=Decimal(self._random.randint(0, 5)),
            status=status,
            venue_order_id=f"order-{self._random.randrange(6)}",
            report_id=self._id(),
            instrument=PERP.symbol,
            venue_time=self._now(),
        )

    def _leverage(self) -> e.LeverageSet:
        return e.LeverageSet(
            self.account, PERP.symbol, Decimal(self._random.randint(1, 20)), self._now(), self._id(), "net"
        )

    def _liquidation(self) -> e.LiquidationFlagged:
        return e.LiquidationFlagged(self.account, self._now(), self._id(), PERP.symbol)

    def _opening(self) -> e.OpeningPosition:
        price = self._random.choice((None, self._price()))
        quantity = Decimal(self._random.randint(-5, 5))
        return e.OpeningPosition(self.account, INVERSE.symbol, quantity, self._now(), self._id(), price=price)

    def _opening_balance(self) -> e.OpeningBalance:
        return e.OpeningBalance(self.account, "BTC", Decimal(self._random.randint(0, 9)), self._now(), self._id())

    def _split(self) -> e.SplitBooked:
        return e.SplitBooked(self.account, SPOT.symbol, 2, 1, self._now(), self._id())

    def _declared(self) -> e.TradeDeclared:
        return e.TradeDeclared(
            account=self.account,
            side=self._side(),
            quantity=self._quantity(),
            price=self._price(),
            declaration_id=self._id(),
            author="somebody",
            instrument=PERP.symbol,
            position_side="net",
            venue_time=self._now(),
        )

    # --- their parts --------------------------------------------------------------------------------------------------

    def _side(self) -> Side:
        return self._random.choice(_SIDES)

    def _quantity(self) -> Decimal:
        return self._random.choice((Decimal(1), Decimal(2), Decimal("0.5"), Decimal("3.7")))

    def _price(self) -> Decimal:
        return Decimal(self._random.randint(90, 110))

    def _id(self) -> str:
        self._ids += 1
        return str(self._ids)

    def _now(self) -> int:
        """A time of its own, mostly after all others."""
        self._time += self._random.randrange(1, 5 * NS_PER_SECOND)
        if self._random.random() < LATE:
            return self._random.randrange(START, self._time)
        return self._time


def names(events: Sequence[e.Event]) -> str:
    """Events in a line, by their identities or kinds."""
    return " ".join(fact_key(event) or type(event).__name__ for event in events)


_SIDES: tuple[Side, ...] = ("buy", "sell")
