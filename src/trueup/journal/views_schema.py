"""Brings the schema of the views up to date: the numbered files of ``migrations/``, forward only.

Each file runs once, in a transaction of its own, and its hash is kept: a database written by a newer trueup, or by
files that were edited after they had run, is refused rather than guessed at.
"""

from hashlib import blake2b
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import apsw

from trueup.journal.sqlite import REBUILD
from trueup.model.errors import ViewsFailed

APPLICATION_ID = 0x74727570
"""``trup``: what ``file`` and we recognise our databases by."""

_TABLE = """
    CREATE TABLE IF NOT EXISTS migrations (
        number INTEGER PRIMARY KEY, name TEXT NOT NULL, hash BLOB NOT NULL
    ) STRICT"""


class Migration(NamedTuple):
    """One numbered file."""

    number: int
    name: str
    sql: str

    @property
    def hash(self) -> bytes:
        """blake2b-256 of its text."""
        return blake2b(self.sql.encode(), digest_size=32).digest()


def known() -> list[Migration]:
    """The migrations this version brings, in order."""
    files = resources.files("trueup.journal").joinpath("migrations").iterdir()
    named = sorted((file.name, file) for file in files if file.name.endswith(".sql"))
    return [Migration(int(name[:4]), name, file.read_text(encoding="utf-8")) for name, file in named]


def migrate(db: apsw.Connection, path: Path, migrations: list[Migration]) -> None:
    """Run what has not run yet.

    Raises:
        ViewsFailed: Another program's database, a newer schema, or a migration that was edited after it had run.
    """
    if db.pragma("application_id") != APPLICATION_ID and not _empty(db):
        raise ViewsFailed(f"{path} is another program's database.", remedy="Name another data directory.")
    done = _done(db)
    if len(done) > len(migrations):
        raise ViewsFailed(
            f"{path} has schema {len(done)}; this trueup knows {len(migrations)}.",
            remedy="Use the version that wrote it or a later one, or run `trueup views rebuild`.",
        )
    for number, (migration, hash_) in enumerate(zip(migrations, done, strict=False), start=1):
        if migration.number != number or migration.hash != hash_:
            raise ViewsFailed(f"{path}: migration {migration.name} is not the one that ran.", remedy=REBUILD)
    for migration in migrations[len(done) :]:
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
