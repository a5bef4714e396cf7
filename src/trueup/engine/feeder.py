"""Keeps the views behind the ledgers: one thread, one transaction at most every 20 ms, and a barrier for readers.

A reader at the barrier is not kept waiting for the pace: what it waits for is written at once.

Without the thread whoever owns the feeder steps it, and each step is one transaction.

What the views are given is true at one seq: it is taken while no batch is in progress. Views that fail do not stop the
booking; they are rebuilt from the journal.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Condition, Event, Lock, Thread

from trueup.engine.changes import change, forget_changes
from trueup.engine.ledger import Ledger
from trueup.model.errors import StorageError, ViewsFailed
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Change, Clock, Frame, Views

INTERVAL_S = 0.020
"""Least time between two transactions while nobody waits: what the views may lag when all is well."""

HEADS_INTERVAL_S = 1.0
"""Time between two notes of where the logs reach; the views say the same within milliseconds."""

EVENTS_MAX = 100_000
"""Events that may wait for the views before booking slows down to their pace: they are written in a second or two, and
a snapshot, which is taken with them, falls behind by no more."""

TROUBLES_MAX = 100
"""Notices kept for whoever looks; a full disk says the same many times."""

LAG_MAX_S = 30.0
"""How long booking waits for views that do not move; then they have failed, and booking goes on without them."""


SnapshotDue = Callable[[Ledger], Callable[[], object] | None]
"""Takes a snapshot of a ledger if one is due; the answer writes it to disk."""


class Feeder:
    """Feeds the views of any number of ledgers; a :class:`trueup.engine.ledger.Follower` of each.

    Args:
        views: To feed.
        clock: For the pace.
        snapshot_due: Asked about a ledger with each of its frames, so that snapshots stand as far apart as they should.
        background: Whether a thread feeds; else :meth:`step` does.

    Attributes:
        failed: Why the views are no longer fed; None while all is well.
        troubles: The newest snapshots and saved heads that could not be written, and why.
    """

    def __init__(self, views: Views, clock: Clock, snapshot_due: SnapshotDue, *, background: bool = True) -> None:
        self.views = views
        self.failed: ViewsFailed | None = None
        self.troubles: deque[str] = deque(maxlen=TROUBLES_MAX)
        self._clock = clock
        self._snapshot_due = snapshot_due
        self._snapshots: list[Callable[[], object]] = []
        self._taken: dict[AccountId, list[Callable[[], object]]] = {}
        self._ledgers: dict[AccountId, Ledger] = {}
        self._frames: dict[AccountId, list[Frame]] = {}
        self._keys: dict[AccountId, list[tuple[str, Seq]]] = {}
        self._applied: dict[AccountId, Seq] = {}
        self._waiting = 0
        self._heads_saved = 0.0
        self._feeding = Lock()
        self._moved = Condition()
        self._bell = Event()
        self._hurry = Event()
        self._closing = Event()
        self._thread: Thread | None = None
        if background:
            self._thread = Thread(target=self._run, name="views", daemon=True)
            self._thread.start()

    def follow(self, ledger: Ledger, applied: Seq) -> None:
        """Feed a ledger's frames after ``applied``, the last seq the views have."""
        self._applied[ledger.account] = applied
        self._frames[ledger.account] = []
        self._keys[ledger.account] = []
        self._taken[ledger.account] = []
        self._ledgers[ledger.account] = ledger

    def leave(self, account: AccountId) -> None:
        """Stop feeding a ledger's frames, if they are fed."""
        if account not in self._ledgers:
            return
        with self._feeding, self._ledgers[account].turn:
            with self._moved:
                self._waiting -= sum(frame.count for frame in self._frames[account])
            for table in (self._ledgers, self._frames, self._keys, self._taken, self._applied):
                del table[account]

    def room(self) -> None:
        """Wait until the views have caught up enough for one more frame."""
        if self._waiting >= EVENTS_MAX and self.failed is None:
            if self._thread is None:
                self.step()
                return
            with self._moved:
                if not self._moved.wait_for(lambda: self._waiting < EVENTS_MAX, LAG_MAX_S):
                    self.fail(ViewsFailed(f"The views did not move for {LAG_MAX_S:.0f} s.", remedy=_REBUILD))

    def frame(self, ledger: AccountId, frame: Frame, keys: Sequence[tuple[str, Seq]]) -> None:
        """A frame is durable."""
        if self.failed is not None:
            forget_changes(self._ledgers[ledger].book)  # nobody will take them
            return
        self._frames[ledger].append(frame)
        self._keys[ledger].extend(keys)
        if (keep := self._snapshot_due(self._ledgers[ledger])) is not None:
            self._taken[ledger].append(keep)
        with self._moved:
            self._waiting += frame.count
        if not self._bell.is_set():
            self._bell.set()

    def wait(self, ledger: AccountId, seq: Seq, timeout_ms: int) -> bool:
        """Whether the views hold ``seq`` of a ledger within the time: the barrier for reading one's own writes."""
        if self._thread is None:
            self.step()
            timeout_ms = 0  # nobody else will
        with self._moved:
            if not self._done(ledger, seq):
                self._hurry.set()
            if not self._moved.wait_for(lambda: self._done(ledger, seq), timeout_ms / 1000):
                return False
            return self.failed is None and ledger in self._applied

    def step(self) -> None:
        """Feed what is pending in one transaction, and keep the notes that are due."""
        with self._feeding:
            try:
                self._feed()
            except Exception as error:  # noqa: BLE001 - handed to whoever waits for the views
                self.fail(ViewsFailed(f"The views could not be fed: {error!r}.", remedy=_REBUILD))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is fed within."""
        with self._feeding:
            yield

    def resume(self, views: Views) -> None:
        """Feed other views from now on, which hold all that their logs hold. The caller holds every turn, paused."""
        self.views, self.failed = views, None
        for ledger in list(self._ledgers.values()):
            forget_changes(ledger.book)
            ledger.keys.views_answer()
            self.follow(ledger, views.applied(ledger.account))

    def fail(self, failure: ViewsFailed) -> None:
        """Feed the views no more, and tell whoever waits for them."""
        with self._moved:
            self.failed = failure
            for account in self._frames:
                self._frames[account], self._keys[account], self._taken[account] = [], [], []
            self._waiting = 0
            self._moved.notify_all()

    def close(self) -> None:
        """Feed what is pending, then stop."""
        self._closing.set()
        self._bell.set()
        self._hurry.set()
        if self._thread is not None:
            self._thread.join()
        self.step()

    def _done(self, ledger: AccountId, seq: Seq) -> bool:
        return self.failed is not None or self._applied.get(ledger, seq) >= seq

    def _run(self) -> None:
        while not self._closing.is_set():
            self._bell.wait()
            self._bell.clear()
            self._hurry.clear()
            started = self._clock.monotonic()
            self.step()
            if not self._closing.is_set():
                self._hurry.wait(max(0.0, INTERVAL_S - (self._clock.monotonic() - started)))

    def _feed(self) -> None:
        self._snapshots.clear()
        changes = [taken for ledger in list(self._ledgers.values()) if (taken := self._take(ledger)) is not None]
        if not changes:
            return
        try:
            self.views.apply(changes)
        except ViewsFailed as failure:
            self.fail(failure)
            return
        with self._moved:
            for applied in changes:
                if applied.seq > self._applied.get(applied.ledger, applied.seq):  # else it left or was reopened
                    self._applied[applied.ledger] = applied.seq
                self._waiting -= sum(frame.count for frame in applied.frames)
            self._moved.notify_all()
        try:
            self._keep_notes()
        except StorageError as trouble:  # snapshots and saved heads only make a start faster and safer
            self.troubles.append(str(trouble))

    def _keep_notes(self) -> None:
        # A snapshot is kept only when the views hold what it holds: a start brings them forward, never back.
        for keep in self._snapshots:
            keep()
        if self._clock.monotonic() - self._heads_saved >= HEADS_INTERVAL_S:
            self._heads_saved = self._clock.monotonic()
            for ledger in list(self._ledgers.values()):
                with ledger.turn:
                    if ledger.failed is None:
                        ledger.journal.save_head()

    def _take(self, ledger: Ledger) -> Change | None:
        account = ledger.account
        with ledger.turn:
            if not self._frames.get(account) or self.failed is not None or not ledger.whole:
                return None
            ledger.keys.forget_old(self._applied[account])
            frames, self._frames[account] = self._frames[account], []
            keys, self._keys[account] = self._keys[account], []
            self._snapshots += self._taken[account]
            self._taken[account] = []
            return change(ledger.book, frames, keys)


_REBUILD = "The journal is not affected; run `trueup views rebuild`."
