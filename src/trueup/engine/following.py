"""Following a venue: its stream into the book as things happen, and its history wherever the stream has a gap.

Nothing is assumed delivered. Whatever the stream says of a gap, a fact that names an instrument nobody defined, and a
while without a pull all end in one; facts that come twice are there already. Any number of accounts are followed side
by side, each by a task of its own.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

import msgspec

from trueup.engine.ledger import Facts, Ledger
from trueup.engine.pulling import Heard, Pull, keep_refused, pull, served, silent, unheard
from trueup.model.errors import RateLimited, Unavailable
from trueup.model.events import Fact, InstrumentDefined
from trueup.model.venues import Gap
from trueup.ports import LiveVenue

QUEUE_MAX = 10_000
"""Facts that wait to be booked; then the stream waits, and says so by a gap when it has waited too long."""

_LATER = (Unavailable, RateLimited)
"""What goes by itself; whatever else the venue says ends the following."""


class Pace(msgspec.Struct, frozen=True):
    """How patiently a venue is followed.

    Attributes:
        first_s, longest_s: The pause after a first failure, doubled with each one after it up to the longest.
        failures_max: So many in a row end the following.
        pull_s: After so long without a pull there is one, gap or not: a stream may be wrong about itself.
    """

    first_s: float = 0.5
    longest_s: float = 60.0
    failures_max: int = 20
    pull_s: float = 60.0


class Follower:
    """Keeps one account's book up with its venue.

    Args:
        ledger: Of the venue's account.
        venue: Whom to follow.
        random: Spreads retries.
        pace: How patiently.
        acknowledged: Called after each commit of what the stream said.
        caught_up: Called after each pull that went through.

    Attributes:
        pulled: Set while nothing is known to be missing: the history was pulled after the newest gap.
        last_pull: What the newest pull brought; None before the first.
    """

    def __init__(
        self,
        ledger: Ledger,
        venue: LiveVenue,
        *,
        random: Random,
        pace: Pace | None = None,
        acknowledged: Heard = unheard,
        caught_up: Callable[[Pull], None] = silent,
    ) -> None:
        self.pulled = asyncio.Event()
        self.last_pull: Pull | None = None
        self._ledger = ledger
        self._venue = venue
        self._random = random
        self._pace = pace or Pace()
        self._acknowledged = acknowledged
        self._caught_up = caught_up
        self._inbox = _Inbox()

    async def run(self) -> None:
        """Follow until :meth:`stop`.

        Raises:
            VenueError: The venue could not be reached for long, or refuses us.
            JournalFailed: The disk refused; reopen the ledger and follow again.
        """
        listening = asyncio.create_task(self._listen(), name=f"listening to {self._venue.account}")
        try:
            await self._keep_up()
        finally:
            listening.cancel()
            await asyncio.wait((listening,))

    def stop(self) -> None:
        """Let :meth:`run` finish the commit it is at, and return; the next pull finds what is not booked by then."""
        self._inbox.end(None)

    # --- in -----------------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """The stream into the inbox. It is opened again where it is lost, unless nothing comes of that for too long."""
        failures = 0
        try:
            while self._venue.capabilities.streams:
                stream = self._venue.stream()
                try:
                    async for item in stream:
                        failures = 0
                        await self._inbox.put(item)
                    why: Exception = Unavailable(f"The stream of {self._venue.account} ended.")
                except _LATER as error:
                    why = error
                finally:
                    await stream.aclose()
                failures += 1
                if failures > self._pace.failures_max:
                    self._inbox.end(why)
                    return
                await self._rest(failures)
        except Exception as error:  # noqa: BLE001 - raised by whoever empties the inbox
            self._inbox.end(error)

    # --- out ----------------------------------------------------------------------------------------------------------

    async def _keep_up(self) -> None:
        loop = asyncio.get_running_loop()
        pull_at = loop.time()
        while not self._inbox.ended:
            items = await self._inbox.take(pull_at - loop.time())
            facts = [item for item in items if not isinstance(item, Gap)]
            unknown = self._unknown(facts)
            if len(facts) < len(items) or loop.time() >= pull_at or unknown:
                if not await self._pull(listed=self.last_pull is not None and not unknown):
                    break
                pull_at = loop.time() + self._pace.pull_s
            await keep_refused(self._ledger, self._venue.refused())
            if facts:
                self._acknowledged(facts, await served(self._ledger, Facts(facts)))
        self._inbox.raise_why()

    async def _pull(self, *, listed: bool) -> bool:
        """Pull, again and more and more slowly while the venue cannot be reached; False where the end came first."""
        self.pulled.clear()
        failures = 0
        while not self._inbox.ended:
            try:
                self.last_pull = await pull(self._ledger, self._venue, listed=listed)
            except _LATER:
                if failures == self._pace.failures_max:
                    raise
            else:
                self.pulled.set()
                self._caught_up(self.last_pull)
                return True
            failures += 1
            await self._rest(failures)
        return False

    def _unknown(self, facts: Sequence[Fact]) -> bool:
        """Whether a fact names an instrument that is not defined: a new listing, say. A pull defines all."""
        known = self._ledger.book.instruments
        named = {getattr(fact, "instrument", "") for fact in facts if not isinstance(fact, InstrumentDefined)}
        return any(name not in known for name in named - {""})

    async def _rest(self, failures: int) -> None:
        longest = min(self._pace.longest_s, self._pace.first_s * 2.0 ** (failures - 1))
        await self._inbox.rest(longest * self._random.uniform(0.5, 1.0))


class _Inbox:
    """What was heard and not booked yet; bounded, so that whoever fills it waits for whoever empties it.

    Attributes:
        ended: Whether nobody wants more.
    """

    def __init__(self) -> None:
        self.ended = False
        self._why: Exception | None = None
        self._waiting: deque[Fact | Gap] = deque()
        self._woken = asyncio.Event()
        self._room = asyncio.Event()
        self._end = asyncio.Event()

    async def put(self, item: Fact | Gap) -> None:
        """Take something in, once there is room."""
        while len(self._waiting) >= QUEUE_MAX:
            self._room.clear()
            await self._room.wait()
        self._waiting.append(item)
        self._woken.set()

    async def take(self, patience_s: float) -> Sequence[Fact | Gap]:
        """All that waits, at once or as soon as something comes; nothing when that takes too long, or at the end."""
        if not self._waiting and not self.ended:
            self._woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(patience_s, 0.0)):
                    await self._woken.wait()
        items = list(self._waiting)
        self._waiting.clear()
        self._room.set()
        return items

    def end(self, why: Exception | None) -> None:
        """Nobody wants more; the first reason counts."""
        if not self.ended:
            self.ended, self._why = True, why
            self._woken.set()
            self._end.set()

    def raise_why(self) -> None:
        """Raise what ended it, if it was an error."""
        if self._why is not None:
            raise self._why

    async def rest(self, seconds: float) -> None:
        """Wait, at most until the end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._end.wait()
