"""Schemas: made once, forward only, refused when they are another version's, and one file says the same."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib import resources
from pathlib import Path

import pytest

from tests.engine.world import ACCOUNT, DEFINED, fill
from tests.postgresql import ask
from trueup.bootstrap import back_up_outdated, open_destination, open_outdated, open_storage, open_store
from trueup.engine.clock import SystemClock
from trueup.engine.proving import verify
from trueup.journal.migration import Migration
from trueup.journal.postgres import migrations as module
from trueup.journal.postgres.address import Address
from trueup.model.errors import NotFound, SchemaOutdated, StorageError

SCHEMA = """
    SELECT 'column', table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
    WHERE table_schema = current_schema()
    UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '' FROM pg_constraint
    WHERE connamespace = current_schema()::regnamespace
    UNION ALL
    SELECT 'index', tablename, indexname, replace(indexdef, current_schema(), ''), '', '' FROM pg_indexes
    WHERE schemaname = current_schema()
    UNION ALL
    SELECT 'trigger', tgrelid::regclass::text, tgname, tgenabled::text, tgtype::text, '' FROM pg_trigger
    JOIN pg_class ON pg_class.oid = tgrelid
    WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal
    ORDER BY 1, 2, 3, 4"""

RAN = "SELECT number, name, encode(hash, 'hex') FROM trueup_migrations ORDER BY number"

LATER = Migration(99, "0099_later.sql", "CREATE TABLE later (x integer)")


def schema_file() -> str:
    return resources.files("trueup.journal.postgres").joinpath("schema.sql").read_text(encoding="utf-8")


def known_with(monkeypatch: pytest.MonkeyPatch, *more: Migration) -> Sequence[Migration]:
    """Another version of the program, that knows further migrations."""
    known = module.migrations()
    numbered = [Migration(len(known) + place, name, sql) for place, (_, name, sql) in enumerate(more, start=1)]
    monkeypatch.setattr(module, "migrations", lambda: [*known, *numbered])
    return numbered


@pytest.fixture
def booked(empty_schema: str) -> Address:
    """A store with two events, in a schema of its own that a test may change."""
    address = Address.parse(empty_schema)
    store = open_store(address)
    store.ledger(ACCOUNT).book_facts([DEFINED])
    store.ledger(ACCOUNT).book_facts([fill(1)])
    store.close()
    return address


def test_an_empty_database_gets_the_schema_only_when_a_store_may_be_made(empty_schema: str) -> None:
    address = Address.parse(empty_schema)
    with pytest.raises(NotFound, match="holds no ledgers"):
        open_storage(address)
    assert ask(empty_schema, SCHEMA) == []
    open_storage(address, create=True).close()
    assert [row["name"] for row in ask(empty_schema, RAN)] == [migration.name for migration in module.migrations()]
    open_storage(address).close()


def test_programs_that_start_together_make_it_once(empty_schema: str) -> None:
    address = Address.parse(empty_schema)
    with ThreadPoolExecutor(3) as pool:
        for opened in [pool.submit(open_storage, address, create=True) for _ in range(3)]:
            opened.result(120).close()
    assert len(ask(empty_schema, RAN)) == len(module.migrations())


def test_the_one_file_is_what_the_migrations_say() -> None:
    assert schema_file() == module.as_one_file(), "python -m trueup.journal.postgres.migrations > …/schema.sql"


def test_a_database_made_by_the_one_file_is_the_same_and_is_accepted(empty_schema: str, postgres: str) -> None:
    ask_whole(empty_schema, schema_file())
    assert ask(empty_schema, SCHEMA) == ask(postgres, SCHEMA)
    assert ask(empty_schema, RAN) == ask(postgres, RAN)
    store = open_store(Address.parse(empty_schema), create=False)
    assert store.ledger(ACCOUNT).book_facts([DEFINED, fill(1)]).booked == 2
    store.close()


def ask_whole(url: str, script: str) -> None:
    """Run a script as ``psql`` does, statement by statement."""
    import asyncio

    import asyncpg

    async def work() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(script)
        await connection.close()

    asyncio.run(work())


def test_a_database_with_events_is_upgraded_on_request_only(booked: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    known_with(monkeypatch, LATER)
    with pytest.raises(SchemaOutdated, match="db upgrade"):
        open_store(booked)
    storage = open_outdated(booked)
    assert storage.schema().frames
    assert storage.status().pending == ["0099_later.sql"]
    assert storage.upgrade() == ["0099_later.sql"]
    assert storage.upgrade() == []
    storage.close()
    store = open_store(booked)
    assert store.ledger(ACCOUNT).head.seq == 2
    store.close()


@pytest.mark.parametrize("ran", range(1, len(module.migrations())))
def test_what_an_earlier_version_booked_is_there_after_the_upgrade(
    empty_schema: str, postgres: str, monkeypatch: pytest.MonkeyPatch, ran: int
) -> None:
    address, whole = Address.parse(empty_schema), module.migrations()
    with monkeypatch.context() as earlier:
        earlier.setattr(module, "migrations", lambda: whole[:ran])
        with closing(open_store(address)) as store:
            store.ledger(ACCOUNT).book_facts([DEFINED, fill(1)])
            before = store.ledger(ACCOUNT).head
    with closing(open_outdated(address)) as storage:
        assert storage.upgrade() == [migration.name for migration in whole[ran:]]
    assert ask(empty_schema, SCHEMA) == ask(postgres, SCHEMA)
    with closing(open_store(address)) as store:
        assert store.ledger(ACCOUNT).head == before
        assert store.ledger(ACCOUNT).book_facts([fill(1), fill(2)]).booked == 1


def test_a_database_without_events_is_upgraded_at_once(empty_schema: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address = Address.parse(empty_schema)
    open_storage(address, create=True).close()
    known_with(monkeypatch, LATER)
    open_storage(address).close()
    assert ask(empty_schema, RAN)[-1]["name"] == "0099_later.sql"


def test_a_migration_that_fails_leaves_the_database_as_it_was(booked: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ask(booked.direct, SCHEMA)
    known_with(monkeypatch, Migration(0, "0099_bad.sql", "CREATE TABLE half (x integer); SELECT 1 / 0;"))
    storage = open_outdated(booked)
    with pytest.raises(StorageError, match="22012"):
        storage.upgrade()
    storage.close()
    assert ask(booked.direct, SCHEMA) == before


def test_the_frames_of_an_outdated_database_are_backed_up_and_the_backup_proves_itself(
    booked: Address, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known_with(monkeypatch, LATER)
    storage = open_outdated(booked)
    made = back_up_outdated(storage, tmp_path / "backup", lambda _seq, _head: None)
    storage.close()
    assert (made.new_events, made.findings) == (2, [])
    verified = verify(open_destination(tmp_path / "backup"), "", SystemClock(), tmp_path, lambda *_: None)
    assert (verified.proven, verified.problems) == (True, [])


def test_a_newer_schema_is_refused(booked: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    known = module.migrations()
    ask(booked.direct, f"INSERT INTO trueup_migrations (number, name, hash) VALUES (99, 'x', '\\x{'00' * 32}')")
    with pytest.raises(StorageError, match=f"has schema {len(known) + 1}; this trueup knows {len(known)}"):
        open_store(booked)


def test_a_schema_by_edited_migrations_is_refused(booked: Address) -> None:
    ask(booked.direct, f"UPDATE trueup_migrations SET hash = '\\x{'00' * 32}' WHERE number = 1")
    with pytest.raises(StorageError, match=r"0001_initial\.sql is not the one that ran"):
        open_store(booked)


def test_another_programs_tables_are_left_alone(empty_schema: str) -> None:
    ask(empty_schema, "CREATE TABLE orders (theirs text)", "INSERT INTO orders VALUES ('precious')")
    with pytest.raises(StorageError, match="42P07"):
        open_store(Address.parse(empty_schema))
    assert ask(empty_schema, "SELECT theirs FROM orders")[0]["theirs"] == "precious"
    assert len(ask(empty_schema, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")) == 1
