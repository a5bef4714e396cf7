"""State is a function of the set of facts and the sequence of decisions (invariant I3)."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.book.stories import arrivals, decisions, stories, window
from tests.book.world import Ledger, World, folded
from trueup.book.book import Book
from trueup.book.snapshot import state_hash
from trueup.model.facts import fact_key, order_key
from trueup.model.identifiers import PositionKey, Seq
from trueup.model.positions import Balance, Cycle, Position


def in_venue_order(world: World) -> Book:
    facts = [event for event in world.events if fact_key(event) is not None]
    facts.sort(key=order_key)  # type: ignore[arg-type]  # what has a key is a fact
    return folded([*facts, *decisions(world)])


def positions(book: Book) -> dict[PositionKey, Position]:
    return {key: msgspec.structs.replace(found, seq=Seq(0)) for key, found in book.positions().items()}


def balances(book: Book) -> dict[str, Balance]:
    return {name: msgspec.structs.replace(found, seq=Seq(0)) for name, found in book.balances().items()}


@given(st.data(), stories(), st.sampled_from([2, 3, 64]))
def test_any_arrival_gives_the_same_book(data: st.DataObject, world: World, facts_kept: int) -> None:
    expected = in_venue_order(world)
    with window(facts_kept):
        ledger = Ledger()
        for batch in data.draw(arrivals(world)):
            ledger.then(*batch)
            if data.draw(st.integers(0, 4)) == 0:
                ledger.restart()
    assert positions(ledger.book) == positions(expected)
    assert balances(ledger.book) == balances(expected)
    assert state_hash(ledger.book) == state_hash(expected)


@given(st.data(), stories(), st.sampled_from([2, 3, 64]))
def test_views_told_at_any_moment_hold_every_round_trip(data: st.DataObject, world: World, facts_kept: int) -> None:
    expected = {key: track.take_cycles()[1] for key, track in in_venue_order(world).tracks.items()}
    views: dict[PositionKey, dict[int, Cycle]] = {}
    with window(facts_kept):
        book = Book(world.book.account)
        for batch in data.draw(arrivals(world)):
            folded(batch, book=book)
            if data.draw(st.booleans()):
                tell_views(book, views)
        tell_views(book, views)
    assert {key: list(cycles.values()) for key, cycles in views.items()} == expected


def tell_views(book: Book, views: dict[PositionKey, dict[int, Cycle]]) -> None:
    touched, book.touched = book.touched, set()
    for track in touched:
        first, news = track.take_cycles()
        kept = {number: cycle for number, cycle in views.get(track.key, {}).items() if number < first}
        views[track.key] = kept | {cycle.number: cycle for cycle in news}


@given(st.data(), stories(), st.sampled_from([2, 64]))
def test_quantities_as_of_a_cut_are_those_of_the_facts_before_it(
    data: st.DataObject, world: World, facts_kept: int
) -> None:
    with window(facts_kept):
        ledger = Ledger()
        for batch in data.draw(arrivals(world)):
            ledger.then(*batch)
        for time in range(0, 14 * 10**9, 10**9):
            before = World()
            before.events = [event for event in world.events if getattr(event, "venue_time", 0) <= time]
            positions_then = in_venue_order(before).positions()
            expected = {key: position.quantity for key, position in positions_then.items()}
            found = ledger.book.as_of_cut(time)
            assert {key: found[key] for key in expected} == expected
            assert all(not found[key] for key in set(found) - set(expected))
