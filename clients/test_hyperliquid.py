"""The official client and ccxt at the rehearsal Hyperliquid: what they make of it is what happened."""

import asyncio
from collections import defaultdict
from decimal import Decimal
from random import Random
from typing import Any

from clients.conftest import Judge
from tests.venues.paper.world import HandClock
from trueup.engine.clock import SystemClock
from trueup.testing.servers.hyperliquid.server import HyperliquidServer
from trueup.testing.servers.hyperliquid.world import (
    DEMO_ACCOUNT,
    DEMO_AGENT_KEY,
    DEMO_KEY,
    DEPOSITS,
    address_of,
    hyperliquid_markets,
)
from trueup.testing.servers.serving import serving
from trueup.venues.paper.exchange import PaperExchange

OWNER, AGENT = address_of(DEMO_KEY), address_of(DEMO_AGENT_KEY)
D = Decimal
HOUR_MS = 3_600_000


def venue(*, mainnet: bool) -> HyperliquidServer:
    """A venue with some past, its clock standing at the present: nonces are times of the client's own clock."""
    clock = HandClock()
    clock.time = SystemClock().now() - 3 * HOUR_MS * 1_000_000
    exchange = PaperExchange(hyperliquid_markets(), clock=clock, random=Random(5))
    exchange.open_account(DEMO_ACCOUNT, DEPOSITS)
    exchange.trade_by_hand(DEMO_ACCOUNT, "BTC/USDC:USDC", "buy", D("0.1"))
    exchange.trade_by_hand(DEMO_ACCOUNT, "SOL/USDC:USDC", "sell", D(20))
    for _ in range(3):
        clock.pass_ms(HOUR_MS)
        exchange.advance()
    return HyperliquidServer(exchange, {OWNER: DEMO_ACCOUNT}, clock=clock, agents={AGENT: OWNER}, mainnet=mainnet)


def judged(server: HyperliquidServer, judge: Judge, script: str) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        async with serving(server) as address:
            return await judge(script, address.http, OWNER, DEMO_AGENT_KEY)

    return asyncio.run(run())


def held(server: HyperliquidServer, suffix: str) -> dict[str, Decimal]:
    positions = server.exchange.truth(DEMO_ACCOUNT).positions
    return {symbol.removesuffix(suffix): quantity for symbol, quantity in positions.items() if ":" not in symbol[:5]}


def status(answer: dict[str, Any]) -> Any:
    return answer["response"]["data"]["statuses"][0]


def test_the_official_client_trades_and_sees_what_happened(judge: Judge) -> None:
    server = venue(mainnet=False)  # whoever is not at the venue's own address signs for the test chain
    saw = judged(server, judge, "hyperliquid_sdk.py")
    truth = server.exchange.truth(DEMO_ACCOUNT)

    did = saw["did"]
    assert "resting" in status(did["resting"])
    assert did["found"]["status"] == "order"
    assert did["found"]["order"]["status"] == "open"
    assert did["modified"]["status"] == "ok"
    assert [(D(row["sz"]), D(row["limitPx"])) for row in did["shown"]] == [(D("0.02"), D(50_100))]
    assert status(did["cancelled"]) == "success"
    assert "error" in status(did["cancelled again"])
    assert did["found cancelled"]["order"]["status"] == "canceled"
    assert did["unknown"] == {"status": "unknownOid"}
    assert D(status(did["bought"])["filled"]["totalSz"]) == D("0.5")
    assert "resting" in status(did["stop"])
    assert D(status(did["closed"])["filled"]["totalSz"]) == D(20)
    assert D(status(did["spot"])["filled"]["totalSz"]) == D(1_000)
    assert "Post only" in status(did["crossing"])["error"]
    assert "tick size" in status(did["off the tick"])["error"]
    assert did["leverage"]["status"] == "ok"

    assert (
        {row["position"]["coin"]: D(row["position"]["szi"]) for row in saw["state"]["assetPositions"]}
        == {
            "BTC": D("0.1"),
            "ETH": D("0.5"),
        }
        == held(server, "/USDC:USDC")
    )
    assert len(saw["fills"]) == len({row["tid"] for row in saw["fills"]}) == len(truth.trade_ids)
    assert sorted(row["tid"] for row in saw["fills by time"]) == sorted(row["tid"] for row in saw["fills"])
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in saw["fills"]:
        sums[row["coin"]] += D(row["sz"]) if row["side"] == "B" else -D(row["sz"])
    assert sums == {"BTC": D("0.1"), "SOL": D(0), "ETH": D("0.5"), "PURR/USDC": D(1_000)}
    assert {row["delta"]["coin"] for row in saw["funding"]} == {"BTC", "SOL"}
    assert {row["delta"]["type"] for row in saw["ledger"]} >= {"deposit"}
    assert [row["isTrigger"] for row in saw["orders"]] == [True]
    assert saw["role"] == {"role": "user"}
    assert set(saw["heard"]["tids"]) == {row["tid"] for row in saw["fills"]}
    assert {"open", "canceled", "filled"} <= set(saw["heard"]["statuses"])


def test_ccxt_trades_and_sees_what_happened(judge: Judge) -> None:
    server = venue(mainnet=True)
    saw = judged(server, judge, "ccxt_hyperliquid.py")
    truth = server.exchange.truth(DEMO_ACCOUNT)

    assert {"BTC/USDC:USDC", "ETH/USDC:USDC", "PURR/USDC", "HYPE/USDC"} <= set(saw["markets"])
    assert saw["cancelled"] == "success"
    assert saw["fetched"] == "closed"
    assert {symbol: D(size) for symbol, (_, size) in saw["positions"].items()} == {
        "BTC/USDC:USDC": D("0.1"),
        "ETH/USDC:USDC": D("0.5"),
        "SOL/USDC:USDC": D(20),
    }
    assert saw["positions"]["SOL/USDC:USDC"][0] == "short"
    assert len(saw["trades"]) == len({row[0] for row in saw["trades"]}) == len(truth.trade_ids)
    assert set(saw["watched"]) <= {row[0] for row in saw["trades"]}
    assert saw["orders"] == []
    assert {row[1] for row in saw["funding"]} == {"BTC/USDC:USDC", "SOL/USDC:USDC"}
    assert "deposit" in {kind for kind, _ in saw["ledger"]}
