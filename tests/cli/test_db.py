"""The program on a database: every verb as on a directory, and the verbs that are a database's own."""

from pathlib import Path

import pytest

from tests.cli.program import MAIN, STORY, Trueup, files
from tests.postgresql import ask


@pytest.fixture
def on_database(trueup: Trueup, postgres: str, monkeypatch: pytest.MonkeyPatch) -> Trueup:
    """The program on an empty database, named by the environment."""
    monkeypatch.delenv("TRUEUP_DATA")
    monkeypatch.setenv("TRUEUP_STORE", postgres)
    return trueup


@pytest.fixture
def told(on_database: Trueup) -> Trueup:
    """After it imported the story."""
    assert on_database("import", *files(STORY), *MAIN).code == 0
    return on_database


def test_every_verb_answers_as_on_a_directory(told: Trueup, tmp_path: Path) -> None:
    directory = ("--data", str(tmp_path / "files"))
    assert told("import", *files(STORY), *MAIN, *directory).code == 0
    for words in (["positions"], ["balances"], ["history", "BTC"], ["explain", "ETH"]):
        there, here = told(*words, "--json", *directory), told(*words, "--json")
        assert (here.code, _timeless(here.json)) == (there.code, _timeless(there.json))
    state = STORY / "clearinghouse_state.json"
    reconcile = ("reconcile", *MAIN, "--snapshot", str(state), "--json")
    assert told(*reconcile).code == told(*reconcile, *directory).code


def _timeless(answer: object) -> object:
    """Without what depends on when it was recorded."""
    if isinstance(answer, dict):
        return {name: _timeless(value) for name, value in answer.items() if name != "recorded_at"}
    return [_timeless(one) for one in answer] if isinstance(answer, list) else answer


def test_the_journal_is_proved_shown_and_exported_and_the_views_rebuilt(told: Trueup) -> None:
    (ledger,) = told("journal", "verify", "--json").json["ledgers"]
    assert (ledger["ok"], ledger["views_seq"]) == (True, ledger["head_seq"])
    assert len(told("journal", "export").lines) == ledger["head_seq"]
    assert told("journal", "show", "--limit", "1", "--json").lines[0]["seq"] == ledger["head_seq"]
    assert told("views", "rebuild", "--json").json["ledgers"][0]["seq"] == ledger["head_seq"]
    assert told("journal", "verify").code == 0


def test_the_doctor_looks_at_server_settings_and_schema(told: Trueup) -> None:
    answer = told("doctor", "--json").json
    checks = {check["name"]: check for check in answer["checks"]}
    assert answer["verdict"] == "ok"
    assert "fsync on" in checks["server"]["detail"]
    assert "lock" not in checks


def test_the_doctor_of_an_empty_database_says_so(trueup: Trueup, empty_schema: str) -> None:
    answer = trueup("doctor", "--json", "--data", empty_schema)
    assert (answer.code, answer.json["checks"][-1]["name"]) == (1, "database")


def test_the_doctor_of_one_that_cannot_be_used_fails(on_database: Trueup, postgres: str) -> None:
    answer = on_database("doctor", "--json", "--data", f"{postgres}&synchronous_commit=off")
    assert answer.code == 3
    assert "synchronous_commit = off" in answer.json["checks"][-1]["detail"]


def test_damage_is_found_and_named(told: Trueup, postgres: str) -> None:
    ask(postgres, "SET session_replication_role = replica", "UPDATE frames SET synced = 1 WHERE first = 1")
    proof = told("journal", "verify", "--json")
    assert proof.code == 1
    assert "frame 1 (events 1 to" in proof.json["ledgers"][0]["log"][0]


def test_status_shows_how_it_stands(told: Trueup) -> None:
    status = told("db", "status", "--json").json
    assert status["settings"] == {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
    assert (status["pending"], status["guards_off"]) == ([], [])
    (ledger,) = status["ledgers"]
    assert (ledger["account"], ledger["epoch"], ledger["seq"]) == ("hyperliquid:main", 1, ledger["viewed"])
    shown = told("db", "status")
    assert shown.code == 0
    assert ledger["head_hash"][:16] in shown.out
    assert "trueup reader" in shown.out


def test_status_tells_when_the_guards_are_off(told: Trueup, postgres: str) -> None:
    ask(postgres, "ALTER TABLE frames DISABLE TRIGGER frames_are_a_chain")
    try:
        shown = told("db", "status")
    finally:
        ask(postgres, "ALTER TABLE frames ENABLE TRIGGER frames_are_a_chain")
    assert shown.code == 1
    assert "frames_are_a_chain" in shown.out


def test_upgrade_makes_the_schema_of_an_empty_database(trueup: Trueup, empty_schema: str) -> None:
    words = ("db", "upgrade", "--data", empty_schema)
    assert trueup("db", "status", "--data", empty_schema, "--json").code == 1
    assert "ran 0001_initial.sql" in trueup(*words).out
    assert "up to date" in trueup(*words).out
    assert trueup(*words, "--json").json == {"ran": [], "backup": None}


@pytest.fixture
def outdated(on_database: Trueup, empty_schema: str, monkeypatch: pytest.MonkeyPatch) -> Trueup:
    """The program, newer than the database that it is to work with."""
    from trueup.journal.migration import Migration
    from trueup.journal.postgres import migrations

    monkeypatch.setenv("TRUEUP_STORE", empty_schema)
    assert on_database("import", *files(STORY), *MAIN).code == 0
    known = migrations.migrations()
    later = Migration(len(known) + 1, "9999_later.sql", "CREATE TABLE later (x integer)")
    monkeypatch.setattr(migrations, "migrations", lambda: [*known, later])
    return on_database


def test_an_upgrade_asks_for_a_backup_first_and_takes_it(outdated: Trueup, tmp_path: Path) -> None:
    assert outdated("positions", "--json").error["code"] == "schema_outdated"
    asked = outdated("db", "upgrade", "--json")
    assert (asked.code, asked.error["field"]) == (3, "backup-to")
    done = outdated("db", "upgrade", "--backup-to", tmp_path / "backup", "--json").json
    assert done["ran"] == ["9999_later.sql"]
    (backup,) = outdated("backup", "list", "--from", tmp_path / "backup", "--json").json
    assert backup["backup"] == done["backup"]
    assert outdated("positions").code == 0


def test_an_upgrade_goes_without_one_when_told_so(outdated: Trueup) -> None:
    done = outdated("db", "upgrade", "--no-backup")
    assert (done.code, "ran 9999_later.sql" in done.out) == (0, True)


def test_what_is_no_database_is_refused(trueup: Trueup, data: Path) -> None:
    refused = trueup("db", "status", "--json")
    assert (refused.code, refused.error["field"]) == (3, "data")


def test_a_wrong_address_is_refused_without_its_password(trueup: Trueup) -> None:
    refused = trueup("positions", "--data", "postgresql://user:hunter2@host", "--json")
    assert refused.code == 3
    assert "names no database" in refused.error["message"]
    assert "hunter2" not in refused.err
