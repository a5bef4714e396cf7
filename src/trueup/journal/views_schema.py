"""Brings the schema of the views up to date: the numbered files of ``migrations/``, forward only.

Each file runs once, in a transaction of its own, and its hash is kept: a database written by a newer trueup, or by
files that were edited after they had run, is refused rather than guessed at.
"""

from collections.abc import Sequence
from pathlib import Path

import apsw

from trueup.journal.migration import Edited, Migration, Newer, pending
from trueup.journal.sqlite import REBUILD
from trueup.model.errors import ViewsFailed

APPLICATION_ID = 0x74727570
"""``trup``: what ``file`` and we recognise our databases by."""

_TABLE = """
    CREATE TABLE IF NOT EXISTS migrations (
        number INTEGER PRIMARY KEY, name TEXT NOT NULL, hash BLOB NOT NULL
    ) STRICT"""


def migrate(db: apsw.Connection, path: Path, migrations: Sequence[Migration]) -> None:
    """Run what has not run yet.

    Raises:
        ViewsFailed: Another program's database, a newer schema, or a migration that was edited after it had run.
    """
    if db.pragma("application_id") != APPLICATION_ID and not _empty(db):
        raise ViewsFailed(f"{path} is another program's database.", remedy="Name another data directory.")
    try:
        missing = pending(_done(db), migrations)
    except Newer as unfit:
        raise ViewsFailed(
            f"{path}: {unfit}",
            remedy="Use the version that wrote it or a later one, or run `trueup views rebuild`.",
        ) from unfit
    except Edited as unfit:
        raise ViewsFailed(f"{path}: {unfit}", remedy=REBUILD) from unfit
    for migration in missing:
        _run(db, migration)


def _empty(db: apsw.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_schema").fetchone() is None


def _done(db: apsw.Connection) -> list[bytes]:
    if not db.table_exists("main", "migrations"):
        return []
    return [hash_ for (hash_,) in db.execute("SELECT hash FROM migrations ORDER BY number")]


def _run(db: apsw.Connection, migration: Migration) -> None:
    with db:
        db.execute(_TABLE)
        db.execute(migration.sql)
        db.execute("INSERT INTO migrations VALUES (?, ?, ?)", (migration.number, migration.name, migration.hash))
        db.pragma("application_id", APPLICATION_ID)
        db.pragma("user_version", migration.number)
