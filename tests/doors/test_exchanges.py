"""``ExchangeReconciliationManager`` against a paper exchange over its real socket."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from tests.doors.exchanges import BTC, CB, ETH, HL, Exchange, trading
from trueup import ExchangeReconciliationManager, PositionManager, TradingDatabase
from trueup.engine.clock import SystemClock
from trueup.model.errors import BadInput
from trueup.model.times import NS_PER_SECOND, format_time
from trueup.testing.servers.oanda.demo import ACCOUNT_ID, demo_server
from trueup.testing.servers.serving import serving

Story = Callable[[Exchange, ExchangeReconciliationManager], Awaitable[None]]

PATIENCE_S = 60.0


def told(folder: Path, story: Story, *, interval: float | None = None) -> None:
    """Tell a story of a manager and the exchange that its settings lead to."""

    async def main() -> None:
        async with trading(folder) as exchange:
            with ExchangeReconciliationManager(
                database=folder / "positions.db", config=exchange.settings, reconciliation_interval=interval
            ) as manager:
                await story(exchange, manager)

    asyncio.run(main())


def test_everything_is_fetched_booked_and_agrees(tmp_path: Path) -> None:
    async def story(exchange: Exchange, manager: ExchangeReconciliationManager) -> None:
        exchange.trade(HL, "0.3")
        exchange.trade(CB, "-0.1")
        exchange.trade(CB, "2", ETH)
        found = await manager.reconcile_all()
        assert found["status"] == "SYNCED"
        assert list(found["exchanges"]) == ["hyperliquid", "coinbase"]
        assert found["total_positions"] == 3
        assert found["assets"] == [BTC, ETH]
        there = found["exchanges"]["hyperliquid"]
        assert there["positions"][0]["size"] == 0.3
        assert 0 < there["allocation"] < 0.05
        assert found["timestamp"] >= there["timestamp"]
        assert json.loads(json.dumps(found, default=str))["total_positions"] == 3

    told(tmp_path, story)
    with closing(sqlite3.connect(tmp_path / "positions.db")) as db:
        rows = db.execute(
            "SELECT venue, asset, size, last_reconciled_at FROM positions ORDER BY venue, asset"
        ).fetchall()
    assert [row[:3] for row in rows] == [
        ("coinbase", BTC, "-0.1"),
        ("coinbase", ETH, "2"),
        ("hyperliquid", BTC, "0.3"),
    ]
    assert all(row[3] is not None for row in rows)


def test_what_was_declared_differs_until_the_venues_own_fill_supersedes_it(tmp_path: Path) -> None:
    async def story(exchange: Exchange, manager: ExchangeReconciliationManager) -> None:
        await manager.reconcile_all()
        with PositionManager(manager.database) as positions:
            positions.add_position(asset=BTC, entry_price=60_000, size="0.1", leverage=2, venue="hyperliquid")
            found = await manager.reconcile_all()
            assert (found["status"], found["exchanges"]["coinbase"]["status"]) == ("DRIFT", "SYNCED")
            exchange.trade(HL, "0.1")
            assert (await manager.reconcile_all())["status"] == "SYNCED"
            held = positions.get_position(BTC)
            assert held is not None
            assert held.size == 0.1

    told(tmp_path, story)


def test_what_was_declared_and_never_traded_is_drift(tmp_path: Path) -> None:
    async def story(_exchange: Exchange, manager: ExchangeReconciliationManager) -> None:
        await manager.reconcile_all()
        yesterday = format_time(manager.database.shelf.now() - 86_400 * NS_PER_SECOND)
        with PositionManager(manager.database) as positions:
            positions.add_position(
                asset=BTC, entry_price=60_000, size="0.1", leverage=2, venue="hyperliquid", opened_at=yesterday
            )
            found = await manager.reconcile_all()
            assert found["status"] == "DRIFT"
            assert (
                "BTC/USDC:USDC net: we are long 0.1, venue is flat" in found["exchanges"]["hyperliquid"]["differences"]
            )
            assert positions.get_all_positions()[0].size == 0.1
            breaks = manager.database.shelf.ledger(HL).read(lambda book: book.breaks)
            assert breaks.restriction is not None

    told(tmp_path, story)


def test_shares_are_held_against_four_fifths_and_one(tmp_path: Path) -> None:
    async def story(exchange: Exchange, manager: ExchangeReconciliationManager) -> None:
        exchange.trade(HL, "0.8")
        exchange.trade(CB, "0.2")
        await manager.reconcile_all()
        even = await manager.validate_allocation(60_000)
        assert even["allocations"] == {
            "hyperliquid": {"target": 0.8, "actual": 0.8, "drift": 0.0, "within_tolerance": True},
            "coinbase": {"target": 0.2, "actual": 0.2, "drift": 0.0, "within_tolerance": True},
        }
        assert even["alerts"] == []
        off = await manager.validate_allocation(64_000)
        assert off["allocations"]["hyperliquid"] == {
            "target": 0.8, "actual": 0.75, "drift": 0.05, "within_tolerance": False,
        }  # fmt: skip
        assert off["allocations"]["coinbase"]["within_tolerance"] is True
        assert off["alerts"] == ["rebalance needed: hyperliquid"]
        almost = await manager.validate_allocation(63_999)
        assert almost["alerts"] == []
        with pytest.raises(BadInput, match="not a positive amount"):
            await manager.validate_allocation(0)
        assert (await manager.validate_allocation())["portfolio_value"] > 1_000_000

    told(tmp_path, story)


def test_an_exchange_that_cannot_be_asked_is_unknown_and_the_other_is_reconciled(tmp_path: Path) -> None:
    async def story(exchange: Exchange, manager: ExchangeReconciliationManager) -> None:
        exchange.trade(HL, "0.3")
        await manager.reconcile_all()
        text = exchange.settings.read_text(encoding="utf-8")
        gone = text.replace('[accounts."hyperliquid:main"]\nvenue = "paper"\nport = ', '[accounts."hyperliquid:main"]\n'
                            'venue = "paper"\nport = 1 #')  # fmt: skip
        exchange.settings.write_text(gone, encoding="utf-8")
        with ExchangeReconciliationManager(database=manager.database, config=exchange.settings) as cut_off:
            found = await cut_off.reconcile_all()
        assert found["status"] == "FAILED"
        assert found["exchanges"]["hyperliquid"]["status"] == "FAILED"
        assert "cannot be reached" in found["exchanges"]["hyperliquid"]["differences"][0]
        assert found["exchanges"]["hyperliquid"]["positions"][0]["size"] == 0.3
        assert found["exchanges"]["coinbase"]["status"] == "SYNCED"

    told(tmp_path, story)


def test_a_key_that_is_refused_is_told_and_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRONG_TOKEN", "planted-and-wrong")

    async def story(exchange: Exchange, manager: ExchangeReconciliationManager) -> None:
        async with serving(demo_server(SystemClock(), Random(1))) as address:
            with exchange.settings.open("a", encoding="utf-8") as file:
                file.write(f'[accounts."oanda:main"]\naccount_id = "{ACCOUNT_ID}"\ntoken = "env:WRONG_TOKEN"\n')
                file.write(f'rest_url = "{address.http}"\nstream_url = "{address.http}"\n')
            with ExchangeReconciliationManager(database=manager.database, config=exchange.settings) as more:
                found = await more.reconcile_all()
                assert (await more.validate_allocation(1_000))["unknown"]
        statuses = {name: one["status"] for name, one in found["exchanges"].items()}
        assert statuses == {"hyperliquid": "SYNCED", "coinbase": "SYNCED", "oanda": "FAILED"}
        assert "planted-and-wrong" not in str(found)

    told(tmp_path, story)


def test_it_goes_on_by_itself_until_it_is_stopped(tmp_path: Path) -> None:
    async def story(exchange: Exchange, manager: ExchangeReconciliationManager) -> None:
        assert manager.reconciliation_interval == manager._reconciliation_interval == 0.05
        stop = asyncio.Event()
        running = asyncio.create_task(manager.run(stop))
        exchange.trade(HL, "0.3")
        async with asyncio.timeout(PATIENCE_S):
            while not (HL in manager.last and manager.database.shelf.read(HL).positions):  # noqa: ASYNC110 - what is booked rings no bell
                await asyncio.sleep(0.02)
        stop.set()
        async with asyncio.timeout(PATIENCE_S):
            await running
        assert {outcome.status for outcome in manager.last.values()} == {"SYNCED"}

    told(tmp_path, story, interval=0.05)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DB_PATH", "TRUEUP_CONFIG", "HYPERLIQUID_KEY", "COINBASE_KEY", "COINBASE_SECRET"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("bare")
def test_without_credentials_it_says_so_and_names_the_paper_venue() -> None:
    with ExchangeReconciliationManager() as manager:
        for asked in (manager.reconcile_all(), manager.validate_allocation(100_000)):
            with pytest.raises(BadInput, match="no credentials") as refused:
                asyncio.run(asked)
            assert "paper venue" in refused.value.remedy


@pytest.mark.usefixtures("bare")
def test_credentials_are_taken_from_arguments_and_never_shown() -> None:
    planted = "0x" + "5e" * 32
    with ExchangeReconciliationManager(
        "0x" + "a1" * 20, planted, coinbase_key="organizations/1/apiKeys/2", coinbase_secret="planted-too"
    ) as manager:
        assert set(manager.settings.accounts) == {HL, CB}
        assert planted not in repr(manager.settings)
        assert "planted-too" not in repr(manager.settings)
        assert planted not in repr(manager)


@pytest.mark.usefixtures("bare")
def test_the_environment_sets_interval_and_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RECONCILIATION_INTERVAL": "120", "HL_ALLOCATION": "0.7", "CB_ALLOCATION": "0.3"}.items():
        monkeypatch.setenv(name, value)
    with ExchangeReconciliationManager() as manager:
        assert manager._reconciliation_interval == 120
        manager._reconciliation_interval = 60
        assert manager.reconciliation_interval == 60
        assert {venue: str(share) for venue, share in manager.settings.allocation.items()} == {
            "hyperliquid": "0.7",
            "coinbase": "0.3",
        }
        with pytest.raises(BadInput):
            manager.reconciliation_interval = 0


@pytest.mark.usefixtures("bare")
def test_shares_of_declared_positions_need_no_exchange() -> None:
    async def story(database: TradingDatabase) -> None:
        manager = ExchangeReconciliationManager(database=database)
        found = await manager.validate_allocation(50_000)
        assert found["allocations"]["hyperliquid"]["actual"] == 0.84

    with TradingDatabase() as database, PositionManager(database) as positions:
        positions.add_position(asset="BTC", entry_price=42_000, size=1, leverage=1, venue="hyperliquid")
        asyncio.run(story(database))
