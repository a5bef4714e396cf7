"""The account's state now. What lives only here: which calls state it; a part that fails is named, never empty."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from trueup.model.differences import VenueSnapshot
from trueup.model.errors import BadInput, Malformed, VenueError
from trueup.model.numbers import parse_decimal
from trueup.ports import Refused
from trueup.venues import rows
from trueup.venues.ccxt import state
from trueup.venues.ccxt.context import Context, at
from trueup.venues.ccxt.session import Session
from trueup.venues.files import merge_snapshots
from trueup.venues.transport.limiter import Priority

POSITIONS, BALANCES, ORDERS = "positions", "balances", "open_orders"

_Parse = Callable[[Context, Iterable[object]], tuple[VenueSnapshot, list[Refused]]]


async def snapshot(session: Session) -> VenueSnapshot:
    """What the exchange states now.

    Raises:
        VenueError: Nothing could be had at all.
    """
    await session.ready()
    asked = [
        _part(session, part, ask(session))
        for part, name, ask in (
            (POSITIONS, "fetchPositions", positions),
            (BALANCES, "fetchBalance", balances),
            (ORDERS, "fetchOpenOrders", open_orders),
        )
        if session.has(name)
    ]
    read = await asyncio.gather(*asked)
    errors = [error for _, error in read if error is not None]
    if read and len(errors) == len(read):
        raise errors[0]
    return merge_snapshots([part for part, _ in read])


async def positions(session: Session, priority: Priority = Priority.RECONCILE) -> VenueSnapshot:
    """What is held.

    Raises:
        VenueError: It could not be had, or ccxt left a position out.
    """
    found: list[object] = []
    for params in session.correction.positions:
        answer, told = await session.seen("fetch_positions", None, dict(params), priority=priority)
        listed = _list(session, "fetch_positions", answer)
        _require_all(session, listed, told)
        found += listed
    session.look_for_sides(found)
    return _kept(session, found, state.positions)


async def balances(session: Session) -> VenueSnapshot:
    """What is in the wallet. Raises :class:`VenueError`."""
    answer = await session.call("fetch_balance", dict(session.correction.balance))
    part, refused = state.balances(session.context, answer)
    session.put_aside(refused)
    return part


async def open_orders(session: Session) -> VenueSnapshot:
    """What may still trade.

    Raises:
        VenueError: It could not be had, or an answer was as long as answers may be.
    """
    found: list[object] = []
    page = session.correction.orders_page
    for params in (each for kind in session.correction.orders for each in session.each(kind)):
        answer = _list(
            session, "fetch_open_orders", await session.call("fetch_open_orders", None, None, page, dict(params))
        )
        if len(answer) >= page:
            raise Malformed(
                f"{session.exchange.id} has {page} open orders or more, and ccxt reads no more of them.",
                remedy="Cancel those that are not needed.",
            )
        found += answer
    return _kept(session, found, state.open_orders)


def _require_all(session: Session, listed: Sequence[object], told: Sequence[tuple[str, object]]) -> None:
    """Hold ccxt's positions against the venue's own rows: as many of them have a size, or :class:`Malformed`."""
    if session.correction.position_rows is None:
        return
    request, path = session.correction.position_rows
    stated = [at(answer, path) for asked, answer in told if asked == request]
    held = sum(
        _sized(row, session.correction.position_size) for part in stated if isinstance(part, list) for row in part
    )
    kept = sum(_sized(row, "contracts") for row in listed)
    if not any(isinstance(part, list) for part in stated) or held != kept:
        raise Malformed(
            f"{session.exchange.id} states {held} positions, and ccxt tells of {kept}.",
            remedy="The exchange may have changed its answers; see whether a newer ccxt reads them.",
        )


def _sized(row: object, path: str) -> bool:
    """Whether a row has a size; one that does not say has one, since it may."""
    try:
        return parse_decimal(at(row, path), path) != 0
    except BadInput:
        return True


def _kept(session: Session, items: Sequence[object], parse: _Parse) -> VenueSnapshot:
    part, refused = parse(session.context, items)
    session.put_aside(refused)
    return part


def _list(session: Session, method: str, answer: object) -> Sequence[object]:
    if not isinstance(answer, list):
        raise Malformed(f"{session.exchange.id} {method}: no list: {rows.shown(answer)}.", remedy="Ask again.")
    return answer


async def _part(
    session: Session, part: str, asked: Awaitable[VenueSnapshot]
) -> tuple[VenueSnapshot, VenueError | None]:
    """An answer, or one that says what failed and why."""
    try:
        return await asked, None
    except VenueError as error:
        return VenueSnapshot(session.account, failed={part: str(error)}), error
