"""Why the book did not have a fact, or has one that nobody ordered: told from evidence, never from the plan of faults.

Pure: the fact, and what is known of the stream that should have reported it.
"""

from enum import StrEnum

from trueup.model.events import Fact, FillBooked, LiquidationFlagged
from trueup.model.facts import order_key


class Cause(StrEnum):
    """What was found."""

    REPORT_LOST = "report lost"
    REPORTED_TWICE = "reported twice"
    NOBODY_LISTENED = "nobody listened"
    FOREIGN_TRADE = "foreign trade"
    LIQUIDATION = "liquidation"
    TIMED_OUT = "order timed out"
    VENUE_GONE = "venue gone"


def cause_of(fact: Fact) -> Cause | None:
    """What is out of the ordinary about a fact itself; None for the course of business."""
    match fact:
        case FillBooked(liquidation=forced) if forced:
            return Cause.LIQUIDATION
        case LiquidationFlagged():
            return Cause.LIQUIDATION
        case FillBooked(client_order_id=""):
            return Cause.FOREIGN_TRADE
        case _:
            return None


def why_missing(fact: Fact, listening_since: int) -> Cause:
    """Why no report of a fact came: none could, before the stream was open; after that, it was lost."""
    return Cause.NOBODY_LISTENED if order_key(fact)[0] < listening_since else Cause.REPORT_LOST


def ids_of(fact: Fact) -> tuple[str, ...]:
    """By what the venue knows the fact: a trade id, an order id, another id."""
    for field in ("venue_trade_id", "venue_order_id", "venue_id"):
        if name := getattr(fact, field, ""):
            return (name,)
    return ()
