"""Time, from outside."""

from typing import Protocol


class Clock(Protocol):
    """Times from outside, so that the core reads none."""

    def now(self) -> int:
        """Wall clock in nanoseconds UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for waits."""
        ...
