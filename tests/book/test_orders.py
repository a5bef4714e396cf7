"""Open orders from reports in any order of arrival."""

from itertools import permutations

import pytest

from tests.book.world import World
from trueup.book import orders as orders_module
from trueup.book.orders import Orders
from trueup.model import events as e


def reports(world: World) -> list[e.OrderReported]:
    return [event for event in world.events if isinstance(event, e.OrderReported)]


def after(told: list[e.OrderReported]) -> Orders:
    orders = Orders()
    for report in told:
        orders.report(report)
    return orders


def test_reports_in_any_order_give_the_same_open_orders() -> None:
    world = World().order("1", "open").order("1", "partially_filled", "0.5").order("1", "open", "0.5")
    world.order("2", "open").order("2", "expired")
    found = [after(list(told)) for told in permutations(reports(world))]
    assert {(tuple(orders.open), orders.open["1"].report_id, tuple(orders.ended)) for orders in found} == {
        (("1",), "3", ("2",))
    }


@pytest.mark.parametrize("status", sorted(orders_module.ENDED))
def test_an_ended_order_never_opens_again(status: str) -> None:
    world = World().order("1", status).order("1", "open")
    assert after(reports(world)).open == {}


def test_ends_are_remembered_for_the_newest_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders_module, "ENDED_MAX", 3)
    world = World()
    for n in range(7):
        world.order(str(n), "filled")
    assert list(after(reports(world)).ended) == ["4", "5", "6"]
    assert len(after(reports(world)[:6]).ended) == 6


def test_a_copy_has_what_the_report_said() -> None:
    world = World().order("1", "open", "0.25", "2")
    order = after(reports(world)).frozen("1")
    report = reports(world)[0]
    assert (order.instrument, order.side, order.quantity, order.filled) == (
        report.instrument,
        report.side,
        report.quantity,
        report.filled,
    )
    assert (order.venue_order_id, order.status, order.order_type, order.updated_at) == (
        "1",
        "open",
        "limit",
        report.venue_time,
    )
