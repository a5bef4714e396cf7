"""Comparing at the venue's cut, waiting for what time explains, and believing what lasts."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.reconcile.pair import ACCOUNT, BTC, BTC_NET, CUT, ETH, ZERO_TOLERANCE, Pair, fold, side
from tests.reconcile.sides import order
from trueup.model import events as e
from trueup.model.differences import Difference, Kind, Severity, Status, VenuePosition, VenueSnapshot
from trueup.model.numbers import exact
from trueup.model.times import NS_PER_SECOND
from trueup.reconcile.compare import compare
from trueup.reconcile.cut import at_cut
from trueup.reconcile.explain.evidence import Evidence, OrderInFlight
from trueup.reconcile.explain.explaining import explain
from trueup.reconcile.in_flight import orders_in_flight, waiting
from trueup.reconcile.persistence import APART_NS, IN_FLIGHT_NS_MAX, Belief, Sighting, belief, see
from trueup.reconcile.protection import unprotected

D = Decimal
KEY = (BTC.symbol, "net")


# --- the cut ----------------------------------------------------------------------------------------------------------


def seen_at(cut: int, ours: list[e.Fact], theirs: list[e.Fact]) -> list[Difference]:
    """What differs when the venue answers as of a cut and our book has gone on."""
    book = fold(ours)
    later = [fact for fact in ours if getattr(fact, "venue_time", 0) > cut]
    then = fold([fact for fact in theirs if getattr(fact, "venue_time", 0) <= cut])
    snapshot = VenueSnapshot(
        ACCOUNT,
        cut,
        positions={key: VenuePosition(*key, held.quantity) for key, held in then.positions().items() if held.quantity},
        balances={name: held.known for name, held in then.balances().items()},
    )
    positions = {key: held for key, held in (snapshot.positions or {}).items() if key[0] != "SOL/USDC"}
    quantities = book.as_of_cut(cut)
    return list(
        compare(
            at_cut(side(book), quantities, later), None, replace(snapshot, positions=positions), ZERO_TOLERANCE
        ).differences
    )


trades = st.lists(
    st.tuples(st.sampled_from([BTC, ETH]), st.sampled_from(["buy", "sell"]), st.integers(1, 9)), max_size=8
)


@given(trades, st.integers(0, 20))
def test_the_same_history_agrees_at_every_cut(trades: list[tuple[object, str, int]], seconds: int) -> None:
    pair = Pair()
    with exact():
        facts = [*pair.ours, *(pair.trade(one, way, D(size)) for one, way, size in trades)]  # type: ignore[arg-type]
        assert seen_at(seconds * NS_PER_SECOND, facts, facts) == []


def test_a_missing_fill_is_not_hidden_by_a_like_one_after_the_cut() -> None:
    pair = Pair()
    missed, later = pair.trade(BTC, "buy", D(1)), pair.trade(BTC, "buy", D(1), venue_time=CUT + 1)
    found = seen_at(CUT, [*pair.ours, later], [*pair.theirs, missed])
    assert [(one.kind, one.difference) for one in found] == [(Kind.QTY, D(1))]


def test_what_was_adjusted_since_is_taken_back_too() -> None:
    pair = Pair()
    later = e.AdjustmentBooked(
        ACCOUNT, "a", CUT + 1, "c", "", "x", BTC.symbol, quantity=D(2), price=D(100), currency="USDC", cash=D(3)
    )
    assert seen_at(CUT, [*pair.ours, later], pair.theirs) == []


def test_what_was_declared_since_is_taken_back_and_its_profit_is_unknown() -> None:
    pair = Pair()
    later = e.TradeDeclared(ACCOUNT, BTC.symbol, "net", "sell", D(1), D(100), CUT + 2, "d", "alice")
    found = seen_at(CUT, [*pair.ours, later], pair.theirs)
    assert [(one.subject, one.status) for one in found] == [("USDC", Status.FAILED)]


def test_a_balance_moved_by_an_unknown_amount_since_is_unknown_not_different() -> None:
    pair = Pair()
    later = pair.trade(BTC, "sell", D(1), venue_time=CUT + 1, settled_amount=None)
    found = seen_at(CUT, [*pair.ours, later], pair.theirs)
    assert [(one.subject, one.status) for one in found] == [("USDC", Status.FAILED)]


# --- orders in flight -------------------------------------------------------------------------------------------------


def test_an_order_still_open_at_the_venue_brings_what_it_reports_beyond_our_fills() -> None:
    theirs = order("1", filled=D("0.6"))
    assert orders_in_flight({"1": order("1")}, {"1": theirs}, {"1": D("0.2")}) == (
        OrderInFlight("1", BTC_NET, reported=D("0.4")),
    )
    assert orders_in_flight({"1": order("1")}, {"1": theirs}, {"1": D("0.6")}) == ()


def test_an_order_that_the_venue_no_longer_lists_may_have_traded_the_rest() -> None:
    ours = order("1", side="sell", filled=D("0.2"))
    assert orders_in_flight({"1": ours}, {}, {"1": D("0.2")}) == (OrderInFlight("1", BTC_NET, open=D("-0.8")),)
    assert orders_in_flight({"1": ours}, None, {}) == (OrderInFlight("1", BTC_NET, reported=D("-0.2"), open=D("-0.8")),)


def test_an_order_of_the_venue_that_we_do_not_know_brings_what_it_has_filled() -> None:
    found = orders_in_flight({}, {"1": order("1", filled=D("0.5"))}, {})
    assert found == (OrderInFlight("1", BTC_NET, reported=D("0.5")),)


# --- waiting ----------------------------------------------------------------------------------------------------------


def quantity(difference: str, kind: Kind = Kind.QTY, status: Status = Status.DRIFT) -> Difference:
    amount = D(difference)
    return Difference(
        kind, Severity.CRITICAL, status, ACCOUNT, BTC_NET, "3", None, str(3 + amount), amount, "venue holds more"
    )


def test_what_orders_in_flight_explain_waits_with_their_ids() -> None:
    found = quantity("2")
    evidence = Evidence(orders=(OrderInFlight("7", BTC_NET, reported=D(2)),))
    pending = waiting([found], explain([found], evidence))[0]
    assert (pending.status, pending.severity, pending.evidence) == (Status.PENDING, Severity.CRITICAL, ("order 7",))


@pytest.mark.parametrize("difference", ["1.5", "2.5", "-2"])
def test_what_they_explain_in_part_does_not_wait(difference: str) -> None:
    found = quantity(difference)
    evidence = Evidence(orders=(OrderInFlight("7", BTC_NET, reported=D(2)),))
    assert waiting([found], explain([found], evidence)) == (found,)


def test_what_happened_after_the_answer_waits_for_the_next_one() -> None:
    found = quantity("-2")
    evidence = Evidence(after_cut=(Pair().trade(BTC, "buy", D(2), venue_time=CUT + 1),))
    assert waiting([found], explain([found], evidence))[0].status is Status.PENDING


def test_an_answer_that_is_too_old_altogether_does_not_wait() -> None:
    found = replace(quantity("2"), kind=Kind.STALE_SOURCE, difference=None)
    assert waiting([found], explain([found], Evidence())) == (found,)


def test_what_nothing_explains_does_not_wait() -> None:
    found = quantity("2")
    assert waiting([found], explain([found], Evidence())) == (found,)


# --- believing --------------------------------------------------------------------------------------------------------


def seen(*cuts: tuple[int | None, Difference], now: int = 0) -> Sighting:
    sighting = None
    for cut, found in cuts:
        sighting = see(sighting, found, cut, now)
    assert sighting is not None
    return sighting


DRIFT, OTHER, PENDING = quantity("1"), quantity("2"), quantity("1", status=Status.PENDING)


@pytest.mark.parametrize(
    ("sentence", "cuts", "expected"),
    [
        ("once is not enough", [(1, DRIFT)], Belief.WAIT),
        ("twice is", [(1, DRIFT), (1 + APART_NS, DRIFT)], Belief.CONFIRMED),
        ("two cuts of one moment are one", [(1, DRIFT), (APART_NS, DRIFT)], Belief.WAIT),
        ("and a third that is apart from the first", [(1, DRIFT), (3, DRIFT), (1 + APART_NS, DRIFT)], Belief.CONFIRMED),
        ("another amount is another fill", [(1, DRIFT), (1 + APART_NS, OTHER)], Belief.WAIT),
        ("the same cut twice is once", [(1, DRIFT), (1, DRIFT)], Belief.WAIT),
        ("an older cut proves nothing", [(2, DRIFT), (1, DRIFT)], Belief.WAIT),
        ("without times each look is one", [(None, DRIFT), (None, DRIFT)], Belief.CONFIRMED),
        ("what waits begins anew", [(1, DRIFT), (2, PENDING), (3, DRIFT)], Belief.WAIT),
        ("waiting confirms nothing", [(1, PENDING), (2, PENDING), (3, PENDING)], Belief.WAIT),
    ],
)
def test_a_difference_is_believed_after_two_cuts_in_a_row(
    sentence: str, cuts: list[tuple[int | None, Difference]], expected: Belief
) -> None:
    assert belief(seen(*cuts), "QTY", 0) is expected, sentence


@pytest.mark.parametrize("kind", ["SIDE", "STOP_MISSING"])
def test_the_wrong_side_and_a_missing_stop_are_believed_at_once(kind: str) -> None:
    assert belief(seen((1, DRIFT)), kind, 0) is Belief.CONFIRMED


def test_time_in_flight_is_capped() -> None:
    sighting = seen((1, PENDING), (2, PENDING))
    assert belief(sighting, "QTY", IN_FLIGHT_NS_MAX) is Belief.WAIT
    assert belief(sighting, "QTY", IN_FLIGHT_NS_MAX + 1) is Belief.OVERDUE


# --- stops ------------------------------------------------------------------------------------------------------------


STOP = order("s", side="sell", quantity=D(3), trigger_price=D(80), order_type="stop", reduce_only=True)


def snapshot(**fields: object) -> VenueSnapshot:
    return replace(VenueSnapshot(ACCOUNT, CUT, {KEY: VenuePosition(*KEY, D(3))}, open_orders={"s": STOP}), **fields)


def test_a_position_whose_stop_rests_is_protected() -> None:
    assert unprotected(snapshot(), {BTC.symbol}) == ()


@pytest.mark.parametrize(
    ("sentence", "stops", "bare"),
    [
        ("no order at all", {}, "3"),
        ("an order without trigger is no stop", {"s": replace(STOP, trigger_price=None)}, "3"),
        ("a stop on the position's own side adds to it", {"s": replace(STOP, side="buy")}, "3"),
        ("a stop of part of it", {"s": replace(STOP, filled=D(1))}, "1"),
        ("a stop of something else", {"s": replace(STOP, instrument=ETH.symbol)}, "3"),
    ],
)
def test_a_position_without_enough_of_a_stop_is_found(sentence: str, stops: object, bare: str) -> None:
    found = unprotected(snapshot(open_orders=stops), {BTC.symbol})
    assert [(one.kind, one.direction) for one in found] == [
        (Kind.STOP_MISSING, f"no stop covers {bare} of the position")
    ], sentence


@pytest.mark.parametrize(
    "fields", [{"open_orders": None}, {"positions": None}, {"failed": {"open_orders": "timed out"}, "open_orders": {}}]
)
def test_nothing_is_said_of_stops_that_were_not_read(fields: dict[str, object]) -> None:
    assert unprotected(snapshot(**fields), {BTC.symbol}) == ()


def test_only_where_a_stop_is_required() -> None:
    assert unprotected(snapshot(open_orders={}), {ETH.symbol}) == ()
