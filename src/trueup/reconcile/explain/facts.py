"""Causes that are facts: records that one side has and the other lacks, each told apart by what it is.

A fact accounts for exactly what it does to the number in question. Where the amount depends on what the position was,
as the P&L of a close does, it is not known until the fact is booked and the books are compared again.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from msgspec.structs import replace

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

OF_RECORD: Mapping[type[e.Fact], Cause] = {
    e.FeeCharged: Cause.FEE,
    e.FundingPaid: Cause.FUNDING,
    e.SplitBooked: Cause.SPLIT,
    e.OrderReported: Cause.ORDER_REPORT,
}
"""Kinds of record that are causes by themselves."""

_TRADED = ("instrument", "position_side", "side", "quantity", "price", "settled_amount")
"""The terms of a fill, without its fee and its time."""


def unshared_facts(found: Difference, evidence: Evidence) -> list[Part]:
    """What facts do to a subject: those that we lack, those that the venue lacks, those amended, in venue order.

    A split that both sides have multiplies what was missing before it; one that we lack changes what was held then,
    with all that was missing or too much before it.
    """
    parts: list[Part] = []
    for fact, part in sorted(_entries(found.subject, evidence), key=lambda entry: order_key(entry[0])):
        if part is None:
            parts = [_after_split(one, fact) for one in parts]
        elif part.cause is Cause.SPLIT:
            parts.append(replace(part, amount=_split(fact, evidence, parts)))
        else:
            parts.append(part)
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
        case e.TransferBooked():
            return MOVED.get(fact.reason, Cause.TRANSFER)
        case _:
            return OF_RECORD.get(type(fact), Cause.FILL_MISSING)


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


def _entries(subject: str, evidence: Evidence) -> Iterator[tuple[e.Fact, Part | None]]:
    """Each fact with the part that it makes; None for a split that both sides have."""
    for fact in evidence.missing.get(subject, ()):
        amount = effects(fact, evidence.instruments)[subject]
        cause = cause_of_missing(fact, evidence)
        yield fact, _part(cause, amount, fact, f"the venue's {_name(fact)} is missing in our book")
    for fact in evidence.extra.get(subject, ()):
        amount = effects(fact, evidence.instruments)[subject]
        doubled = fact_key(fact) in evidence.facts.doubled
        words = "is booked twice" if doubled else "is unknown to the venue"
        cause = Cause.DUPLICATE if doubled else Cause.FILL_EXTRA
        yield fact, _part(cause, None if amount is None else -amount, fact, f"our {_name(fact)} {words}")
    for pair in evidence.amended.get(subject, ()):
        ours = effects(pair.ours, evidence.instruments).get(subject, ZERO)
        theirs = effects(pair.theirs, evidence.instruments).get(subject, ZERO)
        amount = ZERO if ours == theirs else None if ours is None or theirs is None else theirs - ours
        words = f"the venue has other terms for {_name(pair.theirs)}"
        yield pair.theirs, _part(cause_of_amended(pair), amount, pair.theirs, words)
    for split in evidence.splits.get(subject, ()):
        yield split, None


def _after_split(part: Part, split: e.Fact) -> Part:
    """A part after a split that both sides have."""
    if part.amount is None or not isinstance(split, e.SplitBooked):
        return part
    return replace(part, amount=quotient(part.amount * split.new, Decimal(split.old)))


def _split(split: e.Fact, evidence: Evidence, before: Iterable[Part]) -> Decimal | None:
    """What a split adds to what is held just before it, as a book folds it; None where that is not known."""
    held = evidence.held.get(fact_key(split) or "")
    for part in before:
        held = None if held is None or part.amount is None else held + part.amount
    if held is None or not isinstance(split, e.SplitBooked):
        return None
    if held and split.quantity_after is not None:
        return split.quantity_after.copy_sign(held) - held
    return quotient(held * split.new, Decimal(split.old)) - held


def _part(cause: Cause, amount: Decimal | None, fact: e.Fact, words: str) -> Part:
    return Part(cause, amount, (fact_key(fact) or "",), words)


def _name(fact: e.Fact) -> str:
    kind, _, name = (fact_key(fact) or "").partition("|")
    return f"{kind} {name}"
