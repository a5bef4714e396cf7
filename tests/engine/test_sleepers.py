"""Threads that wait: each goes on once answered, in order, and one that gives up keeps nobody else asleep."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from trueup.engine.sleepers import AWAKE_AT_ONCE, Sleeper, Sleepers

MANY = 5 * AWAKE_AT_ONCE


class Interrupted(Sleeper):
    """One whose thread is interrupted instead of woken."""

    def sleep(self) -> None:
        raise KeyboardInterrupt


class Answered(Sleeper):
    """One whose thread is interrupted at the very moment it is woken."""

    def sleep(self) -> None:
        super().sleep()
        raise KeyboardInterrupt


def test_all_who_are_answered_go_on() -> None:
    sleepers = Sleepers()
    waiting = [Sleeper() for _ in range(MANY)]
    with ThreadPoolExecutor(MANY) as threads:
        done = [threads.submit(sleepers.sleep, sleeper) for sleeper in waiting]
        sleepers.wake(waiting[: MANY // 2])
        sleepers.wake(waiting[MANY // 2 :])
    assert [future.result() for future in done] == [None] * MANY


def test_a_few_are_awake_at_once_and_the_longest_answered_goes_first() -> None:
    sleepers = Sleepers()
    waiting = [Sleeper() for _ in range(MANY)]
    sleepers.wake(waiting)
    woken = [[sleeper.woken for sleeper in waiting]]
    for sleeper in waiting:
        sleepers.sleep(sleeper)  # it is awake already, so this returns
        woken.append([sleeper.woken for sleeper in waiting])
    assert woken[0] == [True] * AWAKE_AT_ONCE + [False] * (MANY - AWAKE_AT_ONCE)
    assert all(sum(after) == min(MANY, sum(before) + 1) for before, after in pairwise(woken))


@pytest.mark.parametrize("kind", [Interrupted, Answered])
def test_threads_that_are_interrupted_keep_nobody_asleep(kind: type[Sleeper]) -> None:
    sleepers = Sleepers()
    leaving = [kind() for _ in range(MANY)]
    staying = Sleeper()
    if kind is Answered:
        sleepers.wake([*leaving, staying])
    for sleeper in leaving:
        with pytest.raises(KeyboardInterrupt):
            sleepers.sleep(sleeper)
    if kind is Interrupted:
        sleepers.wake([*leaving, staying])
    assert staying.woken
    sleepers.sleep(staying)
