"""``ShadowAccounting``: a program's own books beside its broker's, with a log to replay, backups, proof and repair."""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import msgspec

from trueup.book.book import Book
from trueup.book.snapshot import state_hash
from trueup.doors.database import DatabaseStateManager
from trueup.doors.exact import Exact, Number, number
from trueup.doors.exchange_rows import read_row
from trueup.doors.readings import PortfolioPosition, read_book
from trueup.doors.settings import Config, door_settings
from trueup.engine.explaining import Row, explain
from trueup.engine.reconciling import book_side, database_side
from trueup.engine.replay import NOW, Moment, book_at, entries
from trueup.model.differences import Comparison, Kind, VenueSnapshot
from trueup.model.errors import BadInput, StorageError
from trueup.model.events import Event
from trueup.model.facts import kind_of
from trueup.model.identifiers import Seq
from trueup.model.numbers import ZERO
from trueup.model.times import format_time
from trueup.reconcile.compare import compare

SOURCE = "manual"
"""Where a position came from, when nobody said."""

_COMPUTED = ("value", "last_modified")


class ShadowPosition(msgspec.Struct, frozen=True):
    """One position, every field filled in.

    Attributes:
        quantity: Signed.
        price: Average entry; None when flat or unknown.
        value: Quantity at the newest mark, or at the average entry where there is none; None when both are unknown.
        timestamp: When it was opened, RFC 3339; when it was last changed where it is flat.
        last_modified: RFC 3339.
        source: As it was saved, else ``manual``.
        reference_id: As it was saved, else made of account, id and version.
        stale: The store is away: this is what memory knew last.
    """

    symbol: str
    quantity: Exact
    price: Exact | None
    value: Exact | None
    timestamp: str
    last_modified: str
    source: str
    reference_id: str
    realized_pnl: Exact
    version: int
    stale: bool = False


class Transaction(msgspec.Struct, frozen=True):
    """One event of the log: facts and decisions alike."""

    seq: Seq
    recorded_at: str
    kind: str
    fields: Mapping[str, Any]


class Integrity(msgspec.Struct, frozen=True):
    """What a check found.

    Attributes:
        seq: Up to where everything was read.
        problems: In sentences; none when all is well.
    """

    seq: Seq
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def __bool__(self) -> bool:
        """The same."""
        return self.ok


class ShadowAccounting:
    """Books of one account, kept by hand or by a program.

    Args:
        config: As of :class:`trueup.doors.database.DatabaseStateManager`.
        section: Which section of it.
        account: Whose books; ``shadow:main`` where neither this nor the configuration says.
        backup_to: A directory for automatic backups, on another disk than the store; None for none.

    Raises:
        BadInput: A configuration that cannot be used.
        StorageError: The store cannot be opened.
    """

    def __init__(
        self,
        config: Config = None,
        section: str | None = None,
        *,
        account: str | None = None,
        backup_to: str | None = None,
    ) -> None:
        settings = door_settings(config, section, account="shadow:main")
        changes = {"account": account, "backup_to": backup_to}
        self._manager = DatabaseStateManager(msgspec.structs.asdict(settings) | {k: v for k, v in changes.items() if v})
        self.account = self._manager.settings.account
        self._shelf = self._manager.shelf

    # --- positions ----------------------------------------------------------------------------------------------------

    def update_position(
        self,
        symbol: str | Mapping[str, Any],
        quantity: Number | None = None,
        price: Number | None = None,
        **fields: object,
    ) -> ShadowPosition:
        """Make a position what is given; the difference is booked as a trade at ``price``.

        Args:
            symbol: Of the instrument; or a whole position as a mapping, where any other field may be missing.
            quantity: Signed, to be reached.
            price: Of the difference.
            fields: More, such as ``source``, ``reference_id`` and ``timestamp``; ``value`` and ``last_modified`` are
                computed, whatever is given.

        Raises:
            ConcurrentUpdate, BadInput, StoreAway: As of ``DatabaseStateManager.save_position``.
        """
        given = dict(symbol) if isinstance(symbol, Mapping) else {"symbol": symbol}
        given |= fields | {k: v for k, v in (("quantity", quantity), ("price", price)) if v is not None}
        return _shadow(self._manager.save_position({k: v for k, v in given.items() if k not in _COMPUTED}))

    def record_trade(self, symbol: str, side: str, quantity: Number, price: Number, **fields: object) -> ShadowPosition:
        """Book a trade that was made. Raises as :meth:`update_position`.

        Args:
            symbol: Of the instrument.
            side: ``buy`` or ``sell``.
            quantity: Positive.
            price: Of the trade.
            fields: As of :meth:`update_position`.
        """
        if side not in ("buy", "sell"):
            raise BadInput("side", side, "neither buy nor sell", remedy="Give buy or sell.")
        size = number(quantity, "quantity")
        if size <= ZERO:
            raise BadInput("quantity", quantity, "a trade has a positive size", remedy="State the side apart.")
        given = {name: value for name, value in fields.items() if name not in _COMPUTED}
        return _shadow(self._manager.add_to_position(symbol, size if side == "buy" else -size, price, **given))

    def close_position(self, symbol: str, price: Number, **fields: object) -> ShadowPosition:
        """Book that a position was closed at a price. Raises as :meth:`update_position`, and :class:`NotFound`."""
        return _shadow(self._manager.close_position(symbol, price, **fields))

    def get_position(self, symbol: str) -> ShadowPosition | None:
        """A position; None when there is none."""
        found = self._manager.get_position(symbol)
        return None if found is None else _shadow(found)

    def get_all_positions(self, *, include_closed: bool = False) -> list[ShadowPosition]:
        """Every position, always as a list, by symbol; an empty one when there are none."""
        found = self._manager.get_all_positions().values()
        return [_shadow(p) for p in sorted(found, key=lambda p: p.position_id) if p.is_open or include_closed]

    def get_position_history(self, symbol: str) -> list[Row]:
        """The facts beneath a position, oldest first, each with what stood after it; empty when there are none."""
        held = self._manager.get_position(symbol)
        explained = (
            None
            if held is None
            else explain(self._shelf.store, self.account, (held.instrument, held.position_side), NOW)
        )
        return [] if explained is None else list(explained.rows)

    # --- log, proof, repair -------------------------------------------------------------------------------------------

    def get_transaction_log(self, after: int = 0) -> list[Transaction]:
        """Every event of the journal after a seq, oldest first."""
        found = entries(self._shelf.ledger(self.account), Seq(after))
        return [
            Transaction(entry.seq, format_time(entry.recorded_at), kind_of(entry.event), _plain(entry.event))
            for entry in found
        ]

    def replay(self, seq: int | None = None) -> list[ShadowPosition]:
        """The open positions, folded anew from the log; as of a seq where one is given.

        Raises:
            NotFound: The log has not come to that seq.
            JournalDamaged: It cannot be read.
        """
        book = self._replayed(seq)
        found = sorted(read_book(book).positions.values(), key=lambda p: p.position_id)
        return [_shadow(p) for p in found if p.is_open]

    def check_integrity(self) -> Integrity:
        """Read the whole log, fold it anew, and compare that with memory and with the database."""
        store = self._shelf.store
        try:
            ledger = self._shelf.ledger(self.account)
            held, seq = ledger.read(lambda book: (state_hash(book), book.seq))
            replayed = self._replayed(seq)
            problems = [] if state_hash(replayed) == held else [f"memory is not what the log folds to at seq {seq}"]
            database = database_side(store, self.account)
            nothing = VenueSnapshot(self.account)
            found = compare(ledger.read(book_side), database, nothing).differences
            problems += [f"{d.subject}: {d.direction}" for d in found if d.kind is Kind.MEMORY_DATABASE]
            if database.failed:
                problems.append(f"the database cannot be read: {database.failed}")
        except StorageError as failure:
            return Integrity(Seq(0), (str(failure),))
        return Integrity(seq, tuple(problems))

    def recover(self) -> Integrity:
        """Begin again from what is stored: heal the log from its copy, make the database anew from the log, check both.

        Raises:
            JournalDamaged: Damage that no copy here heals: restore a backup (`trueup restore`).
        """
        store = self._shelf.store
        store.reopen(self.account)
        if self.check_integrity().problems or store.views_failed is not None:
            store.rebuild_views()
        return self.check_integrity()

    def reconcile(self, theirs: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> Comparison:
        """Compare these books, their database and what a broker says it holds; nothing is changed.

        Args:
            theirs: Quantity by symbol, or mappings with ``symbol``, ``quantity`` and perhaps ``price``. All that the
                broker holds: what is left out counts as flat.
        """
        ledger = self._shelf.ledger(self.account)
        rows = (
            [{"symbol": s, "quantity": q} for s, q in theirs.items()] if isinstance(theirs, Mapping) else list(theirs)
        )
        now = self._shelf.now()
        ours = ledger.read(book_side)
        stated = dict(ledger.read(lambda book: [read_row(book, row) for row in rows]))
        snapshot = VenueSnapshot(self.account, cut=now, positions=stated)
        return compare(ours, database_side(self._shelf.store, self.account), snapshot, table=True, now=now)

    def close(self) -> None:
        """Let go of the store."""
        self._manager.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _replayed(self, seq: int | None) -> Book:
        ledger = self._shelf.ledger(self.account)
        return book_at(ledger, Moment(seq=ledger.head.seq if seq is None else Seq(seq)))


def _shadow(p: PortfolioPosition) -> ShadowPosition:
    return ShadowPosition(
        symbol=p.position_id,
        quantity=p.quantity,
        price=p.entry_price,
        value=p.value,
        timestamp=p.opened_at or p.updated_at,
        last_modified=p.updated_at,
        source=p.source or SOURCE,
        reference_id=p.reference_id or f"{p.account}/{p.position_id}@{p.version}",
        realized_pnl=p.realized_pnl,
        version=p.version,
        stale=p.stale,
    )


def _plain(event: Event) -> Mapping[str, Any]:
    """An event's fields, as JSON would have them."""
    fields = event.__struct_fields__
    return {name: msgspec.to_builtins(getattr(event, name)) for name in fields}
