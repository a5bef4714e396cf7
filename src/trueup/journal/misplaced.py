"""Segment files that stand under another's name, put back in their places. A header says where its file belongs.

Nothing is overwritten or deleted. A file whose place is taken, or whose ledger is not here, is put aside under a name
that nobody reads as a segment.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from trueup.journal.disk import Disk
from trueup.journal.segment_file import read_header, segment_path
from trueup.model.identifiers import AccountId

ASIDE = ".misplaced"


def put_back(ledgers: Sequence[Path], place_of: Callable[[AccountId], Path], disk: Disk) -> Sequence[str]:
    """Move every segment whose header names another place to where it belongs.

    Args:
        ledgers: The directories to look into, and the only ones to move files to.
        place_of: The directory of a ledger.
        disk: The files.

    Returns:
        What was moved, in sentences.

    Raises:
        OSError: The disk refused.
    """
    found = sorted(path for ledger in ledgers for path in (*ledger.glob("*.seg"), *ledger.glob(f"*.seg{ASIDE}")))
    belongs: dict[Path, Path] = {}
    for path in found:
        header = read_header(disk, path)
        if header is not None and path != (place := segment_path(place_of(header.ledger), header.number)):
            belongs[path] = place
    moves = _possible(belongs, set(ledgers))
    for path in belongs:
        if path.suffix != ASIDE:
            disk.rename(path, _aside(path))
    for path, place in moves.items():
        disk.rename(_aside(path), place)
    for folder in {path.parent for path in (*belongs, *moves.values())}:
        disk.sync_directory(folder)
    return [
        _told(path, place, moved=path in moves)
        for path, place in belongs.items()
        if path in moves or path.suffix != ASIDE
    ]


def _possible(belongs: dict[Path, Path], ledgers: Iterable[Path]) -> dict[Path, Path]:
    """The moves to places that are free, or become so, and that only one file claims."""
    claimed = list(belongs.values())
    return {
        path: place
        for path, place in belongs.items()
        if place.parent in ledgers and claimed.count(place) == 1 and (not place.exists() or place in belongs)
    }


def _aside(path: Path) -> Path:
    return path if path.suffix == ASIDE else path.with_name(path.name + ASIDE)


def _told(path: Path, place: Path, *, moved: bool) -> str:
    where = f"{path.parent.name}/{path.name}"
    done = "moved there" if moved else f"put aside as {_aside(path).name}"
    return f"{where} is {place.parent.name}/{place.name}; {done}"
