"""Each kind of fault does what its definition says, once, and is logged; plans are plain data."""

from collections.abc import Callable
from decimal import Decimal
from random import Random

import pytest

from tests.venues.paper.world import BEGAN, BTC, MAIN, OTHER, SOL, Ear, World, limit_order, market_order
from trueup.model.errors import BadInput, OutcomeUnknown, Rejected, Unavailable
from trueup.model.events import FillBooked, LiquidationFlagged
from trueup.model.times import NS_PER_MS
from trueup.venues.paper.faults import (
    AnyFault,
    Delay,
    Disconnect,
    Drop,
    Duplicate,
    FaultPlan,
    ForeignTrade,
    Liquidation,
    Outage,
    PartialSnapshot,
    Reorder,
    StaleSnapshot,
    Struck,
    TimeOut,
)

D = Decimal
BY_HAND = ForeignTrade(account=MAIN, instrument=BTC, side="buy", quantity=D("0.3"))


def test_a_dropped_report_is_in_the_history_alone() -> None:
    world = World(Drop(account=MAIN, nth=2))
    world.trade("1")
    assert world.ear.fills == ["1", "3"]
    assert list(world.exchange.truth(MAIN).trade_ids) == ["1", "2", "3"]
    assert world.exchange.struck == [Struck("drop", MAIN, BEGAN, ("2",))]


def test_a_duplicated_report_comes_twice() -> None:
    world = World(Duplicate(account=MAIN, nth=2))
    world.trade("1")
    assert world.ear.fills == ["1", "2", "2", "3"]
    assert [fill.venue_trade_id for fill in world.fills()] == ["1", "2", "3"]


def test_a_delayed_report_comes_at_the_first_step_after_its_time() -> None:
    world = World(Delay(account=MAIN, nth=1, for_ms=150))
    world.trade("0.5")
    world.step(100)
    assert world.ear.fills == ["2"]
    world.step(100)
    assert world.ear.fills == ["2", "1"]


def test_a_reordered_report_comes_after_the_next() -> None:
    world = World(Reorder(account=MAIN, nth=1))
    world.trade("1")
    assert world.ear.fills == ["2", "1", "3"]


def test_a_fault_waits_for_somebody_to_listen() -> None:
    world = World(Drop(account=MAIN), Disconnect(account=MAIN, nth=1))
    world.exchange.unsubscribe(MAIN, world.ear)
    world.trade("0.1")
    world.step()
    assert world.exchange.struck == []
    world.exchange.subscribe(MAIN, world.ear)
    world.trade("0.1")
    world.step()
    assert [struck.kind for struck in world.exchange.struck] == ["drop", "disconnect"]


def test_faults_of_one_chance_strike_one_after_another() -> None:
    world = World(Drop(account=MAIN, nth=1), Duplicate(account=MAIN, nth=1))
    world.trade("1")
    assert world.ear.fills == ["2", "2", "3"]


def test_a_time_out_with_the_order_placed() -> None:
    world = World(TimeOut(account=MAIN, nth=2, placed=True))
    world.exchange.place(MAIN, market_order("buy", "0.1", "trend-1"))
    with pytest.raises(OutcomeUnknown):
        world.exchange.place(MAIN, market_order("buy", "0.2", "trend-2"))
    found = world.exchange.find(MAIN, "trend-2")
    assert found is not None
    assert found.status == "filled"
    assert world.exchange.struck == [Struck("time_out", MAIN, BEGAN, ("trend-2", found.venue_order_id))]
    assert world.exchange.place(MAIN, market_order("buy", "0.2", "trend-2")) == found, "asking again finds it"
    assert len(world.fills()) == 2


def test_a_time_out_without_the_order_placed() -> None:
    world = World(TimeOut(account=MAIN, nth=1, placed=False))
    with pytest.raises(OutcomeUnknown):
        world.exchange.place(MAIN, market_order("buy", "0.1", "trend-1"))
    assert world.exchange.find(MAIN, "trend-1") is None
    assert world.fills() == []
    assert world.exchange.place(MAIN, market_order("buy", "0.1", "trend-1")).status == "filled"


def test_a_disconnect_ends_the_stream_and_loses_what_was_held_back() -> None:
    world = World(Reorder(account=MAIN, nth=1), Disconnect(account=MAIN, nth=1))
    world.trade("0.1")
    world.step()
    world.trade("0.1")
    assert [type(error) for error in world.ear.errors] == [Unavailable]
    assert world.ear.fills == []
    again = Ear()
    world.exchange.subscribe(MAIN, again)
    world.trade("0.1")
    assert again.fills == ["3"]


def test_a_foreign_trade_has_no_client_order_id_and_nobodys_strategy() -> None:
    world = World(ForeignTrade(account=MAIN, at_ms=150, instrument=BTC, side="buy", quantity=D("0.3")))
    world.step(100)
    assert world.fills() == []
    world.step(100)
    (fill,) = world.fills()
    assert (fill.quantity, fill.client_order_id, fill.strategy) == (D("0.3"), "", "external")
    assert world.exchange.struck[0].ids == ("1",)


def test_a_foreign_trade_waits_for_the_money() -> None:
    world = World(ForeignTrade(account=MAIN, instrument=SOL, side="buy", quantity=D(10)), deposits={"USDC": D(100)})
    world.step()
    assert world.exchange.struck == []
    world.exchange.deposit(MAIN, "USDC", D(10_000))
    world.step()
    assert [fill.instrument for fill in world.fills()] == [SOL]


def test_a_stale_snapshot_is_the_one_served_before() -> None:
    world = World(StaleSnapshot(account=MAIN, nth=1))
    first = world.exchange.snapshot(MAIN)
    world.trade("0.1")
    stale = world.exchange.snapshot(MAIN)
    assert stale == first
    fresh = world.exchange.snapshot(MAIN)
    assert fresh.positions
    assert world.exchange.struck == [Struck("stale_snapshot", MAIN, BEGAN, (str(first.cut),))]


@pytest.mark.parametrize("part", ["positions", "balances", "open_orders"])
def test_a_part_that_failed_is_unknown_and_never_empty(part: str) -> None:
    world = World(*FaultPlan.parse(f'[[faults]]\nkind="partial_snapshot"\naccount="{MAIN}"\npart="{part}"').faults)
    partial = world.exchange.snapshot(MAIN)
    assert getattr(partial, part) is None
    assert partial.failed == {part: "the venue timed out"}
    whole = world.exchange.snapshot(MAIN)
    assert whole.failed == {}
    assert getattr(whole, part) is not None


def test_an_outage_refuses_everything_for_a_while() -> None:
    world = World(Outage(account=MAIN, nth=1, for_ms=500))
    placed = world.exchange.place(MAIN, limit_order("buy", "0.1", "60001", "trend-1"))
    world.step()
    asks: list[Callable[[], object]] = [
        lambda: world.exchange.instruments(MAIN),
        lambda: world.exchange.snapshot(MAIN),
        lambda: world.exchange.history(MAIN, None),
        lambda: world.exchange.place(MAIN, market_order("buy", "0.1", "trend-2")),
        lambda: world.exchange.cancel(MAIN, placed.venue_order_id),
        lambda: world.exchange.find(MAIN, "trend-1"),
        lambda: world.exchange.subscribe(MAIN, world.ear),
    ]
    for ask in asks:
        with pytest.raises(Unavailable):
            ask()
    assert [type(error) for error in world.ear.errors] == [Unavailable]
    assert world.exchange.snapshot(OTHER).cut
    world.step(500)
    assert world.exchange.find(MAIN, "trend-2") is None, "surely not placed"


@pytest.mark.parametrize("quantity", ["2", "-2"])
def test_a_liquidation_is_a_wick_that_ruins_the_account(quantity: str) -> None:
    world = World(Liquidation(account=MAIN, instrument=BTC), deposits={"USDC": D(4_000)})
    world.step()
    assert world.exchange.struck == [], "nothing to liquidate yet"
    world.trade(quantity)
    before = world.exchange.prices[BTC]
    world.step()
    assert world.exchange.truth(MAIN).positions == {}
    assert world.fills()[-1].liquidation == "liquidation"
    assert [type(fact) for fact in world.facts()[-5:]].count(LiquidationFlagged) == 1
    assert world.exchange.struck[0].ids == (world.fills()[-1].venue_trade_id,)
    assert abs(world.exchange.prices[BTC] - before) <= 20, "the price is back, but for its walk"
    assert world.exchange.truth(MAIN).balances["USDC"] < D(4_000)


def test_a_liquidation_waits_while_no_price_can_ruin_the_account() -> None:
    world = World(Liquidation(account=MAIN, instrument=BTC))
    world.trade("0.1")
    world.step()
    assert world.exchange.struck == []


def test_a_fault_keeps_to_its_account_its_ordinal_and_its_time() -> None:
    world = World(Drop(account=OTHER), Drop(account=MAIN, nth=2, at_ms=100))
    world.trade("0.1")
    world.trade("0.1")
    world.trade("0.1")
    assert world.ear.fills == ["1", "2", "3"], "its time has not come"
    world.clock.pass_ms(100)
    world.trade("0.1")
    assert world.exchange.struck == [Struck("drop", MAIN, BEGAN + 100 * NS_PER_MS, ("4",))]


def test_the_same_plan_and_seed_strike_the_same() -> None:
    def story() -> tuple[list[Struck], list[str]]:
        plan = FaultPlan.one_of_each(Random(5), MAIN, BY_HAND, within=10)
        world = World(*plan.faults, deposits={"USDC": D(20_000)})
        for number in range(60):
            world.step(500)
            world.exchange.unsubscribe(MAIN, world.ear)
            try:
                world.exchange.subscribe(MAIN, world.ear)
                world.exchange.place(MAIN, market_order("buy", "0.1", f"trend-{number}"))
                world.exchange.snapshot(MAIN)
            except (OutcomeUnknown, Unavailable):
                continue
            except Rejected:  # ruined
                world.exchange.deposit(MAIN, "USDC", D(20_000))
        return world.exchange.struck, world.ear.fills

    struck, fills = story()
    assert sorted(fault.kind for fault in struck) == sorted([
        "delay", "disconnect", "drop", "duplicate", "foreign_trade", "liquidation", "outage", "partial_snapshot",
        "reorder", "stale_snapshot", "time_out", "time_out",
    ])  # fmt: skip
    assert (struck, fills) == story()


def test_every_fill_a_fault_hid_is_named_in_the_log() -> None:
    world = World(Drop(account=MAIN, nth=1), Drop(account=MAIN, nth=3), Duplicate(account=MAIN, nth=4))
    world.trade("1.2")
    world.trade("1.2")
    missing = {fact.venue_trade_id for fact in world.facts() if isinstance(fact, FillBooked)} - set(world.ear.fills)
    assert missing == {trade_id for fault in world.exchange.struck if fault.kind == "drop" for trade_id in fault.ids}


PLAN: tuple[AnyFault, ...] = (
    Drop(account=MAIN, nth=3),
    TimeOut(account=MAIN, nth=1, placed=False),
    PartialSnapshot(account=MAIN, at_ms=10, part="balances"),
    BY_HAND,
)

TOML = f"""
[[faults]]
kind = "drop"
account = "{MAIN}"
nth = 3

[[faults]]
kind = "time_out"
account = "{MAIN}"
nth = 1
placed = false

[[faults]]
kind = "partial_snapshot"
account = "{MAIN}"
at_ms = 10
part = "balances"

[[faults]]
kind = "foreign_trade"
account = "{MAIN}"
instrument = "{BTC}"
side = "buy"
quantity = "0.3"
"""


def test_a_plan_is_read_from_toml_and_from_json() -> None:
    assert FaultPlan.parse(TOML).faults == PLAN
    assert FaultPlan.parse('{"faults": [{"kind": "drop", "account": "paper:main", "nth": 3}]}').faults == PLAN[:1]


@pytest.mark.parametrize(
    "text",
    [
        "[[faults",
        "{",
        '[[faults]]\nkind = "earthquake"\naccount = "paper:main"',
        '[[faults]]\nkind = "drop"',
        '[[faults]]\nkind = "drop"\naccount = "paper:main"\nnth = "third"',
        '[[faults]]\nkind = "drop"\naccount = "paper:main"\nntth = 3',
        '[[faults]]\nkind = "partial_snapshot"\naccount = "paper:main"\npart = "mood"',
        "fault = []",
    ],
)
def test_a_plan_with_a_mistake_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="faults="):
        FaultPlan.parse(text)
