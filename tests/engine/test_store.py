"""Starts: what was acknowledged is there again, whatever happened to process, log, views or snapshot in between."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from threading import Barrier, Event

import pytest

from tests.engine.world import ACCOUNT, DEFINED, PERP, declared, fill, store_at
from trueup.book.book import Book
from trueup.book.snapshot import state_hash
from trueup.engine import feeder as feeder_module
from trueup.engine import store as store_module
from trueup.engine.clock import SystemClock
from trueup.engine.rebuilding import rebuild_views
from trueup.engine.store import Store
from trueup.journal import embedded as embedded_module
from trueup.journal import milestones
from trueup.journal.embedded import EmbeddedStorage
from trueup.model.errors import DirectoryLocked, JournalDamaged, StorageError, ViewsFailed
from trueup.model.events import OrderReported
from trueup.model.identifiers import AccountId

LEDGER = "data/ledgers/paper%3Aone"
PATIENCE_S = 120
"""For another thread, on a machine as busy as can be."""


def filled(path: Path, count: int = 300) -> bytes:
    """A store with fills in single commits, closed again; the hash of its state."""
    store = store_at(path)
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED])
    for number in range(count):
        ledger.book_facts([fill(number, side="buy" if number % 3 else "sell")])
    digest = state_hash(ledger.book)
    store.close()
    return digest


def folded(path: Path) -> tuple[Store, bytes]:
    store = store_at(path)
    return store, state_hash(store.ledger(ACCOUNT).book)


def same_in_views(store: Store) -> bool:
    """Whether the views hold what memory holds."""
    seq = store.synced(ACCOUNT)
    at, rows = store.views.positions(ACCOUNT)
    memory = store.ledger(ACCOUNT).book.positions()
    return at == seq and {(row.instrument.symbol, row.position_side): row for row in rows} == memory


def test_a_second_start_has_the_same_state_from_the_snapshot_and_dedupes_against_the_first(tmp_path: Path) -> None:
    digest = filled(tmp_path)
    store, again = folded(tmp_path)
    assert again == digest
    assert store.findings == []
    assert list((tmp_path / LEDGER).glob("*.snapshot"))
    receipt = store.ledger(ACCOUNT).book_facts([fill(number, side="sell") for number in range(3, 300, 3)])
    assert receipt.already == 99
    assert same_in_views(store)
    store.close()


def test_after_a_restart_the_same_identity_is_known_whatever_time_it_carries(tmp_path: Path) -> None:
    filled(tmp_path, 20)
    store, digest = folded(tmp_path)
    receipt = store.ledger(ACCOUNT).book_facts([fill(1, at=9000), fill(2, at=-9000)])
    assert (receipt.booked, receipt.quarantined) == (0, 2)
    store.close()
    assert digest


def test_two_threads_that_ask_first_get_the_same_ledger(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    together = Barrier(4)

    def ask() -> object:
        together.wait(PATIENCE_S)
        return store.ledger(ACCOUNT)

    with ThreadPoolExecutor(4) as pool:
        ledgers = [future.result(PATIENCE_S) for future in [pool.submit(ask) for _ in range(4)]]
    assert len(set(map(id, ledgers))) == 1
    store.close()


def test_a_snapshot_that_cannot_be_written_stops_nothing_and_the_directory_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_at(tmp_path)
    ledger = store.ledger(ACCOUNT)
    monkeypatch.setattr(store_module, "events_between", lambda *_: 1)
    monkeypatch.setattr(embedded_module, "write_snapshot", _no_space)
    ledger.book_facts([DEFINED, fill(1)])
    store.synced(ACCOUNT)
    ledger.book_facts([fill(2)])
    store.synced(ACCOUNT)
    assert store._feeder.failed is None
    assert "no space" in store._feeder.troubles[0]
    store.close()
    assert "no space" in str(store.findings)
    store_at(tmp_path).close()


def _no_space(*_: object, **__: object) -> None:
    raise StorageError("There is no space.")


def test_without_snapshots_the_log_is_folded_from_its_start(tmp_path: Path) -> None:
    digest = filled(tmp_path)
    for snapshot in (tmp_path / LEDGER).glob("*.snapshot"):
        snapshot.unlink()
    store, again = folded(tmp_path)
    assert again == digest
    store.close()


def test_a_damaged_snapshot_is_passed_over(tmp_path: Path) -> None:
    digest = filled(tmp_path)
    (snapshot,) = (tmp_path / LEDGER).glob("*.snapshot")
    data = bytearray(snapshot.read_bytes())
    data[len(data) // 2] ^= 1
    snapshot.write_bytes(data)
    store, again = folded(tmp_path)
    assert again == digest
    assert any("snapshot" in finding for finding in store.findings)
    store.close()


def test_a_late_fact_from_before_the_snapshot_folds_into_its_place(tmp_path: Path) -> None:
    filled(tmp_path)
    store, _ = folded(tmp_path)
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([fill(1000, at=-50, price="90")])
    whole = Book(ACCOUNT)
    events = sorted(ledger.events())
    whole.evolve([event for _, event in events], events[0][0])
    assert state_hash(ledger.book) == state_hash(whole)
    assert same_in_views(store)
    store.close()


def test_rot_in_the_log_is_healed_from_the_views(tmp_path: Path) -> None:
    digest = filled(tmp_path)
    segment = tmp_path / LEDGER / "00000001.seg"
    data = bytearray(segment.read_bytes())
    place = data.find(b"fill/1", 20_000)
    data[place] ^= 0xFF
    segment.write_bytes(data)
    for snapshot in (tmp_path / LEDGER).glob("*.snapshot"):
        snapshot.unlink()
    store, again = folded(tmp_path)
    assert again == digest
    assert any("00000001.seg" in finding for finding in store.findings)
    store.close()
    healed, _ = folded(tmp_path)
    assert healed.findings == []
    healed.close()


def test_damaged_views_are_rebuilt_from_the_log(tmp_path: Path) -> None:
    digest = filled(tmp_path)
    views = tmp_path / "data" / "views.sqlite3"
    data = bytearray(views.read_bytes())
    data[:100] = bytes(100)
    views.write_bytes(data)
    store, again = folded(tmp_path)
    assert again == digest
    assert any("rebuilt" in finding for finding in store.findings)
    assert same_in_views(store)
    store.close()


def test_rot_in_both_copies_is_refused_and_other_accounts_still_open(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "data" / "views.sqlite3").unlink()
    segment = tmp_path / LEDGER / "00000001.seg"
    data = bytearray(segment.read_bytes())
    data[data.find(b"fill/1", 20_000)] ^= 0xFF
    segment.write_bytes(data)
    for snapshot in (tmp_path / LEDGER).glob("*.snapshot"):
        snapshot.unlink()
    store = store_at(tmp_path)
    with pytest.raises(JournalDamaged, match=r"00000001\.seg"):
        store.ledger(ACCOUNT)
    other = AccountId("paper:two")
    assert store.ledger(other).head.seq == 0
    store.close()


def test_deleted_views_come_back_with_every_row(tmp_path: Path) -> None:
    digest = filled(tmp_path)
    for name in ("views.sqlite3", "views.sqlite3-wal", "views.sqlite3-shm"):
        (tmp_path / "data" / name).unlink(missing_ok=True)
    store, again = folded(tmp_path)
    assert again == digest
    assert same_in_views(store)
    position = store.ledger(ACCOUNT).book.position(PERP.symbol)
    assert position is not None
    assert len(store.views.cycles(ACCOUNT, PERP.symbol)) == position.cycles > 0
    store.close()


def test_views_rebuilt_on_demand_equal_those_fed_as_it_went(tmp_path: Path) -> None:
    filled(tmp_path)
    store, _ = folded(tmp_path)
    before = (store.views.positions(ACCOUNT), store.views.balances(ACCOUNT), store.views.cycles(ACCOUNT, PERP.symbol))
    store.close()
    storage = EmbeddedStorage.open(tmp_path / "data")
    reached: list[int] = []
    views = rebuild_views(storage, lambda _ledger, seq, _head: reached.append(seq))
    after = (views.positions(ACCOUNT), views.balances(ACCOUNT), views.cycles(ACCOUNT, PERP.symbol))
    views.close()
    storage.close()
    assert after == before
    assert reached[-1] == 301


def test_a_directory_has_one_owner_and_the_second_is_told_who(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    with pytest.raises(DirectoryLocked, match="process"):
        store_at(tmp_path)
    store.close()
    store_at(tmp_path).close()


def test_snapshots_are_taken_while_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "events_between", lambda *_: 50)
    store = store_at(tmp_path)
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED])
    for start in range(0, 200, 20):
        ledger.book_facts([fill(number) for number in range(start, start + 20)])
        store.synced(ACCOUNT)
    assert 1 <= len(list((tmp_path / LEDGER).glob("*.snapshot"))) <= 2
    store.close()


def test_snapshots_stand_where_they_are_due_however_far_the_views_are_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "events_between", lambda *_: 10)
    monkeypatch.setattr(milestones, "SPACING", 2)
    store = Store.open(EmbeddedStorage.open(tmp_path / "data", background=False), SystemClock(), background=False)
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED])
    for number in range(44):
        ledger.book_facts([fill(number)])
    assert store.milestones(ACCOUNT) == [], "none is kept before the views hold what it holds"
    store.step()
    assert store.milestones(ACCOUNT) == [10, 20, 30, 40]
    store.close()


def test_a_reader_who_waits_for_the_views_is_not_kept_waiting_for_their_pace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeder_module, "INTERVAL_S", 3600.0)
    store = store_at(tmp_path)
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED])
    for number in range(3):
        ledger.book_facts([fill(number)])
        assert store.synced(ACCOUNT) == ledger.head.seq
        assert store.views.find(ACCOUNT, [f"fill|{number}"]) == {f"fill|{number}": ledger.head.seq}
    store.close()


def test_views_that_fail_do_not_stop_the_booking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_at(tmp_path)
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED])
    store.synced(ACCOUNT)
    store.views.close()  # the database goes away under the feeder
    ledger.book_facts([fill(1)])
    with pytest.raises(ViewsFailed):
        store.synced(ACCOUNT)
    report = OrderReported(ACCOUNT, PERP.symbol, "buy", Decimal(1), Decimal(0), "open", "o1", 1, "o1-open")
    assert ledger.book_facts([fill(2), report]).booked == 2
    store.close()
    again = store_at(tmp_path)
    assert again.ledger(ACCOUNT).head.seq == 4
    assert same_in_views(again)
    assert set(again.ledger(ACCOUNT).book.open_orders()) == {"o1"}
    again.close()


def test_booking_waits_for_slow_views_only_so_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeder_module, "EVENTS_MAX", 6)
    monkeypatch.setattr(feeder_module, "LAG_MAX_S", 0.01)
    store = store_at(tmp_path)
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED])
    stuck = StuckViews()
    monkeypatch.setattr(store.views, "apply", stuck.apply)
    for first in (0, 6):
        ledger.book_facts([fill(first + number) for number in range(6)])  # events count, however few the frames
    with pytest.raises(ViewsFailed, match="did not move"):
        store.synced(ACCOUNT)
    stuck.released.set()
    store.close()


class StuckViews:
    """Views that hang until they are released."""

    def __init__(self) -> None:
        self.released = Event()

    def apply(self, _changes: object) -> None:
        self.released.wait(PATIENCE_S)


def test_declarations_survive_a_restart_unconfirmed_and_are_confirmed_after_it(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.ledger(ACCOUNT).book_facts([DEFINED, declared("d1", at=5)])
    store.close()
    store, _ = folded(tmp_path)
    ledger = store.ledger(ACCOUNT)
    assert ledger.book.positions()[PERP.symbol, "net"].unconfirmed == 1
    ledger.book_facts([fill(6)])
    assert ledger.book.positions()[PERP.symbol, "net"].unconfirmed == 0
    assert ledger.book.positions()[PERP.symbol, "net"].quantity == 1
    store.close()
