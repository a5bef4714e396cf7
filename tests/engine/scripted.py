"""A venue whose every answer is scripted: facts in pages, a stream that is fed by hand, and failures by plan."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence

from tests.engine.world import ACCOUNT, PERP
from trueup.model.differences import VenueSnapshot
from trueup.model.errors import Rejected
from trueup.model.events import Fact, OrderReported
from trueup.model.facts import order_key
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.orders import Amendment, OrderRequest
from trueup.model.venues import Capabilities, Gap, Mark
from trueup.ports import Refused


class ScriptedVenue:
    """A :class:`trueup.ports.LiveVenue`.

    Attributes:
        facts: All that ever happened, oldest first; a cursor is the number of those before it.
        page: Facts on a page.
        failures: Raised by the next calls of the history, one each; None lets a page through.
        asked: The cursors that the history was asked with.
        state: Tells how the account stands.
        meanwhile: What happens while somebody looks at that, one for each look.
    """

    account: AccountId = ACCOUNT
    learnt: Mapping[str, str] = {}
    warnings: Sequence[str] = ("Old fills are about to be forgotten.",)

    def __init__(self, facts: Sequence[Fact] = (), *, page: int = 2, streams: bool = True) -> None:
        self.facts = list(facts)
        self.page = page
        self.terms: list[Instrument] = [PERP]
        self.failures: deque[Exception | None] = deque()
        self.orders: deque[OrderReported | Exception | None] = deque()
        self.unreadable: list[Refused] = []
        self.asked: list[str | None] = []
        self.state: Callable[[], VenueSnapshot] = lambda: VenueSnapshot(self.account)
        self.meanwhile: list[Fact] = []
        self.looks = 0
        self.opened = 0
        self.closed = 0
        self.capabilities = Capabilities("exact", find="surely", streams=streams)
        self._heard: asyncio.Queue[Fact | Gap | Exception] = asyncio.Queue()

    def say(self, *items: Fact | Gap | Exception) -> None:
        """What the stream says next; an error ends it."""
        for item in items:
            self._heard.put_nowait(item)

    async def instruments(self) -> Sequence[Instrument]:
        return self.terms

    async def snapshot(self) -> VenueSnapshot:
        self.looks += 1
        self.facts += self.meanwhile[:1]
        del self.meanwhile[:1]
        return self.state()

    async def history(self, cursor: str | None) -> AsyncIterator[tuple[Sequence[Fact], str]]:
        self.asked.append(cursor)
        at = int(cursor or 0)
        while True:
            failure = self.failures.popleft() if self.failures else None
            if failure is not None:
                raise failure
            page = self.facts[max(at - 1, 0) : at + self.page]  # one of overlap
            at = min(at + self.page, len(self.facts))
            yield page, str(at)
            if at == len(self.facts):
                return

    async def cursor_at(self, venue_time: int) -> str:
        return str(sum(order_key(fact)[0] < venue_time for fact in self.facts))

    async def check(self) -> Sequence[str]:
        return ["It is there."]

    def refused(self) -> Sequence[Refused]:
        taken, self.unreadable = self.unreadable, []
        return taken

    def client_id(self, client_order_id: str) -> str:
        return client_order_id

    async def marks(self, instruments: Sequence[str]) -> Sequence[Mark]:
        return ()

    async def stream(self) -> AsyncGenerator[Fact | Gap, None]:
        self.opened += 1
        try:
            yield Gap("connected")
            while True:
                item = await self._heard.get()
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.closed += 1

    async def place(self, request: OrderRequest) -> OrderReported:
        raise Rejected("It takes no orders.")

    async def cancel(self, instrument: str, venue_order_id: str) -> OrderReported | None:
        raise Rejected("It takes no orders.")

    async def amend(self, instrument: str, venue_order_id: str, amendment: Amendment) -> OrderReported:
        raise Rejected("It takes no orders.")

    async def close(self, instrument: str, position_side: str, client_order_id: str) -> OrderReported:
        raise Rejected("It takes no orders.")

    async def find(self, client_order_id: str) -> OrderReported | None:
        answer = self.orders.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        pass
