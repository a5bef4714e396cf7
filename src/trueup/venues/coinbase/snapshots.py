"""The state of an account now: wallets, futures held, their cash, open orders; what failed is named.

Each part is an answer of its own, so there is no one moment that all of them are of; the oldest counts as the cut.
"""

import asyncio
from collections.abc import Awaitable

import msgspec

from trueup.model.differences import VenuePosition, VenueSnapshot
from trueup.model.errors import Malformed, VenueError
from trueup.model.identifiers import PositionKey
from trueup.model.instruments import Instrument
from trueup.model.numbers import exact
from trueup.venues import rows
from trueup.venues.coinbase import calls, orders, state
from trueup.venues.coinbase.session import Session, of_answer
from trueup.venues.files import merge_snapshots
from trueup.venues.transport.limiter import Priority

POSITIONS = "positions"
BALANCES = "balances"
ORDERS = "open_orders"


async def snapshot(session: Session, *, futures: bool) -> VenueSnapshot:
    """The account's state; a part that could not be read is None and named in ``failed``.

    Args:
        session: Of the account.
        futures: Whether the account has a futures wallet.

    Raises:
        VenueError: Nothing of it could be read.
    """
    await session.ready()
    asked = [_part(session, BALANCES, _wallets(session)), _part(session, ORDERS, _open_orders(session))]
    if futures:
        asked += [_part(session, POSITIONS, _futures(session)), _part(session, BALANCES, _futures_cash(session))]
    read = await asyncio.gather(*asked)
    errors = [error for _, error in read if error is not None]
    if len(errors) == len(read):
        raise errors[0]
    return merge_snapshots([part for part, _ in read])


async def held(session: Session, instrument: Instrument, priority: Priority) -> VenuePosition | None:
    """The position in a future, whatever rows of others hold; None where it is flat. Raises :class:`VenueError`."""
    call, product_id = calls.positions(priority), instrument.native_symbol
    items = of_answer(call, (await session.ask(call)).body, lambda row: rows.records(row, "positions"))
    of_it = [row for row in items if not (isinstance(row, dict) and row.get("product_id") not in {None, product_id})]
    with exact():
        positions, _, refused = state.held(session.context(call.path), of_it)
    if refused:
        problem = f"{refused[0].field}={refused[0].value!r}: {refused[0].problem}"
        raise Malformed(f"The position in {instrument.symbol} could not be read: {problem}.", remedy="Try again.")
    key: PositionKey = (instrument.symbol, "net")
    return positions.get(key)


async def _wallets(session: Session) -> VenueSnapshot:
    cut = session.venue_now()
    listed = await session.rows(calls.accounts(), "accounts")
    with exact():
        return _stated(state.read_accounts(session.context("accounts"), {"accounts": listed}).snapshot, cut)


async def _futures(session: Session) -> VenueSnapshot:
    call, cut = calls.positions(), session.venue_now()
    body = (await session.ask(call)).body
    items = of_answer(call, body, lambda row: rows.records(row, "positions"))
    with exact():
        reading = state.read_positions(session.context("cfm/positions"), items)
    unmapped = {} if reading.snapshot is None else reading.snapshot.unmapped
    if await session.learn((), unmapped):
        with exact():
            reading = state.read_positions(session.context("cfm/positions"), items)
    return _stated(reading.snapshot, cut)


async def _futures_cash(session: Session) -> VenueSnapshot:
    call, cut = calls.balance_summary(), session.venue_now()
    context = session.context("cfm/balance_summary")
    body = (await session.ask(call)).body
    reading = of_answer(call, body, lambda row: state.read_summary(context, rows.record(row, "balance_summary")))
    return _stated(reading.snapshot, cut)


async def _open_orders(session: Session) -> VenueSnapshot:
    """Orders on their way first: one that comes to rest meanwhile is then in both lists and not in neither."""
    cut = session.venue_now()
    listed: list[object] = []
    for states in (calls.BETWEEN, ("OPEN",)):
        listed += await session.rows(calls.orders_in(states), "orders")
    context = session.context("orders")
    with exact():
        reports, _, refused = orders.read_reports(context, listed)
    if await session.learn(refused):
        with exact():
            reports, _, refused = orders.read_reports(context, listed)
    return orders.snapshot(context, reports, refused, cut)


def _stated(part: VenueSnapshot | None, cut: int) -> VenueSnapshot:
    if part is None:
        raise Malformed("An answer holds no state of the account.", remedy="Ask again.")
    return msgspec.structs.replace(part, cut=cut)


async def _part(
    session: Session, speaks_for: str, asked: Awaitable[VenueSnapshot]
) -> tuple[VenueSnapshot, VenueError | None]:
    """An answer, or one that says what failed and why."""
    try:
        return await asked, None
    except VenueError as error:
        return VenueSnapshot(session.account, failed={speaks_for: str(error)}), error
