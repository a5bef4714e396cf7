"""What became of an order. What lives only here: how an order is looked up, and for how long one that is on its way.

The venue has no lookup by our id: orders of the last :data:`WINDOW_NS` are listed and gone through, and of older ones
those that still rest. What was just done may show in lists a moment later, so a look that finds nothing is taken twice.
"""

import asyncio
from collections.abc import Iterable, Sequence

from trueup.book.orders import ENDED
from trueup.model.errors import BadInput, Malformed
from trueup.model.events import OrderReported
from trueup.model.numbers import exact
from trueup.model.times import NS_PER_SECOND
from trueup.venues import rows
from trueup.venues.coinbase import calls, orders
from trueup.venues.coinbase.errors import NotThere
from trueup.venues.coinbase.session import Session
from trueup.venues.rows import Row
from trueup.venues.transport.limiter import Priority

WINDOW_NS = 86_400 * NS_PER_SECOND
"""How far back an order that has ended is found by our id."""

IDS_MAX = 50
"""Orders that are asked for at once by their ids, so that the address of a request stays short."""

SETTLE_S = 1.0
"""After this a look that found nothing is taken again."""

PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Between looks at an order that is on its way; what it is after the last one, it is reported as."""

_BETWEEN = frozenset(calls.BETWEEN)


async def by_id(session: Session, order_id: str, priority: Priority) -> Row | None:
    """An order as the venue lists it; None where there is none. Raises :class:`VenueError`."""
    call = calls.order(order_id, priority)
    try:
        row = await session.row(call)
        return rows.record(row, "order")
    except NotThere:
        return None
    except BadInput as error:
        raise Malformed(f"{call.path}: {error.message}", remedy=error.remedy) from error


async def settled(session: Session, order_id: str, priority: Priority, *, at_once: bool) -> Row | None:
    """An order once it is where it stays, or as it is after a while; None where the venue does not list it by then.

    Args:
        session: Of the account.
        order_id: The venue's.
        priority: Who the looks go before.
        at_once: Whether the order is over as soon as the venue has seen to it: it does not rest.
    """
    row = await by_id(session, order_id, priority)
    for pause in PAUSES_S:
        status = None if row is None else row.get("status")
        if status is not None and status not in _BETWEEN and not (at_once and status == "OPEN"):
            break
        await asyncio.sleep(pause)
        row = await by_id(session, order_id, priority) or row
    return row


async def by_client_id(session: Session, client_order_id: str) -> OrderReported | None:
    """The newest order of a client id as the venue has it; None where it is not among those gone through."""
    found = await _scan(session, client_order_id)
    if found is None:
        await asyncio.sleep(SETTLE_S)
        found = await _scan(session, client_order_id)
    return found


async def reports_of(session: Session, order_ids: Sequence[str]) -> Sequence[OrderReported]:
    """The state of orders by the venue's ids. Raises :class:`VenueError`."""
    found: list[OrderReported] = []
    for start in range(0, len(order_ids), IDS_MAX):
        listed = await session.rows(calls.orders_of(order_ids[start : start + IDS_MAX]), "orders")
        found += await read(session, listed)
    return found


async def read(session: Session, items: Sequence[object]) -> Sequence[OrderReported]:
    """Reports of orders, all of which can be read. Raises :class:`VenueError`."""
    context = session.context("orders")
    with exact():
        reports, _, refused = orders.read_reports(context, items)
    if await session.learn(refused):
        with exact():
            reports, _, refused = orders.read_reports(context, items)
    if refused:
        first = refused[0]
        raise Malformed(f"An order cannot be read: {first.field}={first.value!r}: {first.problem}.")
    return reports


def is_open(report: OrderReported) -> bool:
    """Whether an order may still trade."""
    return report.status not in ENDED


async def _scan(session: Session, client_order_id: str) -> OrderReported | None:
    """Orders of the window first: one that ends meanwhile is still in it."""
    since = calls.orders_since(session.venue_now() - WINDOW_NS)
    for call in (since, calls.orders_in(("OPEN",))):
        ours = [row async for items in session.walk(call, "orders") for row in _named(items, client_order_id)]
        if ours:
            reports = await read(session, ours)
            return max(reports, key=lambda report: (report.venue_time, report.venue_order_id))
    return None


def _named(items: Iterable[object], client_order_id: str) -> Sequence[object]:
    return [item for item in items if isinstance(item, dict) and item.get("client_order_id") == client_order_id]
