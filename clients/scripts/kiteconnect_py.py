"""Zerodha's official client logs in, reads, trades and listens. Arguments: http address, ws address, key, secret."""

import json
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

import requests
from kiteconnect import KiteConnect, KiteTicker
from kiteconnect.exceptions import KiteException

PATIENCE_S = 60
_NAMES = ("exchange", "tradingsymbol", "product")
SHARE = {"exchange": "NSE", "tradingsymbol": "SBIN", "product": "CNC"}
FUTURE = {"exchange": "NFO", "tradingsymbol": "NIFTY30DECFUT", "product": "NRML"}
LEAD = {"exchange": "MCX", "tradingsymbol": "LEADMINI30DECFUT", "product": "NRML"}


def main(http: str, ws: str, key: str, secret: str) -> None:
    KiteConnect._default_login_uri = f"{http}/connect/login"  # noqa: SLF001 - it has no other door
    kite = KiteConnect(key, root=http)
    saw = {"before": refused(kite.profile), **log_in(kite, secret)}
    heard = Heard(kite, ws, saw["tokens"])
    heard.opened()
    saw["did"] = trade(kite)
    saw |= look(kite)
    saw |= heard.everything(saw["did"]["placed"])
    saw["logged out"] = kite.invalidate_access_token()
    saw["after"] = refused(kite.orders)
    print(json.dumps(saw, default=str))


def log_in(kite: KiteConnect, secret: str) -> dict[str, object]:
    sent_on = requests.get(kite.login_url(), allow_redirects=False, timeout=PATIENCE_S)
    told = parse_qs(urlsplit(sent_on.headers["location"]).query)
    token = told["request_token"][0]
    wrong = refused(lambda: kite.generate_session(token, "another secret"))
    session = kite.generate_session(token, secret)
    again = refused(lambda: kite.generate_session(token, secret))
    kite.set_access_token(session["access_token"])
    tokens = {row["tradingsymbol"]: row["instrument_token"] for row in kite.instruments()}
    return {
        "status": told["status"],
        "wrong secret": wrong,
        "used up": again,
        "user": session["user_id"],
        "login": session["login_time"],
        "tokens": tokens,
        "lots": {row["tradingsymbol"]: row["lot_size"] for row in kite.instruments("NFO")},
        "profile": kite.profile()["user_id"],
    }


def trade(kite: KiteConnect) -> dict[str, object]:
    placed: list[str] = []

    def place(names: dict[str, str], side: str, quantity: int, **more: object) -> str:
        more.setdefault("order_type", "MARKET")
        if more["order_type"] == "MARKET":
            more.setdefault("market_protection", kite.MARKET_PROTECTION_AUTO)
        placed.append(kite.place_order("regular", **names, transaction_type=side, quantity=quantity, **more))
        return placed[-1]

    place(SHARE, "BUY", 3, tag="bought")
    place(FUTURE, "SELL", 65)
    place(LEAD, "BUY", 2)
    resting = place(SHARE, "BUY", 5, order_type="LIMIT", price=700, tag="rests")
    kite.modify_order("regular", resting, quantity=7, price=701.5)
    changed = kite.order_history(resting)[-1]
    stop = place(FUTURE, "BUY", 65, order_type="SL", price=25000, trigger_price=24900)
    poor = place(SHARE, "BUY", 1_000_000, order_type="LIMIT", price=780)
    kite.cancel_order("regular", resting)
    return {
        "placed": placed,
        "changed": [changed["quantity"], changed["price"], changed["status"], changed["modified"]],
        "waits": kite.order_history(stop)[-1]["status"],
        "poor": [kite.order_history(poor)[-1][field] for field in ("status", "status_message")],
        "cancelled": kite.order_history(resting)[-1]["status"],
        "cancelled again": refused(lambda: kite.cancel_order("regular", resting)),
        "unprotected": refused(lambda: place(SHARE, "BUY", 1, market_protection=0)),
        "half a lot": refused(lambda: place(FUTURE, "BUY", 30)),
        "off the tick": refused(lambda: place(SHARE, "BUY", 1, order_type="LIMIT", price=700.01)),
        "at once on MCX": refused(lambda: place(LEAD, "BUY", 1, validity="IOC")),
        "nothing": refused(lambda: kite.order_history("1")),
    }


def look(kite: KiteConnect) -> dict[str, object]:
    positions = kite.positions()["net"]
    return {
        "orders": {row["order_id"]: row["status"] for row in kite.orders()},
        "trades": [[row["tradingsymbol"], row["transaction_type"], row["quantity"]] for row in kite.trades()],
        "positions": {
            f"{row['exchange']}:{row['tradingsymbol']}:{row['product']}": row["quantity"] for row in positions
        },
        "multipliers": {row["tradingsymbol"]: row["multiplier"] for row in positions},
        "holdings": {row["tradingsymbol"]: row["quantity"] for row in kite.holdings()},
        "cash": kite.margins()["equity"]["available"]["cash"],
        "commodity": kite.margins("commodity")["enabled"],
        "ltp": {name: row["last_price"] for name, row in kite.ltp("NSE:SBIN", "CDS:USDINR30DECFUT").items()},
        "ohlc": kite.ohlc("NSE:SBIN")["NSE:SBIN"]["ohlc"]["open"],
        "depth": len(kite.quote("NSE:SBIN")["NSE:SBIN"]["depth"]["sell"]),
        "moved": kite.convert_position("NSE", "SBIN", "BUY", "day", 1, "CNC", "MIS"),
    }


class Heard:
    """What the ticker told, until it told of everything."""

    def __init__(self, kite: KiteConnect, ws: str, tokens: dict[str, int]) -> None:
        self.updates: list[dict] = []
        self.ticks: dict[int, dict] = {}
        self._open = threading.Event()
        self._ticker = KiteTicker(kite.api_key, kite.access_token, root=ws)
        self._tokens = list(tokens.values())
        self._ticker.on_open = self._ask
        self._ticker.on_ticks = lambda _, ticks: self.ticks.update({t["instrument_token"]: t for t in ticks})
        self._ticker.on_order_update = lambda _, row: self.updates.append(row)
        self._ticker.connect(threaded=True)

    def _ask(self, ticker: KiteTicker) -> None:
        ticker.subscribe(self._tokens)
        ticker.set_mode(KiteTicker.MODE_FULL, self._tokens[:2])
        ticker.set_mode(KiteTicker.MODE_LTP, self._tokens[-1:])
        self._open.set()

    def opened(self) -> None:
        if not self._open.wait(PATIENCE_S):
            raise TimeoutError("the ticker did not open")

    def everything(self, placed: list[str]) -> dict[str, object]:
        until = time.monotonic() + PATIENCE_S
        while {row["order_id"] for row in self.updates} != set(placed) or len(self.ticks) < len(self._tokens):
            if time.monotonic() > until:
                raise TimeoutError("the ticker did not tell of everything")
            time.sleep(0.05)
        told = {str(token): [tick["mode"], tick["last_price"]] for token, tick in self.ticks.items()}
        full = self.ticks[self._tokens[0]]
        return {
            "updates": [[row["order_id"], row["status"]] for row in self.updates],
            "ticks": told,
            "best": [full["depth"]["buy"][0]["price"], full["depth"]["sell"][0]["price"]],
        }


def refused(call: object) -> list[object]:
    try:
        call()
    except KiteException as error:
        return [type(error).__name__, error.code, str(error)]
    return []


main(*sys.argv[1:])
