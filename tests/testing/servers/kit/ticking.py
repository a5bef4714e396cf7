"""A clock that a test moves."""

from trueup.model.times import NS_PER_SECOND

MONDAY = 1_795_426_200 * NS_PER_SECOND
"""2026-11-23T09:30:00Z, a trading day everywhere."""


class HandClock:
    """Stands still until it is moved."""

    def __init__(self, now: int = MONDAY) -> None:
        self._now = now
        self._began = now

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._began) / NS_PER_SECOND

    def pass_s(self, seconds: float) -> None:
        self._now += int(seconds * NS_PER_SECOND)
