"""The state of an account now: positions with the shares among them, and open orders; what failed is named.

Each part is an answer of its own, asked for side by side, so there is no one instant that all of them are of: the
earliest asking counts as the cut.

Cash is not stated, since no book agrees with it: Kite's figure is that of the morning's ledger, to which today's trades
and charges come later, futures pay daily what their owner has not realised, and payments are not told at all.
"""

import asyncio
from collections.abc import Mapping, Sequence

from trueup.model.differences import VenuePosition, VenueSnapshot
from trueup.model.errors import AuthenticationFailed, VenueError
from trueup.model.identifiers import PositionKey
from trueup.model.numbers import ZERO
from trueup.model.positions import OpenOrder
from trueup.ports import Reading
from trueup.venues.transport.http import Answer
from trueup.venues.zerodha import calls
from trueup.venues.zerodha.known import Known
from trueup.venues.zerodha.reader import ZerodhaReader
from trueup.venues.zerodha.wire import Wire

PARTS: Mapping[str, str] = {
    calls.POSITIONS: "positions",
    calls.HOLDINGS: "positions",
    calls.ORDERS: "open_orders",
}
"""Paths in the order in which their answers explain one another, and what each speaks for."""


async def snapshot(wire: Wire, reader: ZerodhaReader) -> VenueSnapshot:
    """The account's state.

    Raises:
        AuthenticationFailed: Kite does not take the token.
        VenueError: Nothing of it could be read.
    """
    asked = await asyncio.gather(*(wire.answer(calls.get(path)) for path in PARTS), return_exceptions=True)
    fresh = reader.fork()
    readings: list[Reading] = []
    failed: dict[str, str] = {}
    errors: list[VenueError] = []
    for (path, part), answer in zip(PARTS.items(), asked, strict=True):
        try:
            readings.append(_read(fresh, path, answer))
        except VenueError as error:
            if isinstance(error, AuthenticationFailed):
                raise
            errors.append(error)
            failed[part] = error.message
    if len(errors) == len(PARTS):
        raise errors[0]
    for reading in readings:
        failed |= {} if reading.snapshot is None else reading.snapshot.failed
    return VenueSnapshot(
        reader.known.account,
        cut=_cut(wire, asked),
        positions=None if "positions" in failed else _positions(readings, fresh.known),
        open_orders=None if "open_orders" in failed else _orders(readings),
        failed=failed,
        source=tuple(PARTS),
    )


def _read(reader: ZerodhaReader, path: str, answer: Answer | BaseException) -> Reading:
    if isinstance(answer, BaseException):
        raise answer
    return reader.read(path, answer.body, path.encode())


def _cut(wire: Wire, asked: Sequence[Answer | BaseException]) -> int | None:
    """The venue's time when the first of the answers was asked for; None while its clock is not known."""
    if wire.skew.offset is None:
        return None
    return min(wire.skew.venue_now(answer.sent_at) for answer in asked if isinstance(answer, Answer))


def _positions(readings: Sequence[Reading], known: Known) -> Mapping[PositionKey, VenuePosition]:
    """What is held, and shares that are no longer: they are balances, which nobody compares where they are left out."""
    stated = [one.snapshot.positions for one in readings if one.snapshot is not None]
    held = next((positions for positions in reversed(stated) if positions is not None), {})
    gone = {(one.symbol, "net"): VenuePosition(one.symbol, "net", ZERO) for one in known.delivery()}
    return {**gone, **held}


def _orders(readings: Sequence[Reading]) -> Mapping[str, OpenOrder] | None:
    stated = (one.snapshot.open_orders for one in readings if one.snapshot is not None)
    return next((orders for orders in stated if orders is not None), None)
