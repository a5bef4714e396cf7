"""Orders of one account, placed and ended. What lives only here: where an order is looked for, and what that proves.

A label is no identity: the engine takes the same one twice and makes two orders. So a call that changes something goes
out once, and after an unknown outcome the order is looked for before it is sent again. Orders that are over are told by
their label for half an hour; older ones are among the newest of each currency's history, or are not found.
"""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

from trueup.book.orders import ENDED
from trueup.model.errors import BadInput, Malformed, OutcomeUnknown, Rejected, VenueError
from trueup.model.events import OrderReported
from trueup.model.identifiers import AccountId, Side
from trueup.model.numbers import ZERO
from trueup.model.orders import Amendment, OrderRequest
from trueup.model.times import NS_PER_MS
from trueup.venues import rows
from trueup.venues.jsonrpc_derivatives import orders, parts
from trueup.venues.jsonrpc_derivatives.calls import ORDERS_MAX
from trueup.venues.jsonrpc_derivatives.errors import NotOpen, NotThere
from trueup.venues.jsonrpc_derivatives.parts import Context
from trueup.venues.jsonrpc_derivatives.reader import Engine
from trueup.venues.jsonrpc_derivatives.snapshots import OPEN_ORDERS, States, currencies_of
from trueup.venues.jsonrpc_derivatives.wire import Wire
from trueup.venues.rows import Row
from trueup.venues.transport.limiter import Priority

VALID_MS = 10_000
"""How long after it was made an order may still be taken: a request that was lost on the way is over by then."""

SETTLE_S = 1.0
"""After this a look that found nothing is taken again: what was just done may show in reads a moment later."""

NOTHING_HELD = "nothing_to_close"

_STATE = "private/get_order_state"
_BY_LABEL = "private/get_order_state_by_label"
_HISTORY = "private/get_order_history_by_currency"


class Desk:
    """Trades one account.

    Args:
        account: Whose.
        engine: Where it is.
        wire: To it.
        states: Name its currencies.
    """

    def __init__(self, account: AccountId, engine: Engine, wire: Wire, states: States) -> None:
        self._account = account
        self._engine = engine
        self._wire = wire
        self._states = states

    async def place(self, request: OrderRequest) -> OrderReported:
        """Place an order."""
        return await self._place(request, orders.priority_of(request))

    async def cancel(self, order_id: str) -> OrderReported | None:
        """Cancel what is left of an order; one that is over is given as it is, None where there is none.

        What is left of a trigger that fired is the order that it made: that one is cancelled and given.
        """
        try:
            answer = await self._wire.ask("private/cancel", {"order_id": order_id}, Priority.CANCEL)
        except (NotThere, NotOpen):
            return await self._over(order_id)
        return self._outcome("private/cancel", answer)

    async def amend(self, order_id: str, amendment: Amendment) -> OrderReported:
        """Change a resting order, which keeps its id."""
        answer = await self._wire.ask(_STATE, {"order_id": order_id}, Priority.PROTECTIVE)
        try:
            params = orders.changed(rows.record(answer, "result"), amendment)
        except BadInput as error:
            raise Malformed(f"order {order_id}: {error.message}", remedy=error.remedy) from error
        return self._outcome("private/edit", await self._wire.ask("private/edit", params, Priority.PROTECTIVE))

    async def close(self, symbol: str, position_side: str, client_order_id: str) -> OrderReported:
        """Close a position at the market by an order that only reduces it, and carries our label.

        The engine's own ``close_position`` takes no label: after a lost answer nobody could find what it did.
        """
        terms = orders.terms(symbol, self._engine.wallet)
        if position_side != "net" or terms.kind == "spot":
            raise Rejected(f"There is no {position_side} position in {symbol}.", venue_code=NOTHING_HELD)
        held = await self._held(terms.native_symbol)
        if held is None:
            found = await self._look(client_order_id, Priority.CLOSE) if client_order_id else None
            if found is None:
                raise Rejected(f"{symbol} is flat: there is nothing to close.", venue_code=NOTHING_HELD)
            return found
        side: Side = "sell" if held > ZERO else "buy"
        return await self._place(
            OrderRequest(symbol, side, abs(held), client_order_id, reduce_only=True), Priority.CLOSE
        )

    async def find(self, client_order_id: str) -> OrderReported | None:
        """The newest order of a label, in whatever state; None where none was found. Raises :class:`BadInput`."""
        if not client_order_id:  # orders without a label are many, and one of them would be taken for this
            raise BadInput("client_order_id", "", "names no order", remedy="Look at the account's open orders instead.")
        found = await self._look(client_order_id, Priority.RECONCILE)
        if found is None:
            await asyncio.sleep(SETTLE_S)
            found = await self._look(client_order_id, Priority.RECONCILE)
        return found

    async def _place(self, request: OrderRequest, priority: Priority) -> OrderReported:
        valid_until = await self._wire.venue_time(priority) // NS_PER_MS + VALID_MS
        params = orders.params_of(request, self._engine.wallet, valid_until)
        method = orders.method_of(request)
        return self._outcome(method, await self._wire.ask(method, params, priority))

    async def _over(self, order_id: str) -> OrderReported | None:
        """How an order ended, or the one that it became."""
        try:
            answer = await self._wire.ask(_STATE, {"order_id": order_id}, Priority.CANCEL)
        except NotThere:
            return None
        report = self._read(_STATE, answer.get("result"))
        made = await self._made_by(report) if report.trigger_price is not None else None
        if made is None:
            return report
        return made if made.status in ENDED else await self.cancel(made.venue_order_id)

    async def _made_by(self, trigger: OrderReported) -> OrderReported | None:
        """The order that a trigger made when it fired; None where it did not, or no order says so any more."""
        method, params = OPEN_ORDERS, {}
        if trigger.client_order_id:
            currency = orders.terms(trigger.instrument, self._engine.wallet).settle
            method, params = _BY_LABEL, {"currency": currency, "label": trigger.client_order_id}
        listed = _listed(method, await self._wire.ask(method, params, Priority.CANCEL))
        made = (row for row in listed if row.get("trigger_order_id") == trigger.venue_order_id)
        return next((self._read(method, row) for row in made), None)

    async def _held(self, name: str) -> Decimal | None:
        """What is held of an instrument; None where it is flat."""
        try:
            answer = await self._wire.ask("private/get_position", {"instrument_name": name}, Priority.CLOSE)
        except NotThere:
            return None  # never traded
        try:
            held = parts.position(self._context("private/get_position"), rows.record(answer, "result"))
        except BadInput as error:
            raise Malformed(f"The position in {name} cannot be read: {error.message}", remedy="Ask again.") from error
        return None if held is None else held.quantity

    # --- looking for an order -----------------------------------------------------------------------------------------

    async def _look(self, label: str, priority: Priority) -> OrderReported | None:
        """The newest order of a label: among those of the last half hour, the open ones, or the past."""
        currencies = currencies_of(await self._states.summaries(priority))
        found: list[Row] = []
        for currency in currencies:
            answer = await self._wire.ask(_BY_LABEL, {"currency": currency, "label": label}, priority)
            found += _labelled(_BY_LABEL, answer, label)
        if not found:
            found += _labelled(OPEN_ORDERS, await self._wire.ask(OPEN_ORDERS, {}, priority), label)
        for currency in [] if found else currencies:
            params = {"currency": currency, "count": ORDERS_MAX, "include_unfilled": True, "historical": True}
            found += _labelled(_HISTORY, await self._wire.ask(_HISTORY, params, priority), label)
        return self._read(_BY_LABEL, max(found, key=_newness)) if found else None

    def _outcome(self, method: str, answer: Row) -> OrderReported:
        """What an answer says of an order that was placed, changed or cancelled.

        Raises:
            Rejected: The engine took it and refused it at once.
            OutcomeUnknown: It was done, and the answer cannot be read.
        """
        try:
            result = rows.record(answer, "result")
            report = self._read(method, result.get("order", result))
        except (BadInput, VenueError) as error:
            raise OutcomeUnknown(
                f"{self._engine.title} did what {method} asked, and its answer cannot be read: {error.message}",
                remedy="Look it up before sending anything again.",
            ) from error
        if report.status == "rejected" and not report.filled:
            reason = rows.shown(rows.record(result, "order").get("reject_reason") or "rejected")
            raise Rejected(
                f"{self._engine.title} refused the order at once: {reason}.",
                remedy="Nothing was traded.",
                venue_code=reason,
                venue_text=reason,
            )
        return report

    def _read(self, method: str, row: object) -> OrderReported:
        """An order. Raises :class:`Malformed`."""
        try:
            return parts.order(self._context(method), rows.as_row(row, "order"))
        except BadInput as error:
            raise Malformed(f"{method}: {error.message}", remedy=error.remedy) from error

    def _context(self, method: str) -> Context:
        return Context(method, self._account, self._engine.wallet, {})


def _listed(method: str, answer: Row) -> Sequence[Row]:
    """The orders in an answer. Raises :class:`Malformed`."""
    try:
        return [rows.as_row(row) for row in rows.records(answer, "result")]
    except BadInput as error:
        raise Malformed(f"{method}: {error.message}", remedy=error.remedy) from error


def _labelled(method: str, answer: Row, label: str) -> Sequence[Row]:
    """The orders of a label in an answer. Raises :class:`Malformed`."""
    return [row for row in _listed(method, answer) if row.get("label") == label]


def _newness(row: Row) -> tuple[int, int, bool]:
    """What tells which of two orders is newer: of a trigger and the order that it made, the one it made."""
    created, updated = (row.get(field) for field in ("creation_timestamp", "last_update_timestamp"))
    return (
        created if isinstance(created, int) else 0,
        updated if isinstance(updated, int) else 0,
        row.get("trigger_price") is None,
    )
