"""Migrations run once, forward only, whole or not at all; what does not fit is refused."""

from pathlib import Path

import apsw
import pytest

from tests.journal.views_world import ACCOUNT, Writer
from trueup.journal import sqlite
from trueup.journal.migration import Migration, known
from trueup.journal.views import SqliteViews
from trueup.journal.views_schema import APPLICATION_ID, migrate
from trueup.model.errors import ViewsFailed

FIRST = Migration(1, "0001_a.sql", "CREATE TABLE a (x INTEGER) STRICT; CREATE TABLE b (y INTEGER) STRICT;")
SECOND = Migration(2, "0002_b.sql", "ALTER TABLE a ADD COLUMN z TEXT;")
BROKEN = Migration(3, "0003_c.sql", "CREATE TABLE c (x INTEGER) STRICT; CREATE TABLE a (x INTEGER) STRICT;")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "views.db"


def tables(db: apsw.Connection) -> set[object]:
    return {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_those_that_come_with_the_package_are_numbered_without_a_gap() -> None:
    migrations = known()
    assert [migration.number for migration in migrations] == list(range(1, len(migrations) + 1))
    assert migrations[0].name == "0001_initial.sql"


def test_each_runs_once_and_is_written_down(path: Path) -> None:
    db = sqlite.open_writer(path)
    migrate(db, path, [FIRST])
    migrate(db, path, [FIRST, SECOND])
    migrate(db, path, [FIRST, SECOND])
    assert db.execute("SELECT number, name, hash FROM migrations").fetchall() == [
        (1, "0001_a.sql", FIRST.hash),
        (2, "0002_b.sql", SECOND.hash),
    ]
    assert tables(db) == {"a", "b", "migrations"}
    assert db.pragma("user_version") == 2
    assert db.pragma("application_id") == APPLICATION_ID
    db.close()


def test_one_that_fails_leaves_the_schema_before_it(path: Path) -> None:
    db = sqlite.open_writer(path)
    with pytest.raises(apsw.SQLError):
        migrate(db, path, [FIRST, SECOND, BROKEN])
    assert tables(db) == {"a", "b", "migrations"}
    assert db.pragma("user_version") == 2
    db.close()


def test_a_newer_schema_is_refused(path: Path) -> None:
    db = sqlite.open_writer(path)
    migrate(db, path, [FIRST, SECOND])
    with pytest.raises(ViewsFailed, match="has schema 2; this trueup knows 1"):
        migrate(db, path, [FIRST])
    db.close()


def test_one_that_was_edited_after_it_ran_is_refused(path: Path) -> None:
    db = sqlite.open_writer(path)
    migrate(db, path, [FIRST])
    with pytest.raises(ViewsFailed, match=r"0001_a\.sql is not the one that ran"):
        migrate(db, path, [FIRST._replace(sql=FIRST.sql + " -- better"), SECOND])
    assert tables(db) == {"a", "b", "migrations"}
    db.close()


@pytest.mark.parametrize("application_id", [0, 7])
def test_another_programs_database_is_refused_and_left_alone(path: Path, application_id: int) -> None:
    theirs = apsw.Connection(str(path))
    theirs.execute("CREATE TABLE recipes (name TEXT)")
    theirs.pragma("application_id", application_id)
    theirs.close()
    with pytest.raises(ViewsFailed, match="another program's database"):
        SqliteViews(path)
    theirs = apsw.Connection(str(path))
    assert tables(theirs) == {"recipes"}
    theirs.close()


def test_every_table_is_strict(path: Path) -> None:
    views = SqliteViews(path)
    views.apply([Writer().busy_change()])
    assert views._writer is not None
    loose = "SELECT name FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND NOT strict"
    assert views._writer.execute(loose).fetchall() == [("sqlite_schema",)]
    with pytest.raises(apsw.ConstraintError):
        views._writer.execute("UPDATE book_positions SET quantity = x'00'")
    assert views.applied(ACCOUNT) == 20
    views.close()


def test_a_table_without_checksums_is_refused(path: Path) -> None:
    plain = apsw.Connection(str(path))
    migrate(plain, path, known())
    plain.close()
    with pytest.raises(ViewsFailed, match="no checksums"):
        SqliteViews(path)
