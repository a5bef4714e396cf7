"""Plain ASGI, made readable: a request as it came, an answer, a stream of an answer, a WebSocket.

Only here are ASGI's messages taken apart and put together (https://asgi.readthedocs.io/en/latest/specs/www.html).
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import aclosing
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from trueup.model.times import NS_PER_SECOND

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application."""

BODY_BYTES_MAX = 1 << 20
"""The longest request body that is read: a venue's largest batch of orders stays far below."""


class Request(msgspec.Struct, frozen=True):
    """One HTTP request, or the opening of a WebSocket.

    Attributes:
        raw_path: As it was sent, escapes kept, so that an escaped slash is no separator.
        query: The first value of each name.
        headers: By lower-case name.
        client: The address that asks; empty where nobody said.
        pairs: The whole query, names that come again included.
        raw_query: The query as it was sent, for who has signed it.
    """

    method: str
    path: str
    raw_path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    client: str = ""
    pairs: Sequence[tuple[str, str]] = ()
    raw_query: str = ""


class Answer(msgspec.Struct, frozen=True):
    """One HTTP answer, whole."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class Disconnected(Exception):
    """The client is gone, or sent more than is read; it is owed nothing."""


def opened(scope: Scope) -> Request:
    """What a scope says of a request, without the body."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    raw_query = scope["query_string"].decode("latin-1")
    pairs = parse_qsl(raw_query, keep_blank_values=True)
    query = dict(reversed(pairs))  # of a name that comes again the first value
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    client = scope["client"][0] if scope.get("client") else ""
    method, path = scope.get("method", "GET"), scope["path"]
    return Request(method, path, raw.decode("latin-1"), query, headers, client=client, pairs=pairs, raw_query=raw_query)


async def request(scope: Scope, receive: Receive) -> Request:
    """A whole request. Raises :class:`Disconnected`."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Disconnected
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            raise Disconnected
        if not message.get("more_body", False):
            return msgspec.structs.replace(opened(scope), body=bytes(body))


def json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer in JSON; decimals are written as strings."""
    return Answer(status, msgspec.json.encode(value), {"content-type": "application/json", **(headers or {})})


def http_date(now: int) -> str:
    """A ``Date`` header from nanoseconds UTC."""
    return formatdate(now // NS_PER_SECOND, usegmt=True)


async def reply(send: Send, answer: Answer) -> None:
    """Send a whole answer."""
    await send(_start(answer.status, {"content-length": str(len(answer.body)), **answer.headers}))
    await send({"type": "http.response.body", "body": answer.body})


async def stream(receive: Receive, send: Send, chunks: AsyncGenerator[bytes, None], headers: Mapping[str, str]) -> None:
    """Send an answer chunk by chunk until there are no more, or the client is gone."""
    await send(_start(200, headers))
    sending = asyncio.ensure_future(_send_chunks(send, chunks))
    leaving = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
    finally:
        sending.cancel()
        leaving.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)


async def _send_chunks(send: Send, chunks: AsyncGenerator[bytes, None]) -> None:
    async with aclosing(chunks):
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _start(status: int, headers: Mapping[str, str]) -> Message:
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": encoded}


class WebSocket:
    """The server's end of one WebSocket."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send

    async def accept(self) -> None:
        """Take the connection."""
        await self._receive()  # websocket.connect
        await self._send({"type": "websocket.accept"})

    async def refuse(self, status: int) -> None:
        """Answer the opening with an HTTP status instead."""
        await self._receive()
        await self._send({"type": "websocket.http.response.start", "status": status, "headers": []})
        await self._send({"type": "websocket.http.response.body", "body": b""})

    async def receive(self) -> str | bytes:
        """The next message. Raises :class:`Disconnected` at the end."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            raise Disconnected
        text: str | None = message.get("text")
        return text if text is not None else message.get("bytes", b"")

    async def send(self, said: str | bytes) -> None:
        """Say something, in words or in bytes. Raises :class:`Disconnected` where nobody listens any more."""
        kind = "text" if isinstance(said, str) else "bytes"
        try:
            await self._send({"type": "websocket.send", kind: said})
        except (OSError, RuntimeError) as error:
            raise Disconnected from error

    async def send_json(self, value: object) -> None:
        """Say a value in JSON; decimals are written as strings. Raises :class:`Disconnected`."""
        await self.send(msgspec.json.encode(value).decode())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Hang up politely."""
        await self._send({"type": "websocket.close", "code": code, "reason": reason})
