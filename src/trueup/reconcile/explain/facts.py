"""Causes that are facts: records that one side has and the other lacks, each told apart by what it is.

A fact accounts for exactly what it does to the number in question. Where the amount depends on what the position was,
as the P&L of a close does, it is not known until the fact is booked and the books are compared again.
"""

from collections.abc import Iterator
from decimal import Decimal

from trueup.model import events as e
from trueup.model.differences import Difference
from trueup.model.facts import fact_key, order_key
from trueup.model.numbers import ZERO, quotient
from trueup.reconcile.explain.causes import Cause, Part
from trueup.reconcile.explain.effects import effects
from trueup.reconcile.explain.evidence import Amended, Evidence

FORCED = {
    "adl": Cause.ADL,
    "assignment": Cause.ASSIGNMENT,
    "exercise": Cause.ASSIGNMENT,
    "delivery": Cause.EXPIRY,
    "expiry": Cause.EXPIRY,
    "settlement": Cause.EXPIRY,
}
"""Words for a forced trade that is no liquidation."""

MOVED = {"interest": Cause.INTEREST, "dust": Cause.DUST}
"""Reasons of a transfer that moved nothing in or out."""

_TRADED = ("instrument", "position_side", "side", "quantity", "price", "settled_amount")
"""The terms of a fill, without its fee and its time."""


def unshared_facts(found: Difference, evidence: Evidence) -> list[Part]:
    """What facts do to a subject: those that we lack in venue order, those that the venue lacks, those amended."""
    subject = found.subject
    parts = [*_missing(subject, evidence), *_extra(subject, evidence), *_amended(subject, evidence)]
    return [part for part in parts if part.amount is None or part.amount]


def lost_fills(found: Difference, evidence: Evidence) -> Iterator[Part]:
    """Fills that the venue's own chain of positions proves, although no history has them any more.

    While an order reports fills that have not arrived, these may be the gap.
    """
    if any(order.reported for order in evidence.in_flight.get(found.subject, ())):
        return
    for gap in evidence.lost.get(found.subject, ()):
        ids = f"fill|{gap.after}", f"fill|{gap.before}"
        yield Part(Cause.HISTORY_GAP, gap.amount, ids, f"fills between {gap.after} and {gap.before} are in no history")


def cause_of_missing(fact: e.Fact, evidence: Evidence) -> Cause:
    """What a record is that the venue has and we lack."""
    match fact:
        case e.FillBooked(liquidation=word) if word:
            return FORCED.get(word.lower(), Cause.LIQUIDATION)
        case e.FillBooked() if (fact.instrument, fact.price) in evidence.rolls:
            return Cause.ROLL
        case e.FillBooked() if _is_foreign(fact, evidence):
            return Cause.FOREIGN_TRADE
        case e.FeeCharged():
            return Cause.FEE
        case e.FundingPaid():
            return Cause.FUNDING
        case e.TransferBooked():
            return MOVED.get(fact.reason, Cause.TRANSFER)
        case e.SplitBooked():
            return Cause.SPLIT
        case _:
            return Cause.FILL_MISSING


def cause_of_amended(pair: Amended) -> Cause:
    """What differs between the two versions of a fact: its currency, its fee alone, or its terms."""
    ours, theirs = pair.ours, pair.theirs
    if not isinstance(ours, e.FillBooked) or not isinstance(theirs, e.FillBooked):
        return Cause.FILL_TERMS
    if ours.fee and theirs.fee and ours.fee_currency != theirs.fee_currency:
        return Cause.CURRENCY
    return Cause.FEE if all(getattr(ours, name) == getattr(theirs, name) for name in _TRADED) else Cause.FILL_TERMS


def _is_foreign(fill: e.FillBooked, evidence: Evidence) -> bool:
    own = evidence.own_orders
    return own is not None and not ({fill.venue_order_id, fill.client_order_id} - {""} & own)


def _missing(subject: str, evidence: Evidence) -> Iterator[Part]:
    """Facts we lack. A split changes what was held then, which those before it have changed already."""
    so_far: Decimal | None = ZERO
    for fact in sorted(evidence.missing.get(subject, ()), key=order_key):
        if isinstance(fact, e.SplitBooked):
            amount = _split(fact, evidence, so_far)
        else:
            amount = effects(fact, evidence.instruments)[subject]
        so_far = None if so_far is None or amount is None else so_far + amount
        cause = cause_of_missing(fact, evidence)
        yield _part(cause, amount, fact, f"the venue's {_name(fact)} is missing in our book")


def _split(split: e.SplitBooked, evidence: Evidence, so_far: Decimal | None) -> Decimal | None:
    """What a split adds to what is held just before it, as a book folds it; None where that is not known."""
    held = evidence.held.get(fact_key(split) or "")
    if held is None or so_far is None:
        return None
    held += so_far
    if held and split.quantity_after is not None:
        return split.quantity_after.copy_sign(held) - held
    return quotient(held * split.new, Decimal(split.old)) - held


def _extra(subject: str, evidence: Evidence) -> Iterator[Part]:
    for fact in evidence.extra.get(subject, ()):
        amount = effects(fact, evidence.instruments)[subject]
        doubled = fact_key(fact) in evidence.facts.doubled
        words = "is booked twice" if doubled else "is unknown to the venue"
        cause = Cause.DUPLICATE if doubled else Cause.FILL_EXTRA
        yield _part(cause, None if amount is None else -amount, fact, f"our {_name(fact)} {words}")


def _amended(subject: str, evidence: Evidence) -> Iterator[Part]:
    for pair in evidence.amended.get(subject, ()):
        ours = effects(pair.ours, evidence.instruments).get(subject, ZERO)
        theirs = effects(pair.theirs, evidence.instruments).get(subject, ZERO)
        amount = ZERO if ours == theirs else None if ours is None or theirs is None else theirs - ours
        yield _part(cause_of_amended(pair), amount, pair.theirs, f"the venue has other terms for {_name(pair.theirs)}")


def _part(cause: Cause, amount: Decimal | None, fact: e.Fact, words: str) -> Part:
    return Part(cause, amount, (fact_key(fact) or "",), words)


def _name(fact: e.Fact) -> str:
    kind, _, name = (fact_key(fact) or "").partition("|")
    return f"{kind} {name}"
