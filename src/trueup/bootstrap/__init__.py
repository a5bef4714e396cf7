"""The wiring: only this room names concrete adapters. Here stores and backups, in ``venues`` what speaks to venues."""

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, overload

from trueup.engine import copying, rebuilding
from trueup.engine.backing_up import Made
from trueup.engine.backup_chores import BackupChore, RestoreTestChore, Schedule
from trueup.engine.clock import SystemClock
from trueup.engine.rebuilding import Note, Progress
from trueup.engine.recovering import Backup
from trueup.engine.restore_test import ChildTest
from trueup.engine.scrub import Proven, Scrub, known
from trueup.engine.store import Store
from trueup.engine.upgrading import back_up_frames
from trueup.journal.backup.chunks import chain
from trueup.journal.backup.local import LocalDestination, refuse_within
from trueup.journal.backup.manifests import newest_readable
from trueup.journal.backup.new_directory import NewDirectory
from trueup.journal.backup.old_directory import OldDirectory
from trueup.journal.backup.salvage import holding
from trueup.journal.directory import DataDirectory
from trueup.journal.embedded import EmbeddedStorage
from trueup.journal.postgres.address import Address, Place
from trueup.journal.proofs import read_proofs
from trueup.journal.recovery import Copies
from trueup.model.errors import DirectoryLocked, NotFound, StorageError
from trueup.model.identifiers import AccountId, Seq

if TYPE_CHECKING:
    from trueup.journal.postgres.storage import PostgresStorage


def open_store(where: Place, progress: Progress | None = None, *, create: bool = True) -> Store:
    """The store in a data directory, owned by this process until it is closed, or in a database.

    Raises:
        DirectoryLocked: Another process owns the directory; the message says who.
        StorageError: It is not a place that this version can use.
        NotFound: There is no store in the database, and none is to be made.
    """
    storage = open_storage(where, create=create)
    try:
        store = Store.open(storage, SystemClock(), *(() if progress is None else (progress,)))
    except BaseException:
        storage.close()
        raise
    keep = storage.keep_proofs if isinstance(storage, EmbeddedStorage) else None
    store.chores([Scrub(store, store.clock.monotonic, keep)])
    return store


@overload
def open_storage(where: Path, *, create: bool = False) -> EmbeddedStorage: ...
@overload
def open_storage(where: Address, *, create: bool = False) -> "PostgresStorage": ...
def open_storage(where: Place, *, create: bool = False) -> "EmbeddedStorage | PostgresStorage":
    """The files of a data directory, owned until they are closed, or a database; no ledger in it is opened or healed.

    Raises: as :func:`open_store`, but for damage.
    """
    if isinstance(where, Path):
        return EmbeddedStorage.open(where, create=create)
    from trueup.journal.postgres.storage import PostgresStorage

    return PostgresStorage.open(where, SystemClock(), Random(), create=create)  # noqa: S311 - spreads attempts in time


def open_outdated(address: Address) -> "PostgresStorage":
    """A database whatever its schema, to look at it and to upgrade it. Raises as :func:`open_store`, but for that."""
    from trueup.journal.postgres.storage import PostgresStorage

    return PostgresStorage.open(address, SystemClock(), Random(), outdated=True)  # noqa: S311 - as above


def back_up_outdated(storage: "PostgresStorage", to: Path, progress: Callable[[Seq, Seq], None]) -> Made:
    """Back up a database that waits for an upgrade. Raises :class:`BackupFailed`."""
    return back_up_frames(storage, SystemClock(), open_destination(to, create=True), progress)


def last_proven(path: Path) -> Sequence[Proven]:
    """What a store running on a data directory last proved of itself; this process need not own it."""
    content = read_proofs(path)
    return known(content) if content is not None else []


def rebuild_views(where: Place, progress: Progress, note: Note) -> None:
    """Make the views of a store anew from its logs. Raises as :func:`open_storage` and the rebuilding do."""
    storage = open_storage(where)
    try:
        rebuilding.rebuild_views(storage, progress, note).close()
    finally:
        storage.close()


def copy_store(source: Place, target: Place, progress: copying.Progress) -> Sequence[copying.Copied]:
    """Bring a store to where another one stands, and prove it. Raises as :func:`open_store` and the copying do."""
    with closing(open_store(source, create=False)) as store:
        return copying.copy(store, open_storage(target, create=True), SystemClock(), progress)


def compare_stores(source: Place, target: Place) -> Sequence[copying.Copied]:
    """Where each ledger stands in two stores. Raises as :func:`open_store` does."""
    with closing(open_store(source, create=False)) as ours, closing(open_store(target, create=False)) as theirs:
        return copying.compare(ours, theirs)


def open_destination(path: Path, *, create: bool = False, apart_from: Path | None = None) -> LocalDestination:
    """A directory that holds backups. Raises as :meth:`LocalDestination.open` does."""
    return LocalDestination.open(path, create=create, apart_from=apart_from)


def keep_backups(
    store: Store, to: Path, *, apart_from: Path | None, tests: bool, schedule: Schedule | None = None
) -> BackupChore:
    """Have a store back itself up until it is closed.

    Args:
        store: Which.
        to: The backup directory. One that is not there, or refuses, never stops the booking.
        apart_from: The data directory of the store, if it has one.
        tests: Whether to prove the newest backup now and then, in a process of its own.
        schedule: How often.

    Raises:
        BadInput: The backup directory and the data directory lie within one another.
    """
    if apart_from is not None:
        refuse_within(to, apart_from)
    plan = schedule or Schedule()
    open_it = partial(open_destination, to, create=True, apart_from=apart_from)
    backups = BackupChore(store, open_it, plan)
    store.chores(
        [backups, *([RestoreTestChore(open_it, partial(_begin_test, to), store.clock, plan)] if tests else [])]
    )
    return backups


def _begin_test(path: Path, name: str) -> ChildTest:
    return ChildTest([sys.executable, "-m", "trueup", "backup", "verify", name, "--from", str(path), "--json"])


def open_for_recovery(path: Path) -> tuple[EmbeddedStorage, list[str]]:
    """The files of a data directory that may not even say any more that it is one; and what was mended to open it.

    Raises:
        DirectoryLocked: Another process owns it.
        StorageError: It is not a data directory that this version can use.
    """
    try:
        return open_storage(path), []
    except DirectoryLocked:
        raise
    except StorageError:
        mended = DataDirectory.mend(path)
        if not mended:
            raise
        return open_storage(path), [mended]


def open_backup(path: Path) -> tuple[Backup, Sequence[str]]:
    """All that a backup directory holds, as second copies of logs; and what is wrong with it, in sentences.

    Raises:
        NotFound: It is not there, or holds no backup that can be read.
        StorageError: It refused.
    """
    destination = open_destination(path)
    manifest, problems = newest_readable(destination)
    held = holding(destination, manifest)
    if not held.ledgers:
        raise NotFound(f"{path} holds no backup that can be read.", remedy="; ".join(problems) or "Name another.")
    chunks = {ledger.account: ledger.chunks for ledger in held.ledgers}

    def frames(account: AccountId) -> Copies:
        return lambda after: chain(destination, account, chunks.get(account, ()), after)

    heads = {ledger.account: ledger.head for ledger in held.ledgers if ledger.head_seq}
    return Backup(heads, frames), [*problems, *held.findings]


def new_directory(path: Path, *apart_from: Path | None) -> NewDirectory:
    """A data directory to restore into. Arguments and errors as of :meth:`NewDirectory.begin`."""
    return NewDirectory.begin(path, apart_from=[other for other in apart_from if other is not None])


def old_directory(path: Path) -> OldDirectory:
    """A data directory that is to be replaced. Raises as :class:`OldDirectory` does."""
    return OldDirectory(path)
