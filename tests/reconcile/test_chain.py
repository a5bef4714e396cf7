"""Fills that no history has any more are located by the positions that the venue claims around them."""

from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.reconcile.pair import ACCOUNT, BTC, BTC_NET
from trueup.model import events as e
from trueup.model.differences import Difference, Kind, Severity, Status
from trueup.model.numbers import ZERO
from trueup.reconcile.explain.causes import Cause
from trueup.reconcile.explain.chain import Gap, gaps
from trueup.reconcile.explain.evidence import Evidence, OrderInFlight
from trueup.reconcile.explain.explaining import explain

D = Decimal


def chain(*signed: int, start: int = 0) -> list[e.FillBooked]:
    """Fills one after another, each with the position before it; ids are 1, 2, …"""
    fills, held = [], D(start)
    for number, size in enumerate(signed, 1):
        fill = e.FillBooked(ACCOUNT, BTC.symbol, "net", "buy", D(abs(size)), D(100), ZERO, "USDC", number, str(number))
        fills.append(replace(fill, side="buy" if size > 0 else "sell", start_position=held))
        held += size
    return fills


sizes = st.integers(-9, 9).filter(bool)


def test_a_whole_chain_has_no_gap() -> None:
    assert gaps(chain(1, 2, -5, 4, start=7)) == ()


def test_a_missing_fill_like_the_one_before_is_located() -> None:
    first, _, third = chain(1, 1, 2)
    assert gaps([third, first]) == (Gap(BTC_NET, D(1), "1", "3"),)


@given(st.lists(sizes, min_size=3, max_size=20), st.data())
def test_the_gaps_are_what_was_taken_out(signed: list[int], data: st.DataObject) -> None:
    fills = chain(*signed)
    kept = [0, *sorted(data.draw(st.sets(st.integers(1, len(fills) - 2)))), len(fills) - 1]
    expected = [
        Gap(BTC_NET, D(moved), fills[one].venue_trade_id, fills[other].venue_trade_id)
        for one, other in pairwise(kept)
        if (moved := sum(signed[one + 1 : other]))
    ]
    assert list(gaps(fills[place] for place in kept)) == expected


@given(st.permutations(range(5)))
def test_fills_of_one_instant_are_put_into_the_order_of_the_chain(order: list[int]) -> None:
    fills = [
        replace(fill, venue_time=9, venue_trade_id=str(name))
        for fill, name in zip(chain(1, 2, 4, 8, 16), order, strict=True)
    ]
    first = replace(chain(3, start=-3)[0], venue_trade_id="first")
    assert gaps([first, *fills]) == ()


def test_a_fill_without_a_claim_begins_anew() -> None:
    first, second, third = chain(1, 1, 2)
    assert gaps([first, replace(second, start_position=None), third]) == ()
    assert gaps([replace(first, start_position=None), third]) == ()


def test_what_an_order_reports_may_be_the_gap() -> None:
    first, _, third = chain(1, 1, 2)
    found = Difference(Kind.QTY, Severity.HIGH, Status.DRIFT, ACCOUNT, BTC_NET, "3", None, "4", D(1), "more")
    orders = (OrderInFlight("7", BTC_NET, reported=D(1)),)
    explained = explain([found], Evidence(gaps=gaps([first, third]), orders=orders))[0]
    assert (explained.causes, explained.rest) == ((Cause.IN_FLIGHT,), D(0))


def test_a_gap_explains_what_aged_out_and_asks_for_a_person() -> None:
    first, _, third = chain(1, 1, 2)
    found = Difference(
        Kind.QTY, Severity.HIGH, Status.DRIFT, ACCOUNT, BTC_NET, "3", None, "4.5", D("1.5"), "venue holds more"
    )
    explained = explain([found], Evidence(gaps=gaps([first, third])))[0]
    assert explained.causes == (Cause.HISTORY_GAP, Cause.UNEXPLAINED)
    assert (explained.parts[0].amount, explained.rest) == (D(1), D("0.5"))
    assert explained.parts[0].evidence == ("fill|1", "fill|3")
