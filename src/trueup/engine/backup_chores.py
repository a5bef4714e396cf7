"""Backups that take themselves: what is new is copied, old backups go, and now and then one is restored to prove it.

What lives only here: when. A destination that fails never stops the booking; the caretaker tries again.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Protocol

import msgspec

from trueup.engine.backing_up import Advance, Made, back_up, finished, prune
from trueup.engine.proving import newest
from trueup.engine.store import Store
from trueup.journal.backup import manifests
from trueup.journal.backup.destination import Destination
from trueup.journal.backup.retention import Keep
from trueup.model.identifiers import AccountId, Seq
from trueup.model.times import NS_PER_SECOND
from trueup.ports import Clock

POLL_S = 1.0
"""Between two looks at how much is new."""

EVERY_LEDGER_S = 3_600.0
"""Between two backups that open ledgers which nobody has opened; in between those are as they were."""

PRUNE_S = 600.0
TEST_POLL_S = 5.0
TEST_LOOK_S = 60.0

OpenDestination = Callable[[], Destination]
"""Opens the destination, which may not be there yet. Raises :class:`BackupFailed` or :class:`NotFound`."""


class Schedule(msgspec.Struct, frozen=True):
    """How often.

    Attributes:
        interval_s, events: The newest events are copied when the oldest of them is so many seconds old, or when there
            are so many of them.
        keep: Which backups are kept.
        test_interval_s: Between two restores that prove the newest backup.
    """

    interval_s: float = 10.0
    events: int = 10_000
    keep: Keep = Keep()
    test_interval_s: float = 86_400.0


class BackupChore:
    """Copies what is new, and lets old backups go. A :class:`trueup.engine.caretaker.LastingChore`.

    Attributes:
        findings: What the last backup could not hold, in sentences for a person.
    """

    name = "backup"

    def __init__(self, store: Store, destination: OpenDestination, schedule: Schedule) -> None:
        self.findings: Sequence[str] = ()
        self._store = store
        self._open = destination
        self._destination: Destination | None = None
        self._schedule = schedule
        self._run: Generator[Advance, None, Made] | None = None
        self._held: Mapping[AccountId, Seq] = {}
        self._last: float | None = None
        self._whole: float | None = None
        self._pruned: float | None = None

    def step(self) -> float:
        """Pack one chunk of a backup in progress, or see whether one is due."""
        if self._run is None:
            if not self._due():
                self._prune_if_due()
                return POLL_S
            self._run = self._begin(quiet=False)
        try:
            next(self._run)
        except StopIteration as end:
            self._run = None
            self._ended(end.value)
            return POLL_S
        except BaseException:
            self._run = self._destination = None  # it is opened anew: another disk may be mounted by then
            raise
        return 0.0

    def finish(self) -> Sequence[str]:
        """Copy what is left, and note the state of every book, now that nobody waits for it; what it could not hold."""
        self._run = None
        self._ended(finished(self._begin(quiet=True)))
        return self.findings

    def _begin(self, *, quiet: bool) -> Generator[Advance, None, Made]:
        if self._destination is None:
            self._destination = self._open()
        now = self._now()
        every = self._whole is None or now - self._whole >= EVERY_LEDGER_S
        if every:
            self._whole = now
        self._last = now
        accounts = None if every else list(self._store.heads())
        return back_up(self._store, self._destination, accounts, quiet=quiet)

    def _ended(self, made: Made) -> None:
        self.findings = made.findings
        self._held = {ledger.account: ledger.head_seq for ledger in made.manifest.ledgers}

    def _due(self) -> bool:
        if self._last is None:
            return True
        new = [seq - self._held.get(account, 0) for account, seq in self._store.heads().items()]
        if sum(max(0, count) for count in new) >= self._schedule.events:
            return True
        return any(new) and self._now() - self._last >= self._schedule.interval_s

    def _prune_if_due(self) -> None:
        if self._destination is not None and (self._pruned is None or self._now() - self._pruned >= PRUNE_S):
            self._pruned = self._now()
            prune(self._destination, self._schedule.keep, self._store.clock.now())

    def _now(self) -> float:
        return self._store.clock.monotonic()


class RestoreTest(Protocol):
    """A restore of a backup into a scratch place that was begun, most likely in a process of its own."""

    def ended(self) -> bool:
        """Whether it is over.

        Raises:
            BackupDamaged: It is, and the backup did not come back.
        """
        ...

    def stop(self) -> None:
        """End it, if it is not over."""
        ...


BeginTest = Callable[[str], RestoreTest]
"""Begins to prove the backup of that name."""


class RestoreTestChore:
    """Proves the newest backup on schedule. A :class:`trueup.engine.caretaker.LastingChore`."""

    name = "restore test"

    def __init__(self, destination: OpenDestination, begin: BeginTest, clock: Clock, schedule: Schedule) -> None:
        self._open = destination
        self._begin = begin
        self._clock = clock
        self._schedule = schedule
        self._running: RestoreTest | None = None
        self._proved: float | None = None

    def step(self) -> float:
        """See whether the test in progress is over, or one is due."""
        if self._running is None:
            destination = self._open()
            if self._due(destination):
                self._running = self._begin(newest(destination))
                return TEST_POLL_S
            return TEST_LOOK_S
        running, self._running = self._running, None
        if running.ended():
            self._proved = self._clock.monotonic()
            return TEST_LOOK_S
        self._running = running
        return TEST_POLL_S

    def finish(self) -> Sequence[str]:
        """Give up a test in progress: the next process that keeps backups begins it again."""
        if self._running is not None:
            self._running.stop()
        return ()

    def _due(self, destination: Destination) -> bool:
        backups = manifests.listed(destination)
        if not backups or backups[-1].proven:
            return False
        interval = self._schedule.test_interval_s
        if self._proved is not None and self._clock.monotonic() - self._proved < interval:
            return False
        proven = max((backup.created_at for backup in backups if backup.proven), default=0)
        return not 0 <= self._clock.now() - proven < interval * NS_PER_SECOND  # the clock may have been set back
