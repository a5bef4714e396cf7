"""Every file, every damage: detected, healed where a copy survives, refused otherwise; and the document of it."""

from pathlib import Path

import pytest

from tests.damage.house import House
from tests.damage.table import DOCUMENT, FILES, document, line, lines_in, rows


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("damage") / "house")


@pytest.mark.parametrize("file", FILES)
def test_whatever_happens_to_a_file_ends_as_the_document_says(house: House, file: str, tmp_path: Path) -> None:
    told = [one for one in lines_in(DOCUMENT.read_text(encoding="utf-8")) if one.startswith(f"| {file} |")]
    assert [line(row) for row in rows(house, file, tmp_path / "scratch")] == told, "run python -m tests.damage"


def test_the_document_is_nothing_but_the_table_and_its_summary() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert document(lines_in(text)) == text
