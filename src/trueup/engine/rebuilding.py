"""Making the views anew from the logs, whether a store is open or not.

A log is folded from its start beside the present views, which are replaced once the new ones hold all of it. In an open
store the ledgers go on booking meanwhile: only for the last frames, and the exchange of the files, do they stand still.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager

from trueup.book.book import Book
from trueup.engine.changes import change, fold, identities
from trueup.engine.ledger import Ledger
from trueup.engine.past import Past
from trueup.model.errors import JournalDamaged, ViewsFailed
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Frame, OpenedLedger, Storage, Views

CATCH_UP_FRAMES = 256
"""Frames per transaction while views are brought up to a log."""

Progress = Callable[[AccountId, Seq, Seq], None]
"""Told of a ledger, the seq reached and the seq to reach."""

Note = Callable[[str], object]
"""Told a sentence for a person."""


def silent(_ledger: AccountId, _seq: Seq, _head: Seq) -> None:
    """Nobody watches."""


def unsaid(_sentence: str) -> None:
    """Nobody listens."""


def rebuild_views(
    storage: Storage, progress: Progress = silent, note: Note = unsaid, *, leave_out_damaged: bool = False
) -> Views:
    """Make the views of a store that is not open anew, and put them in the place of the old ones, which are kept aside.

    The old ones hold the second copy of every log. Where a log has lost something, they heal it before they go.

    Args:
        storage: Whose views.
        progress: Called as the views advance.
        note: Told of what was found and healed in a log, in sentences.
        leave_out_damaged: Whether to go on without a ledger that no copy heals. The old database then is its last copy
            and is kept for good.

    Raises:
        JournalDamaged: A log is damaged or gone, and no copy heals it; the views as they are stay.
    """
    damaged = False
    with ExitStack() as held:
        old, reached = _old_views(storage)
        if old is not None:
            held.callback(old.close)
        views = held.enter_context(_new_views(storage))
        for account in sorted({*storage.ledgers(), *reached}):
            try:
                opened = _whole_log(storage, account, old, reached.get(account, Seq(0)))
            except JournalDamaged as damage:
                if not leave_out_damaged:
                    raise
                damaged = True
                note(f"{account}: {damage}")
                continue
            with closing(opened.journal):
                for finding in opened.findings:
                    note(f"{account}: {finding}")
                past = Past(opened.journal)
                bring_up(Book(account, past), past, views, progress)
    return storage.replace_views(views, last_copy=damaged)


class LiveRebuild:
    """New views for an open store, brought up beside ledgers that go on booking.

    Args:
        storage: Whose views.
        old: The present ones, as far as they can still be read.
        progress: Called as the views advance.

    Attributes:
        damaged: Ledgers whose logs could not be read to their ends.
    """

    def __init__(self, storage: Storage, old: Views, progress: Progress) -> None:
        self.damaged: set[AccountId] = set()
        self._storage = storage
        self._old = old
        self._progress = progress
        self._views = storage.new_views()
        self._begun: dict[AccountId, tuple[Past, Book]] = {}

    def stored(self, account: AccountId) -> None:
        """Bring up the views of a ledger that nobody has open, and that nobody may open meanwhile."""
        try:
            opened = _whole_log(self._storage, account, self._old, Seq(0))
        except JournalDamaged:
            self.damaged.add(account)
            return
        with closing(opened.journal):
            past = Past(opened.journal)
            bring_up(Book(account, past), past, self._views, self._progress)

    def advance(self, ledger: Ledger) -> None:
        """Bring up the views of an open ledger to where it is now."""
        past, book = self._begun.get(ledger.account) or _beginning(ledger)
        self._begun[ledger.account] = past, book
        past.journal = ledger.journal  # another one once the ledger was reopened
        try:
            bring_up(book, past, self._views, self._progress)
        except JournalDamaged as damage:
            ledger.fence(damage)
            self.damaged.add(ledger.account)

    def finish(self) -> Views:
        """Put the new views in the place of the old ones, which stay open where the disk refuses."""
        return self._storage.replace_views(self._views, self._old, last_copy=bool(self.damaged))

    def give_up(self) -> None:
        """Leave the views as they are."""
        self._views.close()


def bring_up(book: Book, past: Past, views: Views, progress: Progress = silent, *, until: Seq | None = None) -> None:
    """Fold a log from where the book stands to its head, or to a seq, and give the views what they lack."""
    applied, head = views.applied(book.account), past.journal.head.seq
    frames: list[Frame] = []
    keys: list[tuple[str, Seq]] = []
    for frame in past.journal.read(book.seq):
        if until is not None and frame.last > until:
            break
        past.until = frame.last
        events = fold(book, frame)
        if frame.last > applied:
            frames.append(frame)
            keys.extend(identities(frame, events))
        if len(frames) >= CATCH_UP_FRAMES:
            views.apply([change(book, frames, keys)])
            frames, keys = [], []
            progress(book.account, book.seq, head)
    if frames:
        views.apply([change(book, frames, keys)])
    past.until = None
    progress(book.account, book.seq, head)


def _beginning(ledger: Ledger) -> tuple[Past, Book]:
    past = Past(ledger.journal)
    return past, Book(ledger.account, past)


@contextmanager
def _new_views(storage: Storage) -> Iterator[Views]:
    """New views, closed again if they do not come to be used."""
    views = storage.new_views()
    try:
        yield views
    except BaseException:
        views.close()
        raise


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
            remedy="The views stay as they are. Run `trueup recover`, or restore the data directory from a backup.",
        ) from failure
