"""The views in PostgreSQL, which share their tables' database, and their transactions, with the journal.

There the frames are the journal, so what is derived never drops them: it can fall behind them, in a rebuilding, and is
brought up again. Each answer is read in one transaction and says at which seq its rows are true.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from trueup.journal import views_rows
from trueup.journal.postgres.booking import LOCK_LEDGER, Booking
from trueup.journal.postgres.database import Database
from trueup.journal.postgres.reading import Row as LedgerRow
from trueup.journal.postgres.reading import ledger_row, stored_frames
from trueup.journal.postgres.transaction import Transaction
from trueup.journal.soundness import require_sound
from trueup.model.errors import ViewsFailed
from trueup.model.identifiers import AccountId, Seq
from trueup.model.positions import Balance, Cycle, OpenOrder, Position
from trueup.ports import GENESIS, Change, Frame, Hash, Head, Instance

REBUILD = "Run `trueup views rebuild`; the journal is not affected."

KEYS_A_PAGE = 50_000
"""Fact keys per read transaction."""

_GET_INSTRUMENTS = """
    SELECT symbol, version, native_symbol, kind, base, quote, settle, contract_size::text, price_tick::text,
           quantity_step::text, effective_from, expiry, max_leverage::text, wallet
    FROM instruments WHERE ledger = $1"""

_GET_POSITIONS = """
    SELECT instrument, position_side, seq, instrument_version, quantity::text, cost::text, realized_pnl::text,
           realized_unknown, adjusted_pnl::text, fee_value::text, unconfirmed::text, leverage::text, margin_mode,
           opened_at, updated_at, cycles, liquidations, fees::text, funding::text, strategies::text
    FROM book_positions WHERE ledger = $1 ORDER BY instrument, position_side"""

_GET_CYCLES = """
    SELECT position_side, number, side, quantity::text, opened_at, closed_at, realized_pnl::text, liquidated,
           fees::text, funding::text
    FROM book_cycles WHERE ledger = $1 AND instrument = $2
    ORDER BY closed_at, opened_at, position_side, number"""

_GET_BALANCES = """
    SELECT currency, seq, traded::text, realized::text, fees::text, funding::text, adjustments::text, opening::text,
           realized_unknown, transfers::text
    FROM balances WHERE ledger = $1 ORDER BY currency"""

_GET_ORDERS = """
    SELECT venue_order_id, client_order_id, instrument, position_side, side, quantity::text, filled::text, status,
           price::text, trigger_price::text, order_type, reduce_only, updated_at
    FROM orders WHERE ledger = $1 ORDER BY venue_order_id"""

_FIND_KEYS = "SELECT key, seq FROM fact_keys WHERE ledger = $1 AND key = ANY ($2::text[])"

_GET_KEYS = """
    SELECT key FROM fact_keys WHERE ledger = $1 AND key > $2 ORDER BY key LIMIT $3"""

_HASH_BY = (
    "SELECT first + count - 1, hash, recorded_at FROM frames WHERE ledger = $1 AND first <= $2 ORDER BY first DESC"
)

_HASHES = "SELECT first, hash FROM frames WHERE ledger = $1 AND first = ANY ($2::bigint[])"

_PUT_INSTANCE = """
    INSERT INTO instances (instance_id, host, pid, version, started_at, heartbeat_at, is_leader)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (instance_id) DO UPDATE
    SET host = excluded.host, pid = excluded.pid, version = excluded.version, started_at = excluded.started_at,
        heartbeat_at = excluded.heartbeat_at, is_leader = excluded.is_leader"""

_GET_INSTANCES = """
    SELECT instance_id, host, pid, version, started_at, heartbeat_at, is_leader FROM instances
    ORDER BY instance_id"""

_BROUGHT_UP = "UPDATE ledgers SET viewed = $2 WHERE id = $1"

_RowT = TypeVar("_RowT")
_Answer = TypeVar("_Answer")


class PostgresViews:
    """`ports.Views` in the database that holds the journal."""

    def __init__(self, database: Database, booking: Booking, derived: Sequence[str]) -> None:
        self._database = database
        self._booking = booking
        self._derived = derived

    # --- writing ---

    def apply(self, changes: Sequence[Change]) -> None:
        """Write changes, each in one transaction: the frames where the journal does not hold them yet, and the rows.

        A change that is there already, frame by frame, changes nothing.

        Raises:
            ViewsFailed: The database failed, or frames do not continue those applied (a gap, or another history).
            ValueError: A change contradicts itself.
        """
        for change in changes:
            require_sound(change)
        for change in changes:
            self._database.write(partial(self._apply, change=change), ViewsFailed)

    def forget(self, ledger: AccountId) -> None:
        """Drop every derived row of a ledger, before it is brought up again. Frames stay."""

        async def work(connection: Transaction) -> None:
            await connection.execute(LOCK_LEDGER, ledger)
            row = await ledger_row(connection, ledger)
            for table in self._derived:
                await connection.execute(f"DELETE FROM {table} WHERE ledger = $1", row.id)  # noqa: S608 - our own tables
            await connection.execute(_BROUGHT_UP, row.id, 0)

        self._database.write(work, ViewsFailed)

    def beat(self, instance: Instance) -> None:
        """Note that a process is alive."""

        async def work(connection: Transaction) -> None:
            *row, is_leader = views_rows.instance_row(instance)
            await connection.execute(_PUT_INSTANCE, *row, bool(is_leader))

        self._database.write(work, ViewsFailed)

    # --- reading ---

    def applied(self, ledger: AccountId) -> Seq:
        """Last seq whose effects are in the views; 0 when none."""
        return self._read(ledger, _viewed)

    def head(self, ledger: AccountId) -> Head:
        """The last frame whose effects are in the views; ``Head(0, GENESIS)`` when none."""
        return self._read(ledger, _viewed_head)

    def ledgers(self) -> Sequence[AccountId]:
        """Every ledger with rows."""

        async def work(connection: Transaction) -> Sequence[AccountId]:
            rows = await connection.fetch("SELECT name FROM ledgers WHERE viewed > 0 ORDER BY name")
            return [AccountId(row["name"]) for row in rows]

        return self._database.read(work, ViewsFailed)

    def positions(self, ledger: AccountId) -> tuple[Seq, Sequence[Position]]:
        """All positions, flat ones included, with the seq they are true at."""

        async def work(connection: Transaction, row: LedgerRow) -> tuple[Seq, Sequence[Position]]:
            found = await connection.fetch(_GET_INSTRUMENTS, row.id)
            terms = {(i.symbol, i.version): i for i in map(views_rows.instrument_from, map(tuple, found))}
            rows = await connection.fetch(_GET_POSITIONS, row.id)
            return row.viewed, [views_rows.position_from(ledger, terms, tuple(position)) for position in rows]

        return self._read(ledger, work)

    def balances(self, ledger: AccountId) -> tuple[Seq, Sequence[Balance]]:
        """All balances, with the seq they are true at."""
        return self._rows(ledger, _GET_BALANCES, views_rows.balance_from)

    def orders(self, ledger: AccountId) -> tuple[Seq, Sequence[OpenOrder]]:
        """All open orders, with the seq they are true at."""
        return self._rows(ledger, _GET_ORDERS, views_rows.order_from)

    def cycles(self, ledger: AccountId, instrument: str) -> Sequence[tuple[str, Cycle]]:
        """Closed cycles of an instrument as (position side, cycle), oldest first."""

        async def work(connection: Transaction, row: LedgerRow) -> Sequence[tuple[str, Cycle]]:
            rows = await connection.fetch(_GET_CYCLES, row.id, instrument)
            return [views_rows.cycle_from(tuple(cycle)) for cycle in rows]

        return self._read(ledger, work)

    def find(self, ledger: AccountId, keys: Sequence[str]) -> Mapping[str, Seq]:
        """Which of the fact keys are known, and where."""

        async def work(connection: Transaction, row: LedgerRow) -> Mapping[str, Seq]:
            found = await connection.fetch(_FIND_KEYS, row.id, list(keys))
            return {key: Seq(seq) for key, seq in found}

        return self._read(ledger, work)

    def keys(self, ledger: AccountId) -> Iterator[str]:
        """Every fact key of a ledger."""
        last = ""
        while page := self._read(ledger, partial(_keys, last=last)):
            yield from page
            last = page[-1]

    def frames(self, ledger: AccountId, after: Seq = Seq(0)) -> Iterator[Frame]:
        """The frames of the journal as far as the views are true; their hashes are not verified."""
        until = self.applied(ledger)
        for frame in stored_frames(self._database, ledger, after, ViewsFailed):
            if frame.last > until:
                return
            yield frame

    def instances(self) -> Sequence[Instance]:
        """Every process that noted it is alive, by id."""

        async def work(connection: Transaction) -> Sequence[Instance]:
            return [views_rows.instance_from(tuple(row)) for row in await connection.fetch(_GET_INSTANCES)]

        return self._database.read(work, ViewsFailed)

    def check(self) -> Sequence[str]:
        """Try every rule between rows that no constraint expresses; what is wrong, in sentences."""
        rows_beyond = " UNION ALL ".join(
            f"SELECT name, '{table}' AS found FROM {table} JOIN ledgers ON id = ledger WHERE seq > viewed"  # noqa: S608 - our own tables
            for table in self._derived
        )

        async def work(connection: Transaction) -> Sequence[str]:
            rows = await connection.fetch(f"SELECT DISTINCT name, found FROM ({rows_beyond}) AS beyond ORDER BY 1, 2")  # noqa: S608 - as above
            return [f"rows of what is not applied yet: {row['name']} in {row['found']}" for row in rows]

        try:
            return self._database.read(work, ViewsFailed)
        except ViewsFailed as failure:
            return [failure.message]

    def close(self) -> None:
        """The database is closed with the storage."""

    # --- transactions ---

    async def _apply(self, connection: Transaction, change: Change) -> None:
        await connection.execute(LOCK_LEDGER, change.ledger)
        row = await ledger_row(connection, change.ledger)
        first = change.frames[0].first
        if change.seq <= row.viewed:
            await self._require_there(connection, row, change)
        elif first != row.viewed + 1:
            raise ViewsFailed(
                f"{self._database.address}: frames of {change.ledger} are missing between {row.viewed} and {first}.",
                remedy=REBUILD,
            )
        elif change.seq <= row.head.seq:
            await self._require_there(connection, row, change)
            await self._booking.put_rows(connection, row.id, change)
            await connection.execute(_BROUGHT_UP, row.id, change.seq)
        elif change.frames[0].previous != row.head.hash:
            raise self._other_history(change.frames[0])
        else:
            await self._booking.book(connection, change, epoch=row.epoch, rows=True, again=True)

    async def _require_there(self, connection: Transaction, row: LedgerRow, change: Change) -> None:
        found = await connection.fetch(_HASHES, row.id, [frame.first for frame in change.frames])
        hashes = {first: Hash(hash_) for first, hash_ in found}
        for frame in change.frames:
            if hashes.get(frame.first) != frame.hash:
                raise self._other_history(frame)

    def _other_history(self, frame: Frame) -> ViewsFailed:
        return ViewsFailed(
            f"{self._database.address}: frame {frame.first} of {frame.ledger} belongs to another history.",
            remedy="Compare the two with `trueup journal verify`; one of them is not this ledger.",
        )

    def _rows(
        self, ledger: AccountId, sql: str, from_row: Callable[[AccountId, views_rows.Row], _RowT]
    ) -> tuple[Seq, Sequence[_RowT]]:
        async def work(connection: Transaction, row: LedgerRow) -> tuple[Seq, Sequence[_RowT]]:
            return row.viewed, [from_row(ledger, tuple(found)) for found in await connection.fetch(sql, row.id)]

        return self._read(ledger, work)

    def _read(self, ledger: AccountId, query: Callable[[Any, LedgerRow], Awaitable[_Answer]]) -> _Answer:
        async def work(connection: Transaction) -> _Answer:
            return await query(connection, await ledger_row(connection, ledger))

        try:
            return self._database.read(work, ViewsFailed)
        except (ArithmeticError, LookupError, ValueError, msgspec.MsgspecError) as error:
            raise ViewsFailed(
                f"{self._database.address}: a row trueup did not write ({error!r}).", remedy=REBUILD
            ) from error


async def _viewed(_connection: object, row: LedgerRow) -> Seq:
    return row.viewed


async def _viewed_head(connection: Transaction, row: LedgerRow) -> Head:
    if row.viewed == row.head.seq:
        return row.head
    found = await connection.fetchrow(_HASH_BY, row.id, row.viewed)
    return Head(Seq(0), GENESIS) if found is None else Head(found[0], Hash(found[1]), found[2])


async def _keys(connection: Transaction, row: LedgerRow, last: str) -> Sequence[str]:
    return [key for (key,) in await connection.fetch(_GET_KEYS, row.id, last, KEYS_A_PAGE)]
