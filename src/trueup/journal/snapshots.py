"""Snapshots of a ledger's folded state, so that a start does not read all of history.

What lives only here: their files. A snapshot is a convenience, never the truth: one that is damaged, of another codec
or of another ledger is passed over, and in the end the whole journal is read.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from trueup.journal.codec import CODEC_VERSION
from trueup.journal.disk import Disk
from trueup.journal.findings import Finding
from trueup.journal.milestones import kept
from trueup.journal.records import read_record, write_record
from trueup.journal.segment_file import Mark
from trueup.model.errors import StorageError
from trueup.model.identifiers import AccountId, Seq

COMPRESSION = 1
"""The quickest halves a state."""


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """The state after folding a journal up to a frame.

    Attributes:
        mark: The frame: its place, its seq and its hash.
        recorded_at: Of the frame, in nanoseconds.
        state_hash: Of the folded state, which a refolding must reach as well.
        state: The state's own bytes.
        codec: :data:`trueup.journal.codec.CODEC_VERSION` of the writer.
    """

    ledger: AccountId
    mark: Mark
    recorded_at: int
    state_hash: bytes
    state: bytes
    codec: int = CODEC_VERSION


def write_snapshot(directory: Path, snapshot: Snapshot, *, disk: Disk | None = None) -> Path:
    """Write a snapshot whole and delete those that are not :func:`kept <trueup.journal.milestones.kept>` any more.

    Raises:
        StorageError: The disk refused; the snapshots before are still there.
    """
    disk, path = disk or Disk(), _path(directory, snapshot.mark.seq)
    try:
        small = msgspec.structs.replace(snapshot, state=zlib.compress(snapshot.state, COMPRESSION))
        write_record(disk, path, msgspec.msgpack.encode(small))
        seqs = snapshot_seqs(directory)
        for seq in set(seqs) - kept(seqs, snapshot.mark.seq):
            disk.unlink(_path(directory, seq))
    except OSError as error:
        raise StorageError(
            f"The snapshot {path} could not be written: {error}.",
            remedy="Free space on the disk; the journal is not affected, only the next start is slower.",
        ) from error
    return path


def delete_snapshot(directory: Path, seq: Seq, *, disk: Disk | None = None) -> None:
    """Delete a snapshot that proved to be wrong; the log is not touched. Raises :class:`StorageError`."""
    path = _path(directory, seq)
    try:
        (disk or Disk()).unlink(path)
    except OSError as error:
        raise StorageError(f"{path} could not be deleted: {error}.", remedy="Delete it by hand.") from error


def newest_snapshot(directory: Path, ledger: AccountId) -> tuple[Snapshot | None, Sequence[Finding]]:
    """The newest snapshot that can be used, and what was found wrong with newer ones."""
    findings: list[Finding] = []
    for seq in reversed(snapshot_seqs(directory)):
        path = _path(directory, seq)
        snapshot, problem = _read(path, ledger)
        if snapshot is not None:
            return snapshot, findings
        findings.append(Finding("snapshot", path, 0, problem, "passed over"))
    return None, findings


def snapshot_seqs(directory: Path) -> Sequence[Seq]:
    """Where snapshots stand, ascending; whether they can be used is another question."""
    return sorted(Seq(int(path.stem)) for path in directory.glob("*.snapshot") if path.stem.isdecimal())


def snapshot_at(directory: Path, ledger: AccountId, seq: Seq) -> Snapshot | None:
    """The snapshot at a seq; None where there is none, or none that can be used."""
    return _read(_path(directory, seq), ledger)[0]


def _read(path: Path, ledger: AccountId) -> tuple[Snapshot | None, str]:
    content = read_record(path)
    if content is None:
        return None, "the snapshot cannot be read or does not fit its checksum"
    try:
        snapshot = msgspec.msgpack.decode(content, type=Snapshot)
        snapshot = msgspec.structs.replace(snapshot, state=zlib.decompress(snapshot.state))
    except (msgspec.DecodeError, zlib.error) as error:
        return None, f"the snapshot is of another version: {error}"
    if snapshot.codec != CODEC_VERSION:
        return None, f"the snapshot is of codec {snapshot.codec}, and this version has {CODEC_VERSION}"
    if snapshot.ledger != ledger:
        return None, f"the snapshot is of {snapshot.ledger}"
    return snapshot, ""


def _path(directory: Path, seq: Seq) -> Path:
    return directory / f"{seq:020d}.snapshot"
