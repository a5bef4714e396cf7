"""What every store must do alike: the same facts give the same events, state and rows, and are there after a start."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import pytest

from tests.engine.world import ACCOUNT, DEFINED, PERP, START, declared, fill, opening
from trueup.book.book import Book
from trueup.book.snapshot import state_hash
from trueup.bootstrap import open_storage
from trueup.engine.ledger import Ledger
from trueup.engine.rebuilding import rebuild_views
from trueup.engine.store import Store
from trueup.engine.verifying import stored_accounts, verify_storage
from trueup.journal.postgres.address import Place
from trueup.model.errors import BadInput
from trueup.model.events import Fact, MarkSampled, OrderReported, Quarantined
from trueup.model.identifiers import AccountId, Seq

Open = Callable[[], Store]

OTHER = AccountId("paper:two")

STORY: list[Fact] = [
    DEFINED,
    *(fill(number, side="buy" if number % 3 else "sell", price=f"{100 + number}.5") for number in range(30)),
    OrderReported(ACCOUNT, PERP.symbol, "buy", Decimal(1), Decimal(0), "open", "o1", START, "o1-open"),
    OrderReported(ACCOUNT, PERP.symbol, "sell", Decimal(2), Decimal(1), "open", "o2", START, "o2-open"),
    fill(100, at=5, price="90"),  # late
    declared("said", at=10_000_000),
]


def told(ledger: Ledger) -> Ledger:
    """A ledger after the story, told in commits of different sizes."""
    for start, size in ((0, 1), (1, 1), (2, 20), (22, 50)):
        ledger.book_facts(STORY[start : start + size])
    return ledger


def refolded(ledger: Ledger) -> bytes:
    """The state hash of a book folded from the ledger's events alone."""
    book = Book(ledger.account)
    events = list(ledger.events())
    book.evolve([event for _, event in events], events[0][0])
    return state_hash(book)


def assert_rows_are_the_book(store: Store, account: AccountId = ACCOUNT) -> None:
    """The views hold, field by field, what memory holds, and say so at its seq."""
    seq, book = store.synced(account), store.ledger(account).book
    at, positions = store.views.positions(account)
    assert {(row.instrument.symbol, row.position_side): row for row in positions} == book.positions()
    assert (at, {row.currency: row for row in store.views.balances(account)[1]}) == (seq, book.balances())
    assert {row.venue_order_id: row for row in store.views.orders(account)[1]} == book.open_orders()
    for (instrument, _), position in book.positions().items():
        assert len(store.views.cycles(account, instrument)) == position.cycles


def test_what_was_booked_is_in_the_rows_field_by_field(opened: Open) -> None:
    store = opened()
    told(store.ledger(ACCOUNT))
    assert_rows_are_the_book(store)


def test_a_late_fact_a_new_order_and_a_closed_one_change_the_rows_too(opened: Open) -> None:
    store = opened()
    ledger = told(store.ledger(ACCOUNT))
    done = OrderReported(ACCOUNT, PERP.symbol, "buy", Decimal(1), Decimal(1), "filled", "o1", START + 1, "o1-filled")
    ledger.book_facts([fill(200, at=-3, side="sell", price="7"), done])
    assert set(ledger.book.open_orders()) == {"o2"}
    assert_rows_are_the_book(store)


def test_every_store_writes_the_same_events_with_the_same_seqs(opened: Open) -> None:
    ledger = told(opened().ledger(ACCOUNT))
    events = list(ledger.events())
    assert [seq for seq, _ in events] == list(range(1, len(events) + 1))
    assert [event for _, event in events[: len(STORY)]] == STORY
    assert [frame.count for frame in ledger.frames()] == [1, 1, 20, len(STORY) - 22]


def test_after_a_start_state_rows_and_keys_are_those_of_before(opened: Open) -> None:
    first = opened()
    ledger = told(first.ledger(ACCOUNT))
    state, head = state_hash(ledger.book), ledger.head
    first.close()
    again = opened()
    ledger = again.ledger(ACCOUNT)
    assert (state_hash(ledger.book), ledger.head, again.findings) == (state, head, [])
    assert again.accounts() == [ACCOUNT]
    assert ledger.book_facts(STORY).booked == 0
    assert_rows_are_the_book(again)


def test_a_start_begins_at_the_snapshot_that_the_last_end_wrote(opened: Open) -> None:
    first = opened()
    told(first.ledger(ACCOUNT))
    first.close()
    second = opened()
    head = second.ledger(ACCOUNT).head
    assert second.milestones(ACCOUNT) == [head.seq]
    milestone = second.milestone(ACCOUNT, head.seq)
    assert milestone is not None
    assert milestone.head == head
    second.ledger(ACCOUNT).book_facts([fill(300)])
    second.close()
    third = opened()
    assert state_hash(third.ledger(ACCOUNT).book) == refolded(third.ledger(ACCOUNT))
    assert third.milestones(ACCOUNT)[-1] == head.seq + 1


def test_a_snapshot_that_proved_wrong_can_be_dropped_and_the_log_is_folded(opened: Open, where: Place) -> None:
    first = opened()
    told(first.ledger(ACCOUNT))
    first.close()
    storage = open_storage(where)
    for seq in storage.milestones(ACCOUNT):
        storage.drop_milestone(ACCOUNT, seq)
    assert storage.newest_milestone(ACCOUNT) == (None, [])
    storage.close()
    again = opened()
    assert state_hash(again.ledger(ACCOUNT).book) == refolded(again.ledger(ACCOUNT))


def test_the_same_fact_is_booked_once_and_another_version_of_it_is_put_aside_once(opened: Open) -> None:
    store = opened()
    ledger = told(store.ledger(ACCOUNT))
    assert ledger.book_facts([fill(1, price="101.5")]).already == 1
    assert ledger.book_facts([fill(1, price="1")]).quarantined == 1
    store.close()
    ledger = opened().ledger(ACCOUNT)
    assert ledger.book_facts([fill(1, price="1")]).quarantined == 0
    (aside,) = [event for _, event in ledger.events() if isinstance(event, Quarantined)]
    assert aside.booked_seq == 3


def test_ledgers_do_not_know_one_another(opened: Open) -> None:
    store = opened()
    told(store.ledger(ACCOUNT))
    other = store.ledger(OTHER)
    assert (other.head.seq, other.book.positions()) == (0, {})
    mark = MarkSampled(OTHER, PERP.symbol, Decimal(7), START, "test")
    with pytest.raises(BadInput):
        other.commit(lambda _: [mark])
    other.note([Quarantined(OTHER, "", "no fact", b"x", source="a#1")])
    assert store.synced(OTHER) == 1
    assert sorted(store.accounts()) == [ACCOUNT, OTHER]
    assert_rows_are_the_book(store)


def test_keys_are_found_by_name_and_listed_whole(opened: Open) -> None:
    store = opened()
    told(store.ledger(ACCOUNT))
    store.synced(ACCOUNT)
    keys = list(store.views.keys(ACCOUNT))
    assert len(keys) == len(set(keys)) == len(STORY) - 1  # the definition of an instrument needs none
    found = store.views.find(ACCOUNT, [*keys, "nobody's"])
    assert set(found) == set(keys)
    assert set(found.values()) == set(range(2, len(STORY) + 1))


def test_the_views_hold_the_frames_of_the_log(opened: Open) -> None:
    store = opened()
    ledger = told(store.ledger(ACCOUNT))
    store.synced(ACCOUNT)
    assert list(store.views.frames(ACCOUNT)) == list(ledger.frames())
    assert list(store.views.frames(ACCOUNT, Seq(5))) == list(ledger.frames(Seq(5)))
    assert store.views.head(ACCOUNT) == ledger.head


def test_views_made_anew_are_those_fed_as_it_went(opened: Open, where: Place) -> None:
    store = opened()
    told(store.ledger(ACCOUNT))
    told_rows = _rows(store)
    store.close()
    storage = open_storage(where)
    reached: list[Seq] = []
    views = rebuild_views(storage, lambda _account, seq, _head: reached.append(seq))
    views.close()
    storage.close()
    again = opened()
    assert _rows(again) == told_rows
    assert reached[-1] == len(STORY)
    assert_rows_are_the_book(again)


def _rows(store: Store) -> tuple[object, ...]:
    store.synced(ACCOUNT)
    views = store.views
    keys = sorted(views.keys(ACCOUNT))
    return (
        views.positions(ACCOUNT),
        views.balances(ACCOUNT),
        views.orders(ACCOUNT),
        views.cycles(ACCOUNT, PERP.symbol),
        views.find(ACCOUNT, keys),
    )


def test_everything_stored_is_proved_and_changed_by_nothing(opened: Open, where: Place) -> None:
    store = opened()
    told(store.ledger(ACCOUNT))
    store.ledger(OTHER).book_facts([])
    store.close()
    storage = open_storage(where)
    proof = verify_storage(storage, stored_accounts(storage), lambda *_: None)
    storage.close()
    assert proof.ok
    proved = {ledger.account: ledger for ledger in proof.ledgers}[ACCOUNT]
    assert (proved.events, proved.frames, proved.views_seq) == (len(STORY), 4, len(STORY))


def test_when_frames_were_recorded_tells_where_the_ledger_stood(opened: Open) -> None:
    ledger = told(opened().ledger(ACCOUNT))
    frames = list(ledger.frames())
    assert ledger.journal.recorded_by(frames[0].recorded_at - 1).seq == 0
    for frame, following in pairwise(frames):
        between = (frame.recorded_at + following.recorded_at) // 2
        if between < following.recorded_at:
            assert ledger.journal.recorded_by(between).hash == frame.hash
    assert ledger.journal.recorded_by(frames[-1].recorded_at + 1) == ledger.head


def test_an_opening_cut_that_the_book_knows_better_is_covered_in_every_store(opened: Open) -> None:
    ledger = told(opened().ledger(ACCOUNT))
    assert ledger.book_facts([opening("5", at=50)]).covered == 1
