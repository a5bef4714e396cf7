"""Run the damage matrix and write ``docs/damage-matrix.md``."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.damage.house import House
from tests.damage.table import DOCUMENT, FILES, document, line, rows


def main() -> None:
    """Try everything; a failure of any trial ends it."""
    with TemporaryDirectory() as name:
        house = House(Path(name) / "house")
        found = []
        for file in FILES:
            for number, row in enumerate(rows(house, file, Path(name) / file)):
                found.append(line(row))
                sys.stderr.write(f"{number:3} {found[-1]}\n")
    DOCUMENT.write_text(document(found), encoding="utf-8")


if __name__ == "__main__":
    main()
