"""What belongs to a backup: manifests and the marks that they were proven. What lives only here: their form and names.

Both are JSON that a person can read, with a last line that hashes what is before it. A manifest is named by its time
and by how many events it holds, so a list of names tells which is the newest; the name is also in it, so that one
cannot stand for another. A backup is *proven* once it was restored into a scratch place and refolded to the same
state; the mark of that is a blob of its own and names the manifest's hash.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from trueup.journal.backup.chunks import Chunk, damaged, digest_of
from trueup.journal.backup.destination import Destination
from trueup.journal.recovery import EMPTY
from trueup.model.errors import BackupDamaged, NotFound
from trueup.model.identifiers import AccountId, Seq
from trueup.model.times import NS_PER_SECOND, format_time, parse_time
from trueup.ports import Hash, Head

FORMAT = 1
MANIFESTS = "manifests/"
PROOFS = "proofs/"

_NAME = re.compile(r"manifests/(\d{4}-\d{2}-\d{2}T\d{6}\.\d{9}Z)-(\d{12})\.json", re.ASCII)
_SEAL = "blake2b-256 "
_TESTED = ".tested"

_TEST_NS_MAX = 86_400 * NS_PER_SECOND
"""Age at which the mark of a test is taken for that of one that died."""


class LedgerBackup(msgspec.Struct, frozen=True):
    """How far a backup holds one ledger.

    Attributes:
        head_seq, head_hash, recorded_at: The last frame in it; the hash is hexadecimal.
        state_seq, state_hash: The newest known state of the book at or before that: what a refold must come to. A seq
            of 0 where none is known.
        state_format: :data:`trueup.book.snapshot.FORMAT` of that hash; hashes of two formats cannot be compared.
        chunks: All frames up to the head, in order.
    """

    account: AccountId
    head_seq: Seq
    head_hash: str
    recorded_at: int
    chunks: Sequence[Chunk]
    state_seq: Seq = Seq(0)
    state_hash: str = ""
    state_format: int = 0

    @property
    def head(self) -> Head:
        """The last frame."""
        return Head(self.head_seq, Hash(bytes.fromhex(self.head_hash)), self.recorded_at)


class Manifest(msgspec.Struct, frozen=True):
    """A backup: what it holds of each ledger, and in which blobs.

    Attributes:
        created_at: Nanoseconds UTC; of two backups at one destination the later has the greater.
        written_by: The version that wrote it.
    """

    created_at: int
    written_by: str
    ledgers: Sequence[LedgerBackup]
    format: int = FORMAT

    @property
    def name(self) -> str:
        """The name of its blob."""
        return f"{MANIFESTS}{_compact(self.created_at)}-{self.events:012d}.json"

    @property
    def events(self) -> int:
        """How many it holds."""
        return sum(ledger.head_seq for ledger in self.ledgers)

    @property
    def chunks(self) -> Sequence[Chunk]:
        """All its blobs."""
        return [chunk for ledger in self.ledgers for chunk in ledger.chunks]

    def ledger(self, account: AccountId) -> LedgerBackup:
        """What it holds of an account; nothing where it does not know it."""
        return next((ledger for ledger in self.ledgers if ledger.account == account), nothing_of(account))


class Proof(msgspec.Struct, frozen=True):
    """That a backup was restored and refolded.

    Attributes:
        manifest: Name of the blob that was proven.
        digest: The hash in its last line.
        proven_at: Nanoseconds UTC.
        states: State hash at the head of each ledger as refolded, hexadecimal.
        state_format: :data:`trueup.book.snapshot.FORMAT` of these hashes.
    """

    manifest: str
    digest: str
    proven_at: int
    states: Mapping[AccountId, str]
    state_format: int


class Listed(msgspec.Struct, frozen=True):
    """What the names at a destination tell of a backup.

    Attributes:
        size: Bytes of the manifest itself.
        proven: Whether there is a mark that it was.
    """

    name: str
    created_at: int
    events: int
    size: int
    proven: bool


class Described(msgspec.Struct, frozen=True):
    """A backup as its manifest tells, or what is wrong with that.

    Attributes:
        bytes: Of all its blobs, as they are packed.
        proven_at: When it was last proven, in nanoseconds; None where it was not.
        problem: Why manifest or proof cannot be read; empty when they can.
    """

    name: str
    created_at: int
    events: int
    ledgers: Sequence[LedgerBackup] = ()
    bytes: int = 0
    proven_at: int | None = None
    problem: str = ""


Record = TypeVar("Record", Manifest, Proof)


def nothing_of(account: AccountId) -> LedgerBackup:
    """No frames."""
    return LedgerBackup(account, EMPTY.seq, EMPTY.hash.hex(), EMPTY.recorded_at, ())


def listed(destination: Destination) -> Sequence[Listed]:
    """Every backup there is, oldest first, without reading one. Raises :class:`BackupFailed`."""
    proofs = {blob.name for blob in destination.blobs(PROOFS)}
    return [
        Listed(blob.name, _parsed(match[1]), int(match[2]), blob.size, proof_name(blob.name) in proofs)
        for blob in destination.blobs(MANIFESTS)
        if (match := _NAME.fullmatch(blob.name)) is not None
    ]


def described(destination: Destination) -> Sequence[Described]:
    """Every backup there is, oldest first, with what its manifest tells. Raises :class:`BackupFailed`."""
    found = []
    for backup in listed(destination):
        told = Described(backup.name, backup.created_at, backup.events)
        try:
            manifest, digest = read_manifest(destination, backup.name)
            size = sum(chunk.packed_size for chunk in manifest.chunks)
            told = msgspec.structs.replace(told, ledgers=manifest.ledgers, bytes=size)
            proof = read_proof(destination, backup.name, digest)
        except NotFound:  # let go since it was listed
            continue
        except BackupDamaged as damage:
            found.append(msgspec.structs.replace(told, problem=damage.message))
        else:
            found.append(msgspec.structs.replace(told, proven_at=proof.proven_at if proof is not None else None))
    return found


def short_name(name: str) -> str:
    """A manifest's name as people give it."""
    return name.removeprefix(MANIFESTS).removesuffix(".json")


def full_name(name: str) -> str:
    """A manifest's name from what people give."""
    return f"{MANIFESTS}{short_name(name)}.json"


def write_manifest(destination: Destination, manifest: Manifest) -> str:
    """Put a manifest, whose blobs are all there; its hash. Raises :class:`BackupFailed`."""
    return _put(destination, manifest.name, manifest)


def read_manifest(destination: Destination, name: str) -> tuple[Manifest, str]:
    """A manifest and its hash.

    Raises:
        NotFound: There is no such backup.
        BackupDamaged: It is not what was written, or of a version that this one cannot read.
        BackupFailed: The destination refused.
    """
    manifest, digest = _get(destination, name, Manifest)
    if manifest.format != FORMAT:
        raise damaged(name, f"it has format {manifest.format}, and this version reads {FORMAT}")
    if manifest.name != name:
        raise damaged(name, f"it is the manifest {manifest.name}")
    return manifest, digest


def newest_readable(destination: Destination) -> tuple[Manifest | None, Sequence[str]]:
    """The newest manifest that can be used, and what is wrong with newer ones. Raises :class:`BackupFailed`."""
    problems: list[str] = []
    for entry in reversed(listed(destination)):
        try:
            return read_manifest(destination, entry.name)[0], problems
        except NotFound:  # let go since it was listed
            continue
        except BackupDamaged as damage:
            problems.append(damage.message)
    return None, problems


def proof_name(manifest: str) -> str:
    """The name of the mark that a manifest was proven."""
    return PROOFS + manifest.removeprefix(MANIFESTS)


@contextmanager
def under_test(destination: Destination, manifest: str) -> Iterator[None]:
    """Mark a backup as one that is being proven, so that nobody lets it go meanwhile. Raises :class:`BackupFailed`."""
    mark = proof_name(manifest) + _TESTED
    destination.put(mark, b"")
    try:
        yield
    finally:
        destination.delete(mark)


def being_proven(destination: Destination, now: int) -> frozenset[str]:
    """Names of the manifests that are being proven now. Raises :class:`BackupFailed`."""
    return frozenset(
        MANIFESTS + blob.name.removeprefix(PROOFS).removesuffix(_TESTED)
        for blob in destination.blobs(PROOFS)
        if blob.name.endswith(_TESTED) and now - blob.modified_at < _TEST_NS_MAX
    )


def write_proof(destination: Destination, proof: Proof) -> None:
    """Mark a backup as proven. Raises :class:`BackupFailed`."""
    _put(destination, proof_name(proof.manifest), proof)


def read_proof(destination: Destination, manifest: str, digest: str) -> Proof | None:
    """The mark that the manifest of this hash was proven; None where it was not.

    Raises:
        BackupDamaged: There is a mark that cannot be believed.
        BackupFailed: The destination refused.
    """
    name = proof_name(manifest)
    try:
        proof, _ = _get(destination, name, Proof)
    except NotFound:
        return None
    if (proof.manifest, proof.digest) != (manifest, digest):
        raise damaged(name, f"it is of another manifest, {proof.manifest} with hash {proof.digest[:16]}")
    return proof


def _put(destination: Destination, name: str, record: Manifest | Proof) -> str:
    text = msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"
    digest = digest_of(text)
    destination.put(name, text + f"{_SEAL}{digest}\n".encode())
    return digest


def _get(destination: Destination, name: str, kind: type[Record]) -> tuple[Record, str]:
    data = destination.get(name)
    text, seal, digest = data.rpartition(_SEAL.encode())
    if not seal or f"{digest_of(text)}\n".encode() != digest:
        raise damaged(name, "it does not fit the hash in its last line")
    try:
        return msgspec.json.decode(text, type=kind), digest_of(text)
    except msgspec.DecodeError as error:
        raise damaged(name, f"it cannot be understood ({error})") from error


def _compact(nanoseconds: int) -> str:
    """A time that sorts as text and is safe in a file name."""
    whole = format_time(nanoseconds - nanoseconds % 1_000_000_000).removesuffix("Z").replace(":", "")
    return f"{whole}.{nanoseconds % 1_000_000_000:09d}Z"


def _parsed(compact: str) -> int:
    day, _, clock = compact.partition("T")
    return parse_time(f"{day}T{clock[:2]}:{clock[2:4]}:{clock[4:]}", "name")
