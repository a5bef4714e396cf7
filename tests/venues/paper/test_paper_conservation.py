"""Conservation: whatever is done on the paper exchange, no money appears or goes missing, to the last digit.

The facts an account was told are added up here as plain cash flows, with no averages; equity must come out the same.
"""

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.paper.world import BTC, ETH, SOL, XBT, World
from trueup.model.errors import Rejected
from trueup.model.events import Fact, FillBooked, FundingPaid, OrderReported, TransferBooked
from trueup.model.identifiers import AccountId, PositionKey, Side
from trueup.model.numbers import ZERO, exact, quotient
from trueup.model.orders import Amendment, OrderRequest
from trueup.venues.paper.markets import by_symbol, usual_markets
from trueup.venues.paper.orders import TAKEN

MARKETS = by_symbol(usual_markets())
ROUNDING = Decimal("1e-18")
"""For the inverse market, where coins are rounded to 28 digits at every trade; all else is exact."""

ACCOUNT = AccountId("paper:any")
"""Of either kind: it holds one net position of a derivative, or both sides."""


class Act(msgspec.Struct, frozen=True):
    """Something that is done, in numbers that suit every market."""

    symbol: str
    kind: str
    time_in_force: str
    side: Side
    lots: int
    ticks: int
    reduce_only: bool
    position_side: str


KINDS = [(str(kind), stands) for kind, times in TAKEN.items() for stands in sorted(times)]

acts = st.builds(
    lambda symbol, kind, *rest: Act(symbol, *kind, *rest),
    st.sampled_from([BTC, ETH, XBT, SOL]),
    st.sampled_from([*KINDS, ("move", ""), ("amend", ""), ("close", "")]),
    st.sampled_from(["buy", "sell"]),
    st.integers(1, 40),
    st.integers(-60, 60),
    st.booleans(),
    st.sampled_from(["long", "short"]),
)


def played(story: list[Act], deposits: dict[str, Decimal], *, hedged: bool, then: Callable[[World], None]) -> World:
    """A world in which the story happened to an account, looked at after every act."""
    world = World()
    world.exchange.open_account(ACCOUNT, deposits, hedged=hedged)
    for act in story:
        try:
            perform(world, act, act.position_side if hedged and act.symbol != SOL else "net")
        except Rejected:
            continue  # nothing was done, and then there is nothing new to look at
        then(world)
    return world


def perform(world: World, act: Act, position_side: str) -> None:
    market, price = MARKETS[act.symbol], world.exchange.prices[act.symbol]
    quantity, at = act.lots * market.depth / 20, price + act.ticks * market.tick
    match act.kind:
        case "move":
            world.exchange.move(act.symbol, max(price + act.ticks * act.lots * market.tick, market.tick))
            world.step(600_000)
        case "amend":
            for order in list((world.exchange.snapshot(ACCOUNT).open_orders or {}).values())[: act.lots % 3]:
                price_, trigger = (None if known is None else at for known in (order.price, order.trigger_price))
                amendment = Amendment(quantity if act.reduce_only else None, price_, trigger)
                world.exchange.amend(ACCOUNT, order.venue_order_id, amendment)
        case "close":
            world.exchange.close(ACCOUNT, act.symbol, position_side, "")
        case _:
            request = OrderRequest(
                act.symbol,
                act.side,
                quantity,
                order_type=act.kind,  # type: ignore[arg-type]  # one of the literals by now
                price=at if "limit" in act.kind else None,
                trigger_price=at if "stop" in act.kind or "profit" in act.kind else None,
                reduce_only=act.reduce_only,
                time_in_force=act.time_in_force,  # type: ignore[arg-type]  # one of the literals by now
                position_side=position_side,
            )
            world.exchange.place(ACCOUNT, request)


def cash_flows(facts: list[Fact]) -> dict[str, Decimal]:
    """What the account was paid, by currency, had every trade been settled in cash."""
    flows: dict[str, Decimal] = defaultdict(Decimal)
    for fact in facts:
        match fact:
            case TransferBooked() | FundingPaid():
                flows[fact.currency] += fact.amount
            case FillBooked():
                flows[fact.fee_currency] -= fact.fee
                signed = fact.quantity if fact.side == "buy" else -fact.quantity
                instrument = MARKETS[fact.instrument].instrument
                if instrument.kind == "inverse":
                    flows[instrument.settle] += quotient(signed, fact.price)
                    continue
                flows[instrument.settle] -= signed * fact.price
                if instrument.kind == "spot":
                    flows[instrument.base] += signed
            case _:
                pass  # order reports move no money
    return flows


def quantities(facts: list[Fact]) -> dict[PositionKey, Decimal]:
    held: dict[PositionKey, Decimal] = defaultdict(Decimal)
    for fact in facts:
        if isinstance(fact, FillBooked) and fact.instrument != SOL:
            held[fact.instrument, fact.position_side] += fact.quantity if fact.side == "buy" else -fact.quantity
    return {key: quantity for key, quantity in held.items() if quantity}


def check_equity(world: World) -> None:
    facts = world.facts(ACCOUNT)
    snapshot = world.exchange.snapshot(ACCOUNT)
    with exact():
        equity = defaultdict(Decimal, snapshot.balances or {})
        flows = cash_flows(facts)
        for (symbol, side), position in (snapshot.positions or {}).items():
            assert position.unrealized_pnl is not None
            assert position.mark_price is not None
            assert side == "net" or (position.quantity > ZERO) is (side == "long"), "no side goes beyond flat"
            settle = MARKETS[symbol].instrument.settle
            equity[settle] += position.unrealized_pnl
            if symbol == XBT:
                flows[settle] -= quotient(position.quantity, position.mark_price)
            else:
                flows[settle] += position.quantity * position.mark_price
        assert {key: at.quantity for key, at in (snapshot.positions or {}).items()} == quantities(facts)
        assert equity["USDC"] == flows["USDC"]
        assert equity["SOL"] == flows["SOL"]
        assert abs(equity["BTC"] - flows["BTC"]) < ROUNDING


def check_orders(world: World) -> None:
    """Every order was filled by its fills, within its limit, and by all or none of them where it was asked to."""
    filled: dict[str, Decimal] = defaultdict(Decimal)
    last: dict[str, OrderReported] = {}
    for fact in world.facts(ACCOUNT):
        if isinstance(fact, OrderReported):
            last[fact.venue_order_id] = fact
        elif isinstance(fact, FillBooked):
            filled[fact.venue_order_id] += fact.quantity
            limit, buys = last[fact.venue_order_id].price, fact.side == "buy"
            assert limit is None or (fact.price <= limit if buys else fact.price >= limit)
    open_orders = world.exchange.snapshot(ACCOUNT).open_orders or {}
    for venue_order_id, order in last.items():
        assert ZERO <= order.filled == filled[venue_order_id] <= order.quantity
        assert (order.status in {"open", "partially_filled"}) is (venue_order_id in open_orders)
        assert (order.status == "filled") is (order.filled == order.quantity)


@given(st.lists(acts, max_size=25), st.booleans())
def test_equity_is_what_was_paid_in_and_out_and_what_is_held(story: list[Act], hedged: bool) -> None:
    deposits = {"USDC": Decimal(20_000), "BTC": Decimal("0.05"), "SOL": Decimal(50)}
    played(story, deposits, hedged=hedged, then=check_equity)


@given(st.lists(acts, max_size=25), st.booleans())
def test_orders_are_what_their_fills_say(story: list[Act], hedged: bool) -> None:
    played(story, {"USDC": Decimal(20_000), "SOL": Decimal(50)}, hedged=hedged, then=check_orders)


@given(st.lists(acts, max_size=25), st.booleans())
def test_a_flat_account_has_realised_everything(story: list[Act], hedged: bool) -> None:
    world = played(story, {"USDC": Decimal(100_000), "BTC": Decimal(2)}, hedged=hedged, then=lambda _: None)
    for (symbol, side), position in (world.exchange.snapshot(ACCOUNT).positions or {}).items():
        for _ in range(int(abs(position.quantity) / MARKETS[symbol].depth) + 1):
            if (symbol, side) in (world.exchange.snapshot(ACCOUNT).positions or {}):
                world.exchange.close(ACCOUNT, symbol, side, "")
    truth = world.exchange.truth(ACCOUNT)
    assert truth.positions == {}
    with exact():
        flows = cash_flows(world.facts(ACCOUNT))
        assert truth.balances["USDC"] == flows["USDC"]
        assert abs(truth.balances["BTC"] - flows["BTC"]) < ROUNDING


@given(st.lists(acts, max_size=15), st.booleans())
def test_the_same_story_is_told_in_the_same_bytes(story: list[Act], hedged: bool) -> None:
    deposits = {"USDC": Decimal(20_000), "BTC": Decimal("0.05"), "SOL": Decimal(50)}
    once, again = (played(story, deposits, hedged=hedged, then=lambda _: None) for _ in range(2))
    assert msgspec.msgpack.encode(once.facts(ACCOUNT)) == msgspec.msgpack.encode(again.facts(ACCOUNT))
