"""Orders of one OANDA account, placed and ended. What lives only here: what of an answer is the outcome.

A call that changes something goes out once. An answer to it that cannot be read leaves the outcome unknown: it was
done, and the transactions tell how.
"""

from collections.abc import Awaitable, Callable
from typing import Literal

from trueup.model.errors import BadInput, Malformed, OutcomeUnknown, Rejected, TrueupError, VenueError
from trueup.model.events import OrderReported
from trueup.model.numbers import ZERO
from trueup.model.orders import Amendment, OrderRequest
from trueup.venues import rows
from trueup.venues.oanda import errors, fields
from trueup.venues.oanda.calls import Calls, priority_of
from trueup.venues.oanda.errors import NotThere
from trueup.venues.oanda.finding import Finder
from trueup.venues.oanda.history import Ask
from trueup.venues.oanda.reader import OandaReader
from trueup.venues.rows import Row
from trueup.venues.transport.limiter import Priority

Newest = Callable[[Priority], Awaitable[OandaReader]]
"""A reader that knows what is known now; what it has to ask for first, it asks with this priority."""

_NOTHING_HELD = "CLOSEOUT_POSITION_DOESNT_EXIST"


class Desk:
    """Trades one account.

    Args:
        own: Calls of the account.
        ask: Makes a call.
        finder: Looks orders up.
        newest: Gives a reader to read an outcome with; what it learns is dropped, since the history tells it again.
    """

    def __init__(self, own: Calls, ask: Ask, finder: Finder, newest: Newest) -> None:
        self._calls = own
        self._ask = ask
        self._finder = finder
        self._newest = newest

    async def place(self, request: OrderRequest) -> OrderReported:
        """Place an order; where a pending one has its client id and its terms, that one is given instead."""
        reader = await self._newest(priority_of(request))
        call = self._calls.create(request, hedging=reader.hedging is True)
        try:
            data = await self._ask(call)
        except Rejected as refusal:
            if refusal.venue_code != errors.ALREADY_EXISTS:
                raise
            return await self._standing(request, refusal)
        outcome = _outcome(data)
        report = _report(reader, outcome, data, "orderCreateTransaction")
        at_once_only = request.time_in_force in {"ioc", "fok"}
        return _unless_killed(report, outcome.get("orderCancelTransaction"), at_once_only=at_once_only)

    async def cancel(self, order_id: str) -> OrderReported | None:
        """Cancel a pending order; one that has ended is given as it is, None where there is none.

        It goes out before anything is asked, which may take long or fail.
        """
        try:
            data = await self._ask(self._calls.cancel(order_id))
        except NotThere:
            await self._newest(Priority.CANCEL)
            return await self._finder.by_id(order_id)
        try:
            reports = _of_order(await self._newest(Priority.CANCEL), data, order_id)
            found = reports[-1] if reports else await self._finder.by_id(order_id)
        except VenueError as error:
            raise _unread(error) from error
        if found is None:
            raise _unread(None)
        return found

    async def amend(self, order_id: str, amendment: Amendment) -> OrderReported:
        """Put an order with other terms in the place of a pending one, under a new id.

        The report is that of the new order, also where OANDA cancelled it at once; the old one is gone by then.
        """
        reader = await self._newest(Priority.PROTECTIVE)
        call = self._calls.replace(await self._finder.terms(order_id), order_id, amendment)
        data = await self._ask(call)
        return _report(reader, _outcome(data), data, "orderCreateTransaction")

    async def close(self, symbol: str, position_side: str, client_order_id: str) -> OrderReported:
        """Close a position at the market; flat already, the order that did it under this client id is given."""
        reader = await self._newest(Priority.CLOSE)
        side = await self._held(reader, symbol, position_side)
        if side is None:
            found = await self._finder.by_client_id(client_order_id) if client_order_id else None
            if found is None:
                raise Rejected(f"{symbol}, {position_side}: there is no position.", venue_code=_NOTHING_HELD)
            return found
        data = await self._ask(self._calls.close(symbol, side, client_order_id))
        outcome = _outcome(data)
        report = _report(reader, outcome, data, f"{side}OrderCreateTransaction")
        return _unless_killed(report, outcome.get(f"{side}OrderCancelTransaction"))

    async def find(self, client_order_id: str) -> OrderReported | None:
        """The newest order of a client id, in whatever state. Raises :class:`BadInput` without one."""
        if not client_order_id:  # orders without an id are many, and one of them would be taken for this
            raise BadInput("client_order_id", "", "names no order", remedy="Look at the account's open orders instead.")
        await self._newest(Priority.RECONCILE)
        return await self._finder.by_client_id(client_order_id)

    async def _standing(self, request: OrderRequest, refusal: Rejected) -> OrderReported:
        """The pending order of the request's client id, where it is the one that is asked for."""
        found = await self._finder.by_client_id(request.client_order_id)
        if found is None or _terms_of(found) != _terms(request):
            raise refusal
        return found

    async def _held(self, reader: OandaReader, symbol: str, position_side: str) -> Literal["long", "short"] | None:
        """Which side of a position is held; None where it is flat."""
        try:
            data = await self._ask(self._calls.position(symbol))
        except NotThere:
            return None  # never traded
        snapshot = reader.fork().read("position", data).snapshot
        if snapshot is None or snapshot.positions is None:
            raise Malformed(f"The position in {symbol} cannot be read.", remedy="Close it at the venue.")
        held = snapshot.positions.get((symbol, position_side))
        if held is None:
            return None
        return "long" if held.quantity > ZERO else "short"


def _report(reader: OandaReader, outcome: Row, data: bytes, field: str) -> OrderReported:
    """What an answer says of the order that it created."""
    try:
        order_id = str(fields.transaction_id(rows.record(outcome, field)))
        reports = _of_order(reader, data, order_id)
    except (BadInput, Malformed) as error:
        raise _unread(error) from error
    if not reports:
        raise _unread(None)
    return reports[-1]


def _outcome(data: bytes) -> Row:
    try:
        return fields.of_answer("outcome", data, lambda answer: answer)
    except Malformed as error:
        raise _unread(error) from error


def _of_order(reader: OandaReader, data: bytes, order_id: str) -> list[OrderReported]:
    """What an answer says of an order. Raises :class:`Malformed` where a part cannot be read: it may be a fill."""
    reading = reader.read("outcome", data)
    for row in reading.refused:
        raise Malformed(f"row {row.row}: {row.field}={row.value!r}: {row.problem}.", remedy=row.remedy)
    return [fact for fact in reading.facts if isinstance(fact, OrderReported) and fact.venue_order_id == order_id]


def _unless_killed(report: OrderReported, canceled: object, *, at_once_only: bool = False) -> OrderReported:
    refused = None if report.filled > ZERO else errors.killed(canceled, at_once_only=at_once_only)
    if refused is not None:
        raise refused
    return report


def _terms(request: OrderRequest) -> tuple[object, ...]:
    return request.instrument, request.side, request.quantity, request.price, request.trigger_price


def _terms_of(report: OrderReported) -> tuple[object, ...]:
    return report.instrument, report.side, report.quantity, report.price, report.trigger_price


def _unread(error: TrueupError | None) -> OutcomeUnknown:
    why = error.message if error is not None else "it names no order."
    return OutcomeUnknown(
        f"OANDA did what was asked, and its answer cannot be read: {why}",
        remedy="Look it up before sending anything again.",
    )
