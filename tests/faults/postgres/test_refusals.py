"""A server that runs and refuses: no space, no writing, not durable, locks. It is said by name, and nothing is lost."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from random import Random
from threading import Thread
from time import monotonic

import asyncpg
import pytest

from tests.engine.evidence import assert_sound
from tests.engine.world import ACCOUNT, DEFINED, fill
from tests.faults.postgres.cluster import WAL_SEGMENT_BYTES, Cluster
from tests.postgresql import ask
from tests.processes import PATIENCE_S
from trueup.bootstrap import open_store
from trueup.engine.store import Store
from trueup.journal.postgres import limits
from trueup.journal.postgres.address import Address
from trueup.journal.postgres.settings import DURABLE
from trueup.model.errors import JournalFailed, NotDurable, StorageError
from trueup.model.events import Quarantined

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'trueup writer' AND wait_event_type = 'Lock'"

FILE_BYTES_MAX = 12 * WAL_SEGMENT_BYTES + 1024
"""Room for the log, and for catalogues that many schemas have grown. A table's file meets it in the middle of a page,
which the server takes for a full disk."""


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with closing(open_store(Address.parse(url))) as opened:
        opened.ledger(ACCOUNT).book_facts([DEFINED, fill(0)])
        yield opened


def until_refused(offer: Callable[[int], object]) -> tuple[int, JournalFailed]:
    """Offer 1, 2, … until one is refused, since a setting reaches a session in its own time; which one, and how."""
    deadline = monotonic() + PATIENCE_S
    for number in count(1):
        assert monotonic() < deadline, "nothing was refused"
        try:
            offer(number)
        except JournalFailed as failure:
            return number, failure
    raise AssertionError("counting does not end")


class TestServer:
    @pytest.mark.parametrize("name", DURABLE)
    def test_one_that_may_lose_what_it_acknowledges_is_refused_from_the_next_commit_on(
        self, cluster: Cluster, store: Store, url: str, name: str
    ) -> None:
        with cluster.setting(name, "off"):
            first_refused, refused = until_refused(lambda number: store.ledger(ACCOUNT).book_facts([fill(number)]))
            assert isinstance(refused.__cause__, NotDurable)
            assert f"Set {name} = on" in str(refused)
            with pytest.raises(NotDurable, match=f"{name} = off"):
                open_store(Address.parse(url))
        with closing(open_store(Address.parse(url))) as again:
            assert_sound(again, [fill(number) for number in range(first_refused)])

    def test_one_that_was_made_to_only_read_is_refused(self, cluster: Cluster, store: Store, url: str) -> None:
        with cluster.setting("default_transaction_read_only", "on"):
            first_refused, refused = until_refused(lambda number: store.ledger(ACCOUNT).book_facts([fill(number)]))
            assert "25006" in str(refused)
            assert "name the primary" in str(refused)
            assert store.views.positions(ACCOUNT)[0] == first_refused + 1
            with pytest.raises(StorageError, match="only reads"):
                open_store(Address.parse(url))
        with closing(open_store(Address.parse(url))) as again:
            assert_sound(again, [fill(number) for number in range(first_refused)])
            assert again.ledger(ACCOUNT).head.seq == first_refused + 1

    def test_one_whose_disk_is_full_acknowledges_nothing_more_until_there_is_space(
        self, cluster: Cluster, url: str
    ) -> None:
        random = Random(2)
        cluster.stop()
        cluster.start(file_bytes_max=FILE_BYTES_MAX)
        try:
            with closing(open_store(Address.parse(url))) as store:
                ledger = store.ledger(ACCOUNT)
                ledger.book_facts([DEFINED, fill(0)])

                def note(number: int) -> None:
                    ledger.note([Quarantined(ACCOUNT, f"row {number}", "unread", random.randbytes(200_000))])

                first_refused, refused = until_refused(note)
                assert "SQLSTATE 53100" in str(refused)
                assert "Free space" in str(refused)
                assert first_refused > 1
                with pytest.raises(JournalFailed, match="stopped booking"):
                    ledger.book_facts([fill(1)])
                assert store.views.positions(ACCOUNT)[0] == first_refused + 1
        finally:
            cluster.stop()
            cluster.start()
        with closing(open_store(Address.parse(url))) as again:
            assert again.ledger(ACCOUNT).head.seq == first_refused + 1
            assert again.ledger(ACCOUNT).book_facts([fill(1)]).booked == 1
            assert_sound(again, [fill(0), fill(1)])


class Session:
    """Somebody else's transaction."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._connection = self._runner.run(asyncpg.connect(url))
        self.run("BEGIN")

    def run(self, statement: str) -> None:
        self._runner.run(self._connection.execute(statement))

    def close(self) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()


@pytest.fixture
def session(url: str, store: Store) -> Iterator[Session]:
    """On the tables of the store."""
    with closing(Session(url)) as opened:
        yield opened


class TestLocks:
    def test_of_two_that_wait_for_each_other_the_booking_steps_back_and_tries_again(
        self, store: Store, session: Session, url: str
    ) -> None:
        session.run("SET LOCAL deadlock_timeout = '1h'")  # so that it is never the one to step back
        session.run("SELECT FROM book_positions FOR UPDATE")
        booked: list[int] = []
        thread = Thread(target=lambda: booked.append(store.ledger(ACCOUNT).book_facts([fill(1)]).booked))
        thread.start()
        deadline = monotonic() + PATIENCE_S
        while not ask(url, WAITING)[0][0]:
            assert monotonic() < deadline, "the booking waits for no lock"
        session.run("SELECT FROM ledgers FOR UPDATE")  # which the booking holds: there is no other way out
        assert booked == []
        session.run("COMMIT")
        thread.join(PATIENCE_S)
        assert booked == [1]
        assert_sound(store, [fill(0), fill(1)])

    def test_a_lock_that_is_never_given_back_is_not_waited_for_without_end(
        self, url: str, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "LOCK_TIMEOUT_MS", 50)
        monkeypatch.setattr(limits, "TRIES_MAX", 2)
        with closing(open_store(Address.parse(url))) as store:
            session.run("SELECT FROM ledgers FOR UPDATE")
            with pytest.raises(JournalFailed, match="SQLSTATE 55P03") as refused:
                store.ledger(ACCOUNT).book_facts([fill(1)])
            assert "pg_stat_activity names it" in str(refused.value)
            session.run("ROLLBACK")
            monkeypatch.setattr(limits, "TRIES_MAX", 100)  # for the lock timeout stays as short as it is
            assert store.reopen(ACCOUNT).book_facts([fill(0), fill(1)]).booked == 1
            assert_sound(store, [fill(0), fill(1)])
