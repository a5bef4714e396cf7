"""What tolerances let pass, watched over time: rounding goes both ways, a wrong fee model goes one way (domain 2.1).

Each cut leaves a residual within tolerance. Its changes should be up as often as down; a long run of one sign is a
break, however small each of them is.
"""

from decimal import Decimal

import msgspec

from trueup.model.numbers import ZERO, exact

RUN_MAX = 20
"""Changes of one sign in a row that rounding may make: by chance, one in half a million."""


class Drift(msgspec.Struct, frozen=True):
    """The residual of one subject over its cuts.

    Attributes:
        residual: Theirs less ours at the newest cut.
        run: How many changes in a row had the sign of the newest one; cuts without a change do not count.
        since: The residual before that run.
    """

    residual: Decimal = ZERO
    run: int = 0
    since: Decimal = ZERO

    @property
    def amount(self) -> Decimal:
        """What the run has summed up to, signed."""
        with exact():
            return self.residual - self.since

    @property
    def is_break(self) -> bool:
        """Whether this can no longer be rounding."""
        return self.run > RUN_MAX


def drifted(before: Drift, residual: Decimal) -> Drift:
    """The drift with the residual of one more cut."""
    if residual == before.residual:
        return before
    rises, rose = residual > before.residual, before.residual > before.since
    if before.run and rises is rose:
        return Drift(residual, before.run + 1, before.since)
    return Drift(residual, 1, before.residual)
