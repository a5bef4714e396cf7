"""Everything one process keeps: its ledgers, opened when first asked for, and the views over all of them.

A start follows what is open, not how long history is: verify the tail of the log, load the snapshot, fold what came
after it, bring the views up to the log, and only then let anybody book.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from threading import Lock, RLock
from typing import Self, TypeVar

from trueup.book.book import Book
from trueup.book.snapshot import snapshot_and_hash
from trueup.engine.caretaker import Caretaker, Chore
from trueup.engine.feeder import Feeder
from trueup.engine.keys import Keys
from trueup.engine.ledger import Ledger
from trueup.engine.past import Past
from trueup.engine.rebuilding import LiveRebuild, Progress, bring_up, rebuild_views, silent
from trueup.engine.resuming import resumed
from trueup.engine.together import Together
from trueup.journal.milestones import SPACING, events_between
from trueup.model.errors import BadInput, JournalDamaged, StorageError, TrueupError, ViewsFailed
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Clock, Milestone, OpenedLedger, Storage, Views

Opened = TypeVar("Opened")

SNAPSHOT_EVENTS = SPACING
"""Events after which a snapshot is taken while running; more where there are thousands of positions."""

SYNC_WAIT_MS = 60_000
"""How long a reader waits for the views to hold what it just wrote."""


class Store:
    """Ledgers and views of one data directory. Made by :meth:`open`.

    Attributes:
        findings: What the start found, healed or rebuilt, in sentences for a person, by ledger; once it is closed, what
            failed at the end too.
        caretaker: Does the chores; without threads the caller steps it.
    """

    def __init__(self, storage: Storage, clock: Clock, views: Views, *, background: bool = True) -> None:
        self.clock = clock
        self.views = views
        self.findings: list[str] = []
        self._storage = storage
        self._feeder = (
            Together(self._snapshot_due)
            if storage.together
            else Feeder(views, clock, self._snapshot_due, background=background)
        )
        self._ledgers: dict[AccountId, Ledger] = {}
        self._taken: dict[AccountId, Seq] = {}  # the newest snapshot, which may not be written yet
        self._kept: dict[AccountId, Seq] = {}
        self._suspect: set[AccountId] = set()
        self._opening = RLock()
        self._rebuilding = Lock()
        self.caretaker = Caretaker(clock, background=background)

    @classmethod
    def open(cls, storage: Storage, clock: Clock, progress: Progress = silent, *, background: bool = True) -> Self:
        """Open the views, rebuilding them when they are damaged. Ledgers open when asked for.

        A ledger that is damaged as well, and that no copy heals, is left out of them: it stays closed, others open.

        Args:
            storage: Whose; owned by this store from now on.
            clock: The time.
            progress: Called as the views advance.
            background: Whether threads feed the views and keep snapshots; else :meth:`step` does.
        """
        try:
            return cls(storage, clock, storage.views(), background=background)
        except ViewsFailed as failure:
            healed: list[str] = []
            views = rebuild_views(storage, progress, healed.append, leave_out_damaged=True)
            store = cls(storage, clock, views, background=background)
            store.findings.append(f"views: {failure.message} They were rebuilt from the log; the old file is kept.")
            store.findings.extend(healed)
            return store

    def accounts(self) -> Sequence[AccountId]:
        """Every ledger there is: by its log, or by the copy of a log that was lost."""
        return sorted({*self._storage.ledgers(), *self.views.ledgers()})

    def ledger(self, account: AccountId, progress: Progress = silent) -> Ledger:
        """The ledger of an account, opened and verified on first use, made when there is none.

        Raises:
            JournalDamaged: Its log is damaged and no copy heals it; other accounts are not affected.
            JournalFailed: The disk refused.
        """
        if (ledger := self._ledgers.get(account)) is not None:
            return ledger
        with self._opening:
            return self._ledgers.get(account) or self._opened_anew(account, progress)

    def reopen(self, account: AccountId) -> Ledger:
        """Begin a ledger again from what the disk really holds, after a failed write or sync, or damage.

        Damage is healed from the views where they hold what was lost; who holds the ledger goes on with it.

        Raises:
            JournalDamaged: No copy heals it; the ledger stays fenced, others are not affected.
            JournalFailed: The disk refused.
        """
        with self._opening:
            ledger = self.ledger(account)
            if isinstance(ledger.failed, JournalDamaged):
                self._suspect.add(account)
            if ledger.whole:  # fenced: what is durable and not in the views yet is a copy that may be needed
                self._feeder.wait(account, ledger.head.seq, SYNC_WAIT_MS)
            self._feeder.leave(account)
            self._with_views(lambda: ledger.reopen(lambda: self._feeder.follow(ledger, ledger.book.seq)))
            return ledger

    def fenced(self) -> Mapping[AccountId, StorageError]:
        """The open ledgers that book nothing, each with the reason."""
        return {account: ledger.failed for account, ledger in list(self._ledgers.items()) if ledger.failed is not None}

    @property
    def views_failed(self) -> ViewsFailed | None:
        """Why the views are no longer fed; None while all is well."""
        return self._feeder.failed

    def fail_views(self, failure: ViewsFailed) -> None:
        """Feed the views no more: they were found damaged. Booking goes on; :meth:`rebuild_views` makes them anew."""
        if isinstance(self._feeder, Feeder):
            self._feeder.fail(failure)

    def rebuild_views(self, progress: Progress = silent) -> None:
        """Make the views anew while the ledgers go on booking; what stood there is kept aside.

        Raises:
            ViewsFailed: New ones cannot be written either, or somebody else makes them anew; booking goes on without.
            JournalFailed: The disk refused a log that nobody has open.
        """
        if not isinstance(self._feeder, Feeder):  # written with each frame: a rebuilding is a migration there
            return
        meanwhile = ViewsFailed("The views are being made anew.", remedy="Try again in a while.")
        if not self._rebuilding.acquire(blocking=False):
            raise meanwhile
        self._feeder.fail(meanwhile)
        try:
            self._rebuild(self._feeder, progress)
        except TrueupError as failure:
            told = f"The views could not be made anew: {failure.message}"
            self._feeder.fail(ViewsFailed(told, remedy=failure.remedy))
            raise
        finally:
            self._rebuilding.release()

    def _rebuild(self, feeder: Feeder, progress: Progress) -> None:
        rebuild = LiveRebuild(self._storage, self.views, progress)
        try:
            with self._opening:
                for account in sorted({*self._storage.ledgers()} - self._ledgers.keys()):
                    rebuild.stored(account)
            for ledger in list(self._ledgers.values()):
                rebuild.advance(ledger)
            with self._opening, feeder.paused(), ExitStack() as still:
                for _, ledger in sorted(self._ledgers.items()):
                    still.enter_context(ledger.turn)
                    rebuild.advance(ledger)
                self.views = rebuild.finish()
                feeder.resume(self.views)
        except BaseException:
            rebuild.give_up()
            raise

    def synced(self, account: AccountId) -> Seq:
        """Wait until the views hold everything booked so far; returns that seq.

        Raises:
            ViewsFailed: They do not get there.
        """
        seq = self.ledger(account).head.seq
        if not self._feeder.wait(account, seq, SYNC_WAIT_MS):
            raise self._feeder.failed or ViewsFailed(
                f"The views did not reach seq {seq} of {account} in {SYNC_WAIT_MS // 1000} s.",
                remedy="Try again when the disk is less busy, or run `trueup views rebuild`.",
            )
        return seq

    def milestones(self, account: AccountId) -> Sequence[Seq]:
        """Where folded states of a ledger's past are kept, ascending."""
        return self._storage.milestones(account)

    def milestone(self, account: AccountId, seq: Seq) -> Milestone | None:
        """The state kept at a seq; None where there is none that can be used."""
        return self._storage.milestone(account, seq)

    def drop_milestone(self, account: AccountId, seq: Seq) -> None:
        """Delete a state that proved to be wrong."""
        self._storage.drop_milestone(account, seq)

    @property
    def together(self) -> bool:
        """Whether the views are written with each frame, and hold no copy of it."""
        return self._storage.together

    def open_ledgers(self) -> Sequence[Ledger]:
        """The ledgers that were asked for."""
        return [ledger for _, ledger in sorted(self._ledgers.items())]

    def heads(self) -> Mapping[AccountId, Seq]:
        """The last durable seq of every ledger that is open."""
        return {account: ledger.head.seq for account, ledger in list(self._ledgers.items())}

    def step(self) -> None:
        """Do once what threads do in the background: feed the views, save heads, write snapshots that are due."""
        self._feeder.step()

    def chores(self, chores: Sequence[Chore]) -> None:
        """Have some work done beside the booking until the store is closed."""
        self.caretaker.add(chores)

    def close(self) -> None:
        """Stop booking, let the views catch up, keep snapshots, end the chores, and let others have the directory."""
        self.caretaker.stop()
        with self._opening, ExitStack() as last:
            last.callback(self._storage.close)
            last.callback(self.views.close)
            last.callback(self._close_ledgers)
            for ledger in self._ledgers.values():
                ledger.stop()
            self._feeder.close()
            try:
                self._keep_snapshots()
            except StorageError as trouble:  # they only make the next start faster
                self.findings.append(f"the newest snapshots could not be kept: {trouble}")
            self.findings.extend(self.caretaker.finish())

    def _keep_snapshots(self) -> None:
        for ledger in self._ledgers.values():
            whole = self._feeder.failed is None and ledger.failed is None and ledger.whole
            if whole and ledger.book.seq > self._kept[ledger.account]:
                self._snapshot(ledger)()

    def _close_ledgers(self) -> None:
        """All of them, those that a chore opened at the end too, even if one cannot be closed."""
        with ExitStack() as each:
            for ledger in self._ledgers.values():
                each.callback(ledger.close)

    def _open(self, account: AccountId, progress: Progress) -> Ledger:
        ledger = Ledger(account, lambda: self._folded(account, progress), self.clock, self._feeder)
        self._ledgers[account] = ledger
        self._feeder.follow(ledger, ledger.book.seq)
        return ledger

    def _opened_anew(self, account: AccountId, progress: Progress) -> Ledger:
        """A ledger; damage that only its opening meets, in its log or the views, is mended first."""
        try:
            return self._with_views(lambda: self._open(account, progress), progress)
        except JournalDamaged:
            if account in self._suspect:
                raise
            self._suspect.add(account)
            return self._with_views(lambda: self._open(account, progress), progress)

    def _with_views(self, opened: Callable[[], Opened], progress: Progress = silent) -> Opened:
        """Open a ledger, which needs the views; where they fail, they are made anew first."""
        try:
            return opened()
        except ViewsFailed as failure:
            if self.together:
                raise
            self.rebuild_views(progress)
            self.findings.append(f"views: {failure.message} They were made anew from the log; the old file is kept.")
            return opened()

    def _folded(self, account: AccountId, progress: Progress) -> tuple[Past, Book, Keys]:
        """A ledger as it is stored, in memory and in the views."""
        past, book = self._begin(account)
        self._taken[account] = self._kept[account] = book.seq
        try:
            bring_up(book, past, self.views, progress)
            return past, book, Keys(lambda names: self.views.find(account, names), self.views.keys(account), past)
        except BaseException:
            past.journal.close()
            raise

    def _begin(self, account: AccountId) -> tuple[Past, Book]:
        """A ledger's log, and the book to fold the rest of it into: from the snapshot, or else empty."""
        if account in self._suspect:  # the damage may stand before the snapshot: all of it is read, and healed
            self._opened(account, snapshot=False).journal.close()
            self._suspect.discard(account)
        opened = self._opened(account)
        past = Past(opened.journal)
        if opened.state is None:
            return past, Book(account, past)
        behind = self.views.applied(account) < opened.after
        try:
            book = resumed(account, opened.after, opened.state, opened.state_hash, past)
            if not behind:
                return past, book
        except BadInput as refused:
            self.findings.append(f"{account}: {refused.message}; passed over, the log was folded from its start")
        opened.journal.close()
        past = Past(self._opened(account, snapshot=False).journal)  # all of it, healed from the views as they are
        if behind:  # an older database: its rows cannot be brought forward
            self.views.forget(account)
        return past, Book(account, past)

    def _opened(self, account: AccountId, *, snapshot: bool = True) -> OpenedLedger:
        opened = self._storage.open_ledger(account, self.views, snapshot=snapshot)
        self.findings.extend(f"{account}: {finding}" for finding in opened.findings)
        return opened

    def _snapshot_due(self, ledger: Ledger) -> Callable[[], object] | None:
        """Take a snapshot of a ledger whose turn is held, if enough happened; the answer writes it to disk."""
        book = ledger.book
        due = self._taken[ledger.account] + events_between(len(book.tracks), SNAPSHOT_EVENTS)
        return self._snapshot(ledger) if book.seq >= due else None

    def _snapshot(self, ledger: Ledger) -> Callable[[], object]:
        account, seq = ledger.account, ledger.book.seq
        self._taken[account] = seq
        write = self._storage.snapshot(ledger.journal, *snapshot_and_hash(ledger.book))

        def keep() -> None:
            write()
            self._kept[account] = seq

        return keep
