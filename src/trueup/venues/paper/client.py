"""An account of the paper exchange, over a loopback socket.

Every wait is bounded, connecting apart from the answer: a call that could not be sent is :class:`Unavailable`, however
little patience there is for the answer. One that was sent without an answer is too, where asking again does no harm,
and :class:`OutcomeUnknown` for placing and cancelling.
"""

import asyncio

from trueup.model.errors import OutcomeUnknown, Unavailable, VenueError
from trueup.model.events import Fact
from trueup.model.identifiers import AccountId
from trueup.venues.paper import calls, wire
from trueup.venues.paper.venue import PaperAccount, expect

CONNECT_S = 30.0
"""For a connection to open: on the same machine at once, unless that is very busy."""

TIMEOUT_S = 30.0
"""For an answer, and for the next sign of life on a stream."""

_BROKEN = (EOFError, OSError)  # a time-out is an OSError


class PaperClient(PaperAccount):
    """An account over TCP; opens a connection for each call.

    Args:
        timeout_s: How long an answer, or the next frame of a stream, may take once the connection is open.
    """

    def __init__(self, host: str, port: int, account: AccountId, *, timeout_s: float = TIMEOUT_S) -> None:
        super().__init__(account)
        self._host = host
        self._port = port
        self._timeout_s = timeout_s

    async def reports(self) -> "ClientReports":
        """Facts from now on."""
        call = wire.Subscribe(self.account)
        reader, writer = await self._connect()
        try:
            expect(await self._converse(call, wire.FrameReader(reader, wire.ANSWERS), writer), wire.Subscribed)
        except BaseException:
            writer.transport.abort()
            raise
        return ClientReports(reader, writer, self._timeout_s)

    async def _ask(self, call: calls.AnyCall) -> calls.Answer:
        reader, writer = await self._connect()
        try:
            return await self._converse(call, wire.FrameReader(reader, wire.ANSWERS), writer)
        finally:
            writer.transport.abort()

    async def _converse(
        self, call: calls.Call, answers: "wire.FrameReader[wire.AnyAnswer]", writer: asyncio.StreamWriter
    ) -> calls.Answer:
        try:
            async with asyncio.timeout(self._timeout_s):
                await wire.send(writer, call)
                return wire.unless_failed(await answers.read())
        except _BROKEN as error:
            raise _lost(call) from error

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(CONNECT_S):
                return await asyncio.open_connection(self._host, self._port)
        except OSError as error:
            problem = f"The paper venue at {self._host}:{self._port} cannot be reached: {error}."
            raise Unavailable(problem, remedy="Is it running? Try again; nothing was sent.") from error


class ClientReports:
    """A :class:`~trueup.venues.paper.venue.ReportStream` over a connection of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout_s: float) -> None:
        self._frames = wire.FrameReader(reader, wire.ANSWERS)
        self._writer = writer
        self._timeout_s = timeout_s
        self._closed = False

    def __aiter__(self) -> "ClientReports":
        return self

    async def __anext__(self) -> Fact:
        while not self._closed:
            try:
                async with asyncio.timeout(self._timeout_s):
                    answer = wire.unless_failed(await self._frames.read())
            except _BROKEN as error:
                remedy = "Open it again, then pull the history for the gap."
                raise Unavailable("The stream broke.", remedy=remedy) from error
            if not isinstance(answer, wire.Beat):
                return expect(answer, wire.Reported).fact
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the connection."""
        self._closed = True
        self._writer.transport.abort()


def _lost(call: calls.Call) -> VenueError:
    if isinstance(call, calls.PlaceOrder | calls.CancelOrder):
        return OutcomeUnknown("No answer came.", remedy="Find the order by its client order id before asking again.")
    return Unavailable("No answer came.", remedy="Try again; asking changes nothing.")
