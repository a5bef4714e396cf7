"""A stream of a venue, kept alive. What lives only here: when a connection counts as dead, and what a gap means.

Nothing is assumed delivered. After every connection, the first one too, after a message that cannot be read and after a
reader that was too slow, the stream says :class:`Gap`: whoever follows it pulls the history from their cursor, and goes
on with what the stream says next. So a message may come twice, and none is missed.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Generic, Protocol, TypeVar

from trueup.model.errors import Malformed, RateLimited, Unavailable, VenueError
from trueup.model.venues import Gap
from trueup.ports import Clock
from trueup.venues.transport.health import ConnectionHealth

QUEUE_MAX = 10_000
"""Messages that wait for a slow reader; one more drops them all and makes a gap, which shows."""

RECONNECT_FIRST_S = 0.5
RECONNECT_MAX_S = 30.0

RECONNECTS_MAX = 50
"""Attempts in a row, some twenty minutes, after which the stream ends and whoever supervises it decides."""

Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)


class Connection(Protocol):
    """One connection, open."""

    async def receive(self) -> str | bytes:
        """The next message. Raises :class:`Unavailable` when there is none any more."""
        ...

    async def send(self, message: str) -> None:
        """Say something. Raises :class:`Unavailable` when nobody listens any more."""
        ...

    async def aclose(self) -> None:
        """Hang up."""
        ...


Connect = Callable[[], Awaitable[Connection]]
"""Opens a connection; raises :class:`VenueError`."""


class Conversation(Protocol[Item_co]):
    """The venue's side of one connection: messages in, items out, no sockets. Made anew for each connection."""

    silence_s: float
    """Seconds without any message after which the connection is dead: the venue says something more often.

    By then it has also to have taken what was asked for.
    """

    ping_s: float | None
    """Seconds after which we say something; None where the venue alone does."""

    def hello(self) -> Sequence[str]:
        """What to say first."""
        ...

    def ping(self) -> str:
        """What keeps the connection open."""
        ...

    @property
    def agreed(self) -> bool:
        """Whether the venue has taken everything that was asked for: from now on it delivers."""
        ...

    def read(self, message: str | bytes) -> Sequence[Item_co]:
        """What a message says.

        Raises:
            Malformed: It cannot be read: a gap.
            VenueError: The venue refuses: the connection ends.
        """
        ...


class Stream(Generic[Item]):
    """Items and gaps, in order, for one reader. Starts with its first item; ends with :meth:`aclose`.

    Args:
        name: Of the stream, for messages.
        connect: Opens a connection.
        converse: Makes the venue's side of one.
        clock: For the age of the last message.
        random: Spreads reconnections, so that a venue that comes back is not met by everybody at once.
        reconnect_first_s: About how long a lost connection stays so at first; doubled by each further loss.

    Attributes:
        health: How the stream is doing.
    """

    def __init__(
        self,
        name: str,
        connect: Connect,
        converse: Callable[[], Conversation[Item]],
        clock: Clock,
        random: Random,
        *,
        reconnect_first_s: float = RECONNECT_FIRST_S,
    ) -> None:
        self.health = ConnectionHealth(connected=False)
        self._name = name
        self._connect = connect
        self._converse = converse
        self._clock = clock
        self._random = random
        self._reconnect_first_s = reconnect_first_s
        self._queue: deque[Item | Gap] = deque()
        self._woken = asyncio.Event()
        self._end: Exception | None = None
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    def __aiter__(self) -> "Stream[Item]":
        return self

    async def __anext__(self) -> Item | Gap:
        """The next item; giving up on waiting loses nothing.

        Raises:
            VenueError: The stream ended: it could not be opened again, or the venue refuses it.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"stream {self._name}")
        while not self._queue:
            if self._end is not None:
                raise self._end
            self._woken.clear()
            await self._woken.wait()
        return self._queue.popleft()

    async def aclose(self) -> None:
        """Hang up; what was not read is dropped."""
        self._end = StopAsyncIteration()
        self._queue.clear()
        self._woken.set()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        try:
            while True:
                await self._live()
                self._give_up_in_the_end()
                await asyncio.sleep(self._pause_s())
        except Exception as error:  # noqa: BLE001 - handed to the reader, who waits for it
            self._end = error
            self._woken.set()

    def _give_up_in_the_end(self) -> None:
        if self._failures > RECONNECTS_MAX:
            raise Unavailable(
                f"The stream {self._name} was lost {RECONNECTS_MAX} times in a row: {self.health.last_error}",
                remedy="The history is pulled meanwhile; look at the network and at the venue's status page.",
            )

    async def _live(self) -> None:
        """One connection, from opening it to its end."""
        try:
            connection = await self._connect()
        except (Unavailable, RateLimited) as error:
            self._lost(error)
            return
        try:
            await self._talk(connection, self._converse())
        except Unavailable as error:
            self._lost(error)
        finally:
            self.health.connected = False
            await connection.aclose()

    async def _talk(self, connection: Connection, conversation: Conversation[Item]) -> None:
        for greeting in conversation.hello():
            await connection.send(greeting)
        loop = asyncio.get_running_loop()
        opened_at = heard_at = pinged_at = loop.time()
        while True:
            since, missed = heard_at, "nothing was heard"
            if not conversation.agreed:
                since, missed = opened_at, "what was asked for was not taken"
            wait_s = conversation.silence_s - (loop.time() - since)
            if wait_s <= 0 and not conversation.agreed:
                raise Unavailable(f"{missed} for {conversation.silence_s:g} s")
            if conversation.ping_s is not None:
                wait_s = min(wait_s, conversation.ping_s - (loop.time() - pinged_at))
            try:
                async with asyncio.timeout(max(wait_s, 0.0)):
                    message = await connection.receive()
            except TimeoutError:
                if loop.time() - since >= conversation.silence_s:
                    raise Unavailable(f"{missed} for {conversation.silence_s:g} s") from None
                pinged_at = loop.time()
                await connection.send(conversation.ping())
                continue
            heard_at = loop.time()
            self._hear(conversation, message)

    def _hear(self, conversation: Conversation[Item], message: str | bytes) -> None:
        self.health.heard(self._clock.now())
        before = self.health.connected
        try:
            items = conversation.read(message)
        except Malformed as error:
            self.health.failed(error)
            self._put(Gap(f"a message could not be read: {error}"))
            return
        if conversation.agreed and not before:
            self.health.connected = True
            self._failures = 0
            self._put(Gap("connected"))
        for item in items:
            self._put(item)

    def _put(self, item: Item | Gap) -> None:
        if len(self._queue) >= QUEUE_MAX:
            self._queue.clear()
            self.health.gaps += 1
            self._queue.append(Gap(f"the reader fell {QUEUE_MAX} messages behind"))
        if isinstance(item, Gap):
            self.health.gaps += 1
        self._queue.append(item)
        self._woken.set()

    def _lost(self, error: VenueError) -> None:
        self._failures += 1
        self.health.failed(error)
        self.health.reconnects += 1

    def _pause_s(self) -> float:
        longest = min(RECONNECT_MAX_S, self._reconnect_first_s * 2.0 ** min(self._failures, 10))
        return longest * self._random.uniform(0.5, 1.0)
