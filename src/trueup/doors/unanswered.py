"""Calls that were made and never answered, so that the same call again takes effect once, whatever became of the first.

While a store is away nobody can tell whether a commit stands. What was asked is kept here, exactly as it was, until the
same caller asks again; a program that ends meanwhile finds what stands when it starts.
"""

from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

MAX = 10_000
"""Calls that are remembered; of more the oldest is forgotten. A program makes far fewer again, one after the other."""

Call = TypeVar("Call")


class Unanswered(Generic[Call]):
    """Calls of one kind, by what makes them the same."""

    def __init__(self) -> None:
        self._calls: dict[Hashable, Call] = {}
        self._lock = Lock()

    def remember(self, key: Hashable, call: Call) -> None:
        """Keep a call whose answer was lost."""
        with self._lock:
            self._calls[key] = call
            if len(self._calls) > MAX:
                del self._calls[next(iter(self._calls))]

    def take(self, key: Hashable) -> Call | None:
        """The call of this key, and forget it; None when there is none."""
        with self._lock:
            return self._calls.pop(key, None)
