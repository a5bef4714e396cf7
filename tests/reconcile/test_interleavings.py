"""Nothing is booked twice, in whatever order reports, history, snapshots and corrections come.

The venue trades; the stream reports late; history is pulled or has aged out; a snapshot is taken and corrected by.
However these are ordered, an adjusted book stands at the venue's numbers, and when all facts are there at last, each is
booked once and nothing of an adjustment is left.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.reconcile.pair import ACCOUNT, BTC, ZERO_TOLERANCE, side
from trueup.book.book import Book
from trueup.book.lifecycle import BreakRecord
from trueup.model import events as e
from trueup.model.breaks import State
from trueup.model.differences import Difference, Status, VenuePosition, VenueSnapshot
from trueup.model.facts import fact_key
from trueup.model.identifiers import Seq
from trueup.model.numbers import ZERO, exact
from trueup.model.times import NS_PER_SECOND
from trueup.reconcile.compare import compare
from trueup.reconcile.correct import Candidate, Circumstances, plan
from trueup.reconcile.cut import at_cut
from trueup.reconcile.explain.evidence import Evidence, sift
from trueup.reconcile.explain.explaining import explain
from trueup.reconcile.policy import Mode, Policies, Policy
from trueup.reconcile.superseding import SUPERSEDED, taken_back

D = Decimal
TERMS = {BTC.symbol: BTC}
KEY = (BTC.symbol, "net")
FREELY = Policies(default=Policy(Mode.ADJUST_WITHIN, D(10**9)), adjusted_per_day=D(10**9))


class Held:
    """A real book behind a writer that books each fact once, with what it takes back of adjustments."""

    def __init__(self, *facts: e.Fact) -> None:
        self.book = Book(ACCOUNT)
        self.events: dict[str, e.Fact] = {}
        self.commit(e.InstrumentDefined(ACCOUNT, one) for one in TERMS.values())
        self.commit(facts)

    def commit(self, facts: Iterable[e.Fact]) -> None:
        named = {fact_key(fact) or "": fact for fact in facts}
        new = [fact for key, fact in named.items() if key not in self.events]
        adjustments = [fact for fact in self.events.values() if isinstance(fact, e.AdjustmentBooked)]
        entries = [*new, *(entry for fact in new for entry in taken_back(adjustments, fact, TERMS))]
        if entries:
            for entry in entries:
                self.book.admit(entry)
            self.book.evolve(entries, Seq(self.book.seq + 1))
            self.events |= {fact_key(entry) or "": entry for entry in entries}


def fill(number: int, way: str, quantity: int, price: str = "100", **more: object) -> e.FillBooked:
    """A fill with a fee, at second ``number``, whose P&L the venue states."""
    plain = e.FillBooked(
        ACCOUNT, BTC.symbol, "net", "buy", D(quantity), D(price), D("0.5"), "USDC", number * NS_PER_SECOND, str(number)
    )
    return replace(plain, side=way, settled_amount=ZERO, settled_currency="USDC", **more)


class Situation:
    """A venue and our book of it, with one method for each thing that can happen."""

    def __init__(self, traded: list[e.Fact], later: list[e.Fact], *, history: bool) -> None:
        begin = e.TransferBooked(ACCOUNT, D(1000), "USDC", 1, "0")
        self.venue = Held(begin, *traded)
        self.ours = Held(begin)
        self.reports = [*traded, *later]
        self.later = later
        self.history = history
        self.snapshot: VenueSnapshot | None = None

    def trade(self) -> None:
        """The venue goes on trading."""
        self.venue.commit(self.later)

    def report(self, number: int) -> None:
        """The stream brings what the venue has already done."""
        self.ours.commit(fact for fact in [self.reports[number]] if (fact_key(fact) or "") in self.venue.events)

    def pull(self) -> None:
        """All of the venue's history."""
        self.ours.commit(self.venue.events.values())

    def look(self) -> None:
        book = self.venue.book
        cut = book.newest_fact()
        positions = {
            key: VenuePosition(*key, held.quantity, held.entry_price)
            for key, held in book.positions().items()
            if held.quantity
        }
        balances = {name: held.known for name, held in book.balances().items()}
        self.snapshot = VenueSnapshot(ACCOUNT, cut, positions, balances)

    def correct(self) -> None:
        """Compare at the snapshot's cut, and book what the plan says, as if every break were confirmed."""
        if self.snapshot is None:
            return
        cut = self.snapshot.cut or 0
        shown = [fact for fact in self.venue.events.values() if getattr(fact, "venue_time", 0) <= cut]
        known = [fact for fact in self.ours.events.values() if not isinstance(fact, e.AdjustmentBooked)]
        facts = replace(sift(known, shown), extra=()) if self.history else sift([], [])
        found = [one for one in self.differences() if one.status is Status.DRIFT]
        explained = explain(found, Evidence(facts, TERMS, cut))
        candidates = [self.candidate(one, why) for one, why in zip(found, explained, strict=True)]
        at = Circumstances(cut, 0, "checker", facts.missing, TERMS)
        self.ours.commit(plan(candidates, FREELY, at).entries)

    def differences(self) -> tuple[Difference, ...]:
        """What differs at the snapshot's cut."""
        assert self.snapshot is not None
        cut = self.snapshot.cut or 0
        book = self.ours.book
        later = [fact for fact in self.ours.events.values() if getattr(fact, "venue_time", 0) > cut]
        return compare(at_cut(side(book), book.as_of_cut(cut), later), None, self.snapshot, ZERO_TOLERANCE).differences

    def candidate(self, found: Difference, why: object) -> Candidate:
        positions = (self.snapshot and self.snapshot.positions) or {}
        stated = positions.get(KEY)
        held = self.ours.book.position(*KEY)
        return Candidate(
            BreakRecord(
                key=(found.subject, found.kind.value),
                state=State.CONFIRMED,
                detected_at=0,
                moved_at=0,
            ),
            found,
            why,  # type: ignore[arg-type]
            D(1),
            None if held is None else held.entry_price,
            None if stated is None else stated.entry_price,
        )

    def check(self) -> None:
        """All facts are there at last: what we hold is what the venue holds, each fact once, nothing adjusted."""
        self.trade()
        self.pull()
        ours, theirs = self.ours.book, self.venue.book
        mine, its = ours.position(*KEY), theirs.position(*KEY)
        assert (mine and mine.quantity) == (its and its.quantity)
        totals = {name: held.total for name, held in theirs.balances().items()}
        assert {name: held.total for name, held in ours.balances().items()} == totals
        assert all(not held.adjustments for held in ours.balances().values())
        booked = [key for key in self.ours.events if not key.startswith("adjustment|")]
        assert sorted(booked) == sorted(self.venue.events)
        adjustments = [fact for fact in self.ours.events.values() if isinstance(fact, e.AdjustmentBooked)]
        with exact():
            assert sum((one.quantity for one in adjustments), ZERO) == 0
        count = len(self.ours.events)
        for number in range(len(self.reports)):
            self.report(number)
        self.pull()
        self.look()
        self.correct()
        assert len(self.ours.events) == count


STEPS: dict[str, Callable[[Situation], None]] = {
    "trade": Situation.trade,
    "first report": lambda one: one.report(0),
    "second report": lambda one: one.report(1),
    "last report": lambda one: one.report(-1),
    "pull": Situation.pull,
    "look": Situation.look,
    "correct": Situation.correct,
}

STORIES: dict[str, tuple[list[e.Fact], list[e.Fact]]] = {
    "buys": ([fill(1, "buy", 1), fill(2, "buy", 2)], [fill(3, "buy", 4)]),
    "a round trip": ([fill(1, "buy", 1), fill(2, "sell", 1)], [fill(3, "buy", 2)]),
    "a flip": ([fill(1, "buy", 1), fill(2, "sell", 3)], [fill(3, "buy", 1)]),
    "like fills": ([fill(1, "buy", 1), fill(2, "buy", 1, venue_time=NS_PER_SECOND)], [fill(3, "sell", 1)]),
    "a fill and funding": (
        [fill(1, "buy", 1), e.FundingPaid(ACCOUNT, BTC.symbol, D(-3), "USDC", 2 * NS_PER_SECOND, "f")],
        [e.TransferBooked(ACCOUNT, D(7), "USDC", 3 * NS_PER_SECOND, "t")],
    ),
}


@pytest.mark.parametrize("history", [True, False], ids=["history", "aged out"])
@pytest.mark.parametrize("story", STORIES)
def test_in_every_order_each_fact_is_booked_once(story: str, history: bool) -> None:
    names = [name for name in STEPS if name != "last report"]
    adjusted = 0
    orders = [order for order in permutations(names) if order.index("look") < order.index("correct")]
    for order in orders:  # a correction without a snapshot is none
        situation = Situation(*STORIES[story], history=history)
        for name in order:
            STEPS[name](situation)
        adjusted += any(isinstance(fact, e.AdjustmentBooked) for fact in situation.ours.events.values())
        situation.check()
    assert bool(adjusted) is not history, "the way of adjustments was taken where history is gone, and only there"


@given(st.sampled_from(sorted(STORIES)), st.booleans(), st.lists(st.sampled_from(sorted(STEPS)), max_size=20))
def test_however_often_anything_happens(story: str, history: bool, order: list[str]) -> None:
    situation = Situation(*STORIES[story], history=history)
    for name in order:
        STEPS[name](situation)
    situation.check()


@given(st.sampled_from(sorted(STORIES)), st.booleans(), st.lists(st.sampled_from(sorted(STEPS)), max_size=10))
def test_a_corrected_book_stands_at_the_snapshot(story: str, history: bool, order: list[str]) -> None:
    situation = Situation(*STORIES[story], history=history)
    for name in order:
        STEPS[name](situation)
    situation.look()
    situation.correct()
    situation.correct()
    assert [one for one in situation.differences() if one.status is Status.DRIFT] == []


def test_a_late_fact_takes_back_of_the_first_adjustment_that_could_know_of_it() -> None:
    first, second = (
        e.AdjustmentBooked(
            ACCOUNT, name, cut * NS_PER_SECOND, "UNEXPLAINED", "", "a", BTC.symbol, quantity=D(1), price=D(100)
        )
        for name, cut in (("a", 5), ("b", 9))
    )
    (back,) = taken_back([second, first], fill(6, "buy", 1, fee=ZERO), TERMS)
    assert (back.venue_time, back.quantity, back.cause) == (9 * NS_PER_SECOND, D(-1), SUPERSEDED)
    (back,) = taken_back([second, first], fill(5, "buy", 1, fee=ZERO), TERMS)
    assert back.venue_time == 5 * NS_PER_SECOND
    assert taken_back([second, first], fill(10, "buy", 1), TERMS) == ()
    assert taken_back([back], fill(5, "buy", 1), TERMS) == ()
    assert taken_back([first], second, TERMS) == ()
    declared = e.TradeDeclared(ACCOUNT, BTC.symbol, "net", "buy", D(1), D(100), 1, "d", "alice")
    assert [one.quantity for one in taken_back([first], declared, TERMS)] == [D(-1)]
    assert taken_back([first], declared, TERMS, replaced=[declared]) == ()


def test_the_cost_is_that_of_the_fill_when_the_venue_stated_its_average() -> None:
    late = fill(1, "buy", 2, "101")
    situation = Situation([late], [], history=False)
    situation.look()
    situation.correct()
    situation.report(0)
    held = situation.ours.book.position(*KEY)
    assert held is not None
    assert (held.quantity, held.entry_price, held.adjusted_pnl) == (D(2), D(101), D(0))
