"""Storages of either kind, for what every store must do alike."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from trueup.bootstrap import open_storage, open_store
from trueup.engine.store import Store
from trueup.journal.embedded import EmbeddedStorage
from trueup.journal.postgres.address import Place
from trueup.journal.postgres.storage import PostgresStorage

AnyStorage = EmbeddedStorage | PostgresStorage


@pytest.fixture
def storage(where: Place) -> Iterator[AnyStorage]:
    opened = open_storage(where, create=True)
    yield opened
    opened.close()


@pytest.fixture
def opened(where: Place) -> Iterator[Callable[[], Store]]:
    """Opens the store of the test, closed again at the end at the latest."""
    with ExitStack() as all_of_them:

        def another() -> Store:
            store = open_store(where)
            all_of_them.callback(store.close)
            return store

        yield another
