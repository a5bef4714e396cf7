"""``trueup reconcile``: memory, database and venue side by side, and the answer in the exit code."""

import json
from pathlib import Path

import pytest

from tests.cli.program import BROKEN, BROKER, FX, GENERIC, MAIN, OANDA, STORY, Trueup, files, head_of, rows, written

STATES = [STORY / name for name in ("clearinghouse_state.json", "spot_clearinghouse_state.json", "open_orders.json")]


def broken(trueup: Trueup) -> Trueup:
    """The program after it imported the morning without fill 9102."""
    good = [path for path in files(STORY) if path.name != "user_fills.json" and path not in STATES]
    assert trueup("import", *good, BROKEN / "user_fills.json", *MAIN).code == 0
    return trueup


def test_a_story_that_agrees_is_synced_on_all_three_sides(story: Trueup) -> None:
    before = head_of(story)
    found = story("reconcile", *MAIN, "--snapshot", *STATES, STORY / "meta.json", "--json")
    assert (found.code, found.json["status"], found.json["differences"]) == (0, "SYNCED", [])
    sides = {row["subject"]: (row["memory"], row["database"], row["venue"]) for row in found.json["rows"]}
    assert sides["BTC/USDC:USDC net"] == ("-0.03", "-0.03", "-0.03")
    assert sides["USDC"] == ("7217.797963",) * 3
    assert sides["PURR@spot"] == ("599.65",) * 3
    assert "7107" in sides
    assert found.json["cut"] == "2026-03-02T12:05:00Z"
    assert found.json["memory_seq"] == found.json["database_seq"] == before
    assert story("reconcile", *MAIN, "--snapshot", *STATES, STORY / "meta.json").code == 0
    assert head_of(story) == before + 1, "the outcome is on record once"


def test_a_missing_fill_is_drift_and_its_trade_id_is_named(trueup: Trueup) -> None:
    program = broken(trueup)
    files_given = (BROKEN / "clearinghouse_state.json", BROKEN / "user_fills_by_time.json")
    found = program("reconcile", *MAIN, "--snapshot", *files_given, "--json")
    assert (found.code, found.json["status"]) == (1, "DRIFT")
    quantity = next(difference for difference in found.json["differences"] if difference["kind"] == "QTY")
    assert (quantity["ours"], quantity["theirs"], quantity["difference"]) == ("-1.25", "-0.75", "0.5")
    assert quantity["evidence"] == ["9102"]
    assert quantity["severity"] == "CRITICAL"
    assert [(fact["kind"], fact["id"]) for fact in found.json["missing"]] == [("fill", "9102")]
    kinds = [line["kind"] for line in program("journal", "show", "--limit", "2", "--json").lines]
    assert kinds == ["source", "compared"], "no fact was booked"
    told = program("reconcile", *MAIN, "--snapshot", *files_given)
    assert "9102" in told.out
    assert "DRIFT" in told.out.splitlines()[-1]


def test_drift_is_found_without_evidence_as_well(trueup: Trueup) -> None:
    found = broken(trueup)("reconcile", *MAIN, "--snapshot", BROKEN / "clearinghouse_state.json", "--json")
    assert (found.code, found.json["missing"]) == (1, [])
    assert {difference["kind"] for difference in found.json["differences"]} == {"QTY", "CASH"}


def test_what_was_missing_can_be_imported_and_then_all_agrees(trueup: Trueup) -> None:
    program = broken(trueup)
    assert program("import", BROKEN / "user_fills_by_time.json", *MAIN).code == 0
    assert program("reconcile", *MAIN, "--snapshot", *STATES).code == 0


def test_oanda_agrees_and_does_not_when_a_transaction_is_missing(trueup: Trueup) -> None:
    story = OANDA / "story"
    trueup("import", *files(story), *FX)
    states = [story / name for name in ("account.json", "open_positions.json", "pending_orders.json")]
    assert trueup("reconcile", *FX, "--snapshot", *states).code == 0
    other = ("--venue", "oanda", "--account", "other")
    trueup("import", *files(OANDA / "broken"), *other)
    state = OANDA / "broken/account.json"
    found = trueup("reconcile", *other, "--snapshot", state, story / "transactions.json", "--json")
    assert found.code == 1
    evidence = {id_ for difference in found.json["differences"] for id_ in difference["evidence"]}
    assert evidence == {"13"}


def test_the_generic_format_agrees_and_does_not_when_a_fill_is_missing(trueup: Trueup) -> None:
    story = GENERIC / "story"
    instruments = ("--instruments", story / "instruments.json")
    trueup("import", story / "facts.csv", *instruments, *BROKER)
    assert trueup("reconcile", *BROKER, "--snapshot", story / "snapshot.json").code == 0
    other = ("--venue", "generic", "--account", "other")
    trueup("import", GENERIC / "broken/facts.csv", *instruments, *other)
    found = trueup("reconcile", *other, "--snapshot", story / "snapshot.json", story / "facts.csv", "--json")
    assert (found.code, [fact["id"] for fact in found.json["missing"]]) == (1, ["h3"])


def test_a_state_that_cannot_be_read_is_unknown_and_never_flat(story: Trueup, tmp_path: Path) -> None:
    state = json.loads(STATES[0].read_text())
    state["assetPositions"][0]["position"]["szi"] = "Infinity"
    found = story("reconcile", *MAIN, "--snapshot", written(tmp_path / "state.json", state), "--json")
    assert (found.code, found.json["status"]) == (2, "FAILED")
    assert found.json["refused"][0]["field"] == "szi"
    assert not [difference for difference in found.json["differences"] if difference["kind"] == "MISSING_THEIRS"]


@pytest.mark.parametrize("content", ['{"assetPositions": 3}', "no JSON", ""])
def test_a_file_that_is_no_answer_is_unknown(story: Trueup, tmp_path: Path, content: str) -> None:
    found = story("reconcile", *MAIN, "--snapshot", written(tmp_path / "state.json", content), "--json")
    assert (found.code, found.json["status"]) == (2, "FAILED")
    told = story("reconcile", *MAIN, "--snapshot", tmp_path / "state.json")
    assert "state.json" in told.out


def test_fills_alone_compare_nothing(story: Trueup) -> None:
    assert story("reconcile", *MAIN, "--snapshot", STORY / "user_fills.json").code == 2


def test_an_old_state_of_a_quiet_account_agrees_and_one_from_before_a_booked_fact_cannot_speak(
    story: Trueup, tmp_path: Path
) -> None:
    state = json.loads(STATES[0].read_text())
    state["time"] = 1772452800000 + 1_000  # a second after the newest fact: months ago, and as good as new
    assert story("reconcile", *MAIN, "--snapshot", written(tmp_path / "state.json", state)).code == 0
    state["time"] = 1772452800000 - 61_000
    found = story("reconcile", *MAIN, "--snapshot", written(tmp_path / "state.json", state), "--json")
    assert (found.code, [difference["kind"] for difference in found.json["differences"]]) == (2, ["STALE_SOURCE"])


def test_an_order_of_the_venue_that_the_book_lacks_is_drift(trueup: Trueup) -> None:
    trueup("import", STORY / "user_fills.json", STORY / "spot_meta.json", *MAIN)
    found = trueup("reconcile", *MAIN, "--snapshot", STORY / "open_orders.json", "--json")
    assert found.code == 1
    assert {difference["kind"] for difference in found.json["differences"]} == {"ORPHAN_ORDER"}
    assert "positions" in found.json["not_compared"]


def test_a_fill_after_the_cut_is_no_evidence_for_what_the_state_shows(trueup: Trueup, tmp_path: Path) -> None:
    program = broken(trueup)
    late = [row | {"time": 1772453400000} for row in rows("user_fills.json") if row["tid"] == 9102]
    fills = written(tmp_path / "late.json", late)
    found = program("reconcile", *MAIN, "--snapshot", BROKEN / "clearinghouse_state.json", fills, "--json")
    assert [difference["evidence"] for difference in found.json["differences"]] == [[], []]
    assert "9102" in [fact["id"] for fact in found.json["missing"]]


def test_an_account_that_is_not_there_is_an_error(story: Trueup) -> None:
    wrong = ("--venue", "hyperliquid", "--account", "nobody")
    found = story("reconcile", *wrong, "--snapshot", STATES[0], "--json")
    assert (found.code, found.error["code"]) == (3, "not_found")
    assert "hyperliquid:main" in found.error["remedy"]


def test_a_key_that_the_venue_was_not_asked_about_is_not_synced(story: Trueup) -> None:
    found = story("reconcile", *MAIN, "--snapshot", STATES[0], "--json")
    statuses = {row["subject"]: row["status"] for row in found.json["rows"]}
    assert (found.code, found.json["status"]) == (0, "SYNCED")
    assert {subject: status for subject, status in statuses.items() if status != "SYNCED"} == dict.fromkeys(
        ("PURR/USDC net", "PURR@spot", "USDC@spot", "7008", "7107"), "NOT_COMPARED"
    )
    assert {"open_orders", "balance of PURR@spot"} <= set(found.json["not_compared"])
    closing = story("reconcile", *MAIN, "--snapshot", STATES[0]).out.splitlines()[-1]
    assert "not compared: open orders; " in closing
    assert "balance of PURR@spot, USDC@spot" in closing
    nothing = story("reconcile", *MAIN, "--snapshot", STORY / "user_fills.json", "--json").json
    assert (nothing["status"], {row["status"] for row in nothing["rows"]}) == ("FAILED", {"NOT_COMPARED"})


def test_a_leverage_that_the_book_does_not_know_is_not_compared(story: Trueup) -> None:
    found = story("reconcile", *MAIN, "--snapshot", STATES[0], "--json")
    assert {"leverage of BTC/USDC:USDC net", "margin mode of ETH/USDC:USDC net"} <= set(found.json["not_compared"])


def test_a_state_that_does_not_say_its_age_is_told(story: Trueup) -> None:
    found = story("reconcile", *MAIN, "--snapshot", STATES[1], "--json")
    assert found.json["notes"] == ["spot_clearinghouse_state.json: age unknown: it does not say when it was true"]
    assert "age of the snapshot" in found.json["not_compared"]
    assert found.code == 0


def test_a_state_from_the_future_is_no_state_of_the_present(story: Trueup, tmp_path: Path) -> None:
    state = json.loads(STATES[0].read_text()) | {"time": 4_070_908_800_000}  # the year 2099
    found = story("reconcile", *MAIN, "--snapshot", written(tmp_path / "state.json", state), "--json")
    assert (found.code, [difference["kind"] for difference in found.json["differences"]]) == (2, ["STALE_SOURCE"])


def test_a_spot_position_that_the_venue_states_is_compared(story: Trueup, tmp_path: Path) -> None:
    facts = "kind,instrument,side,quantity,price,venue_time,id\nfill,SOL/USDC,buy,2,100,2026-03-02T10:00:00Z,1\n"
    assert story("import", written(tmp_path / "facts.csv", facts), *BROKER).code == 0
    stated = {"snapshot": {"positions": [{"instrument": "SOL/USDC", "quantity": "5"}]}}
    found = story("reconcile", *BROKER, "--snapshot", written(tmp_path / "state.json", stated), "--json")
    assert [(one["kind"], one["difference"]) for one in found.json["differences"]] == [("QTY", "3")]


def test_the_database_has_a_column_only_where_it_says_something_else(story: Trueup) -> None:
    told = story("reconcile", *MAIN, "--snapshot", *STATES).out
    assert "BOOK" in told
    assert "DATABASE" not in told
    assert "as balance" in told
