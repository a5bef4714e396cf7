"""Position keeping: the published examples of domain knowledge, by their ids, through the whole book."""

from decimal import Decimal

import pytest

from tests.book.world import BTC, ES_FAR, ES_NEAR, ETHQUANTO, SPOT, XBTUSD, D, World, ds, net, rounded
from trueup.book.fifo import fold_fifo
from trueup.book.valuation import converted, notional, price_after_split, unrealized_pnl
from trueup.model import events as e
from trueup.model.instruments import Instrument
from trueup.model.numbers import exact
from trueup.model.positions import Position


def fee(rate: str, quantity: str, price: str) -> str:
    return str(D(rate) * D(quantity) * D(price))


def told(rate: str, *fills: tuple[str, str, str]) -> list[Position]:
    """The position after each of some fills with a fee on their notional."""
    world, seen = World(), []
    for side, quantity, price in fills:
        trade = world.buy if side == "B" else world.sell
        trade(quantity, price, fee=fee(rate, quantity, price))
        seen.append(world.position)
    return seen


def gain(position: Position, mark: str) -> Decimal | None:
    with exact():
        return unrealized_pnl(position.instrument, position.quantity, position.cost, D(mark))


A1 = (("B", "12", "100"), ("B", "17", "99"), ("S", "9", "101"), ("S", "4", "105"), ("B", "3", "103"))
A3 = (("B", "12", "10000"), ("B", "17", "9999"), ("S", "9", "10001"), ("B", "3", "10003"), ("S", "4", "10005"))


def test_a1_average_cost_with_a_fee_of_one_basis_point() -> None:
    _, *after = told("0.0001", *A1)
    assert [position.quantity for position in after] == [29, 20, 16, 19]
    assert rounded(after[0].entry_price, 12) == D("99.413793103448")
    averages = {rounded(position.entry_price, 20) for position in after[:3]}
    assert len(averages) == 1, "closing does not move the average"
    assert rounded(after[3].entry_price, 12) == D("99.980036297641")
    assert net(after[0]) == D("-0.2883")
    assert [rounded(net(position), 8) for position in after[1:]] == [
        D("13.89666207"),
        D("36.19948966"),
        D("36.16858966"),
    ]


def test_a2_first_in_first_out_of_the_same_fills() -> None:
    world, realized, facts = World(), [], []
    for side, quantity, price in A1:
        (world.buy if side == "B" else world.sell)(quantity, price)
        facts = [event for event in world.events if isinstance(event, e.FillBooked)]
        realized.append(fold_fifo(facts, {1: BTC}, {}).realized)
    assert realized == [0, 0, 9, 30, 30]
    lots = fold_fifo(facts, {1: BTC}, {}).lots
    assert [(lot.quantity, lot.cost) for lot in lots] == [ds(16, 16 * 99), ds(3, 3 * 103)]
    assert [lot.source for lot in lots] == ["fill|2", "fill|5"]
    after = told("0", *A1)
    assert [rounded(position.realized_pnl, 6) for position in after[2:4]] == [D("14.275862"), D("36.620690")]


def test_a3_average_cost_with_a_fee_of_ten_basis_points() -> None:
    _, *after = told("0.001", *A3)
    expected = [D("-289.983"), D("-365.71613793"), D("-395.72513793"), D("-415.27137481")]
    assert [rounded(net(position), 8) for position in after] == expected
    assert rounded(after[-1].entry_price, 12) == D("9999.881559220390")


def test_a4_a_flip_closes_then_opens() -> None:
    after = told("0", ("B", "100", "50"), ("S", "150", "55"), ("B", "50", "52"))
    assert [(p.quantity, p.entry_price, p.realized_pnl) for p in after] == [
        ds(100, 50, 0),
        ds(-50, 55, 500),
        ds(0, None, 650),
    ]


def test_a5_closed_cycles_survive_a_reopening() -> None:
    world = World().buy("100", "50").sell("100", "55").sell("50", "54").buy("50", "52").buy("1", "60")
    assert [(cycle.quantity, cycle.realized_pnl) for cycle in world.cycles] == [ds(100, 500), ds(50, 100)]
    assert [cycle.side for cycle in world.cycles] == ["long", "short"]
    assert (world.position.realized_pnl, world.position.cycles) == (D(600), 2)


def test_a6_inverse_short() -> None:
    position = World(XBTUSD).sell("100000", "10000", fee="0.0075").position
    assert position.fees == {"BTC": D("0.0075")}
    assert rounded(gain(position, "11000"), 8) == D("-0.90909091")
    with exact():
        assert rounded(notional(XBTUSD, position.quantity, D(11000)), 8) == D("9.09090909")


@pytest.mark.parametrize(
    ("position", "mark", "expected"),
    [
        (World(XBTUSD).buy("100000", "10500").position, "11505.60", "0.83238969"),
        (World(XBTUSD).sell("1250000", "15500").position, "12506.65", "19.301667"),
    ],
)
def test_a7_inverse_long_and_short(position: Position, mark: str, expected: str) -> None:
    assert rounded(gain(position, mark), -int(D(expected).as_tuple().exponent)) == D(expected)


def test_a8_the_inverse_average_is_harmonic() -> None:
    assert World(XBTUSD).buy("1000", "5000").buy("2000", "6000").position.entry_price == 5625


def test_a9_inverse_long() -> None:
    assert rounded(gain(World(XBTUSD).buy("1000", "5000").position, "5500"), 7) == D("0.0181818")


def test_a10_inverse_with_funding() -> None:
    world = World(XBTUSD).buy("15000", "750").fund("-0.05", "BTC").sell("15000", "800")
    assert world.position.realized_pnl == D("1.25")
    assert world.position.funding == {"BTC": D("-0.05")}
    assert world.balance("BTC").total == D("1.20")


def test_a11_quanto_pays_the_settlement_coin() -> None:
    world = World(ETHQUANTO).buy("1000", "500").sell("1000", "520")
    assert world.position.realized_pnl == world.balance("BTC").total == D("0.02")


def test_a12_linear_with_fees_and_funding() -> None:
    assert World().buy("0.5", "5000").buy("0.3", "6000").position.entry_price == 5375
    world = World().sell("0.4", "6000", fee="1.32").fund("-2.10").buy("0.4", "5000", fee="1.10")
    assert world.position.realized_pnl == 400
    assert world.balance().total == D("395.48")


def test_a13_base_currency_fees_change_the_inventory() -> None:
    world = World(SPOT).buy("1.0", "100", fee="0.001", fee_currency="BTC")
    assert world.position.quantity == world.balance("BTC").total == D("0.999")
    world.sell("0.999", "110", fee="0.000999", fee_currency="BTC")
    assert world.position.quantity == world.balance("BTC").total == D("-0.000999")


def test_a14_base_currency_fees_add_up() -> None:
    world = World(SPOT)
    bought = (
        world.buy(quantity, "100", fee="0.00001", fee_currency="BTC") for quantity in ("0.0035", "0.0035", "0.003")
    )
    held = [world.position.quantity for world in bought]
    assert held == [D("0.00349"), D("0.00698"), D("0.00997")]


def test_a15_a_fee_in_a_third_currency_has_its_own_balance_and_a_value() -> None:
    world = World(SPOT).buy("1", "50000", fee="0.05", fee_currency="BNB", fee_value="30")
    assert (world.position.quantity, world.position.cost, world.position.fee_value) == ds(1, 50000, 30)
    assert world.position.fees == {"BNB": D("0.05")}
    assert {name: balance.total for name, balance in world.book.balances().items()} == {
        "BTC": 1,
        "USDC": -50000,
        "BNB": D("-0.05"),
    }


def test_a16_realised_is_converted_at_the_rate_when_realised() -> None:
    eurusd = Instrument("EUR/USD", "EUR_USD", "linear", "EUR", "USD", "USD")
    realized = World(eurusd).buy("100000", "1.1000").sell("100000", "1.1050").position.realized_pnl
    with exact():
        assert (realized, converted(realized, D(150))) == ds(500, 75000)


def test_a17_a_roll_keeps_the_strategys_basis() -> None:
    world = World(ES_NEAR).buy("10", "4500", strategy="trend").sell("10", "4550", strategy="trend")
    assert world.position.realized_pnl == 25_000
    far = (
        world.on(ES_FAR)
        .buy("10", "4555", strategy="trend")
        .roll(ES_NEAR, "10", "4550", "4555", "4500", "trend")
        .position
    )
    assert far.entry_price == 4555
    with exact():
        basis = far.by_strategy["trend"].strategy_cost
        assert basis is not None
        assert basis / (10 * 50) == 4505
        assert unrealized_pnl(ES_FAR, far.quantity, basis, D(4560)) == 27_500
        assert unrealized_pnl(ES_FAR, far.quantity, far.cost, D(4560)) == 2_500


def test_a20_a_split_leaves_the_value() -> None:
    future = Instrument("NESTLEIND/INR:INR-2401", "NESTLEIND", "linear", "NESTLEIND", "INR", "INR")
    position = World(future).buy("40", "25000").split(10, 1).position
    assert (position.quantity, position.entry_price, position.cost) == ds(400, 2_500, 1_000_000)
    assert price_after_split(D(25_000), 10, 1) == D(2_500)


def test_a21_a_bonus_of_one_for_two_multiplies_by_one_and_a_half() -> None:
    position = World().buy("100", "300").split(3, 2).position
    assert (position.quantity, position.entry_price) == ds(150, 200)
