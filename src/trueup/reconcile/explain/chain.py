"""Gaps in a history of fills, where the venue says what the position was before each of them.

The chain is ``start[k+1] == start[k] + size[k]``. A link that does not hold locates fills that no history has any more,
and says how much they moved (domain rule 2.8).
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby

import msgspec

from trueup.model import events as e
from trueup.model.facts import order_key
from trueup.model.numbers import exact


class Gap(msgspec.Struct, frozen=True):
    """Fills that are not there.

    Attributes:
        subject: The position, as differences name it.
        amount: Signed quantity that they moved together.
        after, before: Venue trade ids of the fills on either side.
    """

    subject: str
    amount: Decimal
    after: str
    before: str


def gaps(fills: Iterable[e.FillBooked]) -> tuple[Gap, ...]:
    """The gaps in all fills that either side has, of any positions; a fill without the venue's claim begins anew."""
    by_position: dict[str, list[e.FillBooked]] = {}
    for fill in fills:
        by_position.setdefault(f"{fill.instrument} {fill.position_side}", []).append(fill)
    with exact():
        return tuple(gap for subject, chain in by_position.items() for gap in _gaps(subject, chain))


def _gaps(subject: str, fills: Iterable[e.FillBooked]) -> Iterator[Gap]:
    before: e.FillBooked | None = None
    for _, instant in groupby(sorted(fills, key=order_key), key=lambda fill: fill.venue_time):
        waiting = list(instant)
        while waiting:
            fill = waiting.pop(_next(waiting, before))
            expected = _end(before)
            if before is not None and expected is not None and fill.start_position not in {None, expected}:
                amount = (fill.start_position or 0) - expected
                yield Gap(subject, amount, before.venue_trade_id, fill.venue_trade_id)
            before = fill


def _next(waiting: Sequence[e.FillBooked], before: e.FillBooked | None) -> int:
    """Which fill of one instant comes next: the one that continues the chain, for the venue need not list them so."""
    expected = _end(before)
    return next((place for place, fill in enumerate(waiting) if fill.start_position == expected), 0)


def _end(fill: e.FillBooked | None) -> Decimal | None:
    """The position after a fill; None when the venue does not say."""
    if fill is None or fill.start_position is None:
        return None
    return fill.start_position + (fill.quantity if fill.side == "buy" else -fill.quantity)
