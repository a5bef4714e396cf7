"""A position as the broker states it and as a program believes it, and where the two differ. Pure."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from trueup.doors.exact import Exact, Number, exactly, number, shown
from trueup.doors.fields import time_of
from trueup.model.differences import Kind, Severity, VenuePosition
from trueup.model.errors import BadInput
from trueup.model.numbers import ZERO, canonical, exact
from trueup.model.times import format_time
from trueup.reconcile.findings import SEVERITY
from trueup.reconcile.tolerance import DEFAULTS

Side = Literal["long", "short"]

_SIDES = {"long": "long", "buy": "long", "short": "short", "sell": "short"}

_Stated = TypeVar("_Stated", bound="BrokerPosition | InternalPosition")


class BrokerPosition(msgspec.Struct, frozen=True):
    """What a broker holds in one instrument, on one side.

    Attributes:
        units: Positive; the side tells the sign.
        average_price, unrealized_pnl, margin_used: None where the broker does not say. Amounts are in the currency that
            the broker states them in, which may be the account's own.
        timestamp: When it said so, RFC 3339.
    """

    instrument: str
    side: Side
    units: Exact
    average_price: Exact | None
    unrealized_pnl: Exact | None
    margin_used: Exact | None
    timestamp: str

    if TYPE_CHECKING:

        def __init__(  # noqa: PLR0917 - the documented order
            self,
            instrument: str,
            side: str,
            units: Number,
            average_price: Number | None,
            unrealized_pnl: Number | None,
            margin_used: Number | None,
            timestamp: str | datetime,
        ) -> None: ...

    def __post_init__(self) -> None:
        """Make numbers exact. Raises :class:`BadInput` for a side or units that cannot be."""
        _made_exact(self, ("units", "average_price", "unrealized_pnl", "margin_used"))
        msgspec.structs.force_setattr(self, "timestamp", format_time(time_of(self.timestamp, "timestamp")))

    @property
    def quantity(self) -> Decimal:
        """Signed: short is negative."""
        return _signed(self)


class InternalPosition(msgspec.Struct, frozen=True):
    """What a program believes that it holds in one instrument.

    Attributes:
        units: Positive; the side tells the sign.
        average_price: None where it does not know.
        opened_at: RFC 3339; None where it does not know.
    """

    instrument: str
    side: Side
    units: Exact
    average_price: Exact | None = None
    opened_at: str | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            instrument: str,
            side: str,
            units: Number,
            average_price: Number | None = None,
            opened_at: str | datetime | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        """Make numbers exact. Raises :class:`BadInput` for a side or units that cannot be."""
        _made_exact(self, ("units", "average_price"))
        if self.opened_at is not None:
            msgspec.structs.force_setattr(self, "opened_at", format_time(time_of(self.opened_at, "opened_at")))

    @property
    def quantity(self) -> Decimal:
        """Signed: short is negative."""
        return _signed(self)


class PositionDifference(msgspec.Struct, frozen=True):
    """One thing that differs.

    Attributes:
        kind: As ``trueup reconcile`` calls it.
    """

    kind: Kind
    severity: Severity
    words: str


def stated(row: VenuePosition, at: int) -> BrokerPosition:
    """A row of the venue's answer, which came at a time in nanoseconds."""
    return BrokerPosition(
        row.instrument,
        "long" if row.quantity > ZERO else "short",
        abs(row.quantity),
        row.entry_price,
        row.unrealized_pnl,
        row.margin_used,
        format_time(at),
    )


def apart(ours: InternalPosition | None, theirs: BrokerPosition | None) -> Sequence[PositionDifference]:
    """Where a program and its broker differ; None is flat. Units agree to the last one or not at all."""
    here = ZERO if ours is None else ours.quantity
    there = ZERO if theirs is None else theirs.quantity
    if here != there:
        kind = _kind(here, there)
        words = f"we hold {canonical(here)}, the broker holds {canonical(there)}"
        return [PositionDifference(kind, SEVERITY[kind], words)]
    if ours is None or theirs is None or ours.average_price is None or theirs.average_price is None:
        return []
    with exact():
        off = abs(ours.average_price - theirs.average_price)
        if off <= DEFAULTS.entry_price * theirs.average_price:
            return []
    words = f"our average is {canonical(ours.average_price)}, the broker's {canonical(theirs.average_price)}"
    return [PositionDifference(Kind.AVG_PX, SEVERITY[Kind.AVG_PX], words)]


def internal(instrument: str, quantity: Decimal, average: Decimal | None, opened_at: int | None) -> InternalPosition:
    """A position of a ledger that is not flat."""
    began = None if opened_at is None else format_time(opened_at)
    side = "long" if quantity > ZERO else "short"
    return InternalPosition(instrument, side, abs(quantity), shown(average), began)


def _kind(ours: Decimal, theirs: Decimal) -> Kind:
    if not ours:
        return Kind.MISSING_OURS
    if not theirs:
        return Kind.MISSING_THEIRS
    return Kind.QTY if (ours > ZERO) is (theirs > ZERO) else Kind.SIDE


def _made_exact(position: _Stated, numbers: Sequence[str]) -> None:
    set_ = msgspec.structs.force_setattr
    side = _SIDES.get(str(position.side).lower())
    if side is None:
        raise BadInput("side", position.side, "no side of a position", remedy="Give long or short; None for flat.")
    set_(position, "side", side)
    for field in numbers:
        given = getattr(position, field)
        if given is not None or field == "units":
            set_(position, field, exactly(number(given, field)))
    if not position.units > ZERO:
        remedy = "Give positive units, and the side apart; None in place of a position that is flat."
        raise BadInput("units", position.units, "not a positive number", remedy=remedy)


def _signed(position: BrokerPosition | InternalPosition) -> Decimal:
    units = Decimal(position.units)
    return units if position.side == "long" else -units
