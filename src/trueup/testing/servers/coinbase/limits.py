"""How often somebody may ask: so many requests in any second."""

from collections import defaultdict, deque

from trueup.ports import Clock

_WINDOW_S = 1.0


class Limits:
    """Requests of the last second, by who asks.

    Args:
        most: In a second; 0 for as many as one likes.
    """

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock = clock
        self._most = most
        self._recent: dict[str, deque[float]] = defaultdict(deque)

    def allows(self, who: str) -> bool:
        """Whether a request may be answered; then it counts."""
        recent, now = self._recent[who], self._clock.monotonic()
        while recent and recent[0] <= now - _WINDOW_S:
            recent.popleft()
        if self._most and len(recent) >= self._most:
            return False
        recent.append(now)
        return True
