"""Kinds of order on the paper exchange: how long they stand, what triggers them, how they are amended and closed."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from tests.venues.paper.world import BTC, DEPOSITS, ETH, MAIN, SOL, XBT, World, limit_order, market_order, stop_order
from trueup.model.errors import Rejected
from trueup.model.events import FundingPaid, LiquidationFlagged, OrderReported
from trueup.model.identifiers import AccountId, Side
from trueup.model.orders import Amendment, OrderRequest, TimeInForce
from trueup.model.venues import Mark
from trueup.venues.paper.faults import ForeignTrade, Liquidation, TimeOut

D = Decimal
HEDGED = AccountId("paper:hedged")


def standing(request: OrderRequest, time_in_force: TimeInForce) -> OrderRequest:
    return msgspec.structs.replace(request, time_in_force=time_in_force)


def triggered(order_type: str, side: Side, quantity: str, trigger: str, price: str | None = None) -> OrderRequest:
    limit = None if price is None else D(price)
    return OrderRequest(BTC, side, D(quantity), "", order_type, limit, D(trigger))  # type: ignore[arg-type]


def hedged_world(*faults: ForeignTrade | Liquidation) -> World:
    world = World(*faults)
    world.exchange.open_account(HEDGED, DEPOSITS, hedged=True)
    return world


# --- how long they stand ----------------------------------------------------------------------------------------------


def test_ioc_takes_what_there_is_at_its_price_and_never_rests() -> None:
    world = World()
    report = world.exchange.place(MAIN, standing(limit_order("buy", "1", "60001"), "ioc"))
    assert (report.status, report.filled) == ("canceled", D("0.8"))
    assert world.exchange.snapshot(MAIN).open_orders == {}
    away = world.exchange.place(MAIN, standing(limit_order("buy", "1", "60000"), "ioc"))
    assert (away.status, away.filled) == ("canceled", D(0))


def test_fok_is_all_at_once_or_nothing() -> None:
    world = World()
    none = world.exchange.place(MAIN, standing(limit_order("buy", "0.9", "60001"), "fok"))
    assert (none.status, none.filled) == ("canceled", D(0))
    whole = world.exchange.place(MAIN, standing(limit_order("buy", "0.8", "60001"), "fok"))
    assert (whole.status, whole.filled) == ("filled", D("0.8"))
    too_deep = world.exchange.place(MAIN, standing(market_order("sell", "2.1"), "fok"))
    assert (too_deep.status, too_deep.filled) == ("canceled", D(0))


def test_fok_counts_what_can_be_reduced_and_paid_for() -> None:
    world = World(deposits={"USDC": D(151)})
    world.trade("0.1")
    more = msgspec.structs.replace(market_order("sell", "0.2"), reduce_only=True, time_in_force="fok")
    assert world.exchange.place(MAIN, more).filled == D(0)
    assert world.exchange.truth(MAIN).positions == {BTC: D("0.1")}
    world = World(deposits={"USDC": D("18002")})
    deep = standing(market_order("buy", "120", instrument=SOL), "fok")
    assert world.exchange.place(MAIN, deep).filled == D(0), "paid for at the touch, not at the third level"
    assert world.exchange.truth(MAIN).balances["USDC"] == D("18002")


def test_fok_that_is_paid_for_as_a_whole_is_filled_to_the_last_level() -> None:
    world = World(deposits={"USDC": D("1230.1")})
    whole = world.exchange.place(MAIN, standing(market_order("buy", "1"), "fok"))
    assert (whole.status, whole.filled) == ("filled", D(1)), (
        "though what it paid for the spread is missing at the third"
    )


def test_post_only_rests_or_is_refused() -> None:
    world = World()
    with pytest.raises(Rejected, match="would trade at once") as caught:
        world.exchange.place(MAIN, standing(limit_order("buy", "1", "60000.5"), "post_only"))
    assert caught.value.venue_code == "would_match"
    resting = world.exchange.place(MAIN, standing(limit_order("buy", "0.1", "60000"), "post_only"))
    assert resting.status == "open"
    world.exchange.move(BTC, D("59999.5"))
    assert [fill.liquidity for fill in world.fills()] == ["maker"]


@pytest.mark.parametrize(
    "request_",
    [
        standing(market_order("buy", "1"), "gtc"),
        standing(market_order("buy", "1"), "post_only"),
        standing(stop_order("buy", "1", "61000", reduce_only=False), "ioc"),
        standing(triggered("stop_limit", "buy", "1", "61000", "61001"), "post_only"),
    ],
    ids=["market gtc", "market post_only", "stop ioc", "stop_limit post_only"],
)
def test_a_time_in_force_that_makes_no_sense_is_refused(request_: OrderRequest) -> None:
    with pytest.raises(Rejected, match="time_in_force"):
        World().exchange.place(MAIN, request_)


# --- what triggers them -----------------------------------------------------------------------------------------------


def test_a_take_profit_fires_where_a_stop_would_not() -> None:
    world = World()
    world.trade("0.4")
    profit = world.exchange.place(MAIN, triggered("take_profit", "sell", "0.4", "60100"))
    world.exchange.move(BTC, D(59000))
    assert world.exchange.truth(MAIN).positions == {BTC: D("0.4")}
    world.exchange.move(BTC, D(60100))
    assert world.exchange.truth(MAIN).positions == {}
    assert world.exchange.cancel(MAIN, profit.venue_order_id).status == "filled"
    buy = world.exchange.place(MAIN, triggered("take_profit", "buy", "0.1", "60000"))
    assert buy.status == "open"
    world.exchange.move(BTC, D(60000))
    assert world.exchange.cancel(MAIN, buy.venue_order_id).status == "filled"


def test_a_stop_limit_becomes_a_limit_order_and_stays_one() -> None:
    world = World()
    order = world.exchange.place(MAIN, triggered("stop_limit", "buy", "1", "60100", "60100.5"))
    world.exchange.move(BTC, D(60099))
    assert world.fills() == [], "its limit is reached, its trigger is not"
    world.exchange.move(BTC, D(60100))
    world.exchange.move(BTC, D(60050))
    assert [(fill.price, fill.liquidity) for fill in world.fills()] == [
        (D("60100.5"), "taker"),
        (D("60100.5"), "maker"),
    ]
    assert world.exchange.cancel(MAIN, order.venue_order_id).filled == D("0.8")


# --- amending ---------------------------------------------------------------------------------------------------------


def test_an_amended_order_goes_on_under_a_new_id_with_what_was_left() -> None:
    world = World()
    first = world.exchange.place(MAIN, limit_order("buy", "1", "60000.5", "grid-1"))
    moved = world.exchange.amend(MAIN, first.venue_order_id, Amendment(price=D(59000)))
    assert (moved.quantity, moved.price, moved.filled, moved.status) == (D("0.6"), D(59000), D(0), "open")
    assert world.exchange.cancel(MAIN, first.venue_order_id).status == "canceled"
    assert world.exchange.find(MAIN, "grid-1") == moved
    assert set(world.exchange.snapshot(MAIN).open_orders or {}) == {moved.venue_order_id}
    again = world.exchange.place(MAIN, limit_order("buy", "1", "60000.5", "grid-1"))
    assert again == moved, "asking again for what was first asked for finds what has become of it"
    larger = world.exchange.amend(MAIN, moved.venue_order_id, Amendment(quantity=D(2)))
    assert (larger.quantity, larger.price) == (D(2), D(59000))


def test_an_amended_stop_limit_that_has_fired_is_a_limit_order() -> None:
    world = World()
    order = world.exchange.place(MAIN, triggered("stop_limit", "buy", "1", "60100", "60100.5"))
    world.exchange.move(BTC, D(60100))
    world.exchange.move(BTC, D(60200))
    moved = world.exchange.amend(MAIN, order.venue_order_id, Amendment(price=D(60150)))
    assert (moved.order_type, moved.trigger_price, moved.price) == ("limit", None, D(60150))


AMENDMENTS: list[tuple[str, Amendment, str]] = [
    ("off the tick", Amendment(price=D("59000.3")), "price=59000.3"),
    ("a trigger for a limit order", Amendment(trigger_price=D(59000)), "trigger_price=59000: not for"),
    ("no margin", Amendment(quantity=D(1000)), "more than the account can pay for"),
    ("would take", Amendment(price=D(60001)), "would trade at once"),
]


@pytest.mark.parametrize(("amendment", "says"), [row[1:] for row in AMENDMENTS], ids=[row[0] for row in AMENDMENTS])
def test_an_amendment_that_is_refused_changes_nothing(amendment: Amendment, says: str) -> None:
    world = World()
    order = world.exchange.place(MAIN, standing(limit_order("buy", "1", "59000"), "post_only"))
    before = world.facts()
    with pytest.raises(Rejected, match=says):
        world.exchange.amend(MAIN, order.venue_order_id, amendment)
    assert world.facts() == before
    assert order.venue_order_id in (world.exchange.snapshot(MAIN).open_orders or {})


def test_what_is_done_or_unknown_is_not_amended() -> None:
    world = World()
    done = world.exchange.place(MAIN, market_order("buy", "0.1"))
    with pytest.raises(Rejected, match="filled already"):
        world.exchange.amend(MAIN, done.venue_order_id, Amendment(quantity=D(1)))
    with pytest.raises(Rejected, match="no such order"):
        world.exchange.amend(MAIN, "order-99", Amendment(quantity=D(1)))


# --- closing and marks ------------------------------------------------------------------------------------------------


def test_close_ends_a_position_once() -> None:
    world = World()
    world.trade("0.5")
    closed = world.exchange.close(MAIN, BTC, "net", "exit-1")
    assert (closed.status, closed.side, closed.quantity, closed.reduce_only) == ("filled", "sell", D("0.5"), True)
    world.trade("0.2")
    assert world.exchange.close(MAIN, BTC, "net", "exit-1") == closed
    assert world.exchange.truth(MAIN).positions == {BTC: D("0.2")}
    world.trade("-0.3")
    assert world.exchange.close(MAIN, BTC, "net", "exit-2").side == "buy"
    assert world.exchange.truth(MAIN).positions == {}


def test_close_says_what_it_cannot_close() -> None:
    world = World()
    with pytest.raises(Rejected, match="there is no position"):
        world.exchange.close(MAIN, BTC, "net", "exit-1")
    with pytest.raises(Rejected, match="not traded here"):
        world.exchange.close(MAIN, "DOGE/USDC", "net", "exit-1")
    world.exchange.place(MAIN, market_order("buy", "0.1", "trend-1"))
    with pytest.raises(Rejected, match="with other terms"):
        world.exchange.close(MAIN, BTC, "net", "trend-1")


def test_a_close_may_time_out_as_any_order() -> None:
    world = World(TimeOut(account=MAIN, placed=True))
    world.trade("0.5")
    with pytest.raises(Exception, match="timed out"):
        world.exchange.close(MAIN, BTC, "net", "exit-1")
    found = world.exchange.find(MAIN, "exit-1")
    assert found is not None
    assert world.exchange.close(MAIN, BTC, "net", "exit-1") == found


def test_marks_are_the_prices_now() -> None:
    world = World()
    world.exchange.move(BTC, D(61000))
    assert world.exchange.marks(MAIN, [BTC, "DOGE/USDC", ETH]) == [
        Mark(BTC, D(61000), world.clock.now()),
        Mark(ETH, D(3000), world.clock.now()),
    ]


# --- both sides -------------------------------------------------------------------------------------------------------


def hedge(world: World, side: Side, quantity: str, position_side: str) -> OrderReported:
    request = msgspec.structs.replace(market_order(side, quantity), position_side=position_side)
    return world.exchange.place(HEDGED, request)


def held(world: World) -> dict[tuple[str, str], Decimal]:
    positions = world.exchange.snapshot(HEDGED).positions or {}
    return {key: position.quantity for key, position in positions.items()}


def test_a_hedged_account_holds_both_sides_apart() -> None:
    world = hedged_world()
    hedge(world, "buy", "0.3", "long")
    hedge(world, "sell", "0.2", "short")
    assert held(world) == {(BTC, "long"): D("0.3"), (BTC, "short"): D("-0.2")}
    starts = [(fill.position_side, fill.start_position) for fill in world.fills(HEDGED)]
    assert starts == [("long", D(0)), ("short", D(0))]
    closed = world.exchange.close(HEDGED, BTC, "short", "exit-1")
    assert (closed.side, closed.position_side, closed.filled) == ("buy", "short", D("0.2"))
    assert held(world) == {(BTC, "long"): D("0.3")}
    assert world.exchange.truth(HEDGED).positions == {BTC: D("0.3")}


def test_an_order_against_its_own_side_never_goes_beyond_flat() -> None:
    world = hedged_world()
    with pytest.raises(Rejected, match="nothing to reduce"):
        hedge(world, "sell", "0.1", "long")
    hedge(world, "buy", "0.1", "long")
    report = hedge(world, "sell", "0.3", "long")
    assert (report.status, report.filled) == ("canceled", D("0.1"))
    assert held(world) == {}


def test_sides_are_for_hedged_derivatives_and_net_for_all_else() -> None:
    world = hedged_world()
    refusals: list[Callable[[], object]] = [
        lambda: hedge(world, "buy", "0.1", "net"),
        lambda: world.exchange.place(MAIN, msgspec.structs.replace(market_order("buy", "1"), position_side="long")),
        lambda: world.exchange.place(
            HEDGED, msgspec.structs.replace(market_order("buy", "1", "", SOL), position_side="long")
        ),
    ]
    for refused in refusals:
        with pytest.raises(Rejected, match="position_side"):
            refused()
    assert world.exchange.place(HEDGED, market_order("buy", "1", "", SOL)).status == "filled"


def test_margin_is_wanted_for_both_sides() -> None:
    world = World()
    world.exchange.open_account(HEDGED, {"USDC": D(2_500)}, hedged=True)
    hedge(world, "buy", "1.5", "long")
    with pytest.raises(Rejected, match="more than the account can pay for"):
        hedge(world, "sell", "1.5", "short")


def test_funding_goes_by_side_and_cancels_out() -> None:
    world = hedged_world()
    hedge(world, "buy", "0.2", "long")
    hedge(world, "sell", "0.2", "short")
    world.step(3_600_000)
    paid = {fact.position_side: fact.amount for fact in world.facts(HEDGED) if isinstance(fact, FundingPaid)}
    assert paid["long"] == -paid["short"] < 0


def test_a_hedged_account_is_liquidated_on_both_sides_at_the_price_it_was_told() -> None:
    world = World()
    world.exchange.open_account(HEDGED, {"USDC": D(3_500)}, hedged=True)
    hedge(world, "buy", "2", "long")
    hedge(world, "sell", "0.5", "short")
    prices = {at.liquidation_price for at in (world.exchange.snapshot(HEDGED).positions or {}).values()}
    (price,) = prices
    assert price is not None
    world.exchange.move(BTC, (price // D("0.5") + 1) * D("0.5"))
    assert len(held(world)) == 2, "just above the liquidation price"
    world.exchange.move(BTC, price // D("0.5") * D("0.5"))
    assert held(world) == {}
    flagged = [fact.position_side for fact in world.facts(HEDGED) if isinstance(fact, LiquidationFlagged)]
    assert flagged == ["long", "short"]


def test_faults_strike_a_hedged_account_on_the_side_that_they_open() -> None:
    world = hedged_world(
        ForeignTrade(account=HEDGED, instrument=XBT, side="sell", quantity=D(1000)),
        ForeignTrade(account=HEDGED, instrument=SOL, side="buy", quantity=D(1)),
        Liquidation(account=HEDGED, instrument=XBT, at_ms=200),
    )
    world.step(100)
    assert held(world) == {(XBT, "short"): D(-1000)}
    world.exchange.deposit(HEDGED, "BTC", -world.exchange.truth(HEDGED).balances["BTC"] + D("0.001"))
    world.step(200)
    assert held(world) == {}
    assert len(world.exchange.struck) == 3
