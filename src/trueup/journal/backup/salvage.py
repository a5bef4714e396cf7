"""Chunks that no manifest lists: what a backup left that was cut short, or whose manifest is gone or damaged.

What lives only here: what makes them worth something. Every frame proves itself, and the chain proves that it continues
what the manifest holds, so such events are as good as any other; only nobody wrote down what state they fold to.
"""

from collections.abc import Sequence

import msgspec

from trueup.journal.backup.chunks import FOLDER, Chunk, Named, chain, describe, parse_name
from trueup.journal.backup.destination import Destination
from trueup.journal.backup.manifests import LedgerBackup, Manifest
from trueup.model.errors import BackupDamaged
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Head


class Holding(msgspec.Struct, frozen=True):
    """All that a destination holds.

    Attributes:
        ledgers: As the manifest has them, each with the chunks that continue it.
        known: The last seq of each account that the name of any blob speaks of, whether or not it can be used.
        findings: What was found beside the manifest, in sentences for a person.
    """

    ledgers: Sequence[LedgerBackup]
    known: dict[AccountId, Seq]
    findings: Sequence[str]


def holding(destination: Destination, manifest: Manifest | None) -> Holding:
    """What a manifest lists, and what continues it; all from the blobs' own bytes without one.

    Raises:
        BackupFailed: The destination refused.
    """
    manifest = manifest or Manifest(0, "", ())
    named = {blob.name: found for blob in destination.blobs(FOLDER) if (found := parse_name(blob.name)) is not None}
    known = {ledger.account: ledger.head_seq for ledger in manifest.ledgers}
    for found in named.values():
        known[found.account] = max(known.get(found.account, Seq(0)), found.last)
    ledgers: list[LedgerBackup] = []
    findings: list[str] = []
    for account in sorted(known):
        ledger = manifest.ledger(account)
        longer, problems = _continued(destination, ledger, named)
        ledgers.append(longer)
        findings += problems
        if longer.head_seq > ledger.head_seq:
            findings.append(
                f"{account}: seq {ledger.head_seq + 1} to {longer.head_seq} stand in blobs that no manifest lists; "
                "they continue the chain and count"
            )
    return Holding(ledgers, known, findings)


def _continued(
    destination: Destination, ledger: LedgerBackup, named: dict[str, Named]
) -> tuple[LedgerBackup, Sequence[str]]:
    """A ledger with the chunks that reach furthest behind its head, and what is wrong with those that could not."""
    problems: list[str] = []
    candidates = dict(named)
    while True:
        head = ledger.head
        reaching = {
            name: found
            for name, found in candidates.items()
            if found.account == ledger.account and found.first <= head.seq + 1 <= found.last
        }
        if not reaching:
            return ledger, problems
        name = max(reaching, key=lambda name: reaching[name].last)
        del candidates[name]
        try:
            chunk = _chunk_behind(destination, name, ledger.account, head)
        except BackupDamaged as damage:
            problems.append(damage.message)
            continue
        ledger = msgspec.structs.replace(
            ledger,
            head_seq=chunk.last,
            head_hash=chunk.hash,
            recorded_at=chunk.recorded_to,
            chunks=[*ledger.chunks, chunk],
        )


def _chunk_behind(destination: Destination, name: str, account: AccountId, head: Head) -> Chunk:
    """What a manifest would say of a chunk that continues a head. Raises :class:`BackupDamaged` where it does not."""
    chunk = describe(destination, account, name)
    for _ in chain(destination, account, [chunk], head.seq, head.hash):
        pass
    return chunk
