"""The newest comparison: what the book keeps of it, and when another one is news."""

import msgspec
import pytest

from tests.book.world import ACCOUNT, D, World, folded
from trueup.book.breaks import Breaks
from trueup.book.snapshot import newest_time, restore, snapshot, state_hash
from trueup.model import events as e
from trueup.model.differences import Break
from trueup.model.identifiers import Seq

DRIFT = Break("QTY", "HIGH", "DRIFT", "BTC/USDC:USDC net", "1", "1", "3", D(2), "venue holds 2 more", ("77",))
STALE = Break("STALE_SOURCE", "HIGH", "FAILED", "snapshot", "now", None, "then", None, "the answer is 61 s old")


def outcome(*breaks: Break, status: str = "DRIFT", cut: int | None = 5) -> e.Compared:
    return e.Compared(ACCOUNT, status, ("state.json",), cut, 3, (("DRIFT", 1), ("SYNCED", 2)), breaks)


def changed(found: Break, **fields: object) -> Break:
    return msgspec.structs.replace(found, **fields)


def test_the_newest_outcome_counts_and_moves_nothing_else() -> None:
    world = World().buy("1", "100")
    before = world.book
    world.add(outcome(status="SYNCED")).add(outcome(DRIFT))
    book = world.book
    assert (book.breaks.outcome, book.breaks.seq) == (outcome(DRIFT), Seq(4))
    assert (book.positions(), book.balances().keys()) == (before.positions(), before.balances().keys())
    assert book.newest_fact() == before.newest_fact()


def test_it_is_part_of_the_state_and_of_its_hash() -> None:
    world = World().buy("1", "100").add(outcome(DRIFT))
    again = restore(snapshot(world.book), lambda: ())
    assert (again.breaks.outcome, again.breaks.seq) == (outcome(DRIFT), Seq(3))
    assert state_hash(again) == state_hash(world.book)
    assert state_hash(world.book) != state_hash(World().buy("1", "100").book)


def test_it_survives_a_fold_of_everything_again() -> None:
    world = World().at(5).buy("1", "100").add(outcome(DRIFT)).at(1).opening_balance("10")
    one_by_one = folded(world.events, [1] * len(world.events))
    assert (one_by_one.breaks.outcome, one_by_one.breaks.seq) == (outcome(DRIFT), Seq(3))


def test_the_newest_time_of_a_snapshot_counts_facts_marks_and_the_cut_compared_at() -> None:
    world = World().buy("1", "100")
    assert newest_time(snapshot(world.book)) == world.time * 10**9
    world.at(7).mark("1")
    assert newest_time(snapshot(world.book)) == 7 * 10**9
    assert newest_time(snapshot(world.add(outcome(cut=9 * 10**9)).book)) == 9 * 10**9
    assert newest_time(snapshot(world.add(outcome(cut=None)).book)) == 7 * 10**9


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (outcome(DRIFT), outcome(DRIFT, cut=99)),
        (outcome(DRIFT, STALE), outcome(STALE, DRIFT)),
        (outcome(DRIFT), outcome(changed(DRIFT, direction="in other words"))),
        (outcome(STALE), outcome(changed(STALE, ours="later", direction="the answer is 62 s old"))),
        (outcome(), msgspec.structs.replace(outcome(), source=("other.json",), compared=4, counts=())),
    ],
)
def test_the_same_again_is_no_news(one: e.Compared, other: e.Compared) -> None:
    breaks = Breaks()
    assert not breaks.told_already(one)
    breaks.record(one, Seq(1))
    assert breaks.told_already(other)


@pytest.mark.parametrize(
    "other",
    [
        outcome(status="FAILED"),
        outcome(DRIFT, STALE),
        outcome(changed(DRIFT, theirs="4")),
        outcome(changed(DRIFT, ours=None)),
        outcome(changed(DRIFT, database="2")),
        outcome(changed(DRIFT, evidence=())),
        outcome(changed(DRIFT, severity="CRITICAL")),
        outcome(changed(DRIFT, subject="ETH/USDC:USDC net")),
        outcome(changed(DRIFT, status="PENDING")),
        msgspec.structs.replace(outcome(DRIFT), unlisted=1),
    ],
)
def test_anything_else_is_news(other: e.Compared) -> None:
    breaks = Breaks()
    breaks.record(outcome(DRIFT), Seq(1))
    assert not breaks.told_already(other)
