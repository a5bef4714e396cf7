"""The storage on PostgreSQL: one database that several processes may have open, and that keeps them apart by epochs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Self

from trueup.journal.findings import Finding, VerifyReport
from trueup.journal.postgres import limits, migrations, snapshots, tables
from trueup.journal.postgres.address import Address
from trueup.journal.postgres.booking import MAKE_LEDGER, Booking, stale
from trueup.journal.postgres.database import Database
from trueup.journal.postgres.journal import PostgresJournal, bare
from trueup.journal.postgres.migrations import Schema
from trueup.journal.postgres.reading import Flawed, Row, ledger_row, proved_frames, verified_frames
from trueup.journal.postgres.status import Status, read_status
from trueup.journal.postgres.tables import Shape
from trueup.journal.postgres.transaction import Transaction
from trueup.journal.postgres.views import PostgresViews
from trueup.model.errors import JournalDamaged, JournalFailed, StorageError
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import GENESIS, Clock, Frame, Head, Journal, Milestone, OpenedLedger, Views

Progress = Callable[[int, int], None]
"""Told the events read so far and the events in all."""

_NAMES = "SELECT name FROM ledgers ORDER BY name"

_LEAD = "UPDATE ledgers SET epoch = $2 WHERE name = $1 AND epoch <= $2 RETURNING id"


class PostgresStorage:
    """`ports.Storage` on PostgreSQL. Made by :meth:`open`."""

    def __init__(self, database: Database, shapes: Mapping[str, Shape]) -> None:
        self.database = database
        self._booking = Booking(database.address, shapes)
        self._derived = tables.derived(shapes)

    @classmethod
    def open(
        cls, address: Address, clock: Clock, random: Random, *, create: bool = True, outdated: bool = False
    ) -> Self:
        """Connect, and see that the server and the schema are what they must be.

        Args:
            address: Of the database, which must exist.
            clock: For how long attempts go on.
            random: For the pauses between attempts.
            create: Whether to make the schema in a database without one.
            outdated: Whether one that waits for an upgrade will do: its frames can be read.

        Raises:
            NotDurable: The server would acknowledge what a crash may lose.
            SchemaOutdated: The database waits for `trueup db upgrade`.
            NotFound: There is no store in it, and none is to be made.
            StorageError: It cannot be reached or entered, or it is not what this version can use.
        """
        database = Database(address, clock, random)
        try:
            if not outdated:
                migrations.require_schema(database, create=create)
            return cls(database, database.write(tables.shapes, StorageError))  # which reads the server's settings back
        except BaseException:
            database.close()
            raise

    @property
    def together(self) -> bool:
        """The views are written with each frame."""
        return True

    def views(self) -> PostgresViews:
        """The views as they stand."""
        return PostgresViews(self.database, self._booking, self._derived)

    def new_views(self) -> PostgresViews:
        """The views without their rows, to be filled in place.

        Meanwhile nobody can book, and what is read says how far it goes.
        """
        views = self.views()
        for ledger in self.ledgers():
            views.forget(ledger)
        return views

    def replace_views(self, views: Views, old: Views | None = None, *, last_copy: bool = False) -> PostgresViews:  # noqa: ARG002 - the frames are kept in any case
        """They were filled in place."""
        if not isinstance(views, PostgresViews):
            raise TypeError("only views made by new_views can replace ours")
        return views

    def ledgers(self) -> Sequence[AccountId]:
        """Every ledger that has a row here."""
        rows = self.database.read(lambda connection: connection.fetch(_NAMES), StorageError)
        return [AccountId(row["name"]) for row in rows]

    def open_ledger(
        self,
        ledger: AccountId,
        views: Views | None,  # noqa: ARG002 - there is no second copy
        *,
        snapshot: bool = True,
        epoch: int | None = None,
    ) -> OpenedLedger:
        """Open one ledger, from its newest usable snapshot on. The frames behind that are proved when they are read.

        Raises:
            StaleEpoch: Somebody leads with a newer epoch than the one given.
            JournalDamaged: The ledger's last frame is not what was written.
            JournalFailed: The database could not be read.
        """
        row = self._lead(ledger, epoch) if epoch is not None else self._row(ledger)
        for _ in verified_frames(self.database, ledger, Seq(max(0, row.head.seq - 1)), row.head):
            """The last frame is the one that the ledger's row names."""
        found, passed_over = snapshots.newest(self.database, ledger) if snapshot else (None, ())
        return OpenedLedger(
            journal=PostgresJournal(self.database, self._booking, ledger, row, epoch or row.epoch),
            state=None if found is None else found.state,
            state_hash=b"" if found is None else found.state_hash,
            after=Seq(0) if found is None else found.head.seq,
            findings=[f"the snapshot of seq {seq} cannot be used; passed over" for seq in passed_over],
        )

    def verify(self, ledger: AccountId, progress: Progress | None = None) -> VerifyReport:
        """Read one ledger's frames and prove its chain; nothing is changed."""
        row = self._row(ledger)
        frames = events = size = 0
        head, findings = Head(Seq(0), GENESIS), []
        try:
            for frame in proved_frames(self.database, ledger, Seq(0), row.head):
                frames, events, size = frames + 1, events + frame.count, size + len(frame.body)
                head = Head(frame.last, frame.hash, frame.recorded_at)
                if progress is not None:
                    progress(head.seq, row.head.seq)
        except Flawed as flaw:
            lost, place = Seq(head.seq + 1), str(self.database.address)
            findings.append(Finding("frames", Path(), 0, str(flaw), first=lost, last=row.head.seq, at=place))
        return VerifyReport(head, frames, events, size, findings)

    def log(self, ledger: AccountId) -> PostgresJournal:
        """A journal to be read; nothing in it is changed."""
        return PostgresJournal(self.database, self._booking, ledger, row := self._row(ledger), row.epoch)

    def adopt(self, ledger: AccountId, frames: Callable[[Seq], Iterator[Frame]], head: Head) -> None:
        """Append the frames of another store, as they are, up to a head; the views stay behind."""
        row = self._row(ledger)
        journal = PostgresJournal(self.database, self._booking, ledger, row, row.epoch)
        for batch in _batches(frames(row.head.seq)):
            journal.adopt(bare(*batch), rows=False)
        if journal.head.seq != head.seq:
            raise JournalDamaged(
                f"The frames of {ledger} end at seq {journal.head.seq} instead of {head.seq}.",
                remedy="Verify the store they come from: trueup journal verify.",
            )

    def snapshot(self, journal: Journal, state: bytes, state_hash: bytes) -> Callable[[], object]:
        """Prepare a snapshot at the journal's head; the answer writes it."""
        if not isinstance(journal, PostgresJournal):
            raise TypeError("only journals made by open_ledger have snapshots here")
        return partial(snapshots.write, self.database, journal.ledger, Milestone(journal.head, state, state_hash))

    def milestones(self, ledger: AccountId) -> Sequence[Seq]:
        """Where snapshots of a ledger stand, ascending."""
        return snapshots.seqs(self.database, ledger)

    def milestone(self, ledger: AccountId, seq: Seq) -> Milestone | None:
        """The snapshot at a seq; None where there is none that can be used."""
        return snapshots.at(self.database, ledger, seq)

    def newest_milestone(self, ledger: AccountId) -> tuple[Milestone | None, Sequence[str]]:
        """The snapshot that the next start would use, and what is wrong with newer ones."""
        found, passed_over = snapshots.newest(self.database, ledger)
        return found, [f"the snapshot of seq {seq} cannot be used" for seq in passed_over]

    def drop_milestone(self, ledger: AccountId, seq: Seq) -> None:
        """Delete a snapshot that proved to be wrong. Raises :class:`StorageError`."""
        snapshots.delete(self.database, ledger, seq)

    def schema(self) -> Schema:
        """How the schema stands. Raises :class:`StorageError`."""
        return migrations.read_schema(self.database)

    def upgrade(self) -> Sequence[str]:
        """Run the migrations that are pending; returns their names. Raises :class:`StorageError`."""
        return migrations.upgrade(self.database)

    def status(self) -> Status:
        """How the database stands. Raises :class:`StorageError`."""
        return read_status(self.database)

    def describe(self) -> Mapping[str, str]:
        """The database, its server and its schema, by name."""
        status = self.status()
        settings = ", ".join(f"{name} {value}" for name, value in status.settings.items())
        return {
            "database": f"{status.address}, {status.database_bytes >> 20} MiB",
            "server": f"PostgreSQL {status.server}: {settings}",
            "schema": f"{status.schema} migrations ran; the journal's guards are on",
        }

    def close(self) -> None:
        """Give the connections back."""
        self.database.close()

    def _row(self, ledger: AccountId) -> Row:
        return self.database.read(lambda connection: ledger_row(connection, ledger), JournalFailed)

    def _lead(self, ledger: AccountId, epoch: int) -> Row:
        """Fence writers with an older epoch out, from now on."""

        async def work(connection: Transaction) -> Row:
            await connection.execute(MAKE_LEDGER, ledger, epoch, GENESIS)
            if await connection.fetchval(_LEAD, ledger, epoch) is None:
                raise stale(ledger, (await ledger_row(connection, ledger)).epoch, epoch)
            return await ledger_row(connection, ledger)

        return self.database.write(work, JournalFailed)


def _batches(frames: Iterator[Frame]) -> Iterator[Sequence[Frame]]:
    """Frames by as many as one transaction takes."""
    batch: list[Frame] = []
    size = 0
    for frame in frames:
        batch.append(frame)
        size += len(frame.body)
        if len(batch) >= limits.FRAME_PAGES[-1] or size >= limits.PAGE_BYTES_MAX:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
