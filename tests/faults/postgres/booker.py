"""A program that books fill after fill while its server fails, and does what errors tell it to."""

from collections.abc import Sequence
from itertools import count
from threading import Condition, Thread
from time import monotonic
from types import TracebackType
from typing import Self

from tests.engine.crash_child import batch
from tests.engine.world import ACCOUNT, DEFINED
from tests.processes import PATIENCE_S
from trueup.bootstrap import open_store
from trueup.journal.postgres.address import Address
from trueup.model.errors import StorageError
from trueup.model.events import FillBooked


class Booker:
    """Books on a thread of its own, from the beginning of a ``with`` block to its end.

    Attributes:
        acknowledged: Every fact that was acknowledged.
        failures: The errors it met. After each it opened the ledger again and offered the same facts once more.
    """

    def __init__(self, url: str) -> None:
        self.acknowledged: list[FillBooked] = []
        self.failures: list[StorageError] = []
        self._store = open_store(Address.parse(url))
        self._changed = Condition()
        self._thread = Thread(target=self._work, daemon=True)
        self._ended = False

    def await_batches(self, number: int) -> None:
        """Wait until so many more batches are acknowledged."""
        with self._changed:
            aim = len(self.acknowledged) + len(batch(0)) * number
            reached = self._changed.wait_for(lambda: len(self.acknowledged) >= aim or self._ended, PATIENCE_S)
            assert reached, self.failures
            assert not self._ended, self.failures

    def __enter__(self) -> Self:
        self._store.ledger(ACCOUNT).book_facts([DEFINED])
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._thread.join(PATIENCE_S)
        self._store.close()

    def _end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _work(self) -> None:
        try:
            for number in count():
                self._book(batch(number))
                if self._ended:
                    return
        finally:
            self._end()

    def _book(self, facts: Sequence[FillBooked]) -> None:
        deadline = monotonic() + PATIENCE_S
        ledger, receipt = self._store.ledger(ACCOUNT), None
        while receipt is None:
            assert monotonic() < deadline, self.failures
            try:
                if ledger.failed is not None:
                    self._store.reopen(ACCOUNT)
                receipt = ledger.book_facts(facts)
            except StorageError as failure:
                self.failures.append(failure)
        assert receipt.booked + receipt.already == len(facts)
        with self._changed:
            self.acknowledged += facts
            self._changed.notify_all()
