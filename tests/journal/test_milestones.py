"""Which states of the past are kept: enough of them, few enough, and the same ones whenever they are sorted out."""

from itertools import pairwise
from math import log2

from hypothesis import given
from hypothesis import strategies as st

from trueup.journal.milestones import DENSE, EVENTS_PER_POSITION, NEWEST, SPACING, events_between, kept, spacing
from trueup.model.identifiers import Seq

SEQS = st.sets(st.integers(1, 40_000_000).map(Seq), max_size=80)
AT_MOST_A_SPACING = st.lists(st.integers(1, SPACING), min_size=1, max_size=400)
MILLION = SPACING * DENSE


def taken(steps: list[int]) -> list[Seq]:
    """Where states stand that were taken after so many events each."""
    at, seqs = 0, []
    for step in steps:
        at += step
        seqs.append(Seq(at))
    return seqs


def test_a_small_ledger_keeps_the_newest_two() -> None:
    assert kept([Seq(9), Seq(10), Seq(100)], Seq(100)) == {10, 100}
    assert kept([Seq(9)], Seq(9)) == {9}
    assert kept([], Seq(9)) == set()


def test_a_million_events_back_one_stands_in_every_spacing() -> None:
    every = [Seq(number * SPACING) for number in range(1, 2 * DENSE + 1)]
    recent = {seq for seq in kept(every, every[-1]) if every[-1] - seq < MILLION}
    assert recent == {seq for seq in every if every[-1] - seq < MILLION}


def test_the_spacing_doubles_with_the_age() -> None:
    assert [spacing(age) // SPACING for age in (-5, 0, MILLION - 1, MILLION, 2 * MILLION, 4 * MILLION)] == [
        1, 1, 1, 2, 4, 8,
    ]  # fmt: skip


def test_a_large_state_is_taken_less_often() -> None:
    assert events_between(0) == events_between(SPACING // EVENTS_PER_POSITION) == SPACING
    assert events_between(100_000) == 100_000 * EVENTS_PER_POSITION


@given(SEQS, st.integers(0, 50_000_000))
def test_the_newest_are_always_among_them_and_nothing_else_appears(seqs: set[Seq], head: int) -> None:
    left = kept(seqs, Seq(head))
    assert left <= seqs
    assert set(sorted(seqs)[-NEWEST:]) <= left
    assert kept(left, Seq(head)) == left


@given(SEQS, SEQS, st.integers(0, 40_000_000), st.integers(0, 40_000_000))
def test_sorting_out_early_leaves_what_sorting_out_late_would(
    before: set[Seq], after: set[Seq], head: int, more: int
) -> None:
    early = kept({seq for seq in before if seq <= head}, Seq(head))
    later = {seq for seq in after if head < seq <= head + more}
    at_once = kept({seq for seq in before if seq <= head} | later, Seq(head + more))
    assert kept(early | later, Seq(head + more)) == at_once


@given(AT_MOST_A_SPACING, st.integers(0, SPACING))
def test_no_event_is_far_from_the_state_before_it(steps: list[int], behind: int) -> None:
    seqs = taken(steps)
    head = Seq(seqs[-1] + behind)
    places = [Seq(0), *sorted(kept(seqs, head)), head]
    for one, next_ in pairwise(places):
        assert next_ - one <= 2 * spacing(head - one)


@given(st.integers(1, 10**12))
def test_their_number_grows_with_each_doubling_only(head: int) -> None:
    bands = 1 + max(0.0, log2(head / MILLION))
    seqs = {Seq(max(1, head - int(age))) for age in spread(head)}
    assert len(kept(seqs, Seq(head))) <= NEWEST + (DENSE + 2) * (1 + bands / 2)


def spread(head: int) -> list[float]:
    """Ages from the head to the start, several in each spacing."""
    ages, age = [0.0], 0.0
    while age < head:
        age += spacing(int(age)) / 3
        ages.append(age)
    return ages
