"""Proving what is stored: the chain of every log, and what was made from the log against the log itself.

The logs are read whole, whatever snapshots say. The views are compared frame by frame, and row by row with a book
folded from those frames; the newest snapshot with the book folded up to it. Nothing is changed
(:mod:`trueup.engine.recovering` does that).
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Protocol

import msgspec

from trueup.book.book import Book
from trueup.book.snapshot import state_hash
from trueup.engine.changes import fold
from trueup.engine.past import Past
from trueup.engine.reconciling import book_side, views_side
from trueup.engine.resuming import resumed
from trueup.journal.findings import Finding, VerifyReport
from trueup.model.differences import Kind, VenueSnapshot
from trueup.model.errors import BadInput, JournalDamaged, ViewsFailed
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Frame, Journal, Milestone, Views
from trueup.reconcile.compare import compare

FINDINGS_MAX = 20
"""Of the views per ledger: one lost page breaks thousands of rows."""

Progress = Callable[[AccountId, int, int], None]
"""Told of a ledger, the bytes read so far and the bytes in all."""


class CheckedViews(Views, Protocol):
    """Views that can prove their pages."""

    def check(self) -> Sequence[str]:
        """Read every page; what is wrong, in sentences."""
        ...


class ProvableStorage(Protocol):
    """Storage that can be read without being opened for writing."""

    def ledgers(self) -> Sequence[AccountId]:
        """Every ledger that has a journal here."""
        ...

    def verify(self, ledger: AccountId, progress: Callable[[int, int], None] | None = None) -> VerifyReport:
        """Prove the chain of one log."""
        ...

    def views(self) -> CheckedViews:
        """The views as they stand. Raises :class:`ViewsFailed`."""
        ...

    def log(self, ledger: AccountId) -> Journal:
        """A log that was verified, to be read and closed; nothing in it is changed."""
        ...

    def newest_milestone(self, ledger: AccountId) -> tuple[Milestone | None, Sequence[str]]:
        """The state that the next start would use, and what is wrong with newer ones."""
        ...


class LedgerProof(msgspec.Struct):
    """What is known of one ledger after all of it was read.

    Attributes:
        head_seq, head_hash: Where the chain ends.
        log: What is wrong with the log.
        torn: Whether it ends in a write that was cut short and never acknowledged, which the next opening clears.
        views: What the views hold otherwise than the log says.
        views_seq: The last event in the views; None when they were not compared.
        snapshot: What is wrong with the newest snapshot; empty when nothing is.
        passed_over: What is wrong with newer ones, which cannot be used.
    """

    account: AccountId
    head_seq: Seq
    head_hash: str
    events: int
    frames: int
    log_bytes: int
    log: Sequence[str]
    torn: bool
    views: Sequence[str] = ()
    views_seq: Seq | None = None
    snapshot: str = ""
    passed_over: Sequence[str] = ()

    @property
    def ok(self) -> bool:
        """Whether log, views and snapshot are what was written."""
        return not self.log and not self.views and not self.snapshot


class Proof(msgspec.Struct):
    """All ledgers, and the views database as a whole.

    Attributes:
        views: What is wrong with the database itself.
    """

    ledgers: Sequence[LedgerProof]
    views: Sequence[str]

    @property
    def ok(self) -> bool:
        """Whether everything is what was written."""
        return not self.views and all(ledger.ok for ledger in self.ledgers)


def stored_accounts(storage: ProvableStorage) -> Sequence[AccountId]:
    """Every ledger there is: by its log, or by the views' copy of a log that was lost."""
    try:
        with closing(storage.views()) as views:
            return sorted({*storage.ledgers(), *views.ledgers()})
    except ViewsFailed:  # what is wrong with them is found, and said, by whoever reads them
        return storage.ledgers()


def verify_storage(storage: ProvableStorage, accounts: Sequence[AccountId], progress: Progress) -> Proof:
    """Prove the logs of some accounts, and what was made from them."""
    ledgers = [_verify_log(storage, account, progress) for account in accounts]
    try:
        views = storage.views()
    except ViewsFailed as failure:
        for proof in ledgers:
            _prove_derived(storage, proof, None)
        return Proof(ledgers, [failure.message])
    with closing(views):
        wrong = views.check()
        for proof in ledgers:
            _prove_derived(storage, proof, None if wrong else views)
        return Proof(ledgers, wrong)


def _verify_log(storage: ProvableStorage, account: AccountId, progress: Progress) -> LedgerProof:
    try:
        report = storage.verify(account, lambda done, total: progress(account, done, total))
    except JournalDamaged as damage:
        return LedgerProof(account, Seq(0), "", 0, 0, 0, [damage.message], torn=False)
    torn = [finding for finding in report.findings if finding.kind == "torn_tail"]
    return LedgerProof(
        account,
        report.head.seq,
        report.head.hash.hex(),
        report.events,
        report.frames,
        report.log_bytes,
        [_sentence(finding) for finding in report.findings if finding.kind != "torn_tail"],
        torn=bool(torn),
    )


def _sentence(finding: Finding) -> str:
    events = f" (events {finding.first} to {finding.last})" if finding.first else ""
    return f"{finding.place}: {finding.problem}{events}"


def _prove_derived(storage: ProvableStorage, proof: LedgerProof, views: Views | None) -> None:
    """Where a log is whole: whether it reaches as far as what was made from it, and whether that is what it says."""
    if proof.log:
        return
    try:
        applied = views.applied(proof.account) if views is not None else Seq(0)
        kept, proof.passed_over = storage.newest_milestone(proof.account)
        known = max(applied, kept.head.seq if kept is not None else 0)
        if known > proof.head_seq:
            proof.log = [f"the log ends at seq {proof.head_seq}, and the views or a snapshot know it up to seq {known}"]
        else:
            _compare_derived(storage, proof, views, kept)
    except ViewsFailed as failure:
        proof.views = [failure.message]


def _compare_derived(storage: ProvableStorage, proof: LedgerProof, views: Views | None, kept: Milestone | None) -> None:
    """Fold a log once, and on the way compare the views, as far as they go, and the snapshot, where it stands."""
    if not proof.head_seq:
        return
    with closing(storage.log(proof.account)) as journal:
        past = Past(journal)
        book = Book(proof.account, past)
        beside = _Beside(views, proof.account) if views is not None else None
        for frame in journal.read():
            past.until = frame.last
            fold(book, frame)
            book.forget_changes()
            if beside is not None:
                beside.compare(book, frame)
            if kept is not None and frame.first <= kept.head.seq <= frame.last:
                proof.snapshot = _snapshot_lie(kept, book, frame)
    if beside is not None:
        proof.views, proof.views_seq = beside.wrong[:FINDINGS_MAX], beside.applied


def _snapshot_lie(kept: Milestone, book: Book, frame: Frame) -> str:
    """What a snapshot says otherwise than the log folded up to its frame; empty when nothing."""
    if (kept.head.seq, kept.head.hash) != (frame.last, frame.hash):
        return f"the snapshot of seq {kept.head.seq} stands on another frame than the log's"
    if kept.state_hash != state_hash(book):
        return f"the snapshot of seq {kept.head.seq} is not what the log folds to"
    try:
        resumed(book.account, kept.head.seq, kept.state, kept.state_hash)
    except BadInput as refused:
        return refused.message
    return ""


class _Beside:
    """The views of one ledger, walked beside its log."""

    def __init__(self, views: Views, account: AccountId) -> None:
        self.applied = views.applied(account)
        self.wrong: list[str] = []
        self._views = views
        self._frames = views.frames(account)

    def compare(self, book: Book, ours: Frame) -> None:
        """Compare a frame with its copy, and at the last of them the rows with the book folded so far."""
        if ours.first > self.applied or self.wrong:
            return
        theirs = next(self._frames, None)
        if theirs != ours:
            self.wrong = [f"the views hold another frame than the log at seq {ours.first}"]
        elif ours.last == self.applied:
            self.wrong = _other_rows(book, self._views)


def _other_rows(book: Book, views: Views) -> list[str]:
    """Where a row of the views is not what the fold of their own frames gives."""
    nobody = VenueSnapshot(book.account)
    found = compare(book_side(book), views_side(views, book.account), nobody).differences
    return [f"{found_.subject}: {found_.direction}" for found_ in found if found_.kind is Kind.MEMORY_DATABASE]
