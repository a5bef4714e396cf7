"""Changes applied to the views: all or nothing, in order, and again without effect."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.journal.views_world import ACCOUNT, BTC, EUR, Writer, balance, cycle, order, position
from trueup.bootstrap import open_storage
from trueup.journal.postgres.address import Address
from trueup.journal.postgres.storage import PostgresStorage
from trueup.journal.postgres.views import PostgresViews
from trueup.model.errors import ViewsFailed
from trueup.model.identifiers import AccountId, Seq
from trueup.model.positions import SubPosition


@pytest.fixture
def storage(postgres: str) -> Iterator[PostgresStorage]:
    opened = open_storage(Address.parse(postgres))
    yield opened
    opened.close()


@pytest.fixture
def views(storage: PostgresStorage) -> PostgresViews:
    return storage.views()


@pytest.fixture
def writer() -> Writer:
    return Writer()


def test_every_kind_of_row_is_read_back_equal(views: PostgresViews, writer: Writer) -> None:
    parts = {"grid": SubPosition(Decimal(1), Decimal(60_000), Decimal(0), {"USDC": Decimal("0.3")}, None)}
    wide = position(EUR, "0." + "123456789" * 4, cost=None, parts=parts)
    unknown = replace(
        wide, leverage=None, margin_mode=None, opened_at=None, fees={'odd "name",\n{}\\': Decimal("1E-30")}
    )
    orders = [order("o1"), replace(order("o2"), reduce_only=True, price=None, client_order_id="0x, 'quoted'")]
    views.apply(
        [
            writer.change(
                keys=[("fill|7", Seq(1))],
                positions=[position(), unknown],
                balances=[balance(), replace(balance("EUR"), realized_unknown=3)],
                orders=orders,
                cycles={(BTC.symbol, "net"): (1, [cycle(1, None), replace(cycle(2), liquidated=True)])},
                instruments=[BTC, replace(EUR, max_leverage=Decimal(30), expiry=7)],
            )
        ]
    )
    assert views.balances(ACCOUNT)[1] == [replace(balance("EUR"), realized_unknown=3), balance()]
    assert views.orders(ACCOUNT) == (1, orders)
    assert views.cycles(ACCOUNT, BTC.symbol) == [
        ("net", cycle(1, None)),
        ("net", replace(cycle(2), liquidated=True)),
    ]
    held = {one.instrument.symbol: one for one in views.positions(ACCOUNT)[1]}
    assert held[BTC.symbol] == position()
    assert replace(held[EUR.symbol], instrument=EUR) == unknown
    assert views.find(ACCOUNT, ["fill|7", "fill|8"]) == {"fill|7": 1}
    assert next(views.frames(ACCOUNT)).hash == writer.head.hash


def test_rows_take_the_place_of_older_ones(views: PostgresViews, writer: Writer) -> None:
    key = (BTC.symbol, "net")
    views.apply(
        [
            writer.change(
                positions=[position()],
                orders=[order("o1"), order("o2")],
                cycles={key: (1, [cycle(1), cycle(2), cycle(3)])},
                instruments=[BTC],
            )
        ]
    )
    views.apply(
        [
            writer.change(
                positions=[position(quantity="7", seq=2)],
                orders=[order("o2", filled="1")],
                dropped_orders=["o1"],
                cycles={key: (2, [cycle(2, "99")])},
            )
        ]
    )
    assert views.positions(ACCOUNT) == (2, [position(quantity="7", seq=2)])
    assert views.orders(ACCOUNT) == (2, [order("o2", filled="1")])
    assert views.cycles(ACCOUNT, BTC.symbol) == [("net", cycle(1)), ("net", cycle(2, "99"))]


def test_a_change_that_is_there_already_changes_nothing(views: PostgresViews, writer: Writer) -> None:
    changes = [writer.busy_change() for _ in range(3)]
    views.apply(changes)
    before = (views.positions(ACCOUNT), views.balances(ACCOUNT), views.head(ACCOUNT))
    views.apply(changes)
    views.apply(changes[:1])
    assert (views.positions(ACCOUNT), views.balances(ACCOUNT), views.head(ACCOUNT)) == before


def test_frames_that_skip_some_are_refused(views: PostgresViews, writer: Writer) -> None:
    views.apply([writer.change()])
    writer.frame()
    with pytest.raises(ViewsFailed, match="are missing between 1 and 3"):
        views.apply([writer.change()])
    assert views.applied(ACCOUNT) == 1


def test_another_history_is_refused_behind_the_head_and_below_it(views: PostgresViews, writer: Writer) -> None:
    views.apply([writer.change(), writer.change()])
    other = Writer(salt="other")
    first = other.change()
    with pytest.raises(ViewsFailed, match=r"frame 1 .* belongs to another history"):
        views.apply([first])
    other.frame()
    with pytest.raises(ViewsFailed, match=r"frame 3 .* belongs to another history"):
        views.apply([other.change()])
    assert views.head(ACCOUNT) == writer.head


def test_a_key_that_is_there_already_refuses_the_whole_change(views: PostgresViews, writer: Writer) -> None:
    views.apply([writer.change(keys=[("fill|1", Seq(1))])])
    with pytest.raises(ViewsFailed, match="23505, constraint fact_keys_pkey"):
        views.apply([writer.change(keys=[("fill|1", Seq(2))], balances=[balance(seq=2)])])
    assert (views.applied(ACCOUNT), views.balances(ACCOUNT)[1]) == (1, [])


def test_what_contradicts_itself_is_a_mistake_of_ours(views: PostgresViews, writer: Writer) -> None:
    change = writer.change()
    with pytest.raises(ValueError, match="true at the seq"):
        views.apply([replace(change, seq=Seq(9))])
    with pytest.raises(ValueError, match="rows of"):
        views.apply([replace(change, balances=[balance(account=AccountId("else:where"))])])
    assert list(views.ledgers()) == []


def test_a_ledger_that_was_forgotten_is_brought_up_from_its_frames_again(views: PostgresViews, writer: Writer) -> None:
    changes = [writer.busy_change() for _ in range(4)]
    views.apply(changes)
    before = (views.positions(ACCOUNT), views.orders(ACCOUNT), sorted(views.keys(ACCOUNT)))
    views.forget(ACCOUNT)
    assert (views.applied(ACCOUNT), views.positions(ACCOUNT)) == (0, (0, []))
    views.apply(changes[:2])
    assert (views.head(ACCOUNT).seq, len(list(views.frames(ACCOUNT)))) == (40, 2)
    views.apply(changes[2:])
    assert (views.positions(ACCOUNT), views.orders(ACCOUNT), sorted(views.keys(ACCOUNT))) == before


def test_nothing_is_known_of_a_ledger_nobody_wrote(views: PostgresViews) -> None:
    nobody = AccountId("no:body")
    views.forget(nobody)
    assert (views.head(nobody).seq, views.applied(nobody), views.positions(nobody)) == (0, 0, (0, []))
    assert [*views.frames(nobody), *views.keys(nobody)] == []
    assert views.check() == []


def test_views_and_journals_of_another_store_are_not_taken(storage: PostgresStorage) -> None:
    with pytest.raises(TypeError, match="made by new_views"):
        storage.replace_views(object())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="made by open_ledger"):
        storage.snapshot(object(), b"", b"")  # type: ignore[arg-type]
