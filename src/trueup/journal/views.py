"""The views on SQLite: what transactions there are, and what holds between them.

One transaction writes what one or more frames did; one transaction reads, and says at which seq its rows are true.
Each ledger's rows continue the chain of its frames without a gap, so the views are a prefix of the journal or refused.
A second writer is refused by the directory lock, threads of this process take turns, and readers wait for nobody.

What keeps the file and its write-ahead log in step, whatever a disk and a crash do: *of a log, only what is durable is
ever copied into the file.* SQLite syncs the log before it copies. Where such a sync fails, that is the end of these
views: nothing more is copied, written or told, for after it the kernel may drop any page of the log, and the next sync
would report success. Whoever opens a log that was left behind writes it again as it reads, and syncs it, before SQLite
believes it. So each frame whose page is in the file is on the disk, and no log that is found is older than the file.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import Self, TypeVar

import apsw
import msgspec

from trueup.journal import control_rows, sqlite, views_check, views_files, views_rows, views_schema
from trueup.journal.disk import Disk, write_again
from trueup.journal.migration import known
from trueup.journal.soundness import require_sound
from trueup.journal.sqlite import REBUILD
from trueup.journal.views_files import named
from trueup.model.errors import ViewsFailed
from trueup.model.identifiers import AccountId, Seq
from trueup.model.numbers import exact
from trueup.model.positions import Balance, Cycle, OpenOrder, Position
from trueup.ports import GENESIS, Change, Frame, Head, Instance

READERS_IDLE_MAX = 4
"""Connections kept open for the next reader; more are opened when more threads read at once."""

FRAMES_A_PAGE = 32
"""Frames per read transaction: a longer one would keep the write-ahead log from being reset."""

WRITER_WAIT_S = 60
"""How long one thread waits for another's transaction."""

_PUT_LEDGER = """
    INSERT INTO ledgers (name, applied, head, recorded_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET applied = excluded.applied, head = excluded.head,
                                     recorded_at = excluded.recorded_at
    RETURNING id"""

_Row = TypeVar("_Row")


class SqliteViews:
    """`ports.Views` in one SQLite file.

    Args:
        path: The database; made when there is none.
        disk: For what happens to its file as a whole; SQLite itself goes its own way to the system.

    Raises:
        ViewsFailed: It cannot be used as it is; the remedy says what to do.
    """

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self.path = path
        self._disk = disk or Disk()
        self._writing = Lock()
        self._idle: list[apsw.Connection] = []
        self._failed: ViewsFailed | None = None
        with sqlite.refusing(path):
            self._writer: apsw.Connection | None = _open(path, self._disk)

    @classmethod
    def beside(cls, path: Path, disk: Disk | None = None) -> Self:
        """A fresh database at ``<path>.rebuild``, to be filled and then put in the place of ``path``."""
        with sqlite.refusing(path):
            views_files.remove(disk or Disk(), named(path, ".rebuild"))
        return cls(named(path, ".rebuild"), disk)

    def swap(self, path: Path, *, last_copy: bool = False) -> None:
        """Close this database and put it in the place of ``path``.

        What stood there is kept as ``<path>.damaged`` for examination; an earlier one goes. The last copy of something
        is kept as ``<path>.last-copy-N`` and never goes. Whoever has it open may read on, and lets it go before this
        one is opened, which makes the names last. A crash in between leaves either the old database, or none and the
        journal to make it from; a disk that refuses leaves the old one.
        """
        damaged = views_files.last_copy(path) if last_copy else named(path, ".damaged")
        with self._changing() as db:
            db.wal_checkpoint("main", apsw.SQLITE_CHECKPOINT_TRUNCATE)  # all of it, or BusyError
        self.close()
        with sqlite.refusing(self.path):
            views_files.remove(self._disk, damaged)
            try:
                views_files.set_aside(self._disk, path, damaged)
                self._disk.rename(self.path, path)
            except OSError:
                views_files.put_back(self._disk, damaged, path)
                raise

    def close(self) -> None:
        """Release the database; closing twice is fine."""
        with self._turn(), sqlite.refusing(self.path):
            writer, self._writer = self._writer, None
            while self._idle:
                self._idle.pop().close()
            if writer is not None:
                writer.close()  # the last to go: it copies the log into the file

    def let_go(self) -> None:
        """Release a database that was put aside: nothing is copied, and no file of its old name, which is another's."""
        with self._turn():
            if self._writer is not None:
                sqlite.keep_log(self._writer, keep=True)
        self.close()

    # --- writing ---

    def apply(self, changes: Sequence[Change]) -> None:
        """Write all changes in one transaction. A change that is already there, frame by frame, changes nothing.

        Raises:
            ViewsFailed: SQLite failed, a fact key is already there, or frames do not continue those applied (a gap, or
                another history); nothing was written.
            ValueError: A change contradicts itself.
        """
        for change in changes:
            require_sound(change)
        with self._write() as db, exact():
            for change in changes:
                _apply(db, self.path, change)

    def forget(self, ledger: AccountId) -> None:
        """Drop every row of a ledger, before it is rebuilt."""
        with self._write() as db:
            db.execute("DELETE FROM ledgers WHERE name = ?", (ledger,))  # and, by cascade, every row that is its

    def beat(self, instance: Instance) -> None:
        """Note that a process is alive."""
        with self._write() as db:
            db.execute(views_rows.PUT_INSTANCE, views_rows.instance_row(instance))

    # --- reading ---

    def applied(self, ledger: AccountId) -> Seq:
        """Last seq whose effects are in the views; 0 when none."""
        return self.head(ledger).seq

    def head(self, ledger: AccountId) -> Head:
        """The last frame whose effects are in the views; ``Head(0, GENESIS)`` when none."""
        with self._read() as db:
            return _ledger(db, ledger)[1]

    def ledgers(self) -> Sequence[AccountId]:
        """Every ledger with rows."""
        with self._read() as db:
            return [AccountId(name) for (name,) in db.execute("SELECT name FROM ledgers ORDER BY name")]

    def positions(self, ledger: AccountId) -> tuple[Seq, Sequence[Position]]:
        """All positions, flat ones included, with the seq they are true at: one read transaction."""
        with self._read() as db:
            id_, head = _ledger(db, ledger)
            versions = (views_rows.instrument_from(row) for row in db.execute(views_rows.GET_INSTRUMENTS, (id_,)))
            terms = {(i.symbol, i.version): i for i in versions}
            rows = db.execute(views_rows.GET_POSITIONS, (id_,))
            return head.seq, [views_rows.position_from(ledger, terms, row) for row in rows]

    def balances(self, ledger: AccountId) -> tuple[Seq, Sequence[Balance]]:
        """All balances, with the seq they are true at."""
        return self._rows(ledger, views_rows.GET_BALANCES, views_rows.balance_from)

    def orders(self, ledger: AccountId) -> tuple[Seq, Sequence[OpenOrder]]:
        """All open orders, with the seq they are true at."""
        return self._rows(ledger, views_rows.GET_ORDERS, views_rows.order_from)

    def cycles(self, ledger: AccountId, instrument: str) -> Sequence[tuple[str, Cycle]]:
        """Closed cycles of an instrument as (position side, cycle), oldest first."""
        with self._read() as db:
            rows = db.execute(views_rows.GET_CYCLES, (_ledger(db, ledger)[0], instrument))
            return [views_rows.cycle_from(row) for row in rows]

    def find(self, ledger: AccountId, keys: Sequence[str]) -> Mapping[str, Seq]:
        """Which of the fact keys are known, and where."""
        with self._read() as db:
            id_, _ = _ledger(db, ledger)
            return dict(db.executemany(views_rows.FIND_KEY, ((id_, key) for key in keys)))

    def keys(self, ledger: AccountId) -> Iterator[str]:
        """Every fact key of a ledger, in one read transaction."""
        with self._read() as db:
            yield from (key for (key,) in db.execute(views_rows.GET_KEYS, (_ledger(db, ledger)[0],)))

    def frames(self, ledger: AccountId, after: Seq = Seq(0)) -> Iterator[Frame]:
        """The second copy of the log: frames whose last seq is greater than ``after``, oldest first.

        Their pages are verified, their hashes are not: that is the journal's to do. Each :data:`FRAMES_A_PAGE` frames
        are a read transaction of their own.
        """
        while page := self._frames_page(ledger, after):
            yield from page
            after = page[-1].last

    def instances(self) -> Sequence[Instance]:
        """Every process that noted it is alive, by id."""
        with self._read() as db:
            return [views_rows.instance_from(row) for row in db.execute(views_rows.GET_INSTANCES)]

    def check(self) -> Sequence[str]:
        """Read every page and try every rule; what is wrong, in sentences, nothing when all is well."""
        try:
            with sqlite.refusing(self.path), closing(sqlite.open_reader(self.path)) as db:  # its cache is empty
                return views_check.findings(db)
        except ViewsFailed as failure:
            return [failure.message]

    def proving(self) -> Iterator[None]:
        """Read every page of every table and index from the disk, a few megabytes a step.

        Raises:
            ViewsFailed: A page fails its checksum, or a row breaks a rule.
        """
        with sqlite.refusing(self.path), closing(sqlite.open_reader(self.path)) as db:  # its cache is empty
            for _ in views_check.proving(db, self.path):
                sqlite.require_checksums(db, self.path)
                yield
                self._connected()

    def _frames_page(self, ledger: AccountId, after: Seq) -> Sequence[Frame]:
        with self._read() as db:
            rows = db.execute(views_rows.GET_FRAMES, (_ledger(db, ledger)[0], after, FRAMES_A_PAGE))
            return [views_rows.frame_from(ledger, row) for row in rows]

    def _rows(
        self, ledger: AccountId, sql: str, from_row: Callable[[AccountId, views_rows.Row], _Row]
    ) -> tuple[Seq, Sequence[_Row]]:
        with self._read() as db:
            id_, head = _ledger(db, ledger)
            return head.seq, [from_row(ledger, row) for row in db.execute(sql, (id_,))]

    # --- transactions ---

    @contextmanager
    def _write(self) -> Iterator[apsw.Connection]:
        with self._changing() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                db.execute("UPDATE transactions SET number = number + 1")
                yield db
                sqlite.require_checksums(db, self.path)
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # some errors of SQLite have rolled back already
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _changing(self) -> Iterator[apsw.Connection]:
        """The connection that writes, for one thread. A failed sync is the end of it."""
        with self._turn():
            db = self._connected()
            try:
                with sqlite.refusing(self.path):
                    yield db
            except ViewsFailed as failure:
                if sqlite.failed_sync(failure.__cause__):
                    self._failed = failure
                    sqlite.keep_log(db, keep=True)
                raise

    @contextmanager
    def _read(self) -> Iterator[apsw.Connection]:
        with sqlite.refusing(self.path):
            self._connected()
            db = self._borrow()
            try:
                db.execute("BEGIN")
                yield db
                sqlite.require_checksums(db, self.path)  # at the end: that of every page that was read
                db.execute("COMMIT")
            except (ArithmeticError, LookupError, ValueError, msgspec.MsgspecError) as error:
                db.close(force=True)
                raise ViewsFailed(f"{self.path}: a row trueup did not write ({error!r}).", remedy=REBUILD) from error
            except BaseException:
                db.close(force=True)
                raise
            self._give_back(db)

    def _borrow(self) -> apsw.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return sqlite.open_reader(self.path)

    def _give_back(self, db: apsw.Connection) -> None:
        if self._writer is not None and len(self._idle) < READERS_IDLE_MAX:
            self._idle.append(db)
        else:
            db.close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._writing.acquire(timeout=WRITER_WAIT_S):
            raise ViewsFailed(f"{self.path}: a transaction has run for {WRITER_WAIT_S} s.", remedy="Look at the disk.")
        try:
            yield
        finally:
            self._writing.release()

    def _connected(self) -> apsw.Connection:
        if self._failed is not None:
            raise self._failed.again()
        if self._writer is None:
            raise ViewsFailed(f"{self.path} is closed.", remedy="Open the data directory again.")
        return self._writer


def _open(path: Path, disk: Disk) -> apsw.Connection:
    log = named(path, "-wal")
    log_bytes = log.stat().st_size if log.exists() else 0
    if log_bytes:
        write_again(disk, log)
    unlogged = views_check.transactions_without_log(path) if log_bytes else None
    db = sqlite.open_writer(path)
    try:
        views_check.require_whole_log(db, path, unlogged, log_bytes)  # the first to read: there is a log from here on
        disk.sync_directory(path.parent)  # SQLite does so with the log's first sync, and keeps a failure to itself
        views_schema.migrate(db, path, known())
        sqlite.require_checksums(db, path)
        sqlite.keep_log(db, keep=False)
    except BaseException:
        db.close(force=True)
        raise
    return db


def _ledger(db: apsw.Connection, ledger: AccountId) -> tuple[int, Head]:
    """Its id and head; id 0, which no row has, when it is unknown."""
    row = db.execute("SELECT id, applied, head, recorded_at FROM ledgers WHERE name = ?", (ledger,)).fetchone()
    if row is None:
        return 0, Head(Seq(0), GENESIS)
    id_, applied, hash_, recorded_at = row
    return id_, Head(applied, hash_, recorded_at)


def _apply(db: apsw.Connection, path: Path, change: Change) -> None:
    id_, head = _ledger(db, change.ledger)
    first = change.frames[0]
    if first.first <= head.seq:
        _require_there(db, path, id_, head, change)
        return
    if first.first > head.seq + 1:
        raise ViewsFailed(
            f"{path}: frames of {change.ledger} are missing between {head.seq} and {first.first}.", remedy=REBUILD
        )
    if first.previous != head.hash:
        raise _other_history(path, change.ledger, first)
    last = change.frames[-1]
    id_ = db.execute(_PUT_LEDGER, (change.ledger, last.last, last.hash, last.recorded_at)).get
    _put_rows(db, id_, change)


def _put_rows(db: apsw.Connection, id_: int, change: Change) -> None:
    seq = change.seq
    put = db.executemany
    put(views_rows.PUT_FRAME, (views_rows.frame_row(id_, frame) for frame in change.frames))
    db.execute(views_rows.PUT_KEYS, (id_, views_rows.keys_object(change.keys)))
    put(views_rows.PUT_INSTRUMENT, (views_rows.instrument_row(id_, terms, seq) for terms in change.instruments))
    put(views_rows.PUT_POSITION, (views_rows.position_row(id_, position) for position in change.positions))
    put(views_rows.DROP_CYCLES, ((id_, *key, number) for key, (number, _) in change.cycles.items()))
    put(
        views_rows.PUT_CYCLE,
        (views_rows.cycle_row(id_, key, c, seq) for key, (_, cycles) in change.cycles.items() for c in cycles),
    )
    put(views_rows.PUT_MARK, (views_rows.mark_row(id_, at, mark) for at, mark in change.marks))
    for table, rows in control_rows.rows(id_, change.control, views_rows.cell):
        put(views_rows.PUT_STATEMENT[table], rows)
    if change.compared is not None:
        db.execute(views_rows.PUT_COMPARISON, views_rows.comparison_row(id_, *change.compared))
    put(views_rows.PUT_BALANCE, (views_rows.balance_row(id_, balance) for balance in change.balances))
    put(views_rows.DROP_ORDER, ((id_, order) for order in change.dropped_orders))
    put(views_rows.PUT_ORDER, (views_rows.order_row(id_, order, seq) for order in change.orders))


def _require_there(db: apsw.Connection, path: Path, id_: int, head: Head, change: Change) -> None:
    """A change that was applied before may be applied again; half of one, or another one, may not."""
    for frame in change.frames:
        if frame.last > head.seq:
            raise ValueError(f"{change.ledger}: a change from {change.frames[0].first} on, where {head.seq} is applied")
        there = db.execute("SELECT hash FROM frames WHERE ledger = ? AND first = ?", (id_, frame.first)).get
        if there != frame.hash:
            raise _other_history(path, change.ledger, frame)


def _other_history(path: Path, ledger: AccountId, frame: Frame) -> ViewsFailed:
    return ViewsFailed(f"{path}: frame {frame.first} of {ledger} belongs to another history.", remedy=REBUILD)
