"""Venue order, whatever order facts arrive in: late facts, what is kept of history, and round trips for the views."""

import pytest

from tests.book.world import ACCOUNT, BTC, ETH, D, Ledger, World, folded
from trueup.book import track as tracks
from trueup.book.book import Book
from trueup.book.snapshot import state_hash
from trueup.book.track import WINDOW, Track
from trueup.model import events as e
from trueup.model.numbers import exact
from trueup.model.positions import Cycle
from trueup.model.times import NS_PER_SECOND

KEY = (BTC.symbol, "net")


def long_story(fills: int) -> World:
    world = World()
    for n in range(fills):
        world.at(2 * n + 2)
        (world.buy if n % 3 else world.sell)(str(1 + n % 5), str(100 + n % 7), fee="0.1")
    return world


def late_fill(second: int, quantity: str = "1") -> e.Event:
    return World().at(second).buy(quantity, "50", venue_trade_id=f"late {second}").events[-1]


def published(cycles: dict[int, Cycle], track: Track) -> dict[int, Cycle]:
    """What the views hold after taking what a track has to tell."""
    first, news = track.take_cycles()
    kept = {number: cycle for number, cycle in cycles.items() if number < first}
    return kept | {cycle.number: cycle for cycle in news}


def test_a_late_fact_folds_where_it_belongs() -> None:
    world = World().at(5).sell("1", "110").at(1).buy("1", "100")
    assert (world.position.quantity, world.position.realized_pnl, world.balance().realized) == (D(0), D(10), D(10))
    assert world.position.updated_at == 5 * NS_PER_SECOND


def test_facts_of_one_instant_fold_by_the_venues_sequence_then_by_id() -> None:
    world = World().at(5).sell("1", "110", venue_sequence=2).at(5).buy("1", "100", venue_sequence=1)
    assert world.position.realized_pnl == D(10)
    world = World().at(5).buy("1", "100", venue_trade_id="b").at(5).sell("1", "110", venue_trade_id="a")
    assert [cycle.side for cycle in world.cycles] == ["short"]


def test_facts_that_follow_a_late_one_in_the_same_batch_wait_for_nothing() -> None:
    world = World().at(5).buy("1", "100").at(1).buy("1", "90").at(3).sell("1", "95").at(9).sell("1", "100")
    one_by_one = folded(world.events, [1] * 5)
    assert state_hash(world.book) == state_hash(one_by_one)
    assert one_by_one.balances()["USDC"].total == D(5) == world.balance().total


def test_history_is_asked_only_for_what_has_left_memory() -> None:
    world = long_story(3 * WINDOW)
    told = Ledger(world.events)
    assert told.asked == 0
    recent = late_fill(2 * (2 * WINDOW) + 1)
    told.then(recent)
    assert told.asked == 0, "a recent late fact folds from the checkpoint"
    old = late_fill(3)
    told.then(old)
    assert told.asked == 1, "an old one needs the position's history"
    assert state_hash(told.book) == state_hash(folded([*world.events, recent, old]))


def test_memory_is_bounded_however_late_facts_come() -> None:
    told = Ledger(long_story(10 * WINDOW).events)
    for second in (3, 301, 20 * WINDOW - 7):
        told.then(late_fill(second))
        assert len(told.book.tracks[KEY].log) < 2 * WINDOW


def test_a_late_fact_before_many_of_its_batch_asks_no_history() -> None:
    world = long_story(WINDOW)
    told = Ledger(world.events)
    told.then(late_fill(2 * WINDOW - 5), *long_story(5 * WINDOW).events[WINDOW + 1 :])
    assert told.asked == 0
    assert state_hash(told.book) == state_hash(folded(told.events))


def test_only_the_position_concerned_is_read_from_history() -> None:
    world = long_story(2 * WINDOW).on(ETH).at(1).buy("1", "10")
    told = Ledger(world.events)
    eth = told.book.tracks[(ETH.symbol, "net")].state
    told.then(late_fill(1))
    assert told.asked == 1
    assert told.book.tracks[(ETH.symbol, "net")].state is eth


def test_a_match_for_a_declaration_long_gone_asks_history() -> None:
    world = World().declare("buy", "1", "100")
    declared = world.last_id
    for _ in range(3 * WINDOW):
        world.buy("1", "100")
    told = Ledger(world.events)
    told.then(World().match(declared, "2", "1").events[-1])
    assert told.asked == 1
    assert told.book.positions()[KEY].quantity == D(3 * WINDOW)
    assert state_hash(told.book) == state_hash(folded(told.events))


def test_a_match_for_a_recent_declaration_folds_from_memory() -> None:
    world = World().buy("1", "100").declare("buy", "1", "100").buy("1", "100")
    told = Ledger(world.events)
    told.then(world.match("2", "3", "1").events[-1])
    assert told.asked == 0
    assert (told.book.positions()[KEY].quantity, told.book.positions()[KEY].unconfirmed) == (D(2), D(0))


@pytest.mark.parametrize("window", [2, 5, WINDOW])
def test_quantities_as_of_any_moment(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks, "WINDOW", window)
    world = long_story(40).on(ETH).at(33).buy("1", "10").declare("buy", "2", "10")
    told = Ledger(world.events)
    for second in range(90):
        facts = [event for event in world.events if getattr(event, "venue_time", 0) <= second * NS_PER_SECOND]
        expected = {key: position.quantity for key, position in folded(facts).positions().items() if position.quantity}
        found = told.book.as_of_cut(second * NS_PER_SECOND)
        assert set(found) == {KEY, (ETH.symbol, "net")}
        assert {key: quantity for key, quantity in found.items() if quantity} == expected


# --- round trips for the views ----------------------------------------------------------------------------------------


def test_round_trips_are_told_once() -> None:
    world = World().buy("1", "100").sell("2", "110")
    book = world.book
    track = book.tracks[KEY]
    assert [cycle.number for cycle in track.take_cycles()[1]] == [1]
    assert track.take_cycles() == (2, [])
    folded(world.buy("1", "100").events[3:], book=book)
    assert [cycle.number for cycle in track.take_cycles()[1]] == [2]


def test_a_late_fact_takes_back_what_was_told() -> None:
    world = World().at(1).buy("1", "100").at(5).sell("1", "110")
    book = world.book
    track = book.tracks[KEY]
    views = published({}, track)
    assert set(views) == {1}
    folded([late_fill(2)], book=book)
    assert track.take_cycles() == (1, []), "the round trip told before did not end after all"


@pytest.mark.parametrize("window", [2, 3, 7])
@pytest.mark.parametrize("telling", [1, 4, 50])
def test_views_hold_every_round_trip_however_facts_arrive_and_are_told(
    window: int, telling: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracks, "WINDOW", window)
    world = World()
    for n in range(60):
        (world.buy if n % 2 else world.sell)(str(1 + n % 3), str(100 + n), fee="0.1")
    events = world.events
    arrival = [events[0], *(events[1 + (7 * n) % 60] for n in range(60))]
    book, views = Book(ACCOUNT), dict[int, Cycle]()
    for count, event in enumerate(arrival):
        folded([event], book=book)
        if count and count % telling == 0:
            views = published(views, book.tracks[KEY])
    views = published(views, book.tracks[KEY])
    assert views == {cycle.number: cycle for cycle in world.cycles}
    assert len(views) == book.positions()[KEY].cycles > 20


def test_asking_about_the_past_tells_no_round_trips() -> None:
    world = World().buy("1", "100").sell("2", "110").buy("2", "120").sell("2", "130")
    book = world.book
    with exact():
        assert book.as_of_cut(3 * NS_PER_SECOND)[KEY] == D(1)
    assert [cycle.number for cycle in book.tracks[KEY].take_cycles()[1]] == [1, 2, 3]


def test_a_match_for_a_declaration_at_the_very_checkpoint_reaches_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks, "WINDOW", 2)
    world = World().buy("1", "100").declare("buy", "1", "100").buy("1", "100").buy("1", "100")
    ledger = Ledger(world.events)
    assert ledger.book.tracks[KEY].base_key[2] == "declared|2"
    ledger.then(world.match("2", "3", "1").events[-1])
    assert ledger.book.positions()[KEY].quantity == D(3)
