"""The scrub: proves, slice by slice beside the booking, that what is stored is still what was written.

Layer after layer, each with the time when it was last proven:

log
    The chain and bytes of a ledger's log, re-read from the disk, and the saved head.
copy
    The frames in the views against those of the log.
book
    Memory against a book folded from the log since the newest milestone. That one is proven by a fold from the one
    before it, and in each round one more of the older ones.
rows
    The views' rows against the book in memory: what page checksums do not cover, the live write-ahead log, is here.
pages
    Every row of the views database, page checksums and order with it.

What is found is acted upon at once. Log damage fences its ledger, and reopening heals it from the views; views that are
damaged are made anew from the logs while the ledgers book; a book that is not what its log folds to is folded again.
What no copy heals stays fenced, and other ledgers go on.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Literal, Protocol, runtime_checkable

import msgspec

from trueup.book.book import Book
from trueup.book.snapshot import state_hash
from trueup.engine.changes import fold
from trueup.engine.ledger import Ledger
from trueup.engine.past import Past
from trueup.engine.resuming import resumed
from trueup.engine.store import Store
from trueup.model.errors import BadInput, JournalDamaged, TrueupError, ViewsFailed
from trueup.model.identifiers import PositionKey, Seq
from trueup.model.positions import Position
from trueup.ports import Views

SLICE_S = 0.020
"""How long a step works: a commit waits no longer for the interpreter than it does for a busy disk."""

PAUSE_S = 0.180
"""Rest between two steps: a tenth of one processor, and some 40 MB a second of log."""

FIRST_S = 10.0
"""From the opening of a store to the first step: a start has proved the tail, and short commands need no more."""

ROUND_S = 3_600.0
"""From the end of a round to the start of the next."""

LOOK_S = 10.0
"""Between two looks at whether the views are still fed, while it rests: readers should not wait for a round."""

EVENTS_A_SLICE = 500
POSITIONS_A_SLICE = 100

HASHED_MAX = 500
"""Positions up to which the state is hashed as a whole, which takes 40 µs each while nobody can book. Of more,
each is compared by itself, and the milestones prove the rest."""

BYTES_A_SLICE = 1 << 20

REBUILD = "Run `trueup recover`; the journal is not affected."

FINDINGS_MAX = 100
"""Kept for whoever looks."""

TOLD_MAX = 5
"""Rows named in one sentence."""

Layer = Literal["log", "copy", "book", "rows", "pages"]


class Proven(msgspec.Struct, frozen=True):
    """What is known of one layer.

    Attributes:
        account: Whose; empty for the pages of the views, which are everybody's.
        proven_at: When it was last found whole, in nanoseconds; None when it never was.
        looked_at: When it was last looked at.
        seq: Up to where; 0 for pages.
        problem: What was found the last time; empty when it was whole.
    """

    layer: Layer
    account: str
    proven_at: int | None
    looked_at: int
    seq: Seq
    problem: str = ""


@runtime_checkable
class ProvingJournal(Protocol):
    """A journal with more to prove than that its frames can be read."""

    def proving(self) -> Iterator[None]:
        """Prove all of it, a slice a step. Raises :class:`JournalDamaged`."""
        ...

    def prove_files(self) -> str:
        """Prove what the writer has open, and mend what can be written again; what was mended, in a sentence."""
        ...


@runtime_checkable
class ProvingViews(Protocol):
    """Views with pages to prove."""

    def proving(self) -> Iterator[None]:
        """Read all of them from the disk, a slice a step. Raises :class:`ViewsFailed`."""
        ...


class Scrub:
    """The chore (:class:`trueup.engine.caretaker.Chore`).

    Args:
        store: What is proven.
        monotonic: Seconds, for the slices.
        keep: Given the report after each round, encoded (:func:`known`).
    """

    name = "scrub"

    def __init__(
        self, store: Store, monotonic: Callable[[], float], keep: Callable[[bytes], object] | None = None
    ) -> None:
        self.findings: deque[str] = deque(maxlen=FINDINGS_MAX)
        self._store = store
        self._monotonic = monotonic
        self._keep = keep
        self._known: dict[tuple[Layer, str], Proven] = {}
        self._rounds = 0
        self._resting_until = 0.0
        self._begun = False
        self._slices: Iterator[None] | None = None

    def step(self) -> float:
        """Work for :data:`SLICE_S`; seconds until the next slice."""
        if not self._begun:
            self._begun = True
            return FIRST_S
        if self._monotonic() < self._resting_until:
            self._feed_again()
            return LOOK_S
        until = self._monotonic() + SLICE_S
        slices = self._slices = self._slices or self._round()
        try:
            while self._monotonic() < until:
                next(slices)
        except StopIteration:
            self._slices = None
            self._resting_until = self._monotonic() + ROUND_S
            return LOOK_S
        except BaseException:
            self._slices = None  # a generator that raised is at its end
            raise
        return PAUSE_S

    def whole_round(self) -> None:
        """Prove everything now, in one go."""
        for _ in self._round():
            pass

    def report(self) -> Sequence[Proven]:
        """What is known of every layer, with ages."""
        return [known for _, known in sorted(self._known.items(), key=lambda item: (item[0][1], item[0][0]))]

    # --- a round ------------------------------------------------------------------------------------------------------

    def _round(self) -> Iterator[None]:
        for ledger in self._store.open_ledgers():
            yield from self._log(ledger)
        self._feed_again()
        for ledger in self._store.open_ledgers():
            yield from self._book(ledger)
            yield from self._copy(ledger)
            yield from self._rows(ledger)
        yield from self._pages()
        self._rounds += 1
        if self._keep is not None:
            self._keep(msgspec.json.encode(self.report()))

    def _log(self, ledger: Ledger) -> Iterator[None]:
        """Prove a log; heal one that is damaged."""
        if ledger.failed is not None and not isinstance(ledger.failed, JournalDamaged):
            return  # its callers are told to reopen it
        seq, journal = ledger.head.seq, ledger.journal
        try:
            if ledger.failed is not None:
                raise ledger.failed
            if isinstance(journal, ProvingJournal):
                yield from journal.proving()
                with ledger.turn:
                    mended = journal.prove_files() if journal is ledger.journal else ""
                if mended:
                    self._say(f"{ledger.account}: {mended}")
            else:
                for _ in journal.read():
                    yield
        except JournalDamaged as damage:
            if journal is ledger.journal:  # else it was reopened meanwhile
                self._note("log", ledger.account, seq, str(damage))
                self._heal(ledger, damage)
        else:
            self._note("log", ledger.account, seq)

    def _heal(self, ledger: Ledger, damage: JournalDamaged) -> None:
        ledger.fence(damage)
        try:
            self._store.reopen(ledger.account)
        except TrueupError as failure:
            self._say(f"{ledger.account}: fenced. {failure}")
        else:
            self._note("log", ledger.account, ledger.head.seq)
            self._say(f"{ledger.account}: {damage.message} Healed from the copy in the views.")

    def _book(self, ledger: Ledger) -> Iterator[None]:
        """Prove milestones, each by a fold from the one before it, and the book in memory by one from the last."""
        with ledger.turn:
            if ledger.failed is not None or not ledger.whole:
                return
            seq, journal, small = ledger.book.seq, ledger.journal, len(ledger.book.tracks) <= HASHED_MAX
            digest = state_hash(ledger.book) if small else b""
        seqs = [Seq(0), *(at for at in self._store.milestones(ledger.account) if at <= seq)]
        pairs = list(pairwise(seqs))
        older = [pairs[self._rounds % len(pairs)]] if pairs else []
        for start, end in dict.fromkeys([*older, *pairs[-1:]]):
            yield from self._milestone(ledger, start, end)
        book = yield from self._folded(ledger, seqs[-1], seq)
        if book is None or journal is not ledger.journal:
            return
        other = (
            state_hash(book) != digest if small else bool((yield from _other_positions(ledger, book.positions(), seq)))
        )
        problem = f"memory at seq {seq} is not what the log folds to" if other else ""
        self._note("book", ledger.account, seq, problem)
        if problem:
            self._say(f"{ledger.account}: {problem}; the log is folded again")
            self._store.reopen(ledger.account)

    def _milestone(self, ledger: Ledger, start: Seq, end: Seq) -> Iterator[None]:
        book = yield from self._folded(ledger, start, end)
        kept = self._store.milestone(ledger.account, end)
        if kept is None:
            self._drop(ledger, end, "it cannot be read")
        elif book is not None and (book.seq, state_hash(book)) != (end, kept.state_hash):
            self._drop(ledger, end, "it is not what the log folds to")

    def _folded(self, ledger: Ledger, start: Seq, end: Seq) -> Generator[None, None, Book | None]:
        """The book at a seq, folded from the milestone at another; None where that cannot be used."""
        past = Past(ledger.journal)
        book = Book(ledger.account, past)
        if start:
            kept = self._store.milestone(ledger.account, start)
            try:
                if kept is None:
                    return None  # it is told of by the stretch that ends there
                book = resumed(ledger.account, start, kept.state, kept.state_hash, past)
            except BadInput as refused:
                self._drop(ledger, start, refused.problem)
                return None
        since = 0
        for frame in ledger.frames(start):
            if frame.last > end:
                break
            past.until = frame.last
            fold(book, frame)
            book.forget_changes()
            since += frame.count
            if since >= EVENTS_A_SLICE:
                since = 0
                yield
        return book

    def _drop(self, ledger: Ledger, seq: Seq, problem: str) -> None:
        self._store.drop_milestone(ledger.account, seq)
        self._say(f"{ledger.account}: the snapshot of seq {seq}: {problem}; deleted")

    def _copy(self, ledger: Ledger) -> Iterator[None]:
        """Compare the frames in the views with those of the log."""
        if ledger.failed is not None or self._store.views_failed is not None or self._store.together:
            return
        views, account = self._store.views, ledger.account
        try:
            applied = views.applied(account)
            yield from _same_frames(ledger, views, applied)
        except ViewsFailed as failure:
            self._views_wrong("copy", account, failure, views)
        else:
            self._note("copy", account, applied)

    def _rows(self, ledger: Ledger) -> Iterator[None]:
        """Compare the rows of the views with the book; those that have changed since they were read are left out."""
        if ledger.failed is not None or self._store.views_failed is not None:
            return
        views, account = self._store.views, ledger.account
        try:
            self._store.synced(account)
            seq = yield from _same_rows(ledger, views)
        except ViewsFailed as failure:
            self._views_wrong("rows", account, failure, views)
        else:
            self._note("rows", account, seq)

    def _pages(self) -> Iterator[None]:
        views = self._store.views
        if self._store.views_failed is not None or not isinstance(views, ProvingViews):
            return
        try:
            yield from views.proving()
        except ViewsFailed as failure:
            self._views_wrong("pages", "", failure, views)
        else:
            self._note("pages", "", Seq(0))

    # --- what is done about it ----------------------------------------------------------------------------------------

    def _views_wrong(self, layer: Layer, account: str, failure: ViewsFailed, views: Views) -> None:
        if views is not self._store.views:
            return  # they were replaced meanwhile
        self._note(layer, account, Seq(0), failure.message)
        self._store.fail_views(failure)
        self._rebuild(failure)

    def _feed_again(self) -> None:
        if self._store.views_failed is not None:
            self._rebuild(self._store.views_failed)

    def _rebuild(self, failure: ViewsFailed) -> None:
        self._store.rebuild_views()
        self._say(f"views: {failure.message} They were made anew; the old file is kept.")

    def _note(self, layer: Layer, account: str, seq: Seq, problem: str = "") -> None:
        now, before = self._store.clock.now(), self._known.get((layer, account))
        proven = now if not problem else before.proven_at if before is not None else None
        self._known[layer, account] = Proven(layer, account, proven, now, seq, problem)

    def _say(self, sentence: str) -> None:
        self.findings.append(sentence)


def known(report: bytes) -> Sequence[Proven]:
    """A report that was kept; nothing where it is of another version."""
    try:
        return msgspec.json.decode(report, type=list[Proven])
    except msgspec.DecodeError:
        return []


def _same_frames(ledger: Ledger, views: Views, applied: Seq) -> Iterator[None]:
    """Raises :class:`ViewsFailed` where the views hold another frame than the log, or none."""
    copies, bytes_read = views.frames(ledger.account), 0
    for ours in ledger.frames():
        if ours.first > applied:
            return
        if next(copies, None) != ours:
            raise ViewsFailed(f"The views hold another frame of {ledger.account} at seq {ours.first}.", remedy=REBUILD)
        bytes_read += len(ours.body)
        if bytes_read >= BYTES_A_SLICE:
            bytes_read = 0
            yield


def _same_rows(ledger: Ledger, views: Views) -> Generator[None, None, Seq]:
    """The seq compared; raises :class:`ViewsFailed` where a row is not what the book says."""
    account = ledger.account
    seq, positions = views.positions(account)
    (balances_seq, balances), (orders_seq, orders) = views.balances(account), views.orders(account)
    rows = {(position.instrument.symbol, position.position_side): position for position in positions}
    wrong = [f"position {instrument} {side}" for instrument, side in (yield from _other_positions(ledger, rows, seq))]
    with ledger.turn:
        book = ledger.book
        if book.seq == balances_seq and {row.currency: row for row in balances} != book.balances():
            wrong.append("balances")
        if book.seq == orders_seq and {row.venue_order_id: row for row in orders} != book.open_orders():
            wrong.append("open orders")
    if wrong and ledger.failed is None:
        told = ", ".join(wrong[:TOLD_MAX])
        raise ViewsFailed(f"Rows of {account} are not what its log folds to: {told}.", remedy=REBUILD)
    return seq


def _other_positions(
    ledger: Ledger, theirs: Mapping[PositionKey, Position], seq: Seq
) -> Generator[None, None, list[PositionKey]]:
    """Positions of the book that are others elsewhere, at a seq; those touched since are left out."""
    with ledger.turn:
        keys = sorted({*ledger.book.tracks, *theirs})
    other: list[PositionKey] = []
    for start in range(0, len(keys), POSITIONS_A_SLICE):
        with ledger.turn:
            for key in keys[start : start + POSITIONS_A_SLICE]:
                mine = ledger.book.position(*key)
                if (mine is None or mine.seq <= seq) and mine != theirs.get(key):
                    other.append(key)
        yield
    return other
