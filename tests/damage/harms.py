"""Every way in which a file can come to harm while nobody looks, by kind of file. All of it is seeded."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random

import apsw
import msgspec

from tests.damage.house import House, State
from trueup.journal.disk import Disk
from trueup.journal.frame import HASH_BYTES, HEADER_BYTES, size_of
from trueup.journal.segment_file import BLOCK, Segment, SegmentReader, read_header
from trueup.ports import Frame

PAGE = 4096
LEDGER = Path("ledgers/paper%3Aone")
OTHER_LEDGER = Path("ledgers/paper%3Atwo")
VIEWS = Path("views.sqlite3")
WAL = Path("views.sqlite3-wal")
SHM = Path("views.sqlite3-shm")
HEAD = Path("heads/paper%3Aone")
OTHER_HEAD = Path("heads/paper%3Atwo")

TABLES = {
    "sqlite_schema": "schema",
    "migrations": "migrations",
    "transactions": "transactions",
    "ledgers": "ledgers",
    "frames": "frames",
    "sqlite_autoindex_frames_1": "index of frames",
    "fact_keys": "keys",
    "book_positions": "positions",
    "book_cycles": "cycles",
    "balances": "balances",
}
"""Tables of the views whose pages are harmed, and what the document calls them."""

Harm = Callable[[Path], object]
"""Done to a copy of the directory."""


class Case(msgspec.Struct, frozen=True):
    """One thing that happens to one file.

    Attributes:
        file: What kind of file, as the table names it.
        damage: What happens, as the table names it.
        place: Which byte, page or variant.
        state: Of the directory it happens to.
    """

    file: str
    damage: str
    place: str
    harm: Harm
    state: State = "closed"


def cases(house: House) -> Sequence[Case]:
    """All of them."""
    return [
        *_segment(house, "tail segment", -1),
        *_segment(house, "sealed segment", 1),
        *_ledger_cases(house),
        *_views(house),
        *_log_of_views(house),
        *_snapshots(house),
        *_small(house, "saved head", HEAD),
        Case("saved head", "swapped with another ledger's", "", partial(swap, HEAD, OTHER_HEAD)),
        *_small(house, "format", Path("format")),
        *_small(house, "lock", Path("lock"), state="crashed"),
    ]


# --- what can happen to any file --------------------------------------------------------------------------------------


def flip(path: Path, at: int, bit: int, data: Path) -> None:
    """Turn one bit over."""
    with (data / path).open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1 << bit]))


def cut(path: Path, size: int, data: Path) -> None:
    """Make a file shorter."""
    with (data / path).open("r+b") as file:
        file.truncate(size)


def zero(path: Path, start: int, data: Path) -> None:
    """Fill a page with zeros."""
    whole = bytearray((data / path).read_bytes())
    end = min(start + PAGE, len(whole))
    whole[start:end] = bytes(end - start)
    (data / path).write_bytes(whole)


def delete(path: Path, data: Path) -> None:
    """Delete a file or a directory."""
    shutil.rmtree(data / path) if (data / path).is_dir() else (data / path).unlink()


def older(house: House, path: Path, data: Path) -> None:
    """Put an older copy in the place of a file or a directory."""
    delete(path, data)
    source = house.path("older") / path
    shutil.copytree(source, data / path) if source.is_dir() else shutil.copy(source, data / path)


def swap(one: Path, other: Path, data: Path) -> None:
    """Exchange two files or directories."""
    aside = data / "aside"
    (data / one).rename(aside)
    (data / other).rename(data / one)
    aside.rename(data / other)


def both(first: Harm, second: Harm, data: Path) -> None:
    """Two mishaps at once."""
    first(data)
    second(data)


# --- kinds of files ---------------------------------------------------------------------------------------------------


def _small(house: House, file: str, path: Path, state: State = "closed") -> Iterator[Case]:
    """A file of a few hundred bytes, read whole."""
    size = (house.path(state) / path).stat().st_size
    random = Random(f"{file} flips")
    for at in (0, *sorted(random.sample(range(1, size - 1), 4)), size - 1):
        yield Case(file, "bit flip", f"byte {at}", partial(flip, path, at, random.randrange(8)), state)
    for length in (0, size // 2, size - 1):
        yield Case(file, "cut short", f"to {length}", partial(cut, path, length), state)
    yield Case(file, "deleted", "", partial(delete, path), state)
    yield Case(file, "zero page", "", partial(zero, path, 0), state)
    if (house.path("older") / path).exists():
        yield Case(file, "stale older copy", "", partial(older, house, path), state)


def _segment(house: House, file: str, index: int) -> Iterator[Case]:
    directory = house.path("closed")
    path = sorted((directory / LEDGER).glob("*.seg"))[index].relative_to(directory)
    frames = list(frames_in(directory / path))
    random = Random(file)
    for region, at in _regions(directory / path, frames):
        yield Case(file, f"bit flip: {region}", f"byte {at}", partial(flip, path, at, random.randrange(8)))
    size, ends = (directory / path).stat().st_size, [at + size_of(frame) for at, frame in frames]
    lengths = {"nothing": 0, "in the header": BLOCK // 2, "in a frame": ends[-1] - 9, "behind a frame": ends[-1]}
    lengths |= {"between frames": ends[-2] if len(ends) > 1 else BLOCK, "by a byte": size - 1}
    for place, length in lengths.items():
        yield Case(file, "cut short", f"to {length}, {place}", partial(cut, path, length))
    yield Case(file, "deleted", "", partial(delete, path))
    for start in (0, BLOCK):
        yield Case(file, "zero page", f"at {start}", partial(zero, path, start))
    yield Case(file, "stale older copy", "", partial(_fewer_frames, path, ends[0]))


def _fewer_frames(path: Path, keep: int, data: Path) -> None:
    """A segment as it was when it held less."""
    whole = (data / path).read_bytes()
    (data / path).write_bytes(whole[:keep].ljust(len(whole), b"\0"))


def frames_in(path: Path) -> Iterator[tuple[int, Frame]]:
    """The frames of a segment with their places."""
    header = read_header(Disk(), path)
    assert header is not None
    at = BLOCK
    with SegmentReader(Disk(), Segment(path, header)) as reader:
        while isinstance(frame := reader.frame_at(at), Frame):
            yield at, frame
            at += size_of(frame)


def _regions(path: Path, frames: Sequence[tuple[int, Frame]]) -> Iterator[tuple[str, int]]:
    """Bytes of every region: of the header block, of the first frame and the last, and behind it."""
    for at in (0, 20, 70, BLOCK - HASH_BYTES + 3):
        yield "header", at
    yield "header's padding", BLOCK // 2
    for start, frame in (frames[0], frames[-1]):
        fields = HEADER_BYTES - 2 * HASH_BYTES
        for at in (1, 5, 9, 13, fields - 5, fields + 7):
            yield "frame header", start + at
        yield "hash", start + HEADER_BYTES - 7
        for at in (HEADER_BYTES, size_of(frame) // 2 + HEADER_BYTES // 2, size_of(frame) - 1):
            yield "body", start + at
    end = frames[-1][0] + size_of(frames[-1][1])
    for at in {end, path.stat().st_size - 1} if end < path.stat().st_size else ():
        yield "padding", at


def _ledger_cases(house: House) -> Iterator[Case]:
    """What happens to files of a ledger together."""
    names = [path.relative_to(house.path("closed")) for path in sorted((house.path("closed") / LEDGER).glob("*.seg"))]
    others = sorted((house.path("closed") / OTHER_LEDGER).glob("*.seg"))
    foreign = others[1].relative_to(house.path("closed"))
    yield Case("segments", "swapped", "two of a ledger", partial(swap, names[0], names[1]))
    yield Case("segments", "swapped", "the last two", partial(swap, names[-2], names[-1]))
    yield Case("segments", "swapped", "of two ledgers", partial(swap, names[1], foreign))
    yield Case("segments", "replaced", "by another of its ledger", partial(_replace, names[1], names[0]))
    yield Case("segments", "replaced", "by another ledger's", partial(_replace, names[1], foreign))
    yield Case("ledger's directory", "swapped", "with another's", partial(swap, LEDGER, OTHER_LEDGER))
    yield Case("ledger's directory", "deleted", "", partial(delete, LEDGER))
    yield Case("ledger's directory", "deleted", "all of them", partial(delete, Path("ledgers")))
    yield Case("ledger's directory", "stale older copy", "", partial(older, house, LEDGER))


def _replace(path: Path, by: Path, data: Path) -> None:
    shutil.copy(data / by, data / path)


def _views(house: House) -> Iterator[Case]:
    file, random = "views database", Random("views")
    for name, page in _pages(house.path("closed") / VIEWS):
        at = (page - 1) * PAGE + random.randrange(PAGE)
        yield Case(file, f"bit flip: {name}", f"byte {at}", partial(flip, VIEWS, at, random.randrange(8)))
        yield Case(file, f"zero page: {name}", "", partial(zero, VIEWS, (page - 1) * PAGE))
    for at in (17, 20, 30, 95):
        yield Case(file, "bit flip: header", f"byte {at}", partial(flip, VIEWS, at, random.randrange(8)))
    size = (house.path("closed") / VIEWS).stat().st_size
    for length in (0, 50, PAGE, size // 2, size - PAGE, size - 1):
        yield Case(file, "cut short", f"to {length}", partial(cut, VIEWS, length))
    yield Case(file, "deleted", "", partial(delete, VIEWS))
    yield Case(file, "stale older copy", "", partial(older, house, VIEWS))
    yield Case(file, "swapped", "with no database", partial(swap, VIEWS, Path("format")))


def _pages(path: Path) -> Sequence[tuple[str, int]]:
    """A page of each of these tables, of every type that it has: leaf, inner and overflow."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        rows = db.execute("SELECT name, pagetype, max(pageno) FROM dbstat GROUP BY name, pagetype ORDER BY 1, 2")
        return [(f"{TABLES[name]}, {kind}", page) for name, kind, page in rows if name in TABLES]
    finally:
        db.close()


def _log_of_views(house: House) -> Iterator[Case]:
    file, random, size = "views' write-ahead log", Random("log"), (house.path("crashed") / WAL).stat().st_size
    frame = PAGE + 24
    places = [("header", at) for at in (1, 9, 17, 25)]
    starts = [32 + frame * number for number in (0, (size // frame) // 2, size // frame - 1)]
    places += [("frame header", start + at) for start in starts for at in (1, 5, 9, 17)]
    places += [("page", start + 24 + random.randrange(PAGE)) for start in starts for _ in range(2)]
    for region, at in places:
        harm = partial(flip, WAL, at, random.randrange(8))
        yield Case(file, f"bit flip: {region}", f"byte {at}", harm, "crashed")
    for length in (0, 20, size // 2, size - 1):
        yield Case(file, "cut short", f"to {length}", partial(cut, WAL, length), "crashed")
    yield Case(file, "deleted", "", partial(delete, WAL), "crashed")
    for start in (0, starts[1]):
        yield Case(file, "zero page", f"at {start}", partial(zero, WAL, start), "crashed")
    for at in (5, 100, 20_000):
        harm = partial(flip, SHM, at, random.randrange(8))
        yield Case("views' shared memory", "bit flip", f"byte {at}", harm, "crashed")
    yield Case("views' shared memory", "cut short", "", partial(cut, SHM, 100), "crashed")
    yield Case("views' shared memory", "deleted", "", partial(delete, SHM), "crashed")
    yield Case("views' shared memory", "zero page", "", partial(zero, SHM, 0), "crashed")


def of_backups(house: House) -> Iterator[Case]:
    """What can happen to a backup."""
    manifests = sorted(path.relative_to(house.backup_path) for path in house.backup_path.glob("manifests/*"))
    blobs = sorted(
        path.relative_to(house.backup_path)
        for path in house.backup_path.rglob("*")
        if path.is_file() and "one" in str(path) and path.parts[-2] != "manifests"
    )
    for file, (old, new) in {"backup's manifest": manifests[-2:], "backup's blob": blobs[-2:]}.items():
        size, random = (house.backup_path / new).stat().st_size, Random(file)
        for at in (0, *sorted(random.sample(range(1, size - 1), 4)), size - 1):
            yield Case(file, "bit flip", f"byte {at}", partial(flip, new, at, random.randrange(8)))
        for length in (0, size // 2, size - 1):
            yield Case(file, "cut short", f"to {length}", partial(cut, new, length))
        yield Case(file, "deleted", "", partial(delete, new))
        yield Case(file, "zero page", "", partial(zero, new, 0))
        yield Case(file, "swapped", "", partial(swap, old, new))
        yield Case(file, "stale older copy", "", partial(_replace, new, old))


def _snapshots(house: House) -> Iterator[Case]:
    paths = sorted((house.path("closed") / LEDGER).glob("*.snapshot"))
    old, new = (path.relative_to(house.path("closed")) for path in paths[-2:])
    theirs = max((house.path("closed") / OTHER_LEDGER).glob("*.snapshot")).relative_to(house.path("closed"))
    yield from _small(house, "snapshot", new)
    yield Case("snapshot", "swapped", "the newest two", partial(swap, old, new))
    yield Case("snapshot", "swapped", "of two ledgers", partial(swap, new, theirs))
    yield Case("snapshot", "stale older copy", "", partial(_replace, new, old))
    yield Case("snapshot", "deleted", "both", partial(both, partial(delete, old), partial(delete, new)))
