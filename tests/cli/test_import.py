"""``trueup import``: every row ends booked, already there, covered, quarantined or refused, and nothing is lost."""

import base64
import json
import os
from pathlib import Path

import pytest

from tests.cli.program import BROKER, FX, GENERIC, MAIN, OANDA, STORY, Trueup, by_symbol, files, head_of, rows, written

SHARED = Path(__file__).resolve().parents[3] / "shared"


def test_a_story_is_booked_and_counted(trueup: Trueup) -> None:
    report = trueup("import", *files(STORY), *MAIN, "--json")
    assert report.code == 0
    counts = {name: report.json[name] for name in ("booked", "already", "quarantined", "refused", "covered")}
    assert counts == {"booked": 24, "already": 0, "quarantined": 0, "refused": 0, "covered": 0}
    fills = next(file for file in report.json["files"] if file["name"] == "user_fills.json")
    assert (fills["kind"], fills["rows"], fills["booked_kinds"]) == ("userFills", 12, {"fill": 12})


def test_the_same_files_again_book_nothing_and_write_nothing(story: Trueup) -> None:
    before = head_of(story)
    again = story("import", *files(STORY), *MAIN, "--json")
    assert (again.code, again.json["booked"], again.json["already"]) == (0, 0, 24)
    assert head_of(story) == before


def test_files_may_be_named_in_any_order(trueup: Trueup, data: Path) -> None:
    assert trueup("import", *reversed(files(STORY)), *MAIN).code == 0
    backwards = trueup("positions", "--json").json
    trueup("import", *files(STORY), *MAIN, "--data", data.with_name("other"))
    forwards = trueup("positions", "--json", "--data", data.with_name("other")).json
    assert backwards == forwards
    assert len(forwards) == 3


def test_transactions_named_before_the_account_that_explains_them_are_understood(trueup: Trueup) -> None:
    story = OANDA / "story"
    named = [story / name for name in ("transactions.json", "account.json", "instruments.json")]
    assert trueup("import", *named, *FX, "--json").json["booked"] == 24


def test_what_an_earlier_import_explained_need_not_be_explained_again(trueup: Trueup, tmp_path: Path) -> None:
    coins = {"universe": [{"name": "@7", "tokens": [5, 0], "index": 7}], "tokens": [token("ABC", 5), token("USDC", 0)]}
    fill = {**rows("user_fills.json")[0], "coin": "@7", "tid": 31, "feeToken": "USDC", "startPosition": "0.0"}
    later = written(tmp_path / "later.json", [fill])
    assert trueup("import", later, *MAIN, "--json").json["refused"] == 1
    trueup("import", written(tmp_path / "spot_meta.json", coins), *MAIN)
    assert trueup("import", later, *MAIN, "--json").json["booked"] == 1


def token(name: str, index: int) -> dict[str, object]:
    return {"name": name, "index": index, "szDecimals": 2, "weiDecimals": 8}


def test_an_account_of_one_currency_need_not_name_it_twice(trueup: Trueup, tmp_path: Path) -> None:
    answer = json.loads((OANDA / "story" / "transactions.json").read_text())
    whole = answer["transactions"]
    first = written(tmp_path / "first.json", {**answer, "transactions": whole[:9]})
    rest = written(tmp_path / "rest.json", {**answer, "transactions": whole[9:]})
    assert trueup("import", first, OANDA / "story" / "account.json", *FX).code == 0
    assert trueup("import", rest, *FX).code == 0
    assert len(trueup("positions", "--json").json) == 2


def transactions(path: Path, *numbers: int, **fields: str) -> Path:
    """A page of the story's transactions, by id, each with more fields."""
    whole = json.loads((OANDA / "story" / "transactions.json").read_text())["transactions"]
    chosen = [row | fields for row in whole if not numbers or int(row["id"]) in numbers]
    return written(path, {"transactions": chosen})


def test_what_the_account_says_explains_the_transactions_of_later_commands(trueup: Trueup, tmp_path: Path) -> None:
    later = transactions(tmp_path / "idrange.json", *range(8, 12))
    assert trueup("import", later, *FX, "--json").json["refused"], "nobody said the home currency yet"
    assert trueup("import", OANDA / "story" / "account.json", *FX).code == 0
    (line,) = trueup("journal", "show", "--kind", "source", "--json").lines[1:]
    learnt = dict(line["fields"]["learnt"])
    assert learnt["home_currency"] == "EUR"
    report = trueup("import", later, *FX, "--json")
    assert (report.code, report.json["refused"]) == (0, 0)
    head = head_of(trueup, "fx")
    trueup("import", OANDA / "story" / "account.json", later, *FX)
    assert head_of(trueup, "fx") == head


def test_a_later_command_may_not_import_another_account(trueup: Trueup, tmp_path: Path) -> None:
    assert trueup("import", OANDA / "story" / "account.json", *FX).code == 0
    other = transactions(tmp_path / "other.json", accountID="101-001-0000000-999")
    told = trueup("import", other, *FX, "--json")
    (file,) = told.json["files"]
    assert (told.code, told.json["booked"], told.json["refused"]) == (1, 0, 0)
    assert "another account" in file["problem"]
    assert "--account" in file["remedy"]
    wrong = trueup("import", transactions(tmp_path / "own.json"), *FX, "--home-currency", "JPY", "--json")
    assert (wrong.code, wrong.error["field"]) == (3, "home_currency")


def test_a_later_command_may_not_import_another_address(trueup: Trueup, tmp_path: Path) -> None:
    first, second = "0x" + "1" * 40, "0x" + "2" * 40
    fills = written(tmp_path / "fills.json", rows("user_fills.json")[:1])
    assert trueup("import", fills, *MAIN, "--address", first).code == 0
    assert trueup("import", fills, *MAIN, "--address", second, "--json").error["field"] == "address"
    lines = ["interactions:", "- request:", f'    body: \'{{"type": "userFills", "user": "{second}"}}\'']
    lines += ["  response:", f"    body: {{string: '{fills.read_text()}'}}", "    status: {code: 200}", ""]
    told = trueup("import", written(tmp_path / "fills.yaml", "\n".join(lines)), *MAIN, "--json")
    assert (told.code, told.json["booked"], told.json["files_refused"]) == (1, 0, 1)
    assert second in told.json["files"][0]["problem"]


def test_states_are_recognised_and_left_for_reconcile(trueup: Trueup) -> None:
    told = trueup("import", STORY / "clearinghouse_state.json", *MAIN)
    assert told.code == 0
    assert "trueup reconcile" in told.out
    assert trueup("positions", "--json").json == []
    assert trueup("positions", "--account", "main").code == 3, "nothing was booked, so there is no such account"


def test_a_refused_row_is_listed_kept_and_refused_again_without_a_second_record(trueup: Trueup, tmp_path: Path) -> None:
    fills = rows("user_fills.json")
    fills[0]["sz"] = "1_000"
    bad = written(tmp_path / "fills.json", fills)
    report = trueup("import", bad, STORY / "spot_meta.json", *MAIN, "--json")
    assert report.code == 1
    (refusal,) = report.json["refusals"]
    assert (refusal["file"], refusal["row"], refusal["field"], refusal["value"]) == ("fills.json", 1, "sz", "1_000")
    assert refusal["problem"]
    assert refusal["remedy"]
    (kept,) = trueup("journal", "show", "--kind", "quarantined", "--json").lines
    assert kept["fields"]["source"] == "fills.json#1"
    assert json.loads(kept["fields"]["offered_as"]) == fills[0]
    head = head_of(trueup)
    again = trueup("import", bad, STORY / "spot_meta.json", *MAIN, "--json")
    assert (again.code, again.json["booked"], again.json["refused"]) == (1, 0, 1)
    assert head_of(trueup) == head


def test_the_list_of_refused_rows_is_bounded_and_the_rest_is_counted(trueup: Trueup, tmp_path: Path) -> None:
    bad = [row | {"tid": number, "px": "NaN"} for number, row in enumerate(rows("user_fills.json") * 3)]
    told = trueup("import", written(tmp_path / "fills.json", bad), *MAIN)
    assert told.code == 1
    assert told.out.count("px") == 20
    assert "and 16 more" in told.out


def test_a_contradiction_is_quarantined_with_both_versions_and_so_it_stays(story: Trueup, tmp_path: Path) -> None:
    fills = rows("user_fills.json")
    fills[0]["px"] = "61201.0"
    bad = written(tmp_path / "fills.json", fills)
    for _ in range(2):
        report = story("import", bad, STORY / "spot_meta.json", *MAIN, "--json")
        assert (report.code, report.json["booked"], report.json["already"], report.json["quarantined"]) == (1, 0, 11, 1)
    (kept,) = story("journal", "show", "--kind", "quarantined", "--json").lines
    assert kept["fields"]["offered_as"]["fields"]["price"] == "61201"
    assert kept["fields"]["booked_seq"] > 0
    assert "quarantined" in story("import", bad, STORY / "spot_meta.json", *MAIN).out


def test_a_file_of_another_kind_is_refused_by_name_and_the_good_ones_are_booked(trueup: Trueup, tmp_path: Path) -> None:
    strange = written(tmp_path / "strange.json", {"what": "is this"})
    empty = written(tmp_path / "empty.json", "")
    report = trueup("import", strange, empty, *files(STORY), *MAIN, "--json")
    assert (report.code, report.json["booked"], report.json["files_refused"]) == (1, 24, 2)
    problems = {file["name"]: file["problem"] for file in report.json["files"] if file["problem"]}
    assert set(problems) == {"strange.json", "empty.json"}
    told = trueup("import", strange, *MAIN)
    assert told.code == 1
    assert "strange.json: not recognised" in told.out


def test_answers_of_another_venue_are_refused_whole_and_leave_nothing_behind(trueup: Trueup, tmp_path: Path) -> None:
    lines = "\n".join(map(json.dumps, rows("user_fills.json")))
    for wrong in (STORY / "user_fills.json", STORY / "meta.json", written(tmp_path / "fills.jsonl", lines)):
        report = trueup("import", wrong, *FX, "--json")
        (file,) = report.json["files"]
        assert (report.code, report.json["refused"], file["kind"]) == (1, 0, "refused")
        assert "not recognised as an answer of OANDA" in file["problem"]
        assert "--venue hyperliquid" in file["remedy"]
    for name in ("transactions.json", "stream.jsonl", "account.json", "instruments.json"):
        report = trueup("import", OANDA / "story" / name, *MAIN, "--json")
        (file,) = report.json["files"]
        assert (report.code, report.json["refused"], file["kind"]) == (1, 0, "refused")
        assert "not recognised as an answer of Hyperliquid" in file["problem"]
        assert "--venue oanda" in file["remedy"]
    assert trueup("positions", "--account", "main").code == 3
    assert trueup("positions", "--account", "fx").code == 3


def test_the_remedy_for_what_is_not_recognised_names_the_file(trueup: Trueup, tmp_path: Path) -> None:
    strange = [written(tmp_path / name, {"what": "is this"}) for name in ("a.json", "b.json")]
    for account in (MAIN, FX):
        files_refused = trueup("import", *strange, *account, "--json").json["files"]
        assert all(file["name"] in file["remedy"] for file in files_refused)


@pytest.mark.parametrize("account", [MAIN, FX])
def test_an_empty_list_holds_nothing(trueup: Trueup, tmp_path: Path, account: tuple[str, ...]) -> None:
    told = trueup("import", written(tmp_path / "empty.json", []), *account)
    assert told.code == 1
    assert "an empty list does not say what it is a list of" in told.out


def test_an_account_is_not_made_for_files_that_hold_nothing(trueup: Trueup, tmp_path: Path) -> None:
    assert trueup("import", written(tmp_path / "strange.json", {"what": 1}), *MAIN).code == 1
    assert "no account 'main'" in trueup("positions", "--account", "main").err


def test_contract_details_that_cannot_be_read_stop_everything(trueup: Trueup, tmp_path: Path) -> None:
    wrong = written(tmp_path / "instruments.json", [{"symbol": "BTC/USD:BTC", "contract_size": "none"}])
    told = trueup("import", GENERIC / "story" / "facts.csv", "--instruments", wrong, *BROKER, "--json")
    assert told.code == 3
    assert told.error["code"] == "malformed"
    assert "contract_size" in told.error["message"]
    assert trueup("positions", "--json").json == []


def test_contract_details_of_an_earlier_import_are_known_to_a_later_one(trueup: Trueup, tmp_path: Path) -> None:
    story = GENERIC / "story"
    assert trueup("import", story / "facts.csv", "--instruments", story / "instruments.json", *BROKER).code == 0
    assert trueup("import", story / "facts.jsonl", *BROKER, "--json").json["already"] == 14


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_funding_paid_twice_in_an_hour_is_booked_twice_whichever_file_comes_first(
    trueup: Trueup, tmp_path: Path, order: tuple[int, int]
) -> None:
    first = rows("user_funding.json")[0]
    second = {**first, "delta": {**first["delta"], "usdc": "-7.5"}}
    named = [written(tmp_path / "both.json", [first, second]), written(tmp_path / "one.json", [second])]
    reports = [trueup("import", named[index], *MAIN, "--json").json for index in order]
    assert sum(report["booked"] for report in reports) == 2
    assert sum(report["already"] for report in reports) == 1


def test_an_opening_position_is_covered_when_another_file_holds_what_came_before(
    trueup: Trueup, tmp_path: Path
) -> None:
    fills = [row for row in rows("user_fills.json") if row["coin"] == "BTC"]
    newer = written(tmp_path / "newer.json", [row for row in fills if row["time"] >= 1772448000000])
    older = written(tmp_path / "older.json", [row for row in fills if row["time"] < 1772448000000])
    report = trueup("import", newer, older, *MAIN, "--json").json
    assert (report["booked"], report["covered"]) == (6, 1)
    assert by_symbol(trueup("positions", "--json"))["BTC"]["entry_price"] == "61700"


def test_a_position_that_did_not_start_from_zero_opens_with_an_unknown_basis(trueup: Trueup, tmp_path: Path) -> None:
    fills = [row for row in rows("user_fills.json") if row["coin"] == "BTC" and row["time"] >= 1772448600000]
    assert trueup("import", written(tmp_path / "fills.json", fills), *MAIN, "--json").json["booked"] == 3
    position = by_symbol(trueup("positions", "--json"))["BTC"]
    assert (position["quantity"], position["entry_price"], position["realized_pnl"]) == ("-0.03", None, None)
    assert position["realized_pnl_known"] == "0"
    shown = trueup("positions").out
    assert "unknown" in shown


def test_coins_held_before_the_first_spot_fill_are_in_position_and_balance(trueup: Trueup, tmp_path: Path) -> None:
    sold = next(row for row in rows("user_fills.json") if row["coin"] == "PURR/USDC" and row["side"] == "A")
    assert trueup("import", written(tmp_path / "fills.json", [sold]), *MAIN, "--json").json["booked"] == 3
    position = by_symbol(trueup("positions", "--json"))["PURR/USDC"]
    assert (position["quantity"], position["entry_price"]) == ("599.65", None)
    assert balance(trueup, "PURR@spot") == "599.65"
    again = trueup("import", STORY / "user_fills.json", *MAIN, "--json").json
    assert again["quarantined"] == 0, "older fills may still come: they are what the cut holds"
    assert by_symbol(trueup("positions", "--json"))["PURR/USDC"]["quantity"] == "599.65"
    assert balance(trueup, "PURR@spot") == "599.65"


def test_coins_known_to_have_come_before_are_not_opened_again(story: Trueup, tmp_path: Path) -> None:
    sold = next(row for row in rows("user_fills.json") if row["coin"] == "PURR/USDC" and row["side"] == "A")
    report = story("import", written(tmp_path / "later.json", [sold]), *MAIN, "--json").json
    assert (report["booked"], report["already"], report["covered"]) == (0, 1, 2)
    assert balance(story, "PURR@spot") == "599.65"


def balance(trueup: Trueup, currency: str) -> str:
    found = {row["currency"]: row["total"] for row in trueup("balances", "--json").json}
    return str(found[currency])


def test_an_account_may_be_named_with_its_venue_but_not_with_another(trueup: Trueup) -> None:
    assert trueup("import", *files(STORY), "--venue", "hyperliquid", "--account", "hyperliquid:main").code == 0
    wrong = trueup("import", *files(STORY), "--venue", "hyperliquid", "--account", "oanda:main", "--json")
    assert (wrong.code, wrong.error["field"]) == (3, "account")


def test_a_file_whose_name_is_no_text_is_booked_like_any_other(trueup: Trueup, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"fills-\xff.json")
    try:
        odd.write_bytes((STORY / "user_fills.json").read_bytes())
    except OSError:
        pytest.skip("this file system only takes names that are text")
    report = trueup("import", odd, STORY / "spot_meta.json", *MAIN, "--json")
    assert report.code == 0
    assert "fills-\\udcff.json" in {file["name"] for file in report.json["files"]}
    odd.write_bytes(b"")
    assert trueup("import", odd, *MAIN, "--json").code == 1


def test_many_files_are_added_up(trueup: Trueup) -> None:
    told = trueup("import", *files(STORY), *MAIN)
    assert "in all" in told.out
    assert "Booked: 12 fill" in told.out


def test_every_answer_kept_in_the_journal_names_its_file(story: Trueup) -> None:
    lines = story("journal", "show", "--kind", "source", "--json").lines
    assert {line["fields"]["name"] for line in lines} >= {"user_fills.json", "user_funding.json"}
    assert all(len(line["fields"]["sha256"]) == 64 for line in lines)


def test_recorded_fills_are_booked_once(trueup: Trueup) -> None:
    recorded = SHARED / "venue-data/hyperliquid/sdk-cassettes/user_fills_oldest200.json"
    if not recorded.exists():
        pytest.skip("the recorded answers of Hyperliquid are not beside this checkout")
    first = trueup("import", recorded, *MAIN, "--json")
    count = len(json.loads(recorded.read_text()))
    assert (first.code, first.json["files"][0]["booked_kinds"]["fill"]) == (0, count)
    assert trueup("import", recorded, *MAIN, "--json").json["booked"] == 0
    assert trueup("journal", "verify").code == 0
    assert len(trueup("positions", "--open", "--json").json) == 13


def test_a_line_that_is_no_text_is_kept_byte_by_byte(trueup: Trueup, tmp_path: Path) -> None:
    lines = tmp_path / "feed.jsonl"
    fill = json.dumps(rows("user_fills.json")[0]).encode()
    lines.write_bytes(fill + b"\n\xff\xfe no text\n")
    told = trueup("import", lines, *MAIN, "--json")
    assert (told.code, told.json["booked"], told.json["refused"]) == (1, 2, 1)
    (kept,) = trueup("journal", "show", "--kind", "quarantined", "--json").lines
    assert kept["fields"]["offered_as"] is None
    assert base64.b64decode(kept["fields"]["offered"]) == b"\xff\xfe no text"
    assert trueup("journal", "show", "--kind", "quarantined").code == 0


def test_generic_files_may_be_of_an_account_anywhere(trueup: Trueup, tmp_path: Path) -> None:
    file = tmp_path / "deposits.csv"
    file.write_text("kind,id,currency,amount,venue_time,reason\ntransfer,d1,USD,500,2026-11-21T00:00:00Z,deposit\n")
    report = trueup("import", str(file), "--venue", "generic", "--account", "coinbase:main", "--json")
    assert (report.code, report.json["account"], report.json["booked"]) == (0, "coinbase:main", 1)
