"""One prioritised rate limiter per key. What lives only here: who waits for a venue's limits, and who never does.

The venue's own weights are counted over sliding windows: within any stretch of a window's length no more than its
weight goes out. Who waits goes by priority, then in the order they came. What ends or protects a position never waits
(invariant I8): it is sent at once and its weight is counted, even where that leaves less than nothing for the others.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from enum import IntEnum
from heapq import heappop, heappush
from weakref import WeakKeyDictionary

import msgspec

from trueup.model.errors import BadInput, RateLimited

WAITING_MAX = 1_000
"""Calls that may wait for one limiter; one more is refused at once, since its turn would come too late to matter."""

RETRY_AFTER_MAX_S = 600.0
"""The longest pause that a venue may ask for and be believed."""


class Priority(IntEnum):
    """Who goes first; lower is sooner."""

    CLOSE = 1
    CANCEL = 2
    PROTECTIVE = 3
    RECONCILE = 4
    REST = 5

    @property
    def urgent(self) -> bool:
        """Whether nothing may hold it back."""
        return self <= Priority.PROTECTIVE


class Window(msgspec.Struct, frozen=True):
    """A limit of the venue: ``weight`` in any ``seconds``.

    Attributes:
        reserve: Part of the weight that only urgent calls use, so that the others cannot eat it up.
    """

    weight: int
    seconds: float
    reserve: int = 0


class _Spent:
    """What went out within one window."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.total = 0
        self._sent: deque[tuple[float, int]] = deque()

    def forget(self, now: float) -> None:
        while self._sent and self._sent[0][0] <= now - self.window.seconds:
            self.total -= self._sent.popleft()[1]

    def add(self, now: float, weight: int) -> None:
        self._sent.append((now, weight))
        self.total += weight

    def room_at(self, weight: int) -> float | None:
        """When there will be room for a call that may wait; None when there is now."""
        excess = self.total + weight - (self.window.weight - self.window.reserve)
        for sent_at, sent in self._sent:
            if excess <= 0:
                return None
            excess -= sent
            if excess <= 0:
                return sent_at + self.window.seconds
        return None


class Limiter:
    """Lets calls go out as the venue's limits allow. Belongs to one event loop.

    Args:
        windows: The venue's limits; a call counts in each of them.
    """

    def __init__(self, windows: Sequence[Window]) -> None:
        self._spent = [_Spent(window) for window in windows]
        self._least = min((window.weight - window.reserve for window in windows), default=None)
        self._waiting: list[tuple[Priority, int, int, asyncio.Future[None]]] = []
        self._arrivals = 0
        self._paused_until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def acquire(self, weight: int, priority: Priority, wait_s: float) -> None:
        """Wait for the turn of a call; an urgent one never waits.

        Args:
            weight: What the venue counts it as.
            priority: Who it goes before.
            wait_s: How long it may wait.

        Raises:
            RateLimited: Its turn does not come within ``wait_s``, or too many wait already. Nothing was sent.
            BadInput: Heavier than a window: it could never go out.
        """
        now = asyncio.get_running_loop().time()
        if priority.urgent:
            self._spend(now, weight)
            return
        if self._least is not None and weight > self._least:
            raise BadInput("weight", str(weight), "more than the venue ever allows at once", remedy="Ask for less.")
        if len(self._waiting) >= WAITING_MAX:
            raise _limited(f"{WAITING_MAX} calls wait already")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        heappush(self._waiting, (priority, self._arrivals, weight, turn))
        self._release()
        try:
            async with asyncio.timeout(wait_s):
                await turn
        except TimeoutError as error:
            raise _limited(f"no turn within {wait_s:g} s") from error

    def pause(self, seconds: float) -> None:
        """Hold back what may wait: the venue said that it had too much. Bounded by :data:`RETRY_AFTER_MAX_S`."""
        until = asyncio.get_running_loop().time() + min(max(seconds, 0.0), RETRY_AFTER_MAX_S)
        self._paused_until = max(self._paused_until, until)
        self._release()

    def left(self) -> int | None:
        """Weight that may still go out now, by the tightest window; None without limits. Below zero: overdrawn."""
        now = asyncio.get_running_loop().time()
        for spent in self._spent:
            spent.forget(now)
        return min((spent.window.weight - spent.total for spent in self._spent), default=None)

    @property
    def waiting(self) -> int:
        """Calls that wait for their turn."""
        return sum(not turn.done() for *_, turn in self._waiting)

    def _release(self) -> None:
        """Let go who may, in order; come back when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._waiting:
            _, _, weight, turn = self._waiting[0]
            if not turn.done():  # else its caller gave up
                due = self._due(now, weight)
                if due > now:
                    self._timer = loop.call_at(due, self._release)
                    return
                self._spend(now, weight)
                turn.set_result(None)
            heappop(self._waiting)

    def _due(self, now: float, weight: int) -> float:
        due = self._paused_until
        for spent in self._spent:
            spent.forget(now)
            due = max(due, spent.room_at(weight) or now)
        return due

    def _spend(self, now: float, weight: int) -> None:
        for spent in self._spent:
            spent.forget(now)
            spent.add(now, weight)


def shared(key: str, windows: Sequence[Window]) -> Limiter:
    """The one limiter of a key in the running event loop: of a network address, where a venue limits that.

    Args:
        key: What the venue counts by, such as its base address.
        windows: The venue's limits, the same for everybody.
    """
    return _SHARED.setdefault(asyncio.get_running_loop(), {}).setdefault(key, Limiter(windows))


_SHARED: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Limiter]] = WeakKeyDictionary()


def _limited(why: str) -> RateLimited:
    return RateLimited(f"The limiter held the call back: {why}.", remedy="Nothing was sent. Ask less often, or later.")
