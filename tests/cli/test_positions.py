"""``trueup positions`` and ``balances``: what is held, now and at any earlier moment, in figures and in JSON."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.book.world import World
from tests.cli.program import BROKER, FX, GENERIC, MAIN, OANDA, STORY, Trueup, by_symbol, files, head_of
from trueup.bootstrap import open_store
from trueup.cli import render
from trueup.cli.shapes import position_shape
from trueup.model.events import MarkSampled
from trueup.model.identifiers import AccountId

TEN_TWENTY_FIVE = "2026-03-02T10:25:00Z"


def test_positions_have_the_shape_that_programs_rely_on(story: Trueup) -> None:
    btc = by_symbol(story("positions", "--json"))["BTC"]
    assert {name: btc[name] for name in ("account", "instrument", "native_symbol", "position_side", "currency")} == {
        "account": "hyperliquid:main",
        "instrument": "BTC/USDC:USDC",
        "native_symbol": "BTC",
        "position_side": "net",
        "currency": "USDC",
    }
    figures = ("quantity", "entry_price", "cost", "realized_pnl", "realized_pnl_known", "unconfirmed")
    assert [btc[name] for name in figures] == ["-0.03", "61700", "-1851", "110", "110", "0"]
    assert (btc["fees"], btc["funding"]) == ({"USDC": "6.0373"}, {"USDC": "1.14"})
    assert btc["strategies"]["external"]["quantity"] == "-0.03"
    assert btc["opened_at"] == "2026-03-02T10:40:00Z"
    assert btc["updated_at"] == "2026-03-02T12:00:00Z"
    assert (btc["cycles"], btc["liquidations"], btc["leverage"], btc["margin_mode"]) == (1, 0, None, None)
    assert btc["seq"] > 0


def test_the_unknown_worth_of_fees_is_null() -> None:
    world = World().buy("1", "100", fee="1", fee_currency="BNB")
    assert position_shape(world.position)["fee_value"] is None


def test_strategies_add_up_to_the_position(trueup: Trueup) -> None:
    story = GENERIC / "story"
    trueup("import", story / "facts.csv", "--instruments", story / "instruments.json", *BROKER)
    for position in trueup("positions", "--json").json:
        parts = [Decimal(part["quantity"]) for part in position["strategies"].values()]
        assert sum(parts) == Decimal(position["quantity"])
    assert "trend 0.4" in trueup("positions").out


def test_open_positions_come_first_and_flat_ones_may_be_left_out(trueup: Trueup) -> None:
    story = GENERIC / "story"
    trueup("import", story / "facts.csv", "--instruments", story / "instruments.json", *BROKER)
    every = [Decimal(position["quantity"]) for position in trueup("positions", "--json").json]
    assert every[-1] == 0
    assert all(every[:-1])
    held = [Decimal(position["quantity"]) for position in trueup("positions", "--open", "--json").json]
    assert held == every[:-1]
    assert "4 open, 1 flat" in trueup("positions").out


def test_a_table_shows_what_json_says(story: Trueup) -> None:
    told = story("positions").out
    assert "BTC/USDC:USDC" in told
    assert "61700" in told
    assert "3 open, 0 flat" in told


def test_balances_add_up(story: Trueup) -> None:
    balances = {balance["currency"]: balance for balance in story("balances", "--json").json}
    assert {currency: balance["total"] for currency, balance in balances.items()} == {
        "PURR@spot": "599.65",
        "USDC": "7217.797963",
        "USDC@spot": "2399.93",
    }
    usdc = balances["USDC"]
    parts = [Decimal(usdc[name]) for name in ("traded", "realized", "fees", "funding", "adjustments", "opening")]
    assert sum(parts) + sum(map(Decimal, usdc["transfers"].values())) == Decimal(usdc["total"])
    assert "deposit 10000" in story("balances").out


def test_as_of_a_seq_is_what_we_knew_after_it(trueup: Trueup) -> None:
    first, *rest = [STORY / name for name in ("user_fills.json", "spot_meta.json", "user_funding.json")]
    trueup("import", first, rest[0], *MAIN)
    before, seq = trueup("positions", "--json").json, head_of(trueup)
    trueup("import", rest[1], *MAIN)
    assert trueup("positions", "--json").json != before
    assert trueup("positions", "--as-of", str(seq), "--json").json == before
    assert trueup("positions", "--as-of", "0", "--json").json == []


def test_as_of_a_time_is_what_we_had_recorded_by_then(trueup: Trueup) -> None:
    trueup("import", STORY / "user_fills.json", STORY / "spot_meta.json", *MAIN)
    before = trueup("positions", "--json").json
    recorded = trueup("journal", "show", "--limit", "1", "--json").lines[0]["recorded_at"]
    trueup("import", STORY / "user_funding.json", *MAIN)
    assert trueup("positions", "--as-of", recorded, "--json").json == before
    early = trueup("positions", "--as-of", "2020-01-01T00:00:00Z", "--json")
    assert (early.code, early.out, early.error["code"]) == (3, "", "not_found")
    assert "Ask for a time from 20" in early.error["remedy"]


@pytest.mark.parametrize("verb", [("positions",), ("balances",), ("history", "BTC"), ("explain", "BTC"), ("breaks",)])
def test_an_answer_about_the_past_says_so_first(story: Trueup, verb: tuple[str, ...]) -> None:
    head = head_of(story)
    recorded = story("journal", "show", "--limit", "1", "--json").lines[0]["recorded_at"]
    for moment in (str(head), recorded):
        told = story(*verb, "--as-of", moment).out.splitlines()
        assert told[0] == f"hyperliquid:main AS OF seq {head}, recorded {recorded}: what was known then, not now"
    venue = story(*verb, "--as-of", TEN_TWENTY_FIVE, "--venue-time").out.splitlines()[0]
    assert venue.startswith(f"hyperliquid:main AS OF venue time {TEN_TWENTY_FIVE}: what had happened by then")
    assert "AS OF" not in story(*verb).out
    note = story(*verb, "--as-of", str(head), "--json").err
    assert f"AS OF seq {head}" in note


def test_an_account_that_had_not_begun_is_noted_beside_those_that_had(story: Trueup) -> None:
    recorded = story("journal", "show", "--limit", "1", "--json").lines[0]["recorded_at"]
    story("import", *files(OANDA / "story"), *FX)
    found = story("positions", "--as-of", recorded, "--json")
    assert {position["account"] for position in found.json} == {"hyperliquid:main"}
    assert "oanda:fx had recorded nothing by" in found.err


def test_unrealised_profit_is_at_the_mark_of_the_time(story: Trueup, data: Path) -> None:
    assert by_symbol(story("positions", "--json"))["BTC"]["unrealized_pnl"] is None
    assert "UNREALIZED" not in story("positions").out
    before = head_of(story)
    account = AccountId("hyperliquid:main")
    store = open_store(data)
    store.ledger(account).commit(lambda _: [MarkSampled(account, "BTC/USDC:USDC", Decimal(61000), 1)])
    store.close()
    btc = by_symbol(story("positions", "--json"))["BTC"]
    assert (btc["mark_price"], btc["unrealized_pnl"]) == ("61000", "21")
    told = story("positions").out
    assert "UNREALIZED" in told
    assert "unknown" in told, "what has no mark is not worth zero"
    then = by_symbol(story("positions", "--as-of", str(before), "--json"))["BTC"]
    assert (then["mark_price"], then["unrealized_pnl"]) == (None, None)


def test_as_of_a_venue_time_is_what_had_happened_by_then(story: Trueup) -> None:
    then = by_symbol(story("positions", "--as-of", TEN_TWENTY_FIVE, "--venue-time", "--json"))
    assert (then["BTC"]["quantity"], then["BTC"]["entry_price"]) == ("0.08", "60375")
    totals = {
        balance["currency"]: balance["total"]
        for balance in story("balances", "--as-of", TEN_TWENTY_FIVE, "--venue-time", "--json").json
    }
    assert Decimal(totals["USDC"]) < 10_000


def test_a_time_goes_across_accounts_and_a_seq_needs_one(story: Trueup) -> None:
    story("import", *files(OANDA / "story"), *FX)
    late = "2100-01-01T00:00:00Z"
    accounts = {position["account"] for position in story("positions", "--as-of", late, "--json").json}
    assert accounts == {"hyperliquid:main", "oanda:fx"}
    unclear = story("positions", "--as-of", "3", "--json")
    assert (unclear.code, unclear.error["code"]) == (4, "usage")
    assert "--account" in unclear.error["message"]
    assert story("positions", "--as-of", "12", "--account", "fx", "--json").code == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--as-of", "1000000"), 3),
        (("--as-of", "yesterday"), 3),
        (("--as-of", "2026-03-02T12:00:00"), 3),
        (("--as-of", "2020-01-01T00:00:00Z"), 3),
        (("--as-of", "2020-01-01T00:00:00Z", "--venue-time"), 3),
        (("--as-of", "3", "--venue-time"), 4),
        (("--venue-time",), 4),
        (("--account", "nobody"), 3),
    ],
)
def test_a_moment_or_account_that_is_not_there_is_refused_with_a_remedy(
    story: Trueup, words: tuple[str, ...], code: int
) -> None:
    refused = story("positions", *words, "--json")
    assert (refused.code, refused.out) == (code, "")
    assert refused.error["remedy"]


def test_one_name_at_two_venues_has_to_be_told_apart(trueup: Trueup) -> None:
    trueup("import", *files(STORY), *MAIN)
    trueup("import", *files(OANDA / "story"), "--venue", "oanda", "--account", "main")
    unclear = trueup("positions", "--account", "main", "--json")
    assert (unclear.code, unclear.error["value"]) == (3, "main")
    assert len(trueup("positions", "--account", "oanda:main", "--json").json) == 2


def test_without_a_data_directory_the_remedy_is_to_import(trueup: Trueup, data: Path) -> None:
    told = trueup("positions")
    assert (told.code, told.out) == (3, "")
    assert str(data) in told.err
    assert "import" in told.err
    assert not data.exists()


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("1.50", "1.5"),
        ("0.000000000001234", "0.000000000001234"),
        ("123456789012", "123456789012"),
        ("61123.45678901234567", "≈61123.456789"),
        (None, "unknown"),
    ],
)
def test_figures_are_short_and_say_so(number: str | None, shown: str) -> None:
    assert render.figure(None if number is None else Decimal(number)) == shown


def test_nothing_that_a_terminal_obeys_is_printed() -> None:
    assert render.printable("a\x1b[31mb\n") == "a\\x1b[31mb\\n"
