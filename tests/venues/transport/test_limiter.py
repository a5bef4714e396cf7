"""Who waits for a venue's limits, and who never does."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venues.transport.timeless import now, run
from trueup.model.errors import BadInput, RateLimited
from trueup.venues.transport.limiter import WAITING_MAX, Limiter, Priority, Window

REST = Priority.REST


def test_calls_within_the_limit_go_at_once_and_the_next_one_when_the_first_is_old_enough() -> None:
    async def story() -> None:
        limiter = Limiter([Window(3, 10.0)])
        started = now()
        went = []
        for _ in range(4):
            await limiter.acquire(1, REST, wait_s=60)
            went.append(now() - started)
        assert went[:3] == [0, 0, 0]
        assert went[3] == pytest.approx(10)

    run(story)


def test_what_ends_or_protects_a_position_goes_at_once_however_little_is_left() -> None:
    async def story() -> None:
        limiter = Limiter([Window(1, 10.0)])
        started = now()
        await limiter.acquire(1, REST, wait_s=60)
        for priority in (Priority.CLOSE, Priority.CANCEL, Priority.PROTECTIVE):
            await limiter.acquire(5, priority, wait_s=0)
        assert now() == started
        assert limiter.left() == 1 - 1 - 15

    run(story)


def test_closing_goes_before_cancelling_before_protecting_before_reconciling_before_the_rest() -> None:
    close, cancel, protective, reconcile, rest = sorted(Priority)
    assert [close, cancel, protective] == [Priority.CLOSE, Priority.CANCEL, Priority.PROTECTIVE]
    assert [reconcile, rest] == [Priority.RECONCILE, Priority.REST]
    assert [priority.urgent for priority in sorted(Priority)] == [True, True, True, False, False]


def test_what_went_out_urgently_counts_for_those_who_wait() -> None:
    async def story() -> None:
        limiter = Limiter([Window(2, 10.0)])
        started = now()
        await limiter.acquire(2, Priority.CANCEL, wait_s=0)
        await limiter.acquire(1, REST, wait_s=60)
        assert now() - started == pytest.approx(10)

    run(story)


def test_the_reserve_is_kept_from_those_who_may_wait() -> None:
    async def story() -> None:
        limiter = Limiter([Window(10, 10.0, reserve=4)])
        started = now()
        for _ in range(6):
            await limiter.acquire(1, REST, wait_s=60)
        assert (now(), limiter.left()) == (started, 4)
        await limiter.acquire(1, REST, wait_s=60)
        assert now() - started == pytest.approx(10)

    run(story)


def test_who_waits_goes_by_priority_and_then_in_the_order_they_came() -> None:
    async def story() -> None:
        limiter = Limiter([Window(1, 1.0)])
        await limiter.acquire(1, REST, wait_s=60)
        went: list[str] = []

        async def call(name: str, priority: Priority) -> None:
            await limiter.acquire(1, priority, wait_s=60)
            went.append(name)

        async with asyncio.TaskGroup() as group:
            for name, priority in (("a", REST), ("b", REST), ("c", Priority.RECONCILE)):
                group.create_task(call(name, priority))
        assert went == ["c", "a", "b"]

    run(story)


def test_a_turn_that_does_not_come_in_time_is_refused_and_nothing_is_spent() -> None:
    async def story() -> None:
        limiter = Limiter([Window(1, 100.0)])
        await limiter.acquire(1, REST, wait_s=1)
        with pytest.raises(RateLimited, match="no turn within 2 s"):
            await limiter.acquire(1, REST, wait_s=2)
        assert (limiter.left(), limiter.waiting) == (0, 0)

    run(story)


def test_a_caller_who_gives_up_does_not_hold_up_who_comes_after() -> None:
    async def story() -> None:
        limiter = Limiter([Window(2, 10.0)])
        await limiter.acquire(2, REST, wait_s=1)
        heavy = asyncio.create_task(limiter.acquire(2, REST, wait_s=60))
        light = asyncio.create_task(limiter.acquire(1, REST, wait_s=60))
        await asyncio.sleep(0)
        heavy.cancel()
        started = now()
        await light
        assert now() - started == pytest.approx(10)
        assert limiter.left() == 1

    run(story)


def test_a_pause_that_the_venue_asks_for_is_kept_within_bounds() -> None:
    async def story() -> None:
        limiter = Limiter([Window(10, 1.0)])
        started = now()
        limiter.pause(5)
        limiter.pause(2)  # a shorter one does not end the longer
        await limiter.acquire(1, REST, wait_s=60)
        assert now() - started == pytest.approx(5)
        limiter.pause(1e9)
        await limiter.acquire(1, Priority.CANCEL, wait_s=0)
        with pytest.raises(RateLimited):
            await limiter.acquire(1, REST, wait_s=300)
        await limiter.acquire(1, REST, wait_s=600)

    run(story)


def test_a_call_that_could_never_go_out_is_refused() -> None:
    async def story() -> None:
        with pytest.raises(BadInput, match="more than the venue ever allows"):
            await Limiter([Window(10, 1.0, reserve=2)]).acquire(9, REST, wait_s=1)

    run(story)


def test_the_queue_is_bounded() -> None:
    async def story() -> None:
        limiter = Limiter([Window(1, 3600.0)])
        await limiter.acquire(1, REST, wait_s=1)
        waiting = [asyncio.create_task(limiter.acquire(1, REST, wait_s=60)) for _ in range(WAITING_MAX)]
        await asyncio.sleep(0)
        assert limiter.waiting == WAITING_MAX
        with pytest.raises(RateLimited, match="wait already"):
            await limiter.acquire(1, REST, wait_s=60)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    run(story)


def test_without_limits_everything_goes() -> None:
    async def story() -> None:
        limiter = Limiter([])
        await limiter.acquire(1_000_000, REST, wait_s=0)
        assert limiter.left() is None

    run(story)


CALLS = st.lists(
    st.tuples(st.floats(0, 5), st.integers(1, 4), st.sampled_from(list(Priority))), min_size=1, max_size=40
)


@given(CALLS, st.integers(4, 9), st.floats(0.5, 4))
@settings(max_examples=60, deadline=None)
def test_within_any_stretch_of_a_window_no_more_than_its_weight_goes_out_unless_urgently(
    calls: list[tuple[float, int, Priority]], weight: int, seconds: float
) -> None:
    sent: list[tuple[float, int, bool]] = []

    async def story() -> None:
        limiter = Limiter([Window(weight, seconds)])

        async def call(delay: float, weight: int, priority: Priority) -> None:
            await asyncio.sleep(delay)
            asked = now()
            await limiter.acquire(weight, priority, wait_s=10_000)
            assert now() == asked or not priority.urgent
            sent.append((now(), weight, priority.urgent))

        async with asyncio.TaskGroup() as group:
            for each in calls:
                group.create_task(call(*each))

    run(story)
    assert len(sent) == len(calls)
    for at, _, urgent in sent:
        if not urgent:  # whoever may wait went only where there was room, what went urgently counted in
            before = sum(w for when, w, _ in sent if at - seconds + 1e-6 < when <= at)
            later_urgent = sum(w for when, w, late in sent if when == at and late)
            assert before - later_urgent <= weight
