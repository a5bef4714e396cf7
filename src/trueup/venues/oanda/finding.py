"""What became of an order. What lives only here: where to look for one that is not pending any more.

A client id is unique among pending orders only, and once an order has ended OANDA may not list it. Then the
transactions tell: an order's id is that of the transaction which created it, and what ended it came later. The look
back is bounded; an order that was sent a moment ago is among the newest transactions.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from trueup.book.orders import ENDED
from trueup.model.errors import BadInput, Malformed, Unavailable
from trueup.model.events import OrderReported
from trueup.venues import rows
from trueup.venues.oanda import calls, fields
from trueup.venues.oanda.calls import PAGE, Calls
from trueup.venues.oanda.errors import NotThere
from trueup.venues.oanda.history import Ask, Page, Transactions
from trueup.venues.oanda.reader import OandaReader
from trueup.venues.rows import Row

PAGES_MAX = 10
"""Pages of transactions that are looked through, back from the newest or on from an order's creation."""

WINDOW = PAGES_MAX * PAGE

_OF_ITS_LIFE = frozenset({"ORDER_FILL", "ORDER_CANCEL"})
"""Transactions that change what became of an order."""

SETTLE_S = 1.0
"""After this a look that found nothing is taken again: what was just done may show in reads a moment later."""


class Finder:
    """Looks orders up.

    Args:
        own: Calls of the account.
        ask: Makes a call.
        transactions: Of the account.
        fresh: Makes a reader that knows the account and none of its orders.
    """

    def __init__(self, own: Calls, ask: Ask, transactions: Transactions, fresh: Callable[[], OandaReader]) -> None:
        self._calls = own
        self._ask = ask
        self._transactions = transactions
        self._fresh = fresh

    async def by_client_id(self, client_order_id: str) -> OrderReported | None:
        """The newest order of a client id, in whatever state; None where the newest :data:`WINDOW` have none."""
        return await _settled(partial(self._by_client_id, client_order_id))

    async def by_id(self, order_id: str) -> OrderReported | None:
        """An order by OANDA's id, in whatever state; None where there is none."""
        if not (order_id.isascii() and order_id.isdecimal() and int(order_id)):
            return None
        return await _settled(partial(self._by_id, order_id))

    async def terms(self, order_id: str) -> Row:
        """An order as OANDA lists it. Raises :class:`NotThere`."""
        data = await self._ask(self._calls.order(calls.by_id(order_id)))
        return fields.of_answer("order", data, lambda answer: rows.record(answer, "order"))

    async def _by_id(self, order_id: str) -> OrderReported | None:
        listed = await self._listed(calls.by_id(order_id))
        return listed or await self._from_creation(int(order_id), await self._last())

    async def _by_client_id(self, client_order_id: str) -> OrderReported | None:
        listed = await self._listed(calls.by_client_id(client_order_id))
        if listed is not None:
            return listed
        last = await self._last()
        created = await self._created(client_order_id, last)
        return None if created is None else _told(created, await self._from_creation(created, last))

    async def _listed(self, order: str) -> OrderReported | None:
        """The order where OANDA still lists it; None where it does not."""
        try:
            data = await self._ask(self._calls.order(order))
        except NotThere:
            return None
        for fact in self._fresh().read("order", data).facts:
            if isinstance(fact, OrderReported):
                return fact
        ended = fields.of_answer("order", data, lambda answer: fields.transaction_id(rows.record(answer, "order")))
        return _told(ended, await self._from_creation(ended, await self._last()))

    async def _last(self) -> int:
        return fields.of_answer("summary", await self._ask(self._calls.summary()), fields.last_transaction)

    async def _from_creation(self, order_id: int, last: int) -> OrderReported | None:
        """What transactions tell of an order, from its creation until it ended; None where none created it.

        Raises:
            Unavailable: It was created, and whether it ended since cannot be seen.
            Malformed: Of what became of it, something cannot be read.
        """
        reader, position = self._fresh(), order_id - 1
        newest: OrderReported | None = None
        for _ in range(PAGES_MAX):
            if position >= last:
                break
            page = await self._transactions.between(position + 1, last)
            newest = _newest(reader, page, str(order_id)) or newest
            position += len(page.rows)
            if newest is None or newest.status in ENDED:
                return newest
            if not page.rows:
                break
        if newest is not None and position < last:
            raise Unavailable(
                f"Order {order_id} was there after transaction {position}, and what came until {last} is not known.",
                remedy="Look at the account's open orders; the order may have ended.",
            )
        return newest

    async def _created(self, client_order_id: str, last: int) -> int | None:
        """The newest transaction within the window that created an order of a client id, or else refused to."""
        refused: int | None = None
        for _ in range(PAGES_MAX):
            if last < 1:
                break
            first = max(1, last - PAGE + 1)
            page = await self._transactions.between(first, last)
            if len(page.rows) <= last - first:
                raise Unavailable(
                    f"OANDA gives {len(page.rows)} of the transactions {first} to {last}.",
                    remedy="Ask again: the order may be among those that are missing.",
                )
            of_it = [number for number, row in page.rows.items() if _client_id(row) == client_order_id]
            created = [number for number in of_it if str(page.rows[number].get("type")).endswith("_ORDER")]
            if created:
                return created[-1]
            refused = refused or next(reversed(of_it), None)
            last = first - 1
        return refused


async def _settled(look: Callable[[], Awaitable[OrderReported | None]]) -> OrderReported | None:
    """What a look finds, or where that is nothing, another one a moment later."""
    found = await look()
    if found is None:
        await asyncio.sleep(SETTLE_S)
        found = await look()
    return found


def _newest(reader: OandaReader, page: Page, order_id: str) -> OrderReported | None:
    """The newest report of an order in a page. Raises :class:`Malformed` where there should be a newer one."""
    facts = reader.read("transactions of an order", page.data).facts if page.rows else ()
    reports = [fact for fact in facts if isinstance(fact, OrderReported) and fact.venue_order_id == order_id]
    read = {report.report_id for report in reports}
    for number, row in page.rows.items():
        if row.get("type") in _OF_ITS_LIFE and str(row.get("orderID")) == order_id and str(number) not in read:
            raise Malformed(f"Order {order_id}: transaction {number} tells of it, and cannot be read.")
    return next(reversed(reports), None)


def _client_id(row: Row) -> str:
    """The client id that the creation of an order names, or its rejection; empty for all else."""
    if not str(row.get("type")).endswith(("_ORDER", "_ORDER_REJECT")):
        return ""
    try:
        return fields.client_id(row)
    except BadInput:
        return ""  # whatever it is, it is none of ours


def _told(order_id: int, report: OrderReported | None) -> OrderReported:
    """The report of an order that surely was made. Raises :class:`Malformed`."""
    if report is None:
        raise Malformed(f"Order {order_id} is there, and its transactions cannot be read.")
    return report
