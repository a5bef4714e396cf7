"""What rots under a running store is found, fenced, healed where a copy survives, and nobody else stops."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Event

import msgspec
import pytest

from tests.engine.world import ACCOUNT, DEFINED, fill
from trueup.book.snapshot import state_hash
from trueup.bootstrap import last_proven
from trueup.engine import scrub as scrub_module
from trueup.engine.clock import SystemClock
from trueup.engine.ledger import Ledger
from trueup.engine.scrub import FIRST_S, LOOK_S, PAUSE_S, ROUND_S, Scrub, known
from trueup.engine.store import Store
from trueup.journal.embedded import EmbeddedStorage
from trueup.journal.segment_file import BLOCK, segment_path
from trueup.journal.snapshots import newest_snapshot, write_snapshot
from trueup.model.errors import JournalDamaged, ViewsFailed
from trueup.model.identifiers import AccountId

OTHER = AccountId("paper:two")
LOG = Path("data/ledgers/paper%3Aone")
FILLS = 30


def opened(path: Path) -> Store:
    return Store.open(EmbeddedStorage.open(path / "data", segment_bytes=6_000), SystemClock())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = opened(tmp_path)
    store.ledger(OTHER).book_facts([msgspec.structs.replace(DEFINED, account=OTHER)])
    store.ledger(ACCOUNT).book_facts([DEFINED])
    for number in range(FILLS):
        store.ledger(ACCOUNT).book_facts([fill(number)])
    store.synced(ACCOUNT)
    store.synced(OTHER)
    yield store
    store.close()


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return store.ledger(ACCOUNT)


@pytest.fixture
def scrub(store: Store) -> Scrub:
    return Scrub(store, store.clock.monotonic)


def problems(scrub: Scrub) -> list[str]:
    return [f"{one.layer} {one.account}" for one in scrub.report() if one.problem]


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))


def lose_copies(store: Store) -> None:
    """Nothing is left in the views of one ledger."""
    store.views.forget(ACCOUNT)


def test_all_layers_of_a_sound_store_are_proven_with_the_time(store: Store, scrub: Scrub) -> None:
    before = store.clock.now()
    scrub.whole_round()
    found = {(one.layer, one.account): one for one in scrub.report()}
    assert set(found) == {(layer, who) for layer in ("log", "book", "copy", "rows") for who in (ACCOUNT, OTHER)} | {
        ("pages", "")
    }
    for one in found.values():
        assert one.proven_at == one.looked_at >= before
        assert not one.problem
    assert found["log", ACCOUNT].seq == store.ledger(ACCOUNT).head.seq
    assert not scrub.findings


def test_it_works_in_slices_and_rests_between_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrub_module, "EVENTS_A_SLICE", 1)
    seconds = iter(range(100_000))
    scrub = Scrub(store, lambda: next(seconds) * scrub_module.SLICE_S / 2)  # time for one slice a step
    assert scrub.step() == FIRST_S
    steps = 1
    while (wait := scrub.step()) != LOOK_S:
        assert wait == PAUSE_S
        steps += 1
    assert steps > FILLS
    assert len(scrub.report()) == 9


def test_views_that_fail_while_it_rests_do_not_wait_for_its_next_round(store: Store, ledger: Ledger) -> None:
    seconds = [0.0]
    scrub = Scrub(store, lambda: seconds[0])
    assert [scrub.step(), scrub.step()] == [FIRST_S, LOOK_S]  # time stands still, so a round is one slice
    before = scrub.report()
    store.fail_views(ViewsFailed("A sync failed."))
    seconds[0] += LOOK_S
    assert scrub.step() == LOOK_S
    assert store.views_failed is None
    assert store.synced(ACCOUNT) == ledger.head.seq
    assert scrub.report() == before
    seconds[0] += ROUND_S
    assert scrub.step() == LOOK_S
    assert scrub.report() != before


@pytest.mark.parametrize("harm", ["flip", "cut", "delete", "tail deleted", "replaced"])
def test_a_log_that_rots_under_the_writer_is_healed_while_who_holds_it_goes_on(
    store: Store, ledger: Ledger, scrub: Scrub, tmp_path: Path, harm: str
) -> None:
    numbers = sorted((tmp_path / LOG).glob("*.seg"))
    path = numbers[-1] if harm in {"tail deleted", "replaced"} else numbers[1]
    match harm:
        case "flip":
            flip(path, BLOCK + 200)
        case "cut":
            with path.open("r+b") as file:
                file.truncate(BLOCK)
        case "replaced":
            shutil.copy(path, path.with_name("copy"))
            path.with_name("copy").rename(path)
        case _:
            path.unlink()
    scrub.whole_round()
    assert ledger.failed is None
    assert any("Healed" in finding for finding in scrub.findings)
    assert problems(scrub) == []
    assert ledger is store.ledger(ACCOUNT)
    assert ledger.book_facts([fill(FILLS), fill(0)]).booked == 1
    assert sum(1 for _ in ledger.events()) == FILLS + 2
    found = len(scrub.findings)
    scrub.whole_round()
    assert len(scrub.findings) == found


def test_what_no_copy_heals_stays_fenced_and_others_go_on(
    store: Store, ledger: Ledger, scrub: Scrub, tmp_path: Path
) -> None:
    lose_copies(store)
    path = segment_path(tmp_path / LOG, 2)
    whole = path.read_bytes()
    flip(path, BLOCK + 200)
    harmed = path.read_bytes()
    for _ in range(2):
        scrub.whole_round()
        assert problems(scrub) == [f"log {ACCOUNT}"]
        for refused in (lambda: ledger.book_facts([fill(FILLS)]), lambda: ledger.read(lambda book: book.seq)):
            with pytest.raises(JournalDamaged, match=path.name):
                refused()
        assert list(store.fenced()) == [ACCOUNT]
        assert path.read_bytes() == harmed
        store.ledger(OTHER).commit(lambda _: [])
        assert store.ledger(OTHER).failed is None
    path.write_bytes(whole)  # somebody brings the file back
    assert store.reopen(ACCOUNT) is ledger
    assert store.fenced() == {}
    assert ledger.book_facts([fill(FILLS)]).booked == 1
    assert store.synced(ACCOUNT) == FILLS + 2


@pytest.mark.parametrize("reader", ["events", "an old fact offered again"])
def test_any_reading_that_meets_damage_fences(store: Store, ledger: Ledger, tmp_path: Path, reader: str) -> None:
    flip(segment_path(tmp_path / LOG, 2), BLOCK + 200)
    lost = list(map(fill, range(FILLS)))
    with pytest.raises(JournalDamaged):
        list(ledger.events()) if reader == "events" else ledger.book_facts(lost)
    with pytest.raises(JournalDamaged):
        ledger.book_facts([fill(FILLS)])
    store.reopen(ACCOUNT)
    assert ledger.book_facts([*lost, fill(FILLS)]).booked == 1


def test_damage_met_while_a_late_fact_is_folded_fences_and_reopening_folds_anew(
    store: Store, ledger: Ledger, tmp_path: Path
) -> None:
    for number in range(FILLS, 300):  # beyond what a track keeps in memory
        ledger.book_facts([fill(number)])
    store.synced(ACCOUNT)
    flip(segment_path(tmp_path / LOG, 2), BLOCK + 200)
    late = fill(1000, at=-1)
    with pytest.raises(JournalDamaged):
        ledger.book_facts([late])
    with pytest.raises(JournalDamaged):
        ledger.book_facts([fill(1001)])
    store.reopen(ACCOUNT)
    assert ledger.book_facts([late]).booked == 1
    assert ledger.read(lambda book: book.seq) == 302


def test_what_was_acknowledged_and_is_not_in_the_views_yet_is_a_copy_too(
    store: Store, ledger: Ledger, scrub: Scrub, tmp_path: Path
) -> None:
    with store._feeder._feeding:  # type: ignore[union-attr]  # the views come to nothing more for the moment
        ledger.book_facts([fill(FILLS)])
        path = max((tmp_path / LOG).glob("*.seg"))
        data = path.read_bytes()
        end = len(data.rstrip(b"\0"))
        flip(path, end - 5)
        damage = JournalDamaged("The newest frame is not what was written.")
        ledger.fence(damage)
    store.reopen(ACCOUNT)
    assert path.read_bytes()[:end] == data[:end]
    assert ledger.head.seq == FILLS + 2
    scrub.whole_round()
    assert problems(scrub) == []


# --- views ------------------------------------------------------------------------------------------------------------


def harm_rows(store: Store, sql: str) -> None:
    writer = store.views._writer  # type: ignore[attr-defined]
    writer.execute(sql)


@pytest.mark.parametrize(
    ("sql", "layer"),
    [
        ("UPDATE book_positions SET quantity = '7'", "rows"),
        ("UPDATE balances SET fees = '7'", "rows"),
        ("DELETE FROM frames WHERE first = 9", "copy"),
        ("UPDATE frames SET body = x'90' WHERE first = 9", "copy"),
        ("UPDATE fact_keys SET seq = 1000 WHERE seq = 9", "pages"),
        ("UPDATE book_cycles SET seq = 1000", "pages"),
    ],
)
def test_views_that_say_something_else_are_made_anew_while_the_ledger_books(
    store: Store, ledger: Ledger, scrub: Scrub, tmp_path: Path, sql: str, layer: str
) -> None:
    ledger.book_facts([fill(FILLS + number, side="sell") for number in range(FILLS)])
    store.synced(ACCOUNT)
    harm_rows(store, sql)
    scrub.whole_round()
    assert any("made anew" in finding for finding in scrub.findings)
    assert store.views_failed is None
    assert ledger.book_facts([fill(100)]).booked == 1
    assert store.synced(ACCOUNT) == ledger.head.seq
    assert store.views.positions(ACCOUNT)[1] == list(ledger.book.positions().values())
    assert len(store.views.cycles(ACCOUNT, DEFINED.instrument.symbol)) == 1
    found = len(scrub.findings)
    scrub.whole_round()
    assert len(scrub.findings) == found
    assert problems(scrub) == []
    assert (tmp_path / "data" / "views.sqlite3.damaged").exists()


def test_a_page_that_rots_on_the_disk_is_found_and_the_views_made_anew(
    store: Store, scrub: Scrub, tmp_path: Path
) -> None:
    database = tmp_path / "data" / "views.sqlite3"
    writer = store.views._writer  # type: ignore[attr-defined]
    writer.wal_checkpoint("main", 3)
    page = writer.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'fact_keys'").get
    flip(database, (page - 1) * 4096 + 4000)
    scrub.whole_round()
    assert any("checksum" in finding for finding in scrub.findings)
    assert store.views_failed is None
    assert len(store.views.find(ACCOUNT, [f"fill|{n}" for n in range(3)])) >= 0
    scrub.whole_round()
    assert problems(scrub) == []


def test_views_that_failed_come_back_without_a_restart(store: Store, ledger: Ledger, scrub: Scrub) -> None:
    store.fail_views(ViewsFailed("The disk was full for a while."))
    for number in range(FILLS, 2 * FILLS):
        ledger.book_facts([fill(number, side="sell")])
    assert ledger.book.touched == set()
    assert all(not track.state.closed for track in ledger.book.tracks.values())  # nothing piles up meanwhile
    assert ledger.book_facts([fill(0)]).already == 1  # read from the log
    with pytest.raises(ViewsFailed):
        store.synced(ACCOUNT)
    scrub.whole_round()
    assert store.synced(ACCOUNT) == 2 * FILLS + 1
    assert ledger.keys._logged is None
    assert ledger.book_facts([fill(0), fill(FILLS, side="sell")]).already == 2
    assert len(store.views.cycles(ACCOUNT, DEFINED.instrument.symbol)) == 1
    assert problems(scrub) == []


def test_views_that_cannot_be_made_anew_leave_the_booking_alone_and_are_tried_again(
    store: Store, ledger: Ledger, scrub: Scrub, tmp_path: Path
) -> None:
    store.fail_views(ViewsFailed("Damaged."))
    (tmp_path / "data" / "views.sqlite3.rebuild").mkdir()
    with pytest.raises(ViewsFailed):
        scrub.whole_round()
    assert ledger.book_facts([fill(FILLS)]).booked == 1
    (tmp_path / "data" / "views.sqlite3.rebuild").rmdir()
    scrub.whole_round()
    assert store.synced(ACCOUNT) == FILLS + 2


# --- the book and its snapshots ---------------------------------------------------------------------------------------


def test_a_book_that_is_not_what_its_log_folds_to_is_folded_again(store: Store, ledger: Ledger, scrub: Scrub) -> None:
    true = state_hash(ledger.book)
    ledger.book.wallets["USDC"].fees += 1
    scrub.whole_round()
    assert any("not what the log folds to" in finding for finding in scrub.findings)
    assert state_hash(ledger.book) == true
    scrub.whole_round()
    assert problems(scrub) == []


def test_a_snapshot_that_lies_with_a_fitting_hash_is_found_and_deleted(store: Store, tmp_path: Path) -> None:
    store.close()
    kept, _ = newest_snapshot(tmp_path / LOG, ACCOUNT)
    assert kept is not None
    again = opened(tmp_path)
    try:
        ledger = again.ledger(ACCOUNT)
        ledger.book_facts([fill(FILLS)])
        true = state_hash(ledger.book)
        other = again.milestone(OTHER, again.milestones(OTHER)[-1])
        assert other is not None
        write_snapshot(tmp_path / LOG, msgspec.structs.replace(kept, state=other.state, state_hash=other.state_hash))
        scrub = Scrub(again, again.clock.monotonic)
        for _ in range(3):
            scrub.whole_round()
        assert any("deleted" in finding for finding in scrub.findings)
        assert kept.mark.seq not in again.milestones(ACCOUNT)
        assert state_hash(ledger.book) == true
        assert problems(scrub) == []
    finally:
        again.close()


def test_a_saved_head_that_rots_is_written_again(store: Store, ledger: Ledger, scrub: Scrub, tmp_path: Path) -> None:
    ledger.journal.save_head()
    head = tmp_path / "data" / "heads" / "paper%3Aone"
    true = head.read_bytes()
    for harm in (b"", true[:-1], None):
        if harm is None:
            head.unlink()
        else:
            head.write_bytes(harm)
        scrub.whole_round()
        assert head.read_bytes() == true
        assert "written again" in scrub.findings[-1]


def test_a_large_book_is_proven_position_by_position(
    store: Store, ledger: Ledger, scrub: Scrub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrub_module, "HASHED_MAX", 0)
    monkeypatch.setattr(scrub_module, "POSITIONS_A_SLICE", 1)
    scrub.whole_round()
    assert not scrub.findings
    true = state_hash(ledger.book)
    ledger.book.tracks[DEFINED.instrument.symbol, "net"].state.quantity += 1
    scrub.whole_round()
    assert "not what the log folds to" in scrub.findings[0]
    assert state_hash(ledger.book) == true


@pytest.mark.parametrize("hashed_max", [0, 500])
def test_a_busy_ledger_raises_no_false_alarm(
    store: Store, ledger: Ledger, scrub: Scrub, monkeypatch: pytest.MonkeyPatch, hashed_max: int
) -> None:
    monkeypatch.setattr(scrub_module, "HASHED_MAX", hashed_max)
    done, numbers = Event(), count(1_000)

    def book() -> None:
        while not done.is_set():
            number = next(numbers)
            ledger.book_facts([fill(number, side="sell" if number % 3 else "buy", at=number % 50)])

    with ThreadPoolExecutor(1) as pool:
        booking = pool.submit(book)
        for _ in range(5):
            scrub.whole_round()
        done.set()
        booking.result()
    assert next(numbers) > 1_010
    assert not scrub.findings
    assert problems(scrub) == []


def test_the_report_of_a_round_is_kept_for_whoever_asks(store: Store, tmp_path: Path) -> None:
    storage = store._storage
    assert isinstance(storage, EmbeddedStorage)
    assert last_proven(tmp_path / "data") == []
    scrub = Scrub(store, store.clock.monotonic, storage.keep_proofs)
    scrub.whole_round()
    assert last_proven(tmp_path / "data") == scrub.report()
    (tmp_path / "data" / "proven").write_bytes(b"no report")
    assert last_proven(tmp_path / "data") == []
    assert known(b"[1]") == []
