"""Carries a plan of wire faults out, between a server and its clients, and keeps a log of what struck."""

import asyncio
import socket
import struct
from collections import Counter
from http import HTTPStatus

import msgspec

from trueup.model.times import from_ms
from trueup.ports import Clock
from trueup.testing.servers import asgi
from trueup.testing.servers import faults as f
from trueup.testing.servers.asgi import App, Message, Receive, Scope, Send
from trueup.testing.servers.serving import TRANSPORT

SHOWN_MAX = 200
"""Characters of a message in the log."""

_MS_PER_SECOND = 1_000


class VenueClock:
    """A clock that can be put wrong: hand the same one to the server and to :class:`Chaos`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_ns = 0
        self._until: float | None = None

    def now(self) -> int:
        """What the venue takes the time to be."""
        if self._until is not None and self._clock.monotonic() >= self._until:
            self._by_ns, self._until = 0, None
        return self._clock.now() + self._by_ns

    def monotonic(self) -> float:
        """Seconds that never go back; never wrong."""
        return self._clock.monotonic()

    def put_wrong(self, by_ms: int, for_ms: int = 0) -> None:
        """Be off by so much, for a time, or for good where that is 0."""
        self._by_ns = from_ms(by_ms)
        self._until = self._clock.monotonic() + for_ms / _MS_PER_SECOND if for_ms else None


class Struck(msgspec.Struct, frozen=True):
    """A fault that struck.

    Attributes:
        time: By the server's clock, in nanoseconds UTC.
        what: The request, or the message, that it struck.
    """

    kind: str
    time: int
    what: str


class Chaos:
    """An application in front of another one.

    Args:
        app: The server.
        plan: What goes wrong.
        clock: The server's.

    Attributes:
        struck: What went wrong so far, oldest first.
    """

    def __init__(self, app: App, plan: f.WirePlan, clock: VenueClock) -> None:
        self.struck: list[Struck] = []
        self._app = app
        self._plan = plan
        self._clock = clock
        self._seen: Counter[int] = Counter()
        self._maintenance: tuple[float, f.Maintenance] | None = None
        self._live: set[asyncio.Transport] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or one WebSocket."""
        transport: asyncio.Transport = scope["extensions"][TRANSPORT]
        self._live.add(transport)
        try:
            await _Exchange(self, scope, receive, send, transport).run()
        finally:
            self._live.discard(transport)

    def due(self, scope: Scope, message: str | None) -> f.Fault | None:
        """The fault that strikes a request, or a message of it; every fault that matches counts it."""
        struck = None
        for number, fault in enumerate(self._plan.faults):
            if not _matches(fault, scope, message):
                continue
            self._seen[number] += 1
            late = self._seen[number] - fault.nth
            if struck is None and late >= 0 and (late < fault.times or not fault.times):
                struck = fault
        if struck is not None:
            what = f"{scope.get('method', 'GET')} {scope['path']}" if message is None else message[:SHOWN_MAX]
            self.struck.append(Struck(str(struck.__struct_config__.tag), self._clock.now(), what))
        return struck

    def closed(self) -> f.Maintenance | None:
        """The maintenance that is under way."""
        if self._maintenance is None or self._clock.monotonic() >= self._maintenance[0]:
            return None
        return self._maintenance[1]

    def close(self, fault: f.Maintenance, but: asyncio.Transport) -> None:
        """Begin maintenance: everybody else is hung up on."""
        self._maintenance = self._clock.monotonic() + fault.for_ms / _MS_PER_SECOND, fault
        for transport in self._live - {but}:
            transport.abort()

    def put_wrong(self, fault: f.WrongClock) -> None:
        """Let the venue's clock be wrong."""
        self._clock.put_wrong(fault.by_ms, fault.for_ms)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        await self._app(scope, receive, send)

    def date(self) -> str:
        """For the header of answers that are not the server's."""
        return asgi.http_date(self._clock.now())


def _matches(fault: f.Fault, scope: Scope, message: str | None) -> bool:
    words = getattr(fault, "message", None)
    return (
        fault.method in {"", scope.get("method", "GET")}
        and fault.path in scope["path"]
        and (words is None) == (message is None)
        and (words is None or message is None or words in message)
    )


class _Exchange:
    """One request on its way, and what strikes it."""

    def __init__(self, chaos: Chaos, scope: Scope, receive: Receive, send: Send, transport: asyncio.Transport) -> None:
        self._chaos = chaos
        self._scope = scope
        self._receive = receive
        self._send = send
        self._transport = transport
        self._held: list[Message] = []
        self._over = False
        self._in_order = asyncio.Lock()

    async def run(self) -> None:
        fault = self._chaos.due(self._scope, None)
        if isinstance(fault, f.Maintenance):
            self._chaos.close(fault, self._transport)
        elif isinstance(fault, f.WrongClock):
            self._chaos.put_wrong(fault)
        closed = self._chaos.closed()
        if closed is not None:
            await self._refuse(closed.status, closed.body)
        elif isinstance(fault, f.Status):
            if fault.at == "after" and self._answers:
                await self._act(_swallow)
            await self._refuse(fault.status, fault.body, fault.retry_after_s)
        elif isinstance(fault, f.Cut):
            await self._break(fault)
        elif isinstance(fault, f.SlowBody):
            await self._act(self._slowly(fault))
        else:
            await self._act(self._pass_on)

    @property
    def _answers(self) -> bool:
        """Whether there is one answer, which comes to an end; what opens a WebSocket is struck before that."""
        return bool(self._scope["type"] == "http")

    async def _act(self, send: Send) -> None:
        await self._chaos.serve(self._scope, self._receive, send)

    # --- requests -----------------------------------------------------------------------------------------------------

    async def _refuse(self, status: int, body: str, retry_after_s: int | None = None) -> None:
        headers = {"date": self._chaos.date(), "content-type": "text/plain"}
        if retry_after_s is not None:
            headers["retry-after"] = str(retry_after_s)
        if not self._answers:
            await asgi.WebSocket(self._receive, self._send).refuse(status)
            return
        text = body or HTTPStatus(status).phrase
        await asgi.reply(self._send, asgi.Answer(status, text.encode(), headers))

    async def _break(self, fault: f.Cut) -> None:
        """End the connection before the request is acted on, after it, or in the middle of the answer."""
        if not self._answers:
            await self._receive()
        elif fault.at == "before":
            await asgi.request(self._scope, self._receive)
        else:
            await self._act(_halved(self._send) if fault.at == "halfway" else _swallow)
        self._hang_up(fault)
        while (await self._receive())["type"] not in {"http.disconnect", "websocket.disconnect"}:
            pass

    def _hang_up(self, fault: f.Cut) -> None:
        self._over = True
        if isinstance(fault, f.Reset):
            _reset(self._transport)
        else:
            self._transport.write_eof()

    def _slowly(self, fault: f.SlowBody) -> Send:
        async def send(message: Message) -> None:
            if message["type"] != "http.response.body":
                await self._send(message)
                return
            body: bytes = message.get("body", b"")
            for start in range(0, len(body), fault.piece_bytes):
                await asyncio.sleep(fault.pause_ms / _MS_PER_SECOND)
                piece = body[start : start + fault.piece_bytes]
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            if not message.get("more_body", False):
                await self._send({"type": "http.response.body", "body": b""})

        return send

    # --- messages -----------------------------------------------------------------------------------------------------

    async def _pass_on(self, message: Message) -> None:
        """Pass a part of the answer on, and let faults strike it where it is a message."""
        text = _text(message)
        async with self._in_order:
            if self._over:
                return
            if text is None:
                await self._send(message)
                return
            await self._tell(message, self._chaos.due(self._scope, text))

    async def _tell(self, message: Message, fault: f.Fault | None) -> None:
        if isinstance(fault, f.Drop):
            return
        if isinstance(fault, f.Cut):
            self._hang_up(fault)
            return
        if isinstance(fault, f.Reorder):
            self._held.append(message)
            return
        if isinstance(fault, f.Delay):
            await asyncio.sleep(fault.for_ms / _MS_PER_SECOND)
        elif isinstance(fault, f.Duplicate):
            await self._send(message)
        await self._send(message)
        while self._held:
            await self._send(self._held.pop(0))


def _text(message: Message) -> str | None:
    """The words of a message; None for what is none, such as an answer that comes whole."""
    if message["type"] == "websocket.send":
        text: str | None = message.get("text")
        return text if text is not None else message["bytes"].decode(errors="replace")
    if message["type"] == "http.response.body" and message.get("more_body", False):
        body: bytes = message.get("body", b"")
        return body.decode(errors="replace")
    return None


async def _swallow(_message: Message) -> None:
    """Nobody hears of it."""


def _halved(send: Send) -> Send:
    """The first half of the body, and nothing behind it."""

    async def half(message: Message) -> None:
        if message["type"] == "http.response.body":
            body: bytes = message.get("body", b"")
            message = {**message, "body": body[: len(body) // 2], "more_body": True}
        await send(message)

    return half


def _reset(transport: asyncio.Transport) -> None:
    """Break a connection so that the other side is told of an error, and of no orderly end."""
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
