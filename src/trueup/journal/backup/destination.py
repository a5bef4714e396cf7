"""The port of backups: named blobs, as an object store has them. Adapters stand beside it."""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Blob(msgspec.Struct, frozen=True):
    """What a destination tells of a blob without reading it.

    Attributes:
        size: In bytes.
        modified_at: When it was put, in nanoseconds UTC by the destination's clock.
    """

    name: str
    size: int
    modified_at: int


class Destination(Protocol):
    """Where backups are kept. Names are relative paths with ``/`` between their parts."""

    def put(self, name: str, data: bytes) -> None:
        """Keep a blob: seen whole or not at all, and durable when this returns. One of the same name is replaced.

        Raises:
            BackupFailed: It may or may not be there.
        """
        ...

    def get(self, name: str) -> bytes:
        """All of a blob.

        Raises:
            NotFound: There is none of this name.
            BackupFailed: It cannot be read.
        """
        ...

    def blobs(self, prefix: str = "") -> Sequence[Blob]:
        """Every blob whose name begins so, by name; none that is only half there. Raises :class:`BackupFailed`."""
        ...

    def delete(self, name: str) -> None:
        """Let a blob go, if it is there. Raises :class:`BackupFailed`."""
        ...
