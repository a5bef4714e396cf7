"""The shares of venues on the command line, from the journal's marks: known, unknown, off, and over time."""

import json
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.engine.world import DEFINED, PERP, START, fill, store_at
from trueup.book.book import Book
from trueup.cli.main import main
from trueup.model.events import Event, Fact, MarkSampled
from trueup.model.identifiers import AccountId
from trueup.model.numbers import ONE

HL, CB = AccountId("hyperliquid:main"), AccountId("coinbase:main")


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Four bitcoin at one venue and one at the other, each worth 100."""
    store = store_at(tmp_path)
    for account, fills in ((HL, 4), (CB, 1)):
        ledger = store.ledger(account)
        facts: list[Fact] = [replace(DEFINED, account=account)]
        facts += [replace(fill(number), account=account) for number in range(fills)]
        ledger.book_facts(facts)
        marks: list[Event] = [MarkSampled(account, PERP.symbol, ONE * 100, START, "test")]
        ledger.commit(partial(_said, marks))
    store.close()
    (tmp_path / "trueup.toml").write_text('[rates]\n"USDC/USD" = 1\n')
    return str(tmp_path)


def _said(events: list[Event], _book: Book) -> list[Event]:
    return events


def run(data: str, *words: str) -> int:
    return main(["--data", f"{data}/data", "allocation", "--config", f"{data}/trueup.toml", *words])


def test_one_asset_at_two_venues_with_shares_as_they_should_be(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "--value", "500", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["assets"]["BTC"]["net"], answer["assets"]["BTC"]["gross_worth"]) == ("5", "500")
    assert [(one["venue"], one["actual"], one["within_tolerance"]) for one in answer["shares"]] == [
        ("hyperliquid", "0.8", True),
        ("coinbase", "0.2", True),
    ]


def test_five_per_cent_off_asks_for_a_rebalancing(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "--value", "400") == 1
    shown = capsys.readouterr().out
    assert "Rebalance needed: hyperliquid, coinbase" in shown
    assert "NO" in shown


def test_without_a_rate_nothing_is_guessed(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(data, "trueup.toml").write_text("")
    assert run(data) == 2
    assert "No shares: unknown are balance of USDC" in capsys.readouterr().out
    assert run(data, "--value", "500", "--json") == 2
    assert json.loads(capsys.readouterr().out)["shares"][0]["actual"] is None


def test_every_check_is_on_record(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(data, "--value", "500")
    run(data, "--value", "400")
    capsys.readouterr()
    assert run(data, "--history", "--json") == 0
    history = json.loads(capsys.readouterr().out)
    assert [check["portfolio_value"] for check in history] == ["500", "400"]
    assert [share["actual"] for check in history for share in check["shares"]] == ["0.8", "0.2", "1", "0.25"]
    assert run(data, "--history") == 0
    assert "hyperliquid" in capsys.readouterr().out


@pytest.mark.parametrize("value", ["0", "-5", "much"])
def test_a_value_that_cannot_be_is_refused(data: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "--value", value) == 3
    assert "value" in capsys.readouterr().err
