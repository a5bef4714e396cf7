"""The state of an account now: positions and cash of each dex, spot balances, open orders; what failed is named.

Each part is an answer of its own, so there is no one moment that all of them are of; the oldest counts as the cut.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence

import msgspec

from trueup.model.differences import VenueSnapshot
from trueup.model.errors import Malformed, VenueError
from trueup.model.positions import OpenOrder
from trueup.venues.files import merge_snapshots
from trueup.venues.hyperliquid.session import Fields, Session, of_dex
from trueup.venues.transport.http import Answer
from trueup.venues.transport.limiter import Priority

POSITIONS = "positions"
BALANCES = "balances"
ORDERS = "open_orders"


async def snapshot(session: Session) -> VenueSnapshot:
    """The account's state; a part that could not be read is None and named in ``failed``.

    Raises:
        VenueError: Nothing of it could be read.
    """
    await session.ready()
    states = [_part(session, (POSITIONS, BALANCES), clearinghouse(session, dex)) for dex in session.dexes]
    orders = [_part(session, (ORDERS,), _open_orders(session, dex)) for dex in session.dexes]
    spot = _part(session, (BALANCES,), _spot(session))
    read = await asyncio.gather(*states, spot, *orders)
    errors = [error for _, error in read if error is not None]
    if len(errors) == len(read):
        raise errors[0]
    parts = [part for part, _ in read]
    merged = merge_snapshots(parts)
    return msgspec.structs.replace(merged, open_orders=_together(parts[-len(orders) :]))


async def clearinghouse(session: Session, dex: str, priority: Priority = Priority.RECONCILE) -> VenueSnapshot:
    """Positions and cash of one dex; its time tells how far the venue's clock is from ours. Raises VenueError."""
    fields = {"user": session.address, **of_dex(dex)}
    answer = await session.ask("clearinghouseState", fields, priority)
    part = await _stated(session, "clearinghouseState", fields, answer, priority)
    if part.cut is not None:
        session.skew.answered(answer.sent_at, part.cut, answer.received_at)
    return part


async def _spot(session: Session) -> VenueSnapshot:
    fields = {"user": session.address}
    return await _stated(session, "spotClearinghouseState", fields, await session.ask("spotClearinghouseState", fields))


async def _open_orders(session: Session, dex: str) -> VenueSnapshot:
    fields = {"user": session.address, **of_dex(dex)}
    return await _stated(session, "frontendOpenOrders", fields, await session.ask("frontendOpenOrders", fields))


async def _stated(
    session: Session, kind: str, fields: Fields, answer: Answer, priority: Priority = Priority.RECONCILE
) -> VenueSnapshot:
    reading = await session.read(kind, fields, answer.body, priority)
    if reading.snapshot is None:
        raise Malformed(f"{kind}: an answer of another kind, {reading.kind}.", remedy="Ask again.")
    return reading.snapshot


async def _part(
    session: Session, speaks_for: Sequence[str], asked: Awaitable[VenueSnapshot]
) -> tuple[VenueSnapshot, VenueError | None]:
    """An answer, or one that says what failed and why."""
    try:
        return await asked, None
    except VenueError as error:
        return VenueSnapshot(session.account, failed=dict.fromkeys(speaks_for, str(error))), error


def _together(parts: Sequence[VenueSnapshot]) -> Mapping[str, OpenOrder] | None:
    """The open orders of all dexes; None where one of them did not say."""
    together: dict[str, OpenOrder] = {}
    for part in parts:
        if part.open_orders is None:
            return None
        together |= part.open_orders
    return together
