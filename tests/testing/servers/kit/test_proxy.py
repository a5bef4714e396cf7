"""The TCP proxy: what its commands do to a connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from trueup.testing.servers.proxy import TcpProxy

BOUND_S = 60.0


@asynccontextmanager
async def echoing() -> AsyncIterator[int]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(100):
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def said(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(BOUND_S):
        return await reader.read(100)


def test_commands_break_stall_and_mend() -> None:
    async def story() -> None:
        async with echoing() as port:
            with TcpProxy("127.0.0.1", port) as proxy:
                reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
                writer.write(b"one")
                assert await said(reader) == b"one"

                proxy.stall()
                writer.write(b"two")
                waiting = asyncio.ensure_future(said(reader))
                done, _ = await asyncio.wait({waiting}, timeout=0.1)
                assert not done
                proxy.mend()
                assert await waiting == b"two"

                proxy.half_close()
                assert await said(reader) == b""
                writer.write(b"three")  # it still listens
                await writer.drain()
                writer.close()

                reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
                writer.write(b"four")
                assert await said(reader) == b"four"
                proxy.hang_up()
                assert await said(reader) == b""
                writer.close()

                proxy.cut()
                with pytest.raises(ConnectionRefusedError):
                    await asyncio.open_connection("127.0.0.1", proxy.port)
                proxy.mend()
                reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
                writer.write(b"five")
                assert await said(reader) == b"five"
                writer.close()

    asyncio.run(story())
