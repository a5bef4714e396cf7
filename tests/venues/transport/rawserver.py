"""A loopback server that answers each request as a test says, byte for byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Answering = Callable[["Exchange"], Awaitable[None]]


class Exchange:
    """One request as it came, and the way back."""

    def __init__(self, head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        self.line, *lines = head.split("\r\n")
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        self.body = body
        self.writer = writer

    async def answer(self, status: str = "200 OK", body: bytes = b"{}", **headers: str) -> None:
        """A whole answer."""
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{more}\r\n".encode() + body)
        await self.writer.drain()

    async def raw(self, data: bytes) -> None:
        """Some bytes of an answer."""
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Hang up without a word."""
        self.writer.transport.abort()


@asynccontextmanager
async def serving(answering: Answering) -> AsyncIterator[tuple[str, list[Exchange]]]:
    """The base address of a server, and every request it has read so far."""
    seen: list[Exchange] = []

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode()
                length = next(
                    (line[15:] for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0
                )
                exchange = Exchange(head, await reader.readexactly(int(length)), writer)
                seen.append(exchange)
                await answering(exchange)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    async with await asyncio.start_server(connection, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen
        server.close()
