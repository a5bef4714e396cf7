"""One trial: a directory comes to harm, the real store is started on it, and its answer is judged.

The verdicts, from best to worst; anything else is a failure of the trial:

harmless
    Nothing was lost, and nothing had to be mended.
healed
    It was noticed, and a start has everything that was acknowledged.
healed by recover
    A start refuses the damaged ledger with a typed error, and `trueup recover` brings everything back.
healed from a backup
    The same, with ``--from-backup``.
refused
    No copy survives. The refusal names the file and the remedy, nothing was changed, other ledgers opened, and once the
    missing files are back everything is.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from tests.damage.house import ACCOUNTS, House, State, Truth, facts, storage_at, store_at
from trueup.book.snapshot import state_hash
from trueup.engine.ledger import Ledger
from trueup.engine.recovering import NO_BACKUP, Backup, Recovery, examine, recover
from trueup.engine.scrub import Scrub
from trueup.engine.store import Store
from trueup.journal.directory import DataDirectory
from trueup.journal.disk import TEMPORARY
from trueup.model.errors import NotFound, StorageError
from trueup.model.identifiers import AccountId

Verdict = Literal["harmless", "healed", "healed by recover", "healed from a backup", "refused"]

NEWEST = 1_000_000
"""A fact that is not booked yet."""


class Failed(AssertionError):
    """The store did what it must never do."""


def judge_backup(
    house: House, harm: Callable[[Path], object], lose: Callable[[Path], object], scratch: Path
) -> Verdict:
    """Harm the backup that is needed, and see whether it still heals, or is refused and nothing made worse."""
    path, truth = house.copy("closed", scratch / "data"), house.truth["closed"]
    lose(path)
    before = _digests(path)
    try:
        backup = house.backup(harm, scratch / "backup")
    except (StorageError, NotFound) as failure:
        if not failure.remedy:
            raise Failed(f"it does not say what to do: {failure!r}") from failure
        return "refused"
    recovery = _recovered(path, backup)
    if recovery.ok:
        require_all(path, truth)
        return "healed from a backup"
    if not recovery.remaining:
        raise Failed("something remains, and nothing is said of it")
    after = _digests(path)
    if {name: after.get(name) for name in before} != before:
        raise Failed("files were changed although no copy heals them")
    if not _recovered(path, house.backup()).ok:
        raise Failed("a whole backup does not heal any more")
    require_all(path, truth)
    return "refused"


def judge(
    house: House, state: State, harm: Callable[[Path], object], scratch: Path, *, backup: Backup = NO_BACKUP
) -> Verdict:
    """Harm a copy of a state of the directory and see what the store makes of it.

    Args:
        house: The directories.
        state: Which of them.
        harm: Done to the copy.
        scratch: Where the copy goes; not there yet.
        backup: For `trueup recover`, where a start refuses.
    """
    path, truth = house.copy(state, scratch), house.truth[state]
    harm(path)
    before = _digests(path)
    noticed = _noticed(path)
    if _digests(path) != before:
        raise Failed("looking at the damage changed something")
    refused = _start(path, truth, noticed)
    if not refused:
        return _settled(path, truth, noticed)
    for account, refusal in refused.items():
        _require_named(path, refusal)
        if _digests(path, account) != {name: it for name, it in before.items() if _is_of(name, account)}:
            raise Failed(f"files of {account} were changed although it was refused: {refusal}")
    recovery = _recovered(path, backup)
    if recovery.ok:
        require_all(path, truth)
        return "healed by recover" if backup is NO_BACKUP else "healed from a backup"
    if not recovery.remaining and recovery.proof.ok:
        raise Failed("something remains, and nothing is said of it")
    _bring_back(house, state, path, refused)
    require_all(path, truth)
    return "refused"


# --- steps ------------------------------------------------------------------------------------------------------------


def _noticed(path: Path) -> list[str]:
    """What `trueup recover --check` says."""
    try:
        storage = storage_at(path)
    except StorageError as failure:
        return [str(failure)]
    with closing(storage):
        found = examine(storage, NO_BACKUP, lambda *_: None)
        wrong = [*found.remaining, *found.proof.views]
        for ledger in found.proof.ledgers:
            wrong += [*ledger.log, *ledger.views, *([ledger.snapshot] if ledger.snapshot else [])]
        return wrong


def _start(path: Path, truth: Mapping[AccountId, Truth], noticed: list[str]) -> Mapping[AccountId, StorageError]:
    """Start the store and book; the ledgers that were refused. What it found is added to what was noticed."""
    try:
        store = store_at(path)
    except StorageError as failure:
        return dict.fromkeys(ACCOUNTS, failure)
    refused: dict[AccountId, StorageError] = {}
    try:
        for account in ACCOUNTS:
            try:
                store.ledger(account)
            except StorageError as failure:
                refused[account] = failure
        refused |= _scrubbed(store, noticed)
        for ledger in store.open_ledgers():
            if ledger.account not in refused:
                _require_true(ledger, truth[ledger.account])
                _book(store, ledger)
        noticed += store.findings
    finally:
        store.close()
    return refused


def _scrubbed(store: Store, noticed: list[str]) -> Mapping[AccountId, StorageError]:
    """What a start need not read is read by the scrub; the ledgers that it could not heal."""
    scrub = Scrub(store, store.clock.monotonic)
    scrub.whole_round()
    noticed += scrub.findings
    return store.fenced()


def _settled(path: Path, truth: Mapping[AccountId, Truth], noticed: Sequence[str]) -> Verdict:
    """After a start that refused nothing: everything is there, and stays."""
    with closing(store_at(path)) as store:
        for account in ACCOUNTS:
            _require_true(store.ledger(account), truth[account])
        if store.findings:
            raise Failed(f"a second start found something: {store.findings}")
    _require_whole(path)
    return "healed" if noticed else "harmless"


def _recovered(path: Path, backup: Backup) -> Recovery:
    try:
        storage = storage_at(path)
    except StorageError:
        DataDirectory.mend(path)
        storage = storage_at(path)
    with closing(storage):
        return recover(storage, backup, lambda *_: None)


def _bring_back(house: House, state: State, path: Path, refused: Mapping[AccountId, StorageError]) -> None:
    """Somebody puts the files of the refused ledgers back as they were."""
    for account in refused:
        for folder in ("ledgers", "heads"):
            name = account.replace(":", "%3A")
            there = path / folder / name
            shutil.rmtree(there) if there.is_dir() else there.unlink(missing_ok=True)
            source = house.path(state) / folder / name
            shutil.copytree(source, there) if source.is_dir() else shutil.copy(source, there)


# --- what must hold ---------------------------------------------------------------------------------------------------


def _require_true(ledger: Ledger, truth: Truth) -> None:
    """All that was acknowledged is in the log, and the book is what it folds to."""
    hashes = [bytes(frame.hash) for frame in ledger.frames()]
    if hashes[: len(truth.frames)] != list(truth.frames):
        raise Failed(
            f"{ledger.account} has lost or changed what was acknowledged: {len(hashes)} of {len(truth.frames)}"
        )
    if len(hashes) == len(truth.frames) and state_hash(ledger.book) != truth.digest:
        raise Failed(f"{ledger.account} has another book than what was acknowledged")


def _book(store: Store, ledger: Ledger) -> None:
    """What is new is booked, what is old is known, and the views hold both."""
    receipt = ledger.book_facts([*facts(ledger.account, 1), *facts(ledger.account, NEWEST)])
    if (receipt.booked + receipt.already, receipt.quarantined) != (2, 0) or not receipt.already:
        raise Failed(f"{ledger.account} does not know its own facts: {receipt}")
    seq = store.synced(ledger.account)
    positions = store.views.positions(ledger.account)
    if positions != (seq, list(ledger.book.positions().values())):
        raise Failed(f"the views of {ledger.account} are not what the book says")


def _require_whole(path: Path) -> None:
    with closing(storage_at(path)) as storage:
        found = examine(storage, NO_BACKUP, lambda *_: None)
    if not found.ok:
        raise Failed(f"it is not whole afterwards: {found}")


def require_all(path: Path, truth: Mapping[AccountId, Truth]) -> None:
    """A start has everything, and it is whole; raises :class:`Failed`."""
    if refused := _start(path, truth, []):
        raise Failed(f"it is refused still: {refused}")
    _require_whole(path)


def _require_named(path: Path, refusal: StorageError) -> None:
    if str(path) not in refusal.message or not refusal.remedy:
        raise Failed(f"it does not name file and remedy: {refusal!r}")


def _digests(path: Path, account: AccountId | None = None) -> dict[str, bytes]:
    """The files of ledgers and their saved heads, or of one ledger."""
    files = [*sorted(path.glob("ledgers/*/*")), *sorted(path.glob("heads/*"))]
    files = [file for file in files if file.is_file() and file.suffix != TEMPORARY]
    named = {str(file.relative_to(path)): blake2b(file.read_bytes()).digest() for file in files}
    return {name: digest for name, digest in named.items() if account is None or _is_of(name, account)}


def _is_of(name: str, account: AccountId) -> bool:
    return name.startswith(f"ledgers/{account.replace(':', '%3A')}/")
