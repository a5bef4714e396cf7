"""Recordings of the real venue: every one is read, or refused for the reason that this table states."""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from tests.venues.hyperliquid.saved import ACCOUNT, MS, RECORDINGS, of, total
from trueup.model.errors import Malformed
from trueup.model.events import FillBooked, FundingPaid, InstrumentDefined, OpeningPosition, OrderReported
from trueup.model.facts import fact_key
from trueup.ports import Reading
from trueup.venues.files import open_answers
from trueup.venues.hyperliquid.reader import HyperliquidReader

recordings = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason=f"no recorded answers beside the project ({RECORDINGS.name})"
)

NOT_AN_ANSWER = "not JSON"  # a test script of another client: the request's line stands before the answer
HUMMINGBOT = "hummingbot/hyperliquid_perpetual-hyperliquid_perpetual_derivative-"
STREAMS = "user_stream_data_source-test_listen_for_user_stream_subscribes_to_orders_and_balances_events-"

KINDS: dict[str, list[str]] = {
    "hummingbot/hyperliquid-hyperliquid_exchange-all_symbols_request_mock_response-L95.json": ["spotMeta"],
    "hummingbot/hyperliquid-hyperliquid_exchange-latest_prices_request_mock_response-L168.json": ["spotMeta"],
    f"hummingbot/hyperliquid-hyperliquid_{STREAMS}L100.json": ["userFills"],
    f"hummingbot/hyperliquid-hyperliquid_{STREAMS}L92.json": ["historicalOrders"],
    f"hummingbot/hyperliquid_perpetual-hyperliquid_perpetual_{STREAMS}L104.json": ["userFills"],
    f"hummingbot/hyperliquid_perpetual-hyperliquid_perpetual_{STREAMS}L96.json": ["historicalOrders"],
    f"{HUMMINGBOT}all_symbols_request_mock_response-L104.json": ["meta"],
    f"{HUMMINGBOT}balance_request_mock_response_for_base_and_quote-L203.json": ["clearinghouseState"],
    f"{HUMMINGBOT}latest_prices_request_mock_response-L124.json": ["meta"],
    f"{HUMMINGBOT}spot_balance_request_mock_response-L251.json": ["spotClearinghouseState"],
    f"{HUMMINGBOT}test_update_positions-L2764.json": ["clearinghouseState"],
    f"{HUMMINGBOT}test_update_positions_removes_zero_amount-L2790.json": ["clearinghouseState"],
    f"{HUMMINGBOT}test_update_positions_short_position-L3069.json": ["clearinghouseState"],
    f"{HUMMINGBOT}test_update_positions_with_hip3_markets-L2857.json": ["clearinghouseState"],
    "nautilus/http_meta_perp_sample.json": ["meta"],
    "nautilus/http_spot_clearinghouse_state.json": ["spotClearinghouseState"],
    "sdk-cassettes/test_get_info.yaml": ["meta"],
    "sdk-cassettes/test_get_open_orders.yaml": ["openOrders"],
    "sdk-cassettes/test_get_user_state.yaml": ["clearinghouseState"],
    "sdk-cassettes/test_historical_orders.yaml": ["historicalOrders"],
    "sdk-cassettes/test_user_funding_history_with_end_time.yaml": ["userFunding"],
    "sdk-cassettes/test_user_non_funding_ledger_updates_with_end_time.yaml": ["userNonFundingLedgerUpdates"],
    "sdk-cassettes/test_user_twap_slice_fills.yaml": ["userTwapSliceFills"],
    "sdk-cassettes/user_fills_oldest200.json": ["userFills"],
}
"""Files that are read: the kind of each answer in them."""

REASONS: dict[str, list[str]] = {
    f"{HUMMINGBOT}test_format_trading_rules_with_hip3_markets-L3239.json": ["market data"],
    f"{HUMMINGBOT}test_hydrate_dex_markets_asset_ctxs_handles_skip_malformed_mismatch_and_exception-L3774.json": [
        "market data"
    ],
    f"{HUMMINGBOT}test_iter_hip3_merged_markets_skips_invalid_rows-L3729.json": ["market data"],
    f"{HUMMINGBOT}test_parse_all_perp_metas_response_handles_invalid_entries_and_mismatch-L3712.json": [
        "not recognised"
    ],
    "nautilus/http_funding_history.json": ["market's funding rates"],
    "nautilus/http_l2_book_snapshot.json": ["order book"],
    "nautilus/http_recent_trades_btc.json": ["market trades"],
    "nautilus/ws_allmids.json": ["'allMids' holds nothing"],
    "sdk-cassettes/test_extra_agents.yaml": ["agents"],
    "sdk-cassettes/test_get_all_mids.yaml": ["mid prices"],
    "sdk-cassettes/test_get_candles_snapshot.yaml": ["", "candles"],
    "sdk-cassettes/test_get_funding_history_1684811870000.yaml": ["", "market's funding rates"],
    "sdk-cassettes/test_user_rate_limit.yaml": ["rate limits"],
}
"""Files that are refused: why each answer in them is; empty for one that is read."""

FOUND = sorted(str(path.relative_to(RECORDINGS)) for path in RECORDINGS.rglob("*") if path.is_file())
FILES = FOUND or sorted({*KINDS, *REASONS})


def read_all(name: str) -> list[Reading | str]:
    """The readings of a file's answers, or why they were refused."""
    reader = HyperliquidReader(ACCOUNT)
    outcomes: list[Reading | str] = []
    for answer in open_answers(RECORDINGS / name):
        try:
            outcomes.append(reader.read(answer.name, answer.data, answer.request))
        except Malformed as refusal:
            outcomes.append(f"{refusal.message} {refusal.remedy}")
    return outcomes


def read_one(name: str) -> Reading:
    (reading,) = read_all(name)
    assert isinstance(reading, Reading)
    return reading


@recordings
@pytest.mark.parametrize("name", FILES)
def test_every_recording_is_read_or_refused_for_a_stated_reason(name: str) -> None:
    outcomes = read_all(name)
    if name in KINDS:
        readings = [outcome for outcome in outcomes if isinstance(outcome, Reading)]
        assert [reading.kind for reading in readings] == KINDS[name]
        assert not any(reading.refused for reading in readings)
        assert len(readings) == len(outcomes)
    else:
        reasons = REASONS.get(name, [NOT_AN_ANSWER])
        assert name in REASONS or name.startswith("jkorf/")
        assert len(outcomes) == len(reasons)
        for outcome, reason in zip(outcomes, reasons, strict=True):
            assert isinstance(outcome, str) == bool(reason)
            assert not reason or (reason in str(outcome) and str(outcome).startswith(Path(name).name))


# What another client's test scripts hold once the lines before the answer are taken off.
SCRIPTED: dict[str, str] = {
    "Endpoints-Futures-Account-GetFundingHistory.txt": "userFunding",
    "Endpoints-Futures-ExchangeData-GetExchangeInfo.txt": "meta",
    "Endpoints-Spot-Account-GetBalances.txt": "spotClearinghouseState",
    "Endpoints-Spot-ExchangeData-GetExchangeInfo.txt": "spotMeta",
    "Endpoints-Spot-ExchangeData-GetExchangeInfoAndTickers.txt": "spotMeta",
    "Endpoints-Spot-Trading-GetOpenOrders.txt": "openOrders",
    "Endpoints-Futures-ExchangeData-GetFundingRateHistory.txt": "!market's funding rates",
    "Endpoints-Spot-Account-GetApprovedBuilderFee.txt": "!not recognised",
    "Endpoints-Spot-Account-GetRateLimits.txt": "!rate limits",
    "Endpoints-Spot-Account-GetSubAccounts.txt": "!states of several accounts",
    "Endpoints-Spot-ExchangeData-GetAssetInfo.txt": "!details of a token",
    "Endpoints-Spot-ExchangeData-GetKlines.txt": "!candles",
    "Endpoints-Spot-ExchangeData-GetOrderBook.txt": "!order book",
    "Endpoints-Spot-ExchangeData-GetPrices.txt": "!mid prices",
    "Endpoints-Spot-Trading-PlaceOrder.txt": "!answer to an order",
}


@recordings
@pytest.mark.parametrize("name", SCRIPTED)
def test_answers_inside_test_scripts(name: str) -> None:
    answer = (RECORDINGS / "jkorf" / name).read_bytes().split(b"\n", 3)[3]
    expected = SCRIPTED[name]
    if expected.startswith("!"):
        with pytest.raises(Malformed, match=expected[1:]):
            HyperliquidReader(ACCOUNT).read(name, answer)
    else:
        reading = HyperliquidReader(ACCOUNT).read(name, answer)
        assert (reading.kind, list(reading.refused)) == (expected, [])


@recordings
def test_an_order_in_a_numbered_coin_is_refused_until_the_coin_is_known() -> None:
    script = (RECORDINGS / "jkorf" / "Subscriptions-Order.txt").read_bytes()
    reading = HyperliquidReader(ACCOUNT).read("feed", script.split(b"\n= ", 1)[1])
    (refusal,) = reading.refused
    assert (refusal.field, refusal.value) == ("coin", "@107")


# --- totals, folded apart from the parser -----------------------------------------------------------------------------


def raw_fills() -> list[dict[str, str]]:
    rows = json.loads((RECORDINGS / "sdk-cassettes" / "user_fills_oldest200.json").read_text(), parse_int=str)
    assert len(rows) == 200
    return list(rows)


def sums(rows: list[dict[str, str]], amount: Callable[[dict[str, str]], Decimal]) -> dict[str, Decimal]:
    folded: dict[str, Decimal] = {}
    for row in rows:
        folded[row["coin"]] = folded.get(row["coin"], Decimal(0)) + amount(row)
    return folded


@recordings
def test_the_recorded_fills_add_up() -> None:
    rows = raw_fills()
    reading = read_one("sdk-cassettes/user_fills_oldest200.json")
    fills = of(reading, FillBooked)
    coins = {d.instrument.symbol: d.instrument.native_symbol for d in of(reading, InstrumentDefined)}
    signed, notional = sums(rows, signed_size), sums(rows, lambda row: signed_size(row) * Decimal(row["px"]))
    for coin in signed:
        own = [fill for fill in fills if coins[fill.instrument] == coin]
        directions = [Decimal(1) if fill.side == "buy" else Decimal(-1) for fill in own]
        assert sum(s * f.quantity for s, f in zip(directions, own, strict=True)) == signed[coin]
        assert sum(s * f.quantity * f.price for s, f in zip(directions, own, strict=True)) == notional[coin]
    assert set(coins.values()) == set(signed)
    assert total(fills, "fee") == sum(Decimal(row["fee"]) for row in rows)
    assert {fill.venue_time // MS for fill in fills} == {int(row["time"]) for row in rows}
    assert Counter(fill.venue_order_id for fill in fills) == Counter(row["oid"] for row in rows)


def signed_size(row: dict[str, str]) -> Decimal:
    return Decimal(row["sz"]) if row["side"] == "B" else -Decimal(row["sz"])


@recordings
def test_the_closed_pnl_that_the_venue_states_belongs_to_the_fills_that_close() -> None:
    # A fill closes exactly when it goes against its startPosition, and only then does the venue state P&L. So the
    # P&L stated for the fills that close, found by what the parser made of them, is all that is stated.
    stated: defaultdict[tuple[object, ...], Decimal] = defaultdict(Decimal)
    for row in raw_fills():
        key = (row["oid"], int(row["time"]) * MS, Decimal(row["px"]), Decimal(row["sz"]), Decimal(row["startPosition"]))
        stated[key] += Decimal(row["closedPnl"])
    fills = of(read_one("sdk-cassettes/user_fills_oldest200.json"), FillBooked)
    closing = {
        (fill.venue_order_id, fill.venue_time, fill.price, fill.quantity, fill.start_position)
        for fill in fills
        if fill.start_position and (fill.start_position > 0) == (fill.side == "sell")
    }
    assert sum(stated[key] for key in closing) == sum(Decimal(row["closedPnl"]) for row in raw_fills()) != 0


@recordings
def test_recorded_fills_without_ids_are_named_the_same_whenever_and_in_whatever_order_they_come() -> None:
    first = read_one("sdk-cassettes/user_fills_oldest200.json")
    again = read_one("sdk-cassettes/user_fills_oldest200.json")
    rows = raw_fills()
    shuffled = HyperliquidReader(ACCOUNT).read("shuffled", json.dumps(random.Random(7).sample(rows, 200)).encode())
    assert first.facts == again.facts
    assert sorted(map(repr, first.facts)) == sorted(map(repr, shuffled.facts))
    fills = of(first, FillBooked)
    assert all(fill.weak for fill in fills)
    assert len({fact_key(fill) for fill in fills}) == 200


@recordings
def test_recorded_coins_open_where_their_earliest_fills_started() -> None:
    rows = raw_fills()
    earliest = {
        coin: min(int(row["time"]) for row in rows if row["coin"] == coin) for coin in {r["coin"] for r in rows}
    }
    starts = {
        coin: {Decimal(r["startPosition"]) for r in rows if r["coin"] == coin and int(r["time"]) == time}
        for coin, time in earliest.items()
    }
    openings = of(read_one("sdk-cassettes/user_fills_oldest200.json"), OpeningPosition)
    assert {opening.opening_id.partition(":")[0] for opening in openings} == set(starts)
    for opening in openings:
        coin = opening.opening_id.partition(":")[0]
        assert opening.quantity in starts[coin]
        assert opening.venue_time == earliest[coin] * MS
        assert opening.price is None


@recordings
def test_the_recorded_funding_adds_up() -> None:
    name = "sdk-cassettes/test_user_funding_history_with_end_time.yaml"
    recorded = yaml.safe_load((RECORDINGS / name).read_text())["interactions"][0]["response"]["body"]["string"]
    deltas = [row["delta"] for row in json.loads(recorded)]
    payments = of(read_one(name), FundingPaid)
    assert total(payments, "amount") == sum(Decimal(delta["usdc"]) for delta in deltas) != 0
    assert [payment.venue_id.partition(":")[2] for payment in payments] == sorted(delta["coin"] for delta in deltas)
    assert not any(payment.weak for payment in payments)


@recordings
def test_the_recorded_state_and_orders() -> None:
    state = read_one("sdk-cassettes/test_get_user_state.yaml").snapshot
    assert state is not None
    assert state.balances == {"USDC": Decimal("1182.312496") - Decimal("0.688018")}
    assert len(state.positions or {}) == 12
    bitcoin = (state.positions or {})["BTC/USDC:USDC", "net"]
    assert (bitcoin.quantity, bitcoin.mark_price, bitcoin.leverage) == (
        Decimal("-0.00785"),
        Decimal("26961.2"),
        Decimal(20),
    )
    orders = read_one("sdk-cassettes/test_get_open_orders.yaml").snapshot
    assert orders is not None
    assert len(orders.open_orders or {}) == 196
    reports = of(read_one("sdk-cassettes/test_historical_orders.yaml"), OrderReported)
    assert Counter(report.status for report in reports) == {"rejected": 3, "canceled": 2}


def test_the_table_names_no_file_twice() -> None:
    assert not KINDS.keys() & REASONS.keys()
    assert Path(FILES[0]).suffix
