"""The venue that is ready to start: its keys trade, on either chain, and its prices stay such as the venue has."""

import asyncio
from decimal import Decimal
from random import Random

import httpx
import pytest

from tests.testing.servers.hyperliquid.rehearsal import AGENT, BTC_ID, OWNER, PATIENCE_S, limit, signed
from tests.venues.paper.world import HandClock
from trueup.testing.servers.hyperliquid.assets import Assets
from trueup.testing.servers.hyperliquid.world import DEMO_AGENT_KEY, demo_server, hyperliquid_markets
from trueup.testing.servers.serving import serving


@pytest.mark.parametrize("mainnet", [True, False])
def test_the_demo_is_traded_with_its_agents_key(mainnet: bool) -> None:
    async def main() -> None:
        clock = HandClock()
        server = demo_server(clock, Random(1), mainnet=mainnet)
        action = {"type": "order", "orders": [limit(BTC_ID, "buy", "0.01", "61000", "Ioc")], "grouping": "na"}
        async with serving(server) as at, httpx.AsyncClient(base_url=at.http, timeout=PATIENCE_S) as http:
            role = await http.post("/info", json={"type": "userRole", "user": AGENT})
            assert role.json() == {"role": "agent", "data": {"user": OWNER}}
            right, wrong = ("a", "b") if mainnet else ("b", "a")
            now = clock.time // 1_000_000
            refused = await http.post("/exchange", json=signed(action, DEMO_AGENT_KEY, now, source=wrong))
            assert refused.json()["status"] == "err"
            done = await http.post("/exchange", json=signed(action, DEMO_AGENT_KEY, now, source=right))
            assert "filled" in done.json()["response"]["data"]["statuses"][0]

    asyncio.run(main())


def test_prices_walk_where_orders_may_be() -> None:
    clock = HandClock()
    exchange = demo_server(clock, Random(2)).exchange
    assets = Assets(hyperliquid_markets())
    for _ in range(500):
        exchange.advance()
        for symbol, price in exchange.prices.items():
            level = assets.by_symbol[symbol].market.level
            assert all(assets.by_symbol[symbol].takes_price(price + step * level) for step in (-1, 0, 1)), (
                symbol,
                price,
            )
    assert exchange.prices["BTC/USDC:USDC"] != Decimal(60_000)
