"""Small journals and their parts, for the tests of the journal."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from trueup.journal.codec import encode
from trueup.journal.disk import Disk
from trueup.journal.frame import pack
from trueup.journal.segments import SegmentJournal
from trueup.model.events import FillBooked
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import GENESIS, Frame, Head
from trueup.testing.disk import FaultyDisk

LEDGER = AccountId("paper:main")
SMALL = 4_800
"""A segment that takes a few frames."""


def fill(number: int, price: str = "100.5") -> FillBooked:
    return FillBooked(
        LEDGER, "BTC/USD:USD", "net", "buy", Decimal("0.5"), Decimal(price), Decimal("0.1"), "USD", number, f"t{number}"
    )


def body(first: int, count: int = 1) -> bytes:
    return encode([fill(number) for number in range(first, first + count)])


def frames(counts: Sequence[int], ledger: AccountId = LEDGER) -> list[Frame]:
    """A chain of frames, as they would stand one behind the other from log offset 0."""
    chain: list[Frame] = []
    first, previous, offset = 1, GENESIS, 0
    for count in counts:
        frame, data = pack(
            ledger,
            first=Seq(first),
            count=count,
            recorded_at=first,
            epoch=1,
            synced=offset,
            previous=previous,
            body=body(first, count),
        )
        chain.append(frame)
        first, previous, offset = first + count, frame.hash, offset + len(data)
    return chain


def opened(directory: Path, *, disk: Disk | None = None, segment_bytes: int = SMALL) -> SegmentJournal:
    journal, _ = SegmentJournal.open(directory, LEDGER, segment_bytes=segment_bytes, disk=disk or FaultyDisk())
    return journal


def append(journal: SegmentJournal, counts: Sequence[int]) -> list[Frame]:
    written = []
    for count in counts:
        seq = journal.head.seq
        written.append(journal.append(body(seq + 1, count), count, seq + 1))
    return written


def written(directory: Path, counts: Sequence[int], *, save_head: bool = False) -> list[Frame]:
    """A journal of so many frames, closed as after a crash unless its head is saved."""
    journal = opened(directory)
    result = append(journal, counts)
    journal.close()
    if not save_head:
        (directory / "head").unlink(missing_ok=True)
    return result


def copies_of(chain: Sequence[Frame]) -> Callable[[Seq], Iterator[Frame]]:
    """The second copy of a log, as the views database would give it."""
    return lambda after: (frame for frame in chain if frame.last > after)


def head_of(frame: Frame) -> Head:
    return Head(frame.last, frame.hash, frame.recorded_at)


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.glob("*.seg"))}


def put(path: Path, data: bytes | bytearray) -> None:
    """Give a file this content, in place: emptying it first makes some file systems wait for the disk."""
    if not path.exists():
        path.touch()
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()
