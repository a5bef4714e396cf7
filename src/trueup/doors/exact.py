"""Numbers as people give and compare them: in by their shortest text, out as decimals that equal plain numbers."""

from collections.abc import Callable
from decimal import Decimal
from operator import ge, gt, le, lt

from trueup.model.numbers import canonical, parse_decimal

Number = int | float | str | Decimal
"""What may be given for a number; a float is taken by its shortest text, so that 0.1 is one tenth."""


class Exact(Decimal):
    """A decimal that compares with floats as people write them: ``Exact("0.1") == 0.1``. Arithmetic gives decimals."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return Decimal.__eq__(self, _comparable(other))

    def __lt__(self, other: object) -> bool:
        return _ordered(lt, self, other)

    def __le__(self, other: object) -> bool:
        return _ordered(le, self, other)

    def __gt__(self, other: object) -> bool:
        return _ordered(gt, self, other)

    def __ge__(self, other: object) -> bool:
        return _ordered(ge, self, other)

    __hash__ = Decimal.__hash__


def number(value: object, field: str) -> Decimal:
    """A number that a person gave.

    Raises:
        BadInput: It is none, or infinite, or has more digits than anything real.
    """
    return Decimal(parse_decimal(repr(value) if type(value) is float else value, field))  # a plain one, and no Exact


def shown(value: Decimal | None) -> Exact | None:
    """A number for a person, without needless zeros; None stays unknown."""
    return None if value is None else exactly(value)


def exactly(value: Decimal) -> Exact:
    """A number that is known, for a person."""
    return Exact(canonical(value))


def _comparable(other: object) -> object:
    return Decimal(repr(other)) if isinstance(other, float) else other


def _ordered(compare: Callable[[Decimal, Decimal], bool], one: Decimal, other: object) -> bool:
    return compare(Decimal(one), _comparable(other))  # type: ignore[arg-type]  # Decimal refuses what it cannot order
