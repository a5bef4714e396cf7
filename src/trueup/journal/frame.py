"""The bytes of one frame. What lives only here: the layout on disk and the hash that chains frames together.

A frame is a header of :data:`HEADER_BYTES` and a body, little-endian::

    magic 4 | body length 4 | count 4 | first seq 8 | recorded_at 8 | epoch 8 | synced 8
    | previous hash 32 | hash 32 | body

The hash is blake2b-256 over everything before it in the header and the body, so over the previous hash too. It is
personalised with the ledger's name: frames of two ledgers cannot be taken for one another, and a frame can be verified
standing alone. The first frame of every ledger names :data:`trueup.ports.GENESIS` as its previous hash.
"""

from functools import lru_cache
from hashlib import blake2b
from struct import Struct

import msgspec

from trueup.model.errors import BadInput
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Frame, Hash

MAGIC = b"TUF\x01"
_FIELDS = Struct("<4sIIQQQQ32s")
HASH_BYTES = 32
HEADER_BYTES = _FIELDS.size + HASH_BYTES
BODY_BYTES_MAX = 64 << 20
"""A commit larger than this is refused: it could neither be read back in bounded memory nor be healed in one step."""


def require_appendable(body: bytes, count: int) -> None:
    """Raises :class:`BadInput` for what cannot be one frame."""
    if count < 1:
        raise BadInput("count", count, "a frame holds at least one event", remedy="Commit nothing, or something.")
    if len(body) > BODY_BYTES_MAX:
        raise BadInput(
            "body", f"{len(body)} bytes", f"more than {BODY_BYTES_MAX} bytes", remedy="Commit in smaller batches."
        )


class Flaw(msgspec.Struct, frozen=True):
    """Why there is no frame at a place.

    Attributes:
        blank: Nothing was ever written there: the header's place holds zeros.
    """

    reason: str
    blank: bool = False


def pack(
    ledger: AccountId,
    *,
    first: Seq,
    count: int,
    recorded_at: int,
    epoch: int,
    synced: int,
    previous: Hash,
    body: bytes,
) -> tuple[Frame, bytes]:
    """A new frame and its bytes."""
    fields = _FIELDS.pack(MAGIC, len(body), count, first, recorded_at, epoch, synced, previous)
    digest = _digest(ledger, fields, body)
    frame = Frame(ledger, first, count, recorded_at, epoch, synced, previous, digest, body)
    return frame, b"".join((fields, digest, body))


def frame_bytes(frame: Frame) -> bytes | None:
    """The bytes of a frame that exists already, exactly as first written; None where it is not a true copy."""
    true, data = pack(
        frame.ledger,
        first=frame.first,
        count=frame.count,
        recorded_at=frame.recorded_at,
        epoch=frame.epoch,
        synced=frame.synced,
        previous=frame.previous,
        body=frame.body,
    )
    return data if true.hash == frame.hash else None


def size_of(frame: Frame) -> int:
    """How many bytes the frame takes on disk."""
    return HEADER_BYTES + len(frame.body)


def size_at(view: memoryview, offset: int) -> int | None:
    """How many bytes the frame at ``offset`` claims to take; None where no header stands in the view."""
    if len(view) - offset < HEADER_BYTES or view[offset : offset + len(MAGIC)] != MAGIC:
        return None
    length: int = _FIELDS.unpack_from(view, offset)[1]
    return HEADER_BYTES + length


class Outline(msgspec.Struct, frozen=True):
    """What a header claims, unverified. ``size`` is in bytes, header included."""

    size: int
    last: Seq
    recorded_at: int


def outline(view: memoryview, offset: int) -> Outline | None:
    """The outline of the frame at ``offset``; None where no header stands in the view."""
    size = size_at(view, offset)
    if size is None:
        return None
    _, _, count, first, recorded_at, *_ = _FIELDS.unpack_from(view, offset)
    return Outline(size, Seq(first + count - 1), recorded_at)


def unpack(view: memoryview, offset: int, ledger: AccountId) -> Frame | Flaw:
    """The frame at ``offset``, verified against its own hash, or why there is none.

    Whether it continues the chain is for the caller to check: ``previous`` and ``first`` against what came before.
    """
    header_end = offset + HEADER_BYTES
    if header_end > len(view):
        return Flaw("no room for a header", blank=not any(view[offset:]))
    magic, length, count, first, recorded_at, epoch, synced, previous = _FIELDS.unpack_from(view, offset)
    if magic != MAGIC:
        return Flaw("not a frame", blank=not any(view[offset:header_end]))
    if length > BODY_BYTES_MAX or header_end + length > len(view):
        return Flaw("the frame is cut off")
    body = bytes(view[header_end : header_end + length])
    fields = view[offset : offset + _FIELDS.size]
    digest = bytes(view[offset + _FIELDS.size : header_end])
    if _digest(ledger, fields, body) != digest:
        return Flaw("the frame's content does not fit its hash")
    return Frame(ledger, Seq(first), count, recorded_at, epoch, synced, Hash(previous), Hash(digest), body)


def stands_whole(written: bytes, ledger: AccountId) -> bool:
    """Whether bytes, from a frame's first to the last that is not zero, are all of a frame, if a damaged one.

    They end where it says that it ends, or they would fit its hash if it said so.
    """
    body_bytes = len(written) - HEADER_BYTES
    if body_bytes <= 0:
        return False
    _, length, *others = _FIELDS.unpack_from(written)
    true = _FIELDS.pack(MAGIC, body_bytes, *others)
    return length == body_bytes or _digest(ledger, true, written[HEADER_BYTES:]) == written[_FIELDS.size : HEADER_BYTES]


def _digest(ledger: AccountId, fields: bytes | memoryview, body: bytes) -> Hash:
    state = blake2b(fields, digest_size=HASH_BYTES, person=_person(ledger))
    state.update(body)
    return Hash(state.digest())


@lru_cache(maxsize=1024)
def _person(ledger: AccountId) -> bytes:
    return blake2b(ledger.encode(), digest_size=blake2b.PERSON_SIZE).digest()
