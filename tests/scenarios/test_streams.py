"""An account that is watched over its stream: what the stream loses, and what happens while it is cut, is found."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from tests.conformance.venues.rigs import SocketRig
from tests.scenarios.kinds import KINDS, VenueKind
from tests.scenarios.scene import Scene
from trueup.engine.watching import Account, Rhythm, Watch, watch
from trueup.model.differences import Status
from trueup.ports import LiveVenue
from trueup.testing.conformance.life import books_of, trade, until, untruth
from trueup.testing.servers.faults import NO_FAULTS, Drop, WirePlan

OFTEN = Rhythm(period_s=0.2, after_trade_s=0.0, rest_s=0.05, longest_rest_s=0.2)
ROUNDS = 3
STREAMS = [kind for kind in KINDS if kind.fills]


class Watched:
    """What the watch told."""

    watch: Watch | None = None
    synced = 0

    def __call__(self, told: Watch) -> None:
        self.watch = told
        self.synced += told.last is not None and told.last.comparison.status is Status.SYNCED


@asynccontextmanager
async def watched(kind: VenueKind, plan: WirePlan) -> AsyncIterator[tuple[Scene, Watched]]:
    async with kind.faulty(plan) as rig:
        with books_of(rig) as books:
            made, told, stop = Scene(kind, rig, books), Watched(), asyncio.Event()
            if kind.begins:
                await made.begin()
                await made.reconciler.begin()
                rig.clock.skip(2)
            account = Account(made.ledger, lambda: connected(rig, made))
            task = asyncio.create_task(
                watch(books.store, [account], random=Random(1), rhythm=OFTEN, told=told, stop=stop)
            )
            try:
                yield made, told
            finally:
                stop.set()
                await task


@asynccontextmanager
async def connected(rig: SocketRig, made: Scene) -> AsyncIterator[LiveVenue]:
    yield await rig.venue(made.ledger.book)


async def until_agreed(made: Scene, told: Watched) -> None:
    """The book is true, and a look after that says so."""
    await until(lambda: not untruth(made.rig, made.ledger), lambda: untruth(made.rig, made.ledger))
    before = told.synced
    await until(lambda: told.synced > before, lambda: f"not found alike: {told.watch and told.watch.last}")


@pytest.mark.parametrize("cut", [False, True], ids=["lost without a trace", "while it is cut"])
@pytest.mark.parametrize("kind", STREAMS, ids=lambda kind: kind.name)
def test_what_the_stream_does_not_tell_is_found_and_booked_once(kind: VenueKind, cut: bool) -> None:
    plan = NO_FAULTS if cut else WirePlan((Drop(message=kind.fills, times=0),))

    async def story() -> None:
        async with watched(kind, plan) as (made, told):
            await until(lambda: told.synced, lambda: "nothing was told")
            for _ in range(ROUNDS):
                if cut:
                    await made.rig.cut()
                trade(made.rig, "buy", 3)
                trade(made.rig, "sell", 1)
                await until_agreed(made, told)
            assert not made.confirmed()
            made.require_truth()

    asyncio.run(story())
