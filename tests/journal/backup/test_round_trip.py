"""What was backed up comes back: every frame byte for byte, every hash, every state; whatever was booked meanwhile."""

from pathlib import Path

import pytest

from tests.engine.world import ACCOUNT
from tests.journal.backup.backups import backed_up, book, booked, destination_at, frames_of, head_and_state, restored
from trueup.bootstrap import open_store


def test_a_restored_directory_has_the_same_frames_head_and_state(tmp_path: Path) -> None:
    store, destination = booked(tmp_path, 3, 1, 5), destination_at(tmp_path)
    made = backed_up(store, destination)
    frames, before = frames_of(store), head_and_state(store)
    store.close()
    (ledger,) = restored(destination, tmp_path / "again")
    assert (ledger.head_seq, ledger.head_hash, bytes.fromhex(ledger.state_hash)) == (
        before[0].seq,
        before[0].hash.hex(),
        before[1],
    )
    assert ledger.compared_at == ledger.head_seq
    assert (made.new_events, made.findings) == (10, [])
    again = open_store(tmp_path / "again")
    assert again.findings == []
    assert frames_of(again) == frames
    assert head_and_state(again) == before
    book(again, 2)
    assert again.ledger(ACCOUNT).head.seq == 12
    again.close()
