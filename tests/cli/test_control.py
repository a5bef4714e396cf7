"""The ledger of what spans accounts, on the command line: proved with all others, shown when it is named."""

from pathlib import Path

import pytest

from tests.cli.program import Trueup
from trueup import DatabaseStateManager


@pytest.fixture
def told(trueup: Trueup, data: Path) -> Trueup:
    """The program, after a state manager saved a position, the portfolio and a signal."""
    with DatabaseStateManager(data) as manager:
        manager.save_position(asset="BTC", size=1, entry_price=42000, current_stop=41000)
        manager.save_portfolio_state(closed_equity=1000.5)
        manager.log_signal(kind="EXIT", instrument="BTC", fingerprint="f", timestamp="2026-01-01T00:00:00Z")
    return trueup


def test_its_journal_is_shown_when_it_is_named(told: Trueup) -> None:
    rows = told("journal", "show", "--account", "control", "--json").lines
    assert [row["kind"] for row in rows] == ["portfolio_state", "signal"]
    assert rows[0]["fields"]["closed_equity"] == "1000.5"
    assert rows[1]["fields"]["made_at"] == "2026-01-01T00:00:00Z"


def test_it_holds_no_positions_and_is_no_account_among_others(told: Trueup) -> None:
    assert [position["account"] for position in told("positions", "--json").json] == ["declared:main"]


def test_it_is_proved_with_all_others(told: Trueup) -> None:
    proof = told("journal", "verify", "--json")
    assert proof.code == 0
    assert [(ledger["account"], ledger["ok"]) for ledger in proof.json["ledgers"]] == [
        ("control", True),
        ("declared:main", True),
    ]


def test_one_that_was_never_used_is_not_there(story: Trueup, data: Path) -> None:
    assert story("journal", "show", "--account", "control").code == 3
    assert not (data / "ledgers" / "control").exists()
