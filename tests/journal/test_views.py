"""What the views promise: all or nothing, a prefix of the journal, exact keys, reads true at one seq."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from threading import Barrier, Thread

import pytest

from tests.journal.views_world import (
    ACCOUNT,
    BTC,
    EUR,
    OTHER,
    Writer,
    balance,
    copy_as_after_a_crash,
    cycle,
    order,
    position,
)
from trueup.journal import views as views_module
from trueup.journal.views import SqliteViews
from trueup.model.errors import ViewsFailed
from trueup.model.identifiers import Seq
from trueup.model.positions import SubPosition
from trueup.ports import GENESIS, Head, Views

PATIENCE_S = 120
"""For another thread, on a machine as busy as can be."""


@pytest.fixture
def views(tmp_path: Path) -> Iterator[SqliteViews]:
    made = SqliteViews(tmp_path / "views.db")
    yield made
    made.close()


def test_it_is_the_port(views: SqliteViews) -> None:
    port: Views = views
    assert port.ledgers() == []


class TestApply:
    def test_every_kind_of_row_is_there_after_it_and_after_opening_again(self, tmp_path: Path) -> None:
        writer = Writer()
        strategies = {"grid": SubPosition(Decimal(1), Decimal(60_000), Decimal(0), {"USDC": Decimal("0.3")}, None)}
        change = writer.change(
            keys=[("fill|7", Seq(1))],
            positions=[position(parts=strategies)],
            balances=[balance()],
            orders=[order("o1")],
            cycles={(BTC.symbol, "net"): (1, [cycle(1), cycle(2)])},
            instruments=[BTC, EUR],
        )
        views = SqliteViews(tmp_path / "views.db")
        views.apply([change])
        views.close()
        again = SqliteViews(tmp_path / "views.db")
        assert again.positions(ACCOUNT) == (1, list(change.positions))
        assert again.balances(ACCOUNT) == (1, list(change.balances))
        assert again.orders(ACCOUNT) == (1, list(change.orders))
        assert again.cycles(ACCOUNT, BTC.symbol) == [("net", cycle(1)), ("net", cycle(2))]
        assert again.find(ACCOUNT, ["fill|7", "fill|8"]) == {"fill|7": 1}
        assert list(again.frames(ACCOUNT)) == list(change.frames)
        assert again.head(ACCOUNT) == writer.head
        assert again.check() == []
        again.close()

    def test_later_rows_take_the_place_of_earlier_ones(self, views: SqliteViews) -> None:
        writer = Writer()
        views.apply([writer.change(positions=[position(quantity="1")], balances=[balance()], instruments=[BTC])])
        later = BTC.__class__(**{name: getattr(BTC, name) for name in BTC.__struct_fields__} | {"version": 2})
        moved, changed = position(later, quantity="-2", seq=2), balance(traded="5", seq=2)
        views.apply([writer.change(positions=[moved], balances=[changed], instruments=[later])])
        assert views.positions(ACCOUNT) == (2, [moved])
        assert views.balances(ACCOUNT) == (2, [changed])

    def test_a_changed_definition_of_the_same_version_is_seen_in_its_positions(self, views: SqliteViews) -> None:
        writer = Writer()
        views.apply([writer.change(positions=[position()], instruments=[BTC])])
        renamed = BTC.__class__(**{name: getattr(BTC, name) for name in BTC.__struct_fields__} | {"max_leverage": None})
        views.apply([writer.change(instruments=[renamed])])
        assert views.positions(ACCOUNT) == (2, [position(renamed)])

    def test_cycles_are_replaced_from_the_given_number_on(self, views: SqliteViews) -> None:
        writer = Writer()
        key = (BTC.symbol, "net")
        views.apply([writer.change(cycles={key: (1, [cycle(1), cycle(2), cycle(3)])}, instruments=[BTC])])
        views.apply([writer.change(cycles={key: (2, [cycle(2, realized_pnl=None)])})])
        assert views.cycles(ACCOUNT, BTC.symbol) == [("net", cycle(1)), ("net", cycle(2, realized_pnl=None))]

    def test_cycles_of_both_sides_come_oldest_first(self, views: SqliteViews) -> None:
        long, short = (BTC.symbol, "long"), (BTC.symbol, "short")
        cycles = {long: (1, [cycle(1, closed_at=30)]), short: (1, [cycle(1, closed_at=20), cycle(2, closed_at=40)])}
        views.apply([Writer().change(cycles=cycles)])
        assert [(side, c.closed_at) for side, c in views.cycles(ACCOUNT, BTC.symbol)] == [
            ("short", 20),
            ("long", 30),
            ("short", 40),
        ]

    def test_an_order_that_closes_is_gone_and_one_that_reopens_is_back(self, views: SqliteViews) -> None:
        writer = Writer()
        opened = writer.change(orders=[order("a"), order("b")])
        closed = writer.change(dropped_orders=["a"], orders=[order("b", filled="1")])
        reopened = writer.change(orders=[order("a")])
        views.apply([opened, closed])
        assert views.orders(ACCOUNT) == (2, [order("b", filled="1")])
        views.apply([reopened])
        assert views.orders(ACCOUNT) == (3, [order("a"), order("b", filled="1")])

    def test_several_ledgers_in_one_transaction(self, views: SqliteViews) -> None:
        here, there = Writer(), Writer(OTHER)
        views.apply([here.busy_change(), there.busy_change(), here.busy_change()])
        assert views.ledgers() == [ACCOUNT, OTHER]
        assert views.applied(ACCOUNT) == 40
        assert views.applied(OTHER) == 20
        assert views.find(OTHER, ["fill|30"]) == {}

    def test_a_known_fact_key_is_refused_and_nothing_of_the_transaction_stays(self, views: SqliteViews) -> None:
        writer = Writer()
        views.apply([writer.change(keys=[("fill|7", Seq(1))], balances=[balance()])])
        offered = writer.change(writer.frame(), keys=[("fill|7", Seq(2))], balances=[balance(traded="9")])
        with pytest.raises(ViewsFailed, match=r"fact_keys\.key") as failure:
            views.apply([Writer(OTHER).busy_change(), offered])
        assert "trueup views rebuild" in failure.value.remedy
        assert views.ledgers() == [ACCOUNT]
        assert views.balances(ACCOUNT) == (1, [balance()])
        assert views.find(ACCOUNT, ["fill|7"]) == {"fill|7": 1}
        views.apply([Writer(OTHER).busy_change()])
        assert views.ledgers() == [ACCOUNT, OTHER]

    def test_a_position_of_an_unknown_instrument_is_refused(self, views: SqliteViews) -> None:
        with pytest.raises(ViewsFailed, match="FOREIGN KEY"):
            views.apply([Writer().change(positions=[position()])])

    def test_a_full_disk_is_told_with_its_own_remedy_and_writing_goes_on_after(self, views: SqliteViews) -> None:
        writer = Writer()
        views.apply([writer.busy_change()])
        assert views._writer is not None
        pages = views._writer.pragma("page_count")
        views._writer.pragma("max_page_count", pages)
        big = writer.change(writer.frame(size=100_000))
        with pytest.raises(ViewsFailed) as failure:
            views.apply([big])
        assert "Free space" in failure.value.remedy
        views._writer.pragma("max_page_count", pages + 1_000)
        views.apply([big])
        assert views.head(ACCOUNT) == writer.head


class TestContinuity:
    def test_the_same_change_twice_changes_nothing(self, views: SqliteViews) -> None:
        writer = Writer()
        first, second = writer.busy_change(), writer.busy_change()
        views.apply([first, second])
        views.apply([first])
        views.apply([second])
        assert views.head(ACCOUNT) == writer.head
        assert views.positions(ACCOUNT) == (40, list(second.positions))

    def test_a_gap_is_refused(self, views: SqliteViews) -> None:
        writer = Writer()
        views.apply([writer.change()])
        writer.frame()
        with pytest.raises(ViewsFailed, match="missing between 1 and 3"):
            views.apply([writer.change()])

    def test_another_history_that_continues_is_refused(self, views: SqliteViews) -> None:
        views.apply([Writer().change()])
        other = Writer(salt="other")
        other.frame()
        with pytest.raises(ViewsFailed, match="another history"):
            views.apply([other.change()])

    def test_another_history_in_the_place_of_what_is_applied_is_refused(self, views: SqliteViews) -> None:
        views.apply([Writer().change()])
        with pytest.raises(ViewsFailed, match="another history"):
            views.apply([Writer(salt="other").change()])

    def test_a_change_that_is_half_applied_is_a_mistake_of_the_caller(self, views: SqliteViews) -> None:
        writer = Writer()
        first, second = writer.frame(), writer.frame()
        views.apply([writer.change(first)])
        with pytest.raises(ValueError, match="1 is applied"):
            views.apply([writer.change(first, second)])
        assert views.applied(ACCOUNT) == 1

    @pytest.mark.parametrize("number", range(6))
    def test_a_change_that_contradicts_itself_is_a_mistake_of_the_caller(self, views: SqliteViews, number: int) -> None:
        writer = Writer()
        first, second, third = writer.frame(), writer.frame(), writer.frame()
        whole = writer.change(first, second, third)
        contradictions = [
            (whole.__class__(ACCOUNT, Seq(9), [first], [], [], [], [], [], {}, []), "last frame"),
            (whole.__class__(ACCOUNT, Seq(0), [], [], [], [], [], [], {}, []), "last frame"),
            (writer.change(first, third), "does not continue"),
            (writer.change(first, balances=[balance(account=OTHER)]), OTHER),
            (writer.change(first, Writer(OTHER, salt="x").frame()), "does not continue"),
            (writer.change(first, keys=[("fill|7", Seq(1)), ("fill|7", Seq(1))]), "booked twice"),
        ]
        change, told = contradictions[number]
        with pytest.raises(ValueError, match=told):
            views.apply([change])
        assert views.ledgers() == []


class TestReading:
    def test_an_unknown_ledger_is_empty(self, views: SqliteViews) -> None:
        assert views.head(ACCOUNT) == Head(Seq(0), GENESIS)
        assert views.applied(ACCOUNT) == 0
        assert views.positions(ACCOUNT) == (0, [])
        assert views.orders(ACCOUNT) == (0, [])
        assert views.cycles(ACCOUNT, BTC.symbol) == []
        assert views.find(ACCOUNT, ["fill|1"]) == {}
        assert list(views.frames(ACCOUNT)) == []

    @pytest.mark.parametrize(("after", "firsts"), [(0, [1, 4, 7]), (2, [1, 4, 7]), (3, [4, 7]), (7, [7]), (9, [])])
    def test_frames_after_a_seq_start_with_the_one_that_holds_the_next(
        self, views: SqliteViews, after: int, firsts: list[int]
    ) -> None:
        writer = Writer()
        views.apply([Writer(OTHER).change(), writer.change(writer.frame(3), writer.frame(3), writer.frame(3))])
        assert [frame.first for frame in views.frames(ACCOUNT, Seq(after))] == firsts

    def test_many_frames_come_in_pages_while_more_are_applied(
        self, views: SqliteViews, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(views_module, "FRAMES_A_PAGE", 2)
        writer = Writer()
        frames = [writer.frame(2) for _ in range(5)]
        views.apply([writer.change(*frames)])
        reading = views.frames(ACCOUNT)
        seen = [next(reading)]
        added = writer.frame()
        views.apply([writer.change(added)])
        seen += reading
        assert seen == [*frames, added]

    def test_a_reader_sees_one_moment_while_another_thread_writes(self, views: SqliteViews) -> None:
        writer = Writer()
        views.apply([writer.busy_change()])
        start = Barrier(3, timeout=PATIENCE_S)
        mixed: list[object] = []

        def read() -> None:
            start.wait()
            for _ in range(60):
                seq, positions = views.positions(ACCOUNT)
                if positions[0].seq != seq or positions[0].quantity != seq:
                    mixed.append((seq, positions))

        readers = [Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        start.wait()
        for _ in range(40):
            views.apply([writer.busy_change()])
        for reader in readers:
            reader.join()
        assert mixed == []
        assert views.applied(ACCOUNT) == 41 * 20

    def test_more_readers_than_are_kept_open(self, views: SqliteViews) -> None:
        views.apply([Writer().change()])
        count = views_module.READERS_IDLE_MAX + 3
        with_all_open = Barrier(count, timeout=PATIENCE_S)

        def read() -> None:
            with views._read():
                with_all_open.wait()

        threads = [Thread(target=read) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(views._idle) == views_module.READERS_IDLE_MAX

    def test_a_row_that_somebody_else_wrote_is_refused(self, views: SqliteViews) -> None:
        views.apply([Writer().busy_change()])
        assert views._writer is not None
        views._writer.execute("UPDATE book_positions SET quantity = 'a lot'")
        with pytest.raises(ViewsFailed, match="a row trueup did not write"):
            views.positions(ACCOUNT)
        views._writer.execute("UPDATE balances SET transfers = '[1]'")
        with pytest.raises(ViewsFailed, match="a row trueup did not write"):
            views.balances(ACCOUNT)

    def test_people_can_query_it(self, views: SqliteViews) -> None:
        part = SubPosition(Decimal("1.5"), None, Decimal(0), {}, None)
        flat = position(EUR, quantity="0", cost="0")
        unknown = balance("EUR")
        unknown = unknown.__class__(
            **{name: getattr(unknown, name) for name in unknown.__struct_fields__} | {"realized_unknown": 1}
        )
        change = Writer().change(
            positions=[position(parts={"grid": part}), flat],
            instruments=[BTC, EUR],
            balances=[balance(), unknown],
            cycles={(BTC.symbol, "net"): (1, [cycle(1)])},
        )
        views.apply([change])
        assert views._writer is not None
        asked = views._writer.execute
        assert asked("SELECT account, instrument, quantity, entry_price, opened FROM open_positions").fetchall() == [
            (ACCOUNT, BTC.symbol, "1.5", "60000", "2023-11-14T22:13:20Z")
        ]
        assert asked("SELECT strategy, quantity, cost FROM strategy_positions").fetchall() == [("grid", "1.5", None)]
        assert asked("SELECT instrument, number, realized_pnl FROM closed_cycles").fetchall() == [(BTC.symbol, 1, "7")]
        assert asked("SELECT currency, total FROM account_balances").fetchall() == [("EUR", None), ("USDC", "987.05")]


class TestLifeOfTheFile:
    def test_forgetting_a_ledger_leaves_the_others(self, views: SqliteViews) -> None:
        here, there = Writer(), Writer(OTHER)
        kept = there.busy_change()
        first = here.busy_change()
        views.apply([first, kept])
        views.forget(ACCOUNT)
        views.forget(ACCOUNT)
        assert views.ledgers() == [OTHER]
        assert views.positions(ACCOUNT) == (0, [])
        assert views.find(ACCOUNT, ["fill|1"]) == {}
        assert views.positions(OTHER) == (20, list(kept.positions))
        views.apply([first])
        assert views.applied(ACCOUNT) == 20
        assert views.check() == []

    def test_closed_twice_is_fine_and_used_after_is_refused(self, views: SqliteViews) -> None:
        views.close()
        views.close()
        with pytest.raises(ViewsFailed, match="is closed"):
            views.ledgers()
        with pytest.raises(ViewsFailed, match="is closed"):
            views.apply([Writer().change()])

    def test_a_turn_that_never_comes_is_not_waited_for(
        self, views: SqliteViews, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(views_module, "WRITER_WAIT_S", 0)
        with views._turn(), pytest.raises(ViewsFailed, match="has run for"):
            views.apply([Writer().change()])

    def test_another_programs_lock_is_named(self, views: SqliteViews) -> None:
        second = SqliteViews(views.path)
        assert second._writer is not None
        second._writer.set_busy_timeout(0)
        with views._write(), pytest.raises(ViewsFailed) as failure:
            second.apply([Writer().change()])
        assert "Close the other program" in failure.value.remedy
        second.close()

    def test_a_rebuilt_database_takes_the_place_of_the_damaged_one(self, tmp_path: Path) -> None:
        path = tmp_path / "views.db"
        (tmp_path / "views.db.damaged").write_bytes(b"an earlier one")
        path.write_bytes(b"not a database at all" * 100)
        path.with_name("views.db-wal").write_bytes(b"its log")
        (tmp_path / "views.db.rebuild").write_bytes(b"left by a crash")
        with pytest.raises(ViewsFailed):
            SqliteViews(path)
        fresh = SqliteViews.beside(path)
        writer = Writer()
        fresh.apply([writer.busy_change()])
        fresh.positions(ACCOUNT)
        fresh.swap(path)
        aside = [f"views.db.damaged{part}" for part in ("", "-shm", "-wal")]
        assert sorted(p.name for p in tmp_path.iterdir()) == ["views.db", *aside]
        assert (tmp_path / "views.db.damaged").read_bytes().startswith(b"not a database")
        again = SqliteViews(path)
        assert again.head(ACCOUNT) == writer.head
        again.close()

    def test_a_rebuilt_database_can_stand_where_none_was(self, tmp_path: Path) -> None:
        fresh = SqliteViews.beside(tmp_path / "views.db")
        fresh.apply([Writer().change()])
        fresh.swap(tmp_path / "views.db")
        assert [p.name for p in tmp_path.iterdir()] == ["views.db"]

    def test_a_database_that_is_being_read_is_not_moved(self, tmp_path: Path) -> None:
        fresh = SqliteViews.beside(tmp_path / "views.db")
        writer = Writer()
        fresh.apply([writer.change()])
        assert fresh._writer is not None
        fresh._writer.set_busy_timeout(0)
        with fresh._read() as db:
            db.execute("SELECT * FROM ledgers").fetchall()
            fresh.apply([writer.change()])
            with pytest.raises(ViewsFailed):
                fresh.swap(tmp_path / "views.db")
        fresh.swap(tmp_path / "views.db")

    def test_what_a_process_that_dies_had_applied_is_there(self, tmp_path: Path) -> None:
        views = SqliteViews(tmp_path / "views.db")
        writer = Writer()
        views.apply([writer.busy_change()])
        views.apply([writer.busy_change()])
        copy = copy_as_after_a_crash(views.path, tmp_path / "copy.db")
        views.close()
        after = SqliteViews(copy)
        assert after.head(ACCOUNT) == writer.head
        assert after.check() == []
        after.close()
