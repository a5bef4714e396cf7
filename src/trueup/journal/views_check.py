"""What must hold in the views database: its pages, its log, and the rules between rows that no constraint expresses."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import apsw

from trueup.journal import sqlite
from trueup.model.errors import ViewsFailed

FINDINGS_MAX = 100
"""A damaged page can break thousands of rules; the first hundred say enough."""

_DERIVED = (
    *("fact_keys", "instruments", "book_positions", "book_cycles", "book_marks", "balances", "orders"),
    *("book_portfolio", "book_pyramids", "book_details", "book_signals", "book_comparisons"),
)

_LARGE: Mapping[str, tuple[str, int | str, int]] = {"frames": ("first", 0, 64), "fact_keys": ("key", "", 2_000)}
"""Tables that grow with every event: the key within a ledger, what comes before all keys, the rows of a slice."""

_RULES = {
    "a frame does not continue the one before it": """
        SELECT name || ' at ' || first FROM (
            SELECT ledger, first, previous,
                   lag(first + count, 1, 1) OVER chain AS expected_first,
                   lag(hash, 1, zeroblob(32)) OVER chain AS expected_previous
            FROM frames WINDOW chain AS (PARTITION BY ledger ORDER BY first)
        ) JOIN ledgers ON id = ledger
        WHERE first <> expected_first OR previous <> expected_previous""",
    "the last frame is not the head": """
        SELECT name FROM ledgers WHERE NOT EXISTS (
            SELECT 1 FROM frames WHERE ledger = id AND hash = head AND first + count - 1 = applied)""",
}

_AHEAD = {
    table: f"SELECT name FROM {table} JOIN ledgers ON id = ledger WHERE seq > applied"  # noqa: S608 - names from this file
    for table in _DERIVED
}


def findings(db: apsw.Connection) -> Sequence[str]:
    """Reads every page of a database; what is wrong with it, nothing when all is well."""
    found = [str(text) for (text,) in db.execute(f"PRAGMA quick_check({FINDINGS_MAX})") if text != "ok"]
    found += [f"{table}: a row names what is not there" for table, *_ in db.execute("PRAGMA foreign_key_check")]
    for rule, sql in _RULES.items():
        found += [f"{rule}: {where}" for (where,) in db.execute(sql)]
    for table, sql in _AHEAD.items():
        if db.table_exists("main", table):  # a crash may have come before the migration that makes it
            found += [f"rows of what is not applied yet: {name} in {table}" for (name,) in db.execute(sql)]
    return found[:FINDINGS_MAX]


def proving(db: apsw.Connection, path: Path) -> Iterator[None]:
    """Read every page of every table and index, a slice a step, each in a transaction of its own.

    Args:
        db: Fresh, so that pages come from the disk.
        path: Of the file, for the message.

    Raises:
        ViewsFailed: A page is not what it should be, or a row is of a seq that is not applied yet.
        apsw.Error: A page fails its checksum.
    """
    for table in _LARGE:
        yield from _walked(db, table)
    for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        if (table := str(name)) not in _LARGE:
            found = [str(text) for (text,) in db.execute(f"PRAGMA quick_check('{table}')") if text != "ok"]
            _refuse(path, found)
            yield
    for table in _DERIVED:
        _refuse(path, [f"rows of what is not applied yet: {name} in {table}" for (name,) in db.execute(_AHEAD[table])])
        yield


def _walked(db: apsw.Connection, table: str) -> Iterator[None]:
    """Read a large table, all of its columns, in the order of its key."""
    key, before_all, limit = _LARGE[table]
    after: tuple[object, ...] = (0, before_all)
    sql = f"SELECT ledger, {key}, * FROM {table} WHERE (ledger, {key}) > (?, ?) ORDER BY ledger, {key} LIMIT {limit}"  # noqa: S608 - names from this file
    while rows := db.execute(sql, after).fetchall():
        after = rows[-1][:2]
        yield


def _refuse(path: Path, found: Sequence[str]) -> None:
    if found:
        raise ViewsFailed(f"{path}: {found[0]}.", remedy=sqlite.REBUILD)


def require_whole_log(db: apsw.Connection, path: Path, unlogged: int | None, log_bytes: int) -> None:
    """Refuses a database whose write-ahead log, left by a crash, has lost transactions that are partly in the file.

    SQLite ends such a log at the first frame whose checksum fails. The pages before that may then be older than what
    a checkpoint had copied into the file, and the two would be mixed without any page being wrong in itself.

    Args:
        db: Open, with its log read.
        path: Of the file, for the message.
        unlogged: Number of transactions by the file alone, from before its log was read; None when it cannot tell.
        log_bytes: Size of the log at that time.
    """
    logged = transactions(db)
    if unlogged is not None and unlogged > (logged or 0):
        lost = f"the write-ahead log has lost its end (transaction {logged}, the file has {unlogged})"
        raise ViewsFailed(f"{path}: {lost}.", remedy=sqlite.REBUILD)
    frames, _ = db.wal_checkpoint("main", apsw.SQLITE_CHECKPOINT_NOOP)
    if log_bytes and not frames and logged is not None:  # nothing of it can be read: rare, so read everything else
        found = findings(db)
        if found:
            raise ViewsFailed(f"{path}: the write-ahead log is unreadable; {found[0]}.", remedy=sqlite.REBUILD)


def transactions(db: apsw.Connection) -> int | None:
    """How many transactions wrote to the views; None when the database has no tables yet."""
    if not db.table_exists("main", "transactions"):
        return None
    number = db.execute("SELECT number FROM transactions").get
    return number if isinstance(number, int) else None


def transactions_without_log(path: Path) -> int | None:
    """The same by the file alone; None where that cannot be read without its log, as after a crash in a checkpoint."""
    try:
        db = sqlite.open_without_log(path)
        try:
            return transactions(db)
        finally:
            db.close(force=True)
    except apsw.Error:
        return None
