"""The explanation of differences: causes with their amounts and evidence, and the rest, to the last unit.

Each difference is looked up by its subject, so that what agrees costs nothing.
"""

from collections.abc import Iterable
from decimal import Decimal

from trueup.model.differences import Difference
from trueup.model.numbers import ZERO, exact
from trueup.reconcile.explain.causes import Cause, Explanation, Part
from trueup.reconcile.explain.evidence import Evidence
from trueup.reconcile.explain.taxonomy import LEFT_OVER, OF_AMOUNTS, OF_KIND

_ORDER = {cause: place for place, cause in enumerate(Cause)}


def explain(differences: Iterable[Difference], evidence: Evidence) -> tuple[Explanation, ...]:
    """The causes of each difference, in their order."""
    with exact():
        return tuple(_explain(found, evidence) for found in differences)


def _explain(found: Difference, evidence: Evidence) -> Explanation:
    parts = [part for detect in OF_KIND[found.kind] for part in detect(found, evidence)]
    rest = _rest(found, parts)
    if rest is not None and OF_KIND[found.kind] is OF_AMOUNTS:
        for detect in LEFT_OVER:
            part = detect(found, rest, evidence) if rest else None
            if part is not None and part.amount is not None:
                parts.append(part)
                rest -= part.amount
    parts.sort(key=lambda part: _ORDER[part.cause])
    return Explanation(found.subject, found.kind.value, found.difference, tuple(parts), rest)


def _rest(found: Difference, parts: Iterable[Part]) -> Decimal | None:
    """The difference less all amounts; None where the difference or an amount is unknown."""
    amounts = [part.amount for part in parts]
    if found.difference is None or None in amounts:
        return None
    return found.difference - sum((amount for amount in amounts if amount is not None), ZERO)
