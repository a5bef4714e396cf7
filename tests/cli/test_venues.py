"""Venues by the command line: a rehearsal venue in a process of its own, and the program against it over sockets."""

import json
import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import STORY, Trueup
from trueup.testing.servers.jsonrpc_derivatives import world

PATIENCE_S = 120.0


class Rehearsal:
    """A venue that `trueup venues serve` serves, and the settings that it told."""

    def __init__(self, process: "subprocess.Popen[str]", told: dict[str, Any], config: Path) -> None:
        self.process = process
        self.told = told
        self.config = config


def served(folder: Path, venue: str, *words: str) -> Rehearsal:
    command = [sys.executable, "-m", "trueup", "venues", "serve", venue, "--json", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ})
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], PATIENCE_S)[0], "it says nothing"
    text = ""
    while not text.endswith("}\n}\n"):
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        text += line
    told = json.loads(text)
    config = folder / "trueup.toml"
    config.write_text(told["settings"])
    return Rehearsal(process, told, config)


def ended(rehearsal: Rehearsal) -> str:
    """Stop it as a person would; what it told at the end."""
    rehearsal.process.terminate()
    _, errors = rehearsal.process.communicate(timeout=PATIENCE_S)
    assert rehearsal.process.returncode == 0, errors
    return errors


@pytest.fixture(params=["hyperliquid", "oanda", "deribit", "coinbase_derivatives"])
def rehearsal(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rehearsal]:
    made = served(tmp_path, request.param)
    for name, value in made.told["environment"].items():
        monkeypatch.setenv(name, value)
    yield made
    if made.process.poll() is None:
        ended(made)


ACCOUNTS = {
    "hyperliquid": "hyperliquid:demo",
    "oanda": "oanda:main",
    "deribit": "deribit:main",
    "coinbase_derivatives": "coinbase_derivatives:main",
}
OTHERS = {
    "deribit": {"REHEARSAL_KEY": world.OTHER_ID, "REHEARSAL_SECRET": world.OTHER_SECRET},
    "coinbase_derivatives": {
        "REHEARSAL_KEY": world.CDP_OTHER_KEY,
        "REHEARSAL_SECRET": world.CDP_SECRETS[world.CDP_OTHER_KEY],
    },
}
"""Keys that open another account."""


def test_an_account_and_its_instruments_are_looked_at(trueup: Trueup, rehearsal: Rehearsal) -> None:
    venue = rehearsal.told["venue"]
    account, config = ACCOUNTS[venue], ("--config", rehearsal.config)
    looked = trueup("venues", "check", account, *config)
    assert (looked.code, looked.err) == (0, "")
    assert f"{account}, stage trade" in looked.out

    listed = trueup("venues", "instruments", account.partition(":")[2], *config, "--json").json["instruments"]
    assert {"oanda": "EUR/USD"}.get(venue, "BTC/USDC:USDC") in {row["symbol"] for row in listed}
    assert trueup("venues", "check", account, *config, "--json").json["stage"] == "trade"


def test_an_account_is_imported_and_compared_over_sockets(trueup: Trueup, rehearsal: Rehearsal) -> None:
    venue = rehearsal.told["venue"]
    account, config = ACCOUNTS[venue], ("--config", rehearsal.config)
    first = trueup("import", "--venue", venue, *config, "--json")
    assert first.code == 0
    assert first.json["booked_kinds"]["fill"] == 1
    assert first.json["cursor"]
    assert first.json["until"]
    again = trueup("import", "--account", account, *config)
    assert again.code == 0
    assert "BOOKED" in again.out
    assert "The history is booked as far as the venue tells it" in again.out

    compared = trueup("reconcile", "--account", account, *config)
    assert (compared.code, "SYNCED" in compared.out) == (0, True)
    (position,) = trueup("positions", "--json").json
    assert position["account"] == account


def test_an_account_whose_deposits_are_not_told_is_looked_at_and_imported(
    trueup: Trueup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = served(tmp_path, "coinbase")
    for name, value in made.told["environment"].items():
        monkeypatch.setenv(name, value)
    words = ("--config", made.config)
    looked = trueup("venues", "check", "coinbase:main", *words)
    assert (looked.code, looked.err) == (0, "")
    assert "The key may view and trade" in looked.out
    first = trueup("import", "--venue", "coinbase", *words, "--json")
    assert (first.code, first.json["booked_kinds"]["fill"]) == (0, 1)
    assert trueup("import", "--venue", "coinbase", *words, "--json").json["booked"] == 0
    compared = trueup("reconcile", "--account", "coinbase:main", *words)
    assert "BTC/USD:USD-BIP-20DEC30 net  SYNCED" in compared.out
    again = trueup("reconcile", "--account", "coinbase:main", *words, "--json")
    assert {row["kind"] for row in again.json["differences"]} == {"CASH"}
    assert ended(made) == ""


def test_a_pull_may_begin_at_a_time(trueup: Trueup, rehearsal: Rehearsal) -> None:
    words = ("import", "--venue", rehearsal.told["venue"], "--config", rehearsal.config)
    later = trueup(*words, "--since", "2100-01-01", "--json")
    assert later.json["booked_kinds"].get("fill", 0) == 0
    assert trueup(*words, "--since", "2001-01-01T00:00:00Z", "--json").json["booked_kinds"]["fill"] == 1
    wrong = trueup(*words, "--since", "yesterday", "--json")
    assert (wrong.code, wrong.error["field"]) == (3, "since")


def test_an_account_that_was_pointed_elsewhere_is_refused(
    trueup: Trueup, rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("import", "--venue", rehearsal.told["venue"], "--config", rehearsal.config)
    assert trueup(*words).code == 0
    settings = re.sub(r"0x[0-9a-f]{40}", "0x" + 40 * "9", rehearsal.config.read_text())
    settings = settings.replace("101-004-1234567-001", "101-004-1234567-002")  # another one of the same token
    rehearsal.config.write_text(settings)
    for name, value in OTHERS.get(rehearsal.told["venue"], {}).items():
        monkeypatch.setenv(name, value)
    refused = trueup(*words, "--json")
    assert refused.code == 3
    assert refused.error["remedy"]


def test_a_venue_that_is_gone_makes_the_answer_unknown_not_flat(trueup: Trueup, rehearsal: Rehearsal) -> None:
    words = ("--venue", rehearsal.told["venue"], "--config", rehearsal.config)
    assert trueup("import", *words).code == 0
    ended(rehearsal)
    compared = trueup("reconcile", *words)
    assert compared.code == 2
    assert "FAILED" in compared.out
    lost = trueup("import", *words, "--json")
    assert (lost.code, lost.error["code"]) == (3, "unavailable")
    assert len(lost.err.splitlines()) == 1  # attempts that were made again are nobody's news


def test_a_plan_of_faults_is_carried_out_and_told(
    trueup: Trueup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('[[faults]]\nkind = "status"\nstatus = 503\nnth = 2\n')
    made = served(tmp_path, "oanda", "--faults", str(plan))
    monkeypatch.setenv("REHEARSAL_TOKEN", made.told["environment"]["REHEARSAL_TOKEN"])
    assert trueup("import", "--venue", "oanda", "--config", made.config).code == 0
    assert "status struck GET" in ended(made)


def test_a_wrong_plan_is_refused_before_anything_is_served(trueup: Trueup, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('[[faults]]\nkind = "gremlin"\n')
    refused = trueup("venues", "serve", "oanda", "--faults", plan, "--json")
    assert (refused.code, refused.error["field"]) == (3, "plan")


@pytest.mark.parametrize("venue", ["hyperliquid", "oanda"])
def test_serving_ends_by_itself_and_says_how_to_point_at_it(trueup: Trueup, venue: str) -> None:
    told = trueup("venues", "serve", venue, "--seconds", "0")
    assert told.code == 0
    assert f"{venue} is served at http://127.0.0.1:" in told.out
    assert f'[accounts."{ACCOUNTS[venue]}"]' in told.out
    assert "export REHEARSAL_" in told.out


def test_what_venues_offer_is_listed_with_what_they_cannot(trueup: Trueup) -> None:
    table = trueup("venues", "list")
    assert table.code == 0
    found = {row["venue"]: row for row in trueup("venues", "list", "--json").json["venues"]}
    assert list(found)[:2] == ["hyperliquid", "oanda"]
    assert {"coinbase", "paper", "generic"} <= found.keys()
    assert (found["oanda"]["cursor"], found["hyperliquid"]["history_max"]) == ("exact", 10_000)
    for row in found.values():
        assert row["verified"]
        assert all(sentence in table.out for sentence in row["cannot"])


def test_what_can_be_reconciled_at_each_exchange_of_ccxt_is_listed(trueup: Trueup) -> None:
    table = trueup("venues", "list", "--all")
    assert table.code == 0
    told = {row["exchange"]: row for row in trueup("venues", "list", "--all", "--json").json["exchanges"]}
    assert len(told) > 90
    assert all(name in table.out for name in told)
    assert {"binanceusdm", "bybit", "okx", "krakenfutures", "bitget", "kucoinfutures", "deribit"} <= told.keys()
    assert told["bybit"]["needs"] == ["key", "secret"]
    assert told["okx"]["needs"] == ["key", "secret", "password"]
    assert (told["bybit"]["transfers"], told["deribit"]["funding"]) == (True, False)
    assert any("Funding" in sentence for sentence in told["deribit"]["cannot"])
    assert all(row["cannot"] for row in told.values())


def test_an_account_has_to_be_set_up(trueup: Trueup, tmp_path: Path) -> None:
    config = tmp_path / "trueup.toml"
    config.write_text('[accounts."paper:one"]\nport = 1\n[accounts."paper:two"]\nport = 1\n')
    unknown = trueup("venues", "check", "three", "--config", config, "--json")
    assert (unknown.code, unknown.error["code"]) == (3, "bad_input")
    assert "paper:one, paper:two" in unknown.error["remedy"]
    several = trueup("import", "--venue", "paper", "--config", config, "--json")
    assert (several.code, "--account" in several.error["remedy"]) == (3, True)
    config.write_text("")
    assert "There are none" in trueup("venues", "check", "three", "--config", config, "--json").error["remedy"]


@pytest.mark.parametrize(
    "words",
    [
        ("import", STORY / "fills.json", "--account", "main"),
        ("import", STORY / "fills.json", "--venue", "hyperliquid"),
        ("import", STORY / "fills.json", "--account", "hyperliquid:main", "--since", "2026-01-01"),
        ("import", "--venue", "oanda", "--home-currency", "EUR"),
        ("reconcile", "--venue", "oanda", "--home-currency", "EUR"),
    ],
)
def test_options_that_mean_nothing_together_are_usage_errors(trueup: Trueup, words: tuple[str | Path, ...]) -> None:
    assert trueup(*words).code == 4


def test_files_may_say_the_venue_by_the_name_of_their_account(trueup: Trueup) -> None:
    found = sorted(STORY.glob("*.json"))
    assert trueup("import", *found, "--account", "hyperliquid:main").code == 0
