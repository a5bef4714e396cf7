"""``TradingDatabase``: the store that a path of a database file stands for, shared by all managers on that path.

The journal is in ``<path>.journal/``, and the file itself holds the tables that people query. Without a path the store
is a directory of its own that goes with the program.
"""

from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self
from weakref import finalize

from trueup.doors.database import DatabaseStateManager
from trueup.doors.settings import in_force
from trueup.doors.shadow import Integrity, ShadowAccounting
from trueup.doors.shelf import Shelf
from trueup.doors.tables import Tables
from trueup.model.identifiers import CONTROL, AccountId, Seq


class TradingDatabase:
    """A store with the tables ``positions`` and ``position_history`` at a path.

    Args:
        db_path: The database file; what ``DB_PATH``, or ``db_path`` in the settings, names where it is left out.
            Without any nothing is kept beyond the life of this object.

    Attributes:
        path: The database file; None for none.
        manager: What reads and writes the store.

    Raises:
        DirectoryLocked: Another process has it open; the message says which.
        BadInput: There is another program's file at that path.
        StorageError: It cannot be opened.
    """

    def __init__(self, db_path: str | Path | None = None) -> None:
        chosen = db_path or in_force().db_path
        self.path = Path(chosen).expanduser().absolute() if chosen else None
        last = ExitStack()
        self._let_go = finalize(self, last.close)  # whoever forgets to close it leaves nothing open, and no directory
        if self.path is None:
            place = Path(last.enter_context(TemporaryDirectory(prefix="trueup-"))) / "store"
        else:
            place = journal_beside(self.path)
        self.manager = last.enter_context(DatabaseStateManager(place))
        self._tables: Tables | None = None
        try:
            for account in self.accounts():
                self.shelf.ledger(account)
            if self.path is not None:
                self._tables = Tables(self.path, self.shelf.store)
        except BaseException:
            self.close()
            raise

    @property
    def shelf(self) -> Shelf:
        """The store beneath, for other doors."""
        return self.manager.shelf

    def accounts(self) -> list[AccountId]:
        """Every account in it."""
        return [account for account in self.shelf.store.accounts() if account != CONTROL]

    def changed(self, assets: Collection[str] | None = None) -> None:
        """Show in the tables what was booked. Never fails: what could not be shown is told by the integrity check.

        Args:
            assets: What may have changed; None for everything.
        """
        if self._tables is not None:
            self._tables.copy(assets)

    def _check_integrity(self) -> Integrity:
        """Fold every log anew, compare it with memory and views, copy these into the file; true when all is well."""
        found: list[Integrity] = []
        for account in self.accounts():
            with ShadowAccounting({"store": self.shelf.where, "account": account}) as books:
                found.append(books.check_integrity())
        problems = [problem for one in found for problem in one.problems]
        if self._tables is not None:
            self._tables.copy()
            problems += [self._tables.trouble] if self._tables.trouble else []
        return Integrity(Seq(sum(one.seq for one in found)), tuple(problems))

    def close(self) -> None:
        """Let go of the store; the last one on a path to do so closes it. Closing twice is fine."""
        self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


Database = TradingDatabase | str | Path | None
"""How a door is told where its store is: an open one, the path of one, or nothing for what ``DB_PATH`` names."""


def opened(database: Database) -> tuple[TradingDatabase, bool]:
    """The store that is meant, and whether it was opened for this call and is to be closed with it."""
    if isinstance(database, TradingDatabase):
        return database, False
    return TradingDatabase(database), True


def journal_beside(path: Path) -> Path:
    """Where the journal of a database file is."""
    return path.with_name(f"{path.name}.journal")
