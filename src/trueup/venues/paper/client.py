"""An account of the paper exchange, over a loopback socket.

Every wait is bounded, connecting apart from the answer: a call that could not be sent is :class:`Unavailable`, however
little patience there is for the answer. One that was sent without an answer is too, where asking again does no harm,
and :class:`OutcomeUnknown` where it may have changed something.
"""

import asyncio
from random import Random

from trueup.model.errors import Malformed, OutcomeUnknown, Unavailable, VenueError
from trueup.model.identifiers import AccountId
from trueup.ports import Clock
from trueup.venues.paper import calls, wire
from trueup.venues.paper.venue import PaperAccount

CONNECT_S = 30.0
"""For a connection to open: on the same machine at once, unless that is very busy."""

TIMEOUT_S = 30.0
"""For an answer."""

_BROKEN = (EOFError, OSError)  # a time-out is an OSError


class PaperClient(PaperAccount):
    """An account over TCP; opens a connection for each call.

    Args:
        timeout_s: How long an answer may take once the connection is open.
    """

    def __init__(
        self,
        host: str,
        port: int,
        account: AccountId,
        *,
        clock: Clock,
        random: Random,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        super().__init__(account, clock=clock, random=random)
        self._host = host
        self._port = port
        self._timeout_s = timeout_s

    async def _listen(self) -> "FrameConnection":
        call = wire.Subscribe(self.account)
        reader, writer = await self._connect()
        try:
            async with asyncio.timeout(self._timeout_s):
                await wire.send(writer, call)
        except BaseException as error:
            writer.transport.abort()
            if isinstance(error, _BROKEN):
                raise _lost(call) from error
            raise
        return FrameConnection(reader, writer)

    async def _ask(self, call: calls.AnyCall) -> calls.Answer:
        reader, writer = await self._connect()
        try:
            async with asyncio.timeout(self._timeout_s):
                await wire.send(writer, call)
                return wire.unless_failed(await wire.FrameReader(reader, wire.ANSWERS).read())
        except _BROKEN as error:
            raise _lost(call) from error
        finally:
            writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(CONNECT_S):
                return await asyncio.open_connection(self._host, self._port)
        except OSError as error:
            problem = f"The paper venue at {self._host}:{self._port} cannot be reached: {error}."
            raise Unavailable(problem, remedy="Is it running? Try again; nothing was sent.") from error


class FrameConnection:
    """A line of reports over TCP: a :class:`trueup.venues.transport.stream.Connection`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._frames = wire.FrameReader(reader, wire.ANSWERS)
        self._writer = writer

    async def receive(self) -> bytes:
        """The next frame. Raises :class:`Unavailable` at the end, and where no frame can be made out any more."""
        try:
            return await self._frames.frame()
        except (*_BROKEN, Malformed) as error:
            raise Unavailable(f"The stream broke: {error}.") from error

    async def send(self, message: str) -> None:
        """Nobody listens. Raises TypeError."""
        raise TypeError(f"a line of reports only listens; not sent: {message!r}")

    async def aclose(self) -> None:
        """Close the connection."""
        self._writer.transport.abort()


def _lost(call: calls.Call) -> VenueError:
    if call.writes:
        return OutcomeUnknown("No answer came.", remedy="Find the order by its client order id before asking again.")
    return Unavailable("No answer came.", remedy="Try again; asking changes nothing.")
