"""What a trading program holds, added up over all venues. Pure."""

from collections.abc import Sequence
from typing import Any

import msgspec

from trueup.doors.exact import Exact, exactly
from trueup.doors.position import Position
from trueup.model.numbers import ZERO, exact


class PortfolioSummary(msgspec.Struct, frozen=True):
    """What is held, added up; a sum is None where a part of it is unknown. Also read by name, ``summary["assets"]``.

    Attributes:
        positions_at_risk: How many are nearer to their liquidation than the threshold.
        assets: By name, each once.
    """

    total_positions: int
    total_unrealized_pnl: Exact | None
    total_notional_value: Exact | None
    positions_at_risk: int
    assets: list[str]

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - counts, sums and names
        if name not in self.__struct_fields__:
            raise KeyError(name)
        return getattr(self, name)


def summary_of(held: Sequence[Position], at_risk: int) -> PortfolioSummary:
    """Open positions, added up."""
    return PortfolioSummary(
        len(held),
        _sum([position.calculate_pnl() for position in held]),
        _sum([position.notional() for position in held]),
        at_risk,
        sorted({position.asset for position in held}),
    )


def _sum(parts: Sequence[Exact | None]) -> Exact | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    with exact():
        return exactly(sum(known, ZERO))
