"""What a correction would book: the venue's own records first, a synthetic adjustment last, and often nothing.

A plan books nothing. It is the same for a dry run and for the real thing, so that what is shown is what is done.
"""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

import msgspec

from trueup.book.lifecycle import BreakRecord
from trueup.model import events as e
from trueup.model.breaks import State
from trueup.model.differences import Difference, Kind
from trueup.model.errors import BadInput
from trueup.model.facts import fact_key, order_key
from trueup.model.instruments import Instrument, wallet_currency
from trueup.model.numbers import ZERO, canonical, exact
from trueup.reconcile.adjust import adjustment_id, adjustment_price
from trueup.reconcile.consequence import is_storm
from trueup.reconcile.explain.causes import Action, Cause, Explanation
from trueup.reconcile.explain.taxonomy import OF_AMOUNTS, OF_KIND, TAXONOMY
from trueup.reconcile.policy import Budget, Mode, Policies, Policy, budget_left, is_approved


class Candidate(msgspec.Struct, frozen=True):
    """A break, with all that a correction of it depends on.

    Attributes:
        worth: Exposure of the difference; None when unknown.
        our_price, their_price: Average entries; None when flat or unknown.
        proposed: An adjustment that was proposed for it before, whose approval may be under way.
    """

    record: BreakRecord
    found: Difference
    why: Explanation
    worth: Decimal | None = None
    our_price: Decimal | None = None
    their_price: Decimal | None = None
    proposed: e.AdjustmentBooked | None = None


class Circumstances(msgspec.Struct, frozen=True):
    """Everything else that decides.

    Attributes:
        cut: Venue time of the snapshot; without one there is nothing to adjust to.
        now: Our time in nanoseconds.
        missing: The venue's facts that our book lacks.
        spent: Corrections of the last day.
        approvals: Keys that approved, by adjustment id.
        doubts: Why nothing may be corrected now, in words: a stale or partial source, a connection that has only just
            come back, another writer that may be active.
    """

    cut: int | None
    now: int
    author: str
    missing: Sequence[e.Fact] = ()
    instruments: Mapping[str, Instrument] = msgspec.field(default_factory=dict)
    spent: Sequence[e.Corrected] = ()
    approvals: Mapping[str, Collection[str]] = msgspec.field(default_factory=dict)
    doubts: Sequence[str] = ()


class Correction(msgspec.Struct, frozen=True):
    """What would be booked for one break.

    Attributes:
        entries: In the order of booking; facts that serve several breaks stand with each.
        causes: That they put right.
        adjusted: What a synthetic adjustment is worth; zero for facts.
    """

    record: BreakRecord
    entries: tuple[e.Fact, ...]
    causes: tuple[Cause, ...]
    adjusted: Decimal = ZERO


class Held(msgspec.Struct, frozen=True):
    """A break for which nothing is booked, and why. ``proposed`` could be booked once two keys approved it."""

    record: BreakRecord
    reason: str
    proposed: e.AdjustmentBooked | None = None


class Plan(msgspec.Struct, frozen=True):
    """What would be booked, and what would not.

    Attributes:
        frozen: Why nothing at all is corrected; empty when something may be.
    """

    corrections: tuple[Correction, ...] = ()
    held: tuple[Held, ...] = ()
    frozen: tuple[str, ...] = ()

    @property
    def entries(self) -> tuple[e.Fact, ...]:
        """All entries, each once, in the order of booking."""
        return tuple({fact_key(fact): fact for one in self.corrections for fact in one.entries}.values())


def plan(candidates: Sequence[Candidate], policies: Policies, at: Circumstances) -> Plan:
    """What would be booked for the breaks of one account."""
    frozen = list(at.doubts)
    if is_storm([one.record for one in candidates], policies):
        frozen.append(f"more than {policies.storm} subjects differ at once: the source is to be doubted")
    if frozen:
        return Plan(held=tuple(Held(one.record, "; ".join(frozen)) for one in candidates), frozen=tuple(frozen))
    missing = {fact_key(fact) or "": fact for fact in at.missing}
    corrections: list[Correction] = []
    held: list[Held] = []
    with exact():
        budget = budget_left(policies, at.spent, at.now)
        for candidate in candidates:
            step = _step(candidate, policies, at, missing, budget)
            if isinstance(step, Held):
                held.append(step)
            else:
                corrections.append(step)
                budget = budget.without(step.adjusted)
    return Plan(tuple(corrections), tuple(held))


def _step(
    candidate: Candidate, policies: Policies, at: Circumstances, missing: Mapping[str, e.Fact], budget: Budget
) -> Correction | Held:
    """Facts if there are any, else an adjustment if it is allowed; after facts the books are compared again first."""
    record, why = candidate.record, candidate.why
    policy = policies.of(candidate.found.account, candidate.found.kind.value, record.key[1])
    if policy.mode is Mode.REPORT:
        return Held(record, "the policy is to report only")
    parts = [part for part in why.parts if TAXONOMY[part.cause].action is Action.BOOK]
    facts = {name: missing[name] for part in parts for name in part.evidence if name in missing}
    if facts:
        if budget.corrections <= 0:
            return Held(record, f"{policies.corrections_per_hour} corrections an hour are spent")
        entries = tuple(sorted(facts.values(), key=order_key))
        return Correction(record, entries, tuple(dict.fromkeys(part.cause for part in parts)))
    reason = _no_adjustment(candidate)
    return Held(record, reason) if reason else _adjust(candidate, policy, at, budget)


def _adjust(candidate: Candidate, policy: Policy, at: Circumstances, budget: Budget) -> Correction | Held:
    """A synthetic adjustment: within the limit unasked, beyond it when two keys approved just this one."""
    record, causes, worth = candidate.record, candidate.why.causes, candidate.worth
    if policy.mode < Mode.ADJUST_WITHIN:
        return Held(record, "no record of the venue explains it, and the policy is not to adjust")
    try:
        adjustment = _adjustment(candidate, at)
    except BadInput as refusal:
        return Held(record, refusal.message)
    beyond = policy.mode is Mode.ADJUST_BEYOND
    if beyond and is_approved(adjustment.adjustment_id, at.approvals):
        return Correction(record, (adjustment,), causes)
    reason = _needs_approval(candidate, policy.limit, budget)
    if reason or worth is None:
        return Held(record, reason, adjustment if beyond else None)
    return Correction(record, (adjustment,), causes, worth)


def _no_adjustment(candidate: Candidate) -> str:
    """Why a break is nothing to adjust, whatever the policy."""
    others = [cause for cause in candidate.why.causes if TAXONOMY[cause].action not in {Action.REPORT, Action.REVERSE}]
    if OF_KIND[candidate.found.kind] is not OF_AMOUNTS or candidate.found.difference is None:
        return "it is no amount that could be adjusted"
    if candidate.record.ended or candidate.record.state is State.DETECTED:
        return "it is not confirmed"
    if others:
        return f"{others[0]} asks for {TAXONOMY[others[0]].action}, not for an adjustment"
    return ""


def _needs_approval(candidate: Candidate, limit: Decimal, budget: Budget) -> str:
    """Why an adjustment may not be booked unasked; empty when it may."""
    worth = candidate.worth
    if any(TAXONOMY[cause].action is Action.REVERSE for cause in candidate.why.causes):
        return "it takes back an entry of ours: two keys must approve it"
    if candidate.record.recurrences:
        return "it came back after it was settled: two keys must approve it"
    if worth is None or worth > limit:
        amount = "an unknown amount" if worth is None else canonical(worth)
        return f"it is worth {amount}, beyond {canonical(limit)}: two keys must approve it"
    if budget.corrections <= 0 or worth > budget.adjusted:
        return "the budget is spent: two keys must approve it"
    return ""


def _adjustment(candidate: Candidate, at: Circumstances) -> e.AdjustmentBooked:
    """The adjustment that brings our number to the venue's; the proposed one while the numbers are still the same.

    Raises:
        BadInput: The venue does not say when its answer was true; no price follows; a coin is also a position.
    """
    found, known = candidate.found, candidate.proposed
    if at.cut is None:
        raise BadInput("cut", None, "the venue does not say when its answer was true", remedy="Ask it again.")
    ours, theirs = Decimal(found.ours or 0), Decimal(found.theirs or 0)
    cut = at.cut if known is None else known.venue_time
    symbol, _, side = ("", "", "net") if found.kind is Kind.CASH else found.subject.rpartition(" ")
    identity = adjustment_id(found.account, symbol or found.subject, cut, ours, theirs, position_side=side)
    if known is not None and known.adjustment_id == identity:
        return known
    if cut != at.cut:
        identity = adjustment_id(found.account, symbol or found.subject, at.cut, ours, theirs, position_side=side)
    plain = e.AdjustmentBooked(
        found.account,
        identity,
        at.cut,
        cause=" ".join(candidate.why.causes),
        evidence=found.direction,
        author=at.author,
        position_side=side,
    )
    if not symbol:
        _refuse_coin(found.subject, at.instruments)
        return msgspec.structs.replace(plain, currency=found.subject, cash=theirs - ours)
    terms = at.instruments.get(symbol)
    if terms is None:
        raise BadInput("instrument", symbol, "nobody defined it", remedy="Define it before anything is booked in it.")
    if terms.kind == "spot":
        raise BadInput("instrument", symbol, "it is a balance as well", remedy="Book the facts of the coin.")
    price = _price(candidate, terms, ours, theirs)
    return msgspec.structs.replace(
        plain, instrument=symbol, quantity=theirs - ours, price=price, instrument_version=terms.version
    )


def _price(candidate: Candidate, terms: Instrument, ours: Decimal, theirs: Decimal) -> Decimal:
    """The price by the rule; an average that it does not need may be unknown."""
    before, after = candidate.our_price, candidate.their_price
    same_side = bool(ours and theirs) and (ours > ZERO) is (theirs > ZERO)
    if (before is None and (same_side or not theirs)) or (after is None and theirs):
        whose = "our" if before is None and (same_side or not theirs) else "the venue's"
        raise BadInput("price", None, f"{whose} average is unknown", remedy="State a basis, or book the facts.")
    return adjustment_price(ours, before or ZERO, theirs, after or ZERO, inverse=terms.kind == "inverse")


def _refuse_coin(currency: str, instruments: Mapping[str, Instrument]) -> None:
    """A coin traded on spot is a position as well: cash alone would set the two apart."""
    spots = [one for one in instruments.values() if one.kind == "spot"]
    if any(wallet_currency(one.base, one.wallet) == currency for one in spots):
        raise BadInput("currency", currency, "its balance is a position as well", remedy="Book the facts of the coin.")
