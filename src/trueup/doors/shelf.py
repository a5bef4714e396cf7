"""The store behind a door: opened once for all doors of a process, read from memory while it is away.

A directory belongs to one process, so its doors share one store; a database may be opened any number of times. While
the store cannot be reached, reads answer from the last reading and say so, writes are refused, and every call that
comes after a pause tries again. Pauses grow up to a bound.
"""

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from threading import RLock
from typing import TypeVar

from trueup import bootstrap
from trueup.doors.readings import Reading, read_book
from trueup.engine.ledger import Decide, Ledger
from trueup.engine.receipts import Receipt
from trueup.engine.store import Store
from trueup.journal.postgres.address import Address
from trueup.model.errors import (
    ConcurrentUpdate,
    JournalDamaged,
    StaleEpoch,
    StaleVersion,
    StorageError,
    StoreAway,
    ViewsFailed,
)
from trueup.model.events import Fact
from trueup.model.identifiers import CONTROL, AccountId
from trueup.ports import Instance, Views

OVERTAKEN_MAX = 100
"""How often a commit is decided anew because another process was first."""

PAUSE_FIRST_S = 0.25
PAUSE_MAX_S = 10.0
"""How long calls do not try a store that was away a moment ago: doubles from the first to the second."""

Answer = TypeVar("Answer")


class Shelf:
    """The ledgers of one store, for doors. Made by :func:`open_shelf`.

    Attributes:
        where: The directory or address, without a password.
        away: Why the store cannot be used now; None while it can.
    """

    def __init__(self, where: str, store: Store) -> None:
        self.where = where
        self.store = store
        self.away: StoreAway | None = None
        self.users = 0
        self._readings: dict[AccountId, Reading] = {}
        self._pause_s = PAUSE_FIRST_S
        self._again_at = 0.0

    def read(self, account: AccountId) -> Reading:
        """The newest reading of a ledger; the last one known, marked stale, while the store is away.

        Raises:
            StoreAway: The store is away and nothing of this ledger was ever read.
        """
        try:
            return self._try(account, self._fresh)
        except StoreAway:
            if account not in self._readings:
                raise
            return self._readings[account].as_stale()

    def commit(self, account: AccountId, decide: Decide) -> Receipt:
        """Decide and write; where another process was first, decide anew on what it left.

        Raises:
            StoreAway: The store is away. Offer the same again later; it is booked once.
            TrueupError: The refusal that ``decide`` or the book raised.
        """
        return self._written(account, lambda ledger: ledger.commit(decide))

    def book(self, account: AccountId, facts: Sequence[Fact]) -> Receipt:
        """Book facts, each once. Raises :class:`StoreAway`."""
        return self._written(account, lambda ledger: ledger.book_facts(facts))

    def known(self, account: AccountId, key: str) -> bool:
        """Whether a fact of this key is booked. Raises :class:`StoreAway`."""

        def look(ledger: Ledger) -> bool:
            ledger.catch_up()
            return ledger.read(lambda _: bool(ledger.keys.booked([key])))

        return self._try(account, look)

    def ledger(self, account: AccountId) -> Ledger:
        """The ledger, reopened if it had failed. Raises :class:`StoreAway`."""
        return self._try(account, lambda ledger: ledger)

    def beat(self, instance: Instance) -> None:
        """Note that a process is alive. Raises :class:`StoreAway`."""
        self._ask_views(lambda views: views.beat(instance))

    def instances(self) -> Sequence[Instance]:
        """Every process that noted it is alive. Raises :class:`StoreAway`."""
        return self._ask_views(lambda views: views.instances())

    def now(self) -> int:
        """Wall clock in nanoseconds."""
        return self.store.clock.now()

    def close(self) -> None:
        """Let go of the store; the last door to do so closes it."""
        with _SHARING:
            self.users -= 1
            if self.users == 0:
                _SHARED.pop(self.where, None)
                self.store.close()

    def _ask_views(self, ask: Callable[[Views], Answer]) -> Answer:
        """What only the views know. A directory books on without them: others need not take it for away."""
        if self.store.together:
            return self._try(CONTROL, lambda _: ask(self.store.views))
        try:
            return ask(self.store.views)
        except ViewsFailed as failure:
            raise self._told(failure) from failure

    def _written(self, account: AccountId, write: Callable[[Ledger], Receipt]) -> Receipt:
        def written(ledger: Ledger) -> Receipt:
            ledger.catch_up()  # who is overtaken in a commit has to begin from the last snapshot
            receipt = write(ledger)
            self._readings[account] = ledger.read(read_book)
            return receipt

        tries = count(1)
        while True:
            try:
                return self._try(account, written)
            except StaleVersion:
                raise
            except ConcurrentUpdate:  # what the other left is folded now
                if next(tries) >= OVERTAKEN_MAX:
                    raise

    def _fresh(self, ledger: Ledger) -> Reading:
        ledger.catch_up()
        known = self._readings.get(ledger.account)
        if known is None or known.seq != ledger.book.seq:
            known = self._readings[ledger.account] = ledger.read(read_book)
        return known

    def _try(self, account: AccountId, action: Callable[[Ledger], Answer]) -> Answer:
        if self.away is not None and self.store.clock.monotonic() < self._again_at:
            raise self.away.again()
        try:
            ledger = self.store.ledger(account)
            if ledger.failed is not None:
                ledger = self.store.reopen(account)
            answer = action(ledger)
        except (JournalDamaged, StaleEpoch, ConcurrentUpdate):
            raise
        except StorageError as failure:
            raise self._gone(failure) from failure
        self.away, self._pause_s = None, PAUSE_FIRST_S
        return answer

    def _gone(self, failure: StorageError) -> StoreAway:
        self.away = self._told(failure)
        self._again_at = self.store.clock.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, PAUSE_MAX_S)
        return self.away

    def _told(self, failure: StorageError) -> StoreAway:
        return StoreAway(
            f"The store at {self.where} cannot be used now: {failure.message}",
            remedy="Nothing that was acknowledged is lost. Make the same call again later: it takes effect once.",
        )


def open_shelf(store: str, backup_to: str | None = None) -> Shelf:
    """The shelf of a data directory, which the doors of a process share, or one of its own of a database.

    Raises:
        StorageError: It cannot be opened; the message says who holds it, or why it cannot be reached.
        BadInput: Meant as the address of a database, and is none.
    """
    if Address.is_one(store):
        address = Address.parse(store)
        shelf = Shelf(str(address), bootstrap.open_store(address))
        shelf.users = 1
        _back_up(shelf, backup_to, apart_from=None)
        return shelf
    path = Path(store).expanduser().absolute()
    with _SHARING:
        shelf = _SHARED.get(str(path)) or _opened(path, backup_to)
        _SHARED[shelf.where] = shelf
        shelf.users += 1
        return shelf


def _opened(path: Path, backup_to: str | None) -> Shelf:
    shelf = Shelf(str(path), bootstrap.open_store(path))
    _back_up(shelf, backup_to, apart_from=path)
    return shelf


def _back_up(shelf: Shelf, to: str | None, *, apart_from: Path | None) -> None:
    """Have the store of a shelf back itself up, if it is to; close it if it cannot."""
    if to is not None:
        try:
            bootstrap.keep_backups(shelf.store, Path(to).expanduser(), apart_from=apart_from, tests=True)
        except BaseException:
            shelf.store.close()
            raise


_SHARED: dict[str, Shelf] = {}
_SHARING = RLock()
