"""``PositionReconciler``: three sides, tolerances, policies and thresholds, at a paper exchange over its socket."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.doors.exchanges import BTC, ETH, HL, Exchange, trading
from trueup import PositionReconciler, TradingDatabase
from trueup.doors.position_manager import PositionManager
from trueup.engine.clock import SystemClock
from trueup.model.errors import BadInput, NotFound
from trueup.model.times import NS_PER_SECOND, format_time
from trueup.venues.paper.client import PaperClient
from trueup.venues.paper.server import HOST

Story = Callable[[Exchange, PositionReconciler], Awaitable[None]]


def told(folder: Path, story: Story, **given: Any) -> None:  # noqa: ANN401 - whatever a reconciler takes
    async def main() -> None:
        async with trading(folder) as exchange:
            with PositionReconciler(
                HL, database=folder / "positions.db", config=exchange.settings, **given
            ) as reconciler:
                await story(exchange, reconciler)

    asyncio.run(main())


def declared(reconciler: PositionReconciler, size: str) -> None:
    """A trade of yesterday that the exchange knows nothing of."""
    yesterday = format_time(reconciler.database.shelf.now() - 86_400 * NS_PER_SECOND)
    with PositionManager(reconciler.database) as positions:
        positions.add_position(
            asset=BTC, entry_price=60_000, size=size, leverage=2, venue="hyperliquid", opened_at=yesterday
        )


def test_memory_database_and_exchange_agree_once_what_was_missed_is_booked(tmp_path: Path) -> None:
    async def story(exchange: Exchange, reconciler: PositionReconciler) -> None:
        with pytest.raises(NotFound):
            reconciler.report()
        exchange.trade(HL, "0.3")
        report = await reconciler.reconcile()
        assert report == reconciler.report()
        assert (report.status, report.account, report.critical, report.differences) == ("SYNCED", HL, False, ())
        assert report.booked > 0
        (row,) = [row for row in report.rows if row.section == "positions"]
        assert (row.memory, row.database, row.venue) == ("0.3", "0.3", "0.3")
        assert json.loads(json.dumps(report.to_dict()))["rows"]
        exchange.trade(HL, "0.1")
        assert (await reconciler.reconcile()).booked > 0

    told(tmp_path, story)


def test_a_difference_is_reported_and_forbids_what_would_make_it_worse(tmp_path: Path) -> None:
    async def story(exchange: Exchange, reconciler: PositionReconciler) -> None:
        exchange.trade(HL, "0.3")
        await reconciler.reconcile()
        declared(reconciler, "0.1")
        report = await reconciler.reconcile()
        (found,) = [one for one in report.differences if one.kind == "QTY"]
        assert (found.memory, found.exchange, found.status, found.severity) == ("0.4", "0.3", "DRIFT", "CRITICAL")
        assert report.critical
        assert report.corrected == ()
        assert len(found.break_id) == 8

    told(tmp_path, story)


def test_what_both_looks_booked_is_told_as_one(tmp_path: Path) -> None:
    async def story(exchange: Exchange, reconciler: PositionReconciler) -> None:
        await reconciler.reconcile()
        declared(reconciler, "0.1")
        exchange.trade(HL, "2", ETH)
        report = await reconciler.reconcile()
        assert report.status == "DRIFT"
        assert report.booked > 0

    told(tmp_path, story)


def test_a_tolerance_is_of_one_instrument(tmp_path: Path) -> None:
    async def story(exchange: Exchange, reconciler: PositionReconciler) -> None:
        exchange.trade(HL, "0.3")
        await reconciler.reconcile()
        declared(reconciler, "0.001")
        report = await reconciler.reconcile()
        assert not [one for one in report.differences if one.kind == "QTY"]
        declared(reconciler, "0.001")
        report = await reconciler.reconcile()
        assert [one.exchange for one in report.differences if one.kind == "QTY"] == ["0.3"]

    told(tmp_path, story, tolerances={"BTC-PERP": 0.001, ETH: 5})


def test_an_adjustment_within_its_limit_is_booked(tmp_path: Path) -> None:
    async def story(exchange: Exchange, reconciler: PositionReconciler) -> None:
        exchange.trade(HL, "0.3")
        await reconciler.reconcile()
        declared(reconciler, "0.001")
        report = await reconciler.reconcile()
        assert report.corrected
        assert BTC in report.corrected[0]
        held = reconciler.database.shelf.ledger(HL).read(lambda book: book.position(BTC))
        assert held is not None
        assert held.quantity == Decimal("0.3")

    told(tmp_path, story, auto_correct="adjust", adjust_up_to=100, adjust_per_day=1_000)


def test_an_adjustment_beyond_its_limit_is_not_booked(tmp_path: Path) -> None:
    async def story(exchange: Exchange, reconciler: PositionReconciler) -> None:
        exchange.trade(HL, "0.3")
        await reconciler.reconcile()
        declared(reconciler, "0.1")
        report = await reconciler.reconcile()
        assert (report.status, report.corrected) == ("DRIFT", ())
        assert report.not_corrected

    told(tmp_path, story, auto_correct="adjust", adjust_up_to=100, adjust_per_day=1_000)


def test_reporting_books_nothing(tmp_path: Path) -> None:
    async def story(exchange: Exchange, reconciler: PositionReconciler) -> None:
        exchange.trade(HL, "0.3")
        report = await reconciler.reconcile()
        assert (report.status, report.booked) == ("DRIFT", 0)
        assert reconciler.database.shelf.read(HL).positions == {}

    told(tmp_path, story, auto_correct=False)


def test_a_connection_of_ones_own_serves_as_well(tmp_path: Path) -> None:
    async def main() -> None:
        async with trading(tmp_path) as exchange:
            exchange.trade(HL, "0.3")
            port = int(exchange.settings.read_text(encoding="utf-8").partition("port = ")[2].partition("\n")[0])
            venue = PaperClient(HOST, port, HL, clock=SystemClock(), random=Random(1))
            with TradingDatabase(tmp_path / "positions.db") as database:
                reconciler = PositionReconciler(venue, database=database)
                assert (await reconciler.reconcile()).status == "SYNCED"
            await venue.aclose()

    asyncio.run(main())


def test_an_exchange_that_is_gone_is_unknown_not_flat(tmp_path: Path) -> None:
    async def main() -> None:
        async with trading(tmp_path) as exchange:
            exchange.trade(HL, "0.3")
            reconciler = PositionReconciler(HL, database=tmp_path / "positions.db", config=exchange.settings)
            await reconciler.reconcile()
        report = await reconciler.reconcile()
        assert report.status == "FAILED"
        assert "cannot be reached" in report.differences[0].words
        assert reconciler.database.shelf.read(HL).positions[BTC].quantity == 0.3
        reconciler.close()

    asyncio.run(main())


def test_what_is_no_policy_or_account_is_refused(tmp_path: Path) -> None:
    settings = tmp_path / "trueup.toml"
    settings.write_text("", encoding="utf-8")
    with pytest.raises(BadInput, match="no one account is meant"):
        PositionReconciler(config=settings)
    with pytest.raises(BadInput, match="not in the settings"):
        PositionReconciler("paper:nobody", config=settings)
    settings.write_text('[accounts."paper:one"]\nport = 1\n', encoding="utf-8")
    with pytest.raises(BadInput, match="not a policy"):
        PositionReconciler(config=settings, auto_correct="everything")  # type: ignore[arg-type]
    with PositionReconciler(config=settings, database=tmp_path / "p.db") as only:
        assert only.account == "paper:one"
