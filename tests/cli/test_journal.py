"""``trueup journal`` and ``views``: proving, showing, exporting; damage is found, named, and healed from a copy."""

import base64
import json
from pathlib import Path

import pytest

from tests.cli.program import FX, MAIN, OANDA, STORY, Trueup, files, head_of, rows, written

LEDGER = "ledgers/hyperliquid%3Amain"


def flip(path: Path, offset: int) -> None:
    """Turn over one bit, as a disk may."""
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def first_fill(data: Path) -> tuple[Path, int]:
    """Where the first fill's id stands in the log."""
    for path in sorted((data / LEDGER).iterdir()):
        offset = path.read_bytes().find(b"fill/1")
        if offset >= 0 and not path.name.endswith(".snapshot"):
            return path, offset
    raise AssertionError("no fill in the log")


def test_a_whole_journal_is_proved_with_its_views(story: Trueup) -> None:
    proof = story("journal", "verify", "--json")
    (ledger,) = proof.json["ledgers"]
    assert (proof.code, proof.json["ok"], ledger["ok"]) == (0, True, True)
    assert ledger["events"] == ledger["head_seq"] == ledger["views_seq"] == head_of(story)
    assert len(ledger["head_hash"]) == 64
    told = story("journal", "verify", "--account", "main")
    assert told.code == 0
    assert "hyperliquid:main" in told.out


def test_a_flipped_bit_in_the_log_is_found_named_and_healed_from_the_views(story: Trueup, data: Path) -> None:
    before = story("positions", "--json").json
    path, offset = first_fill(data)
    flip(path, offset)
    found = story("journal", "verify", "--json")
    assert found.code == 1
    assert path.name in found.json["ledgers"][0]["log"][0]
    told = story("journal", "verify")
    assert "trueup recover" in told.out
    assert story("doctor").code == 3
    mended = story("recover")
    assert mended.code == 0
    assert "mended: hyperliquid:main" in mended.out
    assert story("journal", "verify").code == 0
    assert story("positions", "--json").json == before


def test_a_log_damaged_without_any_copy_is_refused_and_the_other_account_still_works(story: Trueup, data: Path) -> None:
    story("import", *files(OANDA / "story"), *FX)
    path, offset = first_fill(data)
    flip(path, offset)
    for left in [*data.glob("views.sqlite3*"), *(data / LEDGER).glob("*.snapshot")]:
        left.unlink()
    refused = story("positions", "--account", "main", "--json")
    assert (refused.code, refused.error["code"]) == (3, "journal_damaged")
    assert "recover" in refused.error["remedy"]
    assert story("positions", "--account", "fx").code == 0
    assert story("recover").code == 1
    assert story("views", "rebuild").code == 3


def test_a_flipped_bit_in_the_views_is_found_and_the_views_are_made_anew(story: Trueup, data: Path) -> None:
    before = (story("positions", "--json").json, story("history", "BTC", "--json").json)
    for page in range(8):
        flip(data / "views.sqlite3", page * 4096 + 2000)
    assert story("journal", "verify").code == 1
    assert story("views", "rebuild").code == 0
    assert (data / "views.sqlite3.damaged").exists()
    assert story("journal", "verify").code == 0
    assert (story("positions", "--json").json, story("history", "BTC", "--json").json) == before


def test_views_that_cannot_be_opened_are_rebuilt_by_whoever_needs_them_and_it_is_said(
    story: Trueup, data: Path
) -> None:
    before = story("positions", "--json").json
    (data / "views.sqlite3").write_bytes(b"no database at all" * 1000)
    assert story("journal", "verify").code == 1
    told = story("positions", "--json")
    assert (told.code, told.json) == (0, before)
    assert "rebuilt" in json.loads(told.err)["note"]
    assert story("journal", "verify").code == 0


def test_views_that_say_something_else_than_the_log_are_found(story: Trueup, data: Path) -> None:
    import apsw

    from trueup.journal import sqlite

    db = sqlite.open_writer(data / "views.sqlite3")
    db.execute("UPDATE book_positions SET quantity = '7' WHERE quantity = '-0.03'")
    assert db.changes() == 1
    db.close()
    assert apsw.connections() == []
    found = story("journal", "verify", "--json")
    assert found.code == 1
    assert "BTC/USDC:USDC" in found.json["ledgers"][0]["views"][0]
    assert "trueup recover" in story("journal", "verify").out
    assert story("reconcile", *MAIN, "--snapshot", STORY / "clearinghouse_state.json").code == 1
    assert story("views", "rebuild", "--json").json == {
        "ledgers": [{"account": "hyperliquid:main", "seq": head_of(story)}]
    }
    assert story("journal", "verify").code == 0


def test_views_that_lack_the_newest_events_are_behind_and_not_wrong(story: Trueup, data: Path) -> None:
    for left in data.glob("views.sqlite3*"):
        left.unlink()
    told = story("journal", "verify")
    assert told.code == 0
    assert "opening it brings them up" in told.out


def test_rebuilding_nothing_is_fine(trueup: Trueup, tmp_path: Path) -> None:
    trueup("import", written(tmp_path / "strange.json", {"what": 1}), *MAIN)
    assert "nothing" in trueup("views", "rebuild").out
    assert trueup("journal", "verify").code == 0


def test_events_are_shown_newest_first_asked_or_from_a_seq_on(story: Trueup) -> None:
    head = head_of(story)
    newest = [line["seq"] for line in story("journal", "show", "--limit", "3", "--json").lines]
    assert newest == [head - 2, head - 1, head]
    after = [line["seq"] for line in story("journal", "show", "--after", "5", "--limit", "3", "--json").lines]
    assert after == [6, 7, 8]
    fills = story("journal", "show", "--kind", "fill,funding", "--limit", "100", "--json").lines
    assert len(fills) == 16
    assert {line["kind"] for line in fills} == {"fill", "funding"}
    told = story("journal", "show", "--kind", "fill", "--limit", "1").out
    assert "venue_trade_id=" in told


def test_instruments_are_shown_by_their_terms(story: Trueup) -> None:
    assert "symbol=BTC/USDC:USDC" in story("journal", "show", "--kind", "instrument").out


def test_a_kind_that_does_not_exist_is_usage(story: Trueup) -> None:
    refused = story("journal", "show", "--kind", "fills", "--json")
    assert (refused.code, refused.error["code"]) == (4, "usage")
    assert "fill" in refused.error["message"]


def test_an_export_has_every_event_with_its_fields(story: Trueup, tmp_path: Path) -> None:
    fills = rows("user_fills.json")
    fills[1]["px"] = "0.26"
    bad = written(tmp_path / "fills.json", [*fills, "\u001b[31mno row"])
    story("import", bad, STORY / "spot_meta.json", *MAIN)
    lines = story("journal", "export").lines
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert len(lines) == head_of(story)
    fill = next(line for line in lines if line["kind"] == "fill" and line["fields"]["venue_trade_id"] == "9001")
    assert (fill["account"], fill["fields"]["price"], fill["fields"]["quantity"]) == (
        "hyperliquid:main",
        "60000",
        "0.05",
    )
    assert fill["fields"]["venue_time"] == "2026-03-02T10:10:00Z"
    assert fill["recorded_at"].endswith("Z")
    conflict, row = (line["fields"] for line in lines if line["kind"] == "quarantined")
    assert conflict["offered_as"]["fields"]["price"] == "0.26"
    assert json.loads(row["offered_as"]) == "\u001b[31mno row"
    assert base64.b64decode(row["offered"]) == row["offered_as"].encode()
    assert "\u001b" not in story("journal", "show", "--kind", "quarantined").out


@pytest.mark.parametrize(
    "verb", [("journal", "verify"), ("journal", "export"), ("journal", "show"), ("views", "rebuild")]
)
def test_without_a_data_directory_there_is_nothing_to_prove(trueup: Trueup, data: Path, verb: tuple[str, str]) -> None:
    assert trueup(*verb).code == 3
    assert not data.exists()
