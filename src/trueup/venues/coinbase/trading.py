"""What an account does at the venue. What lives only here: what of an answer, and of a look after it, is the outcome.

A call that changes something goes out once. That the venue took it up is not yet what became of it, so the order is
looked at until it stays where it is, within bounds. An order whose answer was lost is looked up, never sent again: that
a second one of the same id is not made, the venue says, and nobody has tried it here.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import partial

import msgspec

from trueup.model.errors import (
    AuthenticationFailed,
    BadInput,
    Malformed,
    OutcomeUnknown,
    Rejected,
    VenueError,
)
from trueup.model.events import OrderReported
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO, canonical
from trueup.model.orders import Amendment, OrderRequest
from trueup.venues import rows
from trueup.venues.coinbase import calls, errors, lookup, placement
from trueup.venues.coinbase.session import Session
from trueup.venues.coinbase.snapshots import held
from trueup.venues.rows import Row
from trueup.venues.transport.http import Call
from trueup.venues.transport.limiter import Priority

_NOT_OPEN = "ORDER_NOT_OPEN"
_NOTHING_HELD = "nothing_to_close"
_DUPLICATE = "DUPLICATE_CANCEL_REQUEST"


class Trading:
    """Of one account.

    Args:
        session: Of the account.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def place(self, request: OrderRequest) -> OrderReported:
        """Place an order.

        Coinbase has no reduce-only orders. One that is over at once is made smaller where less is held, and of a
        future it is a close; one that rests is placed only where it would reduce what is held now.
        """
        priority = _priority(request)
        await self._ready(priority)
        instrument = self._instrument(request.instrument)
        rests, name = placement.rests(request), self._named(request.client_order_id)
        if request.reduce_only:
            request = await self._reducing(request, instrument, rests=rests)
        body = placement.body(request, instrument.native_symbol, name)
        if request.reduce_only and request.order_type == "market" and instrument.kind != "spot":
            call = calls.close(_closing(instrument, request.quantity, name))
        else:
            call = calls.create(body, priority)
        return await self._placed(call, request, name, at_once=not rests)

    async def cancel(self, order_id: str) -> OrderReported | None:
        """Cancel what is left of an order; see the port. It goes out before anything is asked that may fail."""
        refusal = errors.not_cancelled((await self._session.ask(calls.cancel(order_id))).body)
        over = refusal is None or refusal.venue_code == _DUPLICATE
        try:
            await self._session.ready(Priority.CANCEL)
            look = partial(lookup.settled, at_once=True) if over else lookup.by_id
            row = await look(self._session, order_id, Priority.CANCEL)
            report = None if row is None else await self._read(row)
        except VenueError as error:
            raise OutcomeUnknown(
                f"The cancel of order {order_id} was asked for, but the order could not be read: {error.message}",
                remedy="Cancelling it again does no harm and tells.",
            ) from error
        if refusal is not None and not over and report is not None and lookup.is_open(report):
            raise refusal
        return report

    async def amend(self, order_id: str, amendment: Amendment) -> OrderReported:
        """Change a resting order; it keeps its id."""
        await self._ready(Priority.PROTECTIVE)
        row = await lookup.by_id(self._session, order_id, Priority.PROTECTIVE)
        before = None if row is None else await self._read(row)
        if row is None or before is None or not lookup.is_open(before):
            raise Rejected(
                f"Order {order_id} is not open: {'unknown' if before is None else before.status}.",
                remedy="Nothing was sent; place another one.",
                venue_code=_NOT_OPEN,
            )
        try:
            body = placement.changed(row, amendment)
        except BadInput as error:
            raise Malformed(f"Order {order_id}: {error.message}", remedy=error.remedy) from error
        errors.accepted("edit", (await self._session.ask(calls.edit(body))).body)
        try:
            return await self._changed(order_id, body)
        except VenueError as error:
            raise OutcomeUnknown(
                f"The change of order {order_id} was taken up, but the order could not be read: {error.message}",
                remedy="Look at the order before changing it again.",
            ) from error

    async def close(self, symbol: str, position_side: str, client_order_id: str) -> OrderReported:
        """Close a position in a future at the market, never beyond flat."""
        await self._ready(Priority.CLOSE)
        instrument = self._instrument(symbol)
        if position_side != "net" or instrument.kind == "spot":
            raise Rejected(
                f"There is no {position_side} position in {symbol} that could be closed.",
                remedy="Futures have one position, net; coins are sold.",
                venue_code=_NOTHING_HELD,
            )
        position = await held(self._session, instrument, Priority.CLOSE)
        if position is None:
            raise Rejected(f"{symbol} is flat.", remedy="There is nothing to close.", venue_code=_NOTHING_HELD)
        request = OrderRequest(
            symbol, "sell" if position.quantity > ZERO else "buy", abs(position.quantity), reduce_only=True
        )
        name = self._named(client_order_id)
        call = calls.close(_closing(instrument, request.quantity, name))
        return await self._placed(call, request, name, at_once=True)

    async def find(self, client_order_id: str) -> OrderReported | None:
        """The order of a client order id. Raises :class:`BadInput` without one."""
        if not client_order_id:  # orders of others have ids too, and one without any would be taken for this
            raise BadInput("client_order_id", "", "names no order", remedy="Look at the account's open orders instead.")
        await self._session.ready()
        return await lookup.by_client_id(self._session, placement.client_id(self._session.account, client_order_id))

    # ------------------------------------------------------------------------------------------------------------------

    async def _ready(self, priority: Priority) -> None:
        key = await self._session.ready(priority)
        if not key.may_trade:
            raise AuthenticationFailed(
                "The key may not trade; nothing was sent.", remedy="Make a key with the scope trade for this portfolio."
            )

    def _instrument(self, symbol: str) -> Instrument:
        found = self._session.products.of_symbol(symbol)
        if found is None:
            raise Rejected(
                f"instrument={symbol!r}: no product of Coinbase that is known.",
                remedy="Nothing was sent. `trueup venues instruments` lists them.",
            )
        return found

    def _named(self, client_order_id: str) -> str:
        """The venue wants an id of ours for every order, also for one made by hand."""
        return placement.client_id(self._session.account, client_order_id) or self._session.new_uuid()

    async def _reducing(self, request: OrderRequest, instrument: Instrument, *, rests: bool) -> OrderRequest:
        """The order that may only reduce, as far as it does. Raises :class:`Rejected` where it would not."""
        if instrument.kind == "spot":
            if request.buys:
                raise placement.no_form("reduce_only", "true", "a buy adds to the coins held")
            return request  # more than the coins there are cannot be sold
        position = await held(self._session, instrument, _priority(request))
        quantity = ZERO if position is None else position.quantity
        if not quantity or (quantity > ZERO) is request.buys:
            raise placement.no_form("reduce_only", "true", f"{canonical(quantity)} is held, which it would not reduce")
        if rests and request.quantity > abs(quantity):
            raise placement.no_form(
                "quantity", canonical(request.quantity), f"more than the {canonical(abs(quantity))} held"
            )
        return msgspec.structs.replace(request, quantity=min(request.quantity, abs(quantity)))

    async def _placed(self, call: Call, request: OrderRequest, client_order_id: str, *, at_once: bool) -> OrderReported:
        """Send an order, and see what becomes of it. Taken up and not seen since, it is open as far as is known."""
        sent_at = self._session.venue_now()
        order_id = errors.order_id("order", (await self._session.ask(call)).body)
        try:
            row = await lookup.settled(self._session, order_id, call.priority, at_once=at_once)
            report = None if row is None else await self._read(row)
        except VenueError as error:
            self._session.warn(f"Order {order_id} was taken up, and could not be read after it: {error.message}")
            row = report = None
        if row is None or report is None:
            return _taken_up(self._session, request, order_id, client_order_id, sent_at)
        if report.status == "rejected" and not report.filled:
            raise _failed(row)
        return report

    async def _changed(self, order_id: str, asked: Mapping[str, object]) -> OrderReported:
        """A resting order after a change: where it shows only later, as it is."""
        row = await lookup.settled(self._session, order_id, Priority.PROTECTIVE, at_once=False)
        if row is None:
            raise Malformed(f"Order {order_id} is not listed any more.")
        report = await self._read(row)
        wanted = (Decimal(str(asked["price"])), Decimal(str(asked["size"])))
        if (report.price, report.quantity) != wanted and lookup.is_open(report):
            self._session.warn(f"Order {order_id} does not show its change yet; the venue took it up.")
        return report

    async def _read(self, row: Row) -> OrderReported:
        (report,) = await lookup.read(self._session, [row])
        return report


def _closing(instrument: Instrument, quantity: Decimal, client_order_id: str) -> dict[str, object]:
    return {
        "client_order_id": client_order_id,
        "product_id": instrument.native_symbol,
        "size": canonical(quantity),
    }


def _priority(request: OrderRequest) -> Priority:
    """What ends or protects a position goes before all else."""
    if request.order_type == "stop_limit":
        return Priority.PROTECTIVE
    return Priority.CLOSE if request.reduce_only else Priority.REST


def _taken_up(
    session: Session, request: OrderRequest, order_id: str, client_order_id: str, sent_at: int
) -> OrderReported:
    """The report of an order that was taken up: all that the answer says."""
    return OrderReported(
        account=session.account,
        instrument=request.instrument,
        side=request.side,
        quantity=request.quantity,
        filled=ZERO,
        status="open",
        venue_order_id=order_id,
        venue_time=sent_at,
        report_id=f"{order_id}:taken up",
        client_order_id=client_order_id,
        price=request.price,
        trigger_price=request.trigger_price,
        order_type=request.order_type,
    )


def _failed(row: Row) -> Rejected:
    """Why an order that was taken up was refused after all."""
    code, text = (rows.shown(row.get(field) or "") for field in ("reject_reason", "reject_message"))
    return Rejected(
        f"Coinbase took the order up and refused it: {text or code or 'no reason given'}.",
        remedy="Nothing was traded.",
        venue_code=code,
        venue_text=text or code,
    )
