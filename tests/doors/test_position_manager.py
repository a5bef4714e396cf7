"""``PositionManager`` and ``TradingDatabase``: declared trades, the tables beside the journal, and what comes back."""

import gc
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.engine.world import fill
from trueup import Position, PositionManager, PositionStatus, TradingDatabase
from trueup.doors.trading_database import journal_beside
from trueup.engine.ledger import Decide
from trueup.engine.receipts import Receipt
from trueup.model.errors import BadInput, NotFound, StoreAway
from trueup.model.events import Fact, FillBooked, OrderReported, TradeDeclared
from trueup.model.identifiers import AccountId, Side

HL = AccountId("hyperliquid:main")

BTC = Position("BTC", 42_000, 42_500, 0.5, 2, "hyperliquid", liquidation_price=38_000)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What ``DB_PATH`` names."""
    named = tmp_path / "positions.db"
    monkeypatch.setenv("DB_PATH", str(named))
    return named


@pytest.fixture
def manager(path: Path) -> Iterator[PositionManager]:
    del path  # it is named in the environment
    with PositionManager() as made:
        yield made


def told(*values: object) -> str:
    return " ".join(str(value) for value in values)


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """As a program asks, with the SQLite of its Python, in the same process."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def test_a_position_is_opened_priced_reduced_and_closed(manager: PositionManager) -> None:
    opened = manager.add_position(BTC)
    assert told(opened.size, opened.entry_price, opened.leverage, opened.liquidation_price) == "0.5 42000 2 38000"
    assert opened.calculate_pnl() == 250.0
    (priced,) = manager.update_position_prices({"BTC": 43_000})
    assert priced.calculate_pnl() == 500
    reduced = manager.reduce_position("BTC", 0.2, 43_000)
    assert told(reduced.size, reduced.realized_pnl, reduced.entry_price) == "0.3 200 42000"
    closed = manager.close_position("BTC", 44_000)
    assert told(closed.status, closed.size) == "CLOSED 0.3"
    assert closed.calculate_pnl() == 600
    assert closed.realized_pnl == 800
    assert manager.get_position("BTC") is None
    with pytest.raises(NotFound):
        manager.close_position("BTC", 44_000)


def test_the_summary_adds_up(manager: PositionManager) -> None:
    manager.add_position(BTC)
    manager.add_position(asset="ETH", entry_price=2_000, current_price=1_900, size=-10, leverage=3, venue="Coinbase")
    summary = manager.get_portfolio_summary()
    assert summary["total_positions"] == 2
    assert summary["total_unrealized_pnl"] == 1_250
    assert summary["total_notional_value"] == 21_250 + 19_000
    assert summary["positions_at_risk"] == 0
    assert summary["assets"] == ["BTC", "ETH"]
    with pytest.raises(KeyError):
        _ = summary["surprise"]


def test_positions_near_their_liquidation_are_at_risk(
    manager: PositionManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.add_position(BTC)
    assert manager.get_positions_at_risk() == []
    assert [p.asset for p in manager.get_positions_at_risk(threshold_pct=10.6)] == ["BTC"]
    manager.update_position_prices({"BTC": 39_000})
    assert [p.asset for p in manager.get_positions_at_risk()] == ["BTC"]
    monkeypatch.setenv("LIQUIDATION_THRESHOLD", "2")
    with PositionManager() as careless:
        assert careless.get_positions_at_risk() == []


def test_the_tables_are_at_the_path_and_the_journal_beside_it(manager: PositionManager, path: Path) -> None:
    manager.add_position(BTC)
    held = "SELECT asset, entry_price, current_price, size, leverage, venue, liquidation_price, status FROM positions"
    assert rows(path, held) == [("BTC", "42000", "42500", "0.5", "2", "hyperliquid", "38000", "OPEN")]
    manager.close_position("BTC", 43_000)
    (row,) = rows(path, "SELECT status, closed_at, opened_at, updated_at, last_reconciled_at FROM positions")
    assert row[0] == "CLOSED"
    assert row[1] is not None
    assert row[4] is None
    history = rows(path, "SELECT asset, event_type, old_values, new_values, timestamp FROM position_history")
    assert [(asset, kind) for asset, kind, *_ in history] == [("BTC", "OPENED"), ("BTC", "CLOSED")]
    assert len({identity for (identity,) in rows(path, "SELECT id FROM position_history")}) == 2
    assert journal_beside(path).is_dir()


def test_what_is_done_to_the_tables_is_undone_by_the_next_start(manager: PositionManager, path: Path) -> None:
    manager.add_position(BTC)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE positions SET size = '7'")
    assert manager.get_all_positions()[0].size == 0.5
    assert manager.database._check_integrity()
    assert rows(path, "SELECT size FROM positions") == [("0.5",)]


def test_a_reader_that_keeps_the_file_locked_delays_no_booking_for_long(manager: PositionManager, path: Path) -> None:
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN IMMEDIATE")
        manager.add_position(BTC)
        found = manager.database._check_integrity()
        assert not found
        assert "locked" in found.problems[0]
    manager.add_position(asset="ETH", entry_price=2_000, size=1, leverage=1, venue="coinbase")
    assert rows(path, "SELECT asset FROM positions ORDER BY asset") == [("BTC",), ("ETH",)]
    assert manager.database._check_integrity()


def test_a_file_of_another_program_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE positions (mine TEXT)")
    before = path.read_bytes()
    with pytest.raises(BadInput, match="another program's database"):
        PositionManager()
    assert path.read_bytes() == before
    path.write_text("not a database at all, and longer than its header would be")
    with pytest.raises(BadInput, match="not a database"):
        PositionManager()


def test_managers_on_one_path_share_a_ledger(manager: PositionManager, path: Path) -> None:
    manager.add_position(BTC)
    with PositionManager(path) as other, TradingDatabase(str(path)) as database:
        assert other.get_position("BTC") == manager.get_position("BTC")
        other.reduce_position("BTC", 0.1, 42_000)
        with PositionManager(database) as third:
            assert [str(p.size) for p in third.get_all_positions()] == ["0.4"]
    assert manager.get_all_positions()[0].size == 0.4


def test_open_positions_are_back_after_a_restart_and_priced_anew(path: Path) -> None:
    with PositionManager() as first:
        first.add_position(BTC)
        first.add_position(asset="ETH", entry_price=2_000, size=1, leverage=1, venue="coinbase")
        first.close_position("ETH", 2_100)
    asked: list[list[str]] = []

    def prices(assets: object) -> dict[str, int]:
        asked.append(list(assets))  # type: ignore[call-overload]
        return {"BTC": 45_000}

    with PositionManager(path, prices=prices) as again:
        (position,) = again.get_all_positions()
        assert asked == [["BTC"]]
        assert told(position.asset, position.current_price, position.leverage) == "BTC 45000 2"


def test_another_process_is_told_who_holds_it(manager: PositionManager, path: Path) -> None:
    manager.add_position(BTC)
    program = "from trueup import PositionManager; PositionManager()"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "DirectoryLocked" in ended.stderr
    assert str(journal_beside(path)) in ended.stderr


def test_without_a_path_positions_live_in_memory_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DB_PATH", raising=False)
    with PositionManager() as one, PositionManager() as two:
        one.add_position(BTC)
        assert two.get_all_positions() == []
        assert one.database.path is None
        assert one.database._check_integrity()
        place = Path(one.database.shelf.where)
        assert place.is_dir()
    assert not place.exists()
    forgotten = PositionManager()
    forgotten.add_position(BTC)
    place = Path(forgotten.database.shelf.where)
    del forgotten
    gc.collect()
    assert not place.exists()


def test_who_forgets_to_close_leaves_nothing_behind(path: Path) -> None:
    program = (
        "from trueup import PositionManager; manager = PositionManager()\n"
        "manager.add_position(asset='A', entry_price=1, size=1, venue='x')\n"
        "print(manager.database.path, manager.database.shelf.where)"
    )
    ended = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    named, place = ended.stdout.split()
    assert (named, ended.stderr) == (str(path), "")
    assert Path(place).is_dir()
    assert rows(path, "SELECT asset FROM positions") == [("A",)]
    with PositionManager() as again:
        assert again.get_all_positions()[0].asset == "A"


def test_one_asset_at_two_venues_is_named_by_venue(manager: PositionManager) -> None:
    manager.add_position(BTC)
    manager.add_position(replace(BTC, venue="coinbase", leverage=BTC.leverage))
    with pytest.raises(BadInput, match="coinbase, hyperliquid"):
        manager.close_position("BTC", 42_000)
    assert manager.close_position("BTC", 42_000, venue="coinbase").account == "coinbase:main"
    found = manager.get_position("BTC")
    assert found is not None
    assert found.account == HL


def test_adding_to_a_position_averages(manager: PositionManager) -> None:
    manager.add_position(BTC)
    more = manager.add_position(asset="BTC", entry_price=44_000, size=0.5, leverage=2, venue="hyperliquid")
    assert told(more.size, more.entry_price) == "1 43000"


def test_closed_positions_are_archived_and_kept(manager: PositionManager, path: Path) -> None:
    long_ago = "2020-01-01T00:00:00Z"
    manager.add_position(replace(BTC, opened_at=long_ago))
    manager.close_position("BTC", 42_000)
    manager.add_position(asset="ETH", entry_price=2_000, size=1, leverage=1, venue="coinbase")
    assert len(manager.get_all_positions(include_closed=True)) == 2
    assert manager.clear_closed_positions() == 0
    assert manager.clear_closed_positions(older_than_days=0) == 1
    assert [p.asset for p in manager.get_all_positions(include_closed=True)] == ["ETH"]
    assert rows(path, "SELECT count(*) FROM positions WHERE status = 'CLOSED'") == [(1,)]


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "OPENING"},
        {"status": "CLOSED"},
        {"size": 0},
        {"entry_price": None},
        {"entry_price": 0},
        {"current_price": -1},
        {"venue": "no such/venue"},
    ],
)
def test_what_was_not_traded_is_not_booked(manager: PositionManager, fields: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        manager.add_position(BTC, **fields)
    assert manager.get_all_positions(include_closed=True) == []


@pytest.mark.parametrize("size", [0, -0.1, 0.6])
def test_no_more_is_reduced_than_is_held(manager: PositionManager, size: float) -> None:
    manager.add_position(BTC)
    with pytest.raises(BadInput):
        manager.reduce_position("BTC", size, 42_000)
    assert manager.get_all_positions()[0].size == 0.5


@pytest.mark.parametrize("price", [-1, float("inf"), "much"])
def test_a_price_that_cannot_be_books_nothing(manager: PositionManager, price: float | str) -> None:
    manager.add_position(BTC)
    for change in (
        lambda: manager.reduce_position("BTC", 0.1, price),
        lambda: manager.close_position("BTC", price),
        lambda: manager.update_position_prices({"BTC": price}),
    ):
        with pytest.raises(BadInput):
            change()
    held = manager.get_all_positions()[0]
    assert told(held.size, held.current_price) == "0.5 42500"


def test_a_reduction_of_everything_closes(manager: PositionManager) -> None:
    manager.add_position(BTC)
    assert manager.reduce_position("BTC", "0.5", 42_100).status is PositionStatus.CLOSED


def test_managers_that_add_at_the_same_time_are_all_counted(path: Path) -> None:
    managers = [PositionManager(path) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        for added in [pool.submit(each.add_position, BTC) for _ in range(4) for each in managers]:
            added.result(120)
    assert {str(each.get_all_positions()[0].size) for each in managers} == {"6"}
    assert rows(path, "SELECT size FROM positions") == [("6",)]
    for each in managers:
        each.close()


@pytest.mark.parametrize("stands", [False, True], ids=["nothing stands", "it stands"])
def test_a_call_whose_answer_was_lost_takes_effect_once(
    manager: PositionManager, monkeypatch: pytest.MonkeyPatch, *, stands: bool
) -> None:
    shelf = manager.database.shelf
    book, commit = shelf.book, shelf.commit

    def lose_trade(account: AccountId, facts: Sequence[Fact]) -> Receipt:
        answer = book(account, facts) if stands or not isinstance(facts[0], TradeDeclared) else None
        if answer is None or isinstance(facts[0], TradeDeclared):
            raise StoreAway("lost")
        return answer

    def lose_all(account: AccountId, decide: Decide) -> Receipt:
        if stands:
            commit(account, decide)
        raise StoreAway("lost")

    def lost(call: Callable[[], Position], **instead: object) -> Position:
        with monkeypatch.context() as broken:
            for name, write in instead.items():
                broken.setattr(shelf, name, write)
            with pytest.raises(StoreAway):
                call()
        return call()

    manager.add_position(BTC)
    assert lost(lambda: manager.add_position(BTC), book=lose_trade).size == 1
    assert lost(lambda: manager.reduce_position("BTC", 0.7, 42_000), book=lose_trade).size == 0.3
    closed = lost(lambda: manager.close_position("BTC", 43_000), commit=lose_all)
    assert told(closed.status, closed.size, closed.realized_pnl) == "CLOSED 0.3 300"
    assert manager.get_all_positions() == []


def test_trades_of_many_threads_all_count(manager: PositionManager) -> None:
    with ThreadPoolExecutor(4) as pool:
        for added in [pool.submit(manager.add_position, BTC) for _ in range(12)]:
            added.result(120)
    assert manager.get_all_positions()[0].size == 6


def venue_fill(manager: PositionManager, side: Side, quantity: str, price: str, name: int) -> FillBooked:
    now = manager.database.shelf.now()
    (terms,) = [p.terms for p in manager.get_all_positions(include_closed=True)] or [None]
    symbol = "BTC" if terms is None else terms.symbol
    sold = fill(name, price=price, side=side)
    return replace(
        sold, account=HL, instrument=symbol, quantity=type(sold.price)(quantity), venue_time=now, fee_currency="USD"
    )


def test_the_venues_own_fill_supersedes_what_was_declared(manager: PositionManager) -> None:
    manager.add_position(BTC)
    facts: list[Fact] = [venue_fill(manager, "buy", "0.5", "42010", 1)]
    manager.database.shelf.book(HL, facts)
    held = manager.get_all_positions()[0]
    assert told(held.size, held.entry_price) == "0.5 42010"


def test_a_fill_that_came_before_it_was_declared_counts_once(manager: PositionManager) -> None:
    manager.add_position(BTC)
    manager.database.shelf.book(HL, [venue_fill(manager, "buy", "0.5", "42000", 1)])
    manager.database.shelf.book(HL, [venue_fill(manager, "sell", "0.2", "43000", 2)])
    assert manager.get_all_positions()[0].size == 0.3
    manager.reduce_position("BTC", 0.2, 43_000)
    assert manager.get_all_positions()[0].size == 0.3


def test_a_forced_trade_that_ends_a_position_is_told_until_the_next_one_ends(
    manager: PositionManager, path: Path
) -> None:
    manager.add_position(BTC)
    bought = venue_fill(manager, "buy", "0.5", "42000", 1)
    forced = replace(venue_fill(manager, "sell", "0.5", "38000", 2), liquidation="liquidation")
    manager.database.shelf.book(HL, [bought, forced])
    (ended,) = manager.get_all_positions(include_closed=True)
    assert (ended.status, ended.is_open) == (PositionStatus.LIQUIDATED, False)
    manager.database.changed()
    assert rows(path, "SELECT status FROM positions") == [("LIQUIDATED",)]
    assert manager.get_all_positions() == []
    manager.add_position(BTC)
    manager.close_position("BTC", 42_000)
    assert [p.status for p in manager.get_all_positions(include_closed=True)] == [PositionStatus.CLOSED]


def test_no_order_is_ever_among_what_is_booked(manager: PositionManager) -> None:
    manager.add_position(BTC)
    manager.reduce_position("BTC", 0.1, 42_000)
    manager.close_position("BTC", 42_000)
    events = [event for _, event in manager.database.shelf.ledger(HL).events()]
    assert sum(isinstance(event, TradeDeclared) for event in events) == 3
    assert not any(isinstance(event, OrderReported) for event in events)


def test_size_price_and_leverage_are_each_compared_with_the_exchange(manager: PositionManager) -> None:
    manager.add_position(BTC)
    same = {"BTC": {"size": 0.5, "entry_price": 42_000.01, "leverage": 2}}
    assert manager.reconcile_with_exchange(same, "hyperliquid").status == "SYNCED"
    for apart, said in (
        ({"size": 0.6}, "venue holds 0.1 more"),
        ({"entry_price": 42_000.02}, "entry price"),
        ({"leverage": 3}, "leverage"),
    ):
        found = manager.reconcile_with_exchange({"BTC": same["BTC"] | apart}, "hyperliquid")
        assert found.status == "DRIFT"
        assert said in found.differences[0]
    flat = manager.reconcile_with_exchange([], "hyperliquid")
    assert flat.positions["BTC"].status == "DRIFT"
    more = manager.reconcile_with_exchange([BTC, replace(BTC, asset="SOL")], "hyperliquid")
    assert (more.positions["BTC"].status, more.positions["SOL"].status) == ("SYNCED", "DRIFT")
    with pytest.raises(BadInput, match="twice"):
        manager.reconcile_with_exchange([BTC, BTC], "hyperliquid")
