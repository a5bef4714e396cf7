"""What is known beside the numbers: facts that one side has and the other lacks, orders in flight, what sources said.

``sift`` holds two histories of the same span against each other. Everything is found by subject, so that a difference
costs what bears on it and what agrees costs nothing.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cached_property

import msgspec

from trueup.model import events as e
from trueup.model.facts import fact_key, order_key, terms
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO
from trueup.reconcile.explain.chain import Gap
from trueup.reconcile.explain.effects import effects


class Amended(msgspec.Struct, frozen=True):
    """One fact under one id, with other terms on the two sides."""

    ours: e.Fact
    theirs: e.Fact


class OrderInFlight(msgspec.Struct, frozen=True):
    """An order whose fills may not have reached us.

    Attributes:
        subject: The position it trades.
        reported: Signed quantity that the venue says is filled, beyond the fills we hold.
        open: Signed quantity that may still fill.
    """

    venue_order_id: str
    subject: str
    reported: Decimal = ZERO
    open: Decimal = ZERO


class Sifted(msgspec.Struct, frozen=True):
    """Two histories of one span, without what they agree on.

    Attributes:
        missing: The venue's facts that we lack.
        extra: Our facts that the venue lacks.
        splits: Those that both sides have.
        doubled: Of ``extra``, identities of those with the terms of a fact that the venue does have.
    """

    missing: tuple[e.Fact, ...] = ()
    extra: tuple[e.Fact, ...] = ()
    amended: tuple[Amended, ...] = ()
    splits: tuple[e.SplitBooked, ...] = ()
    doubled: frozenset[str] = frozenset()


def sift(ours: Iterable[e.Fact], theirs: Iterable[e.Fact]) -> Sifted:
    """Hold our facts against the venue's, both complete over the same span, by identity.

    A fact to which the venue gave no id at first is the same as the one that came with an id and the same terms.
    """
    here, there = _by_key(ours), _by_key(theirs)
    missing = {key: fact for key, fact in there.items() if key not in here}
    extra = {key: fact for key, fact in here.items() if key not in there}
    _pair_unnamed(missing, extra)
    both = [(fact, there[key]) for key, fact in here.items() if key in there]
    confirmed = {terms(fact) for fact in there.values()}
    return Sifted(
        tuple(missing.values()),
        tuple(extra.values()),
        tuple(Amended(own, other) for own, other in both if terms(own) != terms(other)),
        tuple(own for own, _ in both if isinstance(own, e.SplitBooked)),
        frozenset(key for key, fact in extra.items() if terms(fact) in confirmed),
    )


def _by_key(facts: Iterable[e.Fact]) -> dict[str, e.Fact]:
    return {key: fact for fact in facts if (key := fact_key(fact)) is not None}


def _pair_unnamed(missing: dict[str, e.Fact], extra: dict[str, e.Fact]) -> None:
    """Take out pairs of one fact: the terms agree, and exactly one of the two had to do without the venue's id."""
    waiting: dict[tuple[object, ...], list[str]] = {}
    for key, fact in missing.items():
        waiting.setdefault((getattr(fact, "weak", False), *terms(fact)), []).append(key)
    for key, fact in list(extra.items()):
        twins = waiting.get((not getattr(fact, "weak", False), *terms(fact)))
        if twins:
            del missing[twins.pop()], extra[key]


class Evidence(msgspec.Struct, frozen=True, dict=True):
    """All that bears on the differences of one comparison.

    Attributes:
        facts: What the histories do not agree on, since the last cut that was proven and up to the venue's cut.
        instruments: Terms in effect, by canonical symbol.
        cut: Venue time of the snapshot; None when it does not say.
        failed: Parts of the snapshot that could not be read, with the reason.
        after_cut: Our facts that are later than the venue's cut: an old answer cannot know of them.
        recent: Our facts shortly before the cut, oldest first, that the venue's history confirms: its snapshot may not
            show them yet.
        multipliers: By symbol, how many of our units one unit of the venue's answer is, where that is not 1.
        orders: Those that may bring fills.
        own_orders: Order ids, the venue's and ours, of all orders placed through us; None where that is not known, and
            then no trade is called foreign.
        held: By a missing split's identity, our signed quantity just before it.
        gaps: Between the fills of both histories together, since the last cut that was proven.
        rounding: By subject, the most that rounding and the fee model may have summed up to.
    """

    facts: Sifted = Sifted()
    instruments: Mapping[str, Instrument] = msgspec.field(default_factory=dict)
    cut: int | None = None
    failed: Mapping[str, str] = msgspec.field(default_factory=dict)
    after_cut: tuple[e.Fact, ...] = ()
    recent: tuple[e.Fact, ...] = ()
    multipliers: Mapping[str, Decimal] = msgspec.field(default_factory=dict)
    orders: tuple[OrderInFlight, ...] = ()
    own_orders: frozenset[str] | None = None
    held: Mapping[str, Decimal] = msgspec.field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    rounding: Mapping[str, Decimal] = msgspec.field(default_factory=dict)

    @cached_property
    def missing(self) -> Mapping[str, list[e.Fact]]:
        """The venue's facts that we lack, by the subjects they change."""
        return self._by_subject(self.facts.missing)

    @cached_property
    def extra(self) -> Mapping[str, list[e.Fact]]:
        """Our facts that the venue lacks, by the subjects they change."""
        return self._by_subject(self.facts.extra)

    @cached_property
    def splits(self) -> Mapping[str, list[e.Fact]]:
        """Splits that both sides have, by the subjects they change."""
        return self._by_subject(self.facts.splits)

    @cached_property
    def later(self) -> Mapping[str, list[e.Fact]]:
        """Our facts after the cut, by the subjects they change."""
        return self._by_subject(self.after_cut)

    @cached_property
    def newest(self) -> Mapping[str, list[e.Fact]]:
        """Our confirmed facts shortly before the cut, by the subjects they change."""
        return self._by_subject(self.recent)

    @cached_property
    def amended(self) -> Mapping[str, list[Amended]]:
        """Facts with other terms, by the subjects that either version changes."""
        found: dict[str, list[Amended]] = {}
        for pair in self.facts.amended:
            for subject in {**effects(pair.ours, self.instruments), **effects(pair.theirs, self.instruments)}:
                found.setdefault(subject, []).append(pair)
        return found

    @cached_property
    def in_flight(self) -> Mapping[str, list[OrderInFlight]]:
        """Orders in flight by position."""
        found: dict[str, list[OrderInFlight]] = {}
        for order in self.orders:
            found.setdefault(order.subject, []).append(order)
        return found

    @cached_property
    def lost(self) -> Mapping[str, list[Gap]]:
        """Gaps by position."""
        found: dict[str, list[Gap]] = {}
        for gap in self.gaps:
            found.setdefault(gap.subject, []).append(gap)
        return found

    @cached_property
    def reports(self) -> Mapping[str, e.OrderReported]:
        """The venue's newest report of each order that we lack, by venue order id."""
        found = [fact for fact in self.facts.missing if isinstance(fact, e.OrderReported)]
        return {report.venue_order_id: report for report in sorted(found, key=order_key)}

    @cached_property
    def rolls(self) -> frozenset[tuple[str, Decimal]]:
        """Instrument and price of the legs of rolls that we lack."""
        rolls = [fact for fact in self.facts.missing if isinstance(fact, e.RollBooked)]
        return frozenset(leg for roll in rolls for leg in ((roll.near, roll.near_price), (roll.far, roll.far_price)))

    @cached_property
    def settings(self) -> Mapping[str, list[e.LeverageSet | e.MarginModeSet]]:
        """The venue's changes of leverage and margin mode that we lack, by position."""
        found: dict[str, list[e.LeverageSet | e.MarginModeSet]] = {}
        for fact in self.facts.missing:
            if isinstance(fact, e.LeverageSet | e.MarginModeSet):
                found.setdefault(f"{fact.instrument} {fact.position_side}", []).append(fact)
        return found

    def _by_subject(self, facts: Iterable[e.Fact]) -> Mapping[str, list[e.Fact]]:
        found: dict[str, list[e.Fact]] = {}
        for fact in facts:
            for subject in effects(fact, self.instruments):
                found.setdefault(subject, []).append(fact)
        return found
