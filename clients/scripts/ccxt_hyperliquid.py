"""ccxt reads, trades and listens at Hyperliquid. Arguments: address of the venue, of the account, agent's key."""

import asyncio
import json
import sys
from urllib.parse import urlsplit

import ccxt.pro

PATIENCE_S = 60


async def main(url: str, account: str, key: str) -> None:
    exchange = ccxt.pro.hyperliquid(
        {
            "walletAddress": account,
            "privateKey": key,
            "enableRateLimit": False,
            "options": {"builderFee": False, "fetchMarkets": {"types": ["swap", "spot"]}},
        }
    )
    exchange.number = str
    exchange.has["fetchCurrencies"] = False
    exchange.urls["api"] = pointed(exchange.urls["api"], url, exchange)
    exchange.initialize_client = initialised  # else it signs writes of its own
    try:
        print(json.dumps(await story(exchange), default=str))
    finally:
        await exchange.close()


async def initialised(*_: object) -> bool:
    return True


def pointed(value: object, url: str, exchange: object) -> object:
    """The exchange's addresses with their host replaced."""
    if isinstance(value, dict):
        return {name: pointed(inner, url, exchange) for name, inner in value.items()}
    parts = urlsplit(exchange.implode_hostname(value))
    scheme = "ws" if parts.scheme.startswith("ws") else "http"
    return f"{scheme}://{urlsplit(url).netloc}{parts.path}"


async def story(exchange: ccxt.pro.hyperliquid) -> dict[str, object]:
    markets = await exchange.load_markets()
    watching = asyncio.create_task(exchange.watch_my_trades())
    await asyncio.sleep(0)
    resting = await exchange.create_order("BTC/USDC:USDC", "limit", "buy", 0.01, 50_000)
    cancelled = await exchange.cancel_order(resting["id"], "BTC/USDC:USDC")
    price = (await exchange.fetch_ticker("ETH/USDC:USDC"))["last"]
    bought = await exchange.create_order("ETH/USDC:USDC", "market", "buy", 0.5, float(price))
    async with asyncio.timeout(PATIENCE_S):
        watched = await watching
    return {
        "markets": sorted(markets),
        "resting": resting["id"],
        "cancelled": cancelled["status"],
        "bought": bought["id"],
        "watched": [row["id"] for row in watched],
        "positions": {row["symbol"]: [row["side"], row["contracts"]] for row in await exchange.fetch_positions()},
        "trades": [
            [row["id"], row["symbol"], row["side"], row["amount"], row["price"]] for row in await trades(exchange)
        ],
        "orders": [row["id"] for row in await exchange.fetch_open_orders()],
        "funding": [[row["id"], row["symbol"], row["amount"]] for row in await exchange.fetch_funding_history(since=1)],
        "ledger": [[row["type"], row["amount"]] for row in await exchange.fetch_ledger(since=1)],
        "balance": (await exchange.fetch_balance())["USDC"],
        "fetched": (await exchange.fetch_order(bought["id"], "ETH/USDC:USDC"))["status"],
    }


async def trades(exchange: ccxt.pro.hyperliquid) -> list:
    return await exchange.fetch_my_trades()


asyncio.run(main(*sys.argv[1:]))
