"""Snapshots that lie are not believed, and a log that is gone comes back from the views before anybody drops them."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from tests.engine.world import ACCOUNT, DEFINED, fill, store_at
from trueup.book.book import Book
from trueup.book.snapshot import restore, snapshot, state_hash
from trueup.bootstrap import open_storage, rebuild_views
from trueup.engine.recovering import NO_BACKUP, recover
from trueup.engine.verifying import LedgerProof, stored_accounts, verify_storage
from trueup.journal import sqlite
from trueup.journal.segment_file import segment_path
from trueup.journal.snapshots import Snapshot, newest_snapshot, write_snapshot
from trueup.model.errors import JournalDamaged
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Hash

OTHER = AccountId("paper:two")
LOG = Path("data/ledgers/paper%3Aone")
FILLS = 20


def filled(path: Path) -> bytes:
    store = store_at(path)
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED])
    for number in range(FILLS):
        ledger.book_facts([fill(number)])
    store.ledger(OTHER).book_facts([msgspec.structs.replace(DEFINED, account=OTHER)])
    store.close()
    return state_hash(ledger.book)


def forged(path: Path, *, honest_hash: bool = False, changed: Mapping[str, object] | None = None) -> Snapshot:
    """Put a snapshot in the place of the newest one: of one more fill than there was, or as told."""
    kept, _ = newest_snapshot(path / LOG, ACCOUNT)
    assert kept is not None
    if changed is None:
        book = restore(kept.state)
        book.evolve([fill(1000)], Seq(kept.mark.seq + 1))
        book.seq = kept.mark.seq
        changed = {"state": snapshot(book)} | ({} if honest_hash else {"state_hash": state_hash(book)})
    lie = msgspec.structs.replace(kept, **changed)
    write_snapshot(path / LOG, lie)
    return lie


def proof_of(path: Path, account: AccountId = ACCOUNT) -> LedgerProof:
    storage = open_storage(path / "data")
    try:
        proof = verify_storage(storage, stored_accounts(storage), lambda *_: None)
    finally:
        storage.close()
    assert proof.ok == all(ledger.ok for ledger in proof.ledgers)
    (found,) = [ledger for ledger in proof.ledgers if ledger.account == account]
    return found


def repaired(path: Path) -> Sequence[str]:
    storage = open_storage(path / "data")
    try:
        return recover(storage, NO_BACKUP, lambda *_: None).done
    finally:
        storage.close()


# --- snapshots --------------------------------------------------------------------------------------------------------


def other_account(path: Path) -> Snapshot:
    book = Book(OTHER)
    book.seq = Seq(FILLS + 1)
    return forged(path, changed={"state": snapshot(book), "state_hash": state_hash(book)})


LIES = {
    "another state": lambda path: forged(path, honest_hash=True),
    "no state": lambda path: forged(path, changed={"state": b"\xc0"}),
    "another account": other_account,
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_snapshot_that_does_not_prove_itself_is_passed_over_and_the_log_folded(tmp_path: Path, lie: object) -> None:
    digest = filled(tmp_path)
    assert callable(lie)
    lie(tmp_path)
    store = store_at(tmp_path)
    assert state_hash(store.ledger(ACCOUNT).book) == digest
    (finding,) = store.findings
    assert "snapshot" in finding
    assert "passed over" in finding
    store.synced(ACCOUNT)
    assert store.views.positions(ACCOUNT)[1] == list(store.ledger(ACCOUNT).book.positions().values())
    store.close()
    again = store_at(tmp_path)
    assert state_hash(again.ledger(ACCOUNT).book) == digest
    assert again.findings == []  # the lie has given way to the truth
    again.close()


def test_a_log_folded_for_want_of_a_snapshot_is_healed_first(tmp_path: Path) -> None:
    digest = filled(tmp_path)
    forged(tmp_path, honest_hash=True)
    segment = segment_path(tmp_path / LOG, 1)
    data = bytearray(segment.read_bytes())
    data[data.find(b"fill/1")] ^= 0xFF
    segment.write_bytes(data)
    store = store_at(tmp_path)
    assert state_hash(store.ledger(ACCOUNT).book) == digest
    assert any("written back from the second copy" in finding for finding in store.findings)
    store.close()


def test_a_snapshot_that_lies_with_a_fitting_hash_is_found_by_refolding_and_deleted_on_demand(tmp_path: Path) -> None:
    filled(tmp_path)
    assert proof_of(tmp_path).ok
    forged(tmp_path)
    assert "not what the log folds to" in proof_of(tmp_path).snapshot
    assert not proof_of(tmp_path).ok  # nothing was changed
    (done,) = repaired(tmp_path)
    assert "deleted" in done
    assert proof_of(tmp_path).ok
    assert repaired(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [({"state": b"\xc0"}, "snapshot"), ({"mark": "hash"}, "another frame"), ({"state_hash": b"?"}, "folds to")],
    ids=["state", "mark", "hash"],
)
def test_every_part_of_a_snapshot_is_proved(tmp_path: Path, change: dict[str, object], said: str) -> None:
    filled(tmp_path)
    if "mark" in change:
        kept, _ = newest_snapshot(tmp_path / LOG, ACCOUNT)
        assert kept is not None
        change = {"mark": msgspec.structs.replace(kept.mark, hash=Hash(bytes(32)))}
    forged(tmp_path, changed=change)
    assert said in proof_of(tmp_path).snapshot


def test_a_snapshot_is_proved_when_the_views_cannot_be_read(tmp_path: Path) -> None:
    filled(tmp_path)
    forged(tmp_path)
    (tmp_path / "data" / "views.sqlite3").write_bytes(b"no database" * 1000)
    storage = open_storage(tmp_path / "data")
    proof = verify_storage(storage, stored_accounts(storage), lambda *_: None)
    storage.close()
    assert proof.views
    assert "folds to" in proof.ledgers[0].snapshot


# --- a log that is gone -----------------------------------------------------------------------------------------------


def test_a_deleted_ledger_is_found_said_and_healed_by_repairing(tmp_path: Path) -> None:
    filled(tmp_path)
    shutil.rmtree(tmp_path / LOG)
    (said,) = proof_of(tmp_path).log
    assert f"seq {FILLS + 1}" in said
    assert not (tmp_path / LOG).exists()
    assert any("written back" in done for done in repaired(tmp_path))
    assert proof_of(tmp_path).ok


def test_a_deleted_ledger_is_among_the_accounts_and_opening_heals_it(tmp_path: Path) -> None:
    digest = filled(tmp_path)
    shutil.rmtree(tmp_path / LOG)
    store = store_at(tmp_path)
    assert store.accounts() == [ACCOUNT, OTHER]
    assert state_hash(store.ledger(ACCOUNT).book) == digest
    assert any("written back" in finding for finding in store.findings)
    store.close()
    assert proof_of(tmp_path).ok


def test_views_made_anew_heal_a_deleted_ledger_before_they_drop_its_last_copy(tmp_path: Path) -> None:
    digest = filled(tmp_path)
    shutil.rmtree(tmp_path / LOG)
    told: list[str] = []
    rebuild_views(tmp_path / "data", lambda *_: None, told.append)
    assert any("written back" in sentence for sentence in told)
    assert proof_of(tmp_path).ok
    store = store_at(tmp_path)
    assert state_hash(store.ledger(ACCOUNT).book) == digest
    assert store.views.positions(ACCOUNT)[0] == FILLS + 1
    store.close()


def test_a_last_copy_that_cannot_be_read_is_kept_and_the_rebuilding_refused(tmp_path: Path) -> None:
    filled(tmp_path)
    for lost in (tmp_path / LOG, tmp_path / "data" / "heads"):
        shutil.rmtree(lost)
    views = tmp_path / "data" / "views.sqlite3"
    db = sqlite.open_writer(views)
    page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'frames'").get
    sqlite.keep_log(db, keep=False)
    db.close()
    data = bytearray(views.read_bytes())
    data[(page - 1) * 4096 + 3000] ^= 1
    views.write_bytes(data)
    for _ in range(2):
        with pytest.raises(JournalDamaged, match="is missing") as refusal:
            rebuild_views(tmp_path / "data", lambda *_: None, lambda _: None)
        assert "trueup recover" in refusal.value.remedy
        assert views.read_bytes() == data


def test_a_snapshot_ahead_of_its_log_speaks_for_what_was_lost(tmp_path: Path) -> None:
    filled(tmp_path)
    data = tmp_path / "data"
    for left in [*data.glob("views.sqlite3*"), *data.glob("heads/*"), *(tmp_path / LOG).glob("*.seg")]:
        left.unlink()
    (said,) = proof_of(tmp_path).log
    assert f"know it up to seq {FILLS + 1}" in said
    assert repaired(tmp_path) == []
    assert list((tmp_path / LOG).glob("*.snapshot"))
