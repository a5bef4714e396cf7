"""What is written is read back equal, whatever its values: hypothesis tries, on a real database."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.journal.views_world import ACCOUNT, Writer
from trueup.journal.views import SqliteViews
from trueup.model.identifiers import Seq
from trueup.model.instruments import Instrument
from trueup.model.positions import Balance, Cycle, OpenOrder, Position, SubPosition

names = st.text(st.characters(codec="utf-8"), max_size=12)
times = st.integers(-(2**63), 2**63 - 1)
counts = st.integers(0, 2**63 - 1)
numbers = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent), st.integers(-(10**20), 10**20), st.integers(-36, 20)
)
maybe_number = st.none() | numbers
amounts = st.dictionaries(names, numbers, max_size=3)
seqs = st.integers(1, 2**60).map(Seq)

instruments = st.builds(
    Instrument,
    symbol=names,
    native_symbol=names,
    kind=st.sampled_from(["spot", "linear", "inverse", "quanto"]),
    base=names,
    quote=names,
    settle=names,
    contract_size=numbers.filter(bool),
    price_tick=maybe_number,
    quantity_step=maybe_number,
    version=counts,
    effective_from=times,
    expiry=st.none() | times,
    max_leverage=maybe_number,
    wallet=names,
)
parts = st.builds(SubPosition, numbers, maybe_number, numbers, amounts, maybe_number, st.integers(0, 9))
positions = st.builds(
    Position,
    account=st.just(ACCOUNT),
    instrument=instruments,
    position_side=names,
    quantity=numbers,
    cost=maybe_number,
    realized_pnl=numbers,
    realized_unknown=counts,
    adjusted_pnl=numbers,
    fees=amounts,
    fee_value=maybe_number,
    funding=amounts,
    by_strategy=st.dictionaries(names, parts, max_size=3),
    unconfirmed=numbers,
    leverage=maybe_number,
    margin_mode=st.none() | names,
    opened_at=st.none() | times,
    updated_at=times,
    cycles=counts,
    liquidations=counts,
    seq=seqs,
)
balances = st.builds(
    Balance,
    account=st.just(ACCOUNT),
    currency=names,
    traded=numbers,
    realized=numbers,
    fees=numbers,
    funding=numbers,
    transfers=amounts,
    adjustments=numbers,
    opening=numbers,
    realized_unknown=counts,
    seq=seqs,
)
orders = st.builds(
    OpenOrder,
    account=st.just(ACCOUNT),
    instrument=names,
    position_side=names,
    side=names,
    quantity=numbers,
    filled=numbers,
    status=names,
    venue_order_id=names,
    client_order_id=names,
    price=maybe_number,
    trigger_price=maybe_number,
    order_type=names,
    reduce_only=st.booleans(),
    updated_at=times,
)
cycles = st.builds(
    Cycle,
    number=st.integers(1, 2**60),
    side=names,
    quantity=numbers,
    opened_at=times,
    closed_at=times,
    realized_pnl=maybe_number,
    fees=amounts,
    funding=amounts,
    liquidated=st.booleans(),
)

one_at_a_time = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def views(tmp_path: Path) -> Iterator[SqliteViews]:
    made = SqliteViews(tmp_path / "views.db")
    yield made
    made.close()


@one_at_a_time
@given(position=positions)
def test_positions_and_their_instruments(views: SqliteViews, position: Position) -> None:
    views.forget(ACCOUNT)
    views.apply([Writer().change(positions=[position], instruments=[position.instrument])])
    assert views.positions(ACCOUNT) == (1, [position])


@one_at_a_time
@given(balance=balances)
def test_balances(views: SqliteViews, balance: Balance) -> None:
    views.forget(ACCOUNT)
    views.apply([Writer().change(balances=[balance])])
    assert views.balances(ACCOUNT) == (1, [balance])


@one_at_a_time
@given(order=orders)
def test_orders(views: SqliteViews, order: OpenOrder) -> None:
    views.forget(ACCOUNT)
    views.apply([Writer().change(orders=[order])])
    seq, [read] = views.orders(ACCOUNT)
    assert (seq, read) == (1, order)
    assert type(read.reduce_only) is bool


@one_at_a_time
@given(cycle=cycles, key=st.tuples(names, names))
def test_cycles(views: SqliteViews, cycle: Cycle, key: tuple[str, str]) -> None:
    views.forget(ACCOUNT)
    views.apply([Writer().change(cycles={key: (cycle.number, [cycle])})])
    assert views.cycles(ACCOUNT, key[0]) == [(key[1], cycle)]


@one_at_a_time
@given(keys=st.dictionaries(names, seqs, max_size=8), others=st.lists(names, max_size=4))
def test_fact_keys_are_exact(views: SqliteViews, keys: dict[str, Seq], others: list[str]) -> None:
    views.forget(ACCOUNT)
    views.apply([Writer().change(keys=list(keys.items()))])
    assert views.find(ACCOUNT, [*keys, *others]) == keys


@pytest.mark.parametrize("struct", [Position, Balance, OpenOrder, Cycle, Instrument, SubPosition])
def test_the_strategies_above_know_every_field(struct: type[msgspec.Struct]) -> None:
    """A field added with a default would otherwise be lost in the database without any test seeing it."""
    fields = {
        Position: "account instrument position_side quantity cost realized_pnl realized_unknown adjusted_pnl fees "
        "fee_value funding by_strategy unconfirmed leverage margin_mode opened_at updated_at cycles liquidations seq",
        Balance: "account currency traded realized fees funding transfers adjustments opening realized_unknown seq",
        OpenOrder: "account instrument position_side side quantity filled status venue_order_id client_order_id price "
        "trigger_price order_type reduce_only updated_at",
        Cycle: "number side quantity opened_at closed_at realized_pnl fees funding liquidated",
        Instrument: "symbol native_symbol kind base quote settle contract_size price_tick quantity_step version "
        "effective_from expiry max_leverage wallet",
        SubPosition: "quantity cost realized_pnl fees strategy_cost realized_unknown",
    }
    assert struct.__struct_fields__ == tuple(fields[struct].split())


def test_decimals_are_stored_in_their_canonical_text(views: SqliteViews) -> None:
    change = Writer().change(
        balances=[
            Balance(
                account=ACCOUNT,
                currency="USDC",
                traded=Decimal("1.500"),
                realized=Decimal("-0.00"),
                fees=Decimal("1E+3"),
                funding=Decimal("1E-7"),
                transfers={"deposit": Decimal("2.0")},
                adjustments=Decimal(0),
                opening=Decimal(0),
                realized_unknown=0,
                seq=Seq(1),
            )
        ]
    )
    views.apply([change])
    assert views._writer is not None
    row = views._writer.execute("SELECT traded, realized, fees, funding, transfers, total FROM balances").fetchone()
    assert row == ("1.5", "0", "1000", "0.0000001", '{"deposit":"2"}', "1003.5000001")
