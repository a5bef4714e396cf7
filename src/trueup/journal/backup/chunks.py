"""Frames in a blob and back. What lives only here: how a chunk is cut, packed, named, and proved when it is read.

A chunk is a run of a ledger's frames, byte for byte as the log has them, compressed. Its name says which: account,
first and last seq, and the hash of the last frame, which by the chain stands for everything before it. A chunk of at
least :data:`SEALED_BYTES` is *sealed*: it holds as much as a segment of the log, and stays as it is for good. The
frames behind the last sealed chunk are in smaller ones. A new chunk takes in those before it that hold no more events
than it, so there are never more than a few, and each event is packed again only a few times until it is sealed.
"""

import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from urllib.parse import quote, unquote

import msgspec

from trueup.journal.backup.destination import Destination
from trueup.journal.frame import BODY_BYTES_MAX, HASH_BYTES, HEADER_BYTES, Flaw, frame_bytes, size_of, unpack
from trueup.journal.segment_file import SEGMENT_BYTES
from trueup.model.errors import BackupDamaged, JournalDamaged, NotFound
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import GENESIS, Frame, Hash, Head

SEALED_BYTES = SEGMENT_BYTES
"""Plain bytes that make a chunk complete."""

CHUNK_BYTES_MAX = SEALED_BYTES + HEADER_BYTES + BODY_BYTES_MAX
"""Plain bytes of the largest chunk: the frame that completes one may itself be large."""

LEVEL = 1
"""Of compression: four times smaller at a speed that keeps up with booking; the highest would save a quarter more."""

_PIECE = 1 << 18
"""Bytes compressed at once: the interpreter is free for others meanwhile."""

FOLDER = "ledgers/"
_NAME = re.compile(r"ledgers/([^/]+)/(\d{20})-(\d{20})-([0-9a-f]{16})\.frames\.z", re.ASCII)


class Chunk(msgspec.Struct, frozen=True):
    """What a manifest says of a chunk.

    Attributes:
        first, last: Seqs of the events in it.
        frames: How many frames they are in.
        previous, hash: The chain before its first frame and at its last one, hexadecimal.
        recorded_from, recorded_to: When its first and last frame were recorded, in nanoseconds.
        size, digest: Of the frames' bytes; blake2b-256, hexadecimal.
        packed_size, packed_digest: Of the blob.
    """

    name: str
    first: Seq
    last: Seq
    frames: int
    previous: str
    hash: str
    recorded_from: int
    recorded_to: int
    size: int
    digest: str
    packed_size: int
    packed_digest: str

    @property
    def events(self) -> int:
        """How many are in it."""
        return self.last - self.first + 1

    @property
    def sealed(self) -> bool:
        """Whether it is complete."""
        return self.size >= SEALED_BYTES

    @property
    def head(self) -> Head:
        """Its last frame."""
        return Head(self.last, Hash(bytes.fromhex(self.hash)), self.recorded_to)


class Named(msgspec.Struct, frozen=True):
    """What the name of a chunk says."""

    account: AccountId
    first: Seq
    last: Seq


def parse_name(name: str) -> Named | None:
    """What a blob's name says; None where it is not a chunk's."""
    match = _NAME.fullmatch(name)
    return Named(AccountId(unquote(match[1])), Seq(int(match[2])), Seq(int(match[3]))) if match else None


def folder_of(account: AccountId) -> str:
    """What the names of an account's chunks begin with."""
    return f"{FOLDER}{quote(account, safe='')}/"


def digest_of(data: bytes | memoryview) -> str:
    """blake2b-256, hexadecimal."""
    return blake2b(data, digest_size=HASH_BYTES).hexdigest()


def staying(chunks: Sequence[Chunk], new_events: int) -> list[Chunk]:
    """The chunks that stay when events are added; the frames of the others are packed again with the new ones."""
    stay, events = list(chunks), new_events
    while stay and not stay[-1].sealed and stay[-1].events <= events:
        events += stay.pop().events
    return stay


def pack(account: AccountId, frames: Iterable[Frame]) -> Iterator[tuple[Chunk, bytes]]:
    """Cut a run of frames into chunks: all but the last are sealed. One of them is in memory at a time.

    Raises:
        JournalDamaged: A frame is not a true copy.
    """
    packer: _Packer | None = None
    for frame in frames:
        if packer is None:
            packer = _Packer(account, frame)
        packer.add(frame)
        if packer.size >= SEALED_BYTES:
            yield packer.finish()
            packer = None
    if packer is not None:
        yield packer.finish()


class _Packer:
    """One chunk in the making."""

    def __init__(self, account: AccountId, first: Frame) -> None:
        self.size = 0
        self._account = account
        self._first = self._last = first
        self._frames = 0
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._plain = blake2b(digest_size=HASH_BYTES)
        self._compressor = zlib.compressobj(LEVEL)
        self._packed: list[bytes] = []

    def add(self, frame: Frame) -> None:
        data = frame_bytes(frame)
        if data is None:
            raise JournalDamaged(
                f"The frame of seq {frame.first} of {self._account} does not fit its hash; it is not backed up.",
                remedy="Run `trueup journal verify`.",
            )
        self._pending.append(data)
        self._pending_bytes += len(data)
        self.size += len(data)
        self._frames += 1
        self._last = frame
        if self._pending_bytes >= _PIECE:
            self._flush()

    def finish(self) -> tuple[Chunk, bytes]:
        self._flush()
        self._packed.append(self._compressor.flush())
        packed = b"".join(self._packed)
        plain = (self.size, self._plain.hexdigest())
        return _described(self._first, self._last, self._frames, plain, (len(packed), digest_of(packed))), packed

    def _flush(self) -> None:
        piece = b"".join(self._pending)
        self._pending, self._pending_bytes = [], 0
        self._plain.update(piece)
        self._packed.append(self._compressor.compress(piece))


def read_chunk(destination: Destination, account: AccountId, chunk: Chunk) -> Iterator[Frame]:
    """The frames of a chunk, every byte of it proved before the first is given.

    Raises:
        BackupDamaged: It is missing, or not what was put there; the message names the blob.
        BackupFailed: The destination refused.
    """
    try:
        packed = destination.get(chunk.name)
    except NotFound as missing:
        raise damaged(chunk.name, "it is missing") from missing
    if (len(packed), digest_of(packed)) != (chunk.packed_size, chunk.packed_digest):
        raise damaged(chunk.name, "its bytes are not those that were put there")
    plain = _unpacked(chunk.name, packed)
    if (len(plain), digest_of(plain)) != (chunk.size, chunk.digest):
        raise damaged(chunk.name, "what it unpacks to is not what was packed")
    head = Head(Seq(chunk.first - 1), Hash(bytes.fromhex(chunk.previous)))
    for frame in _frames(chunk.name, plain, account):
        if (frame.first, frame.previous) != (head.seq + 1, head.hash):
            raise damaged(chunk.name, f"seq {frame.first} does not continue the chain")
        head = Head(frame.last, frame.hash, frame.recorded_at)
        yield frame
    if head != chunk.head:
        raise damaged(chunk.name, f"it ends at seq {head.seq}, and not where the manifest says")


def chain(
    destination: Destination,
    account: AccountId,
    chunks: Iterable[Chunk],
    after: Seq = Seq(0),
    previous: Hash | None = None,
) -> Iterator[Frame]:
    """Frames whose last seq is greater than ``after``, oldest first, from chunks that follow or overlap one another.

    Together they are one whole chain.

    Args:
        destination: Where the chunks are.
        account: Whose.
        chunks: In order; those that end before ``after`` are not read.
        after: The seq.
        previous: Hash of the frame that ends there, where it is known.

    Raises:
        BackupDamaged: A chunk is damaged, or they do not continue one another.
        BackupFailed: The destination refused.
    """
    seq, expected = after, previous if after else GENESIS
    for chunk in chunks:
        if chunk.last <= seq:
            continue
        for frame in read_chunk(destination, account, chunk):
            if frame.last <= seq:
                continue
            if expected is not None and (frame.first, frame.previous) != (seq + 1, expected):
                raise damaged(chunk.name, f"it does not continue the chain of {account} at seq {seq}")
            seq, expected = frame.last, frame.hash
            yield frame


def describe(destination: Destination, account: AccountId, name: str) -> Chunk:
    """What a manifest would say of a chunk that none lists, from its own bytes.

    Raises:
        BackupDamaged: It does not hold what its name says.
        BackupFailed: The destination refused.
    """
    packed = destination.get(name)
    plain = _unpacked(name, packed)
    count, first, last = 0, None, None
    for frame in _frames(name, plain, account):
        first, last, count = first or frame, frame, count + 1
    if first is None or last is None or name != _name(first, last):
        raise damaged(name, "it does not hold what its name says")
    return _described(first, last, count, (len(plain), digest_of(plain)), (len(packed), digest_of(packed)))


def _unpacked(name: str, packed: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(packed, CHUNK_BYTES_MAX + 1)
    except zlib.error as error:
        raise damaged(name, f"it cannot be unpacked ({error})") from error
    if not unpacker.eof or unpacker.unused_data:
        raise damaged(name, "it does not end where its frames end")
    return plain


def _frames(name: str, plain: bytes, account: AccountId) -> Iterator[Frame]:
    """The frames in a chunk's bytes, each verified against its own hash."""
    view, offset = memoryview(plain), 0
    while offset < len(view):
        frame = unpack(view, offset, account)
        if isinstance(frame, Flaw):
            raise damaged(name, f"at byte {offset} of what it unpacks to: {frame.reason}")
        offset += size_of(frame)
        yield frame


def _name(first: Frame, last: Frame) -> str:
    return f"{folder_of(first.ledger)}{first.first:020d}-{last.last:020d}-{last.hash.hex()[:16]}.frames.z"


def _described(first: Frame, last: Frame, count: int, plain: tuple[int, str], packed: tuple[int, str]) -> Chunk:
    return Chunk(
        name=_name(first, last),
        first=first.first,
        last=last.last,
        frames=count,
        previous=first.previous.hex(),
        hash=last.hash.hex(),
        recorded_from=first.recorded_at,
        recorded_to=last.recorded_at,
        size=plain[0],
        digest=plain[1],
        packed_size=packed[0],
        packed_digest=packed[1],
    )


def damaged(name: str, problem: str) -> BackupDamaged:
    """The refusal of a blob."""
    return BackupDamaged(
        f"The backup's blob {name} is damaged: {problem}.",
        remedy="Have the backup's disk looked at; take a new backup into an empty directory.",
    )
