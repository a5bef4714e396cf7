"""A circuit breaker per venue. What lives only here: when a venue that keeps failing is left alone for a while.

Closed: calls go out. After enough failures in a row it opens: calls are refused at once, so that nothing piles up
behind a dead venue. Later it is half open: one call goes out as a probe, and its outcome closes or opens it again.
Urgent calls always go out (invariant I8): a cancel that fails costs nothing, one never sent may cost everything.
"""

from collections.abc import Callable
from enum import StrEnum

from trueup.model.errors import Unavailable

FAILURES_MAX = 5
"""Failures in a row that open it: fewer happen to a healthy venue."""

OPEN_S = 5.0
"""How long it stays open at first; doubled by each failed probe, up to :data:`OPEN_MAX_S`."""

OPEN_MAX_S = 120.0


class State(StrEnum):
    """Whether calls go out."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Counts what comes of calls, and refuses those that would fail.

    Args:
        monotonic: Seconds that never go back.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failures = 0
        self._open_s = OPEN_S
        self._until: float | None = None
        self._probing = False

    @property
    def state(self) -> State:
        """What the next call would meet."""
        if self._until is None:
            return State.CLOSED
        return State.OPEN if self._monotonic() < self._until else State.HALF_OPEN

    def admit(self, *, urgent: bool) -> None:
        """Let a call out, or refuse it. Who is let out says what came of it: :meth:`succeeded` or :meth:`failed`.

        Raises:
            Unavailable: The venue keeps failing; nothing was sent.
        """
        if urgent or self._until is None:
            return
        left = self._until - self._monotonic()
        if left > 0 or self._probing:
            told = f"for another {left:.1f} s" if left > 0 else "until the probe under way is answered"
            raise Unavailable(
                f"The venue failed {self._failures} times in a row and is left alone {told}.",
                remedy="Nothing was sent; it is tried again by itself.",
            )
        self._probing = True

    def succeeded(self) -> None:
        """The venue answered, be it with a refusal."""
        self._failures, self._open_s, self._until, self._probing = 0, OPEN_S, None, False

    def failed(self) -> None:
        """The venue could not be reached, or failed on its own side."""
        self._failures += 1
        if self._until is not None and self._probing:
            self._open_s = min(self._open_s * 2, OPEN_MAX_S)
        if self._until is not None or self._failures >= FAILURES_MAX:
            self._until = self._monotonic() + self._open_s
        self._probing = False

    def abandoned(self) -> None:
        """The caller gave up before anything came of it: that says nothing of the venue."""
        self._probing = False
