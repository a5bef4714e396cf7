"""What orders may still bring into our book, and which differences therefore wait (domain rule 2.2).

An order that the venue lists as open has traded as much as the venue says: what we lack of that is on its way, the
remainder is not. One that we hold open and the venue no longer lists may have traded all of it.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from msgspec.structs import replace

from trueup.model.differences import Difference, Status
from trueup.model.numbers import ZERO, exact
from trueup.model.positions import OpenOrder
from trueup.reconcile.explain.causes import Action, Cause, Explanation, Part
from trueup.reconcile.explain.evidence import OrderInFlight
from trueup.reconcile.explain.taxonomy import TAXONOMY


def orders_in_flight(
    ours: Mapping[str, OpenOrder], theirs: Mapping[str, OpenOrder] | None, filled: Mapping[str, Decimal]
) -> tuple[OrderInFlight, ...]:
    """The orders whose fills may not have reached us.

    Args:
        ours: The orders that our book holds open, by venue order id.
        theirs: The venue's open orders at the cut; None when they were not read.
        filled: How much of each order the fills in our book add up to; nothing for an order that is not named.
    """
    listed = theirs or {}
    with exact():
        found = (
            _in_flight(order, filled.get(order_id, ZERO), listed=order_id in listed)
            for order_id, order in {**ours, **listed}.items()
        )
        return tuple(order for order in found if order is not None)


def _in_flight(order: OpenOrder, filled: Decimal, *, listed: bool) -> OrderInFlight | None:
    sign = 1 if order.side == "buy" else -1
    reported = max(order.filled - filled, ZERO)
    rest = ZERO if listed else max(order.quantity - max(order.filled, filled), ZERO)
    if not reported and not rest:
        return None
    subject = f"{order.instrument} {order.position_side}"
    return OrderInFlight(order.venue_order_id, subject, reported=sign * reported, open=sign * rest)


def waiting(found: Iterable[Difference], explained: Iterable[Explanation]) -> tuple[Difference, ...]:
    """The differences, those that time alone explains entirely as PENDING; in the same order as their explanations."""
    return tuple(
        _pending(one, why) if one.status is Status.DRIFT and only_time(why) else one
        for one, why in zip(found, explained, strict=True)
    )


def only_time(why: Explanation) -> bool:
    """Whether looking again is all there is to do: each cause is a matter of time, and nothing is left over."""
    return why.complete and all(map(_passes, why.parts))


def _passes(part: Part) -> bool:
    """A source that is too old by a known amount passes with the next answer; one that failed may never."""
    late = part.cause is Cause.STALE_SOURCE and part.amount is not None
    return late or TAXONOMY[part.cause].action is Action.WAIT


def _pending(found: Difference, why: Explanation) -> Difference:
    ids = tuple(dict.fromkeys(name for part in why.parts for name in part.evidence))
    words = f"{found.direction}; {' and '.join(dict.fromkeys(part.words for part in why.parts))}"
    return replace(found, status=Status.PENDING, direction=words, evidence=ids)  # how bad it is stays true
