"""Positions without a resting stop: what would be lost if we went silent has no bound."""

from collections.abc import Collection, Iterator
from decimal import Decimal

from trueup.model.differences import Difference, Kind, Status, VenueSnapshot
from trueup.model.numbers import ZERO, canonical
from trueup.model.positions import OpenOrder
from trueup.reconcile.findings import SEVERITY


def unprotected(theirs: VenueSnapshot, required: Collection[str]) -> tuple[Difference, ...]:
    """The positions that the venue holds and that its resting stops do not cover.

    Stops count by what they may still close: a stop of half the size leaves the other half open. Nothing is said where
    positions or orders were not read.

    Args:
        theirs: The venue's answer.
        required: Canonical symbols of the instruments in which each position needs a stop.
    """
    return tuple(_unprotected(theirs, required))


def _unprotected(theirs: VenueSnapshot, required: Collection[str]) -> Iterator[Difference]:
    if theirs.positions is None or theirs.open_orders is None or {"positions", "open_orders"} & theirs.failed.keys():
        return
    covered: dict[tuple[str, str], Decimal] = {}
    for order in theirs.open_orders.values():
        if order.trigger_price is not None:
            key = order.instrument, order.position_side
            covered[key] = covered.get(key, ZERO) + _closes(order, theirs)
    for key, held in theirs.positions.items():
        bare = abs(held.quantity) - covered.get(key, ZERO)
        if key[0] in required and bare > ZERO:
            yield Difference(
                Kind.STOP_MISSING,
                SEVERITY[Kind.STOP_MISSING],
                Status.DRIFT,
                theirs.account,
                " ".join(key),
                None,
                None,
                canonical(held.quantity),
                None,
                f"no stop covers {canonical(bare)} of the position",
            )


def _closes(order: OpenOrder, theirs: VenueSnapshot) -> Decimal:
    """How much of its position a stop may close; nothing when it is on the position's own side."""
    held = (theirs.positions or {}).get((order.instrument, order.position_side))
    if held is None or (held.quantity > ZERO) is (order.side == "buy"):
        return ZERO
    return order.quantity - order.filled
