"""Chores that go on beside the booking: one thread does them all, a bounded slice at a time.

What lives only here: who is due, and what a failure costs. A chore that fails is tried again after a wait that grows up
to a bound; it stops neither another chore nor anybody who books, and its trouble is kept for whoever looks.
"""

from collections.abc import Mapping, Sequence
from threading import Event, Lock, Thread
from typing import Protocol, runtime_checkable

import msgspec

from trueup.model.errors import TrueupError
from trueup.ports import Clock

RETRY_FIRST_S = 1.0
RETRY_MAX_S = 300.0
"""Between the attempts of a chore that fails: doubled each time, up to this."""

IDLE_S = 60.0
"""How long the thread sleeps at most, so that a chore added meanwhile is found."""


class Chore(Protocol):
    """Work in slices."""

    @property
    def name(self) -> str:
        """What it is, for a person."""
        ...

    def step(self) -> float:
        """Do a slice that takes no longer than a second or so; how many seconds until the next is wanted."""
        ...


@runtime_checkable
class LastingChore(Chore, Protocol):
    """A chore that owes something when the store closes."""

    def finish(self) -> Sequence[str]:
        """Do it now, all of it; nobody books any more, and no other slice of it runs.

        Returns:
            What a person should know of it, in sentences.
        """
        ...


class Trouble(msgspec.Struct, frozen=True):
    """A chore that fails at present.

    Attributes:
        problem: The last failure, in a sentence for a person.
        times: Failures in a row.
        since: Of the first of them, in nanoseconds.
    """

    chore: str
    problem: str
    times: int
    since: int


class Caretaker:
    """Does the chores of one store.

    Args:
        clock: The time.
        background: Whether a thread does them; else whoever owns the store calls :meth:`step`.
    """

    def __init__(self, clock: Clock, *, background: bool = True) -> None:
        self._clock = clock
        self._background = background
        self._chores: dict[str, Chore] = {}
        self._due: dict[str, float] = {}
        self._troubles: dict[str, Trouble] = {}
        self._books = Lock()
        self._bell = Event()
        self._closing = False
        self._thread: Thread | None = None

    @property
    def troubles(self) -> Mapping[str, Trouble]:
        """The chores that fail at present, by name."""
        with self._books:
            return dict(self._troubles)

    def add(self, chores: Sequence[Chore]) -> None:
        """Take on more chores, due at once."""
        with self._books:
            for chore in chores:
                self._chores[chore.name] = chore
                self._due[chore.name] = self._clock.monotonic()
        if self._background and self._thread is None:
            self._thread = Thread(target=self._run, name="chores", daemon=True)
            self._thread.start()
        self._bell.set()

    def step(self) -> float:
        """Do one slice of every chore that is due; seconds until the next is."""
        with self._books:
            due = [chore for name, chore in self._chores.items() if self._due[name] <= self._clock.monotonic()]
        for chore in due:
            if not self._closing:
                self._do(chore)
        with self._books:
            wait = min(self._due.values(), default=IDLE_S + self._clock.monotonic()) - self._clock.monotonic()
        return max(0.0, wait)

    def stop(self) -> None:
        """Begin no more slices; returns when the one in progress is done."""
        self._closing = True
        self._bell.set()
        if self._thread is not None:
            self._thread.join()

    def finish(self) -> Sequence[str]:
        """After :meth:`stop`: do what chores owe at the end; what they have to tell, or why they fail, in sentences."""
        told: list[str] = []
        for chore in list(self._chores.values()):
            if isinstance(chore, LastingChore):
                try:
                    told += [f"{chore.name}: {sentence}" for sentence in chore.finish()]
                except Exception as failure:  # noqa: BLE001 - a chore must not keep the store from closing
                    self._note(chore, failure)
                else:
                    self._troubles.pop(chore.name, None)
        return [*told, *(f"{trouble.chore}: {trouble.problem}" for trouble in self._troubles.values())]

    def _do(self, chore: Chore) -> None:
        try:
            wait = chore.step()
        except Exception as failure:  # noqa: BLE001 - whatever it was, booking and the other chores go on
            wait = self._note(chore, failure)
        else:
            with self._books:
                self._troubles.pop(chore.name, None)
        with self._books:
            self._due[chore.name] = self._clock.monotonic() + wait

    def _note(self, chore: Chore, failure: Exception) -> float:
        """Keep a failure; how long to wait before the next attempt."""
        problem = str(failure) if isinstance(failure, TrueupError) else repr(failure)
        with self._books:
            before = self._troubles.get(chore.name)
            times = before.times + 1 if before is not None else 1
            since = before.since if before is not None else self._clock.now()
            self._troubles[chore.name] = Trouble(chore.name, problem, times, since)
        return min(RETRY_MAX_S, RETRY_FIRST_S * 2.0 ** min(times - 1, 30))

    def _run(self) -> None:
        while not self._closing:
            self._bell.clear()
            self._bell.wait(min(self.step(), IDLE_S))
