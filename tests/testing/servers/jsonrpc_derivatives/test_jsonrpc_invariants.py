"""Whatever happens at the exchange, the engine's own books say the same: positions, orders, trades and money."""

from collections import defaultdict
from contextlib import suppress
from decimal import Decimal
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.venues.paper.world import HandClock
from trueup.model.errors import Rejected
from trueup.model.numbers import exact
from trueup.model.orders import OrderRequest
from trueup.testing.servers.jsonrpc_derivatives import world
from trueup.testing.servers.jsonrpc_derivatives.accounts import Accounts
from trueup.testing.servers.jsonrpc_derivatives.history import AccountHistory
from trueup.testing.servers.jsonrpc_derivatives.markets import Markets
from trueup.venues.paper.exchange import PaperExchange

D = Decimal
LINEAR, INVERSE = "BTC/USDC:USDC", "BTC/USD:BTC"
LOTS = {LINEAR: D("0.05"), INVERSE: D(1_000)}
SETTLED_IN = {LINEAR: "USDC", INVERSE: "BTC"}
TINY = D("1e-7")
"""Figures of quotients are shown to eight places."""

SYMBOLS = st.sampled_from(list(LOTS))
SIDES = st.sampled_from(["buy", "sell"])
LIFE = st.lists(
    st.one_of(
        st.tuples(st.just("trade"), SYMBOLS, SIDES, st.integers(1, 12)),
        st.tuples(st.just("rest"), SYMBOLS, SIDES, st.integers(1, 12)),
        st.tuples(st.just("stop"), SYMBOLS, SIDES, st.integers(1, 12)),
        st.tuples(st.just("move"), SYMBOLS, SIDES, st.integers(1, 40)),
        st.tuples(st.just("hour"), SYMBOLS, SIDES, st.just(0)),
        st.tuples(st.just("pay"), SYMBOLS, SIDES, st.integers(1, 500)),
    ),
    max_size=25,
)


class Lived:
    """An exchange with an account, and the engine's books of it."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.exchange = PaperExchange(world.markets(), clock=self.clock, random=Random(1))
        self.exchange.open_account(world.DERIBIT, {"USDC": D(20_000), "BTC": D("0.5")})
        self.markets = Markets(self.exchange)
        self.history = AccountHistory(self.exchange, world.DERIBIT, 0, self.markets)
        self.accounts = Accounts(self.exchange, self.markets)

    def live(self, what: str, symbol: str, side: str, number: int) -> None:
        price, buys = self.exchange.prices[symbol], side == "buy"
        away = 1 - D(number) / 1_000 if buys else 1 + D(number) / 1_000
        on_tick = price * away // 1
        match what:
            case "trade":
                self.order(OrderRequest(symbol, "buy" if buys else "sell", number * LOTS[symbol]))
            case "rest":
                request = OrderRequest(symbol, "buy" if buys else "sell", number * LOTS[symbol])
                self.order(replace(request, order_type="limit", price=on_tick, time_in_force="gtc"))
            case "stop":
                request = OrderRequest(symbol, "sell" if buys else "buy", number * LOTS[symbol])
                self.order(replace(request, order_type="stop", trigger_price=on_tick, reduce_only=True))
            case "move":
                self.exchange.move(symbol, on_tick)
            case "hour":
                self.clock.pass_ms(3_600_000)
                self.exchange.advance()
            case _:
                self.exchange.deposit(world.DERIBIT, "USDC", D(number) * (1 if buys else -1))

    def order(self, request: OrderRequest) -> None:
        with suppress(Rejected):
            self.exchange.place(world.DERIBIT, request)


@given(LIFE, st.booleans())
@settings(max_examples=60, deadline=None)
def test_positions_orders_and_money_are_those_of_the_exchange(
    life: list[tuple[str, str, str, int]], by_and_by: bool
) -> None:
    lived = Lived()
    for step in life:
        lived.live(*step)
        if by_and_by:
            lived.history.catch_up()
    history, truth = lived.history.catch_up(), lived.exchange.truth(world.DERIBIT)

    sizes = {name: session.position.quantity for name, session in history.cashbook.sessions.items()}
    held = {lived.markets.named(name).market.symbol: size for name, size in sizes.items() if size}
    assert held == truth.positions

    assert len(history.trades) == len(truth.trade_ids)
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for trade in history.trades:
        filled[trade.order_id] += trade.row["amount"]
    orders = history.orders.values()
    assert filled == {order.order_id: order.filled for order in orders if order.filled}
    assert all(order.filled == order.amount for order in orders if order.state == "filled")
    working = {history.paper_id(order) for order in orders if order.working}
    snapshot = lived.exchange.snapshot(world.DERIBIT)
    assert working == set(snapshot.open_orders or {})

    for row in lived.accounts.summaries(world.DERIBIT, history, ["USDC", "BTC"]):
        mine = [p for p in (snapshot.positions or {}).values() if SETTLED_IN[p.instrument] == row["currency"]]
        changes = [entry.row["change"] for entry in history.cashbook.log if entry.currency == row["currency"]]
        with exact():
            assert row["equity"] == (snapshot.balances or {}).get(row["currency"], D(0)) + sum(
                p.unrealized_pnl or 0 for p in mine
            )
            assert row["equity"] == row["balance"] + row["session_rpl"] + row["session_upl"]
            assert row["balance"] == sum(changes)
        assert abs(row["session_upl"] - history.cashbook.unrealized(row["currency"])) < TINY
