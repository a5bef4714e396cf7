"""An account of the paper exchange as a live venue, however the exchange is reached; here over a plain call."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import TypeVar
from weakref import WeakSet

from trueup.model.differences import VenueSnapshot
from trueup.model.errors import Malformed, Rejected, VenueError
from trueup.model.events import Fact, OrderReported
from trueup.model.facts import order_key
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.orders import Amendment, OrderRequest
from trueup.model.venues import Capabilities, Mark
from trueup.ports import Clock, Refused
from trueup.venues.paper import calls, wire
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.reports import REPORTS_MAX, Hearing, Line
from trueup.venues.transport.health import ConnectionHealth
from trueup.venues.transport.stream import Connection, Stream

RECONNECT_FIRST_S = 0.05
"""Before a lost stream is opened again at first: the exchange is on this machine, and nobody else's."""

CAPABILITIES = Capabilities(
    cursor="exact",
    find="surely",
    order_types=frozenset({"limit", "market", "stop", "stop_limit", "take_profit"}),
    times_in_force=frozenset({"", "gtc", "ioc", "fok", "post_only"}),
    amends=True,
    hedges=True,
    streams=True,
)

A = TypeVar("A", bound=calls.Answer)


class PaperAccount(ABC):
    """A :class:`trueup.ports.LiveVenue`. Belongs to one event loop.

    Everything raises :class:`Unavailable` where nothing was done, and the other :class:`VenueError` kinds by name.

    Args:
        clock: For the age of what was last heard.
        random: Spreads the attempts to open a lost stream again.

    Attributes:
        capabilities: What the exchange offers.
        warnings: None: it forgets nothing.
        learnt: Nothing: an account goes by its name there.
        health: How the calls (``rest``) and the newest stream (``stream``) are doing, by name.
    """

    capabilities = CAPABILITIES
    warnings: Sequence[str] = ()
    learnt: Mapping[str, str] = MappingProxyType({})

    def __init__(self, account: AccountId, *, clock: Clock, random: Random) -> None:
        self.account = account
        self.health: Mapping[str, ConnectionHealth] = {
            "rest": ConnectionHealth(),
            "stream": ConnectionHealth(connected=False),
        }
        self._clock = clock
        self._random = random
        self._streams: WeakSet[Stream[Fact]] = WeakSet()

    async def check(self) -> Sequence[str]:
        """That the account is open there. Raises :class:`VenueError`."""
        markets = await self.instruments()
        return [
            f"{self.account} is open at the paper venue, which trades {len(markets)} instruments.",
            "It asks for no key: whoever reaches it may trade. Calls carry no time, so its clock need not agree.",
        ]

    def refused(self) -> Sequence[Refused]:
        """Nothing: what cannot be read is not an answer of the exchange, and raises :class:`Malformed`."""
        return ()

    def client_id(self, client_order_id: str) -> str:
        """The exchange calls an order as we do."""
        return client_order_id

    async def instruments(self) -> Sequence[Instrument]:
        """Contract terms of every market."""
        return (await self._get(calls.ListInstruments(self.account), calls.Listed)).instruments

    async def marks(self, instruments: Sequence[str]) -> Sequence[Mark]:
        """Mark prices; an instrument that is not traded there is left out."""
        return (await self._get(calls.ReadMarks(self.account, list(instruments)), calls.Marked)).marks

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

    def stream(self) -> Stream[Fact]:
        """Facts from now on, and a gap before those of each connection. Ends with :meth:`aclose`, its own or ours."""
        stream: Stream[Fact] = Stream(
            str(self.account),
            self._listen,
            Hearing,
            self._clock,
            self._random,
            reconnect_first_s=RECONNECT_FIRST_S,
        )
        self._streams.add(stream)
        self.health = {**self.health, "stream": stream.health}
        return stream

    async def cursor_at(self, venue_time: int) -> str:
        """The cursor of the last page before a time. Raises as :meth:`history` does."""
        before = "0"
        async for facts, cursor in self.history(None):
            if facts and order_key(facts[-1])[0] >= venue_time:
                break
            before = cursor
        return before

    async def place(self, request: OrderRequest) -> OrderReported:
        """Place an order. Raises Rejected, Unavailable (surely not placed) or OutcomeUnknown (find it first)."""
        return await self._order(calls.PlaceOrder(self.account, request))

    async def cancel(
        self,
        instrument: str,  # noqa: ARG002 - the port's; here an order's id alone names it
        venue_order_id: str,
    ) -> OrderReported | None:
        """Cancel what is left of an order; one that is done is given as it is. Raises as :meth:`place` does."""
        try:
            return await self._order(calls.CancelOrder(self.account, venue_order_id))
        except Rejected as error:
            if error.venue_code == "unknown_order":
                return None
            raise

    async def amend(
        self,
        instrument: str,  # noqa: ARG002 - as for a cancel
        venue_order_id: str,
        amendment: Amendment,
    ) -> OrderReported:
        """Change a resting order. Raises as :meth:`place` does."""
        return await self._order(calls.AmendOrder(self.account, venue_order_id, amendment))

    async def close(self, instrument: str, position_side: str, client_order_id: str) -> OrderReported:
        """Close a position at the market. Raises as :meth:`place` does."""
        return await self._order(calls.ClosePosition(self.account, instrument, position_side, client_order_id))

    async def find(self, client_order_id: str) -> OrderReported | None:
        """The order of a client order id, in whatever state; None where there surely is none."""
        return (await self._get(calls.FindOrder(self.account, client_order_id), calls.Found)).order

    async def aclose(self) -> None:
        """End every stream."""
        for stream in list(self._streams):
            await stream.aclose()

    @abstractmethod
    async def _ask(self, call: calls.AnyCall) -> calls.Answer:
        """The exchange's answer; raises what it refuses with."""

    @abstractmethod
    async def _listen(self) -> Connection:
        """A line of reports, as :class:`Hearing` understands it. Raises :class:`VenueError`."""

    async def _order(self, call: calls.AnyCall) -> OrderReported:
        order = (await self._get(call, calls.Found)).order
        if order is None:
            raise Malformed("The paper venue answered without the order.")
        return order

    async def _get(self, call: calls.AnyCall, expected: type[A]) -> A:
        health = self.health["rest"]
        try:
            answer = wire.expect(await self._ask(call), expected)
        except VenueError as error:
            health.failed(error)
            raise
        health.heard(self._clock.now())
        return answer


class PaperVenue(PaperAccount):
    """An account in the exchange's own process."""

    def __init__(
        self,
        exchange: PaperExchange,
        account: AccountId,
        *,
        clock: Clock,
        random: Random,
        reports_max: int = REPORTS_MAX,
    ) -> None:
        super().__init__(account, clock=clock, random=random)
        self._exchange = exchange
        self._reports_max = reports_max

    async def _ask(self, call: calls.AnyCall) -> calls.Answer:
        return calls.answer(self._exchange, call)

    async def _listen(self) -> Line:
        return Line(self._exchange, self.account, reports_max=self._reports_max)
