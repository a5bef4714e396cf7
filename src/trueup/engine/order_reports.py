"""What became of the orders that book and venue differ on: each is looked up at the venue by its client order id.

Not every venue's history tells of orders. One that ended, or was placed, while nobody listened would differ for good.
"""

import asyncio
from collections.abc import Mapping, Sequence

from trueup.model.differences import Kind
from trueup.model.errors import AuthenticationFailed, VenueError
from trueup.model.events import OrderReported
from trueup.model.positions import OpenOrder
from trueup.ports import LiveVenue
from trueup.reconcile.following import Finding

ASKED_MAX = 20
"""Orders that are looked up after one comparison; the next one goes on with those that still differ."""

OF_ORDERS = (Kind.ORDER_MISSING, Kind.ORPHAN_ORDER, Kind.ORDER_STATE)


async def order_reports(
    venue: LiveVenue, findings: Sequence[Finding], orders: Mapping[str, OpenOrder], patience_s: float
) -> Sequence[OrderReported]:
    """The venue's reports of the orders that differ, as far as it tells them; the others go on differing.

    Args:
        venue: To be asked.
        findings: What differs.
        orders: Those that either side holds open, by venue order id.
        patience_s: How long it may take.

    Raises:
        AuthenticationFailed: The venue does not take our key.
    """
    differing = [one.found.subject for one in findings if one.found.kind in OF_ORDERS]
    named = [orders[name] for name in differing if name in orders and orders[name].client_order_id]
    told: list[OrderReported] = []
    try:
        async with asyncio.timeout(patience_s):
            for order in named[:ASKED_MAX]:
                report = await venue.find(order.client_order_id)
                if report is not None and report.venue_order_id == order.venue_order_id:
                    told.append(report)
    except AuthenticationFailed:
        raise
    except (VenueError, TimeoutError):
        return told  # the differences that are left say it
    return told
