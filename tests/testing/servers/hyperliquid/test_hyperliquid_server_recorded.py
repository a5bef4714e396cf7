"""Answers that the venue really gave judge ours by their shape: the same fields, of the same kinds, written alike."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.testing.servers.hyperliquid.rehearsal import BTC_ID, OWNER, Json, Rehearsal, Row, limit, rehearse
from tests.testing.servers.hyperliquid.test_hyperliquid_reads import eventful

RECORDED = Path(__file__).resolve().parents[5] / "shared" / "venue-data" / "hyperliquid"

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers are not here")

NOT_OURS = {
    "maxTradeSzs",  # answers of 2023 had it
    "liquidationMarkPx",  # now an object: liquidation
    "rawUsd",  # of isolated margin, which is not served
    "isDelisted", "onlyIsolated",  # of markets that are so
}  # fmt: skip
"""Fields of recorded answers that ours need not have."""

NOT_SERVED = {"candleSnapshot", "fundingHistory"}

ANSWERS: list[tuple[str, str]] = [
    ("http_meta_perp_sample", "meta"),
    ("http_l2_book_snapshot", "l2Book"),
    ("Spot-ExchangeData-GetOrderBook", "l2Book"),
    ("Futures-Account-GetFundingHistory", "userFunding"),
    ("Futures-ExchangeData-GetExchangeInfo", "meta"),
    ("Spot-Account-GetApprovedBuilderFee", "maxBuilderFee"),
    ("Spot-Account-GetBalances", "spotClearinghouseState"),
    ("Spot-Account-GetRateLimits", "userRateLimit"),
    ("Spot-Account-GetSubAccounts", "subAccounts"),
    ("Spot-ExchangeData-GetExchangeInfo.", "spotMeta"),
    ("Spot-ExchangeData-GetExchangeInfoAndTickers", "spotMetaAndAssetCtxs"),
    ("Spot-ExchangeData-GetPrices", "allMids"),
    ("Spot-Trading-GetOpenOrders", "openOrders"),
    ("hyperliquid_exchange-all_symbols_request", "spotMetaAndAssetCtxs"),
    ("hyperliquid_perpetual_derivative-all_symbols_request", "metaAndAssetCtxs"),
    ("balance_request_mock_response_for_base_and_quote", "clearinghouseState"),
    ("user_fills_oldest200", "userFills"),
]
"""Files by a part of their name, with the request that each answers."""

MESSAGES: list[tuple[str, str]] = [
    ("ws_allmids", "allMids"),
    ("Subscriptions-Prices", "allMids"),
    ("Subscriptions-OrderBook", "l2Book"),
    ("Subscriptions-Order.", "orderUpdates"),
    ("hyperliquid-hyperliquid_user_stream_data_source*L92", "orderUpdates"),
    ("hyperliquid-hyperliquid_user_stream_data_source*L100", "userFills"),
    ("hyperliquid_perpetual_user_stream_data_source*L104", "userEvents"),
]
"""Files, with the subscription that brings such messages."""


def test_recorded_answers_and_ours_are_of_one_shape() -> None:
    async def story(venue: Rehearsal) -> None:
        await eventful(venue)
        found: list[str] = []
        for kind, recorded in recordings():
            ours = await venue.read(kind, startTime=0, coin="BTC", builder="0x" + 40 * "1")
            found += differences(recorded, ours, kind)
        assert found == []

    rehearse(story)


@pytest.mark.parametrize(("name", "kind"), MESSAGES)
def test_recorded_messages_and_ours_are_of_one_shape(name: str, kind: str) -> None:
    async def story(venue: Rehearsal) -> None:
        recorded = saved(name)
        about = {"l2Book": {"coin": "BTC"}, "allMids": {}}.get(kind, {"user": OWNER})
        async with venue.listening({"type": kind, **about}) as stream:
            await stream.hear_of("subscriptionResponse")
            await eventful(venue)
            ours = await stream.hear()
            while ours["channel"] == "orderUpdates" and "cloid" not in ours["data"][0]["order"]:
                ours = await stream.hear()
        assert list(differences(recorded, ours, "")) == []

    rehearse(story)


def test_the_recorded_answer_to_an_order_and_ours_are_of_one_shape() -> None:
    async def story(venue: Rehearsal) -> None:
        action = {"type": "order", "orders": [limit(BTC_ID, "buy", "0.01", "50000")], "grouping": "na"}
        assert list(differences(saved("Spot-Trading-PlaceOrder"), await venue.act(action), "order")) == []

    rehearse(story)


def test_a_difference_would_be_seen() -> None:
    row: Row = {"px": "1.0", "n": 1, "ok": True, "hash": "0x1a", "text": "Gtc"}
    for changed in ({"px": "1"}, {"px": 1}, {"n": "1"}, {"ok": 1}, {"hash": "1a"}):
        assert len(list(differences([row], [row | changed], ""))) == 1, changed
    assert len(list(differences([row], [{}], ""))) == len(row)
    assert list(differences([row], [row, {"px": "2.5", "more": 1}], "")) == []


def recordings() -> Iterator[tuple[str, Json]]:
    """Requests, with an answer that each was given."""
    for name, kind in ANSWERS:
        yield kind, saved(name)
    for path in sorted((RECORDED / "sdk-cassettes").glob("*.yaml")):
        for exchanged in yaml.safe_load(path.read_text())["interactions"]:
            kind = json.loads(exchanged["request"]["body"])["type"]
            if kind not in NOT_SERVED:
                yield kind, json.loads(exchanged["response"]["body"]["string"])


def saved(name: str) -> Json:
    """The JSON in a file, without what is said of the request."""
    (path,) = RECORDED.rglob(f"*{name}*")
    text = path.read_text()
    if path.name.startswith("Endpoints"):
        text = text.split("\n", 3)[3]
    elif path.name.startswith("Subscriptions"):
        text = text[text.index("\n=") + 2 :]
    return json.loads(text)


def differences(recorded: Json, ours: Json, where: str) -> Iterator[str]:
    """Where ours lacks what was recorded, or writes it in another way. Ours may say more, and null is any value."""
    if where.endswith(("allMids", ".mids")):
        recorded, ours = list(recorded.values()), list(ours.values())  # the names are data
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
    """One row with the fields of all; of a list that holds different things, each in its place; else the first."""
    if all(isinstance(item, dict) for item in items):
        return {name: value for item in items for name, value in item.items()}
    return dict(enumerate(items)) if any(isinstance(item, list | dict) for item in items) else items[0]


def written(value: Json) -> str:
    """How a value is written."""
    if not isinstance(value, str):
        return type(value).__name__
    patterns = {"number": r"-?\d+\.\d+", "hex": r"0x[0-9a-f]+", "digits": r"\d+"}
    return next((name for name, pattern in patterns.items() if re.fullmatch(pattern, value)), "text")
