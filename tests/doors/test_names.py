"""The doors are imported from ``trueup`` itself, which stays light until one is asked for."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import trueup


def test_importing_trueup_loads_no_door() -> None:
    program = "import sys, trueup; print(sorted(n for n in sys.modules if n.startswith('trueup')))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "['trueup']"


@pytest.mark.parametrize("name", [name for name in trueup.__all__ if not name.startswith("_")])
def test_each_name_is_there(name: str) -> None:
    assert name in dir(trueup)
    assert getattr(trueup, name).__name__ == name


def test_others_are_not() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = trueup.Nothing  # type: ignore[attr-defined]


def test_the_example_of_the_documentation_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "database.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    config = {"local": {"store": str(tmp_path / "data")}}
    Path("database_config.json").write_text(json.dumps(config), encoding="utf-8")
    exec(example, {})
    with trueup.DatabaseStateManager(config) as manager:
        closed = manager.get_position("Long_1")
    assert closed is not None
    assert closed.realized_pnl == 60 * 759.5
