"""One small journal in three segments, and what can happen to its files."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from tests.journal.samples import LEDGER, SMALL, files, put, written
from trueup.journal.findings import RecoveryReport
from trueup.journal.recovery import Copies
from trueup.journal.segment_file import BLOCK, Mark, segment_path
from trueup.journal.segments import SegmentJournal
from trueup.model.identifiers import AccountId
from trueup.ports import Frame, Head
from trueup.testing.disk import FaultyDisk

COUNTS = (1, 2, 1, 1, 1, 2, 1, 1)
"""Frames in three segments, the last of them with room."""


class Written(msgspec.Struct):
    """A journal as it was before anybody touched it."""

    frames: list[Frame]
    files: dict[str, bytes]
    head: bytes

    def restore(self, directory: Path, *, head: bool) -> None:
        for name, data in self.files.items():
            put(directory / name, data)
        if head:
            put(directory / "head", self.head)


@cache
def sample() -> Written:
    with TemporaryDirectory() as name:
        chain = written(Path(name), COUNTS, save_head=True)
        return Written(chain, files(Path(name)), (Path(name) / "head").read_bytes())


def reopen(
    directory: Path,
    *,
    copies: Copies | None = None,
    at_least: Head | None = None,
    start: Mark | None = None,
    ledger: AccountId = LEDGER,
) -> tuple[list[Frame], RecoveryReport]:
    """The frames that are there after opening; the journal is left as a crash would leave it."""
    head = (directory / "head").read_bytes() if (directory / "head").exists() else None
    journal, report = SegmentJournal.open(
        directory,
        ledger,
        segment_bytes=SMALL,
        copies=copies,
        at_least=at_least,
        start=start,
        disk=FaultyDisk(),
    )
    found = list(journal.read())
    assert report.head == journal.head
    journal.close()
    if head is None:
        (directory / "head").unlink(missing_ok=True)
    return found, report


def kinds(report: RecoveryReport) -> list[str]:
    return [finding.kind for finding in report.findings]


def flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    put(path, data)


def last_name() -> str:
    return max(sample().files)


def end_of_last() -> int:
    """Where the last frame of the last segment ends."""
    return len(sample().files[last_name()].rstrip(b"\0"))


def frames_with_tail_cut(directory: Path, kept: int) -> list[Frame]:
    """The sample, so that it looks as if only ``kept`` frames had ever been written."""
    chain = written(directory, COUNTS[:kept])
    assert chain == sample().frames[:kept]
    return sample().frames


# --- mishaps ---

Mishap = Callable[[Path], None]


def delete(*numbers: int) -> Mishap:
    def mishap(directory: Path) -> None:
        for number in numbers:
            segment_path(directory, number).unlink()

    return mishap


def zero(*numbers: int) -> Mishap:
    def mishap(directory: Path) -> None:
        for number in numbers:
            put(segment_path(directory, number), bytes(SMALL))

    return mishap


def empty(*numbers: int) -> Mishap:
    def mishap(directory: Path) -> None:
        for number in numbers:
            put(segment_path(directory, number), b"")

    return mishap


def cut(number: int) -> Mishap:
    def mishap(directory: Path) -> None:
        path = segment_path(directory, number)
        put(path, path.read_bytes()[: BLOCK + 200])

    return mishap


def older(number: int, keep: int) -> Mishap:
    """Put an older copy of a segment in its place: one with fewer frames."""

    def mishap(directory: Path) -> None:
        path = segment_path(directory, number)
        put(path, path.read_bytes()[:keep].ljust(SMALL, b"\0"))

    return mishap
