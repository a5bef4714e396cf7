"""The tables that people query by the names they know, asked in plain SQL, the same in both stores."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random

import apsw
import pytest

from tests import postgresql
from tests.engine.world import ACCOUNT, DEFINED, fill, store_at
from tests.journal.people_story import ANSWERS, JSON_COLUMNS, tell
from trueup.bootstrap import open_store
from trueup.engine.store import Store
from trueup.journal.postgres.address import Address
from trueup.model.identifiers import Side
from trueup.model.numbers import canonical

Rows = list[tuple[object, ...]]
Ask = Callable[[str], Rows]


@pytest.fixture(scope="module", params=["embedded", "postgresql"])
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Asks a store in which the story was told."""
    if request.param == "embedded":
        path = tmp_path_factory.mktemp("people")
        with closing(_told(store_at(path))):
            yield partial(_ask_sqlite, path / "data" / "views.sqlite3")
        return
    postgresql.require_server()
    name = f"trueup_people_{os.getpid()}"
    url = postgresql.make_database(name)
    try:
        with closing(_told(open_store(Address.parse(url)))):
            yield partial(_ask_postgresql, url)
    finally:
        postgresql.drop_database(name)


def _told(store: Store) -> Store:
    tell(store)
    for account in store.accounts():
        store.synced(account)
    return store


def _ask_sqlite(path: Path, sql: str) -> Rows:
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        cursor = db.execute(sql)
        return [tuple(map(_plain, (name for name, _ in cursor.get_description()), row)) for row in cursor]


def _ask_postgresql(url: str, sql: str) -> Rows:
    return [tuple(map(_plain, row.keys(), row.values())) for row in postgresql.ask(url, sql)]


def _plain(name: str, value: object) -> object:
    """A value as SQLite has it, with JSON read; what a round trip realised in place of the values of its end."""
    if isinstance(value, Decimal):
        return canonical(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S.%f}000Z"
    if name not in JSON_COLUMNS or not isinstance(value, str):
        return value
    read: Mapping[str, object] = json.loads(value)
    return read["realized_pnl"] if name == "new_values" and "realized_pnl" in read else read


PAGE = Path(__file__).parents[2] / "docs" / "database.md"
EXAMPLES = re.findall(r"```sql\n(SELECT .*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("sql", EXAMPLES, ids=lambda sql: sql.split()[1])
def test_the_examples_of_the_documentation_run(ask: Ask, sql: str) -> None:
    ask(sql)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("sql", ANSWERS, ids=lambda sql: sql.rpartition(" ")[2])
def test_a_query_gives_what_was_booked(ask: Ask, sql: str) -> None:
    assert ask(sql) == ANSWERS[sql]


HISTORY = "SELECT id, event_type, old_values, new_values, timestamp FROM position_history"


@pytest.mark.parametrize("seed", range(3))
def test_the_history_of_positions_is_a_function_of_the_facts(seed: int, tmp_path: Path) -> None:
    """Not of how they were batched, nor of the order in which they came."""
    sides: Sequence[Side] = ("buy", "buy", "sell", "sell", "sell", "buy", "sell", "buy", "buy")
    facts = [fill(number, side=side, price=str(100 + number)) for number, side in enumerate(sides, 1)]
    random = Random(seed)
    found = []
    for name in ("at once", "one by one", "shuffled"):
        batches = [facts] if name == "at once" else [[fact] for fact in facts]
        if name == "shuffled":
            random.shuffle(batches)
        with closing(store_at(tmp_path / name)) as store:
            ledger = store.ledger(ACCOUNT)
            ledger.book_facts([DEFINED])
            for batch in batches:
                ledger.book_facts(batch)
                store.synced(ACCOUNT)
        found.append(_ask_sqlite(tmp_path / name / "data" / "views.sqlite3", HISTORY))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 7  # three round trips, and one that is open
