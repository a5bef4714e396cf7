"""The program as a test runs it: the real thing, in this process, on a data directory of its own."""

from pathlib import Path

import pytest

from tests.cli.program import MAIN, STORY, Result, Trueup, files
from trueup.cli.main import main


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def trueup(data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Trueup:
    monkeypatch.setenv("TRUEUP_DATA", str(data))

    def run(*words: str | Path) -> Result:
        capsys.readouterr()
        code = main([str(word) for word in words])
        told = capsys.readouterr()
        return Result(code, told.out, told.err)

    return run


@pytest.fixture
def story(trueup: Trueup) -> Trueup:
    """The program after it imported one account's morning at Hyperliquid."""
    assert trueup("import", *files(STORY), *MAIN).code == 0
    return trueup
