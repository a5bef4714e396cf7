"""Keeping accounts in agreement with their venues, each followed and reconciled by a task of its own.

An account is reconciled at the start, before anybody may trade on it, after each trade, when its connection was gone,
every so often, and when somebody asks. A venue that is slow or dead delays no other: each run has its patience, and
only so many of them go on at once. What fails is begun again, more and more slowly, and never given up silently.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from random import Random

import msgspec

from trueup.engine.following import Follower, Pace
from trueup.engine.ledger import Ledger
from trueup.engine.pulling import Pull, served
from trueup.engine.receipts import Receipt
from trueup.engine.reconciling_live import Reconciler, Run, Trigger
from trueup.engine.store import Store
from trueup.model.differences import Kind
from trueup.model.errors import VenueError
from trueup.model.events import Fact, FillBooked, ReconciliationsCounted
from trueup.model.identifiers import AccountId
from trueup.model.times import NS_PER_SECOND
from trueup.ports import LiveVenue
from trueup.reconcile.policy import Mode, Policies

RECONNECTED = "the connection has only just come back"
"""A doubt: nothing is corrected by an answer that may still be catching up."""

_URGENCY: Sequence[Trigger] = ("reconnect", "demand", "trade", "periodic", "start")
"""Of several reasons to look, the first is told: the one that asks for most care. After a trade a glance may do."""

COUNTED_NS = 3_600 * NS_PER_SECOND
"""After so long the runs of an account are put on record, as counts."""

STOP_S = 5.0
"""How long what is under way may take to end when somebody says stop; then it is cut off, and a start goes on."""

Connect = Callable[[], AbstractAsyncContextManager[LiveVenue]]
"""A connection to the account's venue, closed behind the block."""


class Rhythm(msgspec.Struct, frozen=True):
    """When accounts are reconciled.

    Attributes:
        period_s: Between two runs of one account, give or take ``jitter`` of it.
        after_trade_s: How long fills are collected before they are checked at the venue.
        together: Accounts that are compared at once; venues are waited for by all at once.
        rest_s, longest_rest_s: The pause after a failure, doubled with each one after it up to the longest.
    """

    period_s: float = 60.0
    jitter: float = 0.1
    after_trade_s: float = 0.25
    together: int = 4
    rest_s: float = 1.0
    longest_rest_s: float = 60.0


class Account(msgspec.Struct, frozen=True):
    """An account to be watched.

    Attributes:
        stops_required: Instruments whose positions need a resting stop; None for all.
    """

    ledger: Ledger
    connect: Connect
    policies: Policies = Policies()
    stops_required: frozenset[str] | None = frozenset()


class Runs:
    """Runs that were not put on record yet, one by one too many to keep."""

    def __init__(self) -> None:
        self._outcomes: Counter[str] = Counter()
        self._since = self._until = self._longest_ns = 0

    @property
    def due(self) -> bool:
        """Whether they are of so long a time that they should be put on record."""
        return self._until - self._since >= COUNTED_NS

    def count(self, run: Run) -> None:
        """One more."""
        self._since = self._since or run.began_at
        self._until = run.began_at + run.took_ns
        self._longest_ns = max(self._longest_ns, run.took_ns)
        self._outcomes[run.comparison.status.value] += 1

    def taken(self, account: AccountId) -> ReconciliationsCounted | None:
        """All of them, to be put on record; None without any."""
        if not self._outcomes:
            return None
        outcomes = tuple(sorted(self._outcomes.items()))
        event = ReconciliationsCounted(account, self._since, self._until, outcomes, self._longest_ns)
        self._outcomes.clear()
        self._since = self._longest_ns = 0
        return event


class Watch:
    """Watches one account.

    Args:
        store: Where its ledger is.
        account: Which.
        rhythm: When it is reconciled.
        turns: Shared by all watches: how many accounts are compared at once.
        random: Spreads runs and retries.
        told: Called with each run, and with what stopped the following.

    Attributes:
        ready: Set once the account was compared with its venue after its connection was made, with all that it was
            asked for, and until it is lost.
        last: The newest run; None before the first.
        trouble: What stopped the following, in words; empty while it goes on.
    """

    def __init__(
        self,
        store: Store,
        account: Account,
        *,
        rhythm: Rhythm,
        turns: asyncio.Semaphore,
        random: Random,
        told: Callable[["Watch"], None],
    ) -> None:
        self.ready = asyncio.Event()
        self.last: Run | None = None
        self.trouble = ""
        self._store = store
        self._account = account
        self._rhythm = rhythm
        self._turns = turns
        self._random = random
        self._told = told
        self._why: set[Trigger] = set()
        self._due = 0.0  # when the loop's time calls for a run, however many trades were checked meanwhile
        self._runs = Runs()
        self._woken = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def account(self) -> AccountId:
        """Whose watch it is."""
        return self._account.ledger.account

    def look(self, trigger: Trigger = "demand") -> None:
        """Reconcile as soon as it is this account's turn."""
        self._why.add(trigger)
        self._woken.set()

    def stop(self) -> None:
        """Let :meth:`run` finish the run it is at, and return."""
        self._ended.set()
        self._woken.set()

    async def run(self) -> None:
        """Watch until :meth:`stop`. Raises what is no venue's trouble, such as a disk that refuses."""
        failures = 0
        while not self._ended.is_set():
            began = asyncio.get_running_loop().time()
            try:
                async with self._account.connect() as venue:
                    await self._connected(venue)
            except VenueError as error:
                self.trouble = error.message
            self.ready.clear()
            if self._ended.is_set():
                return
            self._told(self)
            lasted = asyncio.get_running_loop().time() - began
            failures = 1 if lasted > self._rhythm.longest_rest_s else failures + 1
            await self._rest(failures)

    async def _connected(self, venue: LiveVenue) -> None:
        """Follow and reconcile over one connection, until either fails or somebody stops it.

        Who only wants reports has nothing booked by following either.
        """
        reports_only = self._account.policies.of(self.account, "").mode is Mode.REPORT
        follower = None if reports_only else self._follower(venue)
        begun = _at_once() if follower is None else follower.pulled
        tasks = [asyncio.create_task(self._reconcile(venue, begun), name=f"reconciling {self.account}")]
        if follower is not None:
            tasks.append(asyncio.create_task(follower.run(), name=f"following {self.account}"))
        ending = asyncio.create_task(self._ended.wait())
        try:
            done, _ = await asyncio.wait((*tasks, ending), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            if follower is not None:
                follower.stop()
            ending.cancel()
            await asyncio.wait(tasks, timeout=STOP_S if self._ended.is_set() else 0)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _follower(self, venue: LiveVenue) -> Follower:
        return Follower(
            self._account.ledger,
            venue,
            random=self._random,
            pace=Pace(pull_s=max(10 * self._rhythm.period_s, Pace().pull_s)),  # each run pulls as well
            acknowledged=self._acknowledged,
            caught_up=self._caught_up,
        )

    async def _reconcile(self, venue: LiveVenue, begun: asyncio.Event) -> None:
        reconciler = Reconciler(
            self._store,
            self._account.ledger,
            venue,
            policies=self._account.policies,
            stops_required=self._account.stops_required,
            turns=self._turns,
        )
        await begun.wait()
        self._why.clear()  # what the first pull brought is what the start is about
        trigger: Trigger = "start"
        try:
            while not self._ended.is_set():
                self.last = await reconciler.run(trigger, doubts=[RECONNECTED] if trigger == "reconnect" else ())
                if trigger != "trade":
                    self._due = asyncio.get_running_loop().time() + self._period()
                self.trouble = ""
                if all(one.found.kind is not Kind.STALE_SOURCE for one in self.last.findings):
                    self.ready.set()
                self._runs.count(self.last)
                self._told(self)
                if self._runs.due:
                    await self._count()
                trigger = await self._next()
        finally:
            await self._count()

    async def _count(self) -> None:
        """Put on record how often it was looked; what is not on record yet is lost with the process."""
        event = self._runs.taken(self.account)
        if event is not None:
            await served(self._account.ledger, partial(Ledger.decide_now, decide=lambda _: (event,)))

    async def _next(self) -> Trigger:
        """Wait until it is time, and why."""
        if asyncio.get_running_loop().time() >= self._due:
            return "periodic"
        try:
            async with asyncio.timeout_at(self._due):
                await self._woken.wait()
        except TimeoutError:
            return "periodic"
        if "trade" in self._why:
            await asyncio.sleep(self._rhythm.after_trade_s)
        self._woken.clear()
        why, self._why = self._why, set()
        return min(why, key=_URGENCY.index, default="periodic")

    def _period(self) -> float:
        return self._rhythm.period_s * (1.0 + self._rhythm.jitter * self._random.uniform(-1.0, 1.0))

    def _acknowledged(self, facts: Sequence[Fact], _receipt: Receipt) -> None:
        if any(isinstance(fact, FillBooked) for fact in facts):
            self.look("trade")

    def _caught_up(self, _pull: Pull) -> None:
        self.look("reconnect")

    async def _rest(self, failures: int) -> None:
        longest = min(self._rhythm.longest_rest_s, self._rhythm.rest_s * 2.0 ** (failures - 1))
        try:
            async with asyncio.timeout(longest * self._random.uniform(0.5, 1.0)):
                await self._ended.wait()
        except TimeoutError:
            return


def _at_once() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


async def watch(
    store: Store,
    accounts: Sequence[Account],
    *,
    random: Random,
    rhythm: Rhythm | None = None,
    told: Callable[[Watch], None],
    stop: asyncio.Event,
) -> None:
    """Watch accounts side by side until somebody says stop.

    Args:
        store: With their ledgers.
        accounts: Which.
        random: Spreads runs and retries.
        rhythm: When they are reconciled.
        told: Called with each run, and whenever the following of an account stops.
        stop: Set to end it.

    Raises:
        TrueupError: What is no venue's trouble; the others are stopped first.
    """
    rhythm = rhythm or Rhythm()
    turns = asyncio.Semaphore(rhythm.together)
    watches = [Watch(store, account, rhythm=rhythm, turns=turns, random=random, told=told) for account in accounts]
    tasks = [asyncio.create_task(each.run(), name=f"watching {each.account}") for each in watches]
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((stopping, *tasks), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        for each in watches:
            each.stop()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        task.result()
