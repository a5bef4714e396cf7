"""Any store is backed up alike, and comes back as a directory with the same frames, hashes and state."""

from collections.abc import Callable
from pathlib import Path

from tests.engine.world import ACCOUNT, DEFINED, fill
from trueup.book.snapshot import state_hash
from trueup.bootstrap import keep_backups, new_directory, open_destination, open_store
from trueup.engine.backing_up import back_up, finished
from trueup.engine.restoring import plan, restore
from trueup.engine.store import Store


def book(store: Store, *commits: int) -> None:
    ledger = store.ledger(ACCOUNT)
    if not ledger.head.seq:
        ledger.book_facts([DEFINED])
    for count in commits:
        seq = ledger.head.seq
        ledger.book_facts([fill(number) for number in range(seq, seq + count)])


def test_a_store_comes_back_as_a_directory_with_the_same_frames_and_state(
    opened: Callable[[], Store], tmp_path: Path
) -> None:
    store, destination = opened(), open_destination(tmp_path / "backup", create=True)
    book(store, 3, 1)
    finished(back_up(store, destination, quiet=False))
    book(store, 5)
    made = finished(back_up(store, destination, quiet=True))
    assert (made.new_events, made.findings) == (5, [])
    ledger = store.ledger(ACCOUNT)
    restore(destination, plan(destination), new_directory(tmp_path / "again"), progress=lambda _done, _total: None)
    again = open_store(tmp_path / "again")
    assert list(again.ledger(ACCOUNT).journal.read()) == list(ledger.journal.read())
    assert state_hash(again.ledger(ACCOUNT).book) == state_hash(ledger.book)
    assert again.findings == []
    book(again, 2)
    assert again.ledger(ACCOUNT).head.seq == ledger.head.seq + 2
    again.close()


def test_a_store_that_keeps_backups_ends_with_everything_in_one(opened: Callable[[], Store], tmp_path: Path) -> None:
    store = opened()
    keep_backups(store, tmp_path / "backup", apart_from=None, tests=False)
    book(store, 3, 4)
    head = store.ledger(ACCOUNT).head
    store.close()
    assert store.findings == []
    planned = plan(open_destination(tmp_path / "backup"))
    assert planned.heads == {ACCOUNT: head}
