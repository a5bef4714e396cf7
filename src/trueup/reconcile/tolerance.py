"""How far two numbers may lie apart before they differ (domain rule 2.1).

A difference passes when ``|d| <= max(absolute, lots, relative * |theirs|)`` *and*, where a notional bound is set,
``|d| * mark * contract size <= notional``. Quantities are rounded to whole lots first. What cannot be shown to pass,
because a mark is unknown, does not pass.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from trueup.model.errors import BadInput
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO
from trueup.model.positions import Position


class Tolerance(msgspec.Struct, frozen=True):
    """One tolerance; the default allows nothing.

    Attributes:
        absolute: In the unit of what is compared.
        relative: Share of the venue's number.
        lots: Whole quantity steps of the instrument; nothing where the step is unknown.
        notional: Most the difference may be worth (:func:`exposure`); None sets no such bound.
    """

    absolute: Decimal = ZERO
    relative: Decimal = ZERO
    lots: int = 0
    notional: Decimal | None = None

    def __post_init__(self) -> None:
        """Raises :class:`BadInput` for a negative bound: it would let nothing pass, not even equality."""
        for field in ("absolute", "relative", "lots", "notional"):
            bound = getattr(self, field)
            if bound is not None and not bound >= 0:
                raise BadInput(field, bound, "a tolerance cannot be negative", remedy="Give zero or more.")

    def allows(
        self, difference: Decimal, theirs: Decimal, *, step: Decimal | None = None, worth: Decimal | None = None
    ) -> bool:
        """Whether a difference passes.

        Args:
            difference: Theirs less ours, of quantities already rounded to lots.
            theirs: The venue's number.
            step: Quantity step that ``lots`` counts.
            worth: The difference's :func:`exposure`; None when unknown.
        """
        size = abs(difference)
        if not size:
            return True
        if size > max(self.absolute, self.lots * (step or ZERO), self.relative * abs(theirs)):
            return False
        return self.notional is None or (worth is not None and worth <= self.notional)


NOTHING = Tolerance()


class Tolerances(msgspec.Struct, frozen=True):
    """What a comparison lets pass.

    Attributes:
        quantity: Of positions: zero lots.
        cash: Of balances in currencies that pay and price.
        coin: Of balances in coins that are traded on spot and pay fees in themselves.
        entry_price: Share of the venue's average entry price: one basis point.
        by_instrument: Instead of ``quantity``, by canonical symbol.
        by_currency: Instead of ``cash`` and ``coin``, by the name of the balance.
        notional_limit: A position difference worth more is critical, however few lots it is; None sets no limit.
    """

    quantity: Tolerance = NOTHING
    cash: Tolerance = Tolerance(absolute=Decimal("0.01"), relative=Decimal("0.000001"))
    coin: Tolerance = Tolerance(lots=1)
    entry_price: Decimal = Decimal("0.0001")
    by_instrument: Mapping[str, Tolerance] = msgspec.field(default_factory=dict)
    by_currency: Mapping[str, Tolerance] = msgspec.field(default_factory=dict)
    notional_limit: Decimal | None = None


DEFAULTS = Tolerances()


def pays_fees_in_kind(position: Position) -> bool:
    """Whether fees were taken from the coin itself, so that its quantity is no whole number of lots."""
    return position.instrument.kind == "spot" and position.instrument.base in position.fees


def round_to_lot(quantity: Decimal, step: Decimal | None) -> Decimal:
    """The nearest whole number of steps, halves to even; the quantity itself where the step is unknown."""
    if step is None:
        return quantity
    lots, rest = divmod(abs(quantity), step)
    if (2 * rest, lots % 2) > (step, 0):
        lots += 1
    return (lots * step).copy_sign(quantity)


def exposure(instrument: Instrument | None, quantity: Decimal, mark: Decimal | None) -> Decimal | None:
    """``|quantity| * mark * contract size``: in quote, or in the settlement coin for quanto.

    An inverse contract is worth a fixed amount of quote, so it needs no mark. None when the mark or the terms are
    unknown.
    """
    if instrument is None:
        return None
    worth = abs(quantity) * instrument.contract_size
    if instrument.kind == "inverse":
        return worth
    return None if mark is None else worth * mark
