"""The parent: runs the venues, starts the book, kills it while it writes, starts it again, and ends it in good order.

The venues stand still until there is a book for the first time, however long that takes: nobody could find what struck
before. A kill waits until what struck before has been found, so that each story can be told apart; and it waits for a
write, so that it strikes in the middle of one.
"""

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from random import Random
from typing import IO

import msgspec

from trueup.cli.demo import messages as m
from trueup.cli.demo.record import Kill, Record
from trueup.cli.demo.world import DEPOSITS, ByHand, Plan
from trueup.model.errors import TrueupError
from trueup.model.identifiers import AccountId
from trueup.model.times import NS_PER_MS
from trueup.ports import Clock
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.faults import Struck
from trueup.venues.paper.server import PaperServer, pump

STEP_S = 0.05
"""Between two steps of the venues, and between two looks at how things stand."""

BEAT_S = 0.1
"""How soon a venue notices that the book which listened is dead."""

WRITES_PASSED = 20
"""Writes that a kill lets pass on average when its time has come, so that it strikes at another one each time."""

EXTRA_S_MAX = 240.0
"""How long a run may go on after its time until everything planned has struck and was found: on a busy machine the
book's process alone takes a while to start, and it starts three times."""

ENDING_S_MAX = 60.0
"""How long the book may take to agree with its venues and close."""

CHUNK_BYTES = 65_536
"""What a pipe holds."""

PATIENCE_S = 30.0
"""For a process to end when its parent is interrupted."""


class BookFailed(TrueupError):
    """The book's process ended when nobody had asked it to."""

    code = "book_failed"


class Stage:
    """A run of the demo.

    Args:
        exchanges: By account.
        plan: What goes wrong; the venues know their part of it already.
        data: Where the book keeps its data.
    """

    def __init__(
        self,
        exchanges: Mapping[AccountId, PaperExchange],
        plan: Plan,
        data: Path,
        seed: int,
        clock: Clock,
    ) -> None:
        self.record = Record()
        self.exchanges = exchanges
        self.began = clock.now()
        self._plan = plan
        self._data = data
        self._seed = seed
        self._random = Random(f"{seed} kills")
        self._clock = clock
        self._ports: dict[AccountId, int] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._ending = False
        self._opened = asyncio.Event()
        self._watch: Callable[[], None] = _nobody

    @property
    def struck(self) -> list[Struck]:
        """Every fault that struck at a venue so far."""
        return [struck for exchange in self.exchanges.values() for struck in exchange.struck]

    @property
    def elapsed_ms(self) -> int:
        """Since the venues opened."""
        return (self._clock.now() - self.began) // NS_PER_MS

    async def run(self, seconds: float, watch: Callable[[], None]) -> None:
        """Play the whole piece, calling ``watch`` whenever something happened. The venues stand still when it returns.

        Raises:
            BookFailed: The book's process ended by itself, or did not end when asked.
        """
        self._watch = watch
        async with contextlib.AsyncExitStack() as stack:
            for account, exchange in self.exchanges.items():
                server = await stack.enter_async_context(PaperServer(exchange, beat_s=BEAT_S))
                self._ports[account] = server.port
            pumps = [asyncio.create_task(self._pump(exchange)) for exchange in self.exchanges.values()]
            steering = asyncio.create_task(self._steer(seconds, pumps))
            try:
                await self._live()
            finally:
                for task in (steering, *pumps):
                    task.cancel()
                for outcome in await asyncio.gather(steering, *pumps, return_exceptions=True):
                    if isinstance(outcome, Exception):
                        raise outcome

    # --- the book -----------------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        """One life of the book after the other, until one ends because it was asked to."""
        killed = True
        with tempfile.TemporaryFile() as errors:
            while killed:
                self.record.born()
                killed = await self._one_life(errors)
            if self.record.closed is None:
                errors.seek(0)
                said = errors.read().decode(errors="replace").strip()
                raise BookFailed("The book's process ended by itself.", remedy=f"It said:\n{said}")

    async def _one_life(self, errors: IO[bytes]) -> bool:
        """Start the book and listen to it until it is gone; whether it was killed."""
        orders = m.Orders(str(self._data), self._ports, self._seed, self.record.life)
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "trueup.cli.demo.child",
            msgspec.json.encode(orders).decode(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # an interrupt from the keyboard is for the parent, which ends the book in order
        )
        if self._ending:
            self._ask_to_end()
        kill = None
        try:
            async for lines in _lines(process):
                for line in lines:
                    self.record.hear(m.read(line), self._clock.now())
                if self.record.state == "running":
                    self._opened.set()
                if kill is None and self._kill_is_due():
                    process.kill()
                    kill = Kill(self._clock.now())
                self._watch()
            await process.wait()
        finally:
            await _end(process)
        if kill is not None:
            self._bury(kill)
        return kill is not None

    def _kill_is_due(self) -> bool:
        """Asked when all that the book has said so far was heard."""
        kills = len(self.record.kills)
        if kills == len(self._plan.kills_ms) or self._ending or self.record.state != "running":
            return False
        if self.elapsed_ms < self._plan.kills_ms[kills] or not self.record.writing or self._unfound():
            return False
        return self._random.randrange(WRITES_PASSED) == 0

    def _bury(self, kill: Kill) -> None:
        """All that the book said before it died has been heard. Somebody uses the moment to trade past it."""
        trade = self._plan.while_dead[len(self.record.kills)]
        self.record.died(kill)
        self.record.by_hand.append(self._trade_by_hand(trade))
        self._watch()

    def _trade_by_hand(self, trade: ByHand) -> Struck:
        exchange, account = self.exchanges[trade.account], trade.account
        before = len(exchange.truth(account).trade_ids)
        exchange.trade_by_hand(account, trade.instrument, trade.side, trade.quantity)
        return Struck("foreign_trade", account, self._clock.now(), exchange.truth(account).trade_ids[before:])

    # --- what happens beside it ---------------------------------------------------------------------------------------

    async def _pump(self, exchange: PaperExchange) -> None:
        """Let a venue live, from when there is a book."""
        await self._opened.wait()
        await pump(exchange, STEP_S)

    async def _steer(self, seconds: float, pumps: list[asyncio.Task[None]]) -> None:
        """Pay money in after a liquidation; when the time is up and all was found, stop the venues and the book."""
        ruined = 0
        while not self._is_over(seconds):
            liquidations = [struck for struck in self.struck if struck.kind == "liquidation"]
            for struck in liquidations[ruined:]:
                for currency, amount in DEPOSITS[struck.account].items():
                    self.exchanges[struck.account].deposit(struck.account, currency, amount)
            ruined = len(liquidations)
            self._watch()
            await asyncio.sleep(STEP_S)
        self._ending = True
        self.record.state = "ending"
        for task in pumps:
            task.cancel()
        self._ask_to_end()
        await asyncio.sleep(ENDING_S_MAX)
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    def _ask_to_end(self) -> None:
        """Tell the book to end; one that is killed before it hears that leaves it to be told to the next."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(b"end\n")

    def _is_over(self, seconds: float) -> bool:
        if self.elapsed_ms > (seconds + EXTRA_S_MAX) * 1_000:
            return True
        if self.elapsed_ms < seconds * 1_000 or self.record.state != "running":
            return False
        planned = sum(len(plan.faults) for plan in self._plan.faults.values())
        done = len(self.struck) == planned and len(self.record.kills) == len(self._plan.kills_ms)
        return done and not self._unfound()

    def _unfound(self) -> bool:
        """Whether something struck that the book has not found yet."""
        return any(found.found is None and not found.unseen for found in self.record.detections(self.struck))


def _nobody() -> None:
    """Nobody watches."""


async def _lines(process: asyncio.subprocess.Process) -> AsyncIterator[list[bytes]]:
    """What the process says, as many whole lines at a time as there are; what a kill cut short was never said."""
    begun = b""
    while process.stdout is not None and (said := await process.stdout.read(CHUNK_BYTES)):
        *lines, begun = (begun + said).split(b"\n")
        yield lines


async def _end(process: asyncio.subprocess.Process) -> None:
    """Let the process end by itself, now that its input has ended, and make sure that it does."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
