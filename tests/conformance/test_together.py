"""A store whose views are written with each frame: no thread feeds them, and a snapshot that fails stops nothing."""

from collections.abc import Iterator

import pytest

from tests.engine.world import ACCOUNT, DEFINED, fill
from trueup.bootstrap import open_store
from trueup.engine import store as store_module
from trueup.engine.store import Store
from trueup.engine.together import Together
from trueup.journal.postgres import snapshots
from trueup.journal.postgres.address import Address
from trueup.journal.postgres.settings import require_primary
from trueup.model.errors import StorageError
from trueup.ports import Milestone


@pytest.fixture
def store(postgres: str) -> Iterator[Store]:
    opened = open_store(Address.parse(postgres))
    opened.ledger(ACCOUNT).book_facts([DEFINED])
    yield opened
    opened.close()


def test_what_is_acknowledged_is_in_the_views_without_waiting(store: Store) -> None:
    ledger = store.ledger(ACCOUNT)
    for number in range(5):
        assert ledger.book_facts([fill(number)]).last == store.views.positions(ACCOUNT)[0]
    store.step()
    assert store.synced(ACCOUNT) == 6


def test_snapshots_are_taken_while_it_runs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "SNAPSHOT_EVENTS", 1)
    ledger = store.ledger(ACCOUNT)
    for number in range(3):
        ledger.book_facts([fill(10 * number + index) for index in range(10)])
    assert store.milestones(ACCOUNT)[-1] == ledger.head.seq


def test_a_snapshot_that_cannot_be_written_is_told_and_booking_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "SNAPSHOT_EVENTS", 1)
    with monkeypatch.context() as broken:
        broken.setattr(snapshots, "write", _no_space)
        assert store.ledger(ACCOUNT).book_facts([fill(number) for number in range(20)]).booked == 20
    follower = store._feeder
    assert isinstance(follower, Together)
    assert "no space" in follower.troubles[0]
    assert store.views_failed is None
    store.ledger(ACCOUNT).book_facts([fill(number) for number in range(20, 40)])
    assert store.milestones(ACCOUNT) == [41]


def _no_space(_database: object, _ledger: object, _milestone: Milestone) -> None:
    raise StorageError("There is no space.")


class Standby:
    """A session on a server in recovery."""

    async def fetchval(self, _query: str) -> bool:
        return True


def test_a_standby_is_not_read_from() -> None:
    import asyncio

    with pytest.raises(StorageError, match="as a standby does"):
        asyncio.run(require_primary(Standby(), Address.parse("postgresql://h/db")))  # type: ignore[arg-type]
