"""Group commit: who waits for one ledger, who writes, and how each is answered.

A lone caller commits on its own thread. When the ledger is busy, callers queue and one writer thread takes all who wait
into the next batch; there is no timer, batches form because the disk is slow. Asyncio callers are answered one wake-up
of their loop per batch, threads by :class:`trueup.engine.sleepers.Sleepers`. The queue is bounded.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Generic, TypeVar

from trueup.engine.sleepers import Sleeper, Sleepers
from trueup.model.errors import Busy

QUEUE_MAX = 65_536
"""Callers that may wait for one ledger: seconds of work. More is overload, and is said at once."""

TURN_WAIT_S = 0.010
"""How long a lone caller waits for a reader or the views to be done with the ledger, which take a few milliseconds,
instead of handing its task over and being woken. Bounded, since a busy writer thread may take every turn."""

Task = TypeVar("Task")
Answer = TypeVar("Answer")


class Offer(Generic[Task, Answer]):
    """One caller's task and its answer."""

    __slots__ = ("answer", "error", "future", "loop", "sleeper", "task", "waiter")

    def __init__(self, task: Task) -> None:
        self.task = task
        self.answer: Answer | None = None
        self.error: BaseException | None = None
        self.sleeper: Sleeper | None = None
        self.future: Future[Answer] | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.waiter: asyncio.Future[Answer] | None = None

    def result(self) -> Answer:
        """The answer, or the error that stands for it."""
        if self.error is not None:
            raise self.error
        if self.answer is None:
            raise RuntimeError("an offer was answered with nothing")
        return self.answer


class Writer(Generic[Task, Answer]):
    """Serves offers in batches, one batch at a time.

    Args:
        name: Of the thread.
        work: Serves as many of the waiting offers as fit a batch: takes them from the deque, sets answer or error of
            each, and returns those served. Called with the turn held.
        room: Waits, within bounds, until those who follow the writer have caught up. Called without the turn.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[deque[Offer[Task, Answer]]], Sequence[Offer[Task, Answer]]],
        room: Callable[[], None],
    ) -> None:
        self.turn = Lock()
        self._name = name
        self._work = work
        self._room = room
        self._waiting: deque[Offer[Task, Answer]] = deque()
        self._sleepers = Sleepers()
        self._callers: set[Offer[Task, Answer]] = set()
        self._bell = Event()
        self._thread: Thread | None = None
        self._starting = Lock()
        self._closing = False

    def call(self, task: Task) -> Answer:
        """Serve a task and return its answer; on this thread when nobody else is at it."""
        self._room()
        offer: Offer[Task, Answer] = Offer(task)
        self._callers.add(offer)
        try:
            alone = len(self._callers) == 1 and not self._waiting and not self._closing
            if alone and self.turn.acquire(timeout=TURN_WAIT_S):
                try:
                    self._work(deque((offer,)))
                finally:
                    self.turn.release()
            else:
                offer.sleeper = Sleeper()
                self._enqueue(offer)
                self._sleepers.sleep(offer.sleeper)
        finally:
            self._callers.discard(offer)
        return offer.result()

    def submit(self, task: Task) -> Future[Answer]:
        """Queue a task for the writer thread."""
        offer: Offer[Task, Answer] = Offer(task)
        future: Future[Answer] = Future()
        offer.future = future
        self._enqueue(offer)
        return future

    async def acall(self, task: Task) -> Answer:
        """Queue a task for the writer thread and wait on the running loop."""
        offer: Offer[Task, Answer] = Offer(task)
        offer.loop = loop = asyncio.get_running_loop()
        offer.waiter = loop.create_future()
        self._enqueue(offer)
        return await offer.waiter

    def close(self) -> None:
        """Serve who still waits, then stop the thread."""
        with self._starting:
            self._closing = True
            self._bell.set()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _enqueue(self, offer: Offer[Task, Answer]) -> None:
        if len(self._waiting) >= QUEUE_MAX:
            raise Busy(f"{QUEUE_MAX} callers wait for {self._name}.", remedy="Slow down; nothing was written.")
        with self._starting:
            if self._closing:
                raise Busy(f"{self._name} is closed.", remedy="Open it again; nothing was written.")
            if self._thread is None:
                self._thread = Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._waiting.append(offer)
        if not self._bell.is_set():
            self._bell.set()

    def _run(self) -> None:
        while True:
            self._bell.wait()
            self._bell.clear()
            while self._waiting:
                self._room()
                with self.turn:
                    served = self._work(self._waiting)
                self._answer(served)
            if self._closing:
                return

    def _answer(self, served: Sequence[Offer[Task, Answer]]) -> None:
        loops: dict[asyncio.AbstractEventLoop, list[Offer[Task, Answer]]] = defaultdict(list)
        for offer in served:
            if offer.loop is not None:
                loops[offer.loop].append(offer)
            elif offer.future is not None:
                if not offer.future.set_running_or_notify_cancel():
                    continue  # the caller gave up waiting; what it offered stands all the same
                if offer.error is not None:
                    offer.future.set_exception(offer.error)
                else:
                    offer.future.set_result(offer.result())
        for loop, offers in loops.items():
            with suppress(RuntimeError):  # the loop was closed: nobody waits there any more
                loop.call_soon_threadsafe(_wake, offers)
        self._sleepers.wake(offer.sleeper for offer in served if offer.sleeper is not None)


def _wake(offers: Sequence[Offer[Task, Answer]]) -> None:
    for offer in offers:
        waiter = offer.waiter
        if waiter is None or waiter.done():
            continue  # the caller gave up waiting; what it offered stands all the same
        if offer.error is not None:
            waiter.set_exception(offer.error)
        else:
            waiter.set_result(offer.result())
