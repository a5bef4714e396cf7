"""``trueup doctor``: each finding has a verdict and a remedy, and the worst is the exit code."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cli.program import MAIN, STORY, Result, Trueup, rows, written
from trueup.bootstrap import open_storage, open_store
from trueup.engine import health
from trueup.engine.scrub import Scrub
from trueup.journal.embedded import EmbeddedStorage


def verdicts(result: Result) -> dict[str, Any]:
    return {check["name"]: check for check in result.json["checks"]}


def test_all_is_well(story: Trueup) -> None:
    found = story("doctor", "--json")
    assert (found.code, found.json["verdict"]) == (0, "ok")
    checks = verdicts(found)
    names = {"trueup", "python", "sqlite", "libraries", "directory", "disk", "space", "lock", "views", "snapshots"}
    assert names | {"quarantine", "chain of hyperliquid:main"} == set(checks)
    assert "ok" in story("doctor").out


def test_without_a_data_directory_it_says_so(trueup: Trueup) -> None:
    found = trueup("doctor", "--json")
    assert (found.code, verdicts(found)["directory"]["verdict"]) == (1, "warn")


def test_what_was_quarantined_waits_for_a_person(story: Trueup, tmp_path: Path) -> None:
    bad = [rows("user_fills.json")[0] | {"px": "1"}]
    story("import", written(tmp_path / "fills.json", bad), *MAIN)
    found = story("doctor", "--json")
    check = verdicts(found)["quarantine"]
    assert (found.code, check["verdict"], check["detail"]) == (1, "warn", "1 in hyperliquid:main")
    assert "--kind quarantined" in check["remedy"]


def test_a_directory_open_to_others_is_noticed(story: Trueup, data: Path) -> None:
    data.chmod(0o755)
    found = story("doctor", "--json")
    assert (found.code, verdicts(found)["directory"]["remedy"]) == (1, f"Run: chmod 700 {data}")


def test_a_directory_in_use_is_not_looked_into(story: Trueup, data: Path) -> None:
    storage = open_storage(data)
    try:
        found = story("doctor", "--json")
    finally:
        storage.close()
    check = verdicts(found)["lock"]
    assert (found.code, check["verdict"]) == (1, "warn")
    assert "in use by process" in check["detail"]


def test_a_directory_of_another_kind_is_refused(trueup: Trueup, data: Path) -> None:
    data.mkdir()
    (data / "thesis.txt").write_text("mine")
    assert trueup("doctor").code == 3


def test_a_snapshot_that_would_be_passed_over_is_named(story: Trueup, data: Path) -> None:
    (snapshot, *_) = sorted(data.glob("ledgers/*/*.snapshot"))
    snapshot.write_bytes(b"torn")
    found = story("doctor", "--json")
    assert (found.code, verdicts(found)["snapshots"]["verdict"]) == (1, "warn")


def test_damaged_views_are_a_failure_with_a_remedy(story: Trueup, data: Path) -> None:
    (data / "views.sqlite3").write_bytes(b"no database" * 1000)
    found = story("doctor", "--json")
    check = verdicts(found)["views"]
    assert (found.code, check["verdict"]) == (3, "fail")
    assert "views rebuild" in check["remedy"]


def test_a_full_disk_is_seen_coming(story: Trueup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FREE_BYTES_LOW", 1 << 62)
    assert verdicts(story("doctor", "--json"))["space"]["verdict"] == "warn"
    monkeypatch.setattr(health, "FREE_BYTES_MIN", 1 << 62)
    assert story("doctor").code == 3


def test_the_story_stays_as_it_is(story: Trueup) -> None:
    before = story("journal", "export").out
    story("doctor")
    assert story("journal", "export").out == before
    assert story("reconcile", *MAIN, "--snapshot", STORY / "clearinghouse_state.json").code == 0


def test_a_directory_in_use_says_what_its_store_last_proved(story: Trueup, data: Path) -> None:
    store = open_store(data)
    storage = store._storage
    assert isinstance(storage, EmbeddedStorage)
    store.ledger(store.accounts()[0])
    scrub = Scrub(store, store.clock.monotonic, storage.keep_proofs)
    scrub.whole_round()
    found = story("doctor", "--json")
    check = verdicts(found)["scrub"]
    assert (found.code, check["verdict"]) == (1, "ok")
    assert "pages, book, copy, log, rows: last proven 0 minutes ago" in check["detail"]
    storage.keep_proofs(msgspec.json.encode([msgspec.structs.replace(scrub.report()[1], problem="it is not whole")]))
    found = story("doctor", "--json")
    assert (found.code, verdicts(found)["scrub"]["detail"]) == (3, "book of hyperliquid:main: it is not whole")
    store.close()
