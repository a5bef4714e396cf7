"""Declared trades: counted at once, superseded by the venue's fills as far as these go."""

from decimal import Decimal

from tests.book.world import BTC, SPOT, D, Ledger, World, ds, folded
from trueup.book.declared import MATCH_WINDOW, confirmed_by, confirming
from trueup.book.snapshot import state_hash
from trueup.model import events as e
from trueup.model.facts import fact_key
from trueup.model.instruments import Instrument
from trueup.model.times import NS_PER_SECOND

WINDOW_S = MATCH_WINDOW // NS_PER_SECOND


def fill(world: World) -> e.FillBooked:
    event = world.events[-1]
    assert isinstance(event, e.FillBooked)
    return event


def declaration(world: World) -> e.TradeDeclared:
    event = world.events[-1]
    assert isinstance(event, e.TradeDeclared)
    return event


def superseded(world: World, trade: e.FillBooked) -> list[tuple[str, str]]:
    return [(found.declaration_id, str(decision.quantity)) for found, decision in confirmed_by(trade, world.book)]


def test_a_fill_supersedes_the_oldest_declarations_first() -> None:
    world = World().at(9).declare("buy", "1", "100").at(5).declare("buy", "2", "100").declare("buy", "9", "100")
    assert superseded(world, fill(World().at(7).buy("2.5", "101"))) == [("2", "2"), ("3", "0.5")]


def test_what_earlier_fills_took_is_gone() -> None:
    world = World().declare("buy", "2", "100").match("1", "f", "1.5")
    assert superseded(world, fill(World().buy("2", "101"))) == [("1", "0.5")]
    assert world.book.unmatched("1") == D("0.5")
    world.match("1", "g", "0.5")
    assert superseded(world, fill(World().buy("2", "101"))) == []
    assert (world.book.unmatched("1"), world.book.declarations) == (D(0), {})


def test_only_the_same_trade_is_superseded() -> None:
    world = World().at(WINDOW_S + 10).declare("buy", "1", "100", by="a")
    at = world.time
    assert superseded(world, fill(World().at(at - WINDOW_S).buy("1", "100"))) == [("1", "1")]
    assert superseded(world, fill(World().at(at).buy("1", "100", strategy="a"))) == [("1", "1")]
    for other in (
        World().at(at - WINDOW_S - 1).buy("1", "100"),
        World().at(at).sell("1", "100"),
        World().at(at).buy("1", "100", strategy="b"),
        World().on(BTC, "long").at(at).buy("1", "100"),
        World(SPOT).at(at).buy("1", "100"),
    ):
        assert superseded(world, fill(other)) == []


def test_a_declaration_that_comes_after_its_fills_is_confirmed_by_what_is_left_of_them() -> None:
    world = World().declare("buy", "1", "100").buy("3", "100").sell("1", "100").fund("1")
    world.match("1", "2", "1")
    late = declaration(World().at(3).declare("buy", "5", "100"))
    assert [(found.fill_key, found.quantity) for found in confirming(late, world.book)] == [("fill|2", D(2))]
    assert confirming(declaration(World(SPOT).declare("buy", "1", "1")), world.book) == []


def test_a_fill_that_other_declarations_used_up_confirms_no_more() -> None:
    world = World().declare("buy", "1", "100").buy("1", "100").match("1", "2", "1")
    assert confirming(declaration(World().at(3).declare("buy", "1", "100")), world.book) == []


def test_a_superseded_declaration_leaves_the_venues_fill_alone() -> None:
    world = World().declare("buy", "2", "100", by="a").buy("2", "101", strategy="a").match("1", "2", "2")
    assert (world.position.quantity, world.position.cost, world.position.unconfirmed) == ds(2, 202, 0)
    assert set(world.position.by_strategy) == {"a"}
    assert world.position.seq == 4


def test_a_partly_superseded_declaration_counts_for_the_rest() -> None:
    world = World().declare("buy", "2", "100").buy("0.5", "104").match("1", "2", "0.5")
    assert (world.position.quantity, world.position.cost, world.position.unconfirmed) == ds(2, 202, "1.5")


def test_a_declared_spot_trade_pays_its_legs_until_superseded() -> None:
    world = World(SPOT).declare("sell", "2", "100")
    assert (world.balance("BTC").total, world.balance("USDC").total) == ds(-2, 200)
    world.sell("0.5", "104", fee="1").match("1", "2", "0.5")
    assert (world.balance("BTC").total, world.balance("USDC").total) == ds(-2, 201)


def test_a_declared_close_inside_the_opening_cut_is_in_it_already() -> None:
    world = World().buy("1", "100").declare("sell", "1", "110").opening_balance("50")
    assert (world.position.realized_pnl, world.balance().total) == ds(10, 50)


def test_superseding_after_the_fill_gives_the_same_book_as_at_once() -> None:
    world = World().declare("buy", "2", "100").fund("1").buy("2", "101").sell("1", "103")
    match = e.DeclarationMatched(world.book.account, "1", fact_key(fill(world.buy("1", "1"))) or "", D(1))
    events = world.events
    books = [folded([*events, match], sizes) for sizes in ([], [1] * len(events))]
    again = folded([*events[:2], *reversed(events[2:]), match], [2, 2])
    assert len({state_hash(book) for book in (*books, again)}) == 1


def test_a_declaration_folds_under_its_own_terms() -> None:
    tenfold = Instrument("BTC/USDC:USDC", "BTC", "linear", "BTC", "USDC", "USDC", D(10), version=2, effective_from=1)
    world = World(BTC).on(tenfold).declare("buy", "1", "100").sell("1", "110")
    assert (world.position.cost, world.balance("USDC").total) == ds(0, 100)


def confirmed(ledger: Ledger, late: e.TradeDeclared) -> list[tuple[str, Decimal]]:
    return [(decision.fill_key, decision.quantity) for decision in confirming(late, ledger.book)]


def test_fills_that_have_left_memory_confirm_too() -> None:
    world = World().at(WINDOW_S * 3).buy("1", "100", venue_trade_id="first")
    for _ in range(200):
        world.sell("1", "100")
    late = declaration(World().at(WINDOW_S * 3).declare("buy", "1", "100"))
    ledger = Ledger(world.events)
    assert confirmed(ledger, late) == [("fill|first", D(1))]
    assert ledger.asked == 1


def test_fills_from_before_a_restart_confirm_too() -> None:
    world = World().at(WINDOW_S * 3).buy("1", "100", venue_trade_id="second").at(WINDOW_S * 3)
    world.buy("1", "100", venue_trade_id="first").fund("1").sell("1", "100")
    late = declaration(World().at(WINDOW_S * 3).declare("buy", "2", "100"))
    ledger = Ledger(world.events)
    ledger.restart()
    assert confirmed(ledger, late) == [("fill|first", D(1)), ("fill|second", D(1))]


def test_history_is_not_asked_where_memory_reaches_back() -> None:
    ledger = Ledger(World().at(9).buy("1", "100", venue_trade_id="old").events)
    ledger.restart()
    assert confirmed(ledger, declaration(World().at(WINDOW_S + 10).declare("buy", "1", "100"))) == []
    ledger.then(*World().at(WINDOW_S).buy("1", "100", venue_trade_id="new").events)
    assert confirmed(ledger, declaration(World().at(WINDOW_S + 10).declare("buy", "1", "100"))) == [("fill|new", D(1))]
    assert ledger.asked == 0
    assert confirmed(Ledger(World().on(BTC).events), declaration(World().declare("buy", "1", "100"))) == []
