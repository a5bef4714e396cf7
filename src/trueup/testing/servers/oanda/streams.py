"""The two streams: one JSON object a line, transactions or prices, and a heartbeat where there is nothing to say."""

import asyncio
from collections.abc import AsyncGenerator, Mapping

import msgspec

from trueup.model.errors import Unavailable
from trueup.model.events import Fact
from trueup.model.identifiers import AccountId
from trueup.model.numbers import exact
from trueup.ports import Clock
from trueup.testing.servers.asgi import Disconnected
from trueup.testing.servers.oanda import queries, wire
from trueup.testing.servers.oanda.books import Books
from trueup.testing.servers.oanda.hours import Hours
from trueup.testing.servers.oanda.markets import Markets
from trueup.testing.servers.oanda.wire import Row
from trueup.venues.paper.exchange import PaperExchange

HEARTBEAT_S = 5.0
"""Of silence, after which a stream says that it is alive."""

PRICE_S = 0.25
"""Between looks at the prices: at most four a second of each instrument."""


class Streams:
    """Opens streams. Every wait in one is bounded by its heartbeat."""

    def __init__(
        self,
        exchange: PaperExchange,
        markets: Markets,
        clock: Clock,
        hours: Hours,
        *,
        heartbeat_s: float,
        price_s: float,
    ) -> None:
        self._exchange = exchange
        self._markets = markets
        self._clock = clock
        self._hours = hours
        self._heartbeat_s = heartbeat_s
        self._price_s = price_s

    def transactions(self, account: AccountId, books: Books, _query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """Transactions of an account from now on. Raises :class:`Unavailable` while the exchange is down."""
        with exact():
            books.sync()
        listener = _Listener(books.watch())
        self._exchange.subscribe(account, listener)
        return self._told(account, books, listener, len(books.transactions))

    async def _told(
        self, account: AccountId, books: Books, listener: "_Listener", seen: int
    ) -> AsyncGenerator[bytes, None]:
        try:
            yield _line(self._heartbeat(lastTransactionID=books.last_id))
            while True:
                listener.woken.clear()
                try:
                    with exact():
                        books.sync()
                except Unavailable:
                    raise Disconnected from None
                news = books.after(seen)
                seen += len(news)
                for row in news:
                    yield _line(row)
                if listener.ended:
                    raise Disconnected
                if not await _within(listener.woken, self._heartbeat_s):
                    yield _line(self._heartbeat(lastTransactionID=books.last_id))
        finally:
            self._exchange.unsubscribe(account, listener)
            books.unwatch(listener.woken)

    def prices(self, _account: AccountId, _books: Books, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """Prices of instruments: how they stand, then whenever they have changed. Raises :class:`Refusal`."""
        names = queries.names(query.get("instruments"), self._markets)
        if not names:
            raise wire.invalid("instruments")
        return self._quoted(names, snapshot=query.get("snapshot", "true").lower() != "false")

    async def _quoted(self, names: list[str], *, snapshot: bool) -> AsyncGenerator[bytes, None]:
        told = {} if snapshot else {name: self._price(name) for name in names}
        silent_s = self._heartbeat_s
        while True:
            now = self._clock.now()
            for name in names:
                price = self._price(name)
                if told.get(name) != price:
                    told[name] = price
                    silent_s = 0.0
                    yield _line({**price, "time": wire.stamp(now)})
            if silent_s >= self._heartbeat_s:
                silent_s = 0.0
                yield _line(self._heartbeat())
            await asyncio.sleep(self._price_s)
            silent_s += self._price_s

    def _price(self, name: str) -> Row:
        """A price without its time."""
        with exact():
            return self._markets.price_row(name, 0, tradeable=self._hours(self._clock.now()))

    def _heartbeat(self, **more: str) -> Row:
        return {"type": "HEARTBEAT", **more, "time": wire.stamp(self._clock.now())}


class _Listener:
    """Wakes a stream when something happens at the exchange; what it was stands in the history."""

    def __init__(self, woken: asyncio.Event) -> None:
        self.woken = woken
        self.ended = False

    def put(self, _fact: Fact) -> None:
        """Something happened."""
        self.woken.set()

    def fail(self, _error: Unavailable) -> None:
        """The exchange ends the stream."""
        self.ended = True
        self.woken.set()


async def _within(event: asyncio.Event, seconds: float) -> bool:
    """Whether an event was set in time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _line(row: Row) -> bytes:
    return msgspec.json.encode(row) + b"\n"
