"""ccxt reads and trades at Coinbase. Arguments: address of the venue, key name, private key."""

import asyncio
import json
import sys
from urllib.parse import urlsplit

import ccxt.async_support as ccxt

SPOT, FUTURE = "BTC/USD", "BTC/USD:USD"


async def main(url: str, key: str, secret: str) -> None:
    exchange = ccxt.coinbase({"apiKey": key, "secret": secret, "enableRateLimit": False})
    exchange.number = str
    exchange.has["fetchCurrencies"] = False
    exchange.urls["api"] = pointed(exchange.urls["api"], url, exchange)
    try:
        print(json.dumps(await story(exchange), default=str))
    finally:
        await exchange.close()


def pointed(value: object, url: str, exchange: object) -> object:
    """The exchange's addresses with their host replaced."""
    if isinstance(value, dict):
        return {name: pointed(inner, url, exchange) for name, inner in value.items()}
    parts = urlsplit(exchange.implode_hostname(value))
    return f"http://{urlsplit(url).netloc}{parts.path}"


async def story(exchange: ccxt.coinbase) -> dict[str, object]:
    markets = await exchange.load_markets()
    future = next(symbol for symbol, market in markets.items() if market["id"] == "BIP-20DEC30-CDE")
    resting = await exchange.create_order(SPOT, "limit", "buy", 0.1, 50_000, {"clientOrderId": "ccxt-1"})
    edited = await exchange.edit_order(resting["id"], SPOT, "limit", "buy", 0.2, 49_000)
    shown = await exchange.fetch_open_orders(SPOT)
    cancelled = await exchange.cancel_order(resting["id"], SPOT)
    bought = await exchange.create_order(SPOT, "market", "buy", 0.01, 60_000)
    sold = await exchange.create_order(future, "market", "sell", 2)
    closed = await exchange.close_position(future, params={"clientOrderId": "ccxt-2", "size": "1"})
    return {
        "markets": {market["id"]: [symbol, market["contractSize"]] for symbol, market in markets.items()},
        "future": future,
        "edited": edited["info"]["success"],
        "shown": [[row["id"] == resting["id"], row["price"], row["amount"]] for row in shown],
        "cancelled": cancelled["info"]["success"],
        "bought": [(await exchange.fetch_order(bought["id"]))[field] for field in ("status", "filled", "average")],
        "sold": (await exchange.fetch_order(sold["id"]))["status"],
        "closed": closed["id"],
        "trades": [[row["id"], row["symbol"], row["side"], row["amount"]] for row in await trades(exchange)],
        "positions": await refused(exchange.fetch_positions),
        "balance": (await exchange.fetch_balance({"v3": True}))["total"],
        "orders": len(await exchange.fetch_orders()),
        "funds": await refused(exchange.create_order, SPOT, "limit", "buy", 90, 50_000),
        "book": (await exchange.fetch_bids_asks([SPOT]))[SPOT]["ask"],
        "portfolios": [row["id"] for row in await exchange.fetch_portfolios()],
    }


async def trades(exchange: ccxt.coinbase) -> list:
    return await exchange.fetch_my_trades()


async def refused(ask: object, *arguments: object) -> object:
    """The answer, or the kind of its error."""
    try:
        answer = await ask(*arguments)
    except ccxt.BaseError as error:
        return type(error).__name__
    return [[row["info"]["product_id"], row["side"], row["contracts"], row["contractSize"]] for row in answer]


asyncio.run(main(*sys.argv[1:]))
