"""Taking backups and letting old ones go. What lives only here: what of a store is new to a destination.

A backup holds durable frames only, up to a head read at one instant; it goes on while others book. The frames come from
the journal, each verified on the way, so that rot is found here and never copied as if it were good. What the newest
backup already holds is not copied again, once it is seen that this history continues it. A ledger that does not - it
is gone, damaged, shorter, or of another history - keeps the place it has in the newest backup, and that is said: a
backup never forgets because a store did.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Protocol

import msgspec

from trueup import __version__
from trueup.book.book import Book
from trueup.book.snapshot import FORMAT, state_hash
from trueup.engine.ledger import Ledger
from trueup.journal.backup import manifests, retention
from trueup.journal.backup.chunks import FOLDER, Chunk, pack, staying
from trueup.journal.backup.destination import Destination
from trueup.journal.backup.manifests import LedgerBackup, Manifest
from trueup.model.errors import BackupDamaged, BackupFailed, NotFound, StorageError
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Clock, Frame, Head

POSITIONS_AT_ONCE = 100
"""Positions whose state is hashed while callers wait for the ledger: some four milliseconds."""


class Source(Protocol):
    """What a backup asks of a store."""

    clock: Clock

    def accounts(self) -> Sequence[AccountId]:
        """Every ledger there is."""

    def ledger(self, account: AccountId) -> Ledger:
        """The ledger of an account, opened on first use."""


class Advance(msgspec.Struct, frozen=True):
    """How far a backup in progress has come with one ledger."""

    account: AccountId
    seq: Seq
    head: Seq


class Made(msgspec.Struct, frozen=True):
    """A backup that was taken.

    Attributes:
        name: Of its manifest; empty when the newest backup already had everything and no new one was made.
        new_events: Not in the backup before.
        new_chunks, new_bytes: Blobs that were put, and how large they are.
        findings: What could not be backed up or was found damaged, in sentences for a person.
    """

    name: str
    manifest: Manifest
    new_events: int
    new_chunks: int
    new_bytes: int
    findings: Sequence[str]


def back_up(
    store: Source, destination: Destination, accounts: Sequence[AccountId] | None = None, *, quiet: bool
) -> Generator[Advance, None, Made]:
    """Take a backup; each step of the generator packs at most one chunk.

    Args:
        store: Whose ledgers; those that are looked at are opened.
        destination: Where to.
        accounts: The ledgers to look at, the others keep the place they have; all of them when it is None.
        quiet: Nobody waits to book: the state of large books is hashed too, which takes 40 microseconds a position.

    Raises:
        BackupFailed: The destination refused; nothing that was there before is changed.
    """
    base, damage = manifests.newest_readable(destination)
    before = base or Manifest(0, __version__, ())
    run = _Run(store, destination, before, [*damage], quiet=quiet)
    ledgers: list[LedgerBackup] = []
    held = {ledger.account for ledger in before.ledgers}
    looked_at = {*store.accounts(), *held} if accounts is None else {*accounts}
    for account in sorted({*looked_at, *held}):
        ledger = (yield from run.ledger(account)) if account in looked_at else before.ledger(account)
        ledgers.append(ledger)
    if (
        base is not None
        and not damage
        and [ledger.head for ledger in ledgers] == [ledger.head for ledger in base.ledgers]
    ):
        return run.made("", base)
    newest = max((backup.created_at for backup in manifests.listed(destination)), default=0)
    manifest = Manifest(max(store.clock.now(), newest + 1), __version__, ledgers)
    manifests.write_manifest(destination, manifest)
    return run.made(manifest.name, manifest)


def finished(steps: Generator[Advance, None, Made], progress: Callable[[Advance], object] | None = None) -> Made:
    """Take all steps of a backup; raises as :func:`back_up` does."""
    while True:
        try:
            at = next(steps)
        except StopIteration as end:
            made: Made = end.value
            return made
        if progress is not None:
            progress(at)


class _Run:
    """One backup in progress: what it has put, and what it found."""

    def __init__(
        self, store: Source, destination: Destination, before: Manifest, findings: list[str], *, quiet: bool
    ) -> None:
        self._store = store
        self._destination = destination
        self._before = before
        self._findings = findings
        self._quiet = quiet
        self._chunks = self._bytes = 0

    def made(self, name: str, manifest: Manifest) -> Made:
        new_events = manifest.events - self._before.events
        return Made(name, manifest, new_events, self._chunks, self._bytes, self._findings)

    def ledger(self, account: AccountId) -> Generator[Advance, None, LedgerBackup]:
        """Copy what is new of one ledger."""
        before = self._before.ledger(account)
        if account not in self._store.accounts():
            self._passed_over(account, f"it is not in this store; the backup has it up to seq {before.head_seq}")
            return before
        try:
            ledger = self._store.ledger(account)
            head, state = ledger.read(lambda book: (ledger.head, self._state(book)))
            if (problem := _other_history(head, before)) is not None:
                self._passed_over(account, problem)
                return before
            chunks = yield from self._copied(ledger, head, before)
        except BackupFailed:
            raise
        except StorageError as trouble:
            self._passed_over(account, trouble.message)
            return before
        known = (before.state_seq, before.state_hash, before.state_format)
        return LedgerBackup(account, head.seq, head.hash.hex(), head.recorded_at, chunks, *(state or known))

    def _state(self, book: Book) -> tuple[Seq, str, int] | None:
        if self._quiet or len(book.tracks) <= POSITIONS_AT_ONCE:
            return book.seq, state_hash(book).hex(), FORMAT
        return None

    def _copied(self, ledger: Ledger, head: Head, before: LedgerBackup) -> Generator[Advance, None, Sequence[Chunk]]:
        if head.seq == before.head_seq:
            return before.chunks
        chunks = staying(before.chunks, head.seq - before.head_seq)
        start = chunks[-1].head if chunks else manifests.nothing_of(ledger.account).head
        frames = _continuing(ledger.journal.read(start.seq), start, before.head, head.seq)
        for chunk, packed in pack(ledger.account, frames):
            self._destination.put(chunk.name, packed)
            self._chunks += 1
            self._bytes += len(packed)
            chunks.append(chunk)
            yield Advance(ledger.account, chunk.last, head.seq)
        return chunks

    def _passed_over(self, account: AccountId, problem: str) -> None:
        self._findings.append(f"{account} was not backed up: {problem}")


def _other_history(head: Head, before: LedgerBackup) -> str | None:
    """Why a ledger cannot continue what the backup has of it, as far as the heads tell; None where it can."""
    if head.seq < before.head_seq:
        return f"it ends at seq {head.seq}, and the backup has it up to seq {before.head_seq}. {_ANOTHER}"
    if (head.seq, head.hash) != (before.head_seq, before.head.hash) and head.seq == before.head_seq:
        return f"its seq {head.seq} is not the one in the backup. {_ANOTHER}"
    return None


def _continuing(frames: Iterator[Frame], start: Head, passing: Head, until: Seq) -> Iterator[Frame]:
    """The frames up to a seq, once it is seen that they follow ``start`` and come by the head of the last backup."""
    expected, met = start.hash, passing.seq <= start.seq
    for frame in frames:
        if frame.last > until:
            break
        met = met or (frame.last, frame.hash) == (passing.seq, passing.hash)
        if frame.previous != expected or (frame.last > passing.seq and not met):
            raise BackupDamaged(f"its seq {frame.first} does not continue the backup. {_ANOTHER}")
        expected = frame.hash
        yield frame


_ANOTHER = "If that is intended, back up into another directory, and keep this one while it may be needed."


class Pruned(msgspec.Struct, frozen=True):
    """What was let go.

    Attributes:
        kept, deleted: Names of manifests.
        blobs, freed_bytes: Chunks deleted, and how large they were.
        findings: Why something was not deleted, in sentences for a person.
    """

    kept: Sequence[str]
    deleted: Sequence[str]
    blobs: int
    freed_bytes: int
    findings: Sequence[str] = ()


def prune(destination: Destination, keep: retention.Keep, now: int) -> Pruned:
    """Delete the backups that the rule does not keep and nobody is proving, and blobs that no kept one needs.

    Nothing is deleted while a manifest that is to be kept cannot be read: it may be the one that names a blob.

    Raises:
        BackupFailed: The destination refused; what was not deleted is deleted the next time.
    """
    backups = manifests.listed(destination)
    there = {backup.name for backup in backups}
    keeping = retention.kept(backups, keep) | (manifests.being_proven(destination, now) & there)
    readable, damage = [], []
    for name in sorted(keeping):
        try:
            readable.append(manifests.read_manifest(destination, name)[0])
        except NotFound:  # somebody else let it go since it was listed
            continue
        except BackupDamaged as damaged:
            damage.append(f"{damaged.message} Nothing is deleted while it is there.")
    if damage or not readable:
        return Pruned(sorted(keeping), (), 0, 0, damage)
    going = [backup.name for backup in backups if backup.name not in keeping]
    for name in going:
        destination.delete(name)
        destination.delete(manifests.proof_name(name))
    blobs = destination.blobs(FOLDER)
    sizes = {blob.name: blob.size for blob in blobs}
    unused = retention.unused(blobs, readable, now)
    for name in unused:
        destination.delete(name)
    return Pruned(sorted(keeping), going, len(unused), sum(sizes[name] for name in unused))
