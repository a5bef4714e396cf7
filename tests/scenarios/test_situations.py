"""Seven situations in which a well-known engine answers that all is well, or goes on with a wrong book."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.scenarios.causes import subject
from tests.scenarios.kinds import HYPERLIQUID, KINDS, PAPER, VenueKind
from tests.scenarios.scene import Scene, causes, scene
from trueup.model import events as e
from trueup.model.breaks import State
from trueup.model.differences import Kind, Status, VenueSnapshot
from trueup.reconcile.explain.causes import Cause
from trueup.reconcile.policy import Mode, Policies, Policy
from trueup.testing.servers.proxy import Moment
from trueup.venues.transport.http import ATTEMPTS

FREELY = Policies(default=Policy(Mode.ADJUST_WITHIN, Decimal(10**9)), adjusted_per_day=Decimal(10**9))
OF_POSITIONS = tuple(kind for kind in KINDS if kind.name != "coinbase spot")
at_every_kind = pytest.mark.parametrize("kind", OF_POSITIONS, ids=lambda kind: kind.name)


def played(kind: VenueKind, story: Callable[[Scene], Awaitable[None]]) -> None:
    async def told() -> None:
        async with scene(kind) as made:
            await story(made)

    asyncio.run(told())


def aged_out(made: Scene) -> None:
    """What happened so far is in no history any more, and seconds of Kite do not blur that."""
    made.rig.clock.skip(2)
    made.answers.forgot_until = made.rig.clock.now()
    made.rig.clock.skip(2)


# --- 1: a missed fill equal in size and price to an earlier one, history already aged out -----------------------------


@at_every_kind
def test_a_missed_fill_equal_to_an_earlier_one_that_no_history_has_stands_as_a_break(kind: VenueKind) -> None:
    async def story(made: Scene) -> None:
        await made.agree()
        facts = len(made.events(e.FillBooked))
        made.trade("buy", 3)  # of the same size and price as the one that is booked
        aged_out(made)
        for _ in range(3):
            run = await made.run()
            assert run.comparison.status is Status.DRIFT
        record = made.ledger.book.breaks.records[subject(made, "position"), "QTY"]
        assert (record.state, record.difference) == (State.OPEN, 3 * made.rig.lot)
        assert (record.why, record.rest) == ((), 3 * made.rig.lot)  # unexplained, and nothing of ours is doubted
        assert len(made.events(e.FillBooked)) == facts
        assert not made.events(e.AdjustmentBooked)
        restriction = made.ledger.book.breaks.restriction
        assert restriction is not None
        assert made.rig.symbol in restriction.instruments

    played(kind, story)


@pytest.mark.parametrize("kind", [PAPER, HYPERLIQUID], ids=lambda kind: kind.name)
def test_the_venues_own_chain_of_positions_names_the_gap(kind: VenueKind) -> None:
    async def story(made: Scene) -> None:
        await made.agree()
        made.trade("buy", 3)
        aged_out(made)
        made.trade("sell", 1)  # which says what was held before it
        await made.run()
        run = await made.run()
        (found,) = [one for one in run.findings if one.found.kind is Kind.QTY]
        assert found.why.causes == (Cause.HISTORY_GAP,)
        assert found.why.complete
        assert made.ledger.book.breaks.records[subject(made, "position"), "QTY"].state is State.OPEN

    played(kind, story)


def test_it_is_adjusted_by_policy_alone_and_the_adjustment_gives_way_to_the_fill() -> None:
    async def story(made: Scene) -> None:
        made.policies = FREELY
        await made.agree()
        made.trade("buy", 3)
        aged_out(made)
        await made.run()
        run = await made.run()
        assert [one.sort for one in run.corrected if one.adjustment is not None][:1] == ["QTY"]
        run = await made.run()
        assert run.comparison.status is Status.SYNCED
        made.answers.forgot_until = 0
        await made.reconciler.run("demand")
        assert made.held == 6 * made.rig.lot

    played(PAPER, story)


# --- 2: an empty position list from the venue while we hold one -------------------------------------------------------


@at_every_kind
def test_an_empty_list_of_positions_is_a_break_and_books_nothing(kind: VenueKind) -> None:
    async def story(made: Scene) -> None:
        await made.agree()
        made.answers.state = lambda seen: replace(seen, positions={})
        run = await made.run()
        assert run.comparison.status is Status.DRIFT
        run = await made.run()
        assert Kind.MISSING_THEIRS in {one.found.kind for one in run.findings}
        made.require_truth()
        assert not made.events(e.AdjustmentBooked)
        made.answers.state = lambda seen: seen
        run = await made.run()
        assert run.comparison.status is Status.SYNCED
        made.require_truth()

    played(kind, story)


# --- 3: a venue position in an instrument we have not loaded ----------------------------------------------------------


@pytest.mark.parametrize("kind", [PAPER, HYPERLIQUID], ids=lambda kind: kind.name)
def test_a_position_in_an_instrument_that_was_not_loaded_is_found_and_booked_with_its_terms(kind: VenueKind) -> None:
    async def story(made: Scene) -> None:
        await made.agree()
        markets = made.rig.exchange.markets
        of_it = markets[made.rig.symbol].instrument
        (other, lot) = next(
            (market.instrument.symbol, market.instrument.quantity_step or Decimal(1))
            for market in markets.values()
            if market.instrument != of_it
            and (market.instrument.kind, market.instrument.settle) == ("linear", of_it.settle)
        )
        made.rig.exchange.trade_by_hand(made.rig.account, other, "buy", 10 * lot)
        run = await made.run()
        assert "FILL_MISSING" in causes(run, f"{other} net")
        await made.require_agreement(run)

    played(kind, story)


@at_every_kind
def test_a_position_under_a_name_that_nobody_defined_is_never_netted_or_left_out(kind: VenueKind) -> None:
    async def story(made: Scene) -> None:
        await made.agree()
        made.answers.state = lambda seen: replace(seen, unmapped={"NEWCOIN": '{"coin": "NEWCOIN", "szi": "5"}'})
        await made.run()
        run = await made.run()
        assert run.comparison.status is Status.DRIFT
        (found,) = [one for one in run.findings if one.found.kind is Kind.SYMBOL_MAP]
        assert (found.found.subject, found.why.causes) == ("NEWCOIN", (Cause.SYMBOL_MAP,))
        assert ("NEWCOIN", "SYMBOL_MAP") in [record.key for record in made.standing()]

    played(kind, story)


# --- 4: an average price 2 % off --------------------------------------------------------------------------------------


@at_every_kind
def test_an_average_that_is_off_is_told_and_neither_booked_nor_a_break(kind: VenueKind) -> None:
    async def story(made: Scene) -> None:
        await made.agree()
        key = made.rig.symbol, "net"

        def off(seen: VenueSnapshot) -> VenueSnapshot:
            assert seen.positions is not None
            ours = made.ledger.book.position(*key)
            assert ours is not None
            assert ours.entry_price is not None
            stated = replace(seen.positions[key], entry_price=ours.entry_price * Decimal("1.02"))
            return replace(seen, positions={**seen.positions, key: stated})

        made.answers.state = off
        await made.run()
        run = await made.run()
        (found,) = [one.found for one in run.findings if one.found.kind is Kind.AVG_PX]
        assert found.difference is not None
        assert found.status is Status.SYNCED
        assert found.subject == subject(made, "position")
        assert not made.standing()
        made.require_truth()

    played(kind, story)


# --- 5: a venue client slower than the timeout ------------------------------------------------------------------------


@at_every_kind
def test_a_client_slower_than_the_timeout_makes_no_account_flat(kind: VenueKind) -> None:
    async def story(made: Scene) -> None:
        await made.agree()
        held = made.held
        made.reconciler = made.reconciling(0.3)
        made.rig.proxy.stall()
        run = await made.run()
        made.rig.proxy.mend()
        assert run.comparison.status is Status.FAILED
        assert [one.why.causes for one in run.findings if one.found.subject == "venue"] == [(Cause.STALE_SOURCE,)]
        assert not run.moves
        assert made.held == held == 3 * made.rig.lot

    played(kind, story)


# --- 6: a partial failure of one of several queries -------------------------------------------------------------------

QUERIES = (
    (HYPERLIQUID, b'"type":"clearinghouseState"', "positions"),
    (HYPERLIQUID, b'"type":"frontendOpenOrders"', "open_orders"),
)


@pytest.mark.parametrize(("kind", "words", "part"), QUERIES, ids=lambda value: str(getattr(value, "name", value)))
def test_one_query_of_several_that_fails_on_the_wire_leaves_its_part_unknown(
    kind: VenueKind, words: bytes, part: str
) -> None:
    async def story(made: Scene) -> None:
        await made.agree()
        made.trade("buy", 1)
        made.rig.proxy.cut_at(words, Moment.BEFORE, times=ATTEMPTS)
        run = await made.run()
        assert run.comparison.status is Status.FAILED
        assert part in run.snapshot.failed
        assert getattr(run.snapshot, part) is None
        assert not run.moves
        made.require_truth()
        await made.require_agreement(await made.run())

    played(kind, story)


# --- 7: a restart after a flip ----------------------------------------------------------------------------------------


@at_every_kind
@pytest.mark.parametrize("seen", [True, False], ids=["seen before", "seen after"])
def test_a_restart_after_a_flip_knows_the_side(kind: VenueKind, seen: bool) -> None:
    async def story(made: Scene) -> None:
        await made.agree()
        made.trade("sell", 5)
        if seen:
            await made.require_agreement(await made.run())
        await made.begin()
        run = await made.run("start")
        assert made.held == -2 * made.rig.lot
        assert not made.confirmed()
        await made.require_agreement(run)

    played(kind, story)
