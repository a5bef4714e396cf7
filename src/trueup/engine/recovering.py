"""``trueup recover``: whatever a surviving copy can heal, healed in one go, and said; what is left is said too.

The order is that of dependence: files in their places, then every log from whatever holds its frames (the views, the
pages of a views database that nobody can open any more, a backup), then snapshots, which must be what the log folds to,
and at last the views, made anew from logs that are whole. Nothing is deleted that could be a last copy, and a log that
no copy heals stays as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from itertools import product
from typing import Protocol

import msgspec

from trueup.engine.rebuilding import rebuild_views
from trueup.engine.verifying import CheckedViews, LedgerProof, Progress, Proof, verify_storage
from trueup.journal.copies import combined
from trueup.journal.findings import VerifyReport
from trueup.journal.pages import DamagedDatabase
from trueup.journal.recovery import Copies
from trueup.model.errors import JournalDamaged, StorageError, ViewsFailed
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Head, Journal, Milestone, Storage, Views


class RecoverableStorage(Storage, Protocol):
    """Storage whose files can be proved and mended."""

    def verify(self, ledger: AccountId, progress: Callable[[int, int], None] | None = None) -> VerifyReport:
        """Prove the chain of one log."""
        ...

    def log(self, ledger: AccountId) -> Journal:
        """A log that was verified, to be read and closed; nothing in it is changed."""
        ...

    def views(self) -> CheckedViews:
        """The views as they stand. Raises :class:`ViewsFailed`."""
        ...

    def newest_milestone(self, ledger: AccountId) -> tuple[Milestone | None, Sequence[str]]:
        """The state that the next start would use, and what is wrong with newer ones."""
        ...

    def put_back_segments(self) -> Sequence[str]:
        """Move files that stand under another's name to where they belong."""
        ...

    def heal(self, ledger: AccountId, copies: Copies, reached: Head | None) -> Sequence[str]:
        """Heal a whole log from second copies; what was mended. Raises :class:`JournalDamaged`."""
        ...

    def salvaged(self) -> Sequence[DamagedDatabase]:
        """What can be read from the pages of databases that cannot be opened."""
        ...

    def saved_head(self, ledger: AccountId) -> Head | None:
        """Where the log was last known to reach."""
        ...

    def saved_head_damaged(self, ledger: AccountId) -> bool:
        """Whether there is a saved head that cannot be believed."""
        ...


class Backup(msgspec.Struct, frozen=True):
    """The copies in a backup.

    Attributes:
        heads: How far it holds each ledger.
        frames: The frames of a ledger in it.
    """

    heads: Mapping[AccountId, Head]
    frames: Callable[[AccountId], Copies]


NO_BACKUP = Backup({}, lambda _account: lambda _after: iter(()))


class Recovery(msgspec.Struct, frozen=True):
    """How a recovery went.

    Attributes:
        proof: Of everything, afterwards.
        done: What was mended, in sentences.
        remaining: What is still damaged, with the remedy.
    """

    proof: Proof
    done: Sequence[str]
    remaining: Sequence[str]

    @property
    def ok(self) -> bool:
        """Whether everything is whole now."""
        return self.proof.ok and not self.remaining


def recover(storage: RecoverableStorage, backup: Backup, progress: Progress) -> Recovery:
    """Heal whatever a copy can heal.

    Args:
        storage: Owned by the caller; no ledger in it is open.
        backup: A further copy; :data:`NO_BACKUP` for none.
        progress: Of the proof at the end, which takes longest.

    Raises:
        StorageError: The disk refused.
    """
    done, remaining = list(storage.put_back_segments()), []
    for account, mended in _healed_logs(storage, backup).items():
        if isinstance(mended, StorageError):
            remaining.append(f"{account}: {mended}")
        else:
            done += [f"{account}: {what}" for what in mended]
    accounts = known_accounts(storage, backup)
    done += _without_bad_snapshots(storage, accounts)
    proof = verify_storage(storage, accounts, progress)
    while lies := _without_lies(storage, proof):  # below one that lied may stand another
        done += lies
        proof = verify_storage(storage, accounts, progress)
    if wrong := [
        *proof.views,
        *(f"{ledger.account}: {problem}" for ledger in proof.ledgers for problem in ledger.views),
    ]:
        done += [f"views: {wrong[0]}; made anew from the logs, the old database is kept", *_new_views(storage)]
        proof = verify_storage(storage, accounts, progress)
    return Recovery(proof, done, [*remaining, *shortfalls(proof, backup)])


def examine(storage: RecoverableStorage, backup: Backup, progress: Progress) -> Recovery:
    """What :func:`recover` would find; nothing is changed. Arguments and errors as there."""
    proof = verify_storage(storage, known_accounts(storage, backup), progress)
    unusable = [f"{ledger.account}: {problem}" for ledger in proof.ledgers for problem in ledger.passed_over]
    heads = [
        f"{account}: the saved head is damaged" for account in storage.ledgers() if storage.saved_head_damaged(account)
    ]
    return Recovery(proof, [], [*unusable, *heads, *shortfalls(proof, backup)])


def known_accounts(storage: RecoverableStorage, backup: Backup) -> Sequence[AccountId]:
    """Every ledger there is: by its log, its saved head, the views or the backup."""
    known = {*storage.ledgers(), *backup.heads}
    with suppress(ViewsFailed), ExitStack() as held:
        known.update(_held(storage, held).ledgers())
    return sorted(known)


def shortfalls(proof: Proof, backup: Backup) -> Sequence[str]:
    """Ledgers that a backup holds further than the log reaches: their tails were cut, and nothing else shows it."""
    found = []
    for ledger in proof.ledgers:
        head = backup.heads.get(ledger.account)
        if head is not None and head.seq > ledger.head_seq:
            advice = _OTHER_HISTORY if _parted(ledger, backup) else _FROM_BACKUP
            found.append(
                f"{ledger.account}: the log ends at seq {ledger.head_seq}, and the backup holds it up to seq "
                f"{head.seq}. {advice}"
            )
    return found


def _parted(ledger: LedgerProof, backup: Backup) -> bool:
    """Whether the last frame of a log is another in a backup."""
    if not ledger.head_seq:
        return False
    try:
        frame = next(backup.frames(ledger.account)(Seq(ledger.head_seq - 1)), None)
    except StorageError:  # which is told of by whoever reads it
        return False
    return frame is not None and (frame.last, frame.hash.hex()) != (ledger.head_seq, ledger.head_hash)


_FROM_BACKUP = "Run `trueup recover --from-backup` with that backup."
_OTHER_HISTORY = (
    "That is another history than the log's, as after a restore to an earlier point: nothing was taken from it. "
    "Back this directory up into another one; to go back to that history, use `trueup restore --replacing`."
)


# --- logs -------------------------------------------------------------------------------------------------------------


def _healed_logs(storage: RecoverableStorage, backup: Backup) -> Mapping[AccountId, Sequence[str] | StorageError]:
    """What was mended in each log, or why it could not be."""
    found: dict[AccountId, Sequence[str] | StorageError] = {}
    with ExitStack() as held:
        views = None
        with suppress(ViewsFailed):  # they are made anew in the end; what their pages still hold is asked too
            views = _held(storage, held)
        pages = storage.salvaged()
        for account in known_accounts(storage, backup):
            sources: list[Copies] = [partial(views.frames, account)] if views is not None else []
            sources += [partial(database.frames, account) for database in pages]
            orders = [*sources, backup.frames(account)], [backup.frames(account), *sources]
            try:
                found[account] = _healed(storage, account, orders, _reached(views, account, backup))
            except StorageError as failure:
                found[account] = failure
    return found


def _held(storage: RecoverableStorage, held: ExitStack) -> Views:
    views: Views = storage.views()
    held.callback(views.close)
    return views


def _healed(
    storage: RecoverableStorage, account: AccountId, orders: Sequence[Sequence[Copies]], reached: Head | None
) -> Sequence[str]:
    """Heal one log. Views of another history stand neither before a copy nor against a saved head that fit the log."""
    saved = storage.saved_head(account)
    claims = [reached] if reached is None or saved is None else [reached, saved]
    refusals: list[JournalDamaged] = []
    for claim, sources in product(claims, orders):
        try:
            return storage.heal(account, combined(sources), claim)
        except JournalDamaged as damage:
            refusals.append(damage)
    raise refusals[0]


def _reached(views: Views | None, account: AccountId, backup: Backup) -> Head | None:
    """The furthest head that a copy knows."""
    heads = [backup.heads[account]] if account in backup.heads else []
    if views is not None:
        with suppress(ViewsFailed):
            heads.append(views.head(account))
    furthest = max(heads, key=lambda head: head.seq, default=None)
    return furthest if furthest is not None and furthest.seq else None


# --- what is made from logs -------------------------------------------------------------------------------------------


def _without_bad_snapshots(storage: RecoverableStorage, accounts: Sequence[AccountId]) -> Sequence[str]:
    done = []
    for account in accounts:
        for seq in storage.milestones(account):
            if storage.milestone(account, seq) is None:
                storage.drop_milestone(account, seq)
                done.append(f"{account}: the snapshot of seq {seq} cannot be used; deleted")
    return done


def _without_lies(storage: RecoverableStorage, proof: Proof) -> Sequence[str]:
    lying = [ledger for ledger in proof.ledgers if ledger.snapshot]
    for ledger in lying:
        storage.drop_milestone(ledger.account, storage.milestones(ledger.account)[-1])
    return [f"{ledger.account}: {ledger.snapshot}; deleted" for ledger in lying]


def _new_views(storage: RecoverableStorage) -> Sequence[str]:
    told: list[str] = []
    rebuild_views(storage, note=told.append, leave_out_damaged=True).close()
    return told
