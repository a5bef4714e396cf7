"""The TCP proxy: what its commands do to a connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from trueup.testing.servers.proxy import TcpProxy

BOUND_S = 60.0


@asynccontextmanager
async def echoing(heard: asyncio.Queue[bytes]) -> AsyncIterator[int]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(100):
                heard.put_nowait(data)
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
        heard: asyncio.Queue[bytes] = asyncio.Queue()

        async def hears() -> bytes:
            async with asyncio.timeout(BOUND_S):
                return await heard.get()

        async with echoing(heard) as port:
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
                assert [await hears(), await hears()] == [b"one", b"two"]
                for word in (b"three", b"four"):  # it still listens, and what it says is lost
                    writer.write(word)
                    assert await hears() == word
                writer.close()

                reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
                writer.write(b"five")
                assert await said(reader) == b"five"
                proxy.hang_up()
                assert await said(reader) == b""
                writer.close()

                proxy.cut()
                with pytest.raises(ConnectionRefusedError):
                    await asyncio.open_connection("127.0.0.1", proxy.port)
                proxy.mend()
                reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
                writer.write(b"six")
                assert await said(reader) == b"six"
                writer.close()

    asyncio.run(story())
