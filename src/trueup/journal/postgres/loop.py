"""One event loop on a thread of its own, for callers that are not asynchronous. All waits are bounded."""

import asyncio
from collections.abc import Coroutine
from threading import Thread
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class LoopThread:
    """Runs coroutines for other threads."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Answer], timeout_s: float) -> Answer:
        """Run a coroutine and wait for its answer.

        Raises:
            TimeoutError: There was none in time; the coroutine is cancelled.
        """
        running = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return running.result(timeout_s)
        except BaseException:  # of the coroutine, or the caller's own, who then does not wait for it any more
            running.cancel()
            raise

    @property
    def closed(self) -> bool:
        """Whether it runs nothing any more."""
        return self._loop.is_closed()

    def close(self) -> None:
        """Stop the loop and its thread; what still ran in it must have been ended."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
