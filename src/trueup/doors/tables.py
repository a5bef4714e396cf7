"""The file that ``DB_PATH`` names: the tables ``positions`` and ``position_history``, copied from the store's views.

It is an ordinary SQLite file beside the journal, and nothing but a copy: what is deleted or changed in it is there
again after the next change. It is not the views database itself, since a program reads it with the SQLite that comes
with Python, and two SQLite libraries in one process do not see each other's locks; so that same library writes it.
"""

import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path
from threading import Lock

from trueup.engine.store import Store
from trueup.journal.sqlite import open_reader, refusing
from trueup.journal.views import SqliteViews
from trueup.model.errors import BadInput, ViewsFailed
from trueup.model.identifiers import CONTROL

APPLICATION_ID = 0x74727074
"""``trpt``: what tells this file from another program's database."""

LOCK_WAIT_S = 1.0
"""How long to wait for a reader in a transaction; the next change tries again."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "positions": (
        "asset", "entry_price", "current_price", "size", "leverage", "venue", "liquidation_price", "opened_at",
        "closed_at", "updated_at", "last_reconciled_at", "status", "account", "position_side", "realized_pnl",
    ),
    "position_history": ("id", "asset", "event_type", "old_values", "new_values", "timestamp", "account"),
}  # fmt: skip


_TURN = Lock()
"""What is read last is written last, whoever copies."""


class Tables:
    """The copy in one file.

    Args:
        path: Of the file.
        store: Whose views are copied.

    Attributes:
        trouble: Why the copy is not up to date, in words; empty while it is.

    Raises:
        BadInput: The file is another program's.
    """

    def __init__(self, path: Path, store: Store) -> None:
        self.trouble = ""
        self._path = path
        self._store = store
        self._make()
        self.copy()

    def copy(self, assets: Collection[str] | None = None) -> None:
        """Bring the tables up to date.

        A copy that cannot be written, or not now, takes nothing back of what was booked: it is noted in ``trouble``,
        and the next one copies everything.

        Args:
            assets: What may have changed; None for everything.
        """
        with _TURN:
            wanted = None if self.trouble else assets
            try:
                self._write(self._rows(wanted), wanted)
            except (ViewsFailed, sqlite3.Error) as error:
                self.trouble = f"{self._path} is not up to date: {error}"
            else:
                self.trouble = ""

    def _make(self) -> None:
        try:
            with closing(self._connected()) as db, db:
                (whose,) = db.execute("PRAGMA application_id").fetchone()
                (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
                if tables and whose != APPLICATION_ID:
                    raise _not_ours(self._path, "another program's database")
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                for table, columns in COLUMNS.items():
                    db.execute(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(f'{name} TEXT' for name in columns)})")
                    db.execute(f"CREATE INDEX IF NOT EXISTS {table}_by_asset ON {table} (asset)")
        except sqlite3.Error as error:
            raise _not_ours(self._path, str(error)) from error

    def _connected(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=LOCK_WAIT_S)
        db.execute("PRAGMA synchronous = OFF")  # a copy: after a power loss it is made anew
        return db

    def _rows(self, assets: Collection[str] | None) -> Mapping[str, list[tuple[object, ...]]]:
        views = self._store.views
        for account in self._store.heads():
            if account != CONTROL:
                self._store.synced(account)
        if not isinstance(views, SqliteViews):
            raise TypeError("only the views of a data directory are copied")
        with refusing(views.path), closing(open_reader(views.path)) as db:
            return {table: list(db.execute(*_selecting(table, assets))) for table in COLUMNS}

    def _write(self, rows: Mapping[str, list[tuple[object, ...]]], assets: Collection[str] | None) -> None:
        with closing(self._connected()) as db, db:
            for table, columns in COLUMNS.items():
                where, names = _of(assets)
                db.execute(f"DELETE FROM {table}{where}", names)  # noqa: S608 - names of our own
                marks = ", ".join("?" * len(columns))
                db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows[table])  # noqa: S608 - as above


def _selecting(table: str, assets: Collection[str] | None) -> tuple[str, tuple[str, ...]]:
    where, names = _of(assets)
    return f"SELECT {', '.join(COLUMNS[table])} FROM {table}{where}", names  # noqa: S608 - names of our own


def _of(assets: Collection[str] | None) -> tuple[str, tuple[str, ...]]:
    if assets is None:
        return "", ()
    return f" WHERE asset IN ({', '.join('?' * len(assets))})", tuple(assets)


def _not_ours(path: Path, problem: str) -> BadInput:
    return BadInput(
        "db_path", path, problem, remedy="Name another file, or move that one away: trueup makes its own anew."
    )
