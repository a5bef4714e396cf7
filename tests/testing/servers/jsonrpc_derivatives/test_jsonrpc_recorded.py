"""Answers that the engine really gave judge ours by their shape: the same fields, of the same kinds."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.testing.servers.jsonrpc_derivatives.talk import BTC, EVER, XBT, Json, Row, Talk, eventful, rehearse

RECORDED = Path(__file__).resolve().parents[5] / "shared" / "venue-data" / "deribit" / "nautilus"

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers are not here")

NOT_OURS = {
    "option_type", "strike",  # of options
    "combo_id", "combo_trade_id", "combo_trade_ids", "legs", "block_trade_id", "block_trade_leg_count",  # and of combos
}  # fmt: skip
"""Fields of recorded answers that ours need not have."""

NAMES_ARE_DATA = ("_map",)


def test_the_recorded_instruments_and_ours_are_of_one_shape() -> None:
    async def story(talk: Talk) -> None:
        recorded, ours = saved("http_get_instruments"), await whole(talk, "public/get_instruments", currency="BTC")
        recorded["result"] = [row for row in recorded["result"] if row["kind"] == "future"]
        assert list(differences(recorded, ours, "")) == []

    rehearse(story)


def test_the_recorded_summaries_and_ours_are_of_one_shape() -> None:
    async def story(talk: Talk) -> None:
        await eventful(talk)
        ours = await whole(talk, "private/get_account_summaries", extended=True)
        assert list(differences(saved("http_get_account_summaries"), ours, "")) == []

    rehearse(story)


def test_the_recorded_trades_of_the_market_have_nothing_that_ours_lack() -> None:
    async def story(talk: Talk) -> None:
        await eventful(talk)
        ours = await whole(talk, "private/get_user_trades_by_currency", currency="USDC")
        for name in ("http_get_last_trades.json", "http_get_last_trades_perpetual_with_combo_tags.json"):
            assert list(differences(saved(name), ours, name)) == []

    rehearse(story)


def test_the_recorded_answers_to_orders_and_ours_are_of_one_shape() -> None:
    async def story(talk: Talk) -> None:
        stop = await whole(
            talk,
            "private/sell",
            instrument_name=BTC,
            amount=0.01,
            type="stop_market",
            trigger_price=50_000,
            trigger="mark_price",
            label="mine",
        )
        assert list(differences(saved("ws_order_stop_market_no_filled_amount"), stop, "")) == []
        assert "filled_amount" not in stop["result"]["order"]
        resting = await talk.order("buy", "0.01", type="limit", price=50_000, label="mine", post_only=True)
        edited = await whole(talk, "private/edit", order_id=resting["order_id"], amount=0.02, price=50_100)
        assert list(differences(saved("ws_order_edit_response"), edited, "")) == []
        assert edited["result"]["order"]["replaced"] is True

    rehearse(story)


def test_the_recorded_error_and_ours_are_of_one_shape() -> None:
    async def story(talk: Talk) -> None:
        body = {"jsonrpc": "2.0", "id": 1, "method": "private/get_position", "params": {}}
        ours = json.loads((await talk.post(body)).text)
        assert list(differences(saved("ws_error"), ours, "")) == []

    rehearse(story)


def test_the_recorded_ticker_and_ours_are_of_one_shape() -> None:
    async def story(talk: Talk) -> None:
        channel = f"ticker.{XBT}.100ms"
        async with talk.listening(channel) as stream:
            ours = await stream.hear()
        assert list(differences(saved("ws_ticker"), ours, "")) == []

    rehearse(story)


def test_a_settlement_of_the_log_has_what_the_documentation_shows() -> None:
    async def story(talk: Talk) -> None:
        await eventful(talk)
        log = await talk.ask("private/get_transaction_log", currency="USDC", **EVER)
        rows: dict[str, Row] = {row["type"]: row for row in log["logs"]}
        assert rows.keys() == {"trade", "settlement", "deposit", "withdrawal"}
        everywhere = {
            "username", "user_seq", "user_id", "type", "trade_id", "timestamp", "side", "price", "position", "order_id",
            "interest_pl", "instrument_name", "info", "id", "equity", "currency", "commission", "change", "cashflow",
            "balance",
        }  # fmt: skip
        settled = {"total_interest_pl", "session_upl", "session_rpl", "price_currency", "amount"}
        assert all(everywhere <= row.keys() for row in rows.values())
        assert settled <= rows["settlement"].keys()

    rehearse(story)


def test_a_difference_would_be_seen() -> None:
    row: Row = {"price": 1.5, "n": 1, "ok": True, "text": "buy", "inner": {"deep": "x"}}
    changes: list[Row] = [{"price": "1.5"}, {"n": "1"}, {"ok": 1}, {"text": 1}, {"inner": {"deep": 1}}, {"inner": {}}]
    for changed in changes:
        assert len(list(differences([row], [row | changed], ""))) == 1, changed
    assert len(list(differences([row], [{}], ""))) == len(row)
    assert list(differences([row], [row, {"price": 2, "more": 1}], "")) == []


async def whole(talk: Talk, method: str, **params: Json) -> Json:
    """An answer with its envelope."""
    return json.loads((await talk.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})).text)


def saved(name: str) -> Json:
    """The JSON of a file, named by a part of its name."""
    return json.loads(next(RECORDED.glob(f"*{name}*")).read_text())


def differences(recorded: Json, ours: Json, where: str) -> Iterator[str]:
    """Where ours lacks what was recorded, or writes it in another way. Ours may say more, and null is any value."""
    if where.endswith(NAMES_ARE_DATA):
        recorded, ours = list(recorded.values()), list(ours.values())
    if isinstance(recorded, dict) and isinstance(ours, dict):
        for name in recorded.keys() - NOT_OURS:
            if name in ours:
                yield from differences(recorded[name], ours[name], f"{where}.{name}")
            else:
                yield f"{where}.{name} is missing"
    elif isinstance(recorded, list) and isinstance(ours, list):
        if ours and recorded:
            yield from differences(joined(recorded), joined(ours), f"{where}[]")
    elif written(recorded) != written(ours) and recorded is not None and ours is not None:
        yield f"{where}: {written(ours)} {ours!r} for {written(recorded)} {recorded!r}"


def joined(items: list[Json]) -> Json:
    """One row with the fields of all; of a list that holds no rows, its first."""
    if all(isinstance(item, dict) for item in items):
        return {name: value for item in items for name, value in item.items()}
    return items[0]


def written(value: Json) -> str:
    """How a value is written: JSON has one kind of number."""
    return (
        "number" if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else type(value).__name__
    )
