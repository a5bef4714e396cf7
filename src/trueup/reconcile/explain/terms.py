"""Causes that lie in what things are called and counted in, and when they end: maps, multipliers, expiry, rounding."""

from collections.abc import Iterator
from decimal import Decimal

from trueup.model.differences import Difference
from trueup.model.numbers import ZERO, canonical
from trueup.reconcile.explain.causes import Cause, Part
from trueup.reconcile.explain.evidence import Evidence


def other_unit(found: Difference, evidence: Evidence) -> Iterator[Part]:
    """The venue counts in another unit than our definition says: its multiplier changed or was read wrong."""
    symbol = found.subject.rpartition(" ")[0]
    units = evidence.multipliers.get(symbol)
    if units is not None and found.theirs is not None:
        stated = Decimal(found.theirs)
        amount = stated - stated * units
        if amount:
            words = f"one unit of the venue's answer is {canonical(units)} of ours"
            yield Part(Cause.SYMBOL_MAP, amount, (f"instrument {symbol}",), words)


def expired(found: Difference, rest: Decimal, evidence: Evidence) -> Part | None:
    """The contract has ended and the venue holds none of it: whatever is left over went with it."""
    symbol = found.subject.rpartition(" ")[0]
    terms = evidence.instruments.get(symbol)
    if not rest or terms is None or terms.expiry is None or evidence.cut is None or evidence.cut <= terms.expiry:
        return None
    if found.theirs is not None and Decimal(found.theirs):
        return None
    return Part(Cause.EXPIRY, rest, (f"instrument {symbol}",), f"the contract ended at {terms.expiry}")


def rounded(found: Difference, rest: Decimal, evidence: Evidence) -> Part | None:
    """No more than rounding and the fee model may have summed up to."""
    allowed = evidence.rounding.get(found.subject, ZERO)
    if not rest or abs(rest) > allowed:
        return None
    return Part(Cause.ROUNDING, rest, (), f"within {canonical(allowed)} of rounding since the last proven cut")
