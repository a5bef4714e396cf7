"""An account's reports as they travel: a line at the exchange, and what a stream understands of it."""

import asyncio
from collections import deque
from collections.abc import Sequence

import msgspec

from trueup.model.errors import Unavailable
from trueup.model.events import Fact
from trueup.model.identifiers import AccountId
from trueup.venues.paper import wire
from trueup.venues.paper.exchange import PaperExchange

REPORTS_MAX = 1_024
"""Reports a line holds for a slow reader; one more ends it, since a gap that shows is better than a silent loss."""

BEAT_S = 1.0
"""A silent line says this often that it is alive."""

SILENCE_S = 30.0
"""A line without a beat for so long is dead: several times as long as on the busiest machine."""

_BEAT = msgspec.msgpack.encode(wire.Beat())


class Line:
    """Frames of one subscription, fed by the exchange within one event loop.

    A :class:`trueup.venues.transport.stream.Connection`; the server passes the same frames on. Giving up on waiting
    loses none.
    """

    def __init__(
        self, exchange: PaperExchange, account: AccountId, *, reports_max: int = REPORTS_MAX, beat_s: float = BEAT_S
    ) -> None:
        self._exchange = exchange
        self._account = account
        self._max = reports_max
        self._beat_s = beat_s
        self._queue = deque([msgspec.msgpack.encode(wire.Subscribed())])
        self._woken = asyncio.Event()
        self._end: Exception | None = None
        exchange.subscribe(account, self)

    def put(self, fact: Fact) -> None:
        """Take a report from the exchange."""
        if len(self._queue) < self._max:
            self._queue.append(msgspec.msgpack.encode(wire.Reported(fact)))
            self._woken.set()
            return
        self._exchange.unsubscribe(self._account, self)
        problem = f"The stream fell {self._max} reports behind and was closed."
        self.fail(Unavailable(problem, remedy="Open it again, then pull the history for the gap."))

    def fail(self, error: Exception) -> None:
        """End with an error, after what is queued."""
        self._end = error
        self._woken.set()

    async def receive(self) -> bytes:
        """The next frame. Raises :class:`Unavailable` at the end."""
        while not self._queue:
            if self._end is not None:
                raise self._end
            self._woken.clear()
            try:
                async with asyncio.timeout(self._beat_s):
                    await self._woken.wait()
            except TimeoutError:
                return _BEAT
        return self._queue.popleft()

    async def send(self, message: str) -> None:
        """Nobody listens. Raises TypeError."""
        raise TypeError(f"a line of reports only listens; not sent: {message!r}")

    async def aclose(self) -> None:
        """Leave the exchange's listeners."""
        self._exchange.unsubscribe(self._account, self)


class Hearing:
    """A :class:`trueup.venues.transport.stream.Conversation`: the exchange agrees first, then reports and beats."""

    silence_s = SILENCE_S
    ping_s: float | None = None

    def __init__(self) -> None:
        self.agreed = False

    def hello(self) -> Sequence[str]:
        """Nothing: what was subscribed to was said with the connection."""
        return []

    def ping(self) -> str:
        """Never asked for."""
        raise TypeError("a line of reports only listens")

    def read(self, message: str | bytes) -> Sequence[Fact]:
        """The fact in a frame, if there is one. Raises what the exchange refuses with, and :class:`Malformed`."""
        match wire.unless_failed(wire.decode(message, wire.ANSWERS)):
            case wire.Subscribed():
                self.agreed = True
                return []
            case wire.Beat():
                return []
            case answer:
                return [wire.expect(answer, wire.Reported).fact]
