"""Every cause at every kind of venue at every time: found, rightly explained, rightly corrected, once, and in time."""

import asyncio
from collections.abc import Sequence
from enum import StrEnum

import pytest

from tests.scenarios.causes import CAUSES, Cause, subject
from tests.scenarios.kinds import VenueKind
from tests.scenarios.scene import PERIOD_S, Scene, causes, detected_after_s, scene


class When(StrEnum):
    BEFORE = "before the first start"
    RUNNING = "while it runs"
    RESTART = "while it is not running"


CASES: Sequence[tuple[Cause, VenueKind, When]] = [
    (cause, kind, when) for cause in CAUSES for kind in cause.kinds for when in When
]


def name(case: tuple[Cause, VenueKind, When]) -> str:
    cause, kind, when = case
    return f"{cause.name} at {kind.name} {when}"


async def play(scene: Scene, cause: Cause, when: When) -> None:
    if when is not When.BEFORE:
        await scene.agree()
    await cause.happens(scene)
    happened = scene.rig.clock.now()
    if when is not When.RUNNING:
        await scene.begin()
    run = await scene.run()
    for part, named in cause.named.items():
        assert named in causes(run, subject(scene, part)), run.brought
    assert 0 < detected_after_s(run, happened) < PERIOD_S
    assert not run.moves
    assert not scene.confirmed()
    await scene.require_agreement(run)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_it_is_found_explained_and_booked_once(case: tuple[Cause, VenueKind, When]) -> None:
    cause, kind, when = case

    async def played() -> None:
        async with scene(kind) as made:
            await play(made, cause, when)

    asyncio.run(played())


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 150
