"""An account as it happens: the states of orders as they are pushed, and their fills, which are asked for.

The venue pushes no fills. Where an order has traded more than is known, its fills are asked for at once, and told as
the venue lists them; those that it does not list in time are a gap, so that the history is pulled for them. Nothing is
made up from what an order says of itself.

A connection begins with the orders that are open. What was open before and is not among them has ended while nobody
listened: how, is asked for.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import MutableMapping, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec

from trueup.book.orders import ENDED
from trueup.model.errors import RateLimited, Unavailable
from trueup.model.events import Fact, FillBooked, OrderReported
from trueup.model.numbers import ZERO, exact
from trueup.model.venues import Gap
from trueup.venues.coinbase import history, lookup
from trueup.venues.coinbase.session import Session
from trueup.venues.coinbase.stream import Pushed
from trueup.venues.transport.stream import Stream

PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Between two looks for fills that are not listed yet."""

REMEMBERED = 10_000
"""Orders and fills that are remembered, so that none is told over and over."""

_LATER = (Unavailable, RateLimited)

T = TypeVar("T")


class Following:
    """A :class:`trueup.ports.FactStream`.

    Args:
        session: Of the account.
        stream: The pushed states.
        open_orders: The quantity of each order that is thought to be open, by the venue's id; kept up, and shared by
            all streams of the account.
    """

    def __init__(self, session: Session, stream: Stream[Pushed], open_orders: MutableMapping[str, Decimal]) -> None:
        self._session = session
        self._stream = stream
        self._open = open_orders
        self._listed: set[str] = set()
        self._filled: OrderedDict[str, Decimal] = OrderedDict()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._traded: deque[OrderReported] = deque()
        self._lost: Sequence[str] = ()
        self._ready: deque[Fact | Gap] = deque()

    def __aiter__(self) -> "Following":
        return self

    async def __anext__(self) -> Fact | Gap:
        """The next one; giving up on waiting loses nothing. Raises as the stream does."""
        while not self._ready:
            if self._traded:
                self._ready.extend(await self._fills(self._traded[0]))
                self._traded.popleft()
            elif self._lost:
                self._ready.extend(await self._ended())
                self._lost = ()
            else:
                self._take(await anext(self._stream))
        return self._ready.popleft()

    async def aclose(self) -> None:
        """Hang up; what was not read is dropped."""
        await self._stream.aclose()

    # --- what is pushed -----------------------------------------------------------------------------------------------

    def _take(self, item: Pushed | Gap) -> None:
        if isinstance(item, Gap):
            self._ready.append(item)
            return
        if item.begins:
            self._listed.clear()
        for report in item.reports:
            self._report(report, lists=item.lists)
        if item.lists and not item.continues:
            self._lost = [order for order in self._open if order not in self._listed]

    def _report(self, report: OrderReported, *, lists: bool) -> None:
        order = report.venue_order_id
        known = self._open.get(order, ZERO)
        if report.status in ENDED:
            self._open.pop(order, None)
            if report.status != "filled" and report.quantity == report.filled < known:
                report = msgspec.structs.replace(report, quantity=known)  # what was left is not said at the end
        else:
            self._open[order] = report.quantity
        self._ready.append(report)
        if lists:
            self._listed.add(order)
            self._remember_filled(order, report.filled)  # the history is pulled after the gap before it
        elif report.filled > self._filled.get(order, ZERO):
            self._traded.append(report)

    # --- what is asked for --------------------------------------------------------------------------------------------

    async def _fills(self, report: OrderReported) -> Sequence[Fact | Gap]:
        """What an order has traded and was not told yet, and a gap where that is not all of it."""
        order = report.venue_order_id
        if report.filled <= self._filled.get(order, ZERO):
            return ()  # an earlier look found it already
        found: Sequence[FillBooked] = ()
        told = ZERO
        try:
            found = await history.fills_of(self._session, order)
            for pause in PAUSES_S:
                told = _traded(report, found)
                if told >= report.filled:
                    break
                await asyncio.sleep(pause)
                found = await history.fills_of(self._session, order)
            told = _traded(report, found)
        except _LATER as error:
            return [Gap(f"the fills of order {order} could not be asked for: {error.message}")]
        self._remember_filled(order, told)
        new = [fill for fill in found if fill.venue_trade_id not in self._seen]
        for fill in new:
            _remember(self._seen, fill.venue_trade_id, None)
        return [*new, *([] if told >= report.filled else [Gap(f"some fills of order {order} are not listed yet")])]

    async def _ended(self) -> Sequence[Fact | Gap]:
        """What became of orders that are not listed as open any more; asked again at the next list where that fails."""
        try:
            reports = await lookup.reports_of(self._session, list(self._lost))
        except _LATER as error:
            self._session.warn(f"What became of {len(self._lost)} orders could not be asked for: {error.message}")
            return ()
        for report in reports:
            if report.status in ENDED:
                self._open.pop(report.venue_order_id, None)
            self._traded.append(report)  # the history may have been pulled before the last of it was listed
        return reports

    def _remember_filled(self, order: str, filled: Decimal) -> None:
        _remember(self._filled, order, max(filled, self._filled.get(order, ZERO)))


def _traded(report: OrderReported, fills: Sequence[FillBooked]) -> Decimal:
    """What fills of an order come to, without what was taken back of them."""
    with exact():
        return sum((fill.quantity if fill.side == report.side else -fill.quantity for fill in fills), ZERO)


def _remember(known: OrderedDict[str, T], key: str, value: T) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > REMEMBERED:
        known.popitem(last=False)
