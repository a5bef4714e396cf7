"""``trueup backup`` and ``trueup restore``: a book that was lost comes back to the same hash, and nothing less."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import FX, MAIN, OANDA, STORY, Trueup, files, rows, written
from tests.cli.test_json import PAGE, keys
from trueup.cli import main as program


@pytest.fixture
def safe(tmp_path: Path) -> Path:
    return tmp_path / "safe"


def proof(trueup: Trueup) -> list[dict[str, Any]]:
    """What proves every ledger: its head above all."""
    found = trueup("journal", "verify", "--json")
    assert found.code == 0
    return [{name: ledger[name] for name in ("account", "head_seq", "head_hash")} for ledger in found.json["ledgers"]]


def backups(trueup: Trueup, safe: Path) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = trueup("backup", "list", "--from", safe, "--json").json
    return listed


def test_a_directory_that_was_deleted_comes_back_with_the_same_head_hashes_and_positions(
    story: Trueup, data: Path, safe: Path
) -> None:
    story("import", *files(OANDA / "story"), *FX)
    before, positions = proof(story), story("positions", "--json").json
    created = story("backup", "create", "--to", safe, "--json")
    assert created.code == 0
    heads = [{name: ledger[name] for name in before[0]} for ledger in created.json["ledgers"]]
    assert (created.json["new"], heads) == (True, before)
    shutil.rmtree(data)
    back = story("restore", "--from", safe, "--to", data, "--json")
    assert (back.code, back.json["lost"], back.json["losses"]) == (0, 0, [])
    assert [ledger["compared_at"] for ledger in back.json["ledgers"]] == [ledger["head_seq"] for ledger in before]
    assert proof(story) == before
    assert story("positions", "--json").json == positions
    assert story("import", *files(STORY), *MAIN, "--json").json["booked"] == 0


def test_a_backup_is_told_and_a_second_one_when_nothing_is_new(story: Trueup, safe: Path) -> None:
    told = story("backup", "create", "--to", safe)
    assert told.code == 0
    assert "hyperliquid:main" in told.out
    assert "33 new events in 1 blobs" in told.out
    assert "does not outlive that disk" in told.err
    again = story("backup", "create", "--to", safe)
    assert (again.code, "Nothing is new" in again.out) == (0, True)
    assert len(backups(story, safe)) == 1


def test_the_directory_may_come_from_the_environment(
    story: Trueup, safe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUEUP_BACKUP", str(safe))
    assert story("backup", "create").code == 0
    assert "no" in story("backup", "list").out
    assert story("backup", "verify").code == 0
    assert story("backup", "prune").code == 0
    assert story("doctor", "--json").code == 0


def test_without_any_directory_it_is_usage(story: Trueup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRUEUP_BACKUP", raising=False)
    for verb in (("backup", "create"), ("backup", "list"), ("backup", "verify"), ("backup", "prune"), ("restore",)):
        refused = story(*verb, "--json")
        assert (refused.code, refused.error["code"]) == (4, "usage")


def test_an_import_may_keep_a_backup_and_one_that_fails_does_not_stop_it(trueup: Trueup, safe: Path) -> None:
    assert trueup("import", *files(STORY), *MAIN, "--backup-to", safe).code == 0
    assert [backup["events"] for backup in backups(trueup, safe)][-1] == 33
    told = trueup("import", *files(OANDA / "story"), *FX, "--backup-to", safe / "no" / "disk", "--json")
    assert (told.code, told.json["booked"] > 0) == (0, True)
    assert "is the disk mounted" in json.loads(told.err)["note"]


def test_a_backup_within_the_data_directory_is_refused(story: Trueup, data: Path) -> None:
    refused = story("backup", "create", "--to", data / "backup", "--json")
    assert (refused.code, refused.error["field"]) == (3, "backup")
    refused = story("import", *files(STORY), *MAIN, "--backup-to", data / "backup", "--json")
    assert (refused.code, refused.error["field"]) == (3, "backup")


def test_without_a_book_there_is_nothing_to_back_up(trueup: Trueup, data: Path, safe: Path) -> None:
    assert trueup("backup", "create", "--to", safe, "--json").error["code"] == "not_found"
    assert not data.exists()
    assert not safe.exists()


def test_a_list_tells_what_is_proven_and_what_cannot_be_read(story: Trueup, safe: Path) -> None:
    story("backup", "create", "--to", safe)
    first = story("backup", "list", "--from", safe)
    assert (first.code, "33" in first.out) == (0, True)
    (backup,) = backups(story, safe)
    assert (backup["events"], backup["proven_at"], backup["problem"]) == (33, None, "")
    story("backup", "verify", "--from", safe)
    (backup,) = backups(story, safe)
    assert backup["proven_at"].endswith("Z")
    manifest = safe / "manifests" / f"{backup['backup']}.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"33", b"34", 1))
    found = story("backup", "list", "--from", safe)
    assert (found.code, "does not fit the hash" in found.out) == (1, True)


def test_an_empty_list_says_how_to_begin(story: Trueup, safe: Path) -> None:
    assert story("backup", "list", "--from", safe, "--json").error["code"] == "not_found"
    story("backup", "create", "--to", safe)
    shutil.rmtree(safe / "manifests")
    told = story("backup", "list", "--from", safe)
    assert (told.code, "trueup backup create" in told.out) == (0, True)


def test_verifying_restores_the_newest_and_says_what_is_wrong(story: Trueup, safe: Path, tmp_path: Path) -> None:
    story("backup", "create", "--to", safe)
    good = story("backup", "verify", "--from", safe, "--scratch", tmp_path)
    assert (good.code, "is proven" in good.out) == (0, True)
    (blob,) = safe.glob("ledgers/*/*.z")
    blob.write_bytes(blob.read_bytes()[:-1])
    bad = story("backup", "verify", "--from", safe, "--json")
    assert (bad.code, bad.json["proven"], bad.json["ledgers"]) == (1, False, [])
    assert blob.name in bad.json["problems"][0]
    told = story("backup", "verify", "--from", safe)
    assert (told.code, blob.name in told.out) == (1, True)
    assert story("backup", "verify", "2020", "--from", safe).code == 3
    refused = story("restore", "--from", safe, "--to", tmp_path / "again", "--json")
    assert (refused.code, refused.error["code"]) == (3, "backup_damaged")


def test_pruning_keeps_the_newest_and_the_newest_proven(story: Trueup, safe: Path, tmp_path: Path) -> None:
    story("backup", "create", "--to", safe)
    story("backup", "verify", "--from", safe)
    for number in range(3):
        fill = rows("user_fills.json")[0] | {"tid": 50_000 + number, "time": 1_772_452_800_000 + number}
        story("import", written(tmp_path / f"{number}.json", [fill]), STORY / "spot_meta.json", *MAIN)
        story("backup", "create", "--to", safe)
    names = [backup["backup"] for backup in backups(story, safe)]
    done = story("backup", "prune", "--from", safe, "--newest", "1", "--days", "0", "--months", "0", "--json")
    assert (done.code, done.json["deleted"]) == (0, names[1:-1])
    assert [backup["backup"] for backup in backups(story, safe)] == [names[0], names[-1]]
    assert "Kept 2 backups" in story("backup", "prune", "--from", safe).out


def test_a_ledger_that_does_not_continue_its_backup_is_told(story: Trueup, safe: Path, data: Path) -> None:
    story("backup", "create", "--to", safe)
    shutil.rmtree(data)
    story("import", *files(OANDA / "story"), *FX)
    told = story("backup", "create", "--to", safe)
    assert (told.code, "hyperliquid:main was not backed up" in told.out) == (1, True)
    assert [ledger["account"] for ledger in backups(story, safe)[-1]["ledgers"]] == ["hyperliquid:main", "oanda:fx"]


# --- restore ----------------------------------------------------------------------------------------------------------


def commits(trueup: Trueup) -> list[int]:
    """Where the commits of the account end, by the times at which its events were recorded."""
    lines = trueup("journal", "export", "--account", "main").lines
    return [
        line["seq"]
        for line, after in zip(lines, [*lines[1:], None], strict=True)
        if after is None or after["recorded_at"] != line["recorded_at"]
    ]


def test_a_restore_to_an_earlier_point_names_the_loss_and_needs_its_number(
    story: Trueup, safe: Path, tmp_path: Path
) -> None:
    story("backup", "create", "--to", safe)
    point, head = commits(story)[0], commits(story)[-1]
    to = tmp_path / "look"
    refused = story("restore", "--from", safe, "--to", to, "--seq", str(point), "--account", "main", "--json")
    assert (refused.code, refused.error["code"]) == (3, "events_would_be_lost")
    lost = head - point
    assert refused.error["message"].startswith(f"{lost} acknowledged events would be lost. hyperliquid:main: seq")
    assert "fill" in refused.error["message"]
    assert f"--accept-loss {lost}" in refused.error["remedy"]
    assert not to.exists()
    less = story("restore", "--from", safe, "--to", to, "--seq", str(point), "--accept-loss", str(lost - 1))
    assert less.code == 3
    back = story("restore", "--from", safe, "--to", to, "--seq", str(point), "--accept-loss", str(lost), "--json")
    assert (back.code, back.json["lost"], back.json["losses"][0]["count"]) == (0, lost, lost)
    assert back.json["losses"][0]["newest_venue_time"].endswith("Z")
    assert story("journal", "verify", "--data", to, "--json").json["ledgers"][0]["head_seq"] == point


def test_a_point_may_be_a_time_or_a_head_and_only_one_of_them(story: Trueup, safe: Path, tmp_path: Path) -> None:
    story("backup", "create", "--to", safe)
    lines = story("journal", "export").lines
    point = commits(story)[0]
    recorded_at = lines[point - 1]["recorded_at"]
    by_time = story(
        "restore", "--from", safe, "--to", tmp_path / "time", "--time", recorded_at, "--accept-loss", "99", "--json"
    )
    assert (by_time.code, by_time.json["ledgers"][0]["head_seq"]) == (0, point)
    digest = by_time.json["ledgers"][0]["head_hash"]
    by_head = story("restore", "--from", safe, "--to", tmp_path / "head", "--head", digest[:12], "--accept-loss", "99")
    assert (by_head.code, digest[:16] in by_head.out, "lost: hyperliquid:main" in by_head.out) == (0, True, True)
    for words in (("--seq", "1", "--head", digest), ("--time", recorded_at, "--seq", "1"), ("--account", "main")):
        refused = story("restore", "--from", safe, "--to", tmp_path / "x", *words, "--json")
        assert (refused.code, refused.error["code"]) == (4, "usage")
    refused = story("restore", "--from", safe, "--to", tmp_path / "x", "--time", "noon", "--json")
    assert (refused.code, refused.error["field"]) == (3, "time")


def test_a_live_or_full_directory_is_never_written_over(story: Trueup, safe: Path, data: Path) -> None:
    story("backup", "create", "--to", safe)
    before = proof(story)
    refused = story("restore", "--from", safe, "--to", data, "--json")
    assert (refused.code, refused.error["code"], refused.error["field"]) == (3, "bad_input", "to")
    assert proof(story) == before


def test_a_backup_directory_is_no_place_for_anything_else(
    story: Trueup, safe: Path, data: Path, tmp_path: Path
) -> None:
    story("backup", "create", "--to", safe)
    old = data.rename(tmp_path / "old")
    (tmp_path / "link").symlink_to(safe)
    for place in (safe / "data", tmp_path / "link" / "data", old / "data"):
        refused = story("restore", "--from", safe, "--to", place, "--replacing", old, "--json")
        assert (refused.code, refused.error["field"]) == (3, "to")
    refused = story("backup", "verify", "--from", safe, "--scratch", safe, "--json")
    assert (refused.code, refused.error["field"]) == (3, "scratch")
    assert story("backup", "list", "--from", safe).code == 0
    assert not (old / "data").exists()


def test_what_the_directory_given_up_knows_and_the_backup_lacks_is_named(
    story: Trueup, safe: Path, data: Path, tmp_path: Path
) -> None:
    story("backup", "create", "--to", safe)
    fill = rows("user_fills.json")[0] | {"tid": 50_000}
    story("import", written(tmp_path / "later.json", [fill]), STORY / "spot_meta.json", *MAIN)
    head = commits(story)[-1]
    old = data.rename(tmp_path / "old")
    words = ("restore", "--from", safe, "--to", data, "--replacing", old)
    refused = story(*words, "--json")
    assert (refused.code, refused.error["code"]) == (3, "events_would_be_lost")
    assert f"to {head} (" in refused.error["message"]
    lost = refused.error["message"].partition(" ")[0]
    assert story(*words, "--accept-loss", lost).code == 0
    assert proof(story)[0]["head_seq"] == head - int(lost)


def test_what_was_found_beside_the_manifests_is_noted(story: Trueup, safe: Path, data: Path) -> None:
    before = proof(story)
    story("backup", "create", "--to", safe)
    shutil.rmtree(safe / "manifests")
    shutil.rmtree(data)
    back = story("restore", "--from", safe, "--to", data, "--json")
    assert back.code == 0
    assert "no manifest lists" in json.loads(back.err)["note"]
    assert proof(story) == before


def test_help_teaches(trueup: Trueup) -> None:
    for words in (("backup", "create"), ("backup", "list"), ("backup", "verify"), ("backup", "prune"), ("restore",)):
        told = trueup(*words, "--help")
        assert told.code == 0
        assert "Example" in told.out
        assert "TRUEUP_BACKUP" in told.out
    assert program.main(["backup", "--help"]) == 0


def test_every_field_is_promised(story: Trueup, safe: Path, tmp_path: Path) -> None:
    promised = set(re.findall(r"`([a-z_]+)`", PAGE.read_text()))
    seq = str(commits(story)[0])
    for words in (
        ("backup", "create", "--to", safe),
        ("backup", "verify", "--from", safe),
        ("backup", "list", "--from", safe),
        ("backup", "prune", "--from", safe),
        ("restore", "--from", safe, "--to", tmp_path / "look", "--seq", seq, "--accept-loss", "99"),
    ):
        found = set(keys(story(*words, "--json").json))
        assert found
        assert found - {"fill", "fee", "funding", "transfer", "order"} <= promised


# --- doctor -----------------------------------------------------------------------------------------------------------


def test_the_doctor_looks_at_backups(story: Trueup, safe: Path) -> None:
    def check() -> dict[str, Any]:
        found = story("doctor", "--backup", safe, "--json")
        (one,) = [one for one in found.json["checks"] if one["name"] == "backup"]
        return dict(one)

    assert (check()["verdict"], "no backup directory" in check()["detail"]) == ("fail", True)
    story("backup", "create", "--to", safe)
    assert (check()["verdict"], "none is proven" in check()["detail"]) == ("warn", True)
    story("backup", "verify", "--from", safe)
    assert check()["verdict"] == "ok"
    (blob,) = safe.glob("ledgers/*/*.z")
    blob.unlink()
    assert (check()["verdict"], blob.name in check()["detail"]) == ("fail", True)
    shutil.rmtree(safe / "manifests")
    assert (check()["verdict"], check()["detail"]) == ("warn", "there is none yet")
