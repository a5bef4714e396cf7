"""What is only a matter of time, or of a venue that does not answer, is no break: no false alarm, nothing forgotten."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.scenarios.causes import subject
from tests.scenarios.kinds import COINBASE_SPOT, KINDS, VenueKind
from tests.scenarios.scene import Scene, causes, scene
from trueup.engine.reconciling_live import Run
from trueup.model.breaks import State, Step
from trueup.model.differences import Status, VenuePosition, VenueSnapshot
from trueup.reconcile.explain.causes import Cause

at_every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
PARTS = ("positions", "balances", "open_orders")
IMPATIENT_S = 0.3


def played(kind: VenueKind, story: Callable[[Scene], Awaitable[None]]) -> None:
    async def told() -> None:
        async with scene(kind) as made:
            await story(made)

    asyncio.run(told())


def same(answer: VenueSnapshot) -> Callable[[VenueSnapshot], VenueSnapshot]:
    """The same answer again."""
    return lambda _: answer


def under_a_new_cut(answer: VenueSnapshot) -> Callable[[VenueSnapshot], VenueSnapshot]:
    """The same answer again, which says that it is new."""
    return lambda seen: replace(answer, cut=seen.cut)


def without(part: str) -> Callable[[VenueSnapshot], VenueSnapshot]:
    """A part that could not be read."""
    return lambda seen: replace(seen, failed={part: "timed out"}, **{part: None})


def one_lot_more(made: Scene) -> Callable[[VenueSnapshot], VenueSnapshot]:
    """A lot that no history tells of: of spot among the balances."""
    rig = made.rig
    key, base = (rig.symbol, "net"), rig.symbol.partition("/")[0]

    def lied(seen: VenueSnapshot) -> VenueSnapshot:
        if made.kind is COINBASE_SPOT:
            assert seen.balances is not None
            return replace(seen, balances={**seen.balances, base: seen.balances[base] + rig.lot})
        assert seen.positions is not None
        held = seen.positions.get(key, VenuePosition(rig.symbol, "net", Decimal(0)))
        return replace(seen, positions={**seen.positions, key: replace(held, quantity=held.quantity + rig.lot)})

    return lied


def lot_subject(made: Scene) -> tuple[str, str]:
    """The break of that lot."""
    if made.kind is COINBASE_SPOT:
        return made.rig.symbol.partition("/")[0], "CASH"
    return subject(made, "position"), "QTY"


def require_no_alarm(made: Scene, run: Run) -> None:
    assert not made.confirmed()
    assert Status.DRIFT not in {one.found.status for one in run.findings}, run.findings


@at_every_kind
@pytest.mark.parametrize("told", [same, under_a_new_cut], ids=["as it was", "as new"])
def test_a_snapshot_that_is_late_is_no_break(
    kind: VenueKind, told: Callable[[VenueSnapshot], Callable[[VenueSnapshot], VenueSnapshot]]
) -> None:
    async def story(made: Scene) -> None:
        await made.agree()
        assert made.reconciler.last is not None
        made.answers.state = told(made.reconciler.last.snapshot)
        made.trade("buy", 1)
        run = await made.run()
        assert "FILL_MISSING" in causes(run, subject(made, "position")), run.brought
        require_no_alarm(made, run)
        require_no_alarm(made, await made.reconciler.run("trade"))
        made.answers.state = lambda seen: seen
        await made.require_agreement(await made.run())
        require_no_alarm(made, await made.run())

    played(kind, story)


@at_every_kind
def test_a_history_that_is_late_is_waited_for_and_ends_what_was_seen_by_its_fill(kind: VenueKind) -> None:
    async def story(made: Scene) -> None:
        await made.agree()
        made.answers.told_until = made.rig.clock.now()
        made.rig.clock.skip(2)  # Kite tells whole seconds
        made.trade("buy", 1)
        run = await made.run()
        assert run.comparison.status is not Status.SYNCED
        made.answers.told_until = None
        run = await made.run()
        assert "FILL_MISSING" in causes(run, subject(made, "position"))
        record = made.ledger.book.breaks.records[lot_subject(made)]
        assert (record.state, record.cause) == (State.AUTO_RESOLVED, "FILL_MISSING")
        assert not made.confirmed()
        await made.require_agreement(run)

    played(kind, story)


@at_every_kind
@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_could_not_be_read_is_neither_flat_nor_empty(kind: VenueKind, part: str) -> None:
    async def story(made: Scene) -> None:
        await made.agree()
        made.trade("buy", 1)
        made.answers.state = without(part)
        run = await made.run()
        assert run.comparison.status is Status.FAILED
        assert Cause.STALE_SOURCE in {cause for one in run.findings for cause in one.why.causes}
        require_no_alarm(made, run)
        assert not run.moves
        made.require_truth()  # the history was read all the same
        made.answers.state = lambda seen: seen
        await made.require_agreement(await made.run())

    played(kind, story)


async def is_down(made: Scene) -> Run:
    made.rig.proxy.cut()
    run = await made.run()
    made.rig.proxy.mend()
    return run


async def is_slow(made: Scene) -> Run:
    made.rig.proxy.stall()
    run = await made.run()
    made.rig.proxy.mend()
    return run


@at_every_kind
@pytest.mark.parametrize("mute", [is_down, is_slow])
@pytest.mark.parametrize("starts", [True, False], ids=["at the start", "while it runs"])
def test_a_venue_that_does_not_answer_is_unknown_and_what_happened_meanwhile_is_found(
    kind: VenueKind, mute: Callable[[Scene], Awaitable[Run]], starts: bool
) -> None:
    async def story(made: Scene) -> None:
        await made.agree()
        made.trade("sell", 1)
        if starts:
            await made.begin()
        made.reconciler = made.reconciling(IMPATIENT_S)
        run = await mute(made)
        assert run.comparison.status is Status.FAILED
        assert "venue" in {one.found.subject for one in run.findings}
        require_no_alarm(made, run)
        made.reconciler = made.reconciling()
        run = await made.run()
        assert "FILL_MISSING" in causes(run, subject(made, "position"))
        assert not run.moves
        await made.require_agreement(run)

    played(kind, story)


@at_every_kind
@pytest.mark.parametrize("restart", [False, True], ids=["while it runs", "across a restart"])
def test_what_no_history_tells_is_believed_at_the_second_look_and_stands_until_both_agree(
    kind: VenueKind, restart: bool
) -> None:
    async def story(made: Scene) -> None:
        await made.agree()
        lied = made.answers.state = one_lot_more(made)
        key = lot_subject(made)
        seen = await made.run()
        assert [move.step for move in seen.moves if (move.subject, move.sort) == key] == [Step.DETECT]
        assert not made.confirmed()
        for _ in range(2):
            if restart:
                await made.begin()
                made.answers.state = lied
            seen = await made.run()
        (found,) = [one for one in seen.findings if (one.found.subject, one.found.kind.value) == key]
        assert Cause.UNEXPLAINED in found.why.causes
        assert found.why.rest == made.rig.lot
        assert [record.key for record in made.standing()] == [key]
        assert made.standing()[0].state is State.OPEN
        made.require_truth()  # nothing was booked to make it go away
        made.answers.state = without("positions" if key[1] == "QTY" else "balances")
        await made.run()
        assert [record.key for record in made.standing()] == [key]
        made.answers.state = lambda answer: answer
        await made.require_agreement(await made.run())
        assert made.ledger.book.breaks.records[key].state is State.AUTO_RESOLVED

    played(kind, story)
