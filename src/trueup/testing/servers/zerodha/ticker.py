"""One WebSocket of the ticker: prices in bytes, orders in words, and a byte now and then as a sign of life."""

import asyncio
from contextlib import suppress

import msgspec

from trueup.model.errors import Unavailable
from trueup.model.events import Fact
from trueup.model.numbers import exact
from trueup.ports import Clock
from trueup.testing.servers.asgi import WebSocket
from trueup.testing.servers.zerodha import ticks, wire
from trueup.testing.servers.zerodha.books import Books
from trueup.testing.servers.zerodha.wire import Row

HEARTBEAT_S = 1.0
"""Of silence, after which a byte is sent."""

TICK_S = 0.5
"""Between looks at the prices."""

TOKENS_MAX = 3_000
"""On one connection."""

APP_ID = 1234

_MODES = frozenset({ticks.LTP, ticks.QUOTE, ticks.FULL})


class Ear:
    """Wakes who waits when something happens at the exchange; what it was stands in the history."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()
        self.ended = False

    def put(self, _fact: Fact) -> None:
        """Something happened."""
        self.woken.set()

    def fail(self, _error: Unavailable) -> None:
        """The exchange hangs up."""
        self.ended = True
        self.woken.set()


class Ticker:
    """What one connection is told, until the exchange hangs up or the client does."""

    def __init__(self, books: Books, clock: Clock) -> None:
        self._books = books
        self._clock = clock
        self._modes: dict[int, str] = {}
        self._told: dict[int, bytes] = {}
        self._heard = len(books.pushes)

    def news(self) -> list[str | bytes]:
        """What happened since this was asked last: orders one by one, and prices in one frame."""
        pushes = self._books.pushes[self._heard :]
        self._heard += len(pushes)
        told: list[str | bytes] = [wire.text({"type": "order", "data": order_update(push.row)}) for push in pushes]
        changed = self._changed()
        return [*told, ticks.frame(changed)] if changed else told

    def _changed(self) -> list[bytes]:
        """Packets that say something else than before."""
        now, changed = self._clock.now(), []
        for token, mode in self._modes.items():
            listing = self._books.prices.listings.by_token(token)
            packet = ticks.packet(listing, mode, self._books.prices, now) if listing is not None else b""
            if not _alike(packet, self._told.get(token, b"")):
                changed.append(packet)
                self._told[token] = packet
        return changed

    def obey(self, said: str | bytes) -> str:
        """Do what the client says; gives what is answered, mostly nothing."""
        try:
            message = msgspec.json.decode(said)
        except msgspec.DecodeError:
            message = None
        match message:
            case {"a": "subscribe", "v": [*tokens]}:
                self._set(_numbers(tokens)[: TOKENS_MAX - len(self._modes)], ticks.QUOTE)
            case {"a": "mode", "v": [str(mode), [*tokens]]} if mode in _MODES:
                self._set([token for token in _numbers(tokens) if token in self._modes], mode)
            case {"a": "unsubscribe", "v": [*tokens]}:
                for token in _numbers(tokens):
                    self._modes.pop(token, None)
            case _:
                return wire.text({"type": "error", "data": "Invalid message."})
        return ""

    def _set(self, tokens: list[int], mode: str) -> None:
        self._modes |= dict.fromkeys(tokens, mode)
        for token in tokens:
            self._told.pop(token, None)


async def hold(socket: WebSocket, books: Books, ear: Ear, clock: Clock, *, heartbeat_s: float, tick_s: float) -> None:
    """Speak and listen on one connection. Raises :class:`Disconnected` when the client is gone."""
    ticker, quiet_s = Ticker(books, clock), 0.0
    listening = asyncio.ensure_future(_listen(socket, ticker))
    listening.add_done_callback(lambda _: ear.woken.set())
    try:
        await socket.send(ticks.HEARTBEAT)
        while not listening.done():
            ear.woken.clear()
            news = _heard(books, ticker, ear)
            if ear.ended:
                await socket.close(reason="The exchange is down.")
                return
            quiet_s = 0.0 if news else quiet_s + tick_s
            if quiet_s >= heartbeat_s:
                news, quiet_s = [ticks.HEARTBEAT], 0.0
            for said in news:
                await socket.send(said)
            await _within(ear.woken, tick_s)
        listening.result()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


def _heard(books: Books, ticker: Ticker, ear: Ear) -> list[str | bytes]:
    """What is to be said; an exchange that is down ends the connection."""
    try:
        with exact():
            books.sync()
            return ticker.news()
    except Unavailable:
        ear.ended = True
        return []


def order_update(row: Row) -> Row:
    """An order as pushes and postbacks tell it."""
    return {"user_id": row["account_id"], "unfilled_quantity": row["pending_quantity"], "app_id": APP_ID, **row}


async def _listen(socket: WebSocket, ticker: Ticker) -> None:
    """Do what the client says. Raises :class:`Disconnected` at the end."""
    while True:
        if answer := ticker.obey(await socket.receive()):
            await socket.send(answer)


async def _within(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, for so long at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _numbers(tokens: list[object]) -> list[int]:
    return [token for token in tokens if isinstance(token, int)]


def _alike(packet: bytes, before: bytes) -> bool:
    """Whether two packets say the same; that time has passed is no news."""
    return ticks.timeless(packet) == ticks.timeless(before)
