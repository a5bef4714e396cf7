"""A data directory that is to be replaced: how far it had come, by every witness in it. Nothing in it is changed."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from trueup.journal.embedded import EmbeddedStorage
from trueup.journal.records import read_head
from trueup.journal.views import SqliteViews
from trueup.model.errors import JournalDamaged, ViewsFailed
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Frame


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

    def reached(self, account: AccountId) -> Seq:
        """The last seq that the log, the saved head or the views of a ledger know of; 0 when none does."""
        reached = [Seq(0)]
        saved = read_head(self._storage.directory.head_path(account), account)
        if saved is not None:
            reached.append(saved.seq)
        with suppress(JournalDamaged):  # a file that cannot be read at all says nothing
            reached.append(self._storage.verify(account).head.seq)
        if self._views is not None:
            with suppress(ViewsFailed):
                reached.append(self._views.applied(account))
        return max(reached)

    def frames(self, account: AccountId, after: Seq) -> Iterator[Frame]:
        """The frames behind a seq that the views have, up to the first that cannot be read."""
        if self._views is not None:
            with suppress(ViewsFailed):
                yield from self._views.frames(account, after)
