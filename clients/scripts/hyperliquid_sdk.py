"""The official Hyperliquid client trades and listens. Arguments: address of the venue, of the account, agent's key."""

import json
import sys
import time

from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.types import Cloid

PATIENCE_S = 60


def main(url: str, account: str, key: str) -> None:
    info = Info(url)
    heard: list[object] = []
    for kind in ("userFills", "orderUpdates", "userFundings", "userNonFundingLedgerUpdates"):
        info.subscribe({"type": kind, "user": account}, heard.append)
    exchange = Exchange(Account.from_key(key), url, account_address=account)
    done = trade(exchange, info, account)
    saw = {"did": done, **look(info, account)}
    tids = {fill["tid"] for fill in saw["fills"]}
    saw["heard"] = listen(heard, tids)
    info.disconnect_websocket()
    print(json.dumps(saw))


def trade(exchange: Exchange, info: Info, account: str) -> dict[str, object]:
    cloid = Cloid.from_str("0x" + 32 * "a")
    resting = exchange.order("BTC", True, 0.01, 50_000, {"limit": {"tif": "Gtc"}}, cloid=cloid)
    oid = resting["response"]["data"]["statuses"][0]["resting"]["oid"]
    return {
        "resting": resting,
        "found": info.query_order_by_cloid(account, cloid),
        "modified": exchange.modify_order(oid, "BTC", True, 0.02, 50_100, {"limit": {"tif": "Gtc"}}, cloid=cloid),
        "shown": info.open_orders(account),
        "cancelled": exchange.cancel_by_cloid("BTC", cloid),
        "cancelled again": exchange.cancel_by_cloid("BTC", cloid),
        "found cancelled": info.query_order_by_cloid(account, cloid),
        "unknown": info.query_order_by_cloid(account, Cloid.from_str("0x" + 32 * "b")),
        "bought": exchange.market_open("ETH", is_buy=True, sz=0.5),
        "stop": exchange.order(
            "ETH",
            is_buy=False,
            sz=0.5,
            limit_px=2_000,
            order_type={"trigger": {"isMarket": True, "triggerPx": 2_500, "tpsl": "sl"}},
            reduce_only=True,
        ),
        "closed": exchange.market_close("SOL"),
        "spot": exchange.market_open("PURR/USDC", is_buy=True, sz=1_000),
        "crossing": exchange.order("BTC", True, 0.01, 70_000, {"limit": {"tif": "Alo"}}),
        "off the tick": exchange.order("BTC", True, 0.01, 50_000.5, {"limit": {"tif": "Gtc"}}),
        "leverage": exchange.update_leverage(5, "BTC"),
    }


def look(info: Info, account: str) -> dict[str, object]:
    return {
        "state": info.user_state(account),
        "spot state": info.spot_user_state(account),
        "orders": info.frontend_open_orders(account),
        "fills": info.user_fills(account),
        "fills by time": info.user_fills_by_time(account, 0),
        "funding": info.user_funding_history(account, 0),
        "ledger": info.user_non_funding_ledger_updates(account, 0),
        "past orders": info.historical_orders(account),
        "mids": info.all_mids(),
        "book": info.l2_snapshot("BTC"),
        "role": info.user_role(account),
    }


def listen(heard: list[object], tids: set[int]) -> dict[str, object]:
    """What the feeds said once every fill was among it."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        messages = list(heard)
        fills = {fill["tid"] for message in messages for fill in rows(message, "userFills", "fills")}
        if fills >= tids or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return {
        "tids": sorted(fills),
        "channels": sorted({message["channel"] for message in messages}),
        "statuses": sorted(
            {
                update["status"]
                for message in messages
                if message["channel"] == "orderUpdates"
                for update in message["data"]
            }
        ),
    }


def rows(message: dict, channel: str, name: str) -> list:
    return message["data"][name] if message["channel"] == channel else []


main(*sys.argv[1:])
