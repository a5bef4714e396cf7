"""Conservation: whatever is done on the paper exchange, no money appears or goes missing, to the last digit.

The facts an account was told are added up here as plain cash flows, with no averages; equity must come out the same.
"""

from collections import defaultdict
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.venues.paper.world import BTC, ETH, MAIN, SOL, XBT, World
from trueup.model.errors import Rejected
from trueup.model.events import Fact, FillBooked, FundingPaid, TransferBooked
from trueup.model.numbers import exact, quotient
from trueup.model.orders import OrderRequest
from trueup.venues.paper.markets import by_symbol, usual_markets

MARKETS = by_symbol(usual_markets())
ROUNDING = Decimal("1e-18")
"""For the inverse market, where coins are rounded to 28 digits at every trade; all else is exact."""

Act = tuple[str, str, str, int, int, bool]

acts = st.tuples(
    st.sampled_from([BTC, ETH, XBT, SOL]),
    st.sampled_from(["market", "limit", "stop", "move"]),
    st.sampled_from(["buy", "sell"]),
    st.integers(1, 40),
    st.integers(-60, 60),
    st.booleans(),
)


def act(world: World, row: Act) -> None:
    symbol, kind, side, lots, ticks, reduce_only = row
    market, price = MARKETS[symbol], world.exchange.prices[symbol]
    at = price + ticks * market.tick
    if kind == "move":
        world.exchange.move(symbol, max(price + ticks * lots * market.tick, market.tick))
        world.step(600_000)
        return
    request = OrderRequest(
        symbol,
        "buy" if side == "buy" else "sell",
        lots * market.depth / 20,
        order_type=kind,  # type: ignore[arg-type]  # one of the three literals by now
        price=at if kind == "limit" else None,
        trigger_price=at if kind == "stop" else None,
        reduce_only=reduce_only,
    )
    try:
        world.exchange.place(MAIN, request)
    except Rejected:
        return


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


def quantities(facts: list[Fact]) -> dict[str, Decimal]:
    held: dict[str, Decimal] = defaultdict(Decimal)
    for fact in facts:
        if isinstance(fact, FillBooked) and fact.instrument != SOL:
            held[fact.instrument] += fact.quantity if fact.side == "buy" else -fact.quantity
    return {symbol: quantity for symbol, quantity in held.items() if quantity}


@given(st.lists(acts, max_size=25))
def test_equity_is_what_was_paid_in_and_out_and_what_is_held(story: list[Act]) -> None:
    world = World(deposits={"USDC": Decimal(20_000), "BTC": Decimal("0.05"), "SOL": Decimal(50)})
    for row in story:
        act(world, row)
        facts = world.facts()
        snapshot = world.exchange.snapshot(MAIN)
        with exact():
            equity = defaultdict(Decimal, snapshot.balances or {})
            flows = cash_flows(facts)
            for (symbol, _), position in (snapshot.positions or {}).items():
                assert position.unrealized_pnl is not None
                assert position.mark_price is not None
                settle = MARKETS[symbol].instrument.settle
                equity[settle] += position.unrealized_pnl
                if symbol == XBT:
                    flows[settle] -= quotient(position.quantity, position.mark_price)
                else:
                    flows[settle] += position.quantity * position.mark_price
            assert {symbol: at.quantity for (symbol, _), at in (snapshot.positions or {}).items()} == quantities(facts)
            assert equity["USDC"] == flows["USDC"]
            assert equity["SOL"] == flows["SOL"]
            assert abs(equity["BTC"] - flows["BTC"]) < ROUNDING


@given(st.lists(acts, max_size=25))
def test_a_flat_account_has_realised_everything(story: list[Act]) -> None:
    world = World()
    for row in story:
        act(world, row)
    for symbol, quantity in world.exchange.truth(MAIN).positions.items():
        market = MARKETS[symbol]
        for _ in range(int(abs(quantity) / market.depth) + 1):
            held = world.exchange.truth(MAIN).positions.get(symbol)
            if held is not None:
                world.trade(str(-held), symbol)
    truth = world.exchange.truth(MAIN)
    assert truth.positions == {}
    with exact():
        flows = cash_flows(world.facts())
        assert truth.balances["USDC"] == flows["USDC"]
        assert abs(truth.balances["BTC"] - flows["BTC"]) < ROUNDING
