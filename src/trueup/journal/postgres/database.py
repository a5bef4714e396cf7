"""Connections to one database: a direct one to write, a bounded pool to read, and how long either is tried for.

Every piece of work is one transaction that may safely be run again, because it finds out by itself whether it has taken
effect already. So whatever the failure was, a lost connection in the middle of COMMIT included, the answer is the same:
on a new connection, after a pause that grows and is drawn at random, run it again, within bounds.

The pool keeps to what a transaction pooler allows: transactions only, no named statement, no session state.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from itertools import count
from random import Random
from typing import Any, TypeAlias, TypeVar

import asyncpg

from trueup.journal.postgres import limits
from trueup.journal.postgres.address import Address
from trueup.journal.postgres.failures import lost, passing, refusal
from trueup.journal.postgres.loop import LoopThread
from trueup.journal.postgres.settings import require_durable, require_primary
from trueup.journal.postgres.transaction import Transaction
from trueup.model.errors import StorageError
from trueup.ports import Clock

Answer = TypeVar("Answer")

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
PooledConnection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

Work = Callable[[Transaction], Awaitable[Answer]]
"""One transaction's work on its connection."""

APPLICATION = "trueup"

_OWN_BOUNDS = {
    "lock_timeout": f"{limits.LOCK_TIMEOUT_MS}ms",
    "statement_timeout": "0",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": f"{limits.COMMAND_TIMEOUT_S:.0f}s",
}
"""In the place of what a server has for sessions in general, for ours have bounds of their own. One that hangs in the
middle of a transaction is ended, since others wait for its locks. To a pooler none of this can be said."""

_WARNING = "01000"
"""A server that is told to stop waiting for its standbys commits all the same, and warns."""


class Database:
    """One database, for threads.

    Args:
        address: Where it is.
        clock: For how long attempts go on.
        random: For the pauses between attempts, so that many clients do not come back at once.
    """

    def __init__(self, address: Address, clock: Clock, random: Random) -> None:
        self.address = address
        self._clock = clock
        self._random = random
        self._loop = LoopThread(f"postgresql {address}")
        self._writer: Connection | None = None
        self._writing = asyncio.Lock()
        self._warned: list[str] = []
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._pooling = asyncio.Lock()

    def write(self, work: Work[Answer], kind: type[StorageError]) -> Answer:
        """Run a transaction on the writer's connection.

        Args:
            work: Must find out by itself whether an earlier run of it was committed.
            kind: Of the error when it fails.

        Raises:
            StorageError: Of that kind: it was refused, or all attempts failed and its outcome is not known.
        """
        return self._run(self._persist(lambda: self._write(work), kind), kind)

    def read(self, work: Work[Answer], kind: type[StorageError]) -> Answer:
        """Run a read-only transaction, which sees one state of the database. Raises as :meth:`write`."""
        return self._run(self._persist(lambda: self._read(work), kind), kind)

    def close(self) -> None:
        """Give the connections back; closing twice is fine."""
        if not self._loop.closed:
            with suppress(TimeoutError):
                self._loop.run(self._disconnect(), limits.COMMAND_TIMEOUT_S)
            self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Answer], kind: type[StorageError]) -> Answer:
        if self._loop.closed:
            work.close()
            raise kind(f"{self.address} is closed.", remedy="Open the store again.")
        try:
            return self._loop.run(work, limits.ANSWER_TIMEOUT_S)
        except TimeoutError as error:
            raise refusal(error, self.address, kind) from error

    async def _persist(self, attempt: Callable[[], Awaitable[Answer]], kind: type[StorageError]) -> Answer:
        began = self._clock.monotonic()
        for tried in count(1):
            try:
                return await attempt()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
                late = self._clock.monotonic() - began >= limits.PATIENCE_S
                if late or tried >= limits.TRIES_MAX or not passing(error):
                    raise refusal(error, self.address, kind) from error
            await asyncio.sleep(pause(tried, self._random))
        raise AssertionError("counting does not end")

    async def _write(self, work: Work[Answer]) -> Answer:
        async with self._writing:
            if self._writer is None or self._writer.is_closed():
                self._writer = await self._connect()
            writer = self._writer
            try:
                self._warned.clear()
                async with writer.transaction(isolation="read_committed"):  # whatever the role's own default is
                    answer = await work(writer)
                self._require_no_warning()
            except BaseException as error:
                if lost(error) or not isinstance(error, Exception):  # also when the caller gave up in the middle
                    writer.terminate()
                raise
            return answer

    async def _read(self, work: Work[Answer]) -> Answer:
        async with self._reader() as reader, reader.transaction(isolation="repeatable_read", readonly=True):
            return await work(reader)

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[PooledConnection]:
        async with self._pooling:
            if self._pool is None:
                self._pool = await self._open_pool()
        async with self._pool.acquire(timeout=limits.COMMAND_TIMEOUT_S) as reader:
            yield reader

    async def _connect(self) -> Connection:
        connection = await asyncpg.connect(
            self.address.direct,
            timeout=limits.CONNECT_TIMEOUT_S,
            command_timeout=limits.COMMAND_TIMEOUT_S,
            server_settings={"application_name": f"{APPLICATION} writer", **_OWN_BOUNDS},
        )
        connection.add_log_listener(self._noticed)
        try:
            await require_durable(connection, self.address)
        except BaseException:
            connection.terminate()
            raise
        return connection

    def _noticed(self, _connection: object, message: asyncpg.PostgresLogMessage) -> None:
        """Note that a commit returned without what was to be waited for: the log of a standby, most of all."""
        if message.sqlstate == _WARNING:
            self._warned.append(str(message))

    def _require_no_warning(self) -> None:
        if self._warned:
            raise ConnectionError(self._warned[0])  # which leaves open what became of the commit, and so does this

    async def _open_pool(self) -> "asyncpg.Pool[asyncpg.Record]":
        return await asyncpg.create_pool(
            self.address.pooled,
            min_size=0,
            max_size=limits.POOL_MAX,
            timeout=limits.CONNECT_TIMEOUT_S,
            command_timeout=limits.COMMAND_TIMEOUT_S,
            statement_cache_size=0,
            init=self._enter,
            reset=_nothing_to_reset,
            server_settings={
                "application_name": f"{APPLICATION} reader",
                **(_OWN_BOUNDS if self.address.pooled == self.address.direct else {}),
            },
        )

    async def _enter(self, reader: Connection) -> None:
        async with reader.transaction():  # which a pooler keeps in one session
            await require_primary(reader, self.address)

    async def _disconnect(self) -> None:
        if self._pool is not None:
            self._pool.terminate()
        if self._writer is not None:
            self._writer.terminate()


def pause(tried: int, random: Random) -> float:
    """Seconds to wait after so many failed attempts: between none and a bound that doubles ("full jitter")."""
    return random.uniform(0, min(limits.BACKOFF_MAX_S, limits.BACKOFF_FIRST_S * 2 ** (tried - 1)))


async def _nothing_to_reset(_connection: object) -> None:
    """Readers leave nothing behind, and with a transaction pooler the next statement may reach another session."""
