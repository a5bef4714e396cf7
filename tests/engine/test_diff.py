"""What changed between two moments: the deltas are what the listed events did, no more and no less."""

from collections.abc import Iterable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.book.stories import arrivals, stories, window
from tests.book.test_breaks import DRIFT, changed, outcome
from tests.book.world import ACCOUNT, BTC, D, World, folded
from tests.engine.test_time_travel import busy, close_milestones, told
from trueup.book.snapshot import state_hash
from trueup.engine import diff as engine
from trueup.engine.diff import Figure, caused, diff
from trueup.engine.replay import NOW, Moment, entries_at, last_seq
from trueup.engine.store import Store
from trueup.engine.time_travel import AsOf, book_as_of, stood
from trueup.model.errors import BadInput, NotFound
from trueup.model.identifiers import AccountId, Seq
from trueup.model.numbers import EXACT, ZERO
from trueup.model.times import NS_PER_SECOND


def seq(number: int) -> Moment:
    return Moment(seq=Seq(number))


def at(seconds: int) -> Moment:
    return Moment(venue_time=seconds * NS_PER_SECOND)


def deltas(figures: Iterable[Figure]) -> dict[str, Decimal | None]:
    return {figure.name: figure.delta for figure in figures}


# --- sums tie ---------------------------------------------------------------------------------------------------------


def folds(store: Store, start: Moment, end: Moment) -> None:
    """The events between, folded onto the book as it stood before, give the book as it stood after."""
    before = [entry.event for entry in entries_at(store.ledger(ACCOUNT), start)]
    last = last_seq(store.ledger(ACCOUNT), end)
    between = [entry.event for entry in caused(store, ACCOUNT, start, end, last)]
    book = folded(before, [1] * len(before))
    assert state_hash(book) == state_hash(book_as_of(store, ACCOUNT, start))
    folded(between, [1] * len(between), book)
    assert state_hash(book) == state_hash(book_as_of(store, ACCOUNT, end))


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_what_is_listed_is_all_that_happened(data: st.DataObject) -> None:
    world = data.draw(stories(max_size=14))
    batches = data.draw(arrivals(world))
    with window(data.draw(st.sampled_from([2, 64]))), close_milestones(), told(batches) as store:
        head = store.ledger(ACCOUNT).head.seq
        start, end = sorted(data.draw(st.tuples(st.integers(0, head), st.integers(0, head))))
        found = diff(store, ACCOUNT, seq(start), seq(end))
        assert [entry.seq for entry in found.events] == list(range(start + 1, end + 1))
        tie(found.before, found.after, store, start, end)


def tie(before: AsOf, after: AsOf, store: Store, start: int, end: int) -> None:
    """Fold the difference onto the prefix, and add the deltas to what stood before: both give what stands after."""
    events = [entry.event for entry in caused(store, ACCOUNT, seq(0), seq(end), Seq(end))]
    assert folded(events[:start], [1] * start).positions() == before.positions
    assert folded(events, [1] * end).positions() == after.positions
    found = diff(store, ACCOUNT, seq(start), seq(end))
    for balance in found.balances:
        change = deltas(balance.figures)
        was, is_ = (then.balances.get(balance.currency) for then in (before, after))
        for name in ("traded", "realized", "fees", "funding", "adjustments", "opening"):
            one, other = (ZERO if side is None else getattr(side, name) for side in (was, is_))
            assert EXACT.add(one, change.get(name) or ZERO) == other
    for position in found.positions:
        key = position.instrument, position.position_side
        one, other = (then.positions[key].quantity if key in then.positions else ZERO for then in (before, after))
        assert EXACT.add(one, deltas(position.figures).get("quantity") or ZERO) == other


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_on_the_clock_of_the_venue_too(data: st.DataObject) -> None:
    batches = data.draw(arrivals(data.draw(stories(max_size=14))))
    with close_milestones(), told(batches) as store:
        start, end = sorted(data.draw(st.tuples(st.integers(0, 13), st.integers(0, 13))))
        folds(store, at(start), at(end))
        folds(store, at(start), NOW)


def test_a_balance_changes_by_what_the_fills_and_transfers_between_did() -> None:
    world = World().transfer("1000").buy("2", "100", fee="1", strategy="a")
    before = len(world.events)
    world.sell("1", "110", fee="0.5").fund("-0.25").transfer("-100", reason="withdrawal")
    with told([world.events]) as store:
        found = diff(store, ACCOUNT, seq(before), NOW)
    (position,), (balance,) = found.positions, found.balances
    assert deltas(position.figures) == {
        "quantity": D(-1),
        "cost": D(-100),
        "realized_pnl": D(10),
        "fees USDC": D("0.5"),
        "funding USDC": D("-0.25"),
    }
    assert deltas(balance.figures) == {
        "total": D("-90.75"),
        "realized": D(10),
        "fees": D("-0.5"),
        "funding": D("-0.25"),
        "transfers withdrawal": D(-100),
    }
    assert found.counts == {"fill": 1, "funding": 1, "transfer": 1}


# --- what is told -----------------------------------------------------------------------------------------------------


def test_an_account_that_had_not_begun_stood_there_empty() -> None:
    with told(busy()) as store:
        for start in (seq(0), Moment(recorded=1), Moment(recorded=5)):
            found = diff(store, ACCOUNT, start, seq(5))
            quantities = {each.instrument: each.figures[0] for each in found.positions}
            assert quantities[BTC.symbol] == Figure("quantity", ZERO, D(2))
            entry = next(f for f in found.positions[0].figures if f.name == "entry_price")
            assert (entry.before, entry.after, entry.delta) == (None, D(100), None)
        with pytest.raises(NotFound):
            diff(store, ACCOUNT, Moment(recorded=1), Moment(recorded=2))


def test_value_is_told_once_there_is_a_mark() -> None:
    world = World().buy("1", "100")
    world.mark("105").mark("107")
    with told([world.events]) as store:
        assert "unrealized_pnl" not in deltas(diff(store, ACCOUNT, seq(0), seq(2)).positions[0].figures)
        (marked,) = diff(store, ACCOUNT, seq(2), seq(3)).positions
        assert marked.figures == [Figure("unrealized_pnl", None, D(5))]
        (moved,) = diff(store, ACCOUNT, seq(3), seq(4)).positions
        assert deltas(moved.figures) == {"unrealized_pnl": D(2)}


def test_what_is_unknown_has_no_delta() -> None:
    world = World().opening("2")
    with told([world.sell("1", "100").events]) as store:
        (position,) = diff(store, ACCOUNT, seq(2), NOW).positions
    figures = {figure.name: figure for figure in position.figures}
    assert (figures["quantity"].delta, figures["realized_pnl"].after, figures["realized_pnl"].delta) == (
        D(-1),
        None,
        None,
    )


def test_orders_and_breaks_appear_change_and_go() -> None:
    worse = changed(DRIFT, theirs="9", difference=D(8))
    world = World().order("1", "open").order("2", "open").add(outcome(DRIFT))
    first = len(world.events)
    world.order("1", "open", "0.5").order("2", "canceled").order("3", "open").add(outcome(worse))
    second = len(world.events)
    world.add(outcome(status="SYNCED"))
    with told([world.events]) as store:
        found = diff(store, ACCOUNT, seq(first), seq(second))
        orders = {
            each.venue_order_id: [None if side is None else side.filled for side in (each.before, each.after)]
            for each in found.orders
        }
        assert orders == {"1": [D(0), D("0.5")], "2": [D(0), None], "3": [None, D(0)]}
        assert [(each.subject, each.kind, each.before, each.after) for each in found.breaks] == [
            (*DRIFT.key, DRIFT, worse)
        ]
        (gone,) = diff(store, ACCOUNT, seq(second), NOW).breaks
        assert (gone.before, gone.after) == (worse, None)
        (new,) = diff(store, ACCOUNT, seq(0), seq(first)).breaks
        assert (new.before, new.after) == (None, DRIFT)


def test_of_many_events_the_first_are_listed_and_all_are_counted() -> None:
    with told(busy()) as store:
        every = diff(store, ACCOUNT, seq(0), NOW)
        some = diff(store, ACCOUNT, seq(0), NOW, limit=5)
    assert (len(some.events), some.unlisted, some.counts) == (5, len(every.events) - 5, every.counts)
    assert every.unlisted == 0


def test_what_is_booked_while_two_moments_are_compared_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    *batches, late = busy()

    def while_they_book(store: Store, account: AccountId, moment: Moment) -> AsOf:
        store.ledger(ACCOUNT).commit(lambda _: late)
        return stood(store, account, moment)

    monkeypatch.setattr(engine, "stood", while_they_book)
    with told(batches) as store:
        head = store.ledger(ACCOUNT).head.seq
        found = diff(store, ACCOUNT, seq(9), NOW)
        assert store.ledger(ACCOUNT).head.seq > head
    assert found.after.head.seq == found.events[-1].seq == head


def test_between_two_equal_moments_nothing_happened() -> None:
    with told(busy()) as store:
        for moment in (seq(9), Moment(recorded=50), at(30), NOW):
            found = diff(store, ACCOUNT, moment, moment)
            assert (found.positions, found.balances, found.orders, found.breaks, found.events) == ([], [], [], [], [])


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (seq(9), seq(8), "after 8"),
        (NOW, seq(8), "after 8"),
        (Moment(recorded=200), Moment(recorded=100), "after 1970-01-01T00:00:00.000000100Z"),
        (at(9), at(8), "after 1970-01-01T00:00:08Z"),
    ],
)
def test_the_earlier_moment_comes_first(start: Moment, end: Moment, said: str) -> None:
    with told(busy()) as store, pytest.raises(BadInput, match=said):
        diff(store, ACCOUNT, start, end)
