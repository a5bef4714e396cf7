"""The embedded storage: a data directory of logs and snapshots, with SQLite views beside them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

from trueup.journal.copies import combined
from trueup.journal.directory import DataDirectory
from trueup.journal.disk import Disk
from trueup.journal.findings import Finding, VerifyReport
from trueup.journal.misplaced import put_back
from trueup.journal.pages import DamagedDatabase
from trueup.journal.proofs import write_proofs
from trueup.journal.records import read_head
from trueup.journal.recovery import Copies
from trueup.journal.segment_file import SEGMENT_BYTES
from trueup.journal.segments import SegmentJournal
from trueup.journal.snapshots import (
    Snapshot,
    delete_snapshot,
    newest_snapshot,
    snapshot_at,
    snapshot_seqs,
    write_snapshot,
)
from trueup.journal.untouched import UntouchedDisk
from trueup.journal.verify import Progress, verify
from trueup.journal.views import SqliteViews
from trueup.model.errors import StorageError, ViewsFailed
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Head, Journal, Milestone, OpenedLedger, Views


class EmbeddedStorage:
    """`ports.Storage` on local files. Made by :meth:`open`."""

    def __init__(self, directory: DataDirectory, segment_bytes: int, *, background: bool) -> None:
        self.directory = directory
        self._disk = directory.disk
        self._segment_bytes = segment_bytes
        self._background = background

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        create: bool = True,
        disk: Disk | None = None,
        segment_bytes: int = SEGMENT_BYTES,
        background: bool = True,
    ) -> Self:
        """Own a data directory.

        Args:
            path: Of the directory.
            create: Whether to make it where there is none.
            disk: The files; the system's own unless a test wants another.
            segment_bytes: Size of new segments.
            background: Whether threads of its own may prepare what will be needed soon.

        Raises:
            DirectoryLocked: As :meth:`DataDirectory.open`.
            StorageError: As :meth:`DataDirectory.open`.
        """
        return cls(DataDirectory.open(path, create=create, disk=disk), segment_bytes, background=background)

    def views(self) -> SqliteViews:
        """The views as they stand."""
        return SqliteViews(self.directory.views_path, self._disk)

    def new_views(self) -> SqliteViews:
        """Empty views beside the present ones."""
        return SqliteViews.beside(self.directory.views_path, self._disk)

    def replace_views(self, views: Views, old: Views | None = None, *, last_copy: bool = False) -> SqliteViews:
        """Swap the new views in."""
        if not isinstance(views, SqliteViews):
            raise TypeError("only views made by new_views can replace ours")
        views.swap(self.directory.views_path, last_copy=last_copy)
        if isinstance(old, SqliteViews):
            with suppress(ViewsFailed):  # what they could not write any more is aside with them
                old.let_go()
        return self.views()

    def ledgers(self) -> Sequence[AccountId]:
        """Every ledger that has a journal here."""
        return self.directory.ledgers()

    @property
    def together(self) -> bool:
        """The views are fed after the log."""
        return False

    def open_ledger(
        self, ledger: AccountId, views: Views | None, *, snapshot: bool = True, epoch: int | None = None
    ) -> OpenedLedger:
        """Open one ledger's log, from its newest usable snapshot on."""
        path = self.directory.ledger_path(ledger)
        found, passed_over = newest_snapshot(path, ledger) if snapshot else (None, ())
        head = views.head(ledger) if views is not None else None
        journal, report = SegmentJournal.open(
            path,
            ledger,
            epoch=epoch,
            copies=None if views is None else combined([partial(views.frames, ledger)]),
            at_least=head if head is not None and head.seq else None,
            start=found.mark if found is not None else None,
            segment_bytes=self._segment_bytes,
            head_file=self.directory.head_path(ledger),
            disk=self._disk,
            background=self._background,
        )
        usable = found is not None and report.read_from == found.mark.seq
        return OpenedLedger(
            journal=journal,
            state=found.state if found is not None and usable else None,
            state_hash=found.state_hash if found is not None and usable else b"",
            after=found.mark.seq if found is not None and usable else Seq(0),
            findings=[sentence(finding) for finding in (*passed_over, *report.findings)],
        )

    def verify(self, ledger: AccountId, progress: Progress | None = None) -> VerifyReport:
        """Read one ledger's whole log and prove its chain; nothing is changed. Raises :class:`JournalDamaged`."""
        path, known = self.directory.ledger_path(ledger), read_head(self.directory.head_path(ledger), ledger)
        return verify(path, ledger, known=known, progress=progress, disk=self._disk)

    def log(self, ledger: AccountId) -> Journal:
        """A log that was verified, to be read and closed; nothing in it is changed."""
        return SegmentJournal.open(
            self.directory.ledger_path(ledger),
            ledger,
            segment_bytes=self._segment_bytes,
            head_file=self.directory.head_path(ledger),
            disk=UntouchedDisk(self._disk),
            background=False,
        )[0]

    def adopt(self, ledger: AccountId, frames: Copies, head: Head) -> None:
        """Append the frames of another store: a log that lost its end is healed in the same way."""
        self.heal(ledger, frames, head)

    def heal(self, ledger: AccountId, copies: Copies, reached: Head | None) -> Sequence[str]:
        """Heal a whole log from second copies, and write its saved head again; what was mended, in sentences.

        Args:
            ledger: Whose.
            copies: Where the frames may come from.
            reached: What the log is known to have reached, beside its saved head.

        Raises:
            JournalDamaged: No copy has some frame; nothing there is changed.
            JournalFailed: The disk refused.
        """
        head_file, head_damaged = self.directory.head_path(ledger), self.saved_head_damaged(ledger)
        journal, report = SegmentJournal.open(
            self.directory.ledger_path(ledger),
            ledger,
            copies=copies,
            at_least=reached,
            segment_bytes=self._segment_bytes,
            head_file=head_file,
            disk=self._disk,
            background=False,
        )
        journal.close()
        mended = [sentence(finding) for finding in report.findings]
        return [*mended, *(["the saved head was damaged; written again"] if head_damaged else [])]

    def saved_head(self, ledger: AccountId) -> Head | None:
        """Where the log was last known to reach; None where that cannot be believed."""
        return read_head(self.directory.head_path(ledger), ledger)

    def saved_head_damaged(self, ledger: AccountId) -> bool:
        """Whether there is a saved head that cannot be believed."""
        return self.directory.head_path(ledger).exists() and self.saved_head(ledger) is None

    def put_back_segments(self) -> Sequence[str]:
        """Move segments that stand under another's name to where they belong. Raises :class:`StorageError`."""
        folders = [path for path in (self.directory.path / "ledgers").glob("*") if path.is_dir()]
        try:
            return put_back(folders, self.directory.ledger_path, self._disk)
        except OSError as error:
            raise StorageError(
                f"Segments could not be moved: {error}.", remedy="Mend the disk, then try again."
            ) from error

    def salvaged(self) -> Sequence[DamagedDatabase]:
        """What can be read from the pages of the views database and of those that it replaced."""
        path = self.directory.views_path
        others = sorted(path.parent.glob(f"{path.name}.last-copy-*[0-9]"), reverse=True)
        return [DamagedDatabase(one) for one in (path, *others, path.with_name(f"{path.name}.damaged"))]

    def snapshot(self, journal: Journal, state: bytes, state_hash: bytes) -> Callable[[], object]:
        """Prepare a snapshot at the journal's head; the answer writes it."""
        if not isinstance(journal, SegmentJournal):
            raise TypeError("only journals made by open_ledger have snapshots here")
        mark = journal.mark
        if mark is None:
            raise StorageError("An empty ledger needs no snapshot.")
        path = self.directory.ledger_path(journal.ledger)
        kept = Snapshot(journal.ledger, mark, journal.head.recorded_at, state_hash, state)
        return partial(write_snapshot, path, kept, disk=self._disk)

    def milestones(self, ledger: AccountId) -> Sequence[Seq]:
        """Where snapshots of a ledger stand, ascending."""
        return snapshot_seqs(self.directory.ledger_path(ledger))

    def milestone(self, ledger: AccountId, seq: Seq) -> Milestone | None:
        """The snapshot at a seq; None where there is none that can be used."""
        found = snapshot_at(self.directory.ledger_path(ledger), ledger, seq)
        return None if found is None else _milestone(found)

    def newest_milestone(self, ledger: AccountId) -> tuple[Milestone | None, Sequence[str]]:
        """The snapshot that the next start would use, and what is wrong with newer ones."""
        found, passed_over = newest_snapshot(self.directory.ledger_path(ledger), ledger)
        return None if found is None else _milestone(found), [finding.problem for finding in passed_over]

    def drop_milestone(self, ledger: AccountId, seq: Seq) -> None:
        """Delete the snapshot at a seq. Raises :class:`StorageError`."""
        delete_snapshot(self.directory.ledger_path(ledger), seq, disk=self._disk)

    def describe(self) -> Mapping[str, str]:
        """That nobody else has the directory."""
        return {"lock": "free"}

    def keep_proofs(self, content: bytes) -> None:
        """Note what was proven, for whoever asks while this process has the directory. Raises :class:`StorageError`."""
        write_proofs(self.directory.path, content, self._disk)

    def close(self) -> None:
        """Let other processes have the directory."""
        self.directory.close()


def _milestone(snapshot: Snapshot) -> Milestone:
    mark = snapshot.mark
    return Milestone(Head(mark.seq, mark.hash, snapshot.recorded_at), snapshot.state, snapshot.state_hash)


def sentence(finding: Finding) -> str:
    """A finding in one line for a person."""
    what = f"{finding.path.name}, byte {finding.offset}: {finding.problem}"
    return f"{what}; {finding.done}" if finding.done else what
