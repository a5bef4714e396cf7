"""The page on the doors: what it shows runs, and what it names is there."""

import re
from pathlib import Path

import pytest

import trueup
from trueup import PositionManager

PAGE = (Path(__file__).parents[2] / "docs" / "doors.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_of_positions_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"<!-- runs -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    assert capsys.readouterr().out == "1 300\n600 800\n"
    with PositionManager("positions.db") as manager:
        assert [str(p.realized_pnl) for p in manager.get_all_positions(include_closed=True)] == ["800"]


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_an_example_imports_is_there(example: str) -> None:
    for names in re.findall(r"from trueup import (.*)", example):
        for name in names.split(", "):
            assert hasattr(trueup, name)


def test_every_door_is_on_the_page() -> None:
    assert [name for name in trueup.__all__ if not name.startswith("_") and f"`{name}`" not in PAGE] == []
