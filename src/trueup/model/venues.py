"""What a venue can do, what an account there may do, and what it says beside facts: marks and gaps."""

from decimal import Decimal
from enum import StrEnum
from typing import Literal

import msgspec

from trueup.model.orders import OrderType, TimeInForce


class Stage(StrEnum):
    """How far an account is trusted to trueup. A new one only observes."""

    OBSERVE = "observe"
    CORRECT = "correct"
    TRADE = "trade"


class Capabilities(msgspec.Struct, frozen=True):
    """What a venue offers, so that callers ask instead of guessing by its name.

    Attributes:
        cursor: How its history can be read again: ``exact`` by dense ids (a hole shows), ``time`` by overlapping
            windows, ``day`` only of the present day, ``none``.
        history_max: Newest facts beyond which it forgets older ones; None where it keeps all.
        find: Whether an order can be looked up by our client order id: surely, by a scan of a window, or not at all.
        order_types, times_in_force: What it takes.
        amends: Whether a resting order can be changed; else it is cancelled and placed again by the caller.
        hedges: Whether it can hold a long and a short position in one instrument.
        streams: Whether it delivers facts as they happen.
        cannot: What cannot be reconciled or done there, and why, in sentences for a person.
    """

    cursor: Literal["exact", "time", "day", "none"]
    history_max: int | None = None
    find: Literal["surely", "window", "no"] = "no"
    order_types: frozenset[OrderType] = frozenset()
    times_in_force: frozenset[TimeInForce] = frozenset()
    amends: bool = False
    hedges: bool = False
    streams: bool = False
    cannot: tuple[str, ...] = ()


class Mark(msgspec.Struct, frozen=True):
    """A mark price of the venue.

    Attributes:
        venue_time: Nanoseconds UTC; None where the venue does not say.
    """

    instrument: str
    price: Decimal
    venue_time: int | None = None


class Gap(msgspec.Struct, frozen=True):
    """In a stream: something may be missing before what comes next, so the history is to be pulled."""

    reason: str
