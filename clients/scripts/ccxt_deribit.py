"""ccxt reads, trades and listens at Deribit. Arguments: HTTP and WebSocket addresses, client id, client secret."""

import asyncio
import json
import sys

import ccxt
import ccxt.pro

PATIENCE_S = 60
LINEAR, INVERSE = "BTC/USDC:USDC", "BTC/USD:BTC"


async def main(http: str, ws: str, key: str, secret: str) -> None:
    exchange = ccxt.pro.deribit({"apiKey": key, "secret": secret, "enableRateLimit": False})
    exchange.number = str
    exchange.urls["api"] = {"rest": http, "ws": f"{ws}/ws/api/v2"}
    exchange.options["ws"]["currencies"] = ["BTC", "USDC"]
    try:
        print(json.dumps(await story(exchange), default=str))
    finally:
        await exchange.close()


async def story(exchange: ccxt.pro.deribit) -> dict[str, object]:
    markets = await exchange.load_markets()
    watching = asyncio.create_task(exchange.watch_my_trades())
    orders = asyncio.create_task(exchange.watch_orders(None, None, None, {"kind": "future"}))
    balance = asyncio.create_task(exchange.watch_balance())
    ticker = await exchange.watch_ticker(LINEAR)
    await subscribed(exchange, 4)
    did = await trade(exchange)
    async with asyncio.timeout(PATIENCE_S):
        watched, heard, balances = await watching, await orders, await balance
    return {
        "did": did,
        "markets": {
            symbol: [market["type"], market["linear"], market["contractSize"]] for symbol, market in markets.items()
        },
        "ticker": [ticker["bid"], ticker["ask"]],
        "watched": [row["id"] for row in watched],
        "heard": [[row["id"], row["status"]] for row in heard],
        "balances": sorted(name for name in balances if name in {"BTC", "USDC"}),
        **await look(exchange, did["bought"][0]),
    }


async def trade(exchange: ccxt.pro.deribit) -> dict[str, object]:
    resting = await exchange.create_order(LINEAR, "limit", "buy", 0.1, 50_000, {"label": "mine"})
    edited = await exchange.edit_order(resting["id"], LINEAR, "limit", "buy", 0.2, 51_000)
    cancelled = await exchange.cancel_order(resting["id"], LINEAR)
    bought = await exchange.create_order(LINEAR, "market", "buy", 0.5)
    sold = await exchange.create_order(INVERSE, "market", "sell", 1_000)
    stop = await exchange.create_order(
        LINEAR, "market", "sell", 0.1, None, {"stopLossPrice": 55_000, "reduceOnly": True}
    )
    return {
        "resting": [resting["id"], resting["status"], resting["amount"]],
        "edited": [edited["id"], edited["amount"], edited["price"]],
        "cancelled": [cancelled["id"], cancelled["status"]],
        "bought": [bought["id"], bought["status"], bought["filled"], len(bought["trades"])],
        "sold": [sold["id"], sold["status"], sold["filled"]],
        "stop": [stop["id"], stop["status"]],
        "refused": [
            await refusal(exchange.cancel_order(resting["id"], LINEAR)),
            await refusal(exchange.create_order(LINEAR, "limit", "buy", 9_000, 50_000)),
            await refusal(exchange.create_order(LINEAR, "limit", "buy", 0.1, 61_000, {"postOnly": True})),
            await refusal(exchange.fetch_order("USDC-1", LINEAR)),
        ],
    }


async def look(exchange: ccxt.pro.deribit, bought: str) -> dict[str, object]:
    balance = await exchange.fetch_balance()
    return {
        "positions": {row["symbol"]: [row["side"], row["info"]["size"]] for row in await exchange.fetch_positions()},
        "trades": [
            [row["id"], row["side"], row["amount"], row["price"], row["fee"]["cost"], row["fee"]["currency"]]
            for symbol in (LINEAR, INVERSE)
            for row in await exchange.fetch_my_trades(symbol, None, 100)
        ],
        "since": len(await exchange.fetch_my_trades(LINEAR, 1, 100)),
        "of the order": [row["id"] for row in await exchange.fetch_order_trades(bought)],
        "open": [row["id"] for row in await exchange.fetch_open_orders(LINEAR)],
        "closed": [row["id"] for row in await exchange.fetch_closed_orders(LINEAR)],
        "fetched": (await exchange.fetch_order(bought))["status"],
        "balance": {name: balance[name]["total"] for name in ("BTC", "USDC")},
        "time": await exchange.fetch_time(),
        "wrong secret": await stranger(exchange),
    }


async def stranger(exchange: ccxt.pro.deribit) -> str:
    """What somebody without the secret is told."""
    secret, exchange.secret = exchange.secret, "wrong"
    try:
        return await refusal(exchange.fetch_positions())
    finally:
        exchange.secret = secret


async def refusal(asked: object) -> str:
    """The name of the error that ccxt makes of a refusal."""
    try:
        await asked
    except ccxt.BaseError as error:
        return type(error).__name__
    return ""


async def subscribed(exchange: ccxt.pro.deribit, channels: int) -> None:
    """Wait until so many channels were asked for, and answered by what follows."""
    async with asyncio.timeout(PATIENCE_S):
        while sum(len(client.subscriptions) for client in exchange.clients.values()) < channels:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)


asyncio.run(main(*sys.argv[1:]))
