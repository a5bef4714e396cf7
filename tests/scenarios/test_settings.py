"""A setting that was changed elsewhere: named as such, nothing is traded or adjusted for it, over when it is known."""

import asyncio
from decimal import Decimal

from tests.scenarios.kinds import HYPERLIQUID
from tests.scenarios.scene import scene
from trueup.model import events as e
from trueup.model.breaks import State
from trueup.model.differences import Kind
from trueup.reconcile.explain.causes import Cause


def test_leverage_that_was_changed_elsewhere_is_named_and_over_when_the_change_is_booked() -> None:
    async def told() -> None:
        async with scene(HYPERLIQUID) as made:
            await made.agree()
            symbol = made.rig.symbol
            assert made.reconciler.last is not None
            positions = made.reconciler.last.snapshot.positions
            assert positions is not None
            theirs = positions[symbol, "net"].leverage
            assert theirs is not None

            async def known_as(leverage: Decimal, name: str) -> None:
                change = e.LeverageSet(made.rig.account, symbol, leverage, made.rig.clock.now(), name)
                await made.ledger.abook_facts([change])

            await known_as(theirs / 2, "ours")
            await made.run()
            run = await made.run()
            (found,) = [one for one in run.findings if one.found.kind is Kind.LEVERAGE]
            assert (found.why.causes, found.why.complete) == ((Cause.LEVERAGE,), True)
            assert made.standing()[0].state is State.OPEN
            assert not made.events(e.AdjustmentBooked)
            await known_as(theirs, "theirs")
            await made.require_agreement(await made.run())

    asyncio.run(told())
