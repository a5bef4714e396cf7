"""A book as bytes: the same book back, canonical bytes, and refusals of what is not one."""

import msgspec
import pytest

from tests.book.world import ACCOUNT, BTC, ETH, SPOT, XBTUSD, D, Ledger, World, folded
from trueup.book.book import Book
from trueup.book.snapshot import FORMAT, restore, snapshot, state_hash
from trueup.model import events as e
from trueup.model.errors import BadInput
from trueup.model.identifiers import Seq


def everything() -> World:
    world = World().transfer("1000").buy("1", "100", fee="1", strategy="a").sell("3", "110", strategy="b").fund("1")
    world.leverage("5").margin_mode("cross").order("1", "open").order("2", "filled").mark("105").charge("1")
    world.declare("buy", "2", "100").match(world.last_id, "1", "1").adjust("1", "100").split(2, 1).opening("-1")
    world.on(SPOT).buy("1", "100", fee="0.1", fee_currency="BTC").on(ETH).at(1).opening_balance("5", "ETH")
    return world.add(e.Quarantined(ACCOUNT, "", "why", b""))


def back(book: Book) -> Book:
    return restore(snapshot(book), lambda: ())


def test_a_restored_book_says_the_same() -> None:
    book = everything().book
    again = back(book)
    assert again.positions() == book.positions()
    assert again.balances() == book.balances()
    assert again.open_orders() == book.open_orders()
    assert (again.marks, again.declarations, again.matched) == (book.marks, book.declarations, book.matched)
    assert (again.seq, again.quarantined, again.instruments) == (book.seq, book.quarantined, book.instruments)
    assert again.newest_fact() == book.newest_fact()
    assert again.orders.ended == book.orders.ended
    assert again.touched == set()
    assert snapshot(again) == snapshot(book)


def test_a_restored_book_goes_on_as_if_it_had_never_stopped() -> None:
    events = everything().on(BTC).at(40).buy("5", "90", strategy="a").sell("1", "95").at(3).buy("1", "80").events
    for cut in range(len(events)):
        ledger = Ledger(events[:cut])
        ledger.restart()
        for event in events[cut:]:
            ledger.then(event)
        assert state_hash(ledger.book) == state_hash(folded(events))
        assert ledger.book.balances() == folded(events).balances()


def test_what_was_posted_keeps_all_its_digits_over_a_restart() -> None:
    world = World(XBTUSD)
    for price in range(7, 59, 2):
        world.buy("7", str(price)).sell("3", str(price + 40))
    ledger = Ledger(world.events)
    assert len(ledger.book.balances()["BTC"].realized.as_tuple().digits) > 28
    ledger.restart()
    book = ledger.then(*world.sell("3", "97").events[-1:])
    assert book.balances()["BTC"].realized == world.position.realized_pnl == world.balance("BTC").total


def test_an_opening_cut_after_a_restart_still_finds_what_it_contains() -> None:
    world = World().buy("1", "100", fee="1").buy("1", "100", fee="-1")
    cut = World().at(2).opening_balance("10").events[-1]
    ledger = Ledger(world.events)
    ledger.restart()
    assert ledger.then(cut).balances()["USDC"].total == world.add(cut).balance().total == D(11)


def test_a_book_restored_without_its_history_never_guesses_at_it() -> None:
    book = restore(snapshot(World().at(5).buy("1", "100").book))
    folded(World().at(9).buy("1", "100").events, book=book)
    with pytest.raises(RuntimeError, match="without its history"):
        folded(World().at(1).buy("1", "100").events, book=book)


def test_round_trips_told_before_are_not_told_again() -> None:
    world = World().buy("1", "100").sell("2", "110")
    book = back(world.book)
    folded(world.buy("1", "100").events[3:], book=book)
    assert [cycle.number for cycle in book.tracks[(BTC.symbol, "net")].take_cycles()[1]] == [2]


def test_equal_books_give_equal_bytes_whatever_the_notation() -> None:
    short = World().transfer("1").buy("2", "100", fee="0.1").book
    long = World().transfer("1.00").buy("2.0", "100.0", fee="0.10").book
    assert state_hash(short) == state_hash(long)
    assert len(state_hash(short)) == 32


def test_other_books_give_other_bytes() -> None:
    hashes = {
        state_hash(world.book)
        for world in (World(), World().buy("1", "100"), World().buy("1", "101"), World().buy("1", "100").mark("1"))
    }
    assert len(hashes) == 4


def test_what_is_no_snapshot_is_refused() -> None:
    for data in (b"", b"\xc1", msgspec.msgpack.encode([1, 2, 3])):
        with pytest.raises(BadInput, match="Fold the log instead"):
            restore(data, lambda: ())


def test_a_snapshot_whose_inner_part_is_none_is_refused() -> None:
    outer = msgspec.msgpack.decode(snapshot(World().book))
    outer[0] = b"\xc1"
    with pytest.raises(BadInput, match="Fold the log instead"):
        restore(msgspec.msgpack.encode(outer), lambda: ())


def test_how_far_the_venue_was_read_is_kept() -> None:
    world = World().buy("1", "100")
    without = state_hash(world.book)
    book = world.add(e.CursorMoved(ACCOUNT, "7")).book
    assert back(book).cursor == "7"
    assert snapshot(back(book)) == snapshot(book)
    assert state_hash(book) != without


def test_a_book_that_never_followed_a_venue_is_written_as_before_there_were_cursors() -> None:
    inner = msgspec.msgpack.decode(msgspec.msgpack.decode(snapshot(everything().book))[0])
    assert (inner[0], len(inner)) == (3, 17)
    assert back(everything().book).cursor is None
    assert state_hash(everything().book).hex() == "5c17b7bc1f62dc8af4d9624ca3e5d609de6ae447ba824fb5e330b20532ccc1c5"


def test_an_older_format_is_refused() -> None:
    outer = msgspec.msgpack.decode(snapshot(World().book))
    inner = msgspec.msgpack.decode(outer[0])
    inner[0] = FORMAT - 1
    outer[0] = msgspec.msgpack.encode(inner)
    with pytest.raises(BadInput, match=f"this version reads {FORMAT}"):
        restore(msgspec.msgpack.encode(outer), lambda: ())


def test_the_seq_of_each_position_is_kept() -> None:
    world = World().buy("1", "100").on(ETH).buy("1", "10").on(BTC).buy("1", "100")
    assert {key[0]: p.seq for key, p in back(world.book).positions().items()} == {
        BTC.symbol: Seq(5),
        ETH.symbol: Seq(4),
    }
