"""Reading the journal from the database. What lives only here: that no frame is believed before its hash is computed.

Frames come in pages, each a short transaction of its own, so that no reader holds one open while it works.
"""

from collections.abc import Iterator
from functools import partial
from itertools import chain, repeat
from typing import NamedTuple

from trueup.journal.frame import frame_bytes
from trueup.journal.postgres import limits
from trueup.journal.postgres.database import Database
from trueup.journal.postgres.transaction import Transaction
from trueup.journal.views_rows import frame_from
from trueup.model.errors import JournalDamaged, JournalFailed, StorageError
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import GENESIS, Frame, Hash, Head

_LEDGER = """
    SELECT id, epoch, applied, head, recorded_at, viewed FROM ledgers WHERE name = $1"""

_FRAMES = """
    SELECT first, count, recorded_at, epoch, synced, previous, hash, body
    FROM (
        SELECT *, sum(octet_length(body)) OVER (ORDER BY first) - octet_length(body) AS before
        FROM (
            SELECT * FROM frames
            WHERE ledger = $1 AND first + count > $2::bigint + 1
              AND first >= coalesce((SELECT max(first) FROM frames WHERE ledger = $1 AND first <= $2), 1)
            ORDER BY first LIMIT $3
        ) AS page
    ) AS sized
    WHERE before < $4 ORDER BY first"""


_RECORDED_BY = """
    SELECT first + count - 1 AS last, hash, frames.recorded_at FROM frames JOIN ledgers ON id = ledger
    WHERE name = $1 AND frames.recorded_at <= $2 AND first <= $3 ORDER BY first DESC LIMIT 1"""


class Row(NamedTuple):
    """A ledger as its row says.

    Attributes:
        id: 0, which no ledger has, when it is not known here.
        viewed: Seq that the derived rows are true at.
    """

    id: int
    epoch: int
    head: Head
    viewed: Seq


UNKNOWN = Row(0, 1, Head(Seq(0), GENESIS), Seq(0))


async def ledger_row(connection: Transaction, ledger: AccountId) -> Row:
    """The row of a ledger; :data:`UNKNOWN` when it has none."""
    row = await connection.fetchrow(_LEDGER, ledger)
    if row is None:
        return UNKNOWN
    head = Head(row["applied"], Hash(row["head"]), row["recorded_at"])
    return Row(row["id"], row["epoch"], head, row["viewed"])


def stored_frames(database: Database, ledger: AccountId, after: Seq, kind: type[StorageError]) -> Iterator[Frame]:
    """Frames whose last seq is greater than ``after``, oldest first, as the database has them."""
    for size in chain(limits.FRAME_PAGES, repeat(limits.FRAME_PAGES[-1])):
        page = database.read(partial(_page, ledger=ledger, after=after, size=size), kind)
        yield from page
        if not page:
            return
        after = page[-1].last


class Flawed(Exception):
    """A journal that is not what was written; the message says where and how."""


def verified_frames(database: Database, ledger: AccountId, after: Seq, until: Head) -> Iterator[Frame]:
    """Frames behind ``after`` up to a head, each proved by its hash and by the frame before it.

    Raises:
        JournalDamaged: One is not what was written, or is missing; it is named.
        JournalFailed: The database could not be read.
    """
    try:
        yield from proved_frames(database, ledger, after, until)
    except Flawed as flaw:
        raise JournalDamaged(
            f"{database.address}, {ledger}: {flaw}.",
            remedy="Restore the database from a backup; there is no second copy in it.",
        ) from flaw


def proved_frames(database: Database, ledger: AccountId, after: Seq, until: Head) -> Iterator[Frame]:
    """The same, but raises :class:`Flawed`, which only tells what is wrong."""
    if after >= until.seq:
        return
    before = Head(Seq(0), GENESIS) if after == 0 else None
    reached = after
    for frame in stored_frames(database, ledger, after, JournalFailed):
        problem = _flaw(frame, before, reached)
        if not problem and frame.last >= until.seq and (frame.last, frame.hash) != (until.seq, until.hash):
            problem = f"it is not the frame that the ledger's head at seq {until.seq} names"
        if problem:
            raise Flawed(f"frame {frame.first} (events {frame.first} to {frame.last}): {problem}")
        yield frame
        before, reached = Head(frame.last, frame.hash), frame.last
        if reached == until.seq:
            return
    raise Flawed(f"the frames behind seq {reached} are missing; the ledger reaches to seq {until.seq}")


def _flaw(frame: Frame, before: Head | None, reached: Seq) -> str:
    """What is wrong with a frame; empty when nothing is."""
    if frame_bytes(frame) is None:
        return "its content does not fit its hash"
    if frame.first > reached + 1:
        return f"it is not the one behind seq {reached}"
    if before is not None and frame.previous != before.hash:
        return "it does not continue the frame before it"
    return ""


async def recorded_by(connection: Transaction, ledger: AccountId, time: int, until: Head) -> Head:
    """The last frame, up to a head, recorded at or before a time; ``recorded_at`` never goes back within a ledger."""
    row = await connection.fetchrow(_RECORDED_BY, ledger, time, until.seq)
    return Head(Seq(0), GENESIS) if row is None else Head(row["last"], Hash(row["hash"]), row["recorded_at"])


async def _page(connection: Transaction, *, ledger: AccountId, after: Seq, size: int) -> list[Frame]:
    row = await ledger_row(connection, ledger)
    found = await connection.fetch(_FRAMES, row.id, after, size, limits.PAGE_BYTES_MAX)
    return [frame_from(ledger, tuple(frame)) for frame in found]
