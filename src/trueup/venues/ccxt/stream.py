"""Trades and orders as ccxt delivers them. What lives only here: when something may be missing between two messages.

ccxt connects anew by itself and says neither that it did nor when the venue has taken what was asked for. So each
connection and each loss is counted where it happens; after every new one this waits until the venue has surely agreed,
and says :class:`Gap`: whoever follows pulls the history then. What came before that gap comes after it, so nothing that
happened since is missed.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from random import Random

from trueup.model.errors import AuthenticationFailed, Rejected, Unavailable, VenueError
from trueup.model.events import Fact
from trueup.model.venues import Gap
from trueup.venues.ccxt import facts
from trueup.venues.ccxt.orders import report
from trueup.venues.ccxt.session import Session
from trueup.venues.rows import Row
from trueup.venues.transport.health import ConnectionHealth
from trueup.venues.transport.stream import QUEUE_MAX, RECONNECT_FIRST_S, RECONNECT_MAX_S, RECONNECTS_MAX

AGREED_S = 1.5
"""How long after a connection its subscriptions are surely taken."""

UNTOLD_S = 30.0
"""How often to say that something may be missing besides: no stream of ccxt tells of funding and transfers."""

SEEN_MAX = 10_000
"""Trades and states of orders that are remembered: ccxt tells what came before again with each message."""

TICK_S = 0.25
"""How often connections are looked at while nothing comes."""


class CcxtStream:
    """A :class:`trueup.ports.FactStream` of one account, for one reader. Starts with its first item.

    Args:
        session: Of the account.
        random: Spreads reconnections.

    Attributes:
        health: How the stream is doing.
    """

    def __init__(self, session: Session, random: Random) -> None:
        self.health = ConnectionHealth(connected=False)
        self._session = session
        self._random = random
        self._queue: deque[Fact | Gap] = deque()
        self._early: list[Fact | Gap] = []
        self._woken = asyncio.Event()
        self._end: Exception | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._failures = 0
        self._settled = False
        self._counts = (-1, -1)
        self._seen: dict[tuple[str, ...], None] = {}
        self._since = 0.0

    def __aiter__(self) -> "CcxtStream":
        return self

    async def __anext__(self) -> Fact | Gap:
        """The next item; giving up on waiting loses nothing. Raises :class:`VenueError` at the end of the stream."""
        if not self._tasks:
            await self._session.ready()
            self._begin()
        while not self._queue:
            if self._end is not None:
                raise self._end
            self._woken.clear()
            await self._woken.wait()
        return self._queue.popleft()

    async def aclose(self) -> None:
        """Leave; what was not read is dropped. The connection stays for the account's other calls."""
        self._end = StopAsyncIteration()
        self._queue.clear()
        self._woken.set()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    def _begin(self) -> None:
        methods = ["watch_my_trades", *(["watch_orders"] if self._session.has("watchOrders") else [])]
        self._tasks = [asyncio.create_task(self._watch(method)) for method in methods]
        self._tasks.append(asyncio.create_task(self._look()))

    async def _watch(self, method: str) -> None:
        """Keep one of ccxt's feeds going for as long as it can be had."""
        while True:
            try:
                await getattr(self._session.exchange, method)()
            except Exception as error:  # noqa: BLE001 - whatever ccxt raises has a meaning
                told = error if isinstance(error, VenueError) else self._session.judged(method, error)
                if not await self._lost(told):
                    return
                continue
            self._failures = 0
            self.health.heard(self._session.clock.now())
            self._sweep()

    def _sweep(self) -> None:
        """Deliver what was heard, each state of it once."""
        heard: deque[Row] = self._session.exchange.heard
        while heard:
            item = heard.popleft()
            version = _version(item)
            if version in self._seen:
                continue
            self._seen[version] = None
            if len(self._seen) > SEEN_MAX:
                del self._seen[next(iter(self._seen))]
            read = self._trade if "takerOrMaker" in item else self._order
            found = self._session.read_each("stream", [item], read)
            told: Sequence[Fact | Gap] = found[0] if found else [Gap("a message could not be read")]
            self._deliver(told)

    async def _look(self) -> None:
        """Say that something may be missing, once each new connection has settled."""
        exchange = self._session.exchange
        loop = asyncio.get_running_loop()
        while self._end is None:
            self._sweep()
            now = (exchange.connects, exchange.losses)
            if now != self._counts:
                self._counts, self._since, self._settled = now, loop.time(), False
                self.health.connected = False
            elif not self._settled and exchange.connects > 0 and loop.time() - self._since >= AGREED_S:
                self._since, self._settled, self.health.connected = loop.time(), True, True
                self._put(Gap("connected"))
                early, self._early = self._early, []
                self._deliver(early)
            elif self._settled and loop.time() - self._since >= UNTOLD_S:
                self._since = loop.time()
                self._put(Gap("funding and transfers are not streamed"))
            await asyncio.sleep(TICK_S)

    async def _lost(self, error: VenueError) -> bool:
        """Wait before another attempt; whether there is to be one."""
        self.health.failed(error)
        self.health.reconnects += 1
        self._failures += 1
        if isinstance(error, AuthenticationFailed | Rejected) or self._failures > RECONNECTS_MAX:
            self._end = (
                error
                if self._failures <= RECONNECTS_MAX
                else Unavailable(
                    f"The stream of {self._session.account} was lost {RECONNECTS_MAX} times in a row: {error.message}",
                    remedy="The history is pulled meanwhile; look at the network and at the venue's status page.",
                )
            )
            self._woken.set()
            return False
        longest = min(RECONNECT_MAX_S, RECONNECT_FIRST_S * 2.0 ** min(self._failures, 10))
        await asyncio.sleep(longest * self._random.uniform(0.5, 1.0))
        return True

    def _deliver(self, items: Sequence[Fact | Gap]) -> None:
        if not self._settled:
            self._early += items[-QUEUE_MAX:]
            return
        for item in items:
            self._put(item)

    def _put(self, item: Fact | Gap) -> None:
        if len(self._queue) >= QUEUE_MAX:
            self._queue.clear()
            self._queue.append(Gap(f"the reader fell {QUEUE_MAX} messages behind"))
        if isinstance(item, Gap):
            self.health.gaps += 1
        self._queue.append(item)
        self._woken.set()

    def _trade(self, row: Row) -> Sequence[Fact]:
        return facts.trade(self._session.context, row)

    def _order(self, row: Row) -> Sequence[Fact]:
        return [report(self._session.context, row)]


def _version(item: Row) -> tuple[str, ...]:
    """What tells an item, and a later state of the same order, from all others."""
    names = ("symbol", "id", "order", "status", "filled", "amount", "price", "lastUpdateTimestamp", "timestamp")
    return tuple(str(item.get(name)) for name in names)
