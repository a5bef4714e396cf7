"""What an account does through ccxt: each order is sent once; what is left open is looked up, never repeated."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from decimal import Decimal

import msgspec

from trueup.model.errors import BadInput, Malformed, OutcomeUnknown, Rejected, VenueError
from trueup.model.events import OrderReported
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO, canonical, exact, parse_decimal
from trueup.model.orders import Amendment, OrderRequest
from trueup.venues import rows
from trueup.venues.ccxt import marks, snapshots
from trueup.venues.ccxt.capabilities import capabilities_of
from trueup.venues.ccxt.context import Context
from trueup.venues.ccxt.corrections import Params
from trueup.venues.ccxt.orders import OPEN, Placing, client_id, placing, report
from trueup.venues.ccxt.session import Session
from trueup.venues.rows import Row
from trueup.venues.transport.limiter import Priority

SCANNED = 100
"""Newest closed orders that an order of ours is looked for among."""

REMEMBERED_MAX = 10_000
"""Orders placed here whose instrument is remembered, to find them by."""

_LISTS = (
    ("fetchOpenOrders", "fetch_open_orders"),
    ("fetchCanceledAndClosedOrders", "fetch_canceled_and_closed_orders"),
    ("fetchClosedOrders", "fetch_closed_orders"),
    ("fetchCanceledOrders", "fetch_canceled_orders"),
    ("fetchOrders", "fetch_orders"),
)
"""Lists that orders stand in."""


class Trading:
    """Of one account.

    Args:
        session: Of the account.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._placed: dict[str, str] = {}

    def client_id(self, client_order_id: str) -> str:
        """What the venue calls an order of ours."""
        return client_id(self._session.correction.client_id, client_order_id)

    async def place(self, request: OrderRequest) -> OrderReported:
        """Place an order. Raises as the port says."""
        session = self._session
        await session.ready()
        terms = session.symbol(request.instrument)
        _require_offered(session, request)
        present, urgent = None, request.reduce_only or request.trigger_price is not None
        if request.order_type not in {"limit", "stop_limit"} and session.correction.market_price:
            present = await marks.present(session, request.instrument, Priority.CLOSE if urgent else Priority.REST)
        name = self.client_id(request.client_order_id)
        wire = self._placing(request, terms, name, present)
        _require_exact(session, terms.symbol, request)
        self._remember(name, request.instrument)
        sent_at = session.clock.now()
        answer = await session.order(
            "create_order",
            terms.symbol,
            wire.type,
            wire.side,
            wire.amount,
            wire.price,
            dict(wire.params),
            urgent=urgent,
        )
        try:
            told = report(session.context, rows.as_row(answer, "order"), request=request, name=name, sent_at=sent_at)
        except BadInput as error:
            raise OutcomeUnknown(
                f"{session.exchange.id} took the order and its answer cannot be read: {error}",
                remedy="Look it up by its client order id.",
                venue_text=rows.shown(answer),
            ) from error
        return told if told.status not in OPEN or told.filled else await self._settled(told, wire)

    async def cancel(self, instrument: str, order_id: str) -> OrderReported | None:
        """Cancel what is left of an order; see the port. One with a trigger may have calls of its own."""
        session = self._session
        await session.ready()
        symbol = session.symbol(instrument).symbol
        told = await self._cancel(symbol, order_id, {})
        triggers = session.correction.triggers
        return told if told is not None or not triggers else await self._cancel(symbol, order_id, triggers)

    async def _cancel(self, symbol: str, order_id: str, which: Params) -> OrderReported | None:
        try:
            await self._session.order("cancel_order", order_id, symbol, dict(which))
        except Rejected:
            found = await self._by_id(symbol, order_id, which)
            if found is not None and found.status in OPEN:
                raise
            return found
        try:
            found = await self._by_id(symbol, order_id, which)
        except VenueError as error:
            raise OutcomeUnknown(
                f"Order {order_id} is cancelled, but how much of it was filled could not be read: {error.message}",
                remedy="Cancelling it again does no harm and tells.",
            ) from error
        if found is None or found.status not in OPEN:
            return found
        return _ended(found, self._session.clock.now())

    async def amend(self, instrument: str, order_id: str, amendment: Amendment) -> OrderReported:
        """Change a resting order. Raises as the port says."""
        session = self._session
        await session.ready()
        terms = session.symbol(instrument)
        resting = await self._by_id(terms.symbol, order_id, {})
        if resting is None or resting.status not in OPEN:
            raise Rejected(
                f"Order {order_id} is not open: {'unknown' if resting is None else resting.status}.",
                remedy="Nothing was sent; place another one.",
                venue_code="not_open",
            )
        request = changed(resting, amendment, rest=session.correction.edits_rest)
        name = resting.client_order_id
        wire = self._placing(request, terms, name, None)
        _require_exact(session, terms.symbol, request)
        sent_at = session.clock.now()
        answer = await session.order(
            "edit_order", order_id, terms.symbol, wire.type, wire.side, wire.amount, wire.price, dict(wire.params)
        )
        try:
            told = rows.as_row(answer, "order")
            row = {**told, "id": told.get("id") or order_id}
            return report(session.context, row, request=request, name=name, sent_at=sent_at)
        except BadInput as error:
            raise OutcomeUnknown(
                f"{session.exchange.id} changed the order and its answer cannot be read: {error}",
                remedy="Look it up by its client order id.",
            ) from error

    async def close(self, instrument: str, position_side: str, client_order_id: str) -> OrderReported:
        """Close a position at the market, never beyond flat: a reduce-only order the other way."""
        session = self._session
        await session.ready()
        terms = session.symbol(instrument)
        part = await snapshots.positions(session, Priority.CLOSE)
        if part.positions is None:
            raise Malformed(f"The position in {instrument} could not be read: {part.failed}.", remedy="Try again.")
        held = part.positions.get((instrument, position_side))
        if held is None or terms.kind == "spot":
            raise Rejected(
                f"There is no {position_side} position in {instrument} that could be closed.",
                remedy="There is nothing to close.",
                venue_code="nothing_to_close",
            )
        return await self.place(
            OrderRequest(
                instrument,
                "sell" if held.quantity > ZERO else "buy",
                abs(held.quantity),
                client_order_id,
                reduce_only=True,
                position_side=position_side,
            )
        )

    async def find(self, client_order_id: str) -> OrderReported | None:
        """The order of a client order id.

        Raises:
            OutcomeUnknown: It is not among those that can be looked through, and may exist all the same.
        """
        session = self._session
        await session.ready()
        name = self.client_id(client_order_id)
        symbol = self._placed.get(name)
        if session.correction.find_by and (session.correction.find_surely or symbol):
            named, triggers = {session.correction.find_by: name}, session.correction.triggers
            found = await self._lookup(None, symbol, named)
            return found if found or not triggers else await self._lookup(None, symbol, {**named, **triggers})
        whole = symbol is not None and session.correction.lists_all
        async for orders, complete in self._listed(symbol):
            found = next((order for order in orders if order.client_order_id == name), None)
            if found is not None:
                return found
            whole = whole and complete
        if whole:
            return None
        raise OutcomeUnknown(
            f"No order {name} is among the open ones of {session.exchange.id} and its {SCANNED} newest that are over.",
            remedy="Look at the exchange itself; ccxt cannot ask for an order by this id.",
        )

    def _placing(self, request: OrderRequest, terms: Instrument, name: str, present: Decimal | None) -> Placing:
        correction = self._session.correction
        named = {correction.client_param: name} if name else {}
        return placing(request, terms, named, present, lower_sides=correction.lower_sides)

    def _remember(self, name: str, symbol: str) -> None:
        if len(self._placed) >= REMEMBERED_MAX:
            self._placed.pop(next(iter(self._placed)))
        if name:
            self._placed[name] = symbol

    async def _settled(self, told: OrderReported, wire: Placing) -> OrderReported:
        """An order that is over at once as the venue then states it: its answer to one may be no more than an id."""
        if wire.type != "market" and wire.params.get("timeInForce") not in {"IOC", "FOK"}:
            return told
        try:
            found = await self._by_id(told.instrument, told.venue_order_id, {})
        except VenueError:
            return told  # it was taken, and that is what is known
        return told if found is None else found

    async def _by_id(self, symbol: str, order_id: str, which: Params) -> OrderReported | None:
        session = self._session
        if session.has("fetchOrder"):
            return await self._lookup(order_id, symbol, which)
        async for orders, _ in self._listed(symbol):
            found = next((order for order in orders if order.venue_order_id == order_id), None)
            if found is not None:
                return found
        return None

    async def _lookup(
        self, order_id: str | None, symbol: str | None, params: Mapping[str, object]
    ) -> OrderReported | None:
        session = self._session
        try:
            answer = await session.call("fetch_order", order_id, symbol, dict(params), priority=Priority.CANCEL)
        except Rejected as error:
            if error.venue_code == "OrderNotFound":
                return None
            raise
        if answer is None:
            return None
        try:
            return report(session.context, rows.as_row(answer, "order"))
        except BadInput as error:
            raise Malformed(f"{session.exchange.id} fetch_order: {error}", remedy="Look at the exchange.") from error

    async def _listed(self, symbol: str | None) -> AsyncIterator[tuple[Sequence[OrderReported], bool]]:
        """The open orders, then the newest that are over, list by list, each with whether it is whole, and was read."""
        session = self._session
        kinds = [{}] if symbol else [each for kind in session.correction.orders for each in session.each(kind)]
        for has, method in _LISTS:
            for params in kinds if session.exchange.has.get(has) is True else ():
                more = {} if has == "fetchOpenOrders" else session.correction.ended
                try:
                    answer = await session.call(
                        method, symbol, None, SCANNED, {**params, **more}, priority=Priority.CANCEL
                    )
                except Rejected as error:
                    if error.venue_code != "ArgumentsRequired":
                        raise
                    yield [], False  # a list of one instrument alone, and which one is not known
                    continue
                items = answer if isinstance(answer, list) else ()
                read = session.read_each(method, items, _reader(session.context))
                yield read, len(read) == len(items) < SCANNED


def _reader(context: Context) -> Callable[[Row], OrderReported]:
    return lambda row: report(context, row)


def _require_offered(session: Session, request: OrderRequest) -> None:
    """Refuse what the exchange is not known to take: a term that it ignores is another order, a stop a market order.

    Raises:
        Rejected: There is no such type, no such time in force, or no such side of a position.
    """
    offered = capabilities_of(session.exchange)
    sides = {"net", "long", "short"} if offered.hedges or request.reduce_only else {"net"}
    for field, known in (
        ("order_type", offered.order_types),
        ("time_in_force", {"", "gtc", *offered.times_in_force}),
        ("position_side", sides),
    ):
        asked = getattr(request, field)
        if asked not in known:
            raise Rejected(
                f"{field}={asked!r}: {session.exchange.id} is not known to take it.",
                remedy="Nothing was sent; see what the exchange takes: trueup venues list.",
                venue_code="not_offered",
            )


def _require_exact(session: Session, symbol: str, request: OrderRequest) -> None:
    """Refuse what ccxt would round as it sends it: some venues count significant digits, which are no steps.

    Raises:
        Rejected: Finer than the venue takes.
    """
    exchange = session.exchange
    for field, rounded in (
        ("quantity", exchange.amount_to_precision),
        ("price", exchange.price_to_precision),
        ("trigger_price", exchange.price_to_precision),
    ):
        number = getattr(request, field)
        stated = exchange.market(symbol)["precision"].get("amount" if field == "quantity" else "price")
        if number is None or stated is None:
            continue
        try:
            sent = rounded(symbol, canonical(number))
        except Exception as error:  # noqa: BLE001 - whatever ccxt raises has a meaning
            raise session.judged("create_order", error) from None
        if parse_decimal(sent, field) != number:
            raise Rejected(
                f"{field}={canonical(number)} is finer than {exchange.id} takes: ccxt would send {sent}.",
                remedy="Nothing was sent; round it yourself.",
                venue_code="step",
            )


def _ended(found: OrderReported, now: int) -> OrderReported:
    """An order whose cancel was taken and which the venue still shows open."""
    return msgspec.structs.replace(
        found,
        status="canceled",
        venue_time=max(found.venue_time, now),
        report_id=f"{found.venue_order_id}:canceled:{now}",
    )


def changed(resting: OrderReported, amendment: Amendment, *, rest: bool) -> OrderRequest:
    """The order in the place of a resting one, on terms else the same.

    Args:
        resting: As it is.
        amendment: Its quantity is what is to rest of the order.
        rest: Whether the venue wants that too, and not the amount of the whole order.

    Raises:
        Rejected: It cannot be changed.
    """
    if resting.order_type not in {"limit", "stop", "stop_limit", "take_profit"}:
        raise Rejected(
            f"Order {resting.venue_order_id} is of a kind that cannot be changed here: {resting.order_type}.",
            remedy="Cancel it and place another; nothing was sent.",
        )
    with exact():
        left = resting.quantity - resting.filled if amendment.quantity is None else amendment.quantity
        quantity = left if rest else left + resting.filled
    return OrderRequest(
        resting.instrument,
        resting.side,
        quantity,
        resting.client_order_id,
        order_type=resting.order_type,  # type: ignore[arg-type] # one of the four above
        price=resting.price if amendment.price is None else amendment.price,
        trigger_price=resting.trigger_price if amendment.trigger_price is None else amendment.trigger_price,
        reduce_only=resting.reduce_only,
        position_side=resting.position_side,
    )
