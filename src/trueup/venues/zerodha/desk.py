"""Orders of one account, placed and ended. What lives only here: what of an answer is the outcome, and who asks twice.

Kite answers a write with an order id, or as soon as it was passed on; what became of it the order's states tell a
moment later. It knows no order by an id of ours that would keep a second one from being made. So a tag that was sent
before, by us or by whoever ran before us today, is looked up first, and what is found is given instead.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal

from msgspec.structs import replace

from trueup.model.errors import BadInput, Malformed, OutcomeUnknown, Rejected, VenueError
from trueup.model.events import OrderReported
from trueup.model.numbers import ZERO, canonical
from trueup.model.orders import Amendment, OrderRequest
from trueup.ports import Clock
from trueup.venues import rows
from trueup.venues.transport.limiter import Priority
from trueup.venues.zerodha import answers, calls, errors, orders, placement, state
from trueup.venues.zerodha.capture import trading_day
from trueup.venues.zerodha.finding import Ask, Finder
from trueup.venues.zerodha.instruments import Key, Terms
from trueup.venues.zerodha.known import Known
from trueup.venues.zerodha.listing import Listing
from trueup.venues.zerodha.orders import State

PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Before each further look at an order that is on its way; the last one counts as it is."""

FLAT = "no position"
"""Our code of a refusal where there is nothing to close, or to reduce."""


class Desk:
    """Trades one account.

    Args:
        ask: Makes a call.
        known: What is traded.
        listing: The day's terms.
        clock: Tells the trading day.
    """

    def __init__(self, ask: Ask, known: Known, listing: Listing, clock: Clock) -> None:
        self._ask = ask
        self._known = known
        self._listing = listing
        self._clock = clock
        self._finder = Finder(ask, known)
        self._sent: set[str] = set()
        self._sent_on: date | None = None

    async def place(self, request: OrderRequest, *, priority: Priority | None = None) -> OrderReported:
        """Place an order; where the day has one of its client id, that one is given instead."""
        priority = priority or calls.priority_of(request)
        key = calls.key_of(request.instrument)
        form = calls.order_form(request, key, await self._terms(key, priority))
        first = await self._sent_before(form.get("tag", ""), priority)
        if request.reduce_only and first is None:
            await self._require_reducing(request, key, priority)
        order_id = await self._placed(form, priority) if first is None else first.report.venue_order_id
        at_once = request.order_type == "market" or request.time_in_force == "ioc"
        return _unless_refused(await self._arrived(order_id, priority, at_once=at_once))

    async def cancel(self, order_id: str) -> OrderReported | None:
        """Cancel what is left of an order; one that has ended is given as it is, None where there is none.

        It goes out before anything is asked, which may take long or fail.
        """
        try:
            await self._ask(calls.cancel(calls.REGULAR, order_id))
        except Rejected:
            found = await self._finder.by_id(order_id, Priority.CANCEL)
            moving = found is not None and not _settled(found)
            if moving:  # being placed, changed or cancelled already: Kite takes nothing meanwhile
                found = await self._until(order_id, Priority.CANCEL, _settled)
            if found is None or found.word in orders.ENDED:
                return None if found is None else found.report
            if not moving and found.variety in {"", calls.REGULAR}:
                raise
            await self._ask(calls.cancel(found.variety or calls.REGULAR, order_id))  # now, or placed in another way
        return (await self._until(order_id, Priority.CANCEL, _ended)).report

    async def amend(self, order_id: str, amendment: Amendment) -> OrderReported:
        """Change a resting order, which keeps its id; one that was filled meanwhile is given as it is."""
        priority = Priority.PROTECTIVE
        before = await self._finder.by_id(order_id, priority)
        if before is None or before.word in orders.ENDED:
            word = "unknown" if before is None else before.word
            raise Rejected(f"Order {order_id} cannot be changed: it is {word}.", venue_code=word)
        if amendment.quantity is not None:  # Kite counts what is filled already
            amendment = replace(amendment, quantity=amendment.quantity + before.report.filled)
        key = calls.key_of(before.report.instrument)
        form = calls.modification_form(amendment, before.order_type, key, await self._terms(key, priority))
        await self._ask(calls.modify(before.variety or calls.REGULAR, order_id, form))

        def done(found: State) -> bool:
            return found.word in orders.ENDED or (found.word in orders.RESTING and _has(found.report, amendment))

        after = await self._until(order_id, priority, done)
        if not done(after):
            raise _unchanged(after)
        return after.report

    async def close(self, symbol: str, position_side: str, client_order_id: str) -> OrderReported:
        """Trade what is held away at the market; flat already, the order that did it under this client id is given."""
        key = calls.key_of(symbol)
        held = await self._held(key, Priority.CLOSE) if position_side == "net" else ZERO
        if not held:
            tag = calls.tag(client_order_id)
            first = await self._sent_before(tag, Priority.CLOSE) if tag else None
            if first is None:
                raise Rejected(f"{symbol}, {position_side}: there is no position.", venue_code=FLAT)
            return _unless_refused(await self._arrived(first.report.venue_order_id, Priority.CLOSE, at_once=True))
        request = OrderRequest(symbol, "sell" if held > ZERO else "buy", abs(held), client_order_id)
        return await self.place(request, priority=Priority.CLOSE)

    async def find(self, client_order_id: str) -> OrderReported | None:
        """The day's order of a client id, in whatever state. Raises :class:`BadInput` without one."""
        if not client_order_id:  # orders without an id are many, and one of them would be taken for this
            raise BadInput("client_order_id", "", "names no order", remedy="Look at the account's open orders instead.")
        found = await self._finder.by_tag(calls.tag(client_order_id))
        return None if found is None else found.report

    # ------------------------------------------------------------------------------------------------------------------

    async def _placed(self, form: dict[str, str], priority: Priority) -> str:
        """Send an order; the id of the one that was taken, also where Kite says that it failed and the day has it."""
        tag = form.get("tag", "")
        self._sent.add(tag)
        try:
            body = await self._ask(calls.place(form, priority))
        except Rejected as refusal:
            found = await self._in_spite(refusal, tag, priority)
            if found is None:
                raise
            return found.report.venue_order_id
        try:
            return answers.record("outcome", body, placement.placed).order_id
        except VenueError as error:
            raise _unread(error) from error

    async def _in_spite(self, refusal: Rejected, tag: str, priority: Priority) -> State | None:
        """The order of a tag that the day has though Kite said that it failed. It was sent, whatever the look meets."""
        if not tag or refusal.venue_code != errors.ORDER:
            return None
        try:
            return await self._finder.by_tag(tag, priority)
        except VenueError as error:
            raise OutcomeUnknown(
                f"{refusal.message} Whether the day has the order all the same cannot be read: {error.message}",
                remedy="Look it up by its tag before sending anything again.",
            ) from error

    async def _sent_before(self, tag: str, priority: Priority) -> State | None:
        """The day's order of a tag; not looked for where the tag surely was not sent today."""
        if not tag:
            return None
        today = trading_day(self._clock.now())
        if self._sent_on != today:
            tags = await self._finder.tags(priority)
            self._sent = tags if self._sent_on != today else self._sent | tags  # another may have sent meanwhile
            self._sent_on = today
        return await self._finder.by_tag(tag, priority) if tag in self._sent else None

    async def _arrived(self, order_id: str, priority: Priority, *, at_once: bool) -> State:
        """The state of an order once it is no longer on its way; once it has ended, where it is to trade at once."""
        return await self._until(order_id, priority, _ended if at_once else _settled)

    async def _until(self, order_id: str, priority: Priority, done: Callable[[State], bool]) -> State:
        """The state of an order that a write was taken for, once it is what was waited for, or in the end."""
        try:
            found = await self._finder.newest(order_id, priority)
            for pause in PAUSES_S:
                if done(found):
                    break
                await asyncio.sleep(pause)
                found = await self._finder.newest(order_id, priority)
        except VenueError as error:
            raise _unread(error) from error
        return found

    async def _terms(self, key: Key, priority: Priority) -> Terms | None:
        """The day's terms of what is traded; what is urgent does not wait for them.

        Raises:
            Rejected: The day's file has no such instrument.
        """
        if not self._listing.loaded and not priority.urgent:
            with suppress(BadInput):  # at hand, and not kept for the next start
                await self._listing.load()
        name = key.exchange, key.tradingsymbol
        try:
            terms = self._listing.find(name)
        except BadInput:
            return None  # Kite judges
        if terms is None and self._listing.loaded:
            raise calls.no_form("instrument", key.symbol, "the day's instruments have none of this name")
        return terms

    async def _require_reducing(self, request: OrderRequest, key: Key, priority: Priority) -> None:
        """Refuse what would go beyond flat now: Kite has no order that only reduces."""
        held = await self._held(key, priority)
        if held * request.sign >= ZERO or request.quantity > abs(held):
            raise Rejected(
                f"quantity={canonical(request.quantity)!r}: {canonical(held)} is held, which a {request.side} of that "
                "much would not only reduce.",
                remedy="Nothing was sent.",
                venue_code=FLAT,
            )

    async def _held(self, key: Key, priority: Priority) -> Decimal:
        """What is held of something now, signed; rows of anything else may be what they want."""
        names = {"exchange": key.exchange, "tradingsymbol": key.tradingsymbol}
        body = await self._ask(calls.get(calls.POSITIONS, priority=priority))
        net = answers.record("positions", body, lambda data: rows.records(data, "net"))
        of_it = _of({**names, "product": key.product}, net)
        if not key.delivered:
            return sum((answers.row("position", row, _quantity) for row in of_it), ZERO)
        body = await self._ask(calls.get(calls.HOLDINGS, priority=priority))
        known = self._known.fork()
        today = state.positions("positions", {"net": of_it}, known)
        both = state.holdings("holdings", _of(names, answers.listed("holdings", body, lambda row: row)), known)
        for reading in (today, both):
            for reason in () if reading.snapshot is None else reading.snapshot.failed.values():
                raise Malformed(f"What is held of {key.native} cannot be read: {reason}.", remedy="Look at Kite.")
        held = (both.snapshot.positions or {}).get((key.symbol, "net")) if both.snapshot is not None else None
        return ZERO if held is None else held.quantity


def _ended(found: State) -> bool:
    return found.word in orders.ENDED


def _settled(found: State) -> bool:
    """Whether an order has ended or rests; any other word is one on its way."""
    return _ended(found) or found.word in orders.RESTING


def _of(names: Mapping[str, str], listed: Sequence[object]) -> list[rows.Row]:
    """Rows that are about what has these names."""
    return [row for row in listed if isinstance(row, Mapping) and names.items() <= row.items()]


def _quantity(row: rows.Row) -> Decimal:
    return rows.decimal(row, "quantity")


def _has(report: OrderReported, amendment: Amendment) -> bool:
    """Whether an order has the terms that it was to be given."""
    wanted = {name: getattr(amendment, name) for name in ("quantity", "price", "trigger_price")}
    return all(value is None or getattr(report, name) == value for name, value in wanted.items())


def _unless_refused(found: State) -> OrderReported:
    if found.report.status == "rejected":
        raise Rejected(
            f"Kite took the order as {found.report.venue_order_id}, and it was refused: {found.message or 'no words'}.",
            remedy="Nothing was traded.",
            venue_code=found.word,
            venue_text=found.message,
        )
    return found.report


def _unchanged(found: State) -> Rejected | OutcomeUnknown:
    """That an order does not have its new terms: one that rests was refused them, any other may yet get them."""
    told = f"is {found.word}: {found.message or 'no words'}."
    if found.word not in orders.RESTING:
        return OutcomeUnknown(
            f"Order {found.report.venue_order_id} has not its new terms yet, and {told}",
            remedy="Look at the order before changing it again.",
        )
    return Rejected(
        f"Order {found.report.venue_order_id} was not changed, and {told}",
        remedy="It stands as it was.",
        venue_code=found.word,
        venue_text=found.message,
    )


def _unread(error: VenueError) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"Kite took what was asked, and what became of it cannot be read: {error.message}",
        remedy="Look it up by its tag before sending anything again.",
    )
