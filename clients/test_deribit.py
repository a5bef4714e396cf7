"""ccxt at the rehearsal Deribit, over its REST interface and its WebSocket: what it makes of it is what happened."""

import asyncio
from decimal import Decimal
from random import Random
from typing import Any

from clients.conftest import Judge
from tests.venues.paper.world import HandClock
from trueup.engine.clock import SystemClock
from trueup.testing.servers.jsonrpc_derivatives.world import (
    CLIENT_ID,
    CLIENT_SECRET,
    DERIBIT,
    demo_exchange,
    deribit_server,
)
from trueup.testing.servers.serving import serving

D = Decimal
HOUR_MS = 3_600_000


def test_ccxt_trades_and_sees_what_happened(judge: Judge) -> None:
    clock = HandClock()
    clock.time = SystemClock().now() - HOUR_MS * 1_000_000  # what ccxt signs carries the time of its own clock
    exchange = demo_exchange(clock, Random(5), DERIBIT)
    exchange.trade_by_hand(DERIBIT, "ETH/USDC:USDC", "sell", D(2))
    clock.pass_ms(HOUR_MS)
    exchange.advance()
    prices = exchange.prices
    server = deribit_server(clock, Random(5), exchange=exchange, limited=False)

    async def run() -> dict[str, Any]:
        async with serving(server) as address:
            return await judge("ccxt_deribit.py", address.http, address.ws, CLIENT_ID, CLIENT_SECRET)

    saw = asyncio.run(run())
    truth = exchange.truth(DERIBIT)
    did = saw["did"]
    assert saw["markets"]["BTC/USDC:USDC"] == ["swap", True, "0.001"]
    assert saw["markets"]["BTC/USD:BTC"] == ["swap", False, "10"]
    price = prices["BTC/USDC:USDC"]
    assert D(saw["ticker"][0]) < price < D(saw["ticker"][1])

    assert did["resting"][1:] == ["open", "0.1"]
    assert did["edited"] == [did["resting"][0], "0.2", "51000"]
    assert did["cancelled"] == [did["resting"][0], "canceled"]
    assert did["bought"][1:] == ["closed", "0.5", 2]
    assert did["sold"][1:] == ["closed", "1000"]
    assert did["stop"][1] == "open"
    assert did["refused"] == ["InvalidOrder", "InsufficientFunds", "InvalidOrder", "OrderNotFound"]

    held = {symbol: [side, D(size)] for symbol, (side, size) in saw["positions"].items()}
    assert {symbol: size for symbol, (_, size) in held.items()} == truth.positions
    assert held == {
        "BTC/USDC:USDC": ["long", D("0.5")],
        "BTC/USD:BTC": ["short", D(-1_000)],
        "ETH/USDC:USDC": ["short", D(-2)],
    }
    assert len({row[0] for row in saw["trades"]}) == len(saw["trades"]) == len(truth.trade_ids) - 1
    assert {(row[1], row[5]) for row in saw["trades"]} == {("buy", "USDC"), ("sell", "BTC")}
    assert saw["since"] == 2
    assert set(saw["of the order"]) == {row[0] for row in saw["trades"] if row[1] == "buy"}
    assert saw["open"] == [did["stop"][0]]
    assert saw["closed"] == [did["bought"][0]]
    assert saw["fetched"] == "closed"
    assert set(saw["watched"]) <= {row[0] for row in saw["trades"]}
    assert saw["watched"]
    assert saw["heard"]
    assert {order_id for order_id, _ in saw["heard"]} <= {did[one][0] for one in ("resting", "bought", "sold", "stop")}
    assert saw["balances"]
    floating = sum(
        held.unrealized_pnl or D(0)
        for (symbol, _), held in (exchange.snapshot(DERIBIT).positions or {}).items()
        if symbol.endswith("USDC")
    )
    assert abs(D(saw["balance"]["USDC"]) - truth.balances["USDC"] - floating) < D("1e-7")
    assert saw["time"] == clock.time // 1_000_000
    assert saw["wrong secret"] == "AuthenticationError"
