"""The journal of one ledger in PostgreSQL, with the views in the transaction of each frame.

What is acknowledged was committed by a server whose settings were read back in that very transaction. Any failure
closes the journal to further appends until it is opened anew; another writer's going first does not.
"""

from collections.abc import Iterator

from trueup.journal.frame import pack, require_appendable
from trueup.journal.postgres.booking import Booking
from trueup.journal.postgres.database import Database
from trueup.journal.postgres.reading import Row, ledger_row, recorded_by, verified_frames
from trueup.journal.postgres.transaction import Transaction
from trueup.model.errors import ConcurrentUpdate, JournalFailed, StaleEpoch
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Change, Effects, Frame, Head

_REOPEN = "Nothing of this commit was acknowledged. Open the ledger again and resume by key."


class PostgresJournal:
    """Implements :class:`trueup.ports.Journal`; appended to by one thread at a time.

    Args:
        database: Where it is.
        booking: Writes changes there.
        ledger: Whose journal.
        row: The ledger as it stands.
        epoch: Fencing token to write with.
    """

    def __init__(self, database: Database, booking: Booking, ledger: AccountId, row: Row, epoch: int) -> None:
        self.ledger = ledger
        self.epoch = epoch
        self._database = database
        self._booking = booking
        self._head = row.head
        self._refusal = ""

    @property
    def head(self) -> Head:
        """The last frame known here to be durable, ``Head(0, GENESIS)`` when there is none."""
        return self._head

    def append(self, body: bytes, count: int, recorded_at: int, effects: Effects | None = None) -> Frame:
        """Commit one frame with its effects on the views; without them the views stay behind.

        Raises:
            BadInput: An empty commit, or one of too many bytes. Nothing was written.
            StaleEpoch: A newer leader wrote here. Nothing was written.
            ConcurrentUpdate: Another writer went on from this head first. Nothing was written.
            JournalFailed: It could not be committed, or its outcome is not known, now or before.
        """
        self._refuse_unless_open()
        require_appendable(body, count)
        frame, _ = pack(
            self.ledger,
            first=Seq(self._head.seq + 1),
            count=count,
            recorded_at=max(recorded_at, self._head.recorded_at),
            epoch=self.epoch,
            synced=0,  # an offset in a file, and there is none
            previous=self._head.hash,
            body=body,
        )
        self._refusal = "An append did not end."  # stays if anything at all interrupts it
        change = bare(frame) if effects is None else effects(frame)
        self._commit(change, rows=effects is not None, sent=False)
        return frame

    def adopt(self, change: Change, *, rows: bool) -> None:
        """Append frames of the same ledger that another store holds, as they are; frames that stand are left alone.

        Args:
            change: The frames, and what they did.
            rows: Whether to write what they did; else the views stay behind.

        Raises: as :meth:`append`.
        """
        self._refuse_unless_open()
        self._refusal = "An append did not end."
        self.epoch = max(self.epoch, change.frames[-1].epoch)
        self._commit(change, rows=rows, sent=True)

    def _commit(self, change: Change, *, rows: bool, sent: bool) -> None:
        async def work(connection: Transaction) -> None:
            nonlocal sent
            again, sent = sent, True
            await self._booking.book(connection, change, epoch=self.epoch, rows=rows, again=again)

        try:
            self._database.write(work, JournalFailed)
        except (ConcurrentUpdate, StaleEpoch):
            self._refusal = ""
            raise
        except JournalFailed as failure:
            self._refusal = failure.message
            raise
        last = change.frames[-1]
        self._head = Head(last.last, last.hash, last.recorded_at)
        self._refusal = ""

    def read(self, after: Seq = Seq(0)) -> Iterator[Frame]:
        """Verified frames whose last seq is greater than ``after``, oldest first, up to the head at the call.

        Raises:
            JournalDamaged: A frame is not what was written.
            JournalFailed: The database could not be read.
        """
        return verified_frames(self._database, self.ledger, after, self._head)

    def overtaken(self) -> bool:
        """Whether another writer has gone on from this head. Raises :class:`JournalFailed`."""
        return self._last() != self._head

    def follow(self) -> None:
        """Take the last frame that any writer booked for the head. Raises :class:`JournalFailed`."""
        self._head = self._last()

    def recorded_by(self, time: int) -> Head:
        """The last frame recorded at or before a time in nanoseconds, ``Head(0, GENESIS)`` when there is none.

        Raises:
            JournalFailed: The database could not be read.
        """
        return self._database.read(
            lambda connection: recorded_by(connection, self.ledger, time, self._head), JournalFailed
        )

    def save_head(self) -> None:
        """The head stands in the ledger's row already."""

    def close(self) -> None:
        """Append no more."""
        self._refusal = self._refusal or "The journal is closed."

    def _last(self) -> Head:
        return self._database.read(lambda connection: ledger_row(connection, self.ledger), JournalFailed).head

    def _refuse_unless_open(self) -> None:
        if self._refusal:
            raise JournalFailed(self._refusal, remedy=_REOPEN)


def bare(*frames: Frame) -> Change:
    """Frames alone, without what they did."""
    return Change(frames[0].ledger, frames[-1].last, frames, (), (), (), (), (), {}, ())
