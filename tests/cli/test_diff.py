"""``trueup diff``: what changed between two moments, and by which events."""

from decimal import Decimal

import pytest

from tests.cli.program import FX, MAIN, OANDA, STORY, Trueup, files, head_of

MORNING = ("--from", "2026-03-02T10:00:00Z", "--to", "2026-03-02T10:25:00Z", "--venue-time")


def test_a_morning_on_the_clock_of_the_venue(story: Trueup) -> None:
    (found,) = story("diff", *MORNING, "--json").json
    figures = {each["instrument"]: {f["name"]: f for f in each["figures"]} for each in found["positions"]}
    btc = figures["BTC/USDC:USDC"]
    assert btc["quantity"] == {"name": "quantity", "before": "0", "after": "0.08", "delta": "0.08"}
    assert btc["entry_price"] == {"name": "entry_price", "before": None, "after": "60375", "delta": None}
    assert btc["fees USDC"]["delta"] == "2.1735"
    assert found["events_by_kind"] == {"fill": 4, "transfer": 2}
    assert [event["fields"].get("venue_trade_id") for event in found["events"]] == [
        None,
        None,
        "9001",
        "9101",
        "9002",
        "9201",
    ]
    assert (found["from"]["venue_time"], found["to"]["venue_time"]) == ("2026-03-02T10:00:00Z", "2026-03-02T10:25:00Z")


def test_the_deltas_are_what_the_positions_say_before_and_after(story: Trueup) -> None:
    head = head_of(story)
    before, after = (
        {p["instrument"]: p for p in story("positions", "--as-of", str(seq), "--json").json} for seq in (12, head)
    )
    (found,) = story("diff", "--from", "12", "--to", str(head), "--json").json
    for position in found["positions"]:
        for figure in position["figures"]:
            if figure["name"] in {"quantity", "cost", "realized_pnl"}:
                sides = [each[position["instrument"]][figure["name"]] for each in (before, after)]
                assert sides == [figure["before"], figure["after"]]
                assert Decimal(figure["delta"]) == Decimal(sides[1]) - Decimal(sides[0])
    assert (found["from"]["seq"], found["to"]["seq"]) == (12, head)


def test_events_are_bounded_and_the_rest_is_counted(story: Trueup) -> None:
    head = head_of(story)
    told = story("diff", "--from", "0")
    assert told.code == 0
    assert told.out.startswith(f"hyperliquid:main from its beginning to seq {head} (")
    assert f"; {head - 20} more, list them with --all" in told.out
    every = story("diff", "--from", "0", "--all")
    assert "more, list" not in every.out
    (some,), (all_,) = (story("diff", "--from", "0", *more, "--json").json for more in ((), ("--all",)))
    assert (len(some["events"]), some["events_not_listed"]) == (20, head - 20)
    assert (len(all_["events"]), all_["events_not_listed"]) == (head, 0)
    assert sum(some["events_by_kind"].values()) == head


def test_orders_that_opened_are_told(story: Trueup) -> None:
    told = story("diff", "--from", "20").out
    assert "buy 0/0.03 open" in told


def test_breaks_that_appeared_and_went_are_told(trueup: Trueup) -> None:
    trueup("import", STORY / "user_fills.json", STORY / "spot_meta.json", *MAIN)
    before = head_of(trueup)
    trueup("reconcile", *MAIN, "--snapshot", STORY / "open_orders.json")
    assert "ORPHAN_ORDER" in trueup("diff", "--from", str(before)).out
    (found,) = trueup("diff", "--from", str(before), "--json").json
    assert {(each["kind"], each["before"]) for each in found["breaks"]} == {("ORPHAN_ORDER", None)}
    assert (found["from"]["status"], found["to"]["status"]) == (None, "DRIFT")


def test_nothing_between_is_said(story: Trueup) -> None:
    assert story("diff", "--from", "now").out.splitlines()[-1] == "Nothing was recorded between."


def test_times_go_across_accounts_and_a_seq_needs_one(story: Trueup) -> None:
    story("import", *files(OANDA / "story"), *FX)
    across = story("diff", "--from", "2026-03-01T00:00:00Z", "--to", "now", "--json").json
    assert [each["account"] for each in across] == ["hyperliquid:main", "oanda:fx"]
    unclear = story("diff", "--from", "3", "--json")
    assert (unclear.code, unclear.error["code"]) == (4, "usage")
    assert "--account" in unclear.error["message"]
    assert story("diff", "--from", "3", "--account", "fx").code == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--from", "5", "--to", "3"), 3),
        (("--from", "1000000"), 3),
        (("--from", "2026-03-02T10:00:00"), 3),
        (("--from", "2019-01-01T00:00:00Z", "--to", "2020-01-01T00:00:00Z"), 3),
        (("--from", "3", "--venue-time"), 4),
        (("--from", "2026-03-02T10:00:00Z", "--to", "9", "--venue-time"), 4),
        ((), 4),
    ],
)
def test_a_moment_that_cannot_be_is_refused_with_a_remedy(story: Trueup, words: tuple[str, ...], code: int) -> None:
    refused = story("diff", *words, "--json")
    assert (refused.code, refused.out) == (code, "")
    assert refused.error["remedy"]
