"""``trueup explain`` and ``history``: the rows beneath a figure, and the round trips that are closed."""

from decimal import Decimal

import pytest

from tests.cli.program import BROKER, FX, GENERIC, OANDA, STORY, Trueup, files


def test_the_rows_beneath_a_position_end_in_its_figures(story: Trueup) -> None:
    explained = story("explain", "BTC", "--json").json
    rows, position = explained["rows"], explained["position"]
    assert [row["id"] for row in rows if row["kind"] == "fill"] == ["9001", "9002", "9003", "9004", "9005", "9006"]
    assert [row["quantity"] for row in rows if row["kind"] == "fill"] == [
        "0.05",
        "0.03",
        "-0.02",
        "-0.1",
        "-0.01",
        "0.02",
    ]
    assert [row["venue_time"] for row in rows] == sorted(row["venue_time"] for row in rows)
    assert (rows[1]["price"], rows[1]["fee"], rows[1]["fee_currency"]) == ("61000", "0.8235", "USDC")
    assert (rows[1]["quantity_after"], rows[1]["cost_after"], rows[3]["realized_pnl_after"]) == ("0.08", "4830", "100")
    last = rows[-1]
    assert last["quantity_after"] == position["quantity"]
    assert last["cost_after"] == position["cost"]
    assert last["realized_pnl_after"] == position["realized_pnl"]


def test_every_position_is_the_sum_of_its_rows(story: Trueup) -> None:
    story("import", *files(OANDA / "story"), *FX)
    story("import", GENERIC / "story/facts.csv", "--instruments", GENERIC / "story/instruments.json", *BROKER)
    positions = story("positions", "--json").json
    assert len(positions) == 10
    for position in positions:
        name = f"{position['account']}/{position['instrument']}:{position['position_side']}"
        explained = story("explain", name, "--json").json
        assert explained["position"] == position
        assert sum(Decimal(row["quantity"]) for row in explained["rows"]) == Decimal(position["quantity"])
        last = explained["rows"][-1]
        assert [last[f"{figure}_after"] for figure in ("quantity", "cost", "realized_pnl")] == [
            position["quantity"],
            position["cost"],
            position["realized_pnl"],
        ]
        fees = sum(Decimal(row["fee"]) for row in explained["rows"] if row["fee"] is not None)
        assert fees == sum(map(Decimal, position["fees"].values()))


@pytest.mark.parametrize(
    "name",
    [
        "BTC",
        "BTC/USDC:USDC",
        "BTC/USDC:USDC:net",
        "main/BTC",
        "hyperliquid:main/BTC",
        "hyperliquid:main/BTC/USDC:USDC",
        "hyperliquid:main/BTC/USDC:USDC:net",
    ],
)
def test_a_position_goes_by_any_of_its_names(story: Trueup, name: str) -> None:
    explained = story("explain", name, "--json")
    assert (explained.code, explained.json["position"]["instrument"]) == (0, "BTC/USDC:USDC")


def test_a_name_of_several_positions_is_refused_with_their_full_names(trueup: Trueup) -> None:
    trueup("import", GENERIC / "story/facts.csv", "--instruments", GENERIC / "story/instruments.json", *BROKER)
    unclear = trueup("explain", "BTC/USDT:USDT", "--json")
    assert (unclear.code, unclear.error["field"]) == (3, "position")
    assert "generic:broker/BTC/USDT:USDT:long" in unclear.error["remedy"]
    assert trueup("explain", "BTC/USDT:USDT:short", "--json").json["position"]["quantity"] == "-0.2"


def test_an_unknown_position_is_refused_with_those_there_are(story: Trueup) -> None:
    for verb in ("explain", "history"):
        unknown = story(verb, "DOGE", "--json")
        assert (unknown.code, unknown.error["code"]) == (3, "not_found")
        assert "BTC/USDC:USDC" in unknown.error["remedy"]


def test_a_position_is_explained_as_of_an_earlier_moment(story: Trueup) -> None:
    then = story("explain", "BTC", "--as-of", "2026-03-02T10:25:00Z", "--venue-time", "--json").json
    assert (len(then["rows"]), then["position"]["quantity"]) == (2, "0.08")
    too_early = story("explain", "BTC", "--as-of", "2026-03-02T10:00:00Z", "--venue-time", "--json")
    assert (too_early.code, too_early.error["code"]) == (3, "not_found")


def test_an_explanation_is_readable(story: Trueup) -> None:
    told = story("explain", "BTC").out
    assert "hyperliquid:main/BTC/USDC:USDC:net" in told
    assert "9004" in told
    assert "-0.03 at 61700; realised 110 USDC; fees 6.0373 USDC" in told


def test_history_has_the_closed_round_trips(story: Trueup) -> None:
    found = story("history", "BTC", "--json").json
    (cycle,) = found["cycles"]
    assert found["lots"] is None
    figures = ("instrument", "number", "side", "quantity", "opened_at", "closed_at", "realized_pnl", "fees")
    assert [cycle[name] for name in figures] == [
        "BTC/USDC:USDC",
        1,
        "long",
        "0.08",
        "2026-03-02T10:10:00Z",
        "2026-03-02T10:40:00Z",
        "100",
        {"USDC": "4.392"},
    ]
    assert "1 closed" in story("history", "BTC").out


def test_lots_first_in_first_out_add_up_to_the_position(story: Trueup) -> None:
    lots = story("history", "BTC/USDC:USDC", "--fifo", "--json").json["lots"]
    assert sum(Decimal(lot["quantity"]) for lot in lots) == Decimal("-0.03")
    assert {lot["source"] for lot in lots} == {"fill|9004", "fill|9005"}
    assert "first in, first out" in story("history", "BTC", "--fifo").out


def test_a_flip_shows_its_fill_once(trueup: Trueup) -> None:
    trueup("import", STORY / "user_fills.json", STORY / "spot_meta.json", "--venue", "hyperliquid", "--account", "main")
    rows = trueup("explain", "BTC", "--json").json["rows"]
    (flip,) = [row for row in rows if row["id"] == "9004"]
    assert (flip["quantity"], flip["quantity_after"], flip["cost_after"]) == ("-0.1", "-0.04", "-2460")


def test_a_coin_names_its_only_position(trueup: Trueup) -> None:
    story_ = GENERIC / "story"
    trueup("import", story_ / "facts.csv", "--instruments", story_ / "instruments.json", *BROKER)
    assert trueup("explain", "AVAX", "--json").json["position"]["instrument"] == "AVAX/USDT"
    several = trueup("explain", "BTC", "--json")
    assert (several.code, several.error["field"]) == (3, "position")
    assert "BTC/USDT:USDT:long" in several.error["remedy"]
    assert trueup("explain", "AVAXX", "--json").error["code"] == "not_found"
