"""Connections that break in the middle of a commit: it takes effect once, and the caller is told the truth."""

from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.engine.evidence import assert_sound
from tests.engine.world import ACCOUNT, DEFINED, fill
from tests.faults.postgres.cluster import Cluster
from trueup.bootstrap import open_storage, open_store
from trueup.engine.store import Store
from trueup.journal.postgres import limits
from trueup.journal.postgres.address import Address
from trueup.model.errors import JournalFailed, StaleEpoch
from trueup.testing.servers.proxy import Moment, TcpProxy

COMMIT = b"COMMIT;"
COPY = b"PGCOPY\n"
"""As the driver sends them, each in a message that it waits for an answer to."""

WORDS = [(COMMIT, moment) for moment in Moment] + [(COPY, Moment.BEFORE), (COPY, Moment.HALFWAY)]

FACTS = [fill(number) for number in range(40)]


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[TcpProxy]:
    parts = urlsplit(cluster.url())
    with TcpProxy(parts.hostname or "", parts.port or 0) as between:
        yield between


@pytest.fixture
def store(url: str, proxy: TcpProxy) -> Iterator[Store]:
    """Reached through the proxy."""
    address = urlunsplit(urlsplit(url)._replace(netloc=f"postgres@127.0.0.1:{proxy.port}"))
    with closing(open_store(Address.parse(address))) as opened:
        opened.ledger(ACCOUNT).book_facts([DEFINED, *FACTS[:10]])
        yield opened


def assert_sound_at(url: str, booked: int) -> None:
    """Seen on a connection that nothing is wrong with."""
    with closing(open_store(Address.parse(url))) as store:
        assert store.ledger(ACCOUNT).head.seq == booked + 1
        assert_sound(store, FACTS[:booked])


@pytest.mark.parametrize(("words", "moment"), WORDS)
def test_a_commit_that_is_cut_three_times_is_acknowledged_and_stands_once(
    store: Store, proxy: TcpProxy, url: str, words: bytes, moment: Moment
) -> None:
    proxy.cut_at(words, moment, times=3)
    assert store.ledger(ACCOUNT).book_facts(FACTS[10:20]).booked == 10
    assert proxy.cuts == 3
    assert store.ledger(ACCOUNT).book_facts(FACTS[15:30]).booked == 10
    assert_sound_at(url, 30)


@pytest.mark.parametrize(("moment", "already"), [(Moment.BEFORE, 0), (Moment.HALFWAY, 0), (Moment.ANSWERED, 10)])
def test_one_that_is_cut_every_time_is_not_acknowledged_and_says_what_to_do(
    store: Store, proxy: TcpProxy, url: str, moment: Moment, already: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TRIES_MAX", 2)
    proxy.cut_at(COMMIT if already else COPY, moment, times=2)
    with pytest.raises(JournalFailed) as refused:
        store.ledger(ACCOUNT).book_facts(FACTS[10:20])
    assert "Reopen it" in refused.value.remedy
    assert "See that the server runs and can be reached" in str(refused.value)
    receipt = store.reopen(ACCOUNT).book_facts(FACTS[10:30])
    assert (receipt.already, receipt.booked) == (already, 20 - already)
    assert_sound_at(url, 30)


@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.ANSWERED])
def test_an_old_leader_cut_off_in_its_commit_adds_nothing_to_what_the_new_one_books(
    store: Store, proxy: TcpProxy, url: str, moment: Moment
) -> None:
    """The new leader takes over, and books the same, before the old one can know that its connection is gone."""

    def take_over() -> None:
        address = Address.parse(url)
        with closing(open_storage(address)) as storage:
            storage.open_ledger(ACCOUNT, None, epoch=2)
        with closing(open_store(address)) as new:
            new.ledger(ACCOUNT).book_facts(FACTS[10:20])

    proxy.cut_at(COMMIT, moment, meanwhile=take_over)
    old = store.ledger(ACCOUNT)
    if moment is Moment.BEFORE:
        with pytest.raises(JournalFailed, match="led by epoch 2, and this process holds epoch 1") as refused:
            old.book_facts(FACTS[10:20])
        assert isinstance(refused.value.__cause__, StaleEpoch)
        assert "Let the present leader write" in str(refused.value)
    else:  # it had been committed before the new leader came
        assert old.book_facts(FACTS[10:20]).booked == 10
        with pytest.raises(JournalFailed, match="led by epoch 2"):
            old.book_facts(FACTS[20:30])
    assert proxy.cuts == 1
    assert_sound_at(url, 20)
