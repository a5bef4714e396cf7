"""What opening or verifying a journal found: for people, for the doctor, and for tests to count."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from trueup.model.errors import JournalDamaged
from trueup.model.identifiers import Seq
from trueup.ports import Head

FindingKind = Literal["torn_tail", "frames", "header", "segment", "padding", "snapshot"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was not as it should be.

    Attributes:
        kind: ``torn_tail`` the unacknowledged end of an interrupted write; ``frames`` rot or loss of frames; ``header``
            a segment's header; ``segment`` a file missing or too short; ``padding`` bytes behind the last frame of a
            segment; ``snapshot`` a snapshot that cannot be used.
        path: The file.
        offset: Byte in the file.
        problem: What is wrong, in words for a person.
        done: What was done about it; empty where nothing was.
        first, last: The seqs touched; 0 where none are or they are not known.
        at: Where it is, when it is not in a file.
    """

    kind: FindingKind
    path: Path
    offset: int
    problem: str
    done: str = ""
    first: Seq = Seq(0)
    last: Seq = Seq(0)
    at: str = ""

    @property
    def place(self) -> str:
        """Where it is, for a person."""
        return self.at or f"{self.path}, byte {self.offset}"


class RecoveryReport(msgspec.Struct, frozen=True):
    """How the opening of a journal went.

    Attributes:
        head: Where the journal ends now.
        read_from: Seq behind which frames were read and verified; greater than 0 when a mark was used.
        findings: In the order in which they were met; empty when all was well.
    """

    head: Head
    read_from: Seq
    findings: Sequence[Finding]


class VerifyReport(msgspec.Struct, frozen=True):
    """What a reading of a whole journal found.

    Attributes:
        head: The last frame that could be read.
        frames, events, log_bytes: How much was verified.
    """

    head: Head
    frames: int
    events: int
    log_bytes: int
    findings: Sequence[Finding]

    @property
    def ok(self) -> bool:
        """Whether the chain is whole."""
        return not self.findings


def damaged(path: Path, offset: int, problem: str) -> JournalDamaged:
    """The refusal of a journal that no surviving copy heals."""
    return JournalDamaged(
        f"{path}, byte {offset}: {problem}.",
        remedy="Run `trueup recover`; for what the views do not hold, with --from-backup, or restore from a backup.",
    )
