"""Trades that nobody ordered through us, assigned on the command line."""

import json
from pathlib import Path

import pytest

from tests.engine.world import ACCOUNT, DEFINED, PERP, fill, store_at
from trueup.cli.main import main


@pytest.fixture
def data(tmp_path: Path) -> str:
    store = store_at(tmp_path)
    store.ledger(ACCOUNT).book_facts([DEFINED, fill(1), fill(2), fill(3)])
    store.close()
    return str(tmp_path / "data")


def run(data: str, *words: str) -> int:
    return main(["--data", data, "assign", "one", *words, "--by", "alice"])


def test_all_of_them_or_those_of_a_span(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, PERP.symbol, "--to", "trend", "--since", "2023-11-14T22:13:22Z", "--json") == 0
    parts = json.loads(capsys.readouterr().out)["by_strategy"]
    assert {name: part["quantity"] for name, part in parts.items()} == {"external": "1", "trend": "2"}
    assert run(data, PERP.symbol, "--to", "hedge") == 0
    shown = capsys.readouterr().out
    assert "hedge" in shown
    assert "external" not in shown


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("ETH/USDC:USDC", "--to", "trend"), "never had"),
        ((PERP.symbol, "--to", "external"), "strategy"),
        ((PERP.symbol, "--to", "trend", "--since", "soon"), "since"),
    ],
)
def test_what_cannot_be_assigned_is_told(
    data: str, words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, *words) == 3
    assert told in capsys.readouterr().err
