"""Causes that are a matter of time: an answer older than our facts, orders in flight, a snapshot that lags its history.

What the venue itself reports as filled is exact. What may still fill, or may not show yet, is a range or a choice, and
accounts for nothing but all that the facts leave over.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import accumulate, takewhile
from typing import cast

from trueup.model import events as e
from trueup.model.differences import Difference
from trueup.model.facts import fact_key
from trueup.model.numbers import ZERO
from trueup.reconcile.explain.causes import Cause, Part
from trueup.reconcile.explain.effects import effects
from trueup.reconcile.explain.evidence import Evidence


def later_facts(found: Difference, evidence: Evidence) -> Iterator[Part]:
    """Our facts after the venue's cut: its answer is that much too old."""
    for fact in evidence.later.get(found.subject, ()):
        amount = effects(fact, evidence.instruments)[found.subject]
        if amount is None or amount:
            key = fact_key(fact) or ""
            yield Part(Cause.STALE_SOURCE, None if amount is None else -amount, (key,), "happened after the answer")


def reported_fills(found: Difference, evidence: Evidence) -> Iterator[Part]:
    """What the venue reports as filled of an order and neither side's history has yet."""
    for order in evidence.in_flight.get(found.subject, ()):
        amount = order.reported - _given(order.venue_order_id, found.subject, evidence)
        if amount:
            words = "the venue reports it filled; its fills have not arrived"
            yield Part(Cause.IN_FLIGHT, amount, (f"order {order.venue_order_id}",), words)


def _given(venue_order_id: str, subject: str, evidence: Evidence) -> Decimal:
    """How much of an order's fills the venue's history gives, although we lack them."""
    return sum(
        (
            fill.quantity if fill.side == "buy" else -fill.quantity
            for fill in evidence.missing.get(subject, ())
            if isinstance(fill, e.FillBooked) and fill.venue_order_id == venue_order_id
        ),
        ZERO,
    )


def open_orders(found: Difference, rest: Decimal, evidence: Evidence) -> Part | None:
    """Open orders, where all that is left over may be fills of theirs."""
    orders = [order for order in evidence.in_flight.get(found.subject, ()) if (order.open > ZERO) is (rest > ZERO)]
    if not rest or abs(rest) > abs(sum((order.open for order in orders), ZERO)):
        return None
    ids = tuple(f"order {order.venue_order_id}" for order in orders if order.open)
    return Part(Cause.IN_FLIGHT, rest, ids, "open orders may have traded it")


def late_snapshot(found: Difference, rest: Decimal, evidence: Evidence) -> Part | None:
    """Our newest facts, confirmed by the venue's history, that its snapshot does not show: a run of them up to now.

    What one of them moved may depend on what the position was; then all that is left over may be what it moved.
    """
    newest = evidence.newest.get(found.subject, ())[::-1]
    amounts = (effects(fact, evidence.instruments)[found.subject] for fact in newest)
    known = takewhile(lambda amount: amount is not None, amounts)
    allowed = evidence.rounding.get(found.subject, ZERO)
    for count, total in enumerate(accumulate(cast("Iterator[Decimal]", known)), 1):
        if abs(rest + total) <= allowed < abs(rest):
            ids = tuple(fact_key(fact) or "" for fact in newest[:count])
            return Part(Cause.VENUE_LATE, -total, ids, "the venue's history has it, its snapshot does not yet")
    unknown = [fact for fact in newest if effects(fact, evidence.instruments)[found.subject] is None]
    if not rest or not unknown:
        return None
    ids = tuple(fact_key(fact) or "" for fact in unknown)
    return Part(Cause.VENUE_LATE, rest, ids, "the venue's history has it, its snapshot may not show what it moved yet")
