"""Small files that are whole or not there. What lives only here: the checksum around them, and the saved head.

The saved head is a witness: where the log was known to reach. A log that ends before it has lost its tail, even if the
cut is so clean that the log alone shows nothing. A data directory keeps it apart from the log, so that it speaks even
when the whole directory of a ledger is gone.
"""

from hashlib import blake2b
from pathlib import Path

import msgspec

from trueup.journal.disk import Disk, write_whole
from trueup.journal.frame import HASH_BYTES
from trueup.model.identifiers import AccountId
from trueup.ports import Head


class SavedHead(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A head and the ledger it belongs to."""

    ledger: AccountId
    head: Head


def write_record(disk: Disk, path: Path, content: bytes) -> None:
    """Write a file whole, with a checksum. Raises :class:`OSError`."""
    write_whole(disk, path, _checksum(content) + content)


def read_record(path: Path) -> bytes | None:
    """The content of such a file; None where it is absent, cannot be read or does not fit its checksum."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    content = data[HASH_BYTES:]
    return content if _checksum(content) == data[:HASH_BYTES] else None


def write_head(disk: Disk, path: Path, ledger: AccountId, head: Head) -> None:
    """Save where the log is known to reach. Raises :class:`OSError`."""
    write_record(disk, path, msgspec.msgpack.encode(SavedHead(ledger, head)))


def read_head(path: Path, ledger: AccountId) -> Head | None:
    """The saved head; None where there is none of this ledger that can be believed."""
    content = read_record(path)
    if content is None:
        return None
    try:
        saved = msgspec.msgpack.decode(content, type=SavedHead)
    except msgspec.DecodeError:  # another record in its place
        return None
    return saved.head if saved.ledger == ledger else None


def _checksum(content: bytes) -> bytes:
    return blake2b(content, digest_size=HASH_BYTES).digest()
