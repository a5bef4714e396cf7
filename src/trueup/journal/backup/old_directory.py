"""A data directory that is to be replaced: how far it had come, by every witness in it. No event in it is changed."""

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from trueup.journal.embedded import EmbeddedStorage
from trueup.journal.views import SqliteViews
from trueup.model.errors import JournalDamaged, StorageError, ViewsFailed
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Frame, Head


class OldDirectory:
    """A context manager; owns the directory meanwhile.

    Raises:
        DirectoryLocked: A process still books there.
        StorageError: It is not a data directory.
    """

    def __init__(self, path: Path) -> None:
        self._storage = EmbeddedStorage.open(path, create=False)
        self._views: SqliteViews | None = None
        with suppress(ViewsFailed):
            self._views = self._storage.views()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._views is not None:
            self._views.close()
        self._storage.close()

    def accounts(self) -> Sequence[AccountId]:
        """Every ledger that it knows of."""
        viewed: Sequence[AccountId] = ()
        if self._views is not None:
            with suppress(ViewsFailed):
                viewed = self._views.ledgers()
        return sorted({*self._storage.ledgers(), *viewed})

    def heads(self, account: AccountId) -> Sequence[Head]:
        """The last frame of a ledger that the log, the saved head and the views know of, each for itself."""
        heads = [self._storage.saved_head(account)]
        with suppress(JournalDamaged):  # a file that cannot be read at all says nothing
            heads.append(self._storage.verify(account).head)
        if self._views is not None:
            with suppress(ViewsFailed):
                heads.append(self._views.head(account))
        return [head for head in heads if head is not None and head.seq]

    def frames(self, account: AccountId, after: Seq) -> Iterator[Frame]:
        """Frames whose last seq is greater than ``after``: from the log, then from the views what it does not give."""
        for source in (self._logged, self._viewed):
            with suppress(StorageError):
                for frame in source(account, after):
                    after = frame.last
                    yield frame

    def _logged(self, account: AccountId, after: Seq) -> Iterator[Frame]:
        with closing(self._storage.log(account)) as journal:
            yield from journal.read(after)

    def _viewed(self, account: AccountId, after: Seq) -> Iterator[Frame]:
        if self._views is not None:
            yield from self._views.frames(account, after)
