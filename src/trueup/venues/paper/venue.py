"""An account of the paper exchange: the venue port, orders, and a bounded stream of reports; here over a plain call."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Protocol, TypeVar

from trueup.model.differences import VenueSnapshot
from trueup.model.errors import Malformed, Unavailable
from trueup.model.events import Fact, OrderReported
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.orders import OrderRequest
from trueup.venues.paper import calls
from trueup.venues.paper.exchange import PaperExchange

REPORTS_MAX = 1_024
"""Reports a stream holds for a slow reader; one more ends it, since a gap that shows is better than a silent loss."""

A = TypeVar("A", bound=calls.Answer)


class ReportStream(Protocol):
    """Facts as they happen. Ends with :class:`Unavailable` when it is lost; plainly after ``aclose``."""

    def __aiter__(self) -> "ReportStream":
        """Itself."""
        ...

    async def __anext__(self) -> Fact:
        """The next fact; waits for it. Giving up on waiting loses nothing."""
        ...

    async def aclose(self) -> None:
        """Leave; what has not been read is dropped."""
        ...


class PaperAccount(ABC):
    """A :class:`trueup.ports.Venue` that also trades, however its exchange is reached.

    Everything raises :class:`Unavailable` where nothing was done, and the other :class:`VenueError` kinds by name.
    """

    def __init__(self, account: AccountId) -> None:
        self.account = account

    async def instruments(self) -> Sequence[Instrument]:
        """Contract terms of every market."""
        return (await self._get(calls.ListInstruments(self.account), calls.Listed)).instruments

    async def snapshot(self) -> VenueSnapshot:
        """The account's state at a cut."""
        return (await self._get(calls.TakeSnapshot(self.account), calls.Snapped)).snapshot

    async def history(self, cursor: str | None) -> AsyncIterator[tuple[Sequence[Fact], str]]:
        """Pages of facts from the one the cursor names, with that one, up to the newest."""
        while True:
            page = await self._get(calls.ReadHistory(self.account, cursor), calls.Page)
            yield page.facts, page.cursor
            if page.cursor == (cursor or "0"):
                return
            cursor = page.cursor

    async def place(self, request: OrderRequest) -> OrderReported:
        """Place an order. Raises Rejected, Unavailable (surely not placed) or OutcomeUnknown (find it first)."""
        return _given((await self._get(calls.PlaceOrder(self.account, request), calls.Found)).order)

    async def cancel(self, venue_order_id: str) -> OrderReported:
        """Cancel what is left of an order; one that is done is given as it is. Raises as :meth:`place` does."""
        return _given((await self._get(calls.CancelOrder(self.account, venue_order_id), calls.Found)).order)

    async def find(self, client_order_id: str) -> OrderReported | None:
        """The order of a client order id, in whatever state; None where there surely is none."""
        return (await self._get(calls.FindOrder(self.account, client_order_id), calls.Found)).order

    @abstractmethod
    async def reports(self) -> ReportStream:
        """Facts from now on; what happened before is in the history."""

    @abstractmethod
    async def _ask(self, call: calls.AnyCall) -> calls.Answer:
        """The exchange's answer; raises what it refuses with."""

    async def _get(self, call: calls.AnyCall, expected: type[A]) -> A:
        return expect(await self._ask(call), expected)


class PaperVenue(PaperAccount):
    """An account in the exchange's own process."""

    def __init__(self, exchange: PaperExchange, account: AccountId, *, reports_max: int = REPORTS_MAX) -> None:
        super().__init__(account)
        self._exchange = exchange
        self._reports_max = reports_max

    async def reports(self) -> "Reports":
        """Facts from now on."""
        return Reports(self._exchange, self.account, self._reports_max)

    async def _ask(self, call: calls.AnyCall) -> calls.Answer:
        return calls.answer(self._exchange, call)


class Reports:
    """A :class:`ReportStream` fed by the exchange within one event loop."""

    def __init__(self, exchange: PaperExchange, account: AccountId, reports_max: int) -> None:
        self._exchange = exchange
        self._account = account
        self._max = reports_max
        self._queue: deque[Fact] = deque()
        self._woken = asyncio.Event()
        self._end: Exception | None = None
        exchange.subscribe(account, self)

    def put(self, fact: Fact) -> None:
        """Take a report from the exchange."""
        if len(self._queue) < self._max:
            self._queue.append(fact)
            self._woken.set()
            return
        self._exchange.unsubscribe(self._account, self)
        problem = f"The stream fell {self._max} reports behind and was closed."
        self.fail(Unavailable(problem, remedy="Open it again, then pull the history for the gap."))

    def fail(self, error: Exception) -> None:
        """End with an error, after what is queued."""
        self._end = error
        self._woken.set()

    def __aiter__(self) -> "Reports":
        return self

    async def __anext__(self) -> Fact:
        while not self._queue:
            if self._end is not None:
                raise self._end
            self._woken.clear()
            await self._woken.wait()
        return self._queue.popleft()

    async def aclose(self) -> None:
        """Leave the exchange's listeners; what was queued is dropped."""
        self._exchange.unsubscribe(self._account, self)
        self._queue.clear()
        self.fail(StopAsyncIteration())


def expect(answer: calls.Answer, expected: type[A]) -> A:
    """The answer, where it is of the kind that was due. Raises :class:`Malformed`."""
    if not isinstance(answer, expected):
        raise Malformed(f"The paper venue answered {type(answer).__name__} where {expected.__name__} was due.")
    return answer


def _given(order: OrderReported | None) -> OrderReported:
    if order is None:
        raise Malformed("The paper venue answered without the order.")
    return order
