"""The damage matrix as a table: what was tried, and what came of it. ``python -m tests.damage`` writes the document."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

import msgspec

from tests.damage import faults, harms
from tests.damage.harms import VIEWS, WAL, Case
from tests.damage.house import House
from tests.damage.trial import judge, judge_backup

DOCUMENT = Path(__file__).parents[2] / "docs" / "damage-matrix.md"

LOGS = frozenset({"tail segment", "sealed segment", "segments", "ledger's directory"})
"""Files of which there are copies elsewhere; all others are derived, or say only where things are."""

FILES = (
    "tail segment",
    "sealed segment",
    "segments",
    "ledger's directory",
    "views database",
    "views' write-ahead log",
    "views' shared memory",
    "snapshot",
    "saved head",
    "format",
    "lock",
    "backup's manifest",
    "backup's blob",
)

_INTRO = """\
# The damage matrix

Every way in which we let a file of the embedded store come to harm, and what became of it. The tests in `tests/damage`
do all of it to the real store, and fail when this table says something else than they found
(`python -m tests.damage` writes it anew).

| word | meaning |
|---|---|
| harmless | nothing was lost, and nothing had to be mended |
| healed | noticed; a start, or the scrub of a running store, brought back everything that was acknowledged |
| by recover | the ledger is refused until `trueup recover` has healed it |
| from backup | the same, with `trueup recover --from-backup` |
| refused | a typed error names file and remedy; nothing is changed, others open, and with the file back all is there |

Numbers count trials: bytes, pages or places tried. *Another copy*: the views hold the frames too. *No other copy*: the
views are gone as well. *A backup*: the same, but there is one; where a backup itself comes to harm, the ledger and the
views are gone. A dash: the file is made from others, so there is always a copy. Where a disk refuses, *refused* means
that the booking was refused with a typed error and not acknowledged, and *harmless* that it went on; once the disk is
mended, all that was acknowledged is there.
"""


class Row(msgspec.Struct, frozen=True):
    """One line of the table: counts of verdicts."""

    file: str
    damage: str
    copy: Mapping[str, int]
    nothing: Mapping[str, int]
    backup: Mapping[str, int]


def rows(house: House, file: str, scratch: Path) -> Iterator[Row]:
    """Try everything that can happen to one kind of file. Raises :class:`tests.damage.trial.Failed`."""
    numbers = iter(range(10_000))

    def place() -> Path:
        return scratch / str(next(numbers))

    chosen = [case for case in harms.cases(house) if case.file == file]
    for damage, alike in _grouped(chosen):
        found = Counter[str](judge(house, case.state, case.harm, place()) for case in alike)
        without = backed = Counter[str]()
        if file in LOGS:
            lone = [partial(harms.both, alike[at].harm, _lose_views) for at in sorted({0, len(alike) // 2})]
            without = Counter(judge(house, "closed", harm, place()) for harm in lone)
            backed = Counter(judge(house, "closed", harm, place(), backup=house.backup()) for harm in lone)
        yield Row(file, damage, found, without, backed)
    for damage, alike in _grouped([case for case in harms.of_backups(house) if case.file == file]):
        told = Counter[str](judge_backup(house, case.harm, _lose_ledger, place()) for case in alike)
        yield Row(file, damage, {}, {}, told)
    refusing = [case for case in faults.cases() if case.file == file]
    for fault in faults.FAULTS:
        told = Counter[str](case.judge(house, place()) for case in refusing if case.damage == fault)
        if told:
            yield Row(file, fault, told, {}, {})


def _grouped(chosen: Sequence[Case]) -> Iterator[tuple[str, Sequence[Case]]]:
    """Cases by damage, in the order in which they come."""
    order = list(dict.fromkeys(case.damage for case in chosen))
    for damage, alike in groupby(sorted(chosen, key=lambda case: order.index(case.damage)), lambda case: case.damage):
        yield damage, list(alike)


def _lose_ledger(data: Path) -> None:
    _lose_views(data)
    harms.delete(harms.LEDGER, data)


def _lose_views(data: Path) -> None:
    for path in (VIEWS, WAL):
        (data / path).unlink(missing_ok=True)


# --- the document -----------------------------------------------------------------------------------------------------


def line(row: Row) -> str:
    """A row as Markdown."""
    cells = [row.file, row.damage, *(_told(counts) for counts in (row.copy, row.nothing, row.backup))]
    return f"| {' | '.join(cells)} |"


def document(lines: Sequence[str]) -> str:
    """The whole document with the lines of the table."""
    head = ["| file | damage | another copy | no other copy | a backup |", "|---|---|---|---|---|"]
    return "\n".join([_INTRO, *head, *lines, "", _summary(lines), ""])


def lines_in(text: str) -> list[str]:
    """The lines of the table in a document."""
    return [one for one in text.splitlines() if one.startswith(tuple(f"| {file} |" for file in FILES))]


def _told(counts: Mapping[str, int]) -> str:
    short = {"healed by recover": "by recover", "healed from a backup": "from backup"}
    return ", ".join(f"{short.get(verdict, verdict)} {count}" for verdict, count in sorted(counts.items())) or "—"


def _summary(lines: Iterable[str]) -> str:
    """How many trials ended how."""
    cells = [cell.strip() for one in lines for cell in one.split("|")[3:6]]
    found: Counter[str] = Counter()
    for cell in cells:
        for part in cell.split(", ") if cell != "—" else ():
            verdict, _, count = part.rpartition(" ")
            found[verdict] += int(count)
    filled = sum(cell != "—" for cell in cells)
    told = ", ".join(f"{count} {verdict}" for verdict, count in found.most_common())
    return f"{sum(found.values())} trials in {filled} cells: {told}; none lost what was acknowledged."
