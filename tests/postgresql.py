"""A real PostgreSQL for tests: a database of each test process, and in it a schema of each test.

The server is the one on this machine unless TRUEUP_TEST_POSTGRES gives another address; its role must be a superuser.
Without a server such tests are skipped, unless TRUEUP_REQUIRE_SERVICES=1 asks for failure.
"""

import asyncio
import os
from collections.abc import Sequence
from time import monotonic
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.processes import PATIENCE_S

SERVER = os.environ.get("TRUEUP_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
REQUIRED = os.environ.get("TRUEUP_REQUIRE_SERVICES") == "1"

WRITERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'trueup writer' AND state <> 'idle'"""


def ask(url: str, *statements: str) -> Sequence[Any]:
    """Run statements, each by itself; the rows of the last one."""

    async def work() -> Sequence[Any]:
        connection = await asyncpg.connect(url, timeout=60)
        try:
            rows: Sequence[Any] = []
            for statement in statements:
                rows = await connection.fetch(statement)
            return rows
        finally:
            await connection.close()

    return asyncio.run(work())


def await_end_of_writers(url: str) -> None:
    """Wait until the server is done with what clients that are gone had begun in a database."""
    deadline = monotonic() + PATIENCE_S
    while ask(url, WRITERS)[0][0]:
        assert monotonic() < deadline, "a client that is gone still writes"


def require_server() -> None:
    """Skip the test, by name, when there is no server; fail it where one is required."""
    try:
        ask(SERVER, "SELECT 1")
    except (OSError, asyncpg.PostgresError) as error:
        if REQUIRED:
            raise
        pytest.skip(f"no PostgreSQL answers at {SERVER}: {error}")


def database_url(name: str) -> str:
    """The address of a database on the server."""
    return urlunsplit(urlsplit(SERVER)._replace(path=f"/{name}"))


def make_database(name: str) -> str:
    """An empty database; its address."""
    ask(SERVER, f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
    return database_url(name)


def drop_database(name: str) -> None:
    """Drop a database, whoever still has it open."""
    ask(SERVER, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def empty(url: str) -> None:
    """Delete every row of a store, as only a superuser can: with the triggers off that protect the journal."""
    tables = ask(url, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    names = {row["tablename"] for row in tables} - {"trueup_migrations"}
    deletions = [f"DELETE FROM {name}" for name in sorted(names)]
    ask(url, "SET session_replication_role = replica", "SET lock_timeout = '60s'", *deletions)
