"""From the first schema to the one with what programs state, with data in it: nothing is lost, and it goes on."""

import os
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from tests import postgresql
from tests.engine.world import ACCOUNT, DEFINED, fill, store_at
from trueup.bootstrap import open_store
from trueup.engine.clock import SystemClock
from trueup.engine.store import Store
from trueup.journal import migration
from trueup.journal.migration import Migration
from trueup.journal.postgres import migrations as postgres_migrations
from trueup.journal.postgres.address import Address
from trueup.journal.postgres.database import Database
from trueup.model import statements as s
from trueup.model.errors import SchemaOutdated
from trueup.model.identifiers import CONTROL
from trueup.model.positions import Position


def _book(store: Store) -> Sequence[Position]:
    store.ledger(ACCOUNT).book_facts([DEFINED, fill(1), fill(2, price="110", side="sell"), fill(3)])
    store.synced(ACCOUNT)
    return store.views.positions(ACCOUNT)[1]


def _goes_on(store: Store, before: Sequence[Position]) -> None:
    """What was there is there, and the new tables take what is stated."""
    assert store.views.positions(ACCOUNT)[1] == before
    assert len(store.views.cycles(ACCOUNT, before[0].instrument.symbol)) == 1
    state = s.PortfolioStateSaved(CONTROL, 1, 5, "me", closed_equity=Decimal(7))
    store.ledger(CONTROL).commit(lambda _: [state])
    store.ledger(ACCOUNT).book_facts([fill(1), fill(4)])
    store.synced(CONTROL)
    store.synced(ACCOUNT)
    assert store.views.positions(ACCOUNT)[1][0].quantity == 2


def test_of_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as first:
        first.setattr("trueup.journal.views.known", lambda: migration.known()[:1])
        with closing(store_at(tmp_path)) as old:
            before = _book(old)
    with closing(store_at(tmp_path)) as new:
        assert new.findings == []
        _goes_on(new, before)
    with closing(store_at(tmp_path)) as again:
        state = again.ledger(CONTROL).book.control.portfolio
        assert state is not None
        assert state.closed_equity == 7


def test_of_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    postgresql.require_server()
    name = f"trueup_migration_{os.getpid()}"
    address = Address.parse(postgresql.make_database(name))
    every: Sequence[Migration] = postgres_migrations.migrations()
    try:
        with monkeypatch.context() as first:
            first.setattr(postgres_migrations, "migrations", lambda: every[:1])
            with closing(open_store(address)) as old:
                before = _book(old)
        with pytest.raises(SchemaOutdated, match="trueup db upgrade"):
            open_store(address)
        with closing(Database(address, SystemClock(), Random(1))) as database:
            assert postgres_migrations.upgrade(database) == [file.name for file in every[1:]]
        with closing(open_store(address)) as new:
            _goes_on(new, before)
    finally:
        postgresql.drop_database(name)
