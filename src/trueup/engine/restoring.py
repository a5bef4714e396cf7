"""Restoring a backup into a new data directory. What lives only here: the order in which it is proved.

First it is settled what comes back and what would be lost, and that is refused unless it was accepted. Then every blob
is hashed and every frame's place in the chain checked while the logs are written; then each log is read again, folded
and written to the views, and the book compared with the state that was noted when the backup was taken. Only then the
directory takes its place. For a point before the newest there is no noted state: the chain is the proof, and the fold
must succeed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain as joined

import msgspec

from trueup.book.book import Book
from trueup.book.snapshot import FORMAT, snapshot, state_hash
from trueup.engine.losses import Loss, loss, refuse_unless_accepted
from trueup.engine.past import Past
from trueup.engine.points import NEWEST, Point, cuts
from trueup.engine.rebuilding import bring_up
from trueup.journal.backup import manifests
from trueup.journal.backup.chunks import chain
from trueup.journal.backup.destination import Destination
from trueup.journal.backup.manifests import LedgerBackup, Manifest
from trueup.journal.backup.new_directory import NewDirectory
from trueup.journal.backup.old_directory import OldDirectory
from trueup.journal.backup.salvage import Holding, holding
from trueup.model.errors import BackupDamaged, NotFound
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Frame, Head, Storage, Views

Progress = Callable[[int, int], None]
"""Told the events restored so far and the events in all; each is counted once when written and once when folded."""


class Plan(msgspec.Struct, frozen=True):
    """What a restore would bring back.

    Attributes:
        backup: Name of the manifest; empty where none could be used.
        written_by: The version that wrote it.
        ledgers: What the destination holds of each ledger.
        heads: Where each will end; ledgers that had not begun by then are left out.
        losses: What would not come back.
        findings: What was found wrong at the destination, in sentences for a person.
    """

    backup: str
    written_by: str
    ledgers: Sequence[LedgerBackup]
    heads: Mapping[AccountId, Head]
    losses: Sequence[Loss]
    findings: Sequence[str]

    @property
    def events(self) -> int:
        """How many come back."""
        return sum(head.seq for head in self.heads.values())


class RestoredLedger(msgspec.Struct, frozen=True):
    """One ledger that came back.

    Attributes:
        state_hash: What it folds to, hexadecimal.
        compared_at: The seq at which that was compared with what the backup noted; 0 where nothing could be compared.
    """

    account: AccountId
    head_seq: Seq
    head_hash: str
    recorded_at: int
    state_hash: str
    compared_at: Seq


def plan(destination: Destination, point: Point = NEWEST, replacing: OldDirectory | None = None) -> Plan:
    """Settle what the newest backup would bring back at a point, and what that would lose.

    Args:
        destination: Where the backups are.
        point: Where to restore to.
        replacing: The directory that the restored one shall take the place of; what it knows counts as well.

    Raises:
        NotFound: There is no backup, or no such point in it.
        BadInput: The point lies inside a commit, or does not say whose it is.
        BackupDamaged: A chunk is damaged that has to be read for that.
        BackupFailed: The destination refused.
    """
    manifest, damage = manifests.newest_readable(destination)
    held = holding(destination, manifest)
    if not held.ledgers:
        raise NotFound("There is no backup here.", remedy="Name the directory that `trueup backup create` wrote to.")
    heads = cuts(destination, held.ledgers, point)
    return Plan(
        manifest.name if manifest is not None else "",
        manifest.written_by if manifest is not None else "",
        held.ledgers,
        heads,
        _losses(destination, held, heads, replacing),
        [*damage, *held.findings],
    )


def plan_whole(manifest: Manifest) -> Plan:
    """Exactly what one manifest lists."""
    heads = {ledger.account: ledger.head for ledger in manifest.ledgers}
    return Plan(manifest.name, manifest.written_by, manifest.ledgers, heads, (), ())


def restore(
    destination: Destination, planned: Plan, target: NewDirectory, *, accept_loss: int = 0, progress: Progress
) -> Sequence[RestoredLedger]:
    """Carry out a plan; the directory is there when this returns, and not when it raises, but for one case.

    Where only the last step fails, the sync of its name, it is there and whole.

    Args:
        destination: Where the blobs are.
        planned: What to restore.
        target: Where to; ended in any case.
        accept_loss: How many events may be lost.
        progress: Called as it goes on.

    Raises:
        EventsWouldBeLost: More than ``accept_loss``.
        BackupDamaged: A blob is not what was put there, or a ledger does not fold to what was noted.
        StorageError: The destination or the disk refused.
    """
    try:
        restored = _restored(destination, planned, target, accept_loss, progress)
        target.publish()
    except BaseException:
        target.discard()
        raise
    return restored


def _restored(
    destination: Destination, planned: Plan, target: NewDirectory, accept_loss: int, progress: Progress
) -> Sequence[RestoredLedger]:
    refuse_unless_accepted(planned.losses, accept_loss)
    work = _Work(destination, planned, progress)
    for ledger in work.ledgers:
        target.write_log(ledger.account, work.frames(ledger), planned.heads[ledger.account])
    with closing(target.storage.views()) as views:
        return [work.refolded(target.storage, views, ledger) for ledger in work.ledgers]


class _Work:
    """One restore in progress."""

    def __init__(self, destination: Destination, planned: Plan, progress: Progress) -> None:
        self.ledgers = [ledger for ledger in planned.ledgers if ledger.account in planned.heads]
        self._destination = destination
        self._planned = planned
        self._progress = progress
        self._done = 0

    def frames(self, ledger: LedgerBackup) -> Callable[[Seq], Iterator[Frame]]:
        """The frames of a ledger behind any seq, up to where it is to end."""
        last = self._planned.heads[ledger.account].seq

        def behind(seq: Seq) -> Iterator[Frame]:
            chunks = [chunk for chunk in ledger.chunks if chunk.first <= last and seq < last]
            for frame in chain(self._destination, ledger.account, chunks, seq):
                if frame.last > last:
                    return
                yield frame
                self._advance(frame.count)

        return behind

    def refolded(self, storage: Storage, views: Views, ledger: LedgerBackup) -> RestoredLedger:
        """Fold a log that was written, into the views too, and compare the state where one was noted."""
        head = self._planned.heads[ledger.account]
        noted = Seq(0) if ledger.state_format != FORMAT or ledger.state_seq > head.seq else ledger.state_seq
        before = self._done
        with closing(storage.open_ledger(ledger.account, None, snapshot=False).journal) as journal:
            past = Past(journal)
            book = Book(ledger.account, past)

            def advance(_account: AccountId, seq: Seq, _head: Seq) -> None:
                self._done = before
                self._advance(seq)

            if noted:
                bring_up(book, past, views, advance, until=noted)
                self._refuse_other_state(ledger, book)
            bring_up(book, past, views, advance)
            digest = state_hash(book)
            storage.snapshot(journal, snapshot(book), digest)()
        return RestoredLedger(ledger.account, head.seq, head.hash.hex(), head.recorded_at, digest.hex(), noted)

    def _refuse_other_state(self, ledger: LedgerBackup, book: Book) -> None:
        found = state_hash(book).hex()
        if (book.seq, found) != (ledger.state_seq, ledger.state_hash):
            raise BackupDamaged(
                f"{ledger.account} folds at seq {book.seq} to the state {found[:16]}; when the backup was taken, it "
                f"was {ledger.state_hash[:16]} at seq {ledger.state_seq}.",
                remedy=f"Restore with the version of trueup that wrote the backup ({self._planned.written_by}).",
            )

    def _advance(self, events: int) -> None:
        self._done += events
        self._progress(self._done, 2 * self._planned.events)


def _losses(
    destination: Destination, held: Holding, heads: Mapping[AccountId, Head], replacing: OldDirectory | None
) -> Sequence[Loss]:
    ledgers = {ledger.account: ledger for ledger in held.ledgers}
    theirs = () if replacing is None else replacing.accounts()
    found: list[Loss | None] = []
    for account in sorted({*held.known, *theirs}):
        restored = heads[account].seq if account in heads else Seq(0)
        known = held.known.get(account, Seq(0))
        ledger = ledgers.get(account, manifests.nothing_of(account))
        frames = _readable(chain(destination, account, ledger.chunks, restored))
        if replacing is not None:
            reached = replacing.heads(account)
            furthest = max((head.seq for head in reached), default=Seq(0))
            if (parted := _parted(destination, ledger, replacing, reached)) is None:
                known, frames = max(known, furthest), joined(frames, replacing.frames(account, restored))
            else:
                gone = replacing.frames(account, parted)
                found.append(loss(account, parted, furthest, gone, of_another_history=True))
        found.append(loss(account, restored, known, frames))
    return [lost for lost in found if lost is not None]


def _parted(destination: Destination, ledger: LedgerBackup, old: OldDirectory, reached: Sequence[Head]) -> Seq | None:
    """The last event that a backup and a directory share, where each then went its own way; None where neither did."""
    if all(_agree(destination, ledger, old, head) for head in reached):
        return None
    shared = Seq(0)
    every = _readable(chain(destination, ledger.account, ledger.chunks))
    for ours, theirs in zip(every, old.frames(ledger.account, Seq(0)), strict=False):
        if ours.hash != theirs.hash:
            break
        shared = ours.last
    return shared


def _agree(destination: Destination, ledger: LedgerBackup, old: OldDirectory, head: Head) -> bool:
    """Whether a head of the old directory may be of the backup's history, as far as frames can be read."""
    if head.seq <= ledger.head_seq:
        frames = _readable(chain(destination, ledger.account, ledger.chunks, Seq(head.seq - 1)))
        expected = head
    else:
        frames, expected = old.frames(ledger.account, Seq(ledger.head_seq - 1)), ledger.head
    found = next(frames, None) if ledger.head_seq else None
    return found is None or (found.last, found.hash) == (expected.seq, expected.hash)


def _readable(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Frames up to the first that cannot be read: what is lost is told as far as it is known."""
    try:
        yield from frames
    except BackupDamaged:
        return
