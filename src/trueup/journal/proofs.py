"""What the scrub of a running store last proved, kept in the data directory for whoever asks while it runs.

What lives only here: that file. It is a note for people; nothing is decided by it.
"""

from pathlib import Path

from trueup.journal.disk import Disk
from trueup.journal.records import read_record, write_record
from trueup.model.errors import StorageError

FILE = "proven"


def write_proofs(directory: Path, content: bytes, disk: Disk) -> None:
    """Put a note in the place of the one before. Raises :class:`StorageError`."""
    try:
        write_record(disk, directory / FILE, content)
    except OSError as error:
        raise StorageError(
            f"{directory / FILE} could not be written: {error}.",
            remedy="Free space on the disk; nothing else needs it.",
        ) from error


def read_proofs(directory: Path) -> bytes | None:
    """The note; None where there is none that can be read."""
    return read_record(directory / FILE)
