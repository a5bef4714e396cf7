"""Coinbase's official client and ccxt at the rehearsal Coinbase: what they make of it is what happened."""

import asyncio
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from clients.conftest import Judge
from tests.venues.paper.world import HandClock
from trueup.engine.clock import SystemClock
from trueup.testing.servers.coinbase.demo import (
    ACCOUNT,
    DEPOSITS,
    ED25519_KEY_NAME,
    KEY_NAME,
    demo_exchange,
    demo_keys,
    ed25519_private_key,
    private_key,
)
from trueup.testing.servers.coinbase.server import CoinbaseServer
from trueup.testing.servers.serving import serving

D = Decimal
FUTURE, FUTURE_ID = "BTC/USD:USD-BIP-20DEC30", "BIP-20DEC30-CDE"
KEYS = {"ES256": (KEY_NAME, private_key()), "EdDSA": (ED25519_KEY_NAME, ed25519_private_key())}


def venue(*, older_positions: bool = False) -> CoinbaseServer:
    """A venue whose clock stands at the present: tokens carry the time of the client's own clock."""
    clock = HandClock()
    clock.time = SystemClock().now()
    exchange = demo_exchange(clock, Random(5))
    return CoinbaseServer(
        exchange, demo_keys(), clock=clock, private_max=0, public_max=0, older_positions=older_positions
    )


def judged(server: CoinbaseServer, judge: Judge, script: str, key: tuple[str, str], scheme: str = "") -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        async with serving(server) as address:
            return await judge(script, f"{scheme}{address.host}:{address.port}", *key)

    return asyncio.run(run())


@pytest.mark.parametrize("algorithm", sorted(KEYS))
def test_the_official_client_trades_and_sees_what_happened(judge: Judge, algorithm: str) -> None:
    server = venue()
    saw = judged(server, judge, "coinbase_advanced.py", KEYS[algorithm])
    truth = server.exchange.truth(ACCOUNT)

    did = saw["did"]
    assert did["resting"]["success"] is True
    assert did["again"] is True
    assert did["found"] == "OPEN"
    assert (did["edited"], did["edited price"]) == (True, "49000")
    assert did["shown"] == [False, True]
    assert did["cancelled"] == [True, False]
    assert did["bought"]["success"] is did["sold"] is did["stop"] is did["closed"] is True
    assert (did["too much"], did["off the tick"]) == ("INSUFFICIENT_FUND", "INVALID_PRICE_PRECISION")
    assert (did["previewed"], did["unknown order"], saw["stranger"]) == ([], 404, 401)

    assert truth.positions == {FUTURE: D(-1)}
    assert saw["positions"] == {FUTURE_ID: ["SHORT", "1"]}
    assert (saw["position"], saw["futures"]) == ("1", [FUTURE_ID])
    told = {currency: D(free) + D(held) for currency, (free, held) in saw["balances"].items()}
    assert told == {currency: truth.balances.get(currency, D(0)) for currency in told}
    assert D(saw["cash"]) == truth.balances["USD@cfm"]
    assert told["USD"] < DEPOSITS["USD"]
    assert len(saw["fills"]) == len({row[0] for row in saw["fills"]}) == len(truth.trade_ids)
    assert {(row[1], row[2]) for row in saw["fills"]} == {
        ("BTC-USD", "BUY"), (FUTURE_ID, "SELL"), (FUTURE_ID, "BUY"),
    }  # fmt: skip
    assert [row[5] for row in saw["fills"]].count(True) >= 1, "what was bought for an amount says its size in that"
    assert saw["orders"] == [
        ["closed", "FILLED"],
        ["stop", "OPEN"],
        ["sold", "FILLED"],
        ["bought", "FILLED"],
        ["last", "CANCELLED"],
        ["resting", "CANCELLED"],
    ]
    assert len(saw["products"]) == 6
    assert FUTURE_ID in saw["public"]
    assert (saw["contract"], sorted(saw["books"]), saw["tier"]) == ("0.01", sorted(["BTC-USD", FUTURE_ID]), "0.006")
    assert D(saw["spread"]) == 2
    assert saw["permissions"]["can_trade"] is True
    assert saw["permissions"]["portfolio_uuid"] == saw["portfolio"]

    heard = saw["heard"]
    assert heard["numbers"] == list(range(len(heard["numbers"])))
    assert {"user", "futures_balance_summary", "subscriptions"} <= set(heard["channels"])
    assert [state for name, state in heard["states"] if name == "resting"] == ["OPEN", "OPEN", "CANCELLED"]
    assert [state for name, state in heard["states"] if name == "sold"] == ["OPEN", "FILLED"]
    assert heard["positions"][-1] == [FUTURE_ID, "SHORT", "1"]


@pytest.mark.parametrize("algorithm", sorted(KEYS))
def test_ccxt_trades_and_sees_what_happened(judge: Judge, algorithm: str) -> None:
    server = venue(older_positions=True)  # it reads no other
    saw = judged(server, judge, "ccxt_coinbase.py", KEYS[algorithm], "http://")
    truth = server.exchange.truth(ACCOUNT)

    assert saw["markets"]["BTC-USD"][0] == "BTC/USD"
    assert D(saw["markets"][FUTURE_ID][1]) == D("0.01")
    assert saw["edited"] is saw["cancelled"] is True
    assert [(mine, D(price), D(size)) for mine, price, size in saw["shown"]] == [(True, D(49_000), D("0.2"))]
    assert saw["bought"][0] == saw["sold"] == "closed"
    assert saw["positions"] == [[FUTURE_ID, "short", "1", "0.01"]]
    assert truth.positions == {FUTURE: D(-1)}
    assert len(saw["trades"]) == len({row[0] for row in saw["trades"]}) == len(truth.trade_ids)
    assert {name: D(total) for name, total in saw["balance"].items() if D(total)} == {
        name: total for name, total in truth.balances.items() if "@" not in name
    }
    assert saw["orders"] == 4
    assert saw["funds"] == "InsufficientFunds"
    assert D(saw["book"]) == 60_001
    assert len(saw["portfolios"]) == 1
