"""Orders that differ are looked up, a few at a time; what the venue does not say goes on differing."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import pytest

from tests.engine.scripted import ScriptedVenue
from tests.engine.world import ACCOUNT, PERP, START
from trueup.engine.order_reports import ASKED_MAX, order_reports
from trueup.model.differences import Difference, Kind, Severity, Status
from trueup.model.errors import AuthenticationFailed, Unavailable
from trueup.model.events import OrderReported
from trueup.model.positions import OpenOrder
from trueup.reconcile.explain.causes import Explanation
from trueup.reconcile.following import Finding

D = Decimal


def order(name: str, client_order_id: str) -> OpenOrder:
    return OpenOrder(
        ACCOUNT,
        PERP.symbol,
        "net",
        "buy",
        D(1),
        D(0),
        "open",
        name,
        client_order_id,
        D(90),
        None,
        "limit",
        False,
        START,
    )


def report(name: str) -> OrderReported:
    return OrderReported(ACCOUNT, PERP.symbol, "buy", D(1), D(0), "canceled", name, START, f"{name}-2", f"c{name}")


def missing(name: str, kind: Kind = Kind.ORDER_MISSING) -> Finding:
    found = Difference(kind, Severity.HIGH, Status.DRIFT, ACCOUNT, name, "buy 1", None, None, None, "")
    return Finding(found, Explanation(name, kind.value, None, (), None))


def told(
    venue: ScriptedVenue, *findings: Finding, orders: Sequence[OpenOrder], patience_s: float = 60.0
) -> Sequence[OrderReported]:
    by_id = {one.venue_order_id: one for one in orders}
    return asyncio.run(order_reports(venue, findings, by_id, patience_s))


def test_what_differs_and_has_a_name_of_ours_is_asked_for_and_nothing_else() -> None:
    venue = ScriptedVenue()
    venue.orders.extend([report("1"), report("4")])
    orders = [order("1", "c1"), order("2", ""), order("4", "c4")]
    findings = [missing("1"), missing("2"), missing("3"), missing("4", Kind.ORPHAN_ORDER), missing("5", Kind.QTY)]
    assert told(venue, *findings, orders=orders) == [report("1"), report("4")]
    assert not venue.orders


def test_another_order_of_the_same_name_is_not_this_one() -> None:
    venue = ScriptedVenue()
    venue.orders.extend([report("9"), None])
    assert told(venue, missing("1"), missing("2"), orders=[order("1", "c1"), order("2", "c2")]) == []


def test_no_more_than_some_are_asked_for_at_once() -> None:
    venue = ScriptedVenue()
    names = [str(number) for number in range(ASKED_MAX + 5)]
    venue.orders.extend(map(report, names))
    asked = told(venue, *map(missing, names), orders=[order(name, f"c{name}") for name in names])
    assert (len(asked), len(venue.orders)) == (ASKED_MAX, 5)


def test_a_venue_that_stops_answering_leaves_the_rest_for_the_next_look() -> None:
    venue = ScriptedVenue()
    venue.orders.extend([report("1"), Unavailable("down"), report("3")])
    orders = [order(name, f"c{name}") for name in "123"]
    assert told(venue, *map(missing, "123"), orders=orders) == [report("1")]


def test_a_key_that_the_venue_does_not_take_is_told() -> None:
    venue = ScriptedVenue()
    venue.orders.append(AuthenticationFailed("no"))
    with pytest.raises(AuthenticationFailed):
        told(venue, missing("1"), orders=[order("1", "c1")])
