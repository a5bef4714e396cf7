"""``DatabaseStateManager`` on both stores: exact, durable, optimistic, thin over the same book as everything else."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from trueup import DatabaseStateManager
from trueup.model.errors import BadInput, ConcurrentUpdate, NotFound, StaleVersion
from trueup.model.events import FillBooked, InstrumentDefined, Quarantined
from trueup.model.identifiers import CONTROL, AccountId
from trueup.model.instruments import Instrument

ACCOUNT = AccountId("declared:main")
ENDLESS: list[object] = []
ENDLESS.append(ENDLESS)
ADDED = 10
"""How often each of two managers adds to one position."""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[DatabaseStateManager]:
    with DatabaseStateManager(tmp_path / "data") as made:
        yield made


@pytest.fixture
def one(place: str) -> Iterator[DatabaseStateManager]:
    """A manager of either store."""
    with DatabaseStateManager(place) as made:
        yield made


@pytest.fixture
def other(place: str, one: DatabaseStateManager) -> Iterator[DatabaseStateManager]:
    """A second manager of the same store."""
    with DatabaseStateManager(place) as made:
        yield made


def all_of(*values: object) -> tuple[object, ...]:
    return values


def venue_fill(
    manager: DatabaseStateManager, number: str, quantity: str, price: str, strategy: str = "external"
) -> None:
    fill = FillBooked(
        ACCOUNT, "BTC", "net", "buy", Decimal(quantity), Decimal(price), Decimal(0), "USD",
        manager.shelf.now(), number, strategy=strategy,
    )  # fmt: skip
    assert manager.shelf.book(ACCOUNT, [fill]).booked >= 1


class TestPositions:
    def test_what_is_saved_comes_back_and_equals_plain_numbers(self, one: DatabaseStateManager) -> None:
        saved = one.save_position(
            asset="BTC", size=0.1, entry_price=42000.1, leverage=2, current_price=42500, current_stop="41000.50",
            is_base_position=True, pe_symbol="PE", rollover_count=1, rolled_at=datetime(2026, 1, 1, tzinfo=UTC),
        )  # fmt: skip
        assert one.get_position("BTC") == saved
        assert all_of(saved.quantity, saved.entry_price, saved.current_price) == (0.1, 42000.1, 42500)
        assert all_of(saved.current_stop, saved.leverage, saved.is_base_position) == (41000.5, 2, True)
        assert all_of(saved.pe_symbol, saved.ce_symbol, saved.rollover_count) == ("PE", None, 1)
        assert all_of(saved.version, saved.position_id, saved.account, saved.stale) == (1, "BTC", ACCOUNT, False)
        assert saved.to_dict()["current_stop"] == Decimal("41000.5")
        assert saved.value == 4250
        with pytest.raises(AttributeError, match="no 'stop'"):
            _ = saved.stop

    def test_a_short_position_and_one_of_another_venue_stand_apart(self, manager: DatabaseStateManager) -> None:
        manager.save_position(position_id="s", symbol="ETH", quantity=-2, entry_price=2000, venue="paper")
        assert manager.get_all_open_positions() == {}
        assert manager.get_all_open_positions("paper:main")["s"].quantity == -2

    def test_fields_that_are_not_given_stay(self, manager: DatabaseStateManager) -> None:
        manager.save_position(position_id="p", asset="BTC", size=1, entry_price=100, current_stop=90, atr=3)
        changed = manager.save_position(position_id="p", current_stop=95)
        assert all_of(changed.quantity, changed.entry_price, changed.current_stop, changed.atr) == (1, 100, 95, 3)
        assert manager.save_position(position_id="p", atr=None).atr is None

    def test_a_growing_position_is_booked_so_that_its_average_is_the_one_given(
        self, manager: DatabaseStateManager
    ) -> None:
        manager.save_position(position_id="p", asset="BTC", size=1, entry_price=100)
        assert manager.save_position(position_id="p", size=3, entry_price=110).entry_price == 110
        assert manager.save_position(position_id="p", size=4, price=150).entry_price == 120

    def test_pyramids_in_one_instrument_are_positions_of_their_own(self, manager: DatabaseStateManager) -> None:
        manager.save_position(position_id="Long_1", asset="GOLD", size=10, entry_price=100, is_base_position=True)
        manager.save_position(position_id="Long_2", asset="GOLD", size=5, entry_price=110)
        manager.close_position("Long_1", price=130)
        assert list(manager.get_all_open_positions()) == ["Long_2"]
        assert manager.get_all_positions()["Long_1"].realized_pnl == 300
        with pytest.raises(BadInput, match="Name one: Long_1, Long_2"):
            manager.get_position("GOLD")

    def test_closing_and_reducing_realise_at_their_price(self, manager: DatabaseStateManager) -> None:
        manager.save_position(asset="BTC", size=-3, entry_price=100)
        assert manager.reduce_position("BTC", 1, 90).quantity == -2
        closed = manager.close_position("BTC", 80)
        assert all_of(closed.quantity, closed.realized_pnl, closed.is_open, closed.entry_price) == (0, 50, False, None)
        with pytest.raises(NotFound, match="No position 'BTC' is open"):
            manager.close_position("BTC", 80)

    def test_saving_it_again_changes_nothing(self, manager: DatabaseStateManager) -> None:
        saved = manager.save_position(asset="BTC", size=1, entry_price=100, current_price=101)
        head = manager.shelf.ledger(ACCOUNT).head
        assert manager.save_position(saved) == saved
        assert manager.save_position(asset="BTC", size=1, entry_price=100, current_price=101) == saved
        assert manager.save_position(saved.to_dict(), version=0) == saved  # the answer to the first call was lost
        assert manager.shelf.ledger(ACCOUNT).head == head

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"stop": 1}, "stop"),
            ({"size": float("nan")}, "quantity"),
            ({"size": True}, "quantity"),
            ({"size": 2, "quantity": 3}, "quantity"),
            ({"size": "1_000"}, "quantity"),
            ({"size": 2}, "price"),
            ({"size": 0}, "price"),
            ({"size": 0.5, "entry_price": 100}, "price"),
            ({"size": -1, "entry_price": 100}, "price"),
            ({"size": 2, "entry_price": 40}, "price"),
            ({"instrument": "ETH", "size": 1, "price": 1}, "position_id"),
            ({"is_base_position": "yes"}, "is_base_position"),
            ({"rollover_count": 1.5}, "rollover_count"),
            ({"limiter": 1.5}, "limiter"),
            ({"timestamp": "yesterday", "size": 2, "price": 1}, "timestamp"),
            ({"timestamp": datetime(2026, 1, 1), "size": 2, "price": 1}, "timestamp"),  # noqa: DTZ001 - the point
            ({"version": "1"}, "version"),
            ({"account": "nobody"}, "account"),
        ],
    )
    def test_what_cannot_be_saved_is_refused_by_name(
        self, manager: DatabaseStateManager, given: dict[str, object], field: str
    ) -> None:
        before = manager.save_position(position_id="p", asset="BTC", size=1, entry_price=100)
        with pytest.raises(BadInput) as refusal:
            manager.save_position({"position_id": "p"} | given)
        assert refusal.value.field == field or refusal.value.field in given
        assert refusal.value.remedy
        assert manager.get_position("p") == before

    @pytest.mark.parametrize("size", [0, -1, 2])
    def test_it_is_not_reduced_by_what_it_does_not_hold(self, manager: DatabaseStateManager, size: int) -> None:
        manager.save_position(asset="BTC", size=1, entry_price=100)
        with pytest.raises(BadInput, match="holds 1"):
            manager.reduce_position("BTC", size, 100)

    def test_a_position_without_an_instrument_is_refused(self, manager: DatabaseStateManager) -> None:
        with pytest.raises(BadInput, match="Name it"):
            manager.save_position(position_id="p", size=1, price=1)

    def test_details_may_be_saved_before_anything_is_traded(self, manager: DatabaseStateManager) -> None:
        planned = manager.save_position(position_id="p", asset="BTC", current_stop=90)
        assert all_of(planned.quantity, planned.is_open, planned.current_stop) == (0, False, 90)
        assert manager.save_position(planned, size=1, price=100).entry_price == 100

    def test_an_instrument_is_found_by_the_venues_name_for_it(self, manager: DatabaseStateManager) -> None:
        terms = Instrument("BTC/USDC:USDC", "BTC", "linear", "BTC", "USDC", "USDC", Decimal("0.01"))
        manager.shelf.book(ACCOUNT, [InstrumentDefined(ACCOUNT, terms)])
        saved = manager.save_position(asset="BTC", size=100, entry_price=42000)
        assert all_of(saved.instrument, saved.position_id, saved.value) == ("BTC/USDC:USDC", "BTC/USDC:USDC", 42000)

    def test_one_that_nobody_defined_is_a_plain_contract(self, manager: DatabaseStateManager) -> None:
        manager.save_position(asset="BANK_NIFTY", size=2, entry_price=50000, contract_size=30, currency="INR")
        book = manager.shelf.ledger(ACCOUNT).book
        terms = book.terms("BANK_NIFTY")
        assert terms is not None
        assert all_of(terms.kind, terms.settle, terms.contract_size) == ("linear", "INR", 30)
        manager.save_position(asset="EUR/USD", size=1, entry_price=1.1)
        pair = book.terms("EUR/USD")
        assert pair is not None
        assert all_of(pair.base, pair.quote, pair.settle) == ("EUR", "USD", "USD")


class TestTwoManagers:
    def test_one_wins_and_the_other_loads_again(self, one: DatabaseStateManager, other: DatabaseStateManager) -> None:
        one.save_position(position_id="p", asset="BTC", size=1, entry_price=100)
        mine, theirs = one.get_position("p"), other.get_position("p")
        assert mine is not None
        assert theirs is not None
        one.save_position(mine, size=2, price=110)
        with pytest.raises(ConcurrentUpdate, match=r"loaded at version 1; it is at version 2 now\. Load it again"):
            other.save_position(theirs, size=5, price=120)
        with pytest.raises(ConcurrentUpdate):
            other.close_position("p", 120)
        again = other.get_position("p")
        assert again is not None
        assert other.save_position(again, size=5, price=120).quantity == 5
        seen = one.get_position("p")
        assert seen is not None
        assert all_of(seen.quantity, seen.entry_price, seen.version) == (
            5,
            114,
            3,
        )  # 100 + 110 + 3 * 120: nothing is lost

    def test_a_new_position_is_taken_once(self, one: DatabaseStateManager, other: DatabaseStateManager) -> None:
        one.save_position(position_id="p", asset="BTC", size=1, entry_price=100)
        with pytest.raises(StaleVersion, match="is taken for new, and is at version 1 already"):
            other.save_position(position_id="p", asset="BTC", size=1, entry_price=200)

    def test_the_portfolio_and_pyramids_too(self, one: DatabaseStateManager, other: DatabaseStateManager) -> None:
        one.save_portfolio_state(closed_equity=100)
        one.save_pyramiding_state("GOLD", last_pyramid_price=1)
        with pytest.raises(StaleVersion, match="The portfolio state"):
            other.save_portfolio_state(closed_equity=200)
        with pytest.raises(StaleVersion, match="The pyramiding state of GOLD"):
            other.save_pyramiding_state("GOLD", last_pyramid_price=2)
        assert other.get_portfolio_state().closed_equity == 100
        assert other.save_portfolio_state(closed_equity=200).version == 2
        assert other.get_pyramiding_state("GOLD").version == 1
        assert other.save_pyramiding_state("GOLD", last_pyramid_price=2).last_pyramid_price == 2

    def test_the_same_change_made_by_both_is_two_changes(
        self, one: DatabaseStateManager, other: DatabaseStateManager
    ) -> None:
        one.save_position(position_id="p", asset="BTC", size=1, entry_price=100)
        seen = other.get_position("p")
        assert seen is not None
        one.save_position(one.get_position("p"), size=2, price=100)
        with pytest.raises(ConcurrentUpdate):
            other.save_position(seen, size=2, price=100)
        assert other.save_position(other.get_position("p"), size=3, price=100).quantity == 3

    def test_both_at_once_lose_nothing(self, one: DatabaseStateManager, other: DatabaseStateManager) -> None:
        one.save_position(position_id="p", asset="BTC", size=1, entry_price=100)

        def add(manager: DatabaseStateManager) -> None:
            for _ in range(ADDED):
                for _ in range(100 * ADDED):
                    held = manager.get_position("p")
                    assert held is not None
                    with suppress(ConcurrentUpdate):
                        manager.save_position(held, size=held.quantity + 1, price=100)
                        break
                else:
                    raise AssertionError("it never got its turn")

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(add, (one, other)))
        found = one.get_position("p")
        assert found is not None
        assert found.quantity == 1 + 2 * ADDED
        assert found.version == 1 + 2 * ADDED

    def test_a_fill_of_the_venue_in_between_is_not_overwritten(self, manager: DatabaseStateManager) -> None:
        loaded = manager.save_position(asset="BTC", size=1, entry_price=100)
        venue_fill(manager, "f1", "1", "100")  # confirms what was declared
        venue_fill(manager, "f2", "2", "100")  # and this is news
        with pytest.raises(StaleVersion, match="its quantity went from 1 to 3"):
            manager.save_position(loaded, size=5, price=100)
        again = manager.get_position("BTC")
        assert again is not None
        assert manager.save_position(again, size=5, price=100).quantity == 5


def test_the_venues_fill_supersedes_what_was_declared(manager: DatabaseStateManager) -> None:
    manager.save_position(position_id="Long_1", asset="BTC", size=1, entry_price=100)
    book = manager.shelf.ledger(ACCOUNT).book
    assert book.positions()["BTC", "net"].unconfirmed == 1
    venue_fill(manager, "f1", "1", "101")
    found = manager.get_position("Long_1")
    assert found is not None
    assert all_of(found.quantity, found.entry_price) == (1, 101)
    assert book.positions()["BTC", "net"].unconfirmed == 0


def test_a_fill_that_came_first_confirms_what_is_declared_later(manager: DatabaseStateManager) -> None:
    manager.save_position(position_id="p", asset="BTC", current_stop=1)
    venue_fill(manager, "f1", "1", "101", strategy="p")
    found = manager.get_position("p")
    assert found is not None
    assert found.quantity == 1


SIGNAL = {"kind": "PYRAMID", "instrument": "GOLD", "strength": 0.1, "timestamp": "2026-01-01T00:00:00Z"}


class TestSignals:
    def test_the_same_signal_is_logged_once(self, one: DatabaseStateManager, other: DatabaseStateManager) -> None:
        assert not one.check_duplicate_signal("f")
        assert one.log_signal(SIGNAL, fingerprint="f")
        assert not other.log_signal(SIGNAL, fingerprint="f")
        assert other.check_duplicate_signal("f")
        assert [(s.fingerprint, s.payload) for s in other.get_waiting_signals()] == [
            (
                "f",
                '{"instrument":"GOLD","kind":"PYRAMID","strength":0.1,"timestamp":"2026-01-01T00:00:00Z"}',
            )
        ]

    def test_without_a_fingerprint_its_content_is_it(self, manager: DatabaseStateManager) -> None:
        assert manager.log_signal(SIGNAL)
        assert not manager.log_signal(SIGNAL)
        assert manager.log_signal(SIGNAL, direction="long")

    def test_other_content_under_a_fingerprint_is_kept_aside(self, manager: DatabaseStateManager) -> None:
        manager.log_signal(SIGNAL, fingerprint="f")
        with pytest.raises(BadInput, match="another signal has it"):
            manager.log_signal(SIGNAL, fingerprint="f", strength=0.2)
        assert [s.strength for s in manager.get_waiting_signals()] == [Decimal("0.1")]
        assert sum(isinstance(event, Quarantined) for _, event in manager.shelf.ledger(CONTROL).events()) == 1

    def test_it_waits_until_something_became_of_it(self, manager: DatabaseStateManager) -> None:
        manager.log_signal(SIGNAL, fingerprint="f", payload={"price": 1.5, "legs": [1, "a", None, True]})
        manager.mark_signal("f", "EXECUTED", "filled", {"lots": 2})
        assert list(manager.get_waiting_signals()) == []
        with pytest.raises(BadInput, match="became of it already"):
            manager.mark_signal("f", "FAILED")
        assert not manager.log_signal(
            SIGNAL, fingerprint="f", payload={"legs": [1, "a", None, True], "price": Decimal("1.50")}
        )

    @pytest.mark.parametrize(
        "given",
        [{"kind": "HOLD"}, {"payload": {"x": float("inf")}}, {"payload": object()}, {"payload": ENDLESS}, {"size": 1}],
    )
    def test_what_is_no_signal(self, manager: DatabaseStateManager, given: dict[str, object]) -> None:
        with pytest.raises(BadInput):
            manager.log_signal(SIGNAL | given)
        assert list(manager.get_waiting_signals()) == []


def test_a_position_that_was_loaded_is_saved_as_a_change_of_what_it_was_then(manager: DatabaseStateManager) -> None:
    loaded = manager.save_position(asset="BTC", size=5, price=100)
    venue_fill(manager, "1", "7", "100")  # of which 5 are those declared
    now = manager.get_position("BTC")
    assert now is not None
    assert now.quantity == 7
    assert now.version == loaded.version
    with pytest.raises(ConcurrentUpdate, match="its quantity went from 5 to 7"):
        manager.save_position(loaded, size=6, price=100)
    assert manager.save_position(now, size=6, price=100).quantity == 6


def test_what_one_closes_twice_stays_open_for_others(tmp_path: Path) -> None:
    with DatabaseStateManager(tmp_path / "data") as one, DatabaseStateManager(tmp_path / "data") as other:
        other.close()
        other.close()
        assert one.save_portfolio_state(closed_equity=1).version == 1
        assert one.get_portfolio_state().closed_equity == 1


def test_after_a_restart_a_start_loads_everything_in_its_order(place: str) -> None:
    with DatabaseStateManager(place) as before:
        before.save_position(position_id="Long_1", asset="GOLD", size=10, entry_price=100.5, current_stop=95)
        before.save_position(position_id="gone", asset="GOLD", size=1, entry_price=100)
        before.close_position("gone", 101)
        before.save_pyramiding_state("GOLD", last_pyramid_price=100.5, base_position="Long_1")
        before.save_pyramiding_state("BTC", account="paper:x", last_pyramid_price=1)
        before.save_portfolio_state(initial_capital=1000, closed_equity=1001.25, margin_used=None)
        before.log_signal(kind="EXIT", instrument="GOLD", fingerprint="a")
        before.log_signal(kind="EXIT", instrument="GOLD", fingerprint="b")
        with pytest.raises(BadInput, match="without a time of its own"):
            before.log_signal(kind="EXIT", instrument="GOLD")
        before.mark_signal("a", "REJECTED")
    with DatabaseStateManager({"store": place}) as again:
        started = again.start()
        assert started.__struct_fields__ == ("positions", "pyramiding", "portfolio", "signals")
        assert list(started.positions) == ["Long_1"]
        assert started.positions["Long_1"].current_stop == 95
        assert started.pyramiding["GOLD"].base_position == "Long_1"
        assert again.get_pyramiding_state("BTC", "paper:x").last_pyramid_price == 1
        assert again.get_pyramiding_state("BTC").last_pyramid_price is None
        assert all_of(started.portfolio.closed_equity, started.portfolio.margin_used) == (1001.25, None)
        assert [signal.fingerprint for signal in started.signals] == ["b"]
        assert not again.log_signal(kind="EXIT", instrument="GOLD", fingerprint="a", timestamp=None)


def test_processes_that_work_with_the_store_say_that_they_are_alive(one: DatabaseStateManager) -> None:
    one.heartbeat()
    first = one.get_instances()
    one.heartbeat(is_leader=True)
    (noted,) = one.get_instances()
    assert (noted.instance_id, noted.started_at) == (first[0].instance_id, first[0].started_at)
    assert noted.heartbeat_at >= first[0].heartbeat_at
    assert noted.is_leader
    assert not first[0].is_leader
    assert noted.pid == os.getpid()
