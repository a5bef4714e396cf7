"""Trades that nobody ordered through us, assigned later: the parts move, the whole stays, in every order of arrival."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.book.world import ACCOUNT, BTC, D, World, folded
from trueup.book.snapshot import restore, snapshot, state_hash
from trueup.model import events as e
from trueup.model.errors import BadInput
from trueup.model.identifiers import EXTERNAL
from trueup.model.positions import Position


def assigned(since: int = 0, until: int = 10**18, strategy: str = "trend") -> e.TradesAssigned:
    return e.TradesAssigned(ACCOUNT, BTC.symbol, "net", since, until, strategy, "alice", 7)


def position(*events: e.Event) -> Position:
    held = folded(list(events)).position(BTC.symbol)
    assert held is not None
    return held


TRADES = World().buy("2", "100", strategy="mine").buy("3", "110").sell("1", "120").events


def test_the_part_moves_and_the_whole_stays() -> None:
    before, after = position(*TRADES), position(*TRADES, assigned())
    assert before.by_strategy[EXTERNAL].quantity == D(2)
    assert after.by_strategy["trend"].quantity == D(2)
    assert EXTERNAL not in after.by_strategy
    assert (after.quantity, after.cost, after.realized_pnl) == (before.quantity, before.cost, before.realized_pnl)
    assert after.by_strategy["mine"] == before.by_strategy["mine"]


def test_only_the_span_is_assigned_and_what_comes_late_within_it_too() -> None:
    fills = [event for event in TRADES if isinstance(event, e.FillBooked)]
    only = assigned(since=fills[1].venue_time, until=fills[1].venue_time)
    for order in permutations((fills[0], fills[1], fills[2])):
        held = position(TRADES[0], only, *order)
        assert held.by_strategy["trend"].quantity == D(3)
        assert held.by_strategy[EXTERNAL].quantity == D(-1)


@given(st.permutations(range(1, 4)), st.integers(0, 3))
def test_any_order_of_arrival_gives_the_same_book(order: list[int], place: int) -> None:
    facts = [TRADES[index] for index in order]
    told = [TRADES[0], *facts[:place], assigned(), *facts[place:]]
    assert state_hash(folded(told)) == state_hash(folded([*TRADES, assigned()]))


def test_a_snapshot_keeps_it_for_trades_to_come() -> None:
    events = [*TRADES, assigned()]
    book = folded(events)
    again = restore(snapshot(book), lambda: ())
    assert state_hash(again) == state_hash(book)
    (later,) = World().at(40).buy("5", "100").events[-1:]
    for each in (book, again):
        each.evolve([later], type(each.seq)(each.seq + 1))
    held = again.position(BTC.symbol)
    assert held is not None
    assert held.by_strategy["trend"].quantity == D(7)
    assert state_hash(again) == state_hash(book)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (assigned(strategy=""), "strategy"),
        (assigned(strategy=EXTERNAL), "strategy"),
        (assigned(since=5, until=4), "until"),
    ],
)
def test_what_assigns_nothing_is_refused(wrong: e.TradesAssigned, field: str) -> None:
    with pytest.raises(BadInput) as refusal:
        folded(TRADES).admit(wrong)
    assert refusal.value.field == field
