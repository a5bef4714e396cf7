"""``trueup recover``: heals what a copy can heal, says what it did, and what is left."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.program import FX, MAIN, OANDA, STORY, Trueup, files, rows, written
from tests.damage.harms import frames_in
from trueup.journal.frame import HEADER_BYTES
from trueup.journal.segment_file import BLOCK, segment_path
from trueup.journal.sqlite import open_writer

LEDGER = "hyperliquid%3Amain"


def log_of(data: Path) -> Path:
    return data / "ledgers" / LEDGER


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def head_of(story: Trueup) -> str:
    head: str = story("journal", "verify", "--json").json["ledgers"][0]["head_hash"]
    return head


def test_a_whole_directory_is_left_as_it_is(story: Trueup) -> None:
    told = story("recover", "--json").json
    assert (told["ok"], told["changed"], told["done"], told["remaining"]) == (True, False, [], [])
    assert story("recover").code == 0
    assert "Everything is whole" in story("recover", "--check").out


def test_check_says_what_is_damaged_and_changes_nothing(story: Trueup, data: Path) -> None:
    flip(segment_path(log_of(data), 1), BLOCK + 300)
    before = segment_path(log_of(data), 1).read_bytes()
    told = story("recover", "--check", "--json")
    assert (told.code, told.json["ok"], told.json["changed"]) == (1, False, False)
    assert "00000001.seg" in told.json["ledgers"][0]["log"][0]
    assert segment_path(log_of(data), 1).read_bytes() == before
    assert story("recover", "--check").code == 1


def test_log_views_snapshots_head_and_format_are_all_mended_in_one_go(story: Trueup, data: Path) -> None:
    head, positions = head_of(story), story("positions", "--json").json
    flip(segment_path(log_of(data), 1), BLOCK + 300)
    snapshot = max(log_of(data).glob("*.snapshot"))
    for victim in (snapshot, data / "heads" / LEDGER, data / "format"):
        flip(victim, 20)
    assert story("positions").code == 3
    told = story("recover")
    assert told.code == 0
    for what in ("written back", "snapshot", "saved head", "format"):
        assert what in told.out
    assert head_of(story) == head
    assert story("positions", "--json").json == positions
    assert story("doctor").code == 0


def test_a_log_and_a_database_that_nobody_can_open_heal_from_the_pages_of_the_latter(story: Trueup, data: Path) -> None:
    head, positions = head_of(story), story("positions", "--json").json
    shutil.rmtree(log_of(data))
    views = data / "views.sqlite3"
    views.write_bytes(bytes(4096) + views.read_bytes()[4096:])
    refused = story("positions", "--json")
    assert (refused.code, refused.error["code"]) == (3, "journal_damaged")
    assert story("positions").code == 3  # and the last copy is still there
    assert (data / "views.sqlite3.last-copy-1").exists()
    assert story("recover").code == 0
    assert head_of(story) == head
    assert story("positions", "--json").json == positions


def test_what_the_views_do_not_hold_comes_from_a_backup(story: Trueup, data: Path, tmp_path: Path) -> None:
    head = head_of(story)
    assert story("backup", "create", "--to", tmp_path / "backup").code == 0
    for lost in (log_of(data), *data.glob("views.sqlite3*")):
        shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    left = story("recover")
    assert left.code == 1
    assert "--from-backup" in left.out
    assert story("recover", "--from-backup", tmp_path / "backup").code == 0
    assert head_of(story) == head


@pytest.mark.parametrize("lie", ["UPDATE frames SET body = zeroblob(9)", "UPDATE frames SET hash = zeroblob(32)"])
def test_views_whose_frames_prove_nothing_do_not_stand_before_a_backup(
    story: Trueup, data: Path, tmp_path: Path, lie: str
) -> None:
    head = head_of(story)
    assert story("backup", "create", "--to", tmp_path / "backup").code == 0
    flip(segment_path(log_of(data), 1), BLOCK + 300)
    with closing(open_writer(data / "views.sqlite3")) as database:
        database.execute(lie)
    assert story("recover", "--from-backup", tmp_path / "backup").code == 0
    assert head_of(story) == head


def test_views_of_another_history_do_not_stand_before_a_backup(story: Trueup, data: Path, tmp_path: Path) -> None:
    other = shutil.copytree(data, tmp_path / "other")
    first = rows("user_fills.json")[0]
    for number, place in enumerate((data, other)):
        answer = written(tmp_path / f"{number}.json", [first | {"tid": 50_000 + number}])
        assert story("import", answer, STORY / "spot_meta.json", *MAIN, "--data", place).code == 0
    head = head_of(story)
    assert story("backup", "create", "--to", tmp_path / "backup").code == 0
    shutil.copy(other / "views.sqlite3", data)
    log = segment_path(log_of(data), 1)
    flip(log, max(at for at, _ in frames_in(log)) + HEADER_BYTES + 5)
    assert story("recover").code == 1
    assert story("recover", "--from-backup", tmp_path / "backup").code == 0
    assert head_of(story) == head


def test_a_tail_that_is_cut_everywhere_alike_is_missed_with_a_backup(story: Trueup, data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "earlier")
    assert story("import", *files(OANDA / "story"), *FX).code == 0
    head = head_of(story)
    assert story("backup", "create", "--to", tmp_path / "backup").code == 0
    shutil.rmtree(data)
    shutil.copytree(tmp_path / "earlier", data)
    assert story("recover", "--check").code == 0  # nothing in it tells
    told = story("recover", "--check", "--from-backup", tmp_path / "backup", "--json")
    assert told.code == 1
    assert "oanda:fx" in told.json["remaining"][0]
    assert story("recover", "--from-backup", tmp_path / "backup").code == 0
    assert head_of(story) == head


def test_a_backup_whose_manifests_are_all_gone_still_heals(story: Trueup, data: Path, tmp_path: Path) -> None:
    head, safe = head_of(story), tmp_path / "safe"
    story("backup", "create", "--to", safe)
    for manifest in (safe / "manifests").iterdir():
        manifest.write_bytes(b"rot")
    shutil.rmtree(data / "ledgers")
    for left in data.glob("views*"):
        left.unlink()
    told = story("recover", "--from-backup", safe)
    assert told.code == 0
    assert "no manifest lists" in told.err
    assert head_of(story) == head


def test_a_backup_of_another_history_is_told_and_nothing_is_taken_from_it(
    story: Trueup, data: Path, tmp_path: Path
) -> None:
    safe = tmp_path / "safe"
    story("backup", "create", "--to", safe)
    shutil.rmtree(data)
    inside = story("restore", "--from", safe, "--to", data, "--seq", "1", "--json")
    first = inside.error["remedy"].split()[-1].strip(".")  # where the commit ends that this seq is in
    assert story("restore", "--from", safe, "--to", data, "--seq", first, "--accept-loss", "99").code == 0
    fill = rows("user_fills.json")[0] | {"tid": 50_000}
    story("import", written(tmp_path / "later.json", [fill]), STORY / "spot_meta.json", *MAIN)
    head = head_of(story)
    for words in (("recover", "--check"), ("recover",)):
        told = story(*words, "--from-backup", safe, "--json")
        assert (told.code, told.json["done"]) == (1, [])
        assert "another history" in told.json["remaining"][0]
    assert head_of(story) == head


def test_swapped_segments_are_put_back(story: Trueup, data: Path) -> None:
    story("import", *files(OANDA / "story"), *FX)
    one, other = segment_path(log_of(data), 1), segment_path(data / "ledgers" / "oanda%3Afx", 1)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    assert story("positions").code == 3
    told = story("recover")
    assert told.code == 0
    assert "moved there" in told.out
    assert story("positions").code == 0


@pytest.mark.parametrize("words", [("--from-backup", "nowhere"), ("--data", "nowhere")])
def test_what_is_not_there_is_said(story: Trueup, tmp_path: Path, words: tuple[str, str]) -> None:
    refused = story("recover", words[0], tmp_path / words[1], "--json")
    assert (refused.code, refused.error["code"]) == (3, "not_found")


def test_a_directory_that_nothing_proves_to_be_ours_is_left_alone(story: Trueup, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("dear")
    assert story("recover", "--data", tmp_path / "letters").code == 3
    assert not (tmp_path / "letters" / "format").exists()
