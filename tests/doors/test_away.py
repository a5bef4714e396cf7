"""A database that goes away: reads from memory that say so, writes refused and not lost, and all is well afterwards."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from trueup import DatabaseStateManager, PortfolioStateManager
from trueup.journal.postgres import limits
from trueup.model.errors import StorageError, StoreAway
from trueup.testing.servers.proxy import TcpProxy


@pytest.fixture
def proxy(database: str) -> Iterator[TcpProxy]:
    parts = urlsplit(database)
    with TcpProxy(parts.hostname or "127.0.0.1", parts.port or 5432) as between:
        yield between


@pytest.fixture
def manager(database: str, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseStateManager]:
    """One that reaches its database through the proxy, and gives a database up after two attempts."""
    monkeypatch.setattr(limits, "TRIES_MAX", 2)
    monkeypatch.setattr("trueup.doors.shelf.PAUSE_FIRST_S", 0.0)
    parts = urlsplit(database)
    user = f"{parts.username}@" if parts.username else ""
    with DatabaseStateManager(urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{proxy.port}"))) as made:
        yield made


def test_reads_are_stale_and_writes_refused_until_it_is_back(manager: DatabaseStateManager, proxy: TcpProxy) -> None:
    manager.save_position(position_id="p", asset="BTC", size=1, entry_price=100, current_stop=90)
    manager.save_portfolio_state(closed_equity=1000)
    manager.log_signal(kind="EXIT", instrument="BTC", fingerprint="f")
    equity = PortfolioStateManager(manager)
    proxy.cut()

    with pytest.raises(StoreAway, match="cannot be used now") as refusal:
        manager.save_position(position_id="p", size=2, price=110)
    assert "Make the same call again later" in refusal.value.remedy
    with pytest.raises(StoreAway):
        equity.save(2000)
    with pytest.raises(StoreAway):
        manager.log_signal(kind="EXIT", instrument="BTC", fingerprint="g")
    with pytest.raises(StoreAway):
        manager.check_duplicate_signal("f")
    assert "cannot be used now" in str(manager.away)
    started = manager.start()
    held = started.positions["p"]
    assert held.stale
    assert held.quantity == 1
    assert held.current_stop == 90
    assert started.portfolio.stale
    assert started.portfolio.closed_equity == 1000
    assert [signal.fingerprint for signal in started.signals] == ["f"]
    assert equity.closed_equity == 1000

    proxy.mend()
    saved = manager.save_position(position_id="p", size=2, price=110)
    assert not saved.stale
    assert saved.quantity == 2
    assert saved.entry_price == 105
    assert saved.version == 2
    assert manager.away is None
    assert equity.save(2000).version == 2
    assert manager.log_signal(kind="EXIT", instrument="BTC", fingerprint="g")


def test_a_heartbeat_that_a_directorys_tables_refuse_keeps_nobody_from_booking(tmp_path: Path) -> None:
    with DatabaseStateManager(str(tmp_path / "data")) as directory:
        directory.save_portfolio_state(closed_equity=1)
        directory.shelf.store.views.close()
        with pytest.raises(StoreAway):
            directory.heartbeat()
        with pytest.raises(StoreAway):
            directory.get_instances()
        assert directory.away is None
        assert directory.save_portfolio_state(closed_equity=2).version == 2


def test_what_was_never_read_is_not_made_up(manager: DatabaseStateManager, proxy: TcpProxy) -> None:
    proxy.cut()
    with pytest.raises(StoreAway):
        manager.get_all_open_positions()


def test_a_store_that_was_away_a_moment_ago_is_not_asked_by_every_call(
    manager: DatabaseStateManager, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trueup.doors.shelf.PAUSE_FIRST_S", 3600.0)
    manager.get_all_open_positions()
    proxy.cut()
    with pytest.raises(StoreAway):
        manager.save_portfolio_state(closed_equity=1)
    proxy.mend()
    with pytest.raises(StoreAway):
        manager.save_portfolio_state(closed_equity=1)
    manager.shelf._again_at = 0.0  # an hour later
    assert manager.save_portfolio_state(closed_equity=1).version == 1


def test_a_start_without_its_database_says_so(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TRIES_MAX", 1)
    parts = urlsplit(database)
    with pytest.raises(StorageError):
        DatabaseStateManager({"host": "127.0.0.1", "port": 1, "database": "none", "user": parts.username})
