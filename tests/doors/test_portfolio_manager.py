"""``PortfolioStateManager``: closed equity, with a store and without."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from trueup import DatabaseStateManager, PortfolioStateManager
from trueup.model.errors import BadInput, ConcurrentUpdate


def test_without_a_database_it_works_in_memory() -> None:
    manager = PortfolioStateManager(initial_capital=1000)
    assert manager.closed_equity == 1000
    assert manager.add_realized_pnl(0.1).closed_equity == 1000.1
    assert manager.save(closed_equity="999.5", margin_used=1).margin_used == 1
    assert manager.load().closed_equity == 999.5
    assert manager.initial_capital == 1000
    assert PortfolioStateManager().closed_equity is None


def test_with_one_it_is_there_again_after_a_restart(tmp_path: Path) -> None:
    with DatabaseStateManager(tmp_path / "data") as database:
        PortfolioStateManager(database, initial_capital=1000).add_realized_pnl(-0.5)
    with DatabaseStateManager(tmp_path / "data") as database:
        manager = PortfolioStateManager(database, initial_capital=5)
        assert manager.closed_equity == 999.5
        assert manager.initial_capital == 1000
        assert manager.state.version == 2


def test_two_of_them_do_not_overwrite_one_another(tmp_path: Path) -> None:
    with DatabaseStateManager(tmp_path / "data") as database, DatabaseStateManager(tmp_path / "data") as another:
        one = PortfolioStateManager(database, initial_capital=1000)
        other = PortfolioStateManager(another)
        one.add_realized_pnl(10)
        with pytest.raises(ConcurrentUpdate):
            other.add_realized_pnl(5)
        other.load()
        assert other.add_realized_pnl(5).closed_equity == 1015
        assert one.load().closed_equity == Decimal(1015)


def test_what_somebody_else_loaded_meanwhile_is_not_what_a_change_is_made_on(tmp_path: Path) -> None:
    with DatabaseStateManager(tmp_path / "data") as database, DatabaseStateManager(tmp_path / "data") as another:
        equity = PortfolioStateManager(database, initial_capital=1000)
        PortfolioStateManager(another).add_realized_pnl(50)
        database.start()
        with pytest.raises(ConcurrentUpdate):
            equity.add_realized_pnl(10)
        equity.load()
        assert equity.add_realized_pnl(10).closed_equity == 1060


def test_threads_that_add_the_same_lose_nothing(tmp_path: Path) -> None:
    with DatabaseStateManager(tmp_path / "data") as database, ThreadPoolExecutor(4) as pool:
        equity = PortfolioStateManager(database, initial_capital=1000)
        for added in [pool.submit(equity.add_realized_pnl, 10) for _ in range(20)]:
            added.result(120)
        assert equity.load().closed_equity == 1200


def test_zero_is_known_and_unknown_is_not_zero(tmp_path: Path) -> None:
    with DatabaseStateManager(tmp_path / "data") as database:
        database.save_portfolio_state(closed_equity=0)
        equity = PortfolioStateManager(database, initial_capital=1000)
        assert equity.closed_equity == 0
        assert equity.initial_capital == 1000
    with pytest.raises(BadInput, match="unknown"):
        PortfolioStateManager().add_realized_pnl(10)


@pytest.mark.parametrize("fields", [{"closed_equity": "much"}, {"margin_used": float("nan")}, {"margin": 1}])
def test_what_cannot_be_saved(tmp_path: Path, fields: dict[str, float]) -> None:
    with DatabaseStateManager(tmp_path / "data") as database:
        manager = PortfolioStateManager(database)
        with pytest.raises(BadInput):
            manager.save(**fields)
        assert manager.load().version == 0
