"""A witness of one account: remembers in plain dictionaries what was acknowledged, and holds the program to it.

It shares with the program the words of the trade and the fold, which it makes anew from the log each time. What it
checks carries the numbers of the design's invariants.
"""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import NoReturn

import msgspec

from trueup.book.book import Book
from trueup.book.snapshot import state_hash
from trueup.engine.door import Fate
from trueup.engine.keys import identity
from trueup.engine.ledger import Ledger
from trueup.engine.receipts import Receipt
from trueup.model import events as e
from trueup.model.facts import fact_key, terms
from trueup.model.identifiers import AccountId, Seq
from trueup.model.numbers import ZERO, exact
from trueup.ports import GENESIS, Frame, Head, Views
from trueup.testing.sim.offers import PERP

Offer = Sequence[e.Event]


class Violation(Exception):
    """The program broke a promise."""


class Witness:
    """Remembers one account.

    Args:
        account: Whose.
        history: What the venue's history tells, page by page; a cursor counts them.
        plain: Whether a position is the sum of its fills, so that sums can be checked.

    Attributes:
        pending: The offer that was not answered, until the log says what became of it.
    """

    def __init__(self, account: AccountId, history: Sequence[Sequence[e.Fact]], *, plain: bool) -> None:
        self.account = account
        self._history = history
        self.pending: Offer | None = None
        self._plain = plain
        self._events: list[e.Event] = []
        self._head = Head(Seq(0), GENESIS)
        self._terms: dict[str, tuple[object, ...]] = {}

    @property
    def acknowledged(self) -> int:
        """How many events were."""
        return len(self._events)

    # --- answers ------------------------------------------------------------------------------------------------------

    def answered(self, receipt: Receipt, ledger: Ledger) -> None:
        """The pending offer was acknowledged."""
        offer, self.pending = self.pending or (), None
        before = len(self._events)
        self._events += [event for _, event in ledger.events(Seq(before))]
        self._head = ledger.head
        if (receipt.last, self._head.seq) != (len(self._events), len(self._events)):
            self.broken("I1", f"{receipt} was answered, and the log ends at {self._head.seq}")
        facts = [event for event in offer if type(event) is not e.CursorMoved]
        if all(fact_key(event) for event in facts):  # decisions are not booked by identity
            self._check_fates(facts, receipt.fates)
        self._learn(self._events[before:])

    def _check_fates(self, offer: Offer, fates: Sequence[Fate]) -> None:
        """What is known is not booked again; what is not known is booked, unless it is a cut that is covered."""
        ordered = sorted(offer, key=lambda fact: type(fact) is not e.InstrumentDefined)
        known = dict(self._terms)
        for fact, fate in zip(ordered, fates, strict=True):
            key, content = fact_key(fact) or "", terms(fact)
            if key not in known:
                allowed = {Fate.BOOKED, Fate.COVERED} if type(fact) in _CUTS else {Fate.BOOKED}
            elif known[key] == content:
                allowed = {Fate.ALREADY}
            else:
                allowed = {Fate.QUARANTINED, Fate.QUARANTINED_BEFORE}
            if fate not in allowed:
                self.broken("I2", f"{key} was {fate}, expected {' or '.join(sorted(allowed))}")
            if fate is Fate.BOOKED:
                known[key] = content

    def _learn(self, events: Sequence[e.Event]) -> None:
        for event in events:
            key = fact_key(event)
            if key is None:
                continue
            if key in self._terms and type(event) is not e.InstrumentDefined:
                self.broken("I2", f"{key} stands twice in the log")
            self._terms[key] = terms(event)

    # --- after a restart ----------------------------------------------------------------------------------------------

    def resumed(self, ledger: Ledger) -> Offer | None:
        """The ledger was opened again: check all of it; the offer that was pending, to be made once more."""
        frames = list(ledger.journal.read())
        log = [event for _, event in ledger.events()]
        if log[: len(self._events)] != self._events:
            self.broken("I1", f"{len(self._events)} events were acknowledged, and the log has {len(log)}, not the same")
        if self._head.seq and (self._head.seq, self._head.hash) not in {(frame.last, frame.hash) for frame in frames}:
            self.broken("I1", f"the frame of seq {self._head.seq} is not the one that was acknowledged")
        self._adopt(log[len(self._events) :], [frame for frame in frames if frame.first > self._head.seq])
        self._head = ledger.head
        self.fold(ledger)
        offer, self.pending = self.pending, None
        return offer

    def _adopt(self, more: Sequence[e.Event], frames: Sequence[Frame]) -> None:
        """Events behind the last that was acknowledged are one frame: that of the pending offer."""
        if not more:
            return
        offered = [msgspec.msgpack.encode(terms(event)) for event in self.pending or () if fact_key(event)]
        strange = [
            event
            for event in more
            if event not in (self.pending or ())
            and type(event) not in _DERIVED
            and not (fact_key(event) and msgspec.msgpack.encode(terms(event)) in offered)
        ]
        if strange or len(frames) != 1:
            self.broken("I3", f"{len(frames)} frames stand behind the last acknowledged one, with {strange[:3]}")
        self._events += more
        self._learn(more)

    # --- at any time --------------------------------------------------------------------------------------------------

    def fold(self, ledger: Ledger) -> Book:
        """The book is the fold of the log (I3) and adds up (I10), and nothing up to its cursor is missing (I2)."""
        book = Book(self.account)
        book.evolve(self._events, Seq(1))
        if state_hash(book) != ledger.read(state_hash):
            self.broken("I3", f"the book at seq {book.seq} is not the fold of the log")
        told = self._history[: int(book.cursor or 0)]
        if missing := [fact for page in told for fact in page if not self._knows(fact)]:
            self.broken("I2", f"the cursor is {book.cursor}, and these of its facts are missing: {missing}")
        if self._plain:
            self._check_sums(ledger)
        return book

    def _knows(self, fact: e.Fact) -> bool:
        """Whether the log has it, or something else under its identity; what is covered is not written."""
        return fact_key(fact) in self._terms or type(fact) in _CUTS

    def check_views(self, ledger: Ledger, views: Views) -> None:
        """The views, caught up, are the book: rows, keys, round trips, and the second copy of the log."""
        book = self.fold(ledger)
        ours = (
            sorted(book.positions().values(), key=lambda p: (p.instrument.symbol, p.position_side)),
            sorted(book.balances().values(), key=lambda b: b.currency),
            sorted(book.open_orders().values(), key=lambda o: o.venue_order_id),
            sorted(key for event in self._events if (key := identity(event)) is not None),
            list(ledger.journal.read()),
        )
        theirs = (
            list(views.positions(self.account)[1]),
            list(views.balances(self.account)[1]),
            list(views.orders(self.account)[1]),
            sorted(views.keys(self.account)),
            list(views.frames(self.account)),
        )
        names = ("positions", "balances", "orders", "keys", "frames")
        for name, one, other in zip(names, ours, theirs, strict=True):
            if one != other:
                self.broken("I3", f"the {name} of the views are not the book's: {other} instead of {one}")
        for (symbol, side), track in book.tracks.items():
            cycles = [cycle for at, cycle in views.cycles(self.account, symbol) if at == side]
            if cycles != sorted(track.take_cycles()[1], key=lambda cycle: (cycle.closed_at, cycle.opened_at)):
                self.broken("I3", f"the round trips of {symbol} in the views are not the book's")

    def _check_sums(self, ledger: Ledger) -> None:
        """Positions and cash, added up in the plainest way (I10)."""
        quantity: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        paid = funding = moved = spent = ZERO
        with exact():
            for event in self._events:
                match event:
                    case e.FillBooked():
                        signed = event.quantity if event.side == "buy" else -event.quantity
                        quantity[event.instrument] += signed
                        paid += event.fee if event.fee_currency == "USDC" else ZERO
                        spent += signed * event.price if event.instrument == PERP.symbol else ZERO
                    case e.FeeCharged():
                        paid += event.amount
                    case e.FundingPaid():
                        funding += event.amount
                    case e.TransferBooked():
                        moved += event.amount
                    case _:
                        pass
        positions = ledger.read(lambda book: book.positions())
        for (symbol, _), position in positions.items():
            if position.quantity != quantity[symbol]:
                self.broken("I10", f"{symbol} is {position.quantity}, and its fills add up to {quantity[symbol]}")
        perp = positions.get((PERP.symbol, "net"))
        if perp is not None and perp.cost is not None and perp.cost - perp.realized_pnl != spent:
            self.broken("I10", f"{PERP.symbol}: cost less realised is not {spent}, what the fills came to")
        money = ledger.read(lambda book: book.balances()).get("USDC")
        if money is not None and (-money.fees, money.funding, sum(money.transfers.values(), ZERO)) != (
            paid,
            funding,
            moved,
        ):
            self.broken("I10", f"fees, funding and transfers are {money}, not {paid}, {funding}, {moved}")

    def broken(self, invariant: str, what: str) -> NoReturn:
        """Say so."""
        raise Violation(f"{invariant} {self.account}: {what}")


_CUTS = (e.OpeningPosition, e.OpeningBalance)
_DERIVED = (e.DeclarationMatched, e.Quarantined)
"""Decisions that the door adds to what was offered."""
