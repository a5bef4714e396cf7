"""What became of an order whose answer was lost: looked up, never placed again.

What lives only here: when not finding it says that it was not placed. A look in which the venue surely has no such
order counts only once the order cannot be on its way any more. Who acts upon it knows two things besides that no look
can tell: that the stream is whole, and that the position did not move.
"""

import asyncio

from trueup.model.errors import OutcomeUnknown, RateLimited, Unavailable
from trueup.model.events import OrderReported
from trueup.ports import LiveVenue

PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Between looks: half a minute in all, longer than an order is on its way."""


async def resolve(venue: LiveVenue, client_order_id: str) -> OrderReported | None:
    """The order of a client order id whose placing had no known outcome; None where it surely was not placed.

    Raises:
        OutcomeUnknown: It was not found, and that proves nothing here: the venue could not be asked at the end, or
            cannot look an order up surely.
        VenueError: The venue refuses to be asked.
    """
    for pause_s in PAUSES_S:
        if (order := await _look(venue, client_order_id)) is not None:
            return order
        await asyncio.sleep(pause_s)
    try:
        order = await venue.find(client_order_id)
    except (Unavailable, RateLimited) as error:
        raise _still_unknown(client_order_id, error.message) from error
    if order is None and venue.capabilities.find != "surely":
        raise _still_unknown(client_order_id, "Not finding it says little: the venue cannot look an order up surely.")
    return order


async def _look(venue: LiveVenue, client_order_id: str) -> OrderReported | None:
    try:
        return await venue.find(client_order_id)
    except (Unavailable, RateLimited):  # there is another look
        return None


def _still_unknown(client_order_id: str, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"What became of order {client_order_id} is unknown still. {why}",
        remedy="Keep what is reserved for it, and look again; never place it anew.",
    )
