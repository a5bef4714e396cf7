"""A server that dies while a program books: when it is back, all that was acknowledged is there, once."""

import signal
from collections.abc import Callable
from contextlib import closing
from random import Random
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.engine.evidence import assert_sound
from tests.engine.world import ACCOUNT, DEFINED, fill
from tests.faults.postgres.booker import Booker
from tests.faults.postgres.cluster import Cluster
from trueup.bootstrap import open_store
from trueup.journal.postgres import limits
from trueup.journal.postgres.address import Address
from trueup.model.errors import JournalFailed, StorageError, ViewsFailed
from trueup.testing.servers.proxy import Moment, TcpProxy

DEATHS: dict[str, Callable[[Cluster], None]] = {
    "killed": Cluster.kill,
    "shut down at once": lambda cluster: cluster.stop(signal.SIGQUIT),
    "shut down in order": Cluster.stop,
    "one session killed": Cluster.kill_writers,
}


def test_a_program_that_books_while_its_server_dies_again_and_again_loses_nothing(cluster: Cluster, url: str) -> None:
    luck = Random(5)
    with Booker(url) as booker:
        for death in DEATHS.values():
            booker.await_batches(luck.randint(1, 12))
            death(cluster)
            cluster.start()
        booker.await_batches(2)
    for failure in booker.failures:
        assert failure.remedy
    with closing(open_store(Address.parse(url))) as store:
        assert_sound(store, booker.acknowledged)


@pytest.mark.parametrize(
    ("name", "moment"),
    [("killed", Moment.SENT), ("shut down at once", Moment.SENT), ("killed", Moment.ANSWERED)],
)
def test_a_server_that_dies_in_the_middle_of_a_commit_is_waited_for(
    cluster: Cluster, url: str, name: str, moment: Moment
) -> None:
    parts = urlsplit(url)

    def die() -> None:
        DEATHS[name](cluster)
        cluster.start()

    with TcpProxy(parts.hostname or "", parts.port or 0) as proxy:
        between = urlunsplit(parts._replace(netloc=f"postgres@127.0.0.1:{proxy.port}"))
        with closing(open_store(Address.parse(between))) as store:
            ledger = store.ledger(ACCOUNT)
            ledger.book_facts([DEFINED, fill(1)])
            proxy.cut_at(b"COMMIT;", moment, meanwhile=die)
            assert ledger.book_facts([fill(1), fill(2)]).booked == 1
            assert proxy.cuts == 1
    with closing(open_store(Address.parse(url))) as store:
        assert store.ledger(ACCOUNT).head.seq == 3
        assert_sound(store, [fill(1), fill(2)])


def test_while_the_server_is_down_everything_is_refused_with_what_to_do(
    cluster: Cluster, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TRIES_MAX", 2)
    with closing(open_store(Address.parse(url))) as store:
        store.ledger(ACCOUNT).book_facts([DEFINED, fill(1)])
        cluster.kill()
        try:
            with pytest.raises(JournalFailed, match="See that the server runs"):
                store.ledger(ACCOUNT).book_facts([fill(2)])
            with pytest.raises(ViewsFailed, match="See that the server runs"):
                store.views.positions(ACCOUNT)
            with pytest.raises(JournalFailed, match="See that the server runs"):
                store.reopen(ACCOUNT)
            with pytest.raises(StorageError, match="See that the server runs"):
                open_store(Address.parse(url))
        finally:
            cluster.start()
        assert store.reopen(ACCOUNT).book_facts([fill(1), fill(2)]).booked == 1
        assert_sound(store, [fill(1), fill(2)])
