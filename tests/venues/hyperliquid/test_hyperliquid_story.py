"""The fixtures keep their word: the story's fills, funding and transfers add up to its state, the broken one's do not.

Folded here from the files themselves, by the arithmetic of their README, so that what the end-to-end tests find is not
an error in the fixtures.
"""

import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.venues.hyperliquid.saved import ACCOUNT, FIXTURES, of, read_file
from trueup.model.events import FillBooked, OpeningPosition
from trueup.venues.files import merge_snapshots
from trueup.venues.hyperliquid.reader import HyperliquidReader

STORY, BROKEN = FIXTURES / "story", FIXTURES / "broken"
MISSING = "9102"


def load(path: Path) -> Any:  # noqa: ANN401 - JSON
    return json.loads(path.read_text(), parse_float=Decimal)


def fold(fills: list[dict[str, Any]]) -> tuple[dict[str, tuple[Decimal, Decimal]], dict[str, Decimal]]:
    """By coin (position, average entry), and by wallet what the fills did to the cash."""
    held: dict[str, tuple[Decimal, Decimal]] = {}
    cash: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in sorted(fills, key=lambda row: (row["time"], row["tid"])):
        price, size = Decimal(row["px"]), Decimal(row["sz"]) * (1 if row["side"] == "B" else -1)
        if "/" in row["coin"]:
            base = row["coin"].partition("/")[0]
            cash[f"{base}@spot"] += size
            cash["USDC@spot"] -= size * price
            cash[f"{row['feeToken']}@spot"] -= Decimal(row["fee"])
            continue
        position, entry = held.get(row["coin"], (Decimal(0), Decimal(0)))
        cash["USDC"] -= Decimal(row["fee"])
        closed = -max(-abs(position), -abs(size)) if position * size < 0 else Decimal(0)
        cash["USDC"] += closed * (price - entry) * (1 if position > 0 else -1)
        after = position + size
        if after * position <= 0:
            entry = price
        elif not closed:
            entry = (position * entry + size * price) / after
        held[row["coin"]] = (after, entry)
    return held, cash


def moved(folder: Path) -> dict[str, Decimal]:
    cash: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in load(folder / "user_funding.json"):
        cash["USDC"] += Decimal(row["delta"]["usdc"])
    for row in load(folder / "ledger_updates.json"):
        delta = row["delta"]
        amount = Decimal(delta["usdc"])
        if delta["type"] == "deposit":
            cash["USDC"] += amount
        elif delta["type"] == "withdraw":
            cash["USDC"] -= amount + Decimal(delta["fee"])
        else:
            assert delta == {"type": "accountClassTransfer", "usdc": delta["usdc"], "toPerp": False}
            cash["USDC"] -= amount
            cash["USDC@spot"] += amount
    return cash


def test_the_story_adds_up_to_its_state() -> None:
    held, traded = fold(load(STORY / "user_fills.json"))
    other = moved(STORY)
    reader = HyperliquidReader(ACCOUNT)
    names = ("meta", "spot_meta", "clearinghouse_state", "spot_clearinghouse_state", "open_orders")
    readings = [read_file(STORY / f"{name}.json", reader) for name in names]
    assert not any(reading.refused for reading in readings)
    state = merge_snapshots([reading.snapshot for reading in readings if reading.snapshot is not None])
    assert state.balances == {
        currency: traded.get(currency, Decimal(0)) + other.get(currency, Decimal(0)) for currency in {*traded, *other}
    }
    assert {key[0]: (p.quantity, p.entry_price) for key, p in (state.positions or {}).items()} == {
        f"{coin}/USDC:USDC": position for coin, position in held.items()
    }
    assert set(state.open_orders or {}) == {"7107", "7008"}
    assert (state.unmapped, state.failed) == ({}, {})


def test_the_account_is_worth_what_the_state_says() -> None:
    state = load(STORY / "clearinghouse_state.json")
    positions = [item["position"] for item in state["assetPositions"]]
    for row in positions:
        mark = Decimal(row["positionValue"]) / abs(Decimal(row["szi"]))
        assert (mark - Decimal(row["entryPx"])) * Decimal(row["szi"]) == Decimal(row["unrealizedPnl"])
    worth = sum(Decimal(row["unrealizedPnl"]) for row in positions) + Decimal("7217.797963")
    assert Decimal(state["marginSummary"]["accountValue"]) == worth


@pytest.mark.parametrize("name", [path.name for path in sorted(STORY.iterdir())])
def test_every_file_of_the_story_is_read_whole(name: str) -> None:
    reading = read_file(STORY / name)
    assert reading.rows
    assert not reading.refused
    assert not of(reading, OpeningPosition)


def test_the_broken_story_lacks_the_one_fill_it_says() -> None:
    def ids(path: Path) -> set[str]:
        return {fill.venue_trade_id for fill in of(read_file(path), FillBooked)}

    assert ids(STORY / "user_fills.json") - ids(BROKEN / "user_fills.json") == {MISSING}
    assert MISSING in ids(BROKEN / "user_fills_by_time.json") <= ids(STORY / "user_fills.json")
    assert load(BROKEN / "clearinghouse_state.json") == load(STORY / "clearinghouse_state.json")
    held, cash = fold(load(BROKEN / "user_fills.json"))
    whole, all_cash = fold(load(STORY / "user_fills.json"))
    assert held["ETH"][0] - whole["ETH"][0] == Decimal("-0.5")
    assert all_cash["USDC"] - cash["USDC"] == Decimal("49.3475")
