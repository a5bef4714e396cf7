"""Invariants of the comparison, over generated books and single mutations of one side."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.reconcile.sides import (
    BTC,
    ETH,
    SEQ,
    XBT,
    ZERO,
    balance,
    book,
    database,
    only,
    order,
    position,
    venue,
)
from trueup.model.differences import Kind, Side3, Status, VenuePosition, VenueSnapshot
from trueup.model.instruments import Instrument
from trueup.model.positions import Position
from trueup.reconcile.compare import compare
from trueup.reconcile.state import OurState
from trueup.reconcile.tolerance import Tolerance, Tolerances

lots = st.integers(-50, 50)
prices = st.sampled_from(["0.5", "100", "65536"])
terms = st.fixed_dictionaries(
    {"leverage": st.sampled_from([None, Decimal(5)]), "margin_mode": st.sampled_from([None, "cross"])}
)


@st.composite
def positions_of(draw: st.DrawFn, instrument: Instrument) -> Position:
    quantity = draw(lots) * (instrument.quantity_step or 1)
    return position(instrument, str(quantity), draw(prices), **draw(terms))


@st.composite
def books(draw: st.DrawFn) -> OurState:
    rows = [draw(positions_of(one)) for one in (BTC, ETH, XBT) if draw(st.booleans())]
    cash = [balance(name, str(draw(st.integers(0, 10**6)))) for name in ("USDC", "EUR") if draw(st.booleans())]
    orders = [order(str(number)) for number in range(draw(st.integers(0, 3)))]
    return book(*rows, *cash, *orders)


@given(books(), st.booleans())
def test_a_book_agrees_with_its_own_copy(ours: OurState, table: bool) -> None:
    found = compare(ours, database(ours), venue(ours), table=table)
    assert (found.status, found.differences, found.not_compared) == (Status.SYNCED, (), ())
    assert found.compared == len(ours.positions) + len(ours.balances) + len(ours.orders)
    assert {row.status for row in found.rows} <= {Status.SYNCED}


def difference_between(ours: Decimal, theirs: Decimal) -> Decimal | None:
    stated = {(XBT.symbol, "net"): VenuePosition(XBT.symbol, "net", theirs)} if theirs else {}
    return only(book(position(XBT, str(ours))), replace(venue(book()), positions=stated)).difference


@given(lots, lots)
def test_seen_from_the_other_side_a_difference_has_the_other_sign(one: int, other: int) -> None:
    assume(one != other)
    here, there = Decimal(one), Decimal(other)
    assert difference_between(here, there) == there - here
    assert difference_between(there, here) == here - there


Mutation = Callable[[VenueSnapshot], VenueSnapshot]
KEY = (BTC.symbol, "net")
HELD = book(position(BTC, "2", leverage=Decimal(5), margin_mode="cross"), balance("USDC", "1000"), order("1"))


def stating(**fields: object) -> Mutation:
    def mutate(theirs: VenueSnapshot) -> VenueSnapshot:
        assert theirs.positions is not None
        return replace(theirs, positions={**theirs.positions, KEY: replace(theirs.positions[KEY], **fields)})

    return mutate


MUTATIONS: list[tuple[Kind, Mutation]] = [
    (Kind.QTY, stating(quantity=Decimal("2.5"))),
    (Kind.SIDE, stating(quantity=Decimal(-2))),
    (Kind.MISSING_THEIRS, lambda theirs: replace(theirs, positions={})),
    (
        Kind.MISSING_OURS,
        lambda theirs: replace(
            theirs, positions={**(theirs.positions or {}), ("X", "net"): VenuePosition("X", "net", Decimal(1))}
        ),
    ),
    (Kind.LEVERAGE, stating(leverage=Decimal(6))),
    (Kind.MARGIN_MODE, stating(margin_mode="isolated")),
    (Kind.AVG_PX, stating(entry_price=Decimal(101))),
    (Kind.CASH, lambda theirs: replace(theirs, balances={"USDC": Decimal(900)})),
    (Kind.ORPHAN_ORDER, lambda theirs: replace(theirs, open_orders={"1": order("1"), "2": order("2")})),
    (Kind.ORDER_MISSING, lambda theirs: replace(theirs, open_orders={})),
    (Kind.ORDER_STATE, lambda theirs: replace(theirs, open_orders={"1": order("1", filled=Decimal("0.5"))})),
    (Kind.SYMBOL_MAP, lambda theirs: replace(theirs, unmapped={"kPEPE": "5"})),
    (Kind.STALE_SOURCE, lambda theirs: replace(theirs, failed={"balances": "timed out"})),
]


@pytest.mark.parametrize(("kind", "mutate"), MUTATIONS, ids=lambda value: str(value) if isinstance(value, Kind) else "")
def test_any_single_mutation_is_found_as_what_it_is(kind: Kind, mutate: Mutation) -> None:
    found = compare(HELD, database(HELD), mutate(venue(HELD)), table=True)
    assert [one.kind for one in found.differences] == [kind]
    assert (found.status is Status.SYNCED) is (kind is Kind.AVG_PX)


@given(st.sets(st.sampled_from(range(len(MUTATIONS)))))
def test_mutations_of_different_things_are_all_found(chosen: set[int]) -> None:
    # One quantity, one balance and one order: what replaces or hides the same thing cannot be found twice.
    assume(len(chosen & {0, 1, 2}) <= 1)
    assume(not chosen & {0, 1, 2} or not chosen & {4, 5, 6})
    assume(len(chosen & {7, 12}) <= 1)
    assume(len(chosen & {8, 9, 10}) <= 1)
    theirs = venue(HELD)
    for number in sorted(chosen):
        theirs = MUTATIONS[number][1](theirs)
    found = compare(HELD, database(HELD), theirs)
    assert {one.kind for one in found.differences} == {MUTATIONS[number][0] for number in chosen}


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_bound_of_a_tolerance_is_exact(total: int, absolute: int, millionths: int) -> None:
    cash = Tolerance(absolute=Decimal(absolute), relative=Decimal(millionths).scaleb(-6))
    bound = max(cash.absolute, cash.relative * total)
    for beyond, status in ((ZERO, Status.SYNCED), (Decimal("1e-12"), Status.DRIFT)):
        ours = book(balance("USDC", str(total - bound - beyond)))
        theirs = replace(venue(book()), balances={"USDC": Decimal(total)})
        assert compare(ours, None, theirs, Tolerances(cash=cash)).status is status


@given(books(), st.sets(st.sampled_from(["positions", "balances", "open_orders"]), min_size=1))
def test_a_failed_part_is_never_synced(ours: OurState, parts: set[str]) -> None:
    theirs = replace(venue(ours), failed=dict.fromkeys(parts, "timed out"))
    found = compare(ours, database(ours), theirs, table=True)
    assert found.status is Status.FAILED
    assert set(found.not_compared) == parts

    def failed(row: Side3) -> bool:
        return row.status is Status.FAILED and row.venue is None

    assert all(failed(row) == (row.section in parts) for row in found.rows)


@given(books(), books())
def test_every_key_of_either_side_is_looked_at(ours: OurState, other: OurState) -> None:
    theirs = venue(other)
    found = compare(ours, None, theirs)
    union = (
        len({*ours.positions, *(theirs.positions or {})})
        + len({*ours.orders, *other.orders})
        + len({*ours.balances, *other.balances})
    )
    assert found.compared == union
    assert found.memory_seq == SEQ
