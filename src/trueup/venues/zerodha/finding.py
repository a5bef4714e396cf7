"""Looking up orders of the present day: by our tag, which Kite neither requires nor keeps apart, or by Kite's id.

There is no read by tag, so the day's whole list is looked through. What was just sent may show a moment later.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial

from trueup.model.errors import BadInput, Malformed
from trueup.venues import rows
from trueup.venues.rows import Row
from trueup.venues.transport.http import Call
from trueup.venues.transport.limiter import Priority
from trueup.venues.zerodha import answers, calls, orders
from trueup.venues.zerodha.known import Known
from trueup.venues.zerodha.orders import State

Ask = Callable[[Call], Awaitable[bytes]]
"""Makes a call, and gives the body of its answer."""

SETTLE_S = 1.0
"""After this a look that found nothing is taken again."""


class Finder:
    """Looks orders up.

    Args:
        ask: Makes a call.
        known: What is traded, and whose tags are whose.
    """

    def __init__(self, ask: Ask, known: Known) -> None:
        self._ask = ask
        self._known = known

    async def tags(self, priority: Priority) -> set[str]:
        """All tags of the day's orders."""
        return {tag for row in await self._listed(priority) if (tag := _tag(row))}

    async def by_tag(self, tag: str, priority: Priority = Priority.RECONCILE) -> State | None:
        """The day's order of a tag; None where there is none. Of several the newest that was not refused."""
        return await _settled(partial(self._by_tag, tag, priority))

    async def by_id(self, order_id: str, priority: Priority) -> State | None:
        """One of the day's orders by Kite's id; None where there is none."""
        for row in await self._listed(priority):
            if str(row.get("order_id")) == order_id:
                return answers.row("order", row, self._state)
        return None

    async def newest(self, order_id: str, priority: Priority) -> State:
        """The newest state of an order that was taken. Raises :class:`VenueError`."""
        body = await self._ask(calls.order(order_id, priority))
        states = answers.listed("order", body, lambda row: row)
        if not states:
            raise Malformed(f"Order {order_id} was taken, and no state of it is told.", remedy="Look at /orders.")
        return answers.row("order", states[-1], self._state)

    async def _by_tag(self, tag: str, priority: Priority) -> State | None:
        of_it = [row for row in await self._listed(priority) if _tag(row) == tag]
        found = [answers.row("order", row, self._state) for row in of_it]
        taken = [one for one in found if one.report.status != "rejected"]
        return next(reversed(taken or found), None)

    async def _listed(self, priority: Priority) -> Sequence[Row]:
        return answers.listed("orders", await self._ask(calls.get(calls.ORDERS, priority=priority)), lambda row: row)

    def _state(self, row: Row) -> State:
        return orders.state(row, self._known)


async def _settled(look: Callable[[], Awaitable[State | None]]) -> State | None:
    """What a look finds, or where that is nothing, another one a moment later."""
    found = await look()
    if found is None:
        await asyncio.sleep(SETTLE_S)
        found = await look()
    return found


def _tag(row: Row) -> str:
    with suppress(BadInput):
        return rows.optional_text(row, "tag")
    return ""  # whatever it is, it is none of ours
