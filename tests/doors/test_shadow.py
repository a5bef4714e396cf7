"""``ShadowAccounting``: positions with every field filled in, a log to replay, proof, repair, backups, comparison."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from trueup import ShadowAccounting
from trueup.model.differences import Status
from trueup.model.errors import BadInput, NotFound


@pytest.fixture
def shadow(tmp_path: Path) -> Iterator[ShadowAccounting]:
    with ShadowAccounting(tmp_path / "data") as made:
        yield made


def test_missing_fields_are_filled_in(shadow: ShadowAccounting) -> None:
    saved = shadow.update_position({"symbol": "ETH", "quantity": 2, "price": 2000.5})
    assert saved.source == "manual"
    assert saved.reference_id == "shadow:main/ETH@1"
    assert saved.value == 4001
    assert saved.timestamp == saved.last_modified
    assert datetime.fromisoformat(saved.timestamp).tzinfo is not None
    moved = shadow.update_position("ETH", source="broker", reference_id="r-7", current_price=2100)
    assert moved.source == "broker"
    assert moved.reference_id == "r-7"
    assert moved.value == 4200
    assert moved.timestamp == saved.timestamp


def test_fields_that_are_computed_may_be_given_all_the_same(shadow: ShadowAccounting) -> None:
    opened = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    given = {"symbol": "ETH", "quantity": 1, "price": 10, "value": 99, "last_modified": "x", "timestamp": opened}
    saved = shadow.update_position(given)
    assert saved.value == 10
    assert saved.timestamp == "2026-01-02T03:04:05Z"


def test_all_positions_are_always_a_list(shadow: ShadowAccounting) -> None:
    assert shadow.get_all_positions() == []
    assert shadow.get_position("ETH") is None
    shadow.record_trade("ETH", "buy", 3, 100)
    shadow.record_trade("ETH", "sell", 1, 110)
    shadow.record_trade("BTC", "sell", 1, 50000)
    shadow.close_position("BTC", 49000)
    assert [(p.symbol, str(p.quantity)) for p in shadow.get_all_positions()] == [("ETH", "2")]
    everything = shadow.get_all_positions(include_closed=True)
    assert [(p.symbol, str(p.quantity), str(p.realized_pnl)) for p in everything] == [
        ("BTC", "0", "1000"),
        ("ETH", "2", "10"),
    ]
    with pytest.raises(NotFound):
        shadow.close_position("BTC", 1)
    with pytest.raises(BadInput, match="neither buy nor sell"):
        shadow.record_trade("ETH", "hold", 1, 1)


def test_trades_of_many_threads_all_count(shadow: ShadowAccounting) -> None:
    with ThreadPoolExecutor(4) as pool:
        for traded in [pool.submit(shadow.record_trade, "ETH", "buy", 1, 100) for _ in range(20)]:
            traded.result(120)
    held = shadow.get_position("ETH")
    assert held is not None
    assert held.quantity == 20


def test_a_trade_counts_towards_the_position_that_its_symbol_names(shadow: ShadowAccounting) -> None:
    shadow.update_position({"symbol": "ETH", "position_id": "Long_1", "quantity": 5, "price": 100})
    traded = shadow.record_trade("ETH", "sell", "1.5", 100)
    assert traded.symbol == "Long_1"
    assert traded.quantity == 3.5
    assert len(shadow.get_all_positions()) == 1


@pytest.mark.parametrize("quantity", [0, -1, "NaN"])
def test_a_trade_has_a_size(shadow: ShadowAccounting, quantity: float | str) -> None:
    with pytest.raises(BadInput):
        shadow.record_trade("ETH", "buy", quantity, 100)
    assert shadow.get_all_positions(include_closed=True) == []


def test_its_history_and_log_say_how_it_came_about(shadow: ShadowAccounting) -> None:
    assert shadow.get_position_history("ETH") == []
    shadow.record_trade("ETH", "buy", 3, 100)
    shadow.record_trade("ETH", "sell", 1, 110)
    history = shadow.get_position_history("ETH")
    assert [(row.kind, str(row.quantity), str(row.price)) for row in history] == [
        ("declared", "3", "100"),
        ("declared", "-1", "110"),
    ]
    log = shadow.get_transaction_log()
    assert [entry.kind for entry in log] == [
        "instrument", "declared", "position_details", "declared", "position_details",
    ]  # fmt: skip
    assert shadow.get_transaction_log(after=4) == log[4:]
    assert json.dumps(log[1].fields)


def test_the_log_replays_to_what_is_held_and_to_any_earlier_state(shadow: ShadowAccounting) -> None:
    shadow.record_trade("ETH", "buy", 3, 100)
    first = shadow.get_all_positions()
    shadow.record_trade("ETH", "sell", 1, 110)
    assert shadow.replay() == shadow.get_all_positions()
    assert shadow.replay(seq=3) == first
    with pytest.raises(NotFound):
        shadow.replay(seq=99)


def test_an_untouched_store_is_whole(shadow: ShadowAccounting) -> None:
    shadow.record_trade("ETH", "buy", 3, 100)
    found = shadow.check_integrity()
    assert found.ok
    assert found.seq == 3


def test_a_row_that_somebody_changed_is_found_and_mended(shadow: ShadowAccounting, tmp_path: Path) -> None:
    shadow.record_trade("ETH", "buy", 3, 100)
    assert shadow.check_integrity().ok
    with apsw.Connection(str(tmp_path / "data" / "views.sqlite3"), vfs="cksmvfs") as somebody:
        somebody.execute("UPDATE book_positions SET quantity = '30'")
    somebody.close()
    found = shadow.check_integrity()
    assert not found.ok
    assert "ETH" in found.problems[0]
    assert shadow.recover().ok
    assert [str(p.quantity) for p in shadow.get_all_positions()] == ["3"]


def test_it_is_compared_with_what_the_broker_says(shadow: ShadowAccounting) -> None:
    shadow.record_trade("ETH", "buy", 3, 100)
    assert shadow.reconcile({"ETH": 3}).status is Status.SYNCED
    assert shadow.reconcile([{"symbol": "ETH", "quantity": "3.0", "price": 100}]).status is Status.SYNCED
    drift = shadow.reconcile({"ETH": 2})
    assert drift.status is Status.DRIFT
    assert [str(d.difference) for d in drift.differences] == ["-1"]
    assert shadow.reconcile({}).status is Status.DRIFT


def test_backups_are_taken_without_being_asked_for(tmp_path: Path) -> None:
    kept = tmp_path / "backup"
    with ShadowAccounting(tmp_path / "data", backup_to=str(kept)) as shadow:
        shadow.record_trade("ETH", "buy", 3, 100)
    assert list(kept.rglob("*")) != []


def test_a_backup_inside_the_data_is_refused_and_lets_the_data_go(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        ShadowAccounting(tmp_path / "data", backup_to=str(tmp_path / "data" / "backup"))
    with ShadowAccounting(tmp_path / "data", account="shadow:two") as shadow:
        assert shadow.account == "shadow:two"
