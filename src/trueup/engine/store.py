"""Everything one process keeps: its ledgers, opened when first asked for, and the views over all of them.

A start follows what is open, not how long history is: verify the tail of the log, load the snapshot, fold what came
after it, bring the views up to the log, and only then let anybody book.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from threading import RLock
from typing import Self

from trueup.book.book import Book
from trueup.book.snapshot import snapshot_and_hash
from trueup.engine.changes import change, fold
from trueup.engine.feeder import Feeder
from trueup.engine.keys import Keys
from trueup.engine.ledger import Ledger
from trueup.engine.past import Past
from trueup.engine.resuming import resumed
from trueup.engine.together import Together
from trueup.journal.milestones import SPACING, events_between
from trueup.model.errors import BadInput, JournalDamaged, ViewsFailed
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Clock, Frame, Milestone, OpenedLedger, Storage, Views

CATCH_UP_FRAMES = 256
"""Frames per transaction while views are brought up to a log."""

SNAPSHOT_EVENTS = SPACING
"""Events after which a snapshot is taken while running; more where there are thousands of positions."""

SYNC_WAIT_MS = 60_000
"""How long a reader waits for the views to hold what it just wrote."""

Progress = Callable[[AccountId, Seq, Seq], None]
"""Told of a ledger, the seq reached and the seq to reach."""


def _silent(_ledger: AccountId, _seq: Seq, _head: Seq) -> None:
    """Nobody watches."""


Note = Callable[[str], object]
"""Told a sentence for a person."""


def _unsaid(_sentence: str) -> None:
    """Nobody listens."""


class Store:
    """Ledgers and views of one data directory. Made by :meth:`open`.

    Attributes:
        findings: What the start found, healed or rebuilt, in sentences for a person, by ledger.
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
        self._snapshots: dict[AccountId, Seq] = {}
        self._opening = RLock()

    @classmethod
    def open(cls, storage: Storage, clock: Clock, progress: Progress = _silent, *, background: bool = True) -> Self:
        """Open the views, rebuilding them when they are damaged. Ledgers open when asked for.

        Args:
            storage: Whose; owned by this store from now on.
            clock: The time.
            progress: Called as the views advance.
            background: Whether threads feed the views and keep snapshots; else :meth:`step` does.

        Raises:
            JournalDamaged: The views are damaged and so is a log they are to be rebuilt from.
        """
        try:
            return cls(storage, clock, storage.views(), background=background)
        except ViewsFailed as failure:
            healed: list[str] = []
            store = cls(storage, clock, rebuild_views(storage, progress, healed.append), background=background)
            store.findings.append(f"views: {failure.message} They were rebuilt from the log; the old file is kept.")
            store.findings.extend(healed)
            return store

    def accounts(self) -> Sequence[AccountId]:
        """Every ledger there is: by its log, or by the copy of a log that was lost."""
        return sorted({*self._storage.ledgers(), *self.views.ledgers()})

    def ledger(self, account: AccountId, progress: Progress = _silent) -> Ledger:
        """The ledger of an account, opened and verified on first use, made when there is none.

        Raises:
            JournalDamaged: Its log is damaged and no copy heals it; other accounts are not affected.
            JournalFailed: The disk refused.
        """
        with self._opening:
            ledger = self._ledgers.get(account)
            if ledger is None:
                ledger = self._open(account, progress)
            return ledger

    def reopen(self, account: AccountId) -> Ledger:
        """Start a ledger anew from what the disk really holds, after a failed write or sync."""
        with self._opening:
            ledger = self._ledgers.pop(account)
            self._feeder.leave(account)
            ledger.close()
            return self.ledger(account)

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

    def step(self) -> None:
        """Do once what threads do in the background: feed the views, save heads, write snapshots that are due."""
        self._feeder.step()

    def close(self) -> None:
        """Stop booking, let the views catch up, keep snapshots, and let others have the directory."""
        with self._opening, ExitStack() as last:
            last.callback(self._storage.close)
            last.callback(self.views.close)
            for ledger in self._ledgers.values():
                ledger.stop()
                last.callback(ledger.close)
            self._feeder.close()
            for ledger in self._ledgers.values():
                if self._feeder.failed is None and ledger.whole and (keep := self._snapshot_due(ledger, least=1)):
                    keep()

    def _open(self, account: AccountId, progress: Progress) -> Ledger:
        ledger = Ledger(account, lambda: self._folded(account, progress), self.clock, self._feeder)
        self._ledgers[account] = ledger
        self._feeder.follow(ledger, ledger.book.seq)
        return ledger

    def _folded(self, account: AccountId, progress: Progress) -> tuple[Past, Book, Keys]:
        """A ledger as it is stored, in memory and in the views."""
        past, book = self._begin(account)
        self._snapshots[account] = book.seq
        bring_up(book, past, self.views, progress)
        return past, book, Keys(lambda names: self.views.find(account, names), self.views.keys(account), past)

    def _begin(self, account: AccountId) -> tuple[Past, Book]:
        """A ledger's log, and the book to fold the rest of it into: from the snapshot, or else empty."""
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

    def _snapshot_due(self, ledger: Ledger, least: int | None = None) -> Callable[[], object] | None:
        """Take a snapshot of a ledger whose turn is held, if enough happened; the answer writes it to disk."""
        book = ledger.book
        if least is None:
            least = events_between(len(book.tracks), SNAPSHOT_EVENTS)
        if book.seq - self._snapshots[ledger.account] < least:
            return None
        self._snapshots[ledger.account] = book.seq
        return self._storage.snapshot(ledger.journal, *snapshot_and_hash(book))


def rebuild_views(storage: Storage, progress: Progress = _silent, note: Note = _unsaid) -> Views:
    """Make the views anew from the logs and put them in the place of the old ones, which are kept aside.

    The old ones hold the second copy of every log. Where a log has lost something, they heal it before they go.

    Args:
        storage: Whose views.
        progress: Called as the views advance.
        note: Told of what was found and healed in a log, in sentences.

    Raises:
        JournalDamaged: A log is damaged or gone, and no copy heals it; the views as they are stay.
    """
    with ExitStack() as held:
        old, reached = _old_views(storage)
        if old is not None:
            held.callback(old.close)
        unless_done = held.enter_context(ExitStack())
        views = storage.new_views()
        unless_done.callback(views.close)
        for account in sorted({*storage.ledgers(), *reached}):
            opened = _whole_log(storage, account, old, reached.get(account, Seq(0)))
            with closing(opened.journal):
                for finding in opened.findings:
                    note(f"{account}: {finding}")
                past = Past(opened.journal)
                bring_up(Book(account, past), past, views, progress)
        unless_done.pop_all()
    return storage.replace_views(views)


def bring_up(
    book: Book, past: Past, views: Views, progress: Progress = _silent, *, until: Seq | None = None
) -> None:
    """Fold a log from where the book stands to its head, or to a seq, and give the views what they lack."""
    applied, head = views.applied(book.account), past.journal.head.seq
    frames: list[Frame] = []
    keys: list[tuple[str, Seq]] = []
    for frame in past.journal.read(book.seq):
        if until is not None and frame.last > until:
            break
        past.until = frame.last
        booked = fold(book, frame)
        if frame.last > applied:
            frames.append(frame)
            keys.extend(booked)
        if len(frames) >= CATCH_UP_FRAMES:
            views.apply([change(book, frames, keys)])
            frames, keys = [], []
            progress(book.account, book.seq, head)
    if frames:
        views.apply([change(book, frames, keys)])
    past.until = None
    progress(book.account, book.seq, head)


def _old_views(storage: Storage) -> tuple[Views | None, Mapping[AccountId, Seq]]:
    """The views before they are made anew, and how far they hold each ledger; None when they cannot be read."""
    try:
        views = storage.views()
    except ViewsFailed:
        return None, {}
    try:
        return views, {account: views.applied(account) for account in views.ledgers()}
    except ViewsFailed:
        views.close()
        return None, {}


def _whole_log(storage: Storage, account: AccountId, old: Views | None, reached: Seq) -> OpenedLedger:
    """A log from its start, healed from the old views; without them only if it holds all that they did."""
    try:
        return storage.open_ledger(account, old, snapshot=False)
    except ViewsFailed as failure:
        opened = storage.open_ledger(account, None, snapshot=False)
        head = opened.journal.head.seq
        if head >= reached:
            return opened
        opened.journal.close()
        raise JournalDamaged(
            f"The log of {account} ends at seq {head}. The views hold it up to seq {reached}, and not all of that can "
            f"be read: {failure.message}",
            remedy="The views stay as they are. Restore the data directory from a copy.",
        ) from failure
