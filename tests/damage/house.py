"""What the damage is done to: a data directory with two ledgers, as it is when closed and as a crash leaves it.

Disks here sync in memory alone, and no thread runs: a trial is exact, and over in a few hundredths of a second.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Literal

import msgspec

from tests.engine.world import ACCOUNT, DEFINED, SECOND, START, fill
from trueup.book.snapshot import state_hash
from trueup.bootstrap import open_backup
from trueup.engine.backing_up import back_up
from trueup.engine.recovering import Backup
from trueup.engine.store import Store
from trueup.journal.backup.local import LocalDestination
from trueup.journal.disk import Disk
from trueup.journal.embedded import EmbeddedStorage
from trueup.model.events import FillBooked, InstrumentDefined
from trueup.model.identifiers import AccountId
from trueup.ports import Head

OTHER = AccountId("paper:two")
ACCOUNTS = (ACCOUNT, OTHER)
SEGMENT = 5_600
"""Room for a few commits: every ledger has several segments, and the last of them room for more."""

EVENTS = 14
"""Commits between two copies of the directory."""

LARGE, MANY = 3, 50
"""A commit of many facts: larger than a segment, and than a page of the database."""

State = Literal["closed", "crashed", "older"]


class Truth(msgspec.Struct, frozen=True):
    """What was acknowledged of one ledger.

    Attributes:
        frames: Hashes in order.
        digest: Of the book.
    """

    head: Head
    frames: Sequence[bytes]
    digest: bytes


class Ticking:
    """A clock that is the same in every run."""

    def __init__(self, second: int) -> None:
        self._ticks = count(START + second * SECOND, SECOND)

    def now(self) -> int:
        """A second after the last time."""
        return next(self._ticks)

    def monotonic(self) -> float:
        """The same."""
        return next(self._ticks) / SECOND


class MemoryDisk(Disk):
    """The system's files, without waiting for a medium."""

    def sync(self, file: int) -> None:
        """Nothing to wait for."""

    def sync_directory(self, path: Path) -> None:
        """Nothing to wait for."""


class House:
    """The directories, and what is true in each.

    Attributes:
        closed: After an orderly close.
        crashed: As a killed process leaves it: later, with a write-ahead log and a spare segment.
        older: A copy from before both.
        backup_path: A directory with a backup of ``older`` and one of ``closed``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.truth: dict[State, Mapping[AccountId, Truth]] = {}
        self.backup_path = root / "backup"
        with _booking(root / "live", range(EVENTS)) as store:
            self.truth["older"] = _truths(store)
            self._back_up(store)
        shutil.copytree(root / "live", self.path("older"))
        with _booking(root / "live", range(EVENTS, 2 * EVENTS)) as store:
            self.truth["closed"] = _truths(store)
            self._back_up(store)
        shutil.copytree(root / "live", self.path("closed"))
        with _booking(root / "live", range(2 * EVENTS, 3 * EVENTS)) as store:
            self.truth["crashed"] = _truths(store)
            shutil.copytree(root / "live", self.path("crashed"))

    def _back_up(self, store: Store) -> None:
        for _ in back_up(store, LocalDestination.open(self.backup_path, create=True), quiet=True):
            """One chunk after the other."""

    def path(self, state: State) -> Path:
        """Where a state of the directory is kept; never changed."""
        return self.root / state

    def copy(self, state: State, to: Path) -> Path:
        """A copy to be damaged."""
        shutil.copytree(self.path(state), to)
        return to

    def backup(self, harm: Callable[[Path], object] | None = None, scratch: Path | None = None) -> Backup:
        """All that was backed up; of a copy that came to harm, all that is left of it."""
        if harm is None or scratch is None:
            return open_backup(self.backup_path)[0]
        shutil.copytree(self.backup_path, scratch)
        harm(scratch)
        return open_backup(scratch)[0]


def storage_at(path: Path, disk: Disk | None = None, *, create: bool = False) -> EmbeddedStorage:
    """The files of a directory."""
    return EmbeddedStorage.open(path, create=create, disk=disk or MemoryDisk(), segment_bytes=SEGMENT, background=False)


def store_at(path: Path, disk: Disk | None = None, *, create: bool = False, seconds: int = 100_000) -> Store:
    """The store of a directory, without threads, opened so many seconds after the start of time."""
    storage = storage_at(path, disk, create=create)
    try:
        return Store.open(storage, Ticking(seconds), background=False)
    except BaseException:
        storage.close()
        raise


def facts(account: AccountId, number: int) -> list[InstrumentDefined | FillBooked]:
    """The facts of one commit: round trips, so that there are closed ones too."""
    ids = [number] if number != LARGE else range(LARGE * 1_000, LARGE * 1_000 + MANY)
    booked: list[InstrumentDefined | FillBooked] = [DEFINED] if number == 0 else []
    booked += [fill(one, side="sell" if one % 4 >= 2 else "buy", at=number) for one in ids]
    return [msgspec.structs.replace(one, account=account) for one in booked]


@contextmanager
def _booking(path: Path, numbers: range) -> Iterator[Store]:
    store = store_at(path, create=True, seconds=1_000 * numbers.start)
    try:
        for account in ACCOUNTS:
            for number in numbers:
                store.ledger(account).book_facts(facts(account, number))
                if number % 5 == 0:
                    store.step()
            store.synced(account)
            store.ledger(account).journal.save_head()
        yield store
    finally:
        store.close()


def _truths(store: Store) -> dict[AccountId, Truth]:
    found = {}
    for account in ACCOUNTS:
        ledger = store.ledger(account)
        hashes = [bytes(frame.hash) for frame in ledger.frames()]
        found[account] = Truth(ledger.head, hashes, state_hash(ledger.book))
    return found
