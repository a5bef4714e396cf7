"""What a server, a role or a standby does to sessions: the program keeps its own bounds, and its word."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from threading import Event, Thread

import pytest

from tests.engine.evidence import assert_sound
from tests.engine.world import ACCOUNT, DEFINED, fill
from tests.faults.postgres.cluster import Cluster
from tests.postgresql import ask
from trueup import DatabaseStateManager
from trueup.bootstrap import open_storage, open_store
from trueup.journal.postgres import limits
from trueup.journal.postgres.address import Address
from trueup.model.errors import JournalFailed, StorageError, StoreAway

ROLES = count(1)

CANCEL = """
    SELECT pg_cancel_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'trueup writer' AND wait_event = 'SyncRep'"""


def url_as(cluster: Cluster, url: str, *settings: str) -> str:
    """An address for a role of its own, for which an administrator has made some settings."""
    role = f"role_{next(ROLES)}"
    ask(cluster.url(), f"CREATE ROLE {role} SUPERUSER LOGIN", *(f"ALTER ROLE {role} SET {each}" for each in settings))
    return url.replace("//postgres@", f"//{role}@")


@pytest.mark.parametrize(
    "setting",
    [
        "statement_timeout = '1ms'",
        "idle_in_transaction_session_timeout = '1ms'",
        "idle_session_timeout = '1ms'",
        "lock_timeout = '1ms'",
        "default_transaction_isolation = 'serializable'",
        "datestyle = 'German, DMY'",
        "timezone = 'Asia/Kolkata'",
        "bytea_output = 'escape'",
        "standard_conforming_strings = off",
        "xmloption = 'document'",
    ],
)
def test_what_a_role_is_given_for_its_sessions_does_not_change_what_is_booked(
    cluster: Cluster, url: str, setting: str
) -> None:
    with closing(open_store(Address.parse(url_as(cluster, url, setting)))) as store:
        ledger = store.ledger(ACCOUNT)
        ledger.book_facts([DEFINED])
        for number in range(5):
            ledger.book_facts([fill(number)])
        assert_sound(store, [fill(number) for number in range(5)])


def test_programs_that_start_together_under_any_isolation_make_the_schema_once(cluster: Cluster, url: str) -> None:
    address = Address.parse(url_as(cluster, url, "default_transaction_isolation = 'repeatable read'"))
    with ThreadPoolExecutor(4) as pool:
        for opened in [pool.submit(open_storage, address, create=True) for _ in range(4)]:
            opened.result(120).close()


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_of_another_encoding_is_refused_before_anything_is_made(cluster: Cluster, encoding: str) -> None:
    name = f"in_{encoding.lower()}"
    ask(cluster.url(), f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    url = cluster.url().removesuffix("/postgres") + f"/{name}"
    with pytest.raises(StorageError, match=f"stores text as {encoding}") as refused:
        open_store(Address.parse(url))
    assert "ENCODING 'UTF8'" in refused.value.remedy
    assert ask(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")[0][0] == 0


@pytest.fixture
def cancelling(cluster: Cluster) -> Iterator[None]:
    """Somebody tells every session that waits for a standby to wait no more."""
    ended = Event()

    def cancel() -> None:
        while not ended.wait(0.05):
            ask(cluster.url(), "SET synchronous_commit = local", CANCEL)

    thread = Thread(target=cancel)
    thread.start()
    yield
    ended.set()
    thread.join(60)


@pytest.mark.usefixtures("cancelling")
def test_a_commit_that_its_standby_did_not_get_is_not_acknowledged(
    cluster: Cluster, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands on the primary alone. Sent again, it is recognised, and waits for the standby once more."""
    monkeypatch.setattr(limits, "TRIES_MAX", 3)
    with closing(open_store(Address.parse(url))) as store:
        ledger = store.ledger(ACCOUNT)
        ledger.book_facts([DEFINED])
        with cluster.setting("synchronous_standby_names", "nobody"):
            with pytest.raises(JournalFailed, match="synchronous replication"):
                ledger.book_facts([fill(1)])
            assert ledger.head.seq == 1
        assert store.reopen(ACCOUNT).book_facts([fill(1)]).already == 1


class TestDoors:
    @pytest.fixture
    def manager(self, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseStateManager]:
        monkeypatch.setattr(limits, "TRIES_MAX", 2)
        monkeypatch.setattr("trueup.doors.shelf.PAUSE_FIRST_S", 0.0)
        with DatabaseStateManager(url) as made:
            made.save_portfolio_state(closed_equity=1)
            yield made

    def test_a_server_that_became_a_standby_is_away(self, cluster: Cluster, manager: DatabaseStateManager) -> None:
        cluster.stop()
        cluster.demote()
        cluster.start()
        assert manager.get_portfolio_state().stale
        with pytest.raises(StoreAway, match="only reads"):
            manager.save_portfolio_state(closed_equity=2)
        assert manager.get_portfolio_state().closed_equity == 1
        cluster.stop()
        cluster.promote()
        cluster.start()
        assert not manager.get_portfolio_state().stale
        assert manager.save_portfolio_state(closed_equity=2).version == 2

    def test_one_that_is_closed_while_its_server_is_away_only_says_what_it_could_not_keep(
        self, cluster: Cluster, manager: DatabaseStateManager
    ) -> None:
        cluster.stop()
        try:
            manager.close()
        finally:
            cluster.start()
        assert "snapshots could not be kept" in str(manager.shelf.store.findings)
