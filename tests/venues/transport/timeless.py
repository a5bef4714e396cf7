"""An event loop whose time is simulated: where it would wait, the clock moves on instead. No test sleeps."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _NoWait(selectors.SelectSelector):
    """Polls its files, and answers a wait by moving the clock."""

    def __init__(self, moved: Callable[[float], None]) -> None:
        super().__init__()
        self._moved = moved

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("everything waits for something that never comes")
        if not ready and timeout:
            self._moved(timeout)
        return ready


class TimelessLoop(asyncio.SelectorEventLoop):
    """Starts at second 1,000 and moves only where every task waits."""

    def __init__(self) -> None:
        self.now = 1_000.0
        super().__init__(_NoWait(self._move))

    def time(self) -> float:
        return self.now

    def _move(self, seconds: float) -> None:
        self.now += seconds


def run(story: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a story in simulated time."""
    with asyncio.Runner(loop_factory=TimelessLoop) as runner:
        return runner.run(story())


def now() -> float:
    """The simulated time."""
    return asyncio.get_running_loop().time()
