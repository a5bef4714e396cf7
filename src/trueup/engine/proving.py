"""Proving backups: restored into a scratch place and refolded, a backup is one; before that it is only hoped for."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from trueup.book.snapshot import FORMAT
from trueup.engine.restoring import Progress, RestoredLedger, plan_whole, restore
from trueup.journal.backup import manifests
from trueup.journal.backup.chunks import FOLDER, Chunk
from trueup.journal.backup.destination import Destination
from trueup.journal.backup.manifests import Proof
from trueup.journal.backup.new_directory import NewDirectory
from trueup.model.errors import BackupDamaged, NotFound
from trueup.model.identifiers import AccountId
from trueup.ports import Clock


class Verified(msgspec.Struct, frozen=True):
    """What became of an attempt to prove a backup.

    Attributes:
        name: Of its manifest.
        proven: Whether it came back whole, and is marked so.
        ledgers: As they came back.
        problems: What is wrong with it, or shows of the other backups, in sentences for a person.
    """

    name: str
    proven: bool
    ledgers: Sequence[RestoredLedger]
    problems: Sequence[str]


def verify(destination: Destination, name: str, clock: Clock, scratch: Path | None, progress: Progress) -> Verified:
    """Prove a backup, the newest unless named, and look at all others. Raises as :func:`prove`, but for damage."""
    wanted = manifests.full_name(name) if name else newest(destination)
    problems: list[str] = []
    ledgers: Sequence[RestoredLedger] = ()
    try:
        ledgers = prove(destination, wanted, clock, scratch, progress)
    except BackupDamaged as damage:
        problems = [str(damage)]
    proven = not problems
    problems += [problem for problem in survey(destination) if not any(problem in told for told in problems)]
    return Verified(wanted, proven, ledgers, problems)


def prove(
    destination: Destination, name: str, clock: Clock, scratch: Path | None, progress: Progress
) -> Sequence[RestoredLedger]:
    """Restore a backup into a scratch directory, and only then mark it as proven.

    Args:
        destination: Where it is.
        name: Of its manifest.
        clock: For the mark.
        scratch: An existing directory with room for the whole journal and its views; the system's own for such things
            when it is None.
        progress: Called as it goes on.

    Raises:
        NotFound: There is no such backup.
        BackupDamaged: It is not what was written; the message names the blob.
        StorageError: The destination or the scratch disk refused.
    """
    manifest, digest = manifests.read_manifest(destination, name)
    with manifests.under_test(destination, name):
        with tempfile.TemporaryDirectory(prefix="trueup-restore-test-", dir=scratch) as path:
            target = NewDirectory.begin(Path(path) / "data")
            ledgers = restore(destination, plan_whole(manifest), target, progress=progress)
        states = {ledger.account: ledger.state_hash for ledger in ledgers}
        _refuse_other_proof(destination, name, digest, states)
        manifests.write_proof(destination, Proof(name, digest, clock.now(), states, FORMAT))
    return ledgers


def newest(destination: Destination) -> str:
    """The name of the newest backup. Raises :class:`NotFound` when there is none."""
    backups = manifests.listed(destination)
    if not backups:
        raise NotFound("There is no backup here.", remedy="Take one with `trueup backup create`.")
    return backups[-1].name


def survey(destination: Destination) -> Sequence[str]:
    """What is wrong with any backup there, as far as it shows without reading the blobs: in sentences for a person.

    Raises:
        BackupFailed: The destination refused.
    """
    problems: dict[str, None] = {}
    needed: dict[str, Sequence[Chunk]] = {}
    for backup in manifests.listed(destination):
        try:
            manifest, digest = manifests.read_manifest(destination, backup.name)
            manifests.read_proof(destination, backup.name, digest)
        except NotFound:  # let go since it was listed
            continue
        except BackupDamaged as damage:
            problems[damage.message] = None
        else:
            needed[manifest.name] = manifest.chunks
    # Blobs are put before the manifest that lists them and deleted after it, by others who do not wait for this.
    sizes = {blob.name: blob.size for blob in destination.blobs(FOLDER)}
    for backup in manifests.listed(destination):
        for chunk in needed.get(backup.name, ()):
            if sizes.get(chunk.name) != chunk.packed_size:
                found = f"has {sizes[chunk.name]} bytes" if chunk.name in sizes else "is missing"
                problems[f"The blob {chunk.name} {found} and should have {chunk.packed_size}."] = None
    return list(problems)


def _refuse_other_proof(destination: Destination, name: str, digest: str, states: Mapping[AccountId, str]) -> None:
    """Refuse a state that is another than when the backup was proven before; a mark that is damaged is renewed."""
    try:
        before = manifests.read_proof(destination, name, digest)
    except BackupDamaged:
        return
    if before is not None and before.state_format == FORMAT and dict(before.states) != states:
        raise BackupDamaged(
            f"{name} folds to another state now than when it was proven.",
            remedy="Restore it with the version of trueup that proved it, and compare the two.",
        )
