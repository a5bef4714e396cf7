"""What moves the balances of an account, and what an opening cut contains already."""

import pytest

from tests.book.world import ACCOUNT, BTC, ETH, SPOT, XBTUSD, D, Ledger, World, ds, folded
from trueup.book.book import Book
from trueup.book.snapshot import restore, snapshot, state_hash
from trueup.model import events as e
from trueup.model.identifiers import Seq
from trueup.model.instruments import Instrument
from trueup.model.times import NS_PER_SECOND

PURR = Instrument("PURR/USDC", "PURR/USDC", "spot", "PURR", "USDC", "USDC", wallet="spot")


def test_a_balance_is_the_sum_of_where_it_came_from() -> None:
    world = World().transfer("1000").transfer("-100", reason="withdrawal").transfer("5", reason="reward")
    world.buy("1", "100", fee="1").fund("-2").charge("0.5").sell("1", "110").adjust(cash="0.25", currency="USDC")
    balance = world.balance()
    assert balance.transfers == {"deposit": D(1000), "withdrawal": D(-100), "reward": D(5)}
    assert (balance.realized, balance.fees, balance.funding, balance.adjustments) == ds(10, "-1.5", -2, "0.25")
    assert balance.total == D("911.75")
    assert balance.seq == world.book.seq


def test_facts_about_the_account_as_a_whole_touch_no_position() -> None:
    world = World()
    for event in (
        e.FeeCharged(ACCOUNT, D(3), "USDC", NS_PER_SECOND, "f"),
        e.LiquidationFlagged(ACCOUNT, NS_PER_SECOND, "l"),
        e.AdjustmentBooked(ACCOUNT, "a", NS_PER_SECOND, "", "", "", currency="USDC", cash=D(1)),
    ):
        world.add(event)
    assert (world.book.positions(), world.balance().total) == ({}, D(-2))


def test_spot_trades_pay_by_their_legs_and_nothing_twice() -> None:
    world = World(SPOT).buy("2", "100", fee="0.5").sell("1", "130")
    assert world.position.realized_pnl == D(30)
    assert (world.balance("BTC").total, world.balance("USDC").total) == ds(1, "-70.5")
    assert world.balance("USDC").traded == D(-70)


def test_a_split_of_a_spot_holding_changes_the_balance_of_coins_alike() -> None:
    world = World(SPOT).transfer("5", "BTC").buy("2", "100").split(10, 1).buy("1", "10").split(1, 3)
    assert (world.position.quantity, world.balance("BTC").total, world.balance("USDC").total) == ds(7, 12, -210)
    assert world.balance("BTC").traded == D(7)


def test_a_late_trade_before_a_split_of_spot_splits_too() -> None:
    world = World(SPOT).at(5).buy("2", "100").split(10, 1).at(3).buy("1", "100").at(8).sell("30", "10")
    assert (world.position.quantity, world.balance("BTC").total) == ds(0, 0)
    ledger = Ledger(world.events[:3])
    assert ledger.book.balance_since("BTC") == 5 * NS_PER_SECOND
    ledger.restart()
    assert ledger.then(*world.events[3:]).balances()["BTC"].total == D(0)


def test_a_split_inside_the_opening_cut_of_the_coins_is_not_counted_again() -> None:
    world = World(SPOT).buy("2", "100").split(10, 1).buy("1", "10").split(2, 1)
    cut = World().at(3).opening_balance("20", "BTC").events[-1]
    assert world.add(cut).balance("BTC").total == D(42)
    assert world.balance("BTC").traded == D(22)


def test_a_split_of_contracts_moves_no_coins() -> None:
    assert {balance.total for balance in World(XBTUSD).buy("1", "10").split(2, 1).book.balances().values()} == {D(0)}


def test_an_inverse_contract_pays_in_coins() -> None:
    assert World(XBTUSD).buy("1000", "5000").sell("1000", "10000").balance("BTC").total == D("0.1")


def test_trades_pay_from_the_wallet_of_their_instrument() -> None:
    world = World(PURR).buy("100", "0.2", fee="0.1", fee_currency="PURR").on(BTC).buy("1", "100", fee="1")
    balances = {name: balance.total for name, balance in world.book.balances().items()}
    assert balances == {"PURR@spot": D("99.9"), "USDC@spot": D(-20), "USDC": D(-1)}
    charged = world.on(PURR).charge("1", "USDC")
    assert charged.balance("USDC@spot").fees == D(-1)


# --- what the venue settles itself ------------------------------------------------------------------------------------


def test_what_the_venue_settles_goes_to_the_balance_instead_of_our_own_figure() -> None:
    world = World().buy("1", "100").sell("1", "110", settled_amount="9.31", settled_currency="EUR")
    assert world.position.realized_pnl == D(10)
    assert (world.balance("EUR").total, world.balance("USDC").total) == ds("9.31", 0)


def test_a_settled_close_of_unknown_basis_leaves_the_balance_known() -> None:
    world = World().opening("1").sell("1", "110", settled_amount="9", settled_currency="USDC")
    assert (world.position.realized_unknown, world.balance().total) == (1, D(9))


def test_a_settled_close_that_a_late_fact_changes_is_still_not_ours_to_post() -> None:
    world = World().at(5).sell("1", "110", settled_amount="9", settled_currency="USDC").at(1).buy("1", "100")
    world.at(9).buy("1", "100").sell("1", "104")
    book = folded(world.events, [2, 1, 1])
    assert book.balances()["USDC"].total == D(13)


# --- opening cuts -----------------------------------------------------------------------------------------------------


def test_an_opening_balance_contains_what_came_before_it() -> None:
    world = World().transfer("500").buy("1", "100", fee="1").sell("1", "150", fee="1").fund("3")
    world.opening_balance("1000").buy("1", "100", fee="2").sell("1", "90").fund("-1").transfer("7")
    balance = world.balance()
    assert (balance.opening, balance.total) == ds(1000, 994)
    assert (balance.realized, balance.fees, balance.funding, balance.transfers) == (
        D(-10),
        D(-2),
        D(-1),
        {"deposit": D(7)},
    )
    assert world.position.realized_pnl == D(40), "the position keeps all of its history"


@pytest.mark.parametrize("instrument", [BTC, SPOT])
def test_a_cut_that_comes_late_gives_the_same_book(instrument: Instrument) -> None:
    world = World(instrument).buy("2", "100", fee="1").sell("1", "150").declare("buy", "1", "140").order("7", "open")
    world.opening_balance("1000").transfer("5").sell("1", "170", fee="1").mark("100")
    world.add(e.Quarantined(ACCOUNT, "", "why", b""))
    cut = next(event for event in world.events if isinstance(event, e.OpeningBalance))
    rest = [event for event in world.events if event is not cut]
    early = [rest[0], cut, *rest[1:]]
    books = [folded(world.events), folded([*rest, cut], [1] * 4), folded(early, [1] * 9)]
    assert len({state_hash(book) for book in books}) == 1
    assert books[0].quarantined == books[1].quarantined == 1
    touched = {track.key for track in books[1].touched}
    assert touched == set(books[1].tracks), "all positions are news to the views"
    assert all(books[1].tracks[track.key] is track for track in books[1].touched)
    assert [p.seq for p in books[1].positions().values()] == [len(rest) - 2]


def test_cuts_of_which_the_latest_counts_may_come_in_any_order() -> None:
    def cut(time: int, amount: int, name: str) -> e.OpeningBalance:
        return e.OpeningBalance(ACCOUNT, "USDC", D(amount), time * NS_PER_SECOND, name)

    events = World().at(3).buy("1", "100", fee="1").at(6).sell("1", "110").events
    cuts = [cut(2, 10, "a"), cut(5, 20, "b"), cut(5, 30, "c"), cut(4, 40, "d")]
    orders = [[*events, *cuts], [events[0], *reversed(cuts), *events[1:]], [*events[:2], *cuts, events[2]]]
    books = [folded(order, [1] * len(order)) for order in orders]
    assert len({state_hash(book) for book in books}) == 1
    assert books[0].balances()["USDC"].total == D(40)


def test_gains_and_losses_that_cancel_before_a_cut_do_not_hide_it() -> None:
    world = World().buy("1", "100").sell("1", "105").on(ETH).buy("1", "100").sell("1", "95")
    cut = e.OpeningBalance(ACCOUNT, "USDC", D(50), 3 * NS_PER_SECOND, "cut")
    assert world.balance().total == D(0)
    assert folded([*world.events, cut], [len(world.events)]).balances()["USDC"].total == D(45)


def test_a_wallet_may_have_a_cut_of_its_own() -> None:
    world = World(PURR).buy("100", "0.2").opening_balance("500", "USDC@spot").buy("100", "0.2")
    assert (world.balance("USDC@spot").total, world.balance("PURR@spot").total) == ds(480, 200)


def test_a_spot_trade_may_be_inside_the_cut_of_one_of_its_legs() -> None:
    world = World(SPOT).buy("2", "100").opening_balance("5", "BTC").buy("1", "100").at(3).opening_balance("0")
    assert (world.balance("BTC").total, world.balance("USDC").total) == ds(6, -100)


def test_an_unknown_close_inside_the_cut_leaves_the_balance_known() -> None:
    world = World().opening("1").sell("1", "100").opening_balance("1000")
    assert (world.position.realized_unknown, world.balance().total) == (1, D(1000))


# --- orders, marks and what leaves no trace ---------------------------------------------------------------------------


def test_open_orders_are_those_whose_newest_report_says_so() -> None:
    world = World().order("1", "open").order("2", "open").order("1", "partially_filled", "0.4").order("2", "canceled")
    (order,) = world.book.open_orders().values()
    assert (order.venue_order_id, order.status, order.filled) == ("1", "partially_filled", D("0.4"))
    assert world.book.orders.touched == {"1", "2"}


def test_the_newest_mark_counts() -> None:
    world = World().at(5).mark("100").at(2).mark("90")
    mark = world.book.marks[BTC.symbol]
    assert (mark.price, mark.venue_time) == (D(100), 5 * NS_PER_SECOND)
    assert world.at(5).mark("101").book.marks[BTC.symbol].price == D(101)


def test_provenance_moves_nothing() -> None:
    told = World().buy("1", "100")
    before = state_hash(told.book)
    assert state_hash(told.add(e.SourceRead(ACCOUNT, "file", "00", "userFills", 1, 0)).book) == before


def test_what_answers_say_of_the_account_is_kept_and_the_newest_counts() -> None:
    said = [(("home", "EUR"), ("hedging", "false")), (("hedging", "true"),)]
    told = World()
    for number, learnt in enumerate(said):
        told.add(e.SourceRead(ACCOUNT, f"file {number}", "00", "account", 1, 0, learnt))
    assert told.book.learnt == {"home": "EUR", "hedging": "true"}
    assert restore(snapshot(told.book), lambda: ()).learnt == told.book.learnt


def test_how_far_the_venue_was_read_moves_nothing_and_the_newest_counts() -> None:
    told = World().buy("1", "100")
    balances = told.book.balances()
    assert told.book.cursor is None
    assert told.add(e.CursorMoved(ACCOUNT, "8")).add(e.CursorMoved(ACCOUNT, "7")).book.cursor == "7"
    assert {name: balance.total for name, balance in told.book.balances().items()} == {
        name: balance.total for name, balance in balances.items()
    }


def test_the_newest_terms_can_be_asked_for() -> None:
    later = Instrument("BTC/USDC:USDC", "BTC", "linear", "BTC", "USDC", "USDC", price_tick=D("0.5"), version=2)
    book = World().book
    assert book.terms("unheard") is None
    folded([e.InstrumentDefined(ACCOUNT, later)], book=book)
    assert book.terms(BTC.symbol) == later


def test_the_newest_fact_counts_whatever_it_is() -> None:
    assert Book(ACCOUNT).newest_fact() == 0
    assert World().buy("1", "100").at(9).buy("1", "100").book.newest_fact() == 9 * NS_PER_SECOND
    assert World().buy("1", "100").at(9).transfer("1").book.newest_fact() == 9 * NS_PER_SECOND


def test_a_copy_says_which_event_it_reflects() -> None:
    world = World().buy("1", "100").on(ETH).buy("1", "10").on(BTC).at(1).buy("1", "90")
    assert [position.seq for position in world.book.positions().values()] == [Seq(5), Seq(4)]


def test_a_book_knows_until_when_it_holds_facts_without_a_venues_id() -> None:
    assert World().buy("1", "100").book.weak_until == 0
    assert (
        World().at(5).buy("1", "100", weak=True).at(2).buy("1", "100", weak=True).book.weak_until == 5 * NS_PER_SECOND
    )
