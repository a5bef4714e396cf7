"""Moving a store: every ledger's frames from one place to another, as they are.

What lives only here: what has to agree before and after. The target may be empty or hold a beginning of the same
history, as an interrupted copy leaves it; another history is refused before anything is written. Frames keep their
seqs, times, epochs and hashes, so the chain is the proof of each; the views and the book are made from them there, and
a copy is done when both heads and both folded states are equal.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial

import msgspec

from trueup.book.book import Book
from trueup.book.snapshot import state_hash
from trueup.engine.ledger import Ledger
from trueup.engine.store import Store
from trueup.model.errors import BadInput, StorageError
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Clock, Frame, Head, Storage

Progress = Callable[[int, int], None]
"""Told the events done so far and the events in all; each is counted when written and when folded."""


class Standing(msgspec.Struct, frozen=True):
    """Where a ledger stands in a store.

    Attributes:
        head: Its end.
        state_hash: What it folds to, hexadecimal.
    """

    head: Head
    state_hash: str


class Copied(msgspec.Struct, frozen=True):
    """One ledger in both stores; None where a store does not have it."""

    account: AccountId
    source: Standing | None
    target: Standing | None

    @property
    def equal(self) -> bool:
        """Whether nothing tells the two apart."""
        return self.source == self.target


def copy(source: Store, target: Storage, clock: Clock, progress: Progress) -> Sequence[Copied]:
    """Bring a store to where another one stands, and prove it.

    Args:
        source: Where the ledgers are; left as it is.
        target: Where they go; closed at the end in any case.
        clock: For the store that is made there.
        progress: Called as it goes on.

    Returns:
        Each ledger, equal in both.

    Raises:
        BadInput: The target holds another history, or a ledger that the source does not have. Nothing was written.
        JournalDamaged: A log of either is damaged.
        StorageError: Writing failed, or the two are not equal at the end.
    """
    try:
        heads = {account: source.ledger(account).head for account in source.accounts()}
        _refuse_another_history(source, target)
        work = _Work(progress, 2 * sum(head.seq for head in heads.values()))
        for account, head in heads.items():
            target.adopt(account, partial(work.frames, source.ledger(account), head), head)
            work.done += head.seq
        store = Store.open(target, clock)
    except BaseException:
        target.close()
        raise
    with closing(store):
        for account, head in heads.items():
            store.ledger(account, work.folded)
            work.done += head.seq
        found = compare(source, store)
    for copied in found:
        if not copied.equal:
            raise StorageError(
                f"{copied.account} is not the same in both stores: {copied.source} and {copied.target}.",
                remedy="Copy again when nobody books at the source.",
            )
    return found


def compare(source: Store, target: Store) -> Sequence[Copied]:
    """Where each ledger stands in two stores. Raises :class:`JournalDamaged`."""
    ours, theirs = set(source.accounts()), set(target.accounts())
    return [
        Copied(
            account,
            _standing(source, account) if account in ours else None,
            _standing(target, account) if account in theirs else None,
        )
        for account in sorted(ours | theirs)
    ]


def _standing(store: Store, account: AccountId) -> Standing:
    ledger = store.ledger(account)

    def state(book: Book) -> Standing:
        return Standing(ledger.head, state_hash(book).hex())

    return ledger.read(state)


class _Work:
    """How far a copy has come."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.done = 0
        self._progress = progress
        self._total = total

    def frames(self, ledger: Ledger, head: Head, after: Seq) -> Iterator[Frame]:
        """The frames of a ledger behind a seq, up to a head: more may be booked meanwhile."""
        for frame in ledger.journal.read(after):
            if frame.last > head.seq:
                return
            self._progress(self.done + frame.last, self._total)
            yield frame

    def folded(self, _account: AccountId, seq: Seq, _head: Seq) -> None:
        """A ledger is folded at the target so far."""
        self._progress(self.done + seq, self._total)


def _refuse_another_history(source: Store, target: Storage) -> None:
    """Refuse a target that holds anything but beginnings of what the source holds."""
    unknown = set(target.ledgers()) - set(source.accounts())
    if unknown:
        raise _other(f"it holds {', '.join(sorted(unknown))}, which the source does not have")
    for account in target.ledgers():
        with closing(target.open_ledger(account, None, snapshot=False).journal) as journal:
            head = journal.head
        ours = next(iter(source.ledger(account).journal.read(Seq(head.seq - 1))), None) if head.seq else None
        if head.seq and (ours is None or (ours.last, ours.hash) != (head.seq, head.hash)):
            raise _other(f"it holds {account} up to seq {head.seq} in another history")


def _other(why: str) -> BadInput:
    return BadInput("to", "the target", why, remedy="Name an empty place, or one that an earlier copy began.")
