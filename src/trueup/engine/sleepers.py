"""Threads that wait to be answered: woken in order, a few at a time, and whoever goes on wakes the next.

A thousand threads awake at once would fight for the interpreter, with one another and with the thread that serves them,
and get little else done.
"""

from collections import deque
from collections.abc import Iterable
from threading import Lock

AWAKE_AT_ONCE = 8
"""Threads that were woken and do not run yet. More than one, so that beside a thread that computes they get a share."""


class Sleeper:
    """One waiting thread."""

    __slots__ = ("_latch", "gone", "woken")

    def __init__(self) -> None:
        self._latch = Lock()
        self._latch.acquire()
        self.woken = False
        self.gone = False

    def sleep(self) -> None:
        """Block until woken."""
        self._latch.acquire()

    def wake(self) -> None:
        """Let it go on."""
        self.woken = True
        self._latch.release()


class Sleepers:
    """All who wait, in the order in which they were answered."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._answered: deque[Sleeper] = deque()
        self._awake = 0

    def sleep(self, sleeper: Sleeper) -> None:
        """Block until it is this one's turn to go on; one that is interrupted instead is passed over."""
        try:
            sleeper.sleep()
        finally:
            with self._lock:
                sleeper.gone = True
                if sleeper.woken:
                    self._awake -= 1
                    self._wake_next()

    def wake(self, sleepers: Iterable[Sleeper]) -> None:
        """These are answered and may go on."""
        with self._lock:
            self._answered.extend(sleepers)
            self._wake_next()

    def _wake_next(self) -> None:
        while self._answered and self._awake < AWAKE_AT_ONCE:
            sleeper = self._answered.popleft()
            if not sleeper.gone:
                self._awake += 1
                sleeper.wake()
