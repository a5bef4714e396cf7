"""Chores beside the booking: each in its turn, a failing one tried again later, and none in the way of another."""

from collections.abc import Callable
from itertools import pairwise
from threading import Event

from trueup.engine.caretaker import RETRY_FIRST_S, RETRY_MAX_S, Caretaker
from trueup.model.errors import BackupFailed

PATIENCE_S = 60


class HandClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> int:
        return round(self.seconds * 1e9)

    def monotonic(self) -> float:
        return self.seconds


class Work:
    """A chore that does as it is told."""

    def __init__(self, name: str, step: Callable[[], float]) -> None:
        self.name = name
        self.steps = 0
        self._step = step

    def step(self) -> float:
        self.steps += 1
        return self._step()


class Debt(Work):
    """A chore that owes something at the end."""

    def __init__(self, name: str, finish: Callable[[], list[str]]) -> None:
        super().__init__(name, lambda: 1000.0)
        self._finish = finish

    def finish(self) -> list[str]:
        return self._finish()


def refused() -> float:
    raise BackupFailed("The disk is gone.", remedy="Mount it.")


def test_each_chore_comes_when_it_asked_to() -> None:
    clock = HandClock()
    caretaker = Caretaker(clock, background=False)
    often, seldom = Work("often", lambda: 1.0), Work("seldom", lambda: 10.0)
    caretaker.add([often, seldom])
    for _ in range(20):
        assert caretaker.step() == 1.0
        clock.seconds += 1
    assert (often.steps, seldom.steps) == (20, 2)


def test_a_failing_chore_is_tried_again_after_ever_longer_and_bounded_waits_and_stops_no_other() -> None:
    clock = HandClock()
    caretaker = Caretaker(clock, background=False)
    tried: list[float] = []

    def fail() -> float:
        tried.append(clock.seconds)
        return refused()

    other = Work("other", lambda: 50.0)
    caretaker.add([Work("failing", fail), other])
    while len(tried) < 14:
        clock.seconds += caretaker.step()
    waits = [later - earlier for earlier, later in pairwise(tried)]
    assert waits[:4] == [RETRY_FIRST_S, 2 * RETRY_FIRST_S, 4 * RETRY_FIRST_S, 8 * RETRY_FIRST_S]
    assert max(waits) == waits[-1] == RETRY_MAX_S
    assert other.steps > 10
    trouble = caretaker.troubles["failing"]
    assert (trouble.times, trouble.since, trouble.problem) == (14, 0, "The disk is gone. Mount it.")


def test_a_chore_that_works_again_is_no_trouble_any_more_and_begins_with_short_waits() -> None:
    clock = HandClock()
    caretaker = Caretaker(clock, background=False)
    broken = [True]
    chore = Work("chore", lambda: refused() if broken[0] else 5.0)
    caretaker.add([chore])
    for _ in range(5):
        clock.seconds += caretaker.step()
    broken[0] = False
    assert caretaker.step() == 5.0
    assert caretaker.troubles == {}
    broken[0] = True
    clock.seconds += 5
    assert caretaker.step() == RETRY_FIRST_S


def test_a_mistake_in_a_chore_is_a_trouble_like_any_other() -> None:
    caretaker = Caretaker(HandClock(), background=False)

    def mistake() -> float:
        raise ZeroDivisionError("oh")

    caretaker.add([Work("chore", mistake)])
    caretaker.step()
    assert caretaker.troubles["chore"].problem == "ZeroDivisionError('oh')"


def test_what_chores_owe_is_done_at_the_end_and_what_fails_then_is_told() -> None:
    caretaker = Caretaker(HandClock(), background=False)

    def fail() -> list[str]:
        refused()
        return []

    caretaker.add([Debt("first", fail), Debt("second", lambda: ["paid, but one"]), Work("third", refused)])
    caretaker.step()
    caretaker.stop()
    told = caretaker.finish()
    assert sorted(told) == [
        "first: The disk is gone. Mount it.",
        "second: paid, but one",
        "third: The disk is gone. Mount it.",
    ]


def test_a_thread_does_the_chores_and_a_stop_waits_for_the_slice_in_progress() -> None:
    clock, begun, go_on = HandClock(), Event(), Event()
    done: list[str] = []

    def slow() -> float:
        begun.set()
        assert go_on.wait(PATIENCE_S)
        done.append("slice")
        return 0.0

    caretaker = Caretaker(clock)
    chore = Work("slow", slow)
    caretaker.add([chore])
    assert begun.wait(PATIENCE_S)
    caretaker._closing = True  # as stop() says first; it then waits
    go_on.set()
    caretaker.stop()
    assert done == ["slice"] * chore.steps


def test_a_chore_that_is_added_to_a_sleeping_thread_is_begun() -> None:
    caretaker, begun, first = Caretaker(HandClock()), Event(), Event()

    def idle() -> float:
        first.set()
        return 10_000.0

    def work() -> float:
        begun.set()
        return 10_000.0

    caretaker.add([Work("idle", idle)])
    assert first.wait(PATIENCE_S)
    caretaker.add([Work("new", work)])
    assert begun.wait(PATIENCE_S)
    caretaker.stop()


def test_a_caretaker_without_chores_ends_at_once() -> None:
    caretaker = Caretaker(HandClock())
    caretaker.stop()
    assert caretaker.finish() == []
