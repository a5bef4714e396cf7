"""The paper exchange on a loopback socket, for books that live, and die, in another process."""

import asyncio
import contextlib
from typing import Self

from trueup.model.errors import VenueError
from trueup.venues.paper import wire
from trueup.venues.paper.calls import Answer, AnyCall, answer
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.reports import BEAT_S, REPORTS_MAX, Line

HOST = "127.0.0.1"

PATIENCE_S = 30.0
"""For a client to send its call, or to take what it is sent."""


async def pump(exchange: PaperExchange, step_s: float) -> None:
    """Advance an exchange every ``step_s`` seconds until cancelled."""
    while True:
        exchange.advance()
        await asyncio.sleep(step_s)


class PaperServer:
    """Serves every account of an exchange to any number of connections; a context manager, on a port of its own.

    An error of the exchange that is not its answer breaks that connection, and is raised when the server is left.

    Attributes:
        port: TCP port on 127.0.0.1, once entered.
    """

    def __init__(
        self,
        exchange: PaperExchange,
        *,
        reports_max: int = REPORTS_MAX,
        beat_s: float = BEAT_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.port = 0
        self._exchange = exchange
        self._reports_max = reports_max
        self._beat_s = beat_s
        self._patience_s = patience_s
        self._connections: set[asyncio.Task[None]] = set()
        self._errors: list[Exception] = []
        self._listening: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._listening = await asyncio.start_server(self._accept, HOST, 0)
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._listening is not None:
            self._listening.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self._errors:
            raise ExceptionGroup("connections of the paper server failed", self._errors)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._connections.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._errors.append(error)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # A client that is gone, or too slow, is owed nothing: it asks again and finds what became of its call.
            with contextlib.suppress(EOFError, OSError):
                try:
                    await self._converse(wire.FrameReader(reader, wire.CALLS), writer)
                except VenueError as error:
                    await self._send(writer, wire.Failed.of(error))
                writer.close()
                async with asyncio.timeout(self._patience_s):
                    await writer.wait_closed()
        finally:
            writer.transport.abort()

    async def _converse(
        self, calls: "wire.FrameReader[AnyCall | wire.Subscribe]", writer: asyncio.StreamWriter
    ) -> None:
        async with asyncio.timeout(self._patience_s):
            call = await calls.read()
        if not isinstance(call, wire.Subscribe):
            await self._send(writer, answer(self._exchange, call))
            return
        line = Line(self._exchange, call.account, reports_max=self._reports_max, beat_s=self._beat_s)
        try:
            while True:
                frame = await line.receive()
                async with asyncio.timeout(self._patience_s):
                    await wire.send_frame(writer, frame)
        finally:
            await line.aclose()

    async def _send(self, writer: asyncio.StreamWriter, message: Answer) -> None:
        async with asyncio.timeout(self._patience_s):
            await wire.send(writer, message)
