"""Folded states in the database, so that neither a start nor a look at the past reads all of history.

What lives only here: their rows. Which are kept is one rule for every store (:mod:`trueup.journal.milestones`). One of
another codec, or that does not stand on a frame of the journal, is passed over.
"""

import zlib
from collections.abc import Sequence
from typing import Any

from trueup.journal.codec import CODEC_VERSION
from trueup.journal.milestones import kept
from trueup.journal.postgres.database import Database
from trueup.journal.postgres.transaction import Transaction
from trueup.model.errors import StorageError
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Hash, Head, Milestone

COMPRESSION = 1
"""The quickest halves a state."""

_SEQS = "SELECT seq FROM snapshots JOIN ledgers ON id = ledger WHERE name = $1 ORDER BY seq"

_USABLE = """
    SELECT snapshots.seq, snapshots.hash, snapshots.recorded_at, state_hash, state
    FROM snapshots JOIN ledgers ON ledgers.id = snapshots.ledger
    JOIN frames ON frames.ledger = snapshots.ledger AND first + count - 1 = snapshots.seq
               AND first = (SELECT max(first) FROM frames AS before
                            WHERE before.ledger = snapshots.ledger AND before.first <= snapshots.seq)
               AND frames.hash = snapshots.hash
    WHERE name = $1 AND codec = $2 AND snapshots.seq = $3"""

_PUT = """
    INSERT INTO snapshots (ledger, seq, hash, recorded_at, codec, state_hash, state)
    SELECT id, $2, $3, $4, $5, $6, $7 FROM ledgers WHERE name = $1
    ON CONFLICT (ledger, seq) DO UPDATE
    SET hash = excluded.hash, recorded_at = excluded.recorded_at, codec = excluded.codec,
        state_hash = excluded.state_hash, state = excluded.state"""

_DROP = "DELETE FROM snapshots USING ledgers WHERE id = ledger AND name = $1 AND seq = ANY ($2::bigint[])"


def seqs(database: Database, ledger: AccountId) -> Sequence[Seq]:
    """Where states of a ledger are kept, ascending. Raises :class:`StorageError`."""
    return database.read(lambda connection: _seqs(connection, ledger), StorageError)


def at(database: Database, ledger: AccountId, seq: Seq) -> Milestone | None:
    """The state at a seq; None where there is none that can be used. Raises :class:`StorageError`."""

    async def work(connection: Transaction) -> Milestone | None:
        row = await connection.fetchrow(_USABLE, ledger, CODEC_VERSION, seq)
        return None if row is None else _milestone(row)

    return database.read(work, StorageError)


def newest(database: Database, ledger: AccountId) -> tuple[Milestone | None, Sequence[Seq]]:
    """The newest state that can be used, and the seqs of newer ones that cannot. Raises :class:`StorageError`."""
    passed_over: list[Seq] = []
    for seq in reversed(seqs(database, ledger)):
        if (found := at(database, ledger, seq)) is not None:
            return found, passed_over
        passed_over.append(seq)
    return None, passed_over


def write(database: Database, ledger: AccountId, milestone: Milestone) -> None:
    """Keep a state, and no more of the others than the rule says. Raises :class:`StorageError`."""
    head = milestone.head
    small = zlib.compress(milestone.state, COMPRESSION)
    row = (ledger, head.seq, head.hash, head.recorded_at, CODEC_VERSION, milestone.state_hash, small)

    async def work(connection: Transaction) -> None:
        await connection.execute(_PUT, *row)
        stand = await _seqs(connection, ledger)
        await connection.execute(_DROP, ledger, sorted(set(stand) - kept(stand, head.seq)))

    database.write(work, StorageError)


def delete(database: Database, ledger: AccountId, seq: Seq) -> None:
    """Delete a state that proved to be wrong. Raises :class:`StorageError`."""
    database.write(lambda connection: connection.execute(_DROP, ledger, [seq]), StorageError)


async def _seqs(connection: Transaction, ledger: AccountId) -> Sequence[Seq]:
    return [Seq(row["seq"]) for row in await connection.fetch(_SEQS, ledger)]


def _milestone(row: Any) -> Milestone | None:  # noqa: ANN401 - a record
    try:
        state = zlib.decompress(row["state"])
    except zlib.error:
        return None
    return Milestone(Head(row["seq"], Hash(row["hash"]), row["recorded_at"]), state, row["state_hash"])
