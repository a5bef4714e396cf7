"""Calls whose answer is lost on the way: made again, they take effect once, whether the first stands or not."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest

from trueup import DatabaseStateManager, PortfolioStateManager
from trueup.doors.shadow import ShadowAccounting
from trueup.journal.postgres import limits
from trueup.model.errors import BadInput, ConcurrentUpdate, NotFound, StoreAway
from trueup.model.events import TradeDeclared
from trueup.model.identifiers import CONTROL
from trueup.model.statements import SignalProcessed
from trueup.testing.servers.proxy import Moment, TcpProxy

COMMIT = b"COMMIT;"
TRIES = 2


@pytest.fixture
def proxy(database: str) -> Iterator[TcpProxy]:
    parts = urlsplit(database)
    with TcpProxy(parts.hostname or "127.0.0.1", parts.port or 5432) as between:
        yield between


@pytest.fixture
def address(database: str, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch) -> str:
    """Written to through the proxy, and given up after two attempts."""
    monkeypatch.setattr(limits, "TRIES_MAX", TRIES)
    monkeypatch.setattr("trueup.doors.shelf.PAUSE_FIRST_S", 0.0)
    parts = urlsplit(database)
    user = f"{parts.username}@" if parts.username else ""
    reads = f"pool={parts.hostname or '127.0.0.1'}:{parts.port or 5432}"
    return urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{proxy.port}", query=reads))


@pytest.fixture
def books(address: str) -> Iterator[ShadowAccounting]:
    with ShadowAccounting(address) as made:
        yield made


@pytest.fixture
def manager(address: str) -> Iterator[DatabaseStateManager]:
    with DatabaseStateManager(address) as made:
        yield made


@pytest.fixture(params=[Moment.BEFORE, Moment.ANSWERED], ids=["nothing stands", "it stands"])
def lost(request: pytest.FixtureRequest, proxy: TcpProxy) -> Callable[[Callable[[], object]], None]:
    """Makes a call whose answer is lost: before it was committed, or after."""

    def make(call: Callable[[], object]) -> None:
        proxy.cut_at(COMMIT, request.param, times=TRIES)
        with pytest.raises(StoreAway, match="cannot be used now"):
            call()

    return make


Lost = Callable[[Callable[[], object]], None]


def trades(books: ShadowAccounting) -> int:
    return sum(entry.kind == "declared" for entry in books.get_transaction_log())


def test_a_trade(books: ShadowAccounting, lost: Lost) -> None:
    books.record_trade("BTC", "buy", 1, 100)
    lost(lambda: books.record_trade("BTC", "buy", 1, 100))
    books.get_all_positions()
    assert books.record_trade("BTC", "buy", 1, 100).quantity == 2
    assert books.record_trade("BTC", "buy", 1, 100).quantity == 3  # a third one, and not the second again
    assert trades(books) == 3


def test_the_first_trade_of_all(books: ShadowAccounting, lost: Lost) -> None:
    books.update_position({"symbol": "ETH", "lots": 1})
    lost(lambda: books.record_trade("ETH", "sell", 2, 100))
    assert books.record_trade("ETH", "sell", 2, 100).quantity == -2
    assert trades(books) == 1


def test_another_trade_is_another_one(books: ShadowAccounting, lost: Lost) -> None:
    books.record_trade("BTC", "buy", 1, 100)
    lost(lambda: books.record_trade("BTC", "buy", 1, 100))
    held = books.get_position("BTC")
    assert held is not None
    assert books.record_trade("BTC", "buy", 2, 100).quantity == held.quantity + 2


@pytest.mark.parametrize("loaded", [True, False])
def test_a_reduction(manager: DatabaseStateManager, lost: Lost, *, loaded: bool) -> None:
    manager.save_position(position_id="p", asset="BTC", quantity=5, price=100)
    if not loaded:
        manager._seen.clear()
    lost(lambda: manager.reduce_position("p", 2, 110))
    assert manager.get_all_positions()["p"].quantity in {3, 5}
    assert manager.reduce_position("p", 2, 110).quantity == 3
    assert manager.reduce_position("p", 2, 110).quantity == 1


def test_a_close(manager: DatabaseStateManager, lost: Lost) -> None:
    manager.save_position(position_id="p", asset="BTC", quantity=5, price=100)
    lost(lambda: manager.close_position("p", 110))
    assert not manager.close_position("p", 110).is_open
    with pytest.raises(NotFound):
        manager.close_position("p", 110)


def test_a_signal_is_new_to_who_asks_again_and_to_nobody_else(
    manager: DatabaseStateManager, database: str, lost: Lost
) -> None:
    def log(by: DatabaseStateManager, name: str) -> bool:
        return by.log_signal(kind="EXIT", instrument="BTC", fingerprint=name)

    assert log(manager, "first")
    lost(lambda: log(manager, "second"))
    assert log(manager, "second")
    assert not log(manager, "second")
    lost(lambda: log(manager, "third"))
    stands = manager.check_duplicate_signal("third")
    with DatabaseStateManager(database) as other:
        assert log(other, "third") is not stands
    assert log(manager, "third") is stands
    assert [signal.fingerprint for signal in manager.get_waiting_signals()] == ["first", "second", "third"]


def test_what_became_of_a_signal(manager: DatabaseStateManager, lost: Lost) -> None:
    manager.log_signal(kind="EXIT", instrument="BTC", fingerprint="f")
    manager.log_signal(kind="EXIT", instrument="BTC", fingerprint="g")
    lost(lambda: manager.mark_signal("f", "EXECUTED", "filled"))
    manager.mark_signal("f", "EXECUTED", "filled")
    with pytest.raises(BadInput, match="became of it already"):
        manager.mark_signal("f", "EXECUTED", "filled")
    lost(lambda: manager.mark_signal("g", "EXECUTED"))
    if manager.get_waiting_signals():
        manager.mark_signal("g", "FAILED")
    else:
        with pytest.raises(BadInput, match="became of it already"):
            manager.mark_signal("g", "FAILED")
    ends = [event for _, event in manager.shelf.ledger(CONTROL).events() if isinstance(event, SignalProcessed)]
    assert [end.fingerprint for end in ends] == ["f", "g"]


def test_closed_equity(manager: DatabaseStateManager, lost: Lost) -> None:
    equity = PortfolioStateManager(manager, initial_capital=1000)
    lost(lambda: equity.add_realized_pnl(10))
    manager.get_portfolio_state()
    assert equity.add_realized_pnl(10).closed_equity == 1010
    assert equity.add_realized_pnl(10).closed_equity == 1020
    assert equity.state.version == 3


def test_the_same_sum_from_another_program_is_not_ones_own(manager: DatabaseStateManager, database: str) -> None:
    equity = PortfolioStateManager(manager, initial_capital=1000)
    with DatabaseStateManager(database) as another:
        PortfolioStateManager(another).add_realized_pnl(10)
    with pytest.raises(ConcurrentUpdate):
        equity.add_realized_pnl(10)
    equity.load()
    assert equity.add_realized_pnl(10).closed_equity == 1020


def test_a_saved_position(manager: DatabaseStateManager, lost: Lost) -> None:
    manager.save_position(position_id="p", asset="BTC", quantity=5, price=100)
    lost(lambda: manager.save_position(position_id="p", quantity=7, price=100, current_stop=90))
    saved = manager.save_position(position_id="p", quantity=7, price=100, current_stop=90)
    assert saved.quantity == 7
    assert saved.version == 2
    found = manager.shelf.ledger(saved.account).events()
    assert sum(isinstance(event, TradeDeclared) for _, event in found) == 2
