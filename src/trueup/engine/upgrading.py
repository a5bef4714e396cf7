"""Backing up a store whose schema waits for an upgrade: its frames can be read, its views not yet."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from trueup.book.book import Book
from trueup.engine.backing_up import Made, back_up, finished
from trueup.engine.changes import fold
from trueup.engine.keys import Keys
from trueup.engine.ledger import Ledger
from trueup.engine.past import Past
from trueup.journal.backup.destination import Destination
from trueup.model.errors import ViewsFailed
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Clock, Frame, Storage

Progress = Callable[[Seq, Seq], None]
"""Told the seq reached of a ledger and the seq to reach."""


def back_up_frames(storage: Storage, clock: Clock, destination: Destination, progress: Progress) -> Made:
    """Back up every ledger of a storage, without its views.

    Raises:
        BackupFailed: The destination refused.
    """
    with _frames_only(storage, clock) as source:
        return finished(back_up(source, destination, quiet=True), lambda at: progress(at.seq, at.head))


class FramesOnly:
    """Ledgers to be read and not booked into, as a backup asks for them."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self.clock = clock
        self._storage = storage
        self._open: dict[AccountId, Ledger] = {}

    def accounts(self) -> Sequence[AccountId]:
        """Every ledger there is."""
        return self._storage.ledgers()

    def ledger(self, account: AccountId) -> Ledger:
        """The ledger of an account, folded from its start. Raises :class:`JournalDamaged`."""
        if account not in self._open:
            self._open[account] = Ledger(account, lambda: self._folded(account), self.clock, _Nobody())
        return self._open[account]

    def close(self) -> None:
        """Release the journals."""
        with ExitStack() as each:
            for ledger in self._open.values():
                each.callback(ledger.close)

    def _folded(self, account: AccountId) -> tuple[Past, Book, Keys]:
        past = Past(self._storage.open_ledger(account, None, snapshot=False).journal)
        book = Book(account, past)
        for frame in past.journal.read():
            past.until = frame.last
            fold(book, frame)
        past.until = None
        return past, book, Keys(_no_views, (), past)


class _Nobody:
    """Follows a ledger into which nobody books."""

    def room(self) -> None:
        """There is none to wait for."""

    def frame(self, ledger: AccountId, _frame: Frame, _keys: Sequence[tuple[str, Seq]]) -> None:
        """There are none."""
        raise AssertionError(f"{ledger} is only read")


def _no_views(_keys: Sequence[str]) -> dict[str, Seq]:
    raise ViewsFailed("The views wait for an upgrade.", remedy="Run `trueup db upgrade`.")


@contextmanager
def _frames_only(storage: Storage, clock: Clock) -> Iterator[FramesOnly]:
    source = FramesOnly(storage, clock)
    try:
        yield source
    finally:
        source.close()
