"""Brings a database's schema up to date: the numbered files of ``migrations/``, forward only.

Each runs once, in a transaction of its own that holds a lock, so that two programs that start together do not both run
it. A database that holds frames is changed only when a person asks for it, after a backup.
"""

from collections.abc import Sequence
from typing import NamedTuple

from trueup.journal.migration import Edited, Migration, Newer, known, pending
from trueup.journal.postgres.database import Database
from trueup.journal.postgres.transaction import Transaction
from trueup.model.errors import NotFound, SchemaOutdated, StorageError

PACKAGE = "trueup.journal.postgres"

LOCK = 0x74727565
"""``true``: the advisory lock of whoever changes the schema."""

TABLE = """\
CREATE TABLE trueup_migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    ran_at timestamptz NOT NULL DEFAULT now()
);
"""

_RAN = "INSERT INTO trueup_migrations (number, name, hash) VALUES ($1, $2, $3)"

_RAN_FILE = "INSERT INTO trueup_migrations (number, name, hash)"

_GUARDS = """
    SELECT tgname::text FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
    WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal AND tgenabled IN ('O', 'A')"""

GUARDS = frozenset({"journal_is_append_only", "frames_are_a_chain", "ledgers_only_advance", "head_is_the_last_frame"})
"""Triggers by which the database itself protects the journal."""


class Schema(NamedTuple):
    """How a database stands.

    Attributes:
        done: Hashes of the migrations that ran in it.
        missing: Those that have to run yet.
        frames: Whether it holds any.
        guards: Triggers that are there and on.
    """

    done: Sequence[bytes]
    missing: Sequence[Migration]
    frames: bool
    guards: frozenset[str]

    @property
    def fresh(self) -> bool:
        """Whether nothing of ours is in it yet."""
        return not self.done


def migrations() -> list[Migration]:
    """The migrations this version brings, in order."""
    return known(PACKAGE)


def read_schema(database: Database) -> Schema:
    """How the schema stands.

    Raises:
        StorageError: It cannot be read, or is newer than this version, or was edited.
    """
    return database.read(lambda connection: schema(connection, database), StorageError)


def require_schema(database: Database, *, create: bool) -> None:
    """Make the schema in an empty database, and refuse one that does not fit.

    Raises:
        NotFound: There is none, and none is to be made.
        SchemaOutdated: It waits for an upgrade.
        StorageError: As :func:`read_schema`; or the journal's guards are off.
    """
    found = read_schema(database)
    if found.fresh and not create:
        raise NotFound(f"{database.address} holds no ledgers.", remedy="Import something first (trueup import --help).")
    if found.missing and found.frames:
        raise SchemaOutdated(
            f"{database.address} has schema {len(found.done)}, and this trueup needs {len(migrations())}.",
            remedy="Run `trueup db upgrade --backup-to DIR`.",
        )
    if found.missing:
        upgrade(database)
        found = read_schema(database)
    if off := sorted(GUARDS - found.guards):
        raise StorageError(
            f"{database.address}: the triggers {', '.join(off)}, which protect the journal, are missing or disabled.",
            remedy="Enable them (ALTER TABLE … ENABLE TRIGGER), and find out who disabled them.",
        )


def upgrade(database: Database) -> Sequence[str]:
    """Run what has not run yet; returns the names. Raises as :func:`read_schema`."""
    names = []
    while name := database.write(lambda connection: _run_next(connection, database), StorageError):
        names.append(name)
    return names


def as_one_file() -> str:
    """The whole schema as a file for ``psql``, which this version then takes for one it made itself."""
    parts = [_HEAD, TABLE]
    for migration in migrations():
        ran = f"VALUES ({migration.number}, '{migration.name}', '\\x{migration.hash.hex()}');\n"
        parts += [f"-- --- {migration.name} ---\n", migration.sql, f"{_RAN_FILE}\n{ran}"]
    return "\n".join([*parts, "COMMIT;\n"])


async def _run_next(connection: Transaction, database: Database) -> str | None:
    await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
    found = await schema(connection, database)
    if not found.missing:
        return None
    if found.fresh:
        await connection.execute(TABLE)
    migration = found.missing[0]
    await connection.execute(migration.sql)
    await connection.execute(_RAN, migration.number, migration.name, migration.hash)
    return migration.name


async def schema(connection: Transaction, database: Database) -> Schema:
    """How the schema stands. Raises as :func:`read_schema`."""
    there = await connection.fetchval("SELECT to_regclass('trueup_migrations') IS NOT NULL")
    if not there:
        return Schema([], migrations(), frames=False, guards=frozenset())
    rows = await connection.fetch("SELECT hash FROM trueup_migrations ORDER BY number")
    done = [row["hash"] for row in rows]
    try:
        missing = pending(done, migrations())
    except Newer as unfit:
        raise StorageError(
            f"{database.address}: {unfit}", remedy="Use the version that wrote it or a later one."
        ) from unfit
    except Edited as unfit:
        raise StorageError(
            f"{database.address}: {unfit}", remedy="Install trueup anew; never edit a migration that has run."
        ) from unfit
    frames = await connection.fetchval("SELECT EXISTS (SELECT FROM frames)")
    guards = frozenset(row["tgname"] for row in await connection.fetch(_GUARDS))
    return Schema(done, missing, frames=frames, guards=guards)


_HEAD = """\
-- The schema of trueup's store, whole. Made from migrations/ and kept equal to them by a test; do not edit it.
--
--   psql --set ON_ERROR_STOP=1 --file schema.sql postgresql://USER@HOST/DATABASE

BEGIN;
"""

if __name__ == "__main__":
    import sys

    sys.stdout.write(as_one_file())
