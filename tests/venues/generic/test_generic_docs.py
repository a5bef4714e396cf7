"""The page that describes the format says what the reader does: every column, and every example."""

import re
from pathlib import Path

import pytest

from tests.venues.generic.generic_rows import ACCOUNT, booked, read
from trueup.venues.generic import snapshot
from trueup.venues.generic.kinds import INSTRUMENT, INSTRUMENT_COLUMNS, KINDS
from trueup.venues.generic.reader import GenericReader

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "generic-format.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)$(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
EXAMPLES = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def described(kind: str) -> dict[str, bool]:
    """The columns of a kind's table, and whether each is required."""
    table = re.findall(r"^\| `(\w+)` \|([^|]*)\|", SECTIONS[kind], re.MULTILINE)
    return {name: need.strip() == "required" for name, need in table}


def test_every_kind_has_its_section() -> None:
    assert SECTIONS.keys() == KINDS.keys() | {INSTRUMENT}


@pytest.mark.parametrize("kind", KINDS)
def test_the_columns_of_a_kind_are_those_described(kind: str) -> None:
    required, optional = KINDS[kind].required, KINDS[kind].optional
    assert described(kind) == {**dict.fromkeys(required, True), **dict.fromkeys(optional, False)}


def test_the_columns_of_an_instrument_are_those_described() -> None:
    assert described(INSTRUMENT) == {column: column == "instrument" for column in INSTRUMENT_COLUMNS}


@pytest.mark.parametrize("part", snapshot.PARTS)
def test_the_parts_of_a_snapshot_are_described(part: str) -> None:
    assert f"| `{part}` |" in PAGE


@pytest.mark.parametrize(
    ("part", "cells"),
    [
        ("positions", {**snapshot.POSITION_REQUIRED, **snapshot.POSITION_OPTIONAL}),
        ("open_orders", {**snapshot.ORDER_REQUIRED, **snapshot.ORDER_OPTIONAL}),
    ],
)
def test_the_fields_of_a_part_are_described(part: str, cells: dict[str, object]) -> None:
    (line,) = re.findall(rf"^\| `{part}` \|(.*)$", PAGE, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", line)) == set(cells)


def test_the_examples_are_read_as_written() -> None:
    reader = GenericReader(ACCOUNT)
    readings = [reader.read("example", text.encode()) for _, text in EXAMPLES]
    assert [reading.kind for reading in readings] == ["CSV", "JSON lines", "instruments", "snapshot"]
    assert [reading.refused for reading in readings] == [[], [], (), []]


def test_the_two_examples_of_rows_are_the_same_facts() -> None:
    csv, lines = (booked(read(text)) for _, text in EXAMPLES[:2])
    assert csv == lines
    assert len(csv) == 3
