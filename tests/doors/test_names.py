"""The doors are imported from ``trueup`` itself, which stays light until one is asked for."""

import subprocess
import sys

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
