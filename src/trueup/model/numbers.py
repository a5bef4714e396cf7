"""Exact decimal arithmetic, and the one place where anything is rounded.

Sums and products are exact: :data:`EXACT` traps ``Inexact``, so an operation that would lose a digit raises instead.
The context is entered per batch (``with exact():``); a thread starts with another one, so nothing may rely on the
thread's default. The only rounding is :func:`quotient`.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import (
    ROUND_HALF_EVEN,
    Clamped,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Overflow,
    Subnormal,
    getcontext,
    localcontext,
    setcontext,
)

from trueup.model.errors import BadInput

ZERO = Decimal(0)
ONE = Decimal(1)

DIGITS_MAX = 36
"""Digits allowed before and after the point of a number that comes in: eighteen-decimal tokens with room to spare."""

_TRAPS = [Inexact, InvalidOperation, DivisionByZero, Overflow, FloatOperation, Clamped, Subnormal]

# Quantity * contract size * price has 216 digits. A cost from which the tiniest shares of such products were taken has
# some 320, and times a quantity, before it is divided, some 400. More room costs nothing until it is used.
EXACT = Context(prec=1_000, rounding=ROUND_HALF_EVEN, traps=_TRAPS)

quotient: Callable[[Decimal, Decimal], Decimal] = Context(
    prec=28, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow]
).divide
"""The one rounding: ``quotient(numerator, denominator)`` to 28 significant digits, half to even.

It divides cost among the parts of a position that is reduced, and turns contracts into coins for inverse instruments.
What it drops is never lost: the remainder stays in the cost and the last close takes it.
"""

_FINEST = ONE.scaleb(-DIGITS_MAX)
_GRID = Context(prec=2 * DIGITS_MAX, traps=[InvalidOperation])
"""Here a number that is wider than the bounds has no remainder by the finest step, nor has an infinite one."""

_NUMBER = re.compile(r"-?[0-9]{1,36}(\.[0-9]{1,36})?(?P<exponent>[eE][+-]?[0-9]{1,2})?", re.ASCII)
"""Without an exponent it is within the bounds by its digits alone."""


def exact() -> AbstractContextManager[Context]:
    """The arithmetic context of everything booked, for one batch."""
    return localcontext(EXACT)


def parse_decimal(value: object, field: str) -> Decimal:
    """A decimal from text, an int or a Decimal; never from a binary float.

    Args:
        value: Plain or exponent notation in ASCII digits, such as ``"-1.50"`` or ``"1e-8"``.
        field: The name to report when the value is refused.

    Raises:
        BadInput: Not a finite number within :data:`DIGITS_MAX` digits on either side of the point; ``1_000``, ``NaN``,
            ``Infinity``, spaces and digits of other scripts are refused.
    """
    if isinstance(value, str):
        written = _NUMBER.fullmatch(value)
        if written is None:
            raise _not_a_number(field, value)
        number = Decimal(value)
        return number if written["exponent"] is None else _bounded(number, field, value)
    if isinstance(value, int) and not isinstance(value, bool):
        return _bounded(Decimal(value), field, value)
    if isinstance(value, Decimal) and value.is_finite():
        return _bounded(value, field, value)
    raise _not_a_number(field, value)


def bounded(*numbers: Decimal | None) -> bool:
    """Whether all numbers, None aside, are finite and within :data:`DIGITS_MAX` digits on either side of the point.

    Ask of many numbers at once: most of the cost of a single one is the change of context.
    """
    outside = getcontext()
    setcontext(_GRID)
    try:
        for number in numbers:
            # The remainder tells all but a zero with too many digits.
            if number is not None and (number % _FINEST or not (number or number.adjusted() >= -DIGITS_MAX)):
                return False
    except InvalidOperation:
        return False
    finally:
        setcontext(outside)
    return True


def _bounded(number: Decimal, field: str, value: object) -> Decimal:
    if bounded(number):
        return number
    raise BadInput(
        field, value, f"more than {DIGITS_MAX} digits before or after the point", remedy="Check the unit of the value."
    )


def _not_a_number(field: str, value: object) -> BadInput:
    return BadInput(field, value, "not a finite decimal number", remedy='Write digits such as "12.5" or "-0.001".')


def canonical(number: Decimal) -> str:
    """The shortest plain notation of a value: ``1.50`` gives ``1.5``, ``-0`` gives ``0``, never an exponent."""
    if not number:
        return "0"
    text = str(number)
    if "E" in text:
        text = format(number, "f")
    return text.rstrip("0").rstrip(".") if text[-1] == "0" and "." in text else text
