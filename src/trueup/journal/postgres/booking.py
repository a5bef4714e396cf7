"""The transaction that books: the ledger's row is compared and moved on, then frames, keys and rows are written.

What lives only here: what that comparison means. The row is locked by the first statement, so two writers take turns,
and the second finds that the head has moved. The same frame may be sent any number of times: it is admitted once, and
recognised by its hash when it stands already, so a commit whose outcome was unknown is settled by sending it again.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from trueup.journal import control_rows, views_rows
from trueup.journal.postgres.address import Address
from trueup.journal.postgres.reading import ledger_row
from trueup.journal.postgres.settings import AS_COLUMNS, refuse_off
from trueup.journal.postgres.tables import Shape, by_column, upsert
from trueup.journal.postgres.transaction import Transaction
from trueup.journal.soundness import require_sound
from trueup.journal.views_rows import Row
from trueup.model.errors import ConcurrentUpdate, StaleEpoch
from trueup.model.identifiers import AccountId, Seq
from trueup.model.numbers import exact
from trueup.ports import GENESIS, Change

MAKE_LEDGER = """
    INSERT INTO ledgers (name, epoch, applied, head, recorded_at, viewed) VALUES ($1, $2, 0, $3, 0, 0)
    ON CONFLICT (name) DO NOTHING"""

_ADVANCE = f"""
    UPDATE ledgers SET epoch = $2, applied = $3, head = $4, recorded_at = $5,
                       viewed = CASE WHEN $8 THEN $3 ELSE viewed END
    WHERE name = $1 AND epoch <= $2 AND applied = $6 AND head = $7 AND (viewed = applied OR NOT $8)
    RETURNING id, {AS_COLUMNS}"""  # noqa: S608 - names of settings, from our own table

_FRAME_COLUMNS = ("ledger", "first", "count", "recorded_at", "epoch", "synced", "previous", "hash", "body")

_DROP_CYCLES = """
    DELETE FROM book_cycles
    USING unnest($2::text[], $3::text[], $4::bigint[]) AS gone (instrument, position_side, number)
    WHERE ledger = $1 AND book_cycles.instrument = gone.instrument
      AND book_cycles.position_side = gone.position_side AND book_cycles.number >= gone.number"""

_DROP_ORDERS = "DELETE FROM orders WHERE ledger = $1 AND venue_order_id = ANY ($2::text[])"

LOCK_LEDGER = "SELECT FROM ledgers WHERE name = $1 FOR UPDATE"

_HASH_AT = "SELECT hash FROM frames WHERE ledger = $1 AND first = $2"


class Booking:
    """Writes changes on a connection whose transaction is open.

    Args:
        address: For messages.
        tables: The tables as the database has them.
    """

    def __init__(self, address: Address, tables: Mapping[str, Shape]) -> None:
        self._address = address
        ordered = {table.name: table.columns for table in control_rows.TABLES}
        self._put = {name: upsert(name, shape, ordered.get(name)) for name, shape in tables.items()}

    async def book(self, connection: Transaction, change: Change, *, epoch: int, rows: bool, again: bool) -> None:
        """Append the frames of a change, with its rows.

        Args:
            connection: In a transaction of its own.
            change: Going on from the ledger's head.
            epoch: Fencing token of the writer.
            rows: Whether to write the rows too; else the views stay behind, to be brought up later.
            again: Whether it was sent before, so that it may stand already.

        Raises:
            StaleEpoch: A newer leader has written.
            ConcurrentUpdate: The ledger does not stand where the first frame goes on from. Nothing was written.
            NotDurable: A setting of the server was turned off.
        """
        require_sound(change)
        first, last = change.frames[0], change.frames[-1]
        if first.first == 1:
            await connection.execute(MAKE_LEDGER, change.ledger, epoch, GENESIS)
        moved = (change.ledger, epoch, last.last, last.hash, last.recorded_at, first.first - 1, first.previous, rows)
        row = await connection.fetchrow(_ADVANCE, *moved)
        if row is None:
            await self._recognise(connection, change, epoch, again=again)
            return
        refuse_off(dict(row), self._address)
        frames = [views_rows.frame_row(row["id"], frame) for frame in change.frames]
        await connection.copy_records_to_table("frames", records=frames, columns=_FRAME_COLUMNS)
        if rows:
            await self.put_rows(connection, row["id"], change)

    async def put_rows(self, connection: Transaction, ledger: int, change: Change) -> None:
        """Write what a change did to the derived tables of a ledger."""
        sent = asyncio.Event()
        copied = asyncio.create_task(_copy_keys(connection, ledger, change.keys, sent))
        await sent.wait()
        try:  # the server is busy with its index of keys: make the other rows ready meanwhile
            with exact():
                statements = [(statement, by_column(rows)) for statement, rows in self._statements(ledger, change)]
        finally:
            await copied
        if change.cycles:
            gone = [(instrument, side, number) for (instrument, side), (number, _) in change.cycles.items()]
            await connection.execute(_DROP_CYCLES, ledger, *map(list, zip(*gone, strict=True)))
        if change.dropped_orders:
            await connection.execute(_DROP_ORDERS, ledger, list(change.dropped_orders))
        for statement, columns in statements:
            await connection.execute(statement, *columns)

    def _statements(self, ledger: int, change: Change) -> Iterator[tuple[str, Sequence[Row]]]:
        """One upsert for each table that has rows to write, instruments first, to which positions refer."""
        seq, rows = change.seq, views_rows
        cycles = [
            rows.cycle_row(ledger, key, cycle, seq) for key, (_, cycles) in change.cycles.items() for cycle in cycles
        ]
        found: Mapping[str, Sequence[Row]] = {
            "instruments": [rows.instrument_row(ledger, terms, seq) for terms in change.instruments],
            "book_positions": [rows.position_row(ledger, position) for position in change.positions],
            "book_cycles": cycles,
            "balances": [rows.balance_row(ledger, balance) for balance in change.balances],
            "orders": [rows.order_row(ledger, order, seq) for order in change.orders],
            "book_marks": [rows.mark_row(ledger, at, mark) for at, mark in change.marks],
        }
        yield from ((self._put[name], some) for name, some in found.items() if some)
        for table, some in control_rows.rows(ledger, change.control, rows.cell):
            yield self._put[table.name], some
        if change.compared is not None:
            yield self._put["book_comparisons"], [rows.comparison_row(ledger, *change.compared)]

    async def _recognise(self, connection: Transaction, change: Change, epoch: int, *, again: bool) -> None:
        """Return when the change stands already; else say who was first.

        The lock makes this transaction one that writes, so its COMMIT waits for what the lost one waited for.
        """
        await connection.execute(LOCK_LEDGER, change.ledger)
        row = await ledger_row(connection, change.ledger)
        last = change.frames[-1]
        if again and last.hash == await connection.fetchval(_HASH_AT, row.id, last.first):
            return
        if row.epoch > epoch:
            raise stale(change.ledger, row.epoch, epoch)
        before = change.frames[0].first - 1
        if row.head.seq == before and row.head.hash == change.frames[0].previous:
            raise ConcurrentUpdate(
                f"{self._address}: the views of {change.ledger} are being made anew and stand at seq {row.viewed}.",
                remedy="Nothing was written. Offer it again when that is done.",
            )
        raise ConcurrentUpdate(
            f"{self._address}: {change.ledger} stands at seq {row.head.seq}, and this goes on from {before}.",
            remedy="Nothing was written. Catch up with the ledger, decide again, and offer it again.",
        )


async def _copy_keys(
    connection: Transaction, ledger: int, keys: Sequence[tuple[str, Seq]], sent: asyncio.Event
) -> None:
    """Copy fact keys; says when all of them are on their way."""

    def rows() -> Iterator[tuple[int, str, Seq]]:
        for key, seq in keys:
            yield ledger, key, seq
        sent.set()  # who waits for it runs when the driver has sent the rest and waits itself

    try:
        if keys:
            await connection.copy_records_to_table("fact_keys", records=rows(), columns=("ledger", "key", "seq"))
    finally:
        sent.set()


def stale(ledger: AccountId, newer: int, epoch: int) -> StaleEpoch:
    """The refusal of a leader that is not the present one."""
    return StaleEpoch(
        f"{ledger} is led by epoch {newer}, and this process holds epoch {epoch}.",
        remedy="Let the present leader write; open the ledger again once this process leads.",
    )
