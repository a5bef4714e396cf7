"""``trueup settings``, and that other verbs go by what is set."""

import json
from pathlib import Path

import pytest

from tests.cli.program import MAIN, STORY, Trueup, files
from trueup.cli.options import ExitCode

KEY = "0x" + "5ec2e7" * 10 + "beef"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRUEUP_STORE", raising=False)
    monkeypatch.delenv("TRUEUP_CONFIG", raising=False)


def test_what_is_in_force_is_shown_with_where_it_comes_from(
    trueup: Trueup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trueup.toml").write_text('[accounts."paper:a"]\nport = 4000\nstage = "trade"\n')
    monkeypatch.setenv("HL_ALLOCATION", "0.5")
    told = trueup("settings")
    assert told.code == ExitCode.FINE
    rows = {row[0]: row[1:] for row in (line.split() for line in told.out.splitlines())}
    assert rows["SETTING"] == ["VALUE", "FROM"]
    assert rows["accounts.paper:a.stage"] == ["trade", "trueup.toml:3"]
    assert rows["accounts.paper:a.venue"] == ["paper", "default"]
    assert rows["allocation.hyperliquid"] == ["0.5", "HL_ALLOCATION"]
    assert rows["allocation.coinbase"] == ["0.20", "default"]
    assert rows["backup"] == ["-", "default"]


def test_as_json_each_setting_has_key_value_and_source(trueup: Trueup, tmp_path: Path) -> None:
    config = tmp_path / "other.toml"
    config.write_text('[accounts."hyperliquid:a"]\naddress = "0x' + "ab" * 20 + '"\ndexes = ["", "xyz"]\n')
    rows = {row["key"]: row for row in json.loads(trueup("settings", "--config", config, "--json").out)["settings"]}
    assert rows["accounts.hyperliquid:a.dexes"]["value"] == ["", "xyz"]
    assert rows["accounts.hyperliquid:a.dexes"]["source"] == f"{config}:3"
    assert rows["accounts.hyperliquid:a.vault"] == {
        "key": "accounts.hyperliquid:a.vault",
        "value": False,
        "source": "default",
    }
    assert rows["liquidation_threshold"]["value"] == "5"


def test_all_mistakes_are_shown_with_exit_code_2_and_no_secret(
    trueup: Trueup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "wrong.toml"
    config.write_text(f'stor = "x"\n[accounts."oanda:a"]\ntoken = "{KEY}"\n')
    monkeypatch.setenv("TRUEUP_CONFIG", str(config))
    told = trueup("settings")
    assert told.code == ExitCode.UNKNOWN
    assert "Did you mean store?" in told.out
    assert "account_id is missing" in told.out
    assert KEY not in told.out + told.err
    mistakes = json.loads(trueup("settings", "--json").out)["mistakes"]
    assert [(mistake["where"], mistake["key"]) for mistake in mistakes] == [
        (f"{config}:1", "stor"),
        (f"{config}:2", "accounts.oanda:a"),
        (f"{config}:3", "accounts.oanda:a.token"),
    ]
    assert all(mistake["problem"] and mistake["remedy"] for mistake in mistakes)


def test_a_verb_finds_the_store_where_the_file_says_it_is(
    trueup: Trueup, story: Trueup, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRUEUP_DATA")
    (tmp_path / "trueup.toml").write_text(f'store = "{data.name}"\n')
    assert "BTC" in story("positions").out
    (tmp_path / "trueup.toml").write_text('store = "nowhere"\n')
    assert str(tmp_path / "nowhere") in trueup("positions").err
    assert "BTC" in trueup("positions", "--data", data).out
    monkeypatch.setenv("TRUEUP_STORE", str(data))
    assert "BTC" in trueup("positions").out


def test_a_store_may_be_named_by_a_secret(
    story: Trueup, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRUEUP_DATA")
    (tmp_path / "trueup.toml").write_text('store = "env:WHERE"\n')
    monkeypatch.setenv("WHERE", str(data))
    assert "BTC" in story("positions").out


def test_a_verb_that_needs_settings_with_mistakes_tells_them_and_does_nothing(
    trueup: Trueup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRUEUP_DATA")
    (tmp_path / "trueup.toml").write_text('stor = "x"\n')
    told = trueup("positions")
    assert told.code == ExitCode.ERROR
    assert "trueup.toml:1: stor: not a setting. Did you mean store?" in told.err


def test_backups_go_where_the_file_says(trueup: Trueup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRUEUP_BACKUP", raising=False)
    (tmp_path / "trueup.toml").write_text('backup = "safe"\n')
    assert trueup("import", *files(STORY), *MAIN).code == 0
    assert json.loads(trueup("backup", "list", "--json").out)
    assert "backup" in trueup("doctor").out
    assert trueup("backup", "create", "--to", tmp_path / "other").code == 0
    assert (tmp_path / "other").exists()
    (tmp_path / "trueup.toml").unlink()
    assert trueup("backup", "create").code == ExitCode.USAGE


def test_help_teaches_by_example(trueup: Trueup) -> None:
    told = trueup("settings", "--help")
    assert told.code == 0
    assert "trueup settings --config /etc/trueup/trueup.toml" in told.out
    assert "TRUEUP_CONFIG" in told.out
