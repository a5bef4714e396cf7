"""The history of an account: its fills, and what the venue takes back of them.

The venue has no sequence numbers. Fills are asked for from a time on, and come newest first, so nothing may be booked
as read before the oldest of them is there: they are gathered back to the cursor, put in order, and told from the oldest
on. Of a very long history the oldest part is told first, and the rest is asked for again. Each pull begins some time
before its cursor, because a fill may be listed later than one that was made after it; what is known already is dropped
by its identity.
"""

from collections import deque
from collections.abc import AsyncIterator, Sequence

import msgspec

from trueup.model.errors import BadInput, Malformed
from trueup.model.events import Fact, FillBooked
from trueup.model.numbers import exact
from trueup.model.times import NS_PER_SECOND, format_time, parse_time
from trueup.ports import Refused
from trueup.venues import rows
from trueup.venues.coinbase import calls
from trueup.venues.coinbase.session import Session

OVERLAP_NS = 60 * NS_PER_SECOND
"""How long after its own time a fill may be listed and still be found."""

GATHERED_MAX = 50_000
"""Fills that are gathered before some are told; of more the oldest are kept."""

CHUNK = calls.PAGE
"""Fills that are told together, with a cursor behind them."""


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the fills were read.

    Attributes:
        at: The time of the last one in nanoseconds, that time included.
    """

    at: int = 0


def cursor_at(venue_time: int) -> str:
    """The cursor of everything at or after a venue time in nanoseconds."""
    return _encode(max(venue_time, 0))


async def pages(
    session: Session, cursor: str | None, *, gathered_max: int = GATHERED_MAX
) -> AsyncIterator[tuple[Sequence[Fact], str]]:
    """Pages of facts since the cursor, that one included, each with the cursor behind it.

    Args:
        session: Of the account.
        cursor: Of an earlier page; None for all that the venue has.
        gathered_max: Fills that are gathered before some are told.

    Raises:
        BadInput: Not a cursor of this venue.
        VenueError: The venue could not be asked, or an answer could not be read; the last cursor holds.
    """
    reached = _decode(cursor)
    await session.ready()
    told = False
    while True:
        before = reached
        gathered, whole = await _gather(session, reached - OVERLAP_NS, gathered_max)
        for start in range(0, len(gathered), CHUNK):
            chunk = gathered[start : start + CHUNK]
            reached, told = max(reached, chunk[-1][0]), True
            yield await _read(session, [row for _, row in chunk]), _encode(reached)
        if whole:
            break
        if reached == before:
            raise Malformed(f"{gathered_max} fills or more are of {format_time(reached)}, and later ones are not told.")
    if not told:
        yield (), _encode(reached)


async def fills_of(session: Session, order_id: str) -> Sequence[FillBooked]:
    """All fills of an order that are listed by now. Raises :class:`VenueError`."""
    items = await session.rows(calls.fills_of(order_id), "fills")
    return [fact for fact in await _read(session, items) if isinstance(fact, FillBooked)]


async def _gather(session: Session, begin: int, most: int) -> tuple[list[tuple[int, object]], bool]:
    """Fills since a time, each with its own, oldest first; and whether these are all. Else they are the oldest."""
    gathered: deque[tuple[int, object]] = deque(maxlen=most)
    seen = 0
    async for items in session.walk(calls.fills_since(begin), "fills"):
        gathered.extend((_time(item), item) for item in items)
        seen += len(items)
    return sorted(gathered, key=lambda fill: fill[0]), seen <= most


async def _read(session: Session, items: Sequence[object]) -> Sequence[Fact]:
    """The facts in rows. Products that are not known, and fills that are taken back, are asked for."""
    context = session.context("fills")
    with exact():
        fills, used, refused = session.trades.read(context, items)
    learnt = await session.learn(refused)
    if await _recall(session, refused) or learnt:
        with exact():
            fills, used, refused = session.trades.read(context, items)
    session.refuse(refused)
    return context.with_definitions(fills, used)


async def _recall(session: Session, refused: Sequence[Refused]) -> bool:
    """Read the orders of rows that take back or replace what was not read; whether there were any."""
    orders = {order for row in refused if row.field == "trade_type" and (order := _order_of(row))}
    for order in sorted(orders):
        items = await session.rows(calls.fills_of(order), "fills")
        with exact():
            session.trades.read(session.context(f"fills of {order}"), items)
    return bool(orders)


class _Order(msgspec.Struct):
    order_id: str = ""


def _order_of(refused: Refused) -> str:
    try:
        return msgspec.json.decode(refused.raw, type=_Order).order_id
    except msgspec.DecodeError:
        return ""


def _time(item: object) -> int:
    """When a fill stands in the venue's order; one that cannot be read comes first, and is refused when it is read."""
    try:
        row = rows.as_row(item)
        field = "sequence_timestamp" if row.get("sequence_timestamp") else "trade_time"
        return parse_time(rows.text(row, field), field)
    except BadInput:
        return 0


def _encode(at: int) -> str:
    return msgspec.json.encode(Cursor(at)).decode()


def _decode(cursor: str | None) -> int:
    try:
        return 0 if cursor is None else msgspec.json.decode(cursor, type=Cursor).at
    except msgspec.DecodeError as error:
        raise BadInput(
            "cursor", rows.shown(cursor), "not a cursor of Coinbase", remedy="Pull from a time, or from the start."
        ) from error
