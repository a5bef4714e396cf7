"""Orders that rest, end or fill while nobody listens: found at every kind of venue, whether its history tells them."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.scenarios.causes import subject
from tests.scenarios.kinds import KINDS, VenueKind
from tests.scenarios.scene import Scene, causes, scene
from trueup.model.breaks import State
from trueup.model.differences import Kind, Status
from trueup.model.orders import OrderRequest
from trueup.testing.conformance.life import price_at

LOTS = 2


async def cancelled(made: Scene) -> None:
    """From elsewhere."""
    (order,) = made.rig.exchange.snapshot(made.rig.account).open_orders or {}
    made.rig.exchange.cancel(made.rig.account, order)


async def filled(made: Scene) -> None:
    """By the market."""
    made.rig.exchange.move(made.rig.symbol, price_at(made.rig, "0.85"))


def played(kind: VenueKind, story: Callable[[Scene], Awaitable[None]]) -> None:
    async def told() -> None:
        async with scene(kind) as made:
            await story(made)

    asyncio.run(told())


async def place(made: Scene) -> str:
    """An order of ours rests below the market; its venue order id."""
    rig = made.rig
    order = OrderRequest(rig.symbol, "buy", LOTS * rig.lot, "resting", "limit", price_at(rig, "0.9"))
    report = await made.venue.place(order)
    await made.ledger.abook_facts([report])
    return report.venue_order_id


@pytest.mark.parametrize("restart", [False, True], ids=["while it runs", "while it is not running"])
@pytest.mark.parametrize("ends", [cancelled, filled])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_order_that_ended_while_nobody_listened_is_known_to_have_ended(
    kind: VenueKind, ends: Callable[[Scene], Awaitable[None]], restart: bool
) -> None:
    async def story(made: Scene) -> None:
        await made.agree()
        name = await place(made)
        run = await made.run()
        assert run.comparison.status is Status.SYNCED
        assert list(made.ledger.book.open_orders()) == [name]
        await ends(made)
        if restart:
            await made.begin()
        run = await made.run()
        assert "ORDER_REPORT" in causes(run, name)
        assert ("FILL_MISSING" in causes(run, subject(made, "position"))) is (ends is filled)
        assert not made.ledger.book.open_orders()
        assert not made.confirmed()
        await made.require_agreement(run)

    played(kind, story)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_order_whose_report_was_lost_is_in_the_book_after_a_look(kind: VenueKind) -> None:
    async def story(made: Scene) -> None:
        await made.agree()
        rig = made.rig
        await made.venue.place(
            OrderRequest(rig.symbol, "buy", LOTS * rig.lot, "resting", "limit", price_at(rig, "0.9"))
        )
        run = await made.run()
        (name,) = made.ledger.book.open_orders()
        assert "ORDER_REPORT" in causes(run, name)
        assert not run.moves
        await made.require_agreement(run)

    played(kind, story)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_foreign_order_is_taken_in_or_stands_as_an_orphan_until_it_is_gone(kind: VenueKind) -> None:
    async def story(made: Scene) -> None:
        await made.agree()
        rig = made.rig
        order = OrderRequest(rig.symbol, "buy", LOTS * rig.lot, "", "limit", price_at(rig, "0.9"))
        rig.exchange.place(rig.account, order)
        await made.run()
        run = await made.run()
        if not made.ledger.book.open_orders():
            (found,) = [one for one in run.findings if one.found.kind is Kind.ORPHAN_ORDER]
            assert [(record.key, record.state) for record in made.standing()] == [
                ((found.found.subject, "ORPHAN_ORDER"), State.OPEN)
            ]
        await cancelled(made)
        await made.require_agreement(await made.run())

    played(kind, story)
