"""What the venue forgets, and that nobody learns of it too late. Only the newest fills and TWAP slices can be had."""

from collections.abc import Callable, Sequence

import msgspec

from trueup.model.times import format_time, from_ms

FILLS_KEPT = 10_000
"""Fills that the venue still gives."""

FILLS_NEAR = 8_000
"""So many between two pulls are near to that."""

SLICES_KEPT = 2_000
"""TWAP slices that it gives; they cannot be asked for by time."""


class Stamp(msgspec.Struct):
    """Time in milliseconds and identity of a row; empty where it has none."""

    time: int
    tid: int | str | None = None


class Retention:
    """Watches the answers of one pull.

    Args:
        warn: Tells a person.
        from_start: Whether the pull begins at the beginning.
    """

    def __init__(self, warn: Callable[[str], None], *, from_start: bool) -> None:
        self._warn = warn
        self._from_start = from_start
        self._fills = 0
        self._first: int | None = None

    def fills(self, asked_from: int, anchor: str, stamps: Sequence[Stamp | None]) -> None:
        """Look at an answer: how many there were since the last pull, and whether it begins where that one ended."""
        times = [stamp.time for stamp in stamps if stamp is not None]
        if not times:
            return
        if anchor and anchor not in {str(stamp.tid) for stamp in stamps if stamp is not None}:
            self._warn(
                f"Fills are missing between {_shown(asked_from)} and {_shown(min(times))}: the venue keeps the newest "
                f"{FILLS_KEPT:,} only and has forgotten them. Correct the positions from its snapshot."
            )
        self._first = min(times) if self._first is None else self._first
        self._fills += sum(time > asked_from for time in times)
        if self._fills >= FILLS_KEPT and self._from_start:
            self._warn(
                f"Fills before {_shown(self._first)} cannot be had: the venue keeps the newest {FILLS_KEPT:,} only. "
                "Positions begin with what the first fills say was held before them, at an unknown cost."
            )
        elif self._fills >= FILLS_NEAR:
            self._warn(
                f"{FILLS_NEAR:,} fills or more came since {_shown(self._first)}, and the venue keeps the newest "
                f"{FILLS_KEPT:,} only: pull more often, or some will be lost."
            )

    def slices(self, asked_from: int, stamps: Sequence[Stamp | None]) -> None:
        """Look at the list of TWAP slices: a full one may have lost some that were never seen."""
        times = [stamp.time for stamp in stamps if stamp is not None]
        if len(stamps) >= SLICES_KEPT and times and min(times) > asked_from:
            self._warn(
                f"TWAP fills before {_shown(min(times))} cannot be had from their own list: the venue gives the newest "
                f"{SLICES_KEPT:,} only. Those that stand among the other fills are booked from there."
            )


def _shown(milliseconds: int) -> str:
    return format_time(from_ms(milliseconds))
