"""Connections that fail: work is done once, or refused with what to do, and nobody waits for ever."""

import asyncio
from collections.abc import Iterator
from itertools import repeat
from random import Random
from threading import Thread

import asyncpg
import pytest

from tests.engine.world import ACCOUNT, DEFINED, fill
from tests.postgresql import ask, database_url
from trueup.bootstrap import open_storage, open_store
from trueup.engine.clock import SystemClock
from trueup.engine.store import Store
from trueup.journal.postgres import database as database_module
from trueup.journal.postgres import limits
from trueup.journal.postgres.address import Address
from trueup.journal.postgres.database import Answer, Database, Work, pause
from trueup.journal.postgres.settings import DURABLE, refuse_off
from trueup.journal.postgres.storage import PostgresStorage
from trueup.journal.postgres.transaction import Transaction
from trueup.model.errors import JournalFailed, NotDurable, StorageError, ViewsFailed

PATIENCE_S = 60

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def store(postgres: str) -> Iterator[Store]:
    opened = open_store(Address.parse(postgres))
    opened.ledger(ACCOUNT).book_facts([DEFINED])
    yield opened
    opened.close()


@pytest.fixture
def database(postgres: str) -> Iterator[Database]:
    made = Database(Address.parse(postgres), SystemClock(), Random(1))
    yield made
    made.close()


def frames(url: str) -> int:
    return int(ask(url, "SELECT count(*) FROM frames")[0][0])


class Cut:
    """Loses the connection around the next transactions of the writer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, committed: bool, times: int = 1) -> None:
        self.left = times
        self._committed = committed
        self._write = Database._write
        cut = self

        async def write(database: Database, work: Work[Answer]) -> Answer:
            return await cut.write(database, work)

        monkeypatch.setattr(Database, "_write", write)

    async def write(self, database: Database, work: Work[Answer]) -> Answer:
        if not self.left:
            return await self._write(database, work)
        self.left -= 1
        if self._committed:
            await self._write(database, work)
        assert database._writer is not None
        database._writer.terminate()
        raise ConnectionResetError("the connection was cut")


class TestOutcome:
    def test_a_commit_whose_answer_was_lost_is_acknowledged_and_stands_once(
        self, store: Store, postgres: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ledger = store.ledger(ACCOUNT)
        cut = Cut(monkeypatch, committed=True, times=3)
        assert ledger.book_facts([fill(1)]).booked == 1
        assert (cut.left, frames(postgres)) == (0, 2)
        assert ledger.book_facts([fill(1), fill(2)]).booked == 1

    def test_a_commit_that_never_was_is_sent_again(
        self, store: Store, postgres: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ledger = store.ledger(ACCOUNT)
        cut = Cut(monkeypatch, committed=False, times=3)
        assert ledger.book_facts([fill(1)]).booked == 1
        assert (cut.left, frames(postgres)) == (0, 2)

    def test_one_that_stays_unknown_is_not_acknowledged_and_found_when_the_ledger_is_opened_again(
        self, store: Store, postgres: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "TRIES_MAX", 2)
        cut = Cut(monkeypatch, committed=True, times=2)
        with pytest.raises(JournalFailed, match="the connection was cut"):
            store.ledger(ACCOUNT).book_facts([fill(1)])
        with pytest.raises(JournalFailed, match="stopped booking"):
            store.ledger(ACCOUNT).book_facts([fill(2)])
        assert cut.left == 0
        receipt = store.reopen(ACCOUNT).book_facts([fill(1), fill(2)])
        assert (receipt.already, receipt.booked) == (1, 1)
        assert frames(postgres) == 3


class TestConnections:
    def test_after_the_server_ended_all_connections_booking_and_reading_go_on(
        self, store: Store, postgres: str
    ) -> None:
        ledger = store.ledger(ACCOUNT)
        ledger.book_facts([fill(1)])
        store.views.positions(ACCOUNT)
        ended = ask(
            postgres,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'trueup %'",
        )
        assert len(ended) == 2
        assert ledger.book_facts([fill(2)]).booked == 1
        assert store.views.positions(ACCOUNT)[0] == 3

    def test_a_writer_waits_for_another_transaction_and_goes_on(self, store: Store, postgres: str) -> None:
        ledger = store.ledger(ACCOUNT)
        booked: list[int] = []
        thread = Thread(target=lambda: booked.append(ledger.book_facts([fill(1)]).booked))

        async def hold() -> None:
            connection = await asyncpg.connect(postgres)
            async with connection.transaction():
                await connection.execute("SELECT FROM ledgers FOR UPDATE")
                thread.start()
                for waiting in repeat(WAITING):
                    if await connection.fetchval(waiting):
                        break
                assert booked == []
            await connection.close()

        asyncio.run(asyncio.wait_for(hold(), PATIENCE_S))
        thread.join(PATIENCE_S)
        assert booked == [1]

    def test_a_deadlock_is_tried_again(self, database: Database) -> None:
        database.write(lambda connection: connection.execute("SELECT 1"), StorageError)
        tried = 0

        async def work(connection: Transaction) -> int:
            nonlocal tried
            tried += 1
            if tried < 3:
                await connection.execute("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40P01'; END $$")
            return tried

        assert database.write(work, StorageError) == 3

    def test_what_cannot_pass_is_not_tried_again_and_names_its_state_and_constraint(self, database: Database) -> None:
        tried = 0

        async def work(connection: Transaction) -> None:
            nonlocal tried
            tried += 1
            await connection.execute(
                "CREATE TEMP TABLE t (x int CONSTRAINT positive CHECK (x > 0)); INSERT INTO t SELECT 0"
            )

        with pytest.raises(ViewsFailed, match=r"\(SQLSTATE 23514, constraint positive\)"):
            database.write(work, ViewsFailed)
        assert tried == 1

    def test_where_nobody_listens_it_ends_after_so_many_tries(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "TRIES_MAX", 3)
        monkeypatch.setattr(limits, "BACKOFF_FIRST_S", 0.001)
        with pytest.raises(StorageError, match=r"postgresql://u:\*\*\*@127\.0\.0\.1:1/db") as refused:
            open_store(Address.parse("postgresql://u:hunter2@127.0.0.1:1/db"))
        assert "can be reached" in refused.value.remedy
        assert "hunter2" not in str(refused.value)

    def test_a_database_that_is_not_there_is_named_with_what_to_do(self, postgres: str) -> None:
        with pytest.raises(StorageError, match="3D000") as refused:
            open_store(Address.parse(database_url("trueup_nowhere")))
        assert "CREATE DATABASE" in refused.value.remedy

    def test_a_closed_database_says_so(self, database: Database) -> None:
        database.close()
        database.close()
        with pytest.raises(ViewsFailed, match="is closed"):
            database.read(lambda connection: connection.fetch("SELECT 1"), ViewsFailed)

    def test_an_answer_that_does_not_come_is_not_waited_for_without_end(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "ANSWER_TIMEOUT_S", 0.05)
        with pytest.raises(StorageError, match="TimeoutError"):
            database.read(lambda connection: connection.execute("SELECT pg_sleep(60)"), StorageError)


class TestReaders:
    def test_readers_leave_nothing_in_their_sessions_that_a_pooler_would_break(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ledger = store.ledger(ACCOUNT)
        ledger.book_facts([fill(number) for number in range(10)])
        monkeypatch.setattr(limits, "POOL_MAX", 1)
        views = store.views
        for read in (views.positions, views.balances, views.orders, views.head, views.applied):
            read(ACCOUNT)
        assert len(list(ledger.events())) == 11
        left = _left_behind(store)
        assert left == {"statements": 0, "channels": 0, "locks": 0, "settings": 0}

    def test_the_pool_is_bounded(self, store: Store) -> None:
        threads = [Thread(target=lambda: [store.views.positions(ACCOUNT) for _ in range(5)]) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        storage = store._storage
        assert isinstance(storage, PostgresStorage)
        assert storage.database._pool is not None
        assert 1 <= storage.database._pool.get_size() <= limits.POOL_MAX

    def test_readers_cannot_write(self, database: Database) -> None:
        with pytest.raises(ViewsFailed, match="25006"):
            database.read(lambda connection: connection.execute("CREATE TABLE t ()"), ViewsFailed)


def _left_behind(store: Store) -> dict[str, int]:
    async def look(connection: Transaction) -> dict[str, int]:
        row = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM pg_prepared_statements WHERE name <> '') AS statements,"
            " (SELECT count(*) FROM pg_listening_channels()) AS channels,"
            " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks,"
            " (SELECT count(*) FROM pg_settings"
            "  WHERE source = 'session' AND name NOT LIKE 'transaction_%') AS settings"
        )
        return dict(row or {})

    storage = store._storage
    assert isinstance(storage, PostgresStorage)
    return storage.database.read(look, StorageError)


class TestSettings:
    def test_a_server_that_acknowledges_before_it_is_durable_is_refused(self, postgres: str) -> None:
        with pytest.raises(NotDurable, match="synchronous_commit = off") as refused:
            open_store(Address.parse(f"{postgres}&synchronous_commit=off"))
        assert "synchronous_commit = on" in refused.value.remedy

    @pytest.mark.parametrize("name", DURABLE)
    def test_each_setting_that_durability_needs_is_refused_when_it_is_off(self, name: str) -> None:
        with pytest.raises(NotDurable, match=f"has {name} = off"):
            refuse_off(dict.fromkeys(DURABLE, "on") | {name: "off"}, Address.parse("postgresql://h/db"))

    def test_one_that_is_turned_off_while_it_is_open_stops_the_booking(self, store: Store) -> None:
        storage = store._storage
        assert isinstance(storage, PostgresStorage)
        storage.database.write(lambda connection: connection.execute("SET synchronous_commit = off"), StorageError)
        ledger = store.ledger(ACCOUNT)
        with pytest.raises(JournalFailed, match="synchronous_commit = off"):
            ledger.book_facts([fill(1)])
        assert ledger.head.seq == 1

    def test_a_server_that_only_reads_is_refused(self, postgres: str) -> None:
        with pytest.raises(StorageError, match="only reads") as refused:
            open_storage(Address.parse(f"{postgres}&default_transaction_read_only=on"))
        assert "primary" in refused.value.remedy

    def test_an_old_server_is_refused(self, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "SERVER_VERSION_MIN", 990_000)
        with pytest.raises(StorageError, match="Use version 99 or later"):
            open_store(Address.parse(postgres))


def test_pauses_grow_at_random_and_are_bounded() -> None:
    random = Random(3)
    pauses = [[pause(tried, random) for _ in range(200)] for tried in range(1, 20)]
    for tried, drawn in enumerate(pauses, start=1):
        bound = min(limits.BACKOFF_MAX_S, limits.BACKOFF_FIRST_S * 2 ** (tried - 1))
        assert 0 <= min(drawn) < bound / 4
        assert bound * 3 / 4 < max(drawn) <= bound
    assert database_module.pause(1, Random(5)) == pause(1, Random(5))
