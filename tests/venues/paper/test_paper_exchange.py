"""The paper exchange as a venue: what orders do, what they cost, what is refused, and how it is told."""

from decimal import Decimal
from itertools import pairwise
from random import Random

import msgspec
import pytest

from tests.venues.paper.world import (
    BTC,
    ETH,
    MAIN,
    OTHER,
    SOL,
    XBT,
    HandClock,
    World,
    limit_order,
    market_order,
    stop_order,
)
from trueup.model.errors import AuthenticationFailed, BadInput, Rejected
from trueup.model.events import FillBooked, FundingPaid, LiquidationFlagged, OrderReported
from trueup.model.facts import order_key
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.numbers import quotient
from trueup.model.orders import OrderRequest
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.faults import FaultPlan, ForeignTrade
from trueup.venues.paper.markets import Market
from trueup.venues.paper.orders import strategy_of

D = Decimal


def test_a_market_order_walks_the_levels_and_pays_taker_fees() -> None:
    world = World()
    report = world.exchange.place(MAIN, market_order("buy", "1", "trend-1"))
    assert (report.status, report.filled) == ("filled", D(1))
    assert [(fill.quantity, fill.price) for fill in world.fills()] == [
        (D("0.4"), D("60000.5")),
        (D("0.4"), D("60001.0")),
        (D("0.2"), D("60001.5")),
    ]
    fill = world.fills()[0]
    assert (fill.fee, fill.fee_currency, fill.liquidity) == (D("12.0001"), "USDC", "taker")
    assert (fill.strategy, fill.client_order_id, fill.venue_order_id) == ("trend", "trend-1", report.venue_order_id)
    assert [fill.start_position for fill in world.fills()] == [D(0), D("0.4"), D("0.8")]
    assert [fill.venue_trade_id for fill in world.fills()] == ["1", "2", "3"] == world.ear.fills


def test_what_the_levels_cannot_fill_of_a_market_order_is_canceled() -> None:
    world = World()
    report = world.exchange.place(MAIN, market_order("sell", "2.5"))
    assert (report.status, report.filled) == ("canceled", D("2.0"))


def test_a_limit_order_takes_up_to_its_price_and_the_rest_makes() -> None:
    world = World()
    report = world.exchange.place(MAIN, limit_order("buy", "1", "60000.5", instrument=BTC))
    assert (report.status, report.filled) == ("partially_filled", D("0.4"))
    world.exchange.move(BTC, D("60000.5"))
    assert world.exchange.find(MAIN, "") is None
    assert len(world.fills()) == 1
    world.exchange.move(BTC, D(60000))
    world.exchange.move(BTC, D(60000))
    assert [(fill.quantity, fill.price, fill.liquidity) for fill in world.fills()] == [
        (D("0.4"), D("60000.5"), "taker"),
        (D("0.4"), D("60000.5"), "maker"),
        (D("0.2"), D("60000.5"), "maker"),
    ]
    states = [fact.status for fact in world.facts() if isinstance(fact, OrderReported)]
    assert states == ["open", "partially_filled", "partially_filled", "filled"]
    assert world.exchange.snapshot(MAIN).open_orders == {}


def test_makers_may_be_paid() -> None:
    world = World()
    world.exchange.place(MAIN, limit_order("buy", "1", "2990", instrument=ETH))
    world.exchange.move(ETH, D(2989))
    assert [fill.fee for fill in world.fills()] == [D("-0.1495")]


def test_a_stop_rests_until_its_trigger_then_takes_and_reduces_only() -> None:
    world = World()
    world.trade("0.5")
    stop = world.exchange.place(MAIN, stop_order("sell", "0.8", "59000"))
    world.exchange.move(BTC, D("59000.5"))
    assert list(world.exchange.snapshot(MAIN).open_orders or {}) == [stop.venue_order_id]
    world.exchange.move(BTC, D("59000"))
    assert world.exchange.truth(MAIN).positions == {}
    assert [fill.price for fill in world.fills()[-2:]] == [D("58999.5"), D("58999.0")]
    assert world.exchange.cancel(MAIN, stop.venue_order_id).status == "canceled"
    assert world.exchange.cancel(MAIN, stop.venue_order_id).filled == D("0.5")


def test_a_buy_stop_already_reached_fires_at_once() -> None:
    world = World()
    report = world.exchange.place(MAIN, stop_order("buy", "0.1", "60000", reduce_only=False))
    assert report.status == "filled"


def test_reduce_only_closes_but_never_opens() -> None:
    world = World()
    with pytest.raises(Rejected, match="nothing to reduce"):
        world.exchange.place(MAIN, limit_order("sell", "1", "61000", reduce_only=True))
    world.trade("0.3")
    resting = world.exchange.place(MAIN, limit_order("sell", "1", "61000", reduce_only=True))
    world.exchange.move(BTC, D("61000.5"))
    assert world.exchange.truth(MAIN).positions == {}
    world.exchange.move(BTC, D("61000.5"))
    final = world.exchange.cancel(MAIN, resting.venue_order_id)
    assert (final.status, final.filled) == ("canceled", D("0.3"))


def test_the_same_client_order_id_gives_the_first_order() -> None:
    world = World()
    request = limit_order("buy", "0.1", "59000", "grid-7")
    first = world.exchange.place(MAIN, request)
    world.exchange.move(BTC, D(58999))
    again = world.exchange.place(MAIN, request)
    assert again.venue_order_id == first.venue_order_id
    assert again.status == "filled"
    assert again == world.exchange.find(MAIN, "grid-7")
    assert len(world.fills()) == 1
    with pytest.raises(Rejected, match="with other terms"):
        world.exchange.place(MAIN, msgspec.structs.replace(request, quantity=D("0.2")))
    world.exchange.place(OTHER, request)
    assert len(world.fills(OTHER)) == 1, "an id is the account's own"
    assert world.exchange.find(MAIN, "grid-8") is None


REFUSED = [
    ("instrument", market_order("buy", "1", instrument="DOGE/USDC"), "not traded here"),
    ("no quantity", market_order("buy", "0"), "quantity=0"),
    ("off the lot", market_order("buy", "0.0005"), "quantity=0.0005"),
    ("not a number", market_order("buy", "NaN"), "quantity=NaN"),
    ("beyond all bounds", market_order("buy", "1e1000"), "quantity=1E"),
    ("off the tick", limit_order("buy", "1", "60000.3"), "price=60000.3"),
    ("no price", OrderRequest(BTC, "buy", D(1), order_type="limit"), "price=None: missing"),
    ("a price too many", OrderRequest(BTC, "buy", D(1), price=D(1)), "price=1: not for this"),
    ("no trigger", OrderRequest(BTC, "buy", D(1), order_type="stop"), "trigger_price=None: missing"),
    ("no margin", market_order("buy", "1000"), "more than the account can pay for"),
    ("no money", market_order("buy", "1000", instrument=SOL), "more than the account can pay for"),
    ("no coins", market_order("sell", "1", instrument=SOL), "more than the account can pay for"),
]


@pytest.mark.parametrize(("request_", "says"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_refused_leaves_nothing_behind(request_: OrderRequest, says: str) -> None:
    world = World()
    before = world.facts()
    with pytest.raises(Rejected, match=says):
        world.exchange.place(MAIN, request_)
    assert world.facts() == before


def test_an_order_that_has_become_too_dear_is_canceled_when_its_turn_comes() -> None:
    world = World(deposits={"USDC": D(1_000)})
    resting = world.exchange.place(MAIN, limit_order("buy", "5", "149", instrument=SOL))
    world.exchange.deposit(MAIN, "USDC", D(-900))
    world.exchange.move(SOL, D(148))
    assert world.exchange.cancel(MAIN, resting.venue_order_id).status == "canceled"
    assert world.fills() == []


def test_positions_that_settle_in_one_currency_share_its_margin() -> None:
    world = World(deposits={"USDC": D(2_500)})
    order = market_order("buy", "1.5")
    world.exchange.place(OTHER, order)
    world.trade("12", ETH)
    with pytest.raises(Rejected, match="more than the account can pay for"):
        world.exchange.place(MAIN, order)
    world.trade("-12", ETH)
    assert world.exchange.place(MAIN, order).status == "filled"


def test_nothing_is_sold_for_nothing() -> None:
    world = World()
    world.exchange.move(BTC, D("1.5"))
    report = world.exchange.place(MAIN, market_order("sell", "2"))
    assert (report.status, report.filled) == ("canceled", D("0.8"))
    assert [fill.price for fill in world.fills()] == [D("1.0"), D("0.5")]


def test_spot_moves_balances_and_buys_pay_in_coins() -> None:
    world = World()
    world.trade("10", SOL)
    balances = world.exchange.truth(MAIN).balances
    assert balances["SOL"] == D("9.995")
    assert balances["USDC"] == 100_000 - 10 * D("150.01")
    assert world.fills()[0].fee_currency == "SOL"
    assert world.fills()[0].start_position is None
    world.trade("-9.9", SOL)
    assert world.exchange.truth(MAIN).balances["SOL"] == D("0.095")
    snapshot = world.exchange.snapshot(MAIN)
    assert snapshot.positions == {}
    assert snapshot.position_scope == frozenset({BTC, ETH, XBT})


def test_linear_flips_through_zero() -> None:
    world = World()
    world.trade("0.4")
    world.trade("-0.6")
    truth = world.exchange.truth(MAIN)
    fees = sum(fill.fee for fill in world.fills())
    assert truth.positions == {BTC: D("-0.2")}
    assert truth.balances["USDC"] == 100_000 + D("0.4") * (D("59999.5") - D("60000.5")) - fees
    position = (world.exchange.snapshot(MAIN).positions or {})[BTC, "net"]
    assert position.entry_price == D("59999.0"), "the second level, where the flip's remainder traded"


def test_inverse_pays_in_coins_at_the_harmonic_average() -> None:
    world = World()
    world.trade("20000", XBT)
    world.exchange.move(XBT, D(30000))
    world.trade("20000", XBT)
    position = (world.exchange.snapshot(MAIN).positions or {})[XBT, "net"]
    assert position.entry_price is not None
    assert abs(position.entry_price - 2 / (1 / D("60000.5") + 1 / D("30000.5"))) < D("1e-20")
    before = world.exchange.truth(MAIN).balances["BTC"]
    world.trade("-20000", XBT)
    close = world.fills()[-1]
    half = (quotient(D(20000), D("60000.5")) + quotient(D(20000), D("30000.5"))) / 2
    gained = half - quotient(D(20000), close.price)
    assert abs(world.exchange.truth(MAIN).balances["BTC"] - before - gained + close.fee) < D("1e-20")


def test_funding_is_paid_by_longs_at_every_interval() -> None:
    world = World()
    world.trade("0.4")
    world.trade("-2", ETH)
    world.step(3_600_000 - 1)
    assert not any(isinstance(fact, FundingPaid) for fact in world.facts())
    world.step(1)
    world.step(1)
    paid = {fact.instrument: fact for fact in world.facts() if isinstance(fact, FundingPaid)}
    assert paid[BTC].amount < 0 < paid[ETH].amount
    assert paid[BTC].rate == D("0.0001")
    assert len([fact for fact in world.facts() if isinstance(fact, FundingPaid)]) == 2


def test_a_trade_that_is_taken_back_leaves_everything_as_if_it_had_never_been() -> None:
    world = World()
    world.exchange.trade_by_hand(MAIN, BTC, "buy", Decimal("0.1"))
    world.exchange.trade_by_hand(MAIN, BTC, "sell", Decimal("0.1"))
    before = world.exchange.truth(MAIN)
    world.exchange.trade_by_hand(MAIN, BTC, "sell", Decimal("0.3"))
    wrong = world.exchange.truth(MAIN).trade_ids[-1]
    world.exchange.bust(MAIN, wrong)
    after = world.exchange.truth(MAIN)
    assert (after.positions, after.balances) == (before.positions, before.balances)
    assert len(after.trade_ids) == len(before.trade_ids) + 2
    for trade_id in (wrong, after.trade_ids[-1], "99"):
        with pytest.raises(Rejected):
            world.exchange.bust(MAIN, trade_id)


def test_a_ruined_account_is_liquidated_by_forced_fills() -> None:
    world = World(deposits={"USDC": D(10_000), "BTC": D(1)})
    for quantity in ("2", "2"):
        world.trade(quantity)
    world.trade("1000", XBT)
    resting = world.exchange.place(MAIN, limit_order("buy", "0.001", "50000"))
    position = (world.exchange.snapshot(MAIN).positions or {})[BTC, "net"]
    price = position.liquidation_price
    assert price is not None
    world.exchange.move(BTC, (price // D("0.5") + 1) * D("0.5"))
    assert BTC in world.exchange.truth(MAIN).positions, "just above the liquidation price"
    world.exchange.move(BTC, price // D("0.5") * D("0.5"))
    truth = world.exchange.truth(MAIN)
    assert truth.positions == {XBT: D(1000)}, "only what settles in the same currency falls"
    forced = world.fills()[-1]
    assert (forced.liquidation, forced.side, forced.quantity) == ("liquidation", "sell", D(4))
    assert (forced.strategy, forced.client_order_id) == ("external", "")
    flags = [fact for fact in world.facts() if isinstance(fact, LiquidationFlagged)]
    assert [flag.instrument for flag in flags] == [BTC]
    assert world.exchange.snapshot(MAIN).open_orders == {}
    assert world.exchange.cancel(MAIN, resting.venue_order_id).status == "canceled"


@pytest.mark.parametrize("quantity", ["20000", "-20000"])
def test_the_liquidation_price_of_an_inverse_position_is_where_it_falls(quantity: str) -> None:
    world = World(deposits={"BTC": D("0.02")})
    world.trade(quantity, XBT)
    price = (world.exchange.snapshot(MAIN).positions or {})[XBT, "net"].liquidation_price
    assert price is not None
    ticks = price // D("0.5")
    outside, inside = (ticks, ticks + 1) if quantity > "0" else (ticks + 1, ticks)
    world.exchange.move(XBT, inside * D("0.5"))
    assert world.exchange.truth(MAIN).positions == {XBT: D(quantity)}
    world.exchange.move(XBT, outside * D("0.5"))
    assert world.exchange.truth(MAIN).positions == {}


def test_a_position_with_money_behind_all_of_it_has_no_liquidation_price() -> None:
    world = World()
    world.trade("0.1")
    world.trade("-1000", XBT)
    positions = world.exchange.snapshot(MAIN).positions or {}
    assert positions[BTC, "net"].liquidation_price is None
    assert positions[XBT, "net"].liquidation_price is None


def test_history_pages_overlap_and_have_no_holes() -> None:
    world = World()
    for number in range(1, 60):
        world.trade("0.1" if number % 2 else "-0.1")
    pages, cursor = [], None
    for _ in range(1_000):
        page, following = world.exchange.history(MAIN, cursor, limit=7)
        pages.append(page)
        if following == cursor:
            break
        cursor = following
    assert all(page[-1] == following[0] for page, following in pairwise(pages))
    assert [pages[0][0], *(fact for page in pages for fact in page[1:])] == world.facts()
    assert pages[-1] == pages[-2][-1:], "the last page is the overlap alone"
    assert list(world.exchange.truth(MAIN).trade_ids) == [str(number) for number in range(1, 60)]


@pytest.mark.parametrize("cursor", ["900", "-1", "x", ""])
def test_a_cursor_that_names_no_fact_is_refused(cursor: str) -> None:
    with pytest.raises(Rejected, match="names no fact"):
        World().exchange.history(MAIN, cursor)


def test_the_history_of_an_empty_account_is_empty() -> None:
    world = World(deposits={})
    assert world.exchange.history(MAIN, None) == ([], "0") == world.exchange.history(MAIN, "0")


def test_every_fact_has_a_time_of_its_own_and_a_cut_divides_them() -> None:
    world = World()
    world.trade("1")
    cut = world.exchange.snapshot(MAIN).cut
    world.trade("1")
    times = [order_key(fact)[0] for fact in world.facts()]
    assert cut is not None
    assert times == sorted(set(times))
    assert world.facts() == sorted(world.facts(), key=order_key), "told in the order in which they fold"
    assert [fill.venue_time < cut for fill in world.fills()] == [True, True, True, False, False, False]


def test_what_nobody_opened_is_not_served() -> None:
    world = World()
    with pytest.raises(AuthenticationFailed):
        world.exchange.snapshot(AccountId("paper:nobody"))
    with pytest.raises(Rejected, match="no such order"):
        world.exchange.cancel(MAIN, "order-99")


def test_the_same_seed_and_the_same_acts_give_the_same_history_to_the_byte() -> None:
    def story(seed: int) -> bytes:
        world = World(seed=seed)
        for number in range(50):
            world.step()
            world.exchange.place(MAIN, market_order("buy", "0.1", f"trend-{number}"))
            price = world.exchange.prices[ETH] - D(1)
            world.exchange.place(MAIN, limit_order("buy", "1", str(price), f"grid-{number}", ETH))
        return msgspec.msgpack.encode(world.facts())

    assert story(7) == story(7)
    assert story(7) != story(8)


@pytest.mark.parametrize(
    ("client_order_id", "strategy"),
    [("trend-1", "trend"), ("mean-rev-12", "mean-rev"), ("", "external"), ("trend", "external"), ("-1", "external")],
)
def test_a_client_order_id_names_its_strategy(client_order_id: str, strategy: str) -> None:
    assert strategy_of(client_order_id) == strategy


def test_a_market_needs_a_tick_and_a_plan_needs_its_market() -> None:
    bare = Instrument("A/B", "AB", "spot", "A", "B", "B")
    with pytest.raises(BadInput, match="price_tick"):
        Market(bare, price=D(1), depth=D(1))
    with pytest.raises(BadInput, match="not traded here"):
        World(ForeignTrade(account=MAIN, instrument="A/B", side="buy", quantity=D(1)))


def test_the_stream_carries_the_history_in_its_order() -> None:
    world = World()
    heard_from = len(world.facts())
    world.trade("1")
    world.step(3_600_000)
    assert world.ear.facts == world.facts()[heard_from:]
    assert {type(fact) for fact in world.ear.facts} == {FillBooked, FundingPaid, OrderReported}
    assert FaultPlan() == FaultPlan.parse("")


def test_markets_that_follow_another_have_its_price_and_are_matched_with_it() -> None:
    share = Instrument(
        "NSE.SBIN.CNC/INR", "SBIN", "spot", "SBIN", "INR", "INR", price_tick=D("0.05"), quantity_step=D(1)
    )
    margin = Instrument(
        "NSE.SBIN.MIS/INR:INR", "SBIN:MIS", "linear", "SBIN", "INR", "INR",
        price_tick=D("0.05"), quantity_step=D(1), max_leverage=D(5),
    )  # fmt: skip
    markets = (
        Market(share, price=D(780), depth=D(100)),
        Market(margin, price=D(1), depth=D(100), funding_rate=D(0), follows=share.symbol),
    )
    clock = HandClock()
    exchange = PaperExchange(markets, clock=clock, random=Random(3), funding_interval_ms=1)
    exchange.open_account(MAIN, {"INR": D(100_000)})
    assert exchange.prices == {share.symbol: D(780), margin.symbol: D(780)}
    order = exchange.place(MAIN, OrderRequest(margin.symbol, "buy", D(10), order_type="limit", price=D(700)))
    exchange.move(share.symbol, D(650))
    assert exchange.truth(MAIN).positions == {margin.symbol: D(10)}
    exchange.move(margin.symbol, D(651))
    assert exchange.prices == {share.symbol: D(651), margin.symbol: D(651)}
    clock.pass_ms(5)
    exchange.advance()
    assert len(set(exchange.prices.values())) == 1
    assert {type(fact).__name__ for fact in exchange.history(MAIN, None)[0]} == {
        "TransferBooked", "OrderReported", "FillBooked",
    }, "no funding is paid where there is none"  # fmt: skip
    assert order.status == "open"
    exchange.convert(MAIN, margin.symbol, share.symbol, D(4), D(700))
    truth = exchange.truth(MAIN)
    assert (truth.positions, truth.balances["SBIN"]) == ({margin.symbol: D(6)}, D(4))
    with pytest.raises(Rejected, match="pay for"):
        exchange.convert(MAIN, margin.symbol, share.symbol, D(1_000_000), D(700))
