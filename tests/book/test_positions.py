"""What each kind of fact does to one position."""

from decimal import Decimal

import pytest

from tests.book.world import BTC, ETH, ETHQUANTO, SPOT, XBTUSD, D, World, ds, folded
from trueup.book.snapshot import restore, snapshot
from trueup.model.instruments import Instrument
from trueup.model.positions import Position


def parts(position: Position) -> dict[str, tuple[Decimal | None, ...]]:
    """Quantity, cost and realised P&L by strategy."""
    return {name: (part.quantity, part.cost, part.realized_pnl) for name, part in position.by_strategy.items()}


# --- flips and round trips --------------------------------------------------------------------------------------------


def test_a_flip_splits_its_fee_pro_rata_between_the_round_trips() -> None:
    world = World().buy("1", "100", fee="1").sell("4", "110", fee="8").buy("3", "100", fee="3")
    first, second = world.cycles
    assert (first.side, first.realized_pnl, first.fees) == ("long", D(10), {"USDC": D(3)})
    assert (second.side, second.realized_pnl, second.fees) == ("short", D(30), {"USDC": D(9)})
    assert world.position.fees == {"USDC": D(12)}


def test_a_round_trip_knows_its_time_its_largest_size_its_fees_and_its_funding() -> None:
    world = World().charge("5").fund("5").sell("1", "100", fee="0.5").sell("2", "100").fund("-2").buy("1", "90")
    world.charge("1").buy("2", "95", fee="0.25").fund("9")
    (cycle,) = world.cycles
    assert (cycle.number, cycle.side, cycle.quantity, cycle.realized_pnl) == (1, "short", D(3), D(20))
    assert (cycle.opened_at, cycle.closed_at) == (3 * 10**9, 8 * 10**9)
    assert (cycle.fees, cycle.funding) == ({"USDC": D("1.75")}, {"USDC": D(-2)})
    assert (world.position.fees, world.position.funding) == ({"USDC": D("6.75")}, {"USDC": D(12)})
    assert (world.position.opened_at, world.position.updated_at) == (None, 9 * 10**9)


def test_a_flip_without_a_fee_or_with_one_in_another_currency_closes_its_round_trip_too() -> None:
    world = World().buy("1", "100", fee="1", fee_currency="BNB").sell("2", "100", fee="4", fee_currency="BNB")
    world.buy("2", "100").sell("1", "100")
    assert [cycle.fees for cycle in world.cycles] == [{"BNB": D(3)}, {"BNB": D(2)}, {}]
    assert world.position.fees == {"BNB": D(5)}


def test_a_base_fee_that_closes_a_position_ends_its_round_trip() -> None:
    world = World(SPOT).sell("1", "100").buy("1.01", "100", fee="0.01", fee_currency="BTC")
    assert (world.position.quantity, world.position.cycles, world.position.opened_at) == (D(0), 1, None)
    assert world.cycles[0].fees == {"BTC": D("0.01")}


def test_a_base_fee_that_flips_what_a_trade_flipped_before_goes_on_with_the_round_trip() -> None:
    world = World(SPOT).sell("1", "100").buy("1.0005", "100", fee="0.001", fee_currency="BTC")
    assert (world.position.quantity, world.position.cycles) == (D("-0.0005"), 0)


def test_a_base_fee_that_flips_back_what_was_closed_belongs_to_what_closed() -> None:
    world = World(SPOT).buy("1", "100").sell("0.9995", "100", fee="0.001", fee_currency="BTC")
    assert world.position.quantity == D("-0.0005")
    assert world.cycles[0].fees == {"BTC": D("0.001")}


def test_a_base_rebate_adds_to_the_inventory() -> None:
    world = World(SPOT).buy("1", "100", fee="-0.001", fee_currency="BTC")
    assert world.position.quantity == world.balance("BTC").total == D("1.001")
    assert world.position.fees == {"BTC": D("-0.001")}


def test_a_base_rebate_on_a_close_may_make_the_position_larger_than_ever() -> None:
    world = World(SPOT).buy("1", "100").sell("0.1", "100", fee="-0.5", fee_currency="BTC").sell("1.4", "100")
    assert world.cycles[0].quantity == D("1.4")


def test_the_largest_size_is_what_a_fee_in_coins_leaves() -> None:
    world = World(SPOT).buy("1", "100").buy("4", "100", fee="0.004", fee_currency="BTC").sell("4.996", "100")
    assert [cycle.quantity for cycle in world.cycles] == [D("4.996")]


def test_the_largest_size_counts_from_both_sides() -> None:
    long = World().buy("1", "100").buy("2", "100").sell("1", "100").buy("0.5", "100").sell("2.5", "100")
    short = World().sell("1", "100").sell("2", "100").buy("1", "100").sell("0.5", "100").buy("2.5", "100")
    assert [world.cycles[0].quantity for world in (long, short)] == [D(3), D(3)]


def test_hedge_mode_keeps_both_sides_apart() -> None:
    world = World().on(BTC, "long").buy("1", "100").on(BTC, "short").sell("2", "110").buy("1", "100")
    book = world.book
    long, short = book.position(BTC.symbol, "long"), book.position(BTC.symbol, "short")
    assert long is not None
    assert short is not None
    assert (long.quantity, long.realized_pnl, short.quantity, short.realized_pnl) == ds(1, 0, -1, 10)
    assert book.position(BTC.symbol) is None
    assert set(book.positions()) == {(BTC.symbol, "long"), (BTC.symbol, "short")}


def test_an_inverse_flip_values_both_parts_at_the_price() -> None:
    position = World(XBTUSD).buy("1000", "5000").sell("3000", "10000").position
    assert (position.quantity, position.cost, position.realized_pnl) == ds(-2000, "-0.2", "0.1")
    assert position.entry_price == 10_000


def test_a_rebate_is_a_negative_fee() -> None:
    world = World().buy("1", "100", fee="-0.02")
    assert (world.position.fees, world.balance().fees) == ({"USDC": D("-0.02")}, D("0.02"))


# --- strategies -------------------------------------------------------------------------------------------------------


def test_a_single_strategy_has_all_of_the_position() -> None:
    position = World().buy("2", "100", fee="1", strategy="a").sell("1", "110", strategy="a").position
    assert parts(position) == {"a": ds(1, 100, 10)}
    assert position.by_strategy["a"].fees == {"USDC": D(1)}


def test_strategies_have_their_own_averages_and_fees() -> None:
    world = World().buy("2", "100", fee="1", strategy="a").sell("1", "110", fee="2", strategy="b")
    world.sell("2", "120", fee="3", fee_currency="BNB", strategy="a").buy("1", "100", strategy="b")
    assert parts(world.position) == {"a": ds(0, 0, 40), "b": ds(0, 0, 10)}
    assert world.position.realized_pnl == D(50)
    assert [part.fees for part in world.position.by_strategy.values()] == [
        {"USDC": D(1), "BNB": D(3)},
        {"USDC": D(2)},
    ]


def test_a_fee_apart_from_fills_belongs_to_nobody() -> None:
    position = World().buy("1", "100", strategy="a").charge("2").position
    assert position.by_strategy["external"].fees == {"USDC": D(2)}
    assert position.by_strategy["a"].fees == {}
    assert World().charge("2").position.by_strategy["external"].fees == {"USDC": D(2)}


def test_a_base_fee_reduces_the_part_that_paid_it() -> None:
    world = World(SPOT).buy("1", "100", strategy="a").buy("1", "100", fee="0.1", fee_currency="BTC", strategy="b")
    assert parts(world.position) == {"a": ds(1, 100, 0), "b": ds("0.9", 90, 0)}


# --- splits -----------------------------------------------------------------------------------------------------------


def test_a_split_scales_strategies_and_the_largest_size() -> None:
    world = World().buy("1", "90", strategy="a").sell("0.5", "90", strategy="b").split(10, 1)
    assert parts(world.position) == {"a": ds(10, 90, 0), "b": ds(-5, -45, 0)}
    assert (world.position.quantity, world.position.cost) == ds(5, 45)
    assert world.sell("5", "9").cycles[0].quantity == D(10)


def test_of_what_rounding_adds_to_strategies_external_takes_the_sum() -> None:
    world = World().buy("15", "90", strategy="a").buy("30", "90", strategy="b").split(3, 2, "67")
    assert parts(world.position) == {
        "a": ds("22.5", 1350, 0),
        "b": ds(45, 2700, 0),
        "external": ds("-0.5", 0, 0),
    }
    assert (world.position.quantity, world.position.cost) == ds(67, 4050)


@pytest.mark.parametrize(("side", "after"), [("buy", D(67)), ("sell", D(-67))])
def test_the_size_after_a_split_has_the_sign_of_the_position(side: str, after: Decimal) -> None:
    world = World()
    (world.buy if side == "buy" else world.sell)("45", "90").split(3, 2, "67")
    assert world.position.quantity == after
    assert abs(world.position.cost or D(0)) == D(4050)


def test_a_split_of_a_position_that_is_flat_leaves_it_flat() -> None:
    world = World().buy("1", "90", strategy="a").sell("1", "90", strategy="b").split(10, 1, "400")
    assert parts(world.position) == {"a": ds(10, 90, 0), "b": ds(-10, -90, 0)}
    assert world.position.quantity == D(0)


def test_thirds_leave_no_dust_among_strategies() -> None:
    position = World().buy("1", "90", strategy="a").buy("1", "90", strategy="b").split(1, 3).position
    assert set(position.by_strategy) == {"a", "b"}
    assert sum(part.quantity for part in position.by_strategy.values()) == position.quantity


def test_a_split_scales_what_rests_on_declarations() -> None:
    assert World().declare("buy", "2", "90").split(10, 1).position.unconfirmed == D(20)


# --- rolls ------------------------------------------------------------------------------------------------------------

NEAR = Instrument("BTC/USD:BTC-2603", "BTCH6", "inverse", "BTC", "USD", "BTC")
FAR = Instrument("BTC/USD:BTC-2606", "BTCM6", "inverse", "BTC", "USD", "BTC")


def test_an_inverse_roll_keeps_the_strategys_profit() -> None:
    world = World(NEAR).buy("1000", "5000", strategy="a").sell("1000", "10000", strategy="a")
    near = world.position.realized_pnl
    far = world.on(FAR).buy("1000", "12500", strategy="a").roll(NEAR, "1000", "10000", "12500", "5000", "a").position
    carried = far.by_strategy["a"].strategy_cost
    assert (near, far.cost, carried) == ds("0.1", "0.08", "0.18")


def test_a_carried_basis_shrinks_with_the_position_and_ends_with_it() -> None:
    world = World(FAR).buy("1000", "12500", strategy="a").buy("1000", "12500", strategy="b")
    world.roll(NEAR, "1000", "10000", "12500", "5000", "a").sell("250", "12500", strategy="a")
    part = world.position.by_strategy["a"]
    assert (part.cost, part.strategy_cost) == ds("0.06", "0.135")
    part = world.sell("750", "12500", strategy="a").position.by_strategy["a"]
    assert (part.cost, part.strategy_cost) == ds(0, 0)
    assert world.position.by_strategy["b"].strategy_cost == D("0.08")


def test_a_roll_stands_after_the_fills_of_its_instant() -> None:
    world = World(FAR).at(5).sell("1000", "12500", strategy="a").at(9)
    world.roll(NEAR, "1000", "10000", "12500", "5000", "a")
    world.at(9).buy("2000", "12500", strategy="a", venue_sequence=7)
    assert world.position.by_strategy["a"].strategy_cost == D("0.18")


def test_a_basis_of_unknown_cost_stays_unknown_through_a_roll() -> None:
    world = World(FAR).opening("1000").roll(NEAR, "1000", "10000", "12500", "5000", "external")
    assert world.position.by_strategy["external"].strategy_cost is None


# --- openings ---------------------------------------------------------------------------------------------------------


def test_an_opening_starts_a_position_whose_past_nobody_gives() -> None:
    position = World().opening("3", "100").position
    assert (position.quantity, position.cost, position.realized_pnl, position.opened_at) == (D(3), D(300), D(0), 10**9)
    assert parts(position) == {"external": ds(3, 300, 0)}


def test_unknown_basis_stays_unknown_until_flat() -> None:
    world = World().opening("3").buy("1", "100")
    assert (world.position.cost, world.position.entry_price) == (None, None)
    world.sell("2", "110")
    assert (world.position.quantity, world.position.cost) == ds(2, None)
    assert (world.position.realized_pnl, world.position.realized_unknown) == (D(0), 1)
    assert (world.balance().total, world.balance().known) == ds(None, 0)
    world.sell("2", "110").buy("1", "50")
    assert (world.position.cost, world.position.realized_unknown) == (D(50), 2)
    assert world.cycles[0].realized_pnl is None


def test_unknown_basis_ends_with_a_flip() -> None:
    position = World().opening("3").sell("4", "110").position
    assert (position.quantity, position.cost, position.realized_unknown) == (D(-1), D(-110), 1)


def test_unknown_basis_belongs_to_external_alone() -> None:
    position = World().opening("3").buy("1", "100", strategy="a").sell("1", "110", strategy="a").position
    assert parts(position) == {"external": ds(3, None, 0), "a": ds(0, 0, 10)}
    assert (position.cost, position.realized_unknown) == (None, 1)


def test_a_cut_that_the_facts_before_it_explain_changes_nothing() -> None:
    told = World().buy("2", "100", strategy="a").buy("1", "130", strategy="b")
    before = told.position
    position = told.opening("3", "999").position
    assert parts(position) == parts(before)
    assert (position.quantity, position.cost) == ds(3, 330)
    assert told.opening("3").position.cost == D(330)


def test_a_cut_tells_the_cost_that_facts_did_not_know() -> None:
    assert World().opening("3").opening("3", "100").position.cost == D(300)
    assert World().opening("3").opening("3").position.cost is None


def test_what_a_cut_adds_belongs_to_external_and_the_costs_add_up() -> None:
    position = World().buy("1", "100", strategy="a").opening("3", "120").position
    assert parts(position) == {"a": ds(1, 100, 0), "external": ds(2, 260, 0)}
    assert position.cost == D(360)


@pytest.mark.parametrize(
    ("quantity", "price", "external"),
    [
        ("3", None, ds(2, None, 0)),
        ("3", "1", ds(2, None, 0)),  # would need a negative price
        ("-1", "120", ds(-2, -220, 0)),
        ("0", None, ds(-1, -100, 0)),
    ],
)
def test_external_has_no_basis_that_cannot_be(
    quantity: str, price: str | None, external: tuple[Decimal | None, ...]
) -> None:
    position = World().buy("1", "100", strategy="a").opening(quantity, price).position
    assert parts(position) == {"a": ds(1, 100, 0), "external": external}
    assert position.quantity == D(quantity)


def test_a_cut_on_an_unknown_basis_leaves_externals_unknown() -> None:
    world = World().opening("1").buy("1", "100", strategy="a").opening("5", "100")
    assert parts(world.position) == {"external": ds(4, None, 0), "a": ds(1, 100, 0)}
    assert world.position.cost == D(500)


def test_a_cut_to_flat_ends_the_round_trip() -> None:
    world = World().buy("1", "100").opening("0")
    assert (world.position.quantity, world.position.cost, world.position.cycles) == (D(0), D(0), 1)


def test_a_cut_confirms_what_was_declared_before_it() -> None:
    position = World().declare("buy", "1", "100").opening("1", "100").position
    assert (position.quantity, position.unconfirmed) == ds(1, 0)


# --- adjustments, declarations, flags ---------------------------------------------------------------------------------


def test_adjustments_keep_out_of_realised_pnl() -> None:
    world = World().buy("2", "100", strategy="a").adjust("-1", "130")
    assert (world.position.quantity, world.position.cost) == ds(1, 100)
    assert (world.position.realized_pnl, world.position.adjusted_pnl) == ds(0, 30)
    assert parts(world.position) == {"a": ds(2, 200, 0), "external": ds(-1, -130, 0)}
    assert world.balance().total == D(0)


def test_an_adjustment_opens_a_position_for_external() -> None:
    assert parts(World().adjust("-1", "130").position) == {"external": ds(-1, -130, 0)}


def test_an_adjustment_without_a_price_leaves_the_basis_unknown() -> None:
    world = World().buy("2", "100").adjust("-1")
    assert (world.position.quantity, world.position.cost, world.position.adjusted_pnl) == ds(1, None, 0)
    assert world.adjust("-1").position.cost == D(0)
    assert world.position.cycles == 1


def test_an_adjustment_of_an_unknown_basis_owes_the_balance_nothing() -> None:
    world = World().opening("2").adjust("-1", "100")
    assert (world.position.quantity, world.position.cost, world.position.adjusted_pnl) == ds(1, None, 0)
    assert world.position.realized_unknown == 1
    assert world.balance().total == D(0)


def test_an_adjustment_of_cash_leaves_the_position_alone() -> None:
    world = World().buy("1", "100").adjust(cash="-3", currency="USDC")
    assert (world.position.quantity, world.balance().adjustments, world.balance().total) == ds(1, -3, -3)


def test_leverage_margin_mode_and_liquidations() -> None:
    world = World().buy("1", "100").leverage("5").margin_mode("isolated").leverage("10")
    world.sell("1", "90", liquidation="liquidation").flag_liquidation()
    position = world.position
    assert (position.leverage, position.margin_mode, position.liquidations) == (D(10), "isolated", 2)


def test_a_declared_trade_counts_and_is_marked_unconfirmed() -> None:
    world = World().declare("buy", "2", "100", by="a").declare("sell", "1", "110", by="b")
    assert (world.position.quantity, world.position.unconfirmed, world.position.realized_pnl) == ds(1, 1, 10)
    assert parts(world.position) == {"a": ds(2, 200, 0), "b": ds(-1, -110, 0)}
    assert world.balance().total == D(10)


# --- terms ------------------------------------------------------------------------------------------------------------


def test_each_fact_folds_under_its_own_version_of_the_terms() -> None:
    tenfold = Instrument("BTC/USDC:USDC", "BTC", "linear", "BTC", "USDC", "USDC", D(10), version=2, effective_from=1)
    world = World(BTC).buy("1", "100").on(tenfold).buy("1", "100").declare("buy", "1", "100")
    world.adjust("1", "100").opening("5", "100")
    assert world.position.cost == D(5000)
    assert world.position.entry_price == D(100)
    before = World(BTC).buy("1", "100").on(tenfold).buy("1", "100").on(BTC).adjust("1", "100").position
    assert before.cost == D(1200)


def test_terms_that_nobody_traded_under_do_not_change_the_fold() -> None:
    later = Instrument("BTC/USDC:USDC", "BTC", "linear", "BTC", "USDC", "USDC", D(10), version=2, effective_from=99)
    told = World(BTC).buy("1", "100")
    book = told.book
    before = book.position(BTC.symbol)
    book.touched.clear()
    folded(told.on(later).events[-1:], book=book)
    assert book.position(BTC.symbol) == before
    assert not book.touched
    known_first = World(BTC).on(later).on(BTC).buy("1", "100").position
    assert (known_first.cost, known_first.entry_price, known_first.instrument) == (D(100), D(100), BTC)


def test_a_position_shows_the_terms_of_its_last_trade() -> None:
    tenfold = Instrument("BTC/USDC:USDC", "BTC", "linear", "BTC", "USDC", "USDC", D(10), version=2, effective_from=1)
    world = World(BTC).buy("1", "100").sell("1", "100").on(tenfold).buy("1", "100")
    assert (world.position.instrument, world.position.entry_price) == (tenfold, D(100))


def test_two_instruments_are_two_positions() -> None:
    world = World(BTC).buy("1", "100").on(ETH).sell("1", "10")
    assert {key[0]: position.quantity for key, position in world.book.positions().items()} == {
        BTC.symbol: D(1),
        ETH.symbol: D(-1),
    }


def test_an_empty_batch_changes_nothing() -> None:
    book = World().buy("1", "100").book
    seq = book.seq
    assert folded([], book=book).seq == seq


# --- fees in a third currency -----------------------------------------------------------------------------------------


def test_the_worth_of_third_currency_fees_is_unknown_as_soon_as_one_came_without_it() -> None:
    world = World().buy("1", "100", fee="1", fee_currency="BNB", fee_value="600")
    assert world.position.fee_value == D(600)
    assert world.buy("1", "100", fee="1", fee_currency="BNB").position.fee_value is None
    assert world.buy("1", "100", fee="1", fee_currency="BNB", fee_value="600").position.fee_value is None
    assert restore(snapshot(world.book), lambda: ()).positions() == world.book.positions()
    assert World().charge("1", "BNB").position.fee_value is None


def test_fees_in_the_currencies_of_the_instrument_need_no_worth() -> None:
    for instrument in (BTC, SPOT, XBTUSD, ETHQUANTO):
        world = World(instrument).buy("1", "100")
        for currency in {instrument.base, instrument.quote, instrument.settle}:
            world.charge("1", currency).buy("1", "100", fee="0.1", fee_currency=currency, fee_value="5")
        assert world.position.fee_value == D(0)
