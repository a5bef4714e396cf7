"""Where ledgers are kept: frames, journals, views, and the storage that holds them all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NewType, Protocol

import msgspec

from trueup.book.control import ControlRows
from trueup.model.events import Compared, MarkSampled
from trueup.model.identifiers import AccountId, PositionKey, Seq
from trueup.model.instruments import Instrument
from trueup.model.positions import Balance, Cycle, OpenOrder, Position

Hash = NewType("Hash", bytes)
"""blake2b-256 of a frame, over the previous frame's hash: the chain."""

GENESIS = Hash(bytes(32))
"""What the first frame of a ledger names as its previous hash."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One commit of one ledger: the unit of atomicity, hash, disk write, replication, backup and healing.

    Attributes:
        first, count: Seqs ``first`` to ``first + count - 1``.
        recorded_at: Our wall clock in nanoseconds; never goes back within a ledger.
        synced: Offset in the ledger's log that was known synced when this frame was written.
        body: msgpack array of events.
    """

    ledger: AccountId
    first: Seq
    count: int
    recorded_at: int
    epoch: int
    synced: int
    previous: Hash
    hash: Hash
    body: bytes

    @property
    def last(self) -> Seq:
        """Seq of the last event."""
        return Seq(self.first + self.count - 1)


class Head(msgspec.Struct, frozen=True, gc=False):
    """End of a ledger: the last seq and the hash of the frame that holds it."""

    seq: Seq
    hash: Hash
    recorded_at: int = 0


class Change(msgspec.Struct, frozen=True):
    """What one or more frames did to the views: rows to write in one transaction, all true at ``seq``.

    Attributes:
        keys: New fact keys with their seqs.
        cycles: Per position the first cycle number to replace, and the cycles from there on.
        dropped_orders: Venue order ids that are no longer open.
        marks: The newest of an instrument, each with its seq.
        control: What programs stated.
        compared: The newest outcome of a comparison, with its seq, if it is new.
    """

    ledger: AccountId
    seq: Seq
    frames: Sequence[Frame]
    keys: Sequence[tuple[str, Seq]]
    positions: Sequence[Position]
    balances: Sequence[Balance]
    orders: Sequence[OpenOrder]
    dropped_orders: Sequence[str]
    cycles: Mapping[PositionKey, tuple[int, Sequence[Cycle]]]
    instruments: Sequence[Instrument]
    marks: Sequence[tuple[Seq, MarkSampled]] = ()
    control: ControlRows = ControlRows()
    compared: tuple[Seq, Compared] | None = None


Effects = Callable[[Frame], Change]
"""What a new frame does to the views: asked for by a journal that keeps them in the transaction of the frame."""


class Journal(Protocol):
    """Append-only store of one ledger's frames."""

    @property
    def head(self) -> Head:
        """The last frame written, ``Head(0, GENESIS)`` when there is none."""
        ...

    def append(self, body: bytes, count: int, recorded_at: int, effects: Effects | None = None) -> Frame:
        """Write and sync one frame; returns when it is durable.

        Args:
            body: msgpack array of events.
            count: How many they are.
            recorded_at: Raised to that of the frame before, if it is less.
            effects: Rows to write with the frame, for a journal that keeps the views too; others do not ask.

        Raises:
            JournalFailed: A write or sync failed; nothing may be appended until the journal is reopened.
            StaleEpoch: A newer leader wrote here.
            ConcurrentUpdate: Another writer went on from this head first; nothing was written.
        """
        ...

    def overtaken(self) -> bool:
        """Whether another writer has gone on from this head. Raises :class:`JournalFailed`."""

    def follow(self) -> None:
        """Take the last frame that any writer booked for the head. Raises :class:`JournalFailed`."""

    def read(self, after: Seq = Seq(0)) -> Iterator[Frame]:
        """Verified frames whose last seq is greater than ``after``, oldest first."""
        ...

    def recorded_by(self, time: int) -> Head:
        """The last frame recorded at or before a time in nanoseconds, ``Head(0, GENESIS)`` when there is none."""
        ...

    def save_head(self) -> None:
        """Note, beside the log, where it reaches, so that a tail lost later is missed."""
        ...

    def close(self) -> None:
        """Release the files."""
        ...


class Instance(msgspec.Struct, frozen=True):
    """A process that works with a store, as it last said so itself: operational, and outside the journal.

    Attributes:
        started_at, heartbeat_at: Nanoseconds.
        is_leader: Whether it takes itself for the one that trades.
    """

    instance_id: str
    host: str
    pid: int
    version: str
    started_at: int
    heartbeat_at: int
    is_leader: bool


class Views(Protocol):
    """The queryable copy of the books: derived, rebuilt at will."""

    def apply(self, changes: Sequence[Change]) -> None:
        """Write all changes in one transaction. Raises :class:`ViewsFailed`."""
        ...

    def head(self, ledger: AccountId) -> Head:
        """The last frame whose effects are in the views; ``Head(0, GENESIS)`` when none."""
        ...

    def applied(self, ledger: AccountId) -> Seq:
        """Last seq whose effects are in the views; 0 when none."""
        ...

    def ledgers(self) -> Sequence[AccountId]:
        """Every ledger with rows."""
        ...

    def positions(self, ledger: AccountId) -> tuple[Seq, Sequence[Position]]:
        """All positions, flat ones included, with the seq they are true at: one read transaction."""
        ...

    def balances(self, ledger: AccountId) -> tuple[Seq, Sequence[Balance]]:
        """All balances, with the seq they are true at."""
        ...

    def orders(self, ledger: AccountId) -> tuple[Seq, Sequence[OpenOrder]]:
        """All open orders, with the seq they are true at."""
        ...

    def cycles(self, ledger: AccountId, instrument: str) -> Sequence[tuple[str, Cycle]]:
        """Closed cycles of an instrument as (position side, cycle), oldest first."""
        ...

    def find(self, ledger: AccountId, keys: Sequence[str]) -> Mapping[str, Seq]:
        """Which of the fact keys are known, and where."""
        ...

    def keys(self, ledger: AccountId) -> Iterator[str]:
        """Every fact key of a ledger."""
        ...

    def frames(self, ledger: AccountId, after: Seq = Seq(0)) -> Iterator[Frame]:
        """The second copy of the log."""
        ...

    def forget(self, ledger: AccountId) -> None:
        """Drop every row of a ledger, before it is rebuilt."""
        ...

    def beat(self, instance: Instance) -> None:
        """Note that a process is alive, in the place of what it noted before. Raises :class:`ViewsFailed`."""
        ...

    def instances(self) -> Sequence[Instance]:
        """Every process that ever noted so, by id; views that are made anew begin without any."""
        ...

    def close(self) -> None:
        """Release the database."""
        ...


class OpenedLedger(msgspec.Struct, frozen=True):
    """One ledger as a start finds it: verified from its snapshot on.

    Attributes:
        state: The newest snapshot's bytes (:mod:`trueup.book.snapshot`); None to fold the log from its start.
        state_hash: What the book in it must hash to; empty without one.
        after: The seq the snapshot stands at; 0 without one.
        findings: What was healed, cut or passed over, in sentences for a person.
    """

    journal: Journal
    state: bytes | None
    state_hash: bytes
    after: Seq
    findings: Sequence[str]


class Milestone(msgspec.Struct, frozen=True):
    """A folded state of the past, to fold on from. It is believed only where the log and its own hash agree.

    Attributes:
        head: The frame that it stands behind.
        state: The book's bytes (:mod:`trueup.book.snapshot`).
        state_hash: What the book in it must hash to.
    """

    head: Head
    state: bytes
    state_hash: bytes


class Storage(Protocol):
    """Where ledgers and views are kept."""

    @property
    def together(self) -> bool:
        """Whether views are written in the transaction of their frame, or else fed after it."""
        ...

    def views(self) -> Views:
        """The views as they stand. Raises :class:`ViewsFailed` when they are damaged; then :meth:`new_views`."""
        ...

    def new_views(self) -> Views:
        """Empty views, to be filled and then put in the place of the present ones by :meth:`replace_views`."""
        ...

    def replace_views(self, views: Views, old: Views | None = None, *, last_copy: bool = False) -> Views:
        """Put new views in the place of the old ones, which are kept aside; returns the views to use from now on.

        Args:
            views: Made by :meth:`new_views`.
            old: The old ones, where they are open: closed once the new ones stand in their place, and not before.
            last_copy: Whether the old ones are the last copy of some log, and no later replacement may drop them.

        Raises:
            ViewsFailed: The disk refused. The old ones are where they were, unless they could not be put back or the
                new ones, in their place by then, could not be opened.
        """
        ...

    def ledgers(self) -> Sequence[AccountId]:
        """Every ledger that has a journal here."""
        ...

    def open_ledger(
        self, ledger: AccountId, views: Views | None, *, snapshot: bool = True, epoch: int | None = None
    ) -> OpenedLedger:
        """Verify a ledger's log, healing it from the views where they have what it lost.

        Args:
            ledger: Which; made when there is none.
            views: Where the second copy of the log is, if there is one.
            snapshot: Whether to begin at the newest one; else everything is read.
            epoch: Fencing token of a new leader, from whose first frame on older ones are refused; None to keep the
                ledger's.

        Raises:
            JournalDamaged: Damage that no copy heals.
            JournalFailed: The disk refused.
        """
        ...

    def adopt(self, ledger: AccountId, frames: Callable[[Seq], Iterator[Frame]], head: Head) -> None:
        """Append the frames of another store, as they are, up to a head; the views stay behind.

        Args:
            ledger: Which; made when there is none. Nobody has it open.
            frames: Those whose last seq is greater than a given one, oldest first.
            head: Where they end.

        Raises:
            JournalDamaged: They do not continue what is there, or do not lead to the head.
            StorageError: The store refused.
        """
        ...

    def snapshot(self, journal: Journal, state: bytes, state_hash: bytes) -> Callable[[], object]:
        """Prepare to keep the state folded up to the journal's present head; the answer writes it.

        Which of those written before it replaces is the rule of :mod:`trueup.journal.milestones`.
        """
        ...

    def milestones(self, ledger: AccountId) -> Sequence[Seq]:
        """Where states of a ledger are kept, ascending; whether one can be used shows when it is read."""
        ...

    def milestone(self, ledger: AccountId, seq: Seq) -> Milestone | None:
        """The state kept at a seq; None where there is none that this version can read."""
        ...

    def drop_milestone(self, ledger: AccountId, seq: Seq) -> None:
        """Delete the state kept at a seq, which proved to be wrong. Raises :class:`StorageError`."""
        ...

    def close(self) -> None:
        """Let others have it."""
        ...
