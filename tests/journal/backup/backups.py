"""A store with fills, a destination beside it, and backups taken at once: what the tests of backups share."""

from pathlib import Path

import pytest

from tests.engine.world import ACCOUNT, DEFINED, fill, store_at
from trueup.book.snapshot import state_hash
from trueup.engine.backing_up import Made, back_up, finished
from trueup.engine.clock import SystemClock
from trueup.engine.points import NEWEST, Point
from trueup.engine.restoring import RestoredLedger, plan, restore
from trueup.engine.store import Store
from trueup.journal.backup import chunks, new_directory
from trueup.journal.backup.destination import Destination
from trueup.journal.backup.local import LocalDestination
from trueup.journal.backup.new_directory import NewDirectory
from trueup.journal.disk import Disk
from trueup.journal.embedded import EmbeddedStorage
from trueup.model.identifiers import AccountId
from trueup.ports import Clock, Frame, Head

SEALED = 2_000
"""Bytes of a sealed chunk in these tests: some eight frames of one fill."""


def small_pieces(patched: pytest.MonkeyPatch) -> None:
    """Let a few fills fill a chunk, and a restored log take little space."""
    patched.setattr(chunks, "SEALED_BYTES", SEALED)
    patched.setattr(new_directory, "SEGMENT_BYTES", 1 << 16)


def silent(_done: int, _total: int) -> None:
    """Nobody watches."""


def quick_store(path: Path, clock: Clock | None = None) -> Store:
    """A store with small segments and no threads, for tests that make many."""
    storage = EmbeddedStorage.open(path / "data", segment_bytes=1 << 16, background=False)
    return Store.open(storage, clock or SystemClock(), background=False)


def booked(path: Path, *commits: int) -> Store:
    """A store in which so many fills were booked, commit by commit."""
    store = store_at(path)
    book(store, *commits)
    return store


def book(store: Store, *commits: int) -> None:
    ledger = store.ledger(ACCOUNT)
    if not ledger.head.seq:
        ledger.book_facts([DEFINED])
    for count in commits:
        seq = ledger.head.seq
        ledger.book_facts([fill(number) for number in range(seq, seq + count)])


def destination_at(path: Path, disk: Disk | None = None) -> LocalDestination:
    return LocalDestination.open(path / "backup", create=True, disk=disk)


def backed_up(store: Store, destination: Destination) -> Made:
    return finished(back_up(store, destination, quiet=True))


def restored(
    destination: Destination, path: Path, point: Point = NEWEST, *, accept_loss: int = 0, disk: Disk | None = None
) -> list[RestoredLedger]:
    planned = plan(destination, point)
    target = NewDirectory.begin(path, disk)
    return list(restore(destination, planned, target, accept_loss=accept_loss, progress=silent))


def frames_of(store: Store, account: AccountId = ACCOUNT) -> list[Frame]:
    return list(store.ledger(account).journal.read())


def head_and_state(store: Store, account: AccountId = ACCOUNT) -> tuple[Head, bytes]:
    ledger = store.ledger(account)
    return ledger.head, state_hash(ledger.book)


def all_blobs(destination: LocalDestination) -> list[Path]:
    return [destination.path / blob.name for blob in destination.blobs()]
