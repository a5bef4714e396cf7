"""The tables that people query by the names they know, asked in plain SQL."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.engine.world import store_at
from tests.journal.people_story import ANSWERS, JSON_COLUMNS, tell
from trueup.engine.store import Store


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Path]]:
    path = tmp_path_factory.mktemp("people")
    store = store_at(path)
    tell(store)
    for account in store.accounts():
        store.synced(account)
    yield store, path / "data" / "views.sqlite3"
    store.close()


def asked(path: Path, sql: str) -> list[tuple[object, ...]]:
    """The rows, with JSON read; what a round trip realised in place of the values of its end."""
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        cursor = db.execute(sql)
        names = [name for name, _ in cursor.get_description()]
        return [tuple(map(_plain, names, row)) for row in cursor]


def _plain(name: str, value: object) -> object:
    if name not in JSON_COLUMNS or not isinstance(value, str):
        return value
    read = json.loads(value)
    return read["realized_pnl"] if name == "new_values" and "realized_pnl" in read else read


@pytest.mark.parametrize("sql", ANSWERS, ids=lambda sql: sql.rpartition(" ")[2])
def test_a_query_gives_what_was_booked(told: tuple[Store, Path], sql: str) -> None:
    assert asked(told[1], sql) == ANSWERS[sql]
