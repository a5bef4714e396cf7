"""Zerodha's official client at the rehearsal Kite: what it makes of it is what happened."""

import asyncio
from decimal import Decimal
from random import Random
from typing import Any

from clients.conftest import Judge
from tests.venues.paper.world import HandClock
from trueup.testing.servers.serving import serving
from trueup.testing.servers.zerodha import limits
from trueup.testing.servers.zerodha.demo import ACCOUNT, API_KEY, API_SECRET, USER_ID, demo_app, demo_exchange
from trueup.testing.servers.zerodha.hours import always
from trueup.testing.servers.zerodha.server import ZerodhaServer

D = Decimal


def test_the_official_client_logs_in_trades_and_sees_what_happened(judge: Judge) -> None:
    clock = HandClock()
    exchange = demo_exchange(clock, Random(5))
    exchange.trade_by_hand(ACCOUNT, "NSE.INFY.MIS/INR:INR", "sell", D(4))
    server = ZerodhaServer(
        exchange,
        {ACCOUNT: demo_app()},
        clock=clock,
        random=Random(5),
        hours=always,
        requests_max=limits.NONE,  # the clock stands, and with it the second
    )

    async def run() -> dict[str, Any]:
        async with serving(server) as address:
            return await judge("kiteconnect_py.py", address.http, address.ws, API_KEY, API_SECRET)

    saw = asyncio.run(run())
    assert saw["before"][:2] == saw["after"][:2] == ["TokenException", 403]
    assert (saw["wrong secret"][:2], saw["used up"][:2]) == (["TokenException", 403], ["TokenException", 403])
    assert (saw["user"], saw["profile"], saw["status"], saw["logged out"]) == (USER_ID, USER_ID, ["success"], True)

    did = saw["did"]
    assert did["changed"] == [7, 701.5, "OPEN", True]
    assert (did["waits"], did["cancelled"], did["poor"][0]) == ("TRIGGER PENDING", "CANCELLED", "REJECTED")
    assert "Insufficient funds" in did["poor"][1]
    assert did["cancelled again"][:2] == did["nothing"][:2] == ["OrderException", 400]
    for refused in ("unprotected", "half a lot", "off the tick", "at once on MCX"):
        assert did[refused][:2] == ["InputException", 400], refused

    truth = exchange.truth(ACCOUNT)
    held = {"NSE:INFY:MIS": -4, "NSE:SBIN:CNC": 3, "NFO:NIFTY30DECFUT:NRML": -65, "MCX:LEADMINI30DECFUT:NRML": 2}
    assert saw["positions"] == held
    assert (truth.positions["NFO.NIFTY30DECFUT.NRML/INR:INR"], truth.positions["NSE.SBIN.MIS/INR:INR"]) == (
        D(-65),
        D(1),
    )
    assert (truth.balances["NSE.SBIN.CNC@equity"], saw["moved"]) == (D(2), True)
    assert (saw["multipliers"]["LEADMINI30DECFUT"], saw["multipliers"]["SBIN"]) == (1_000, 1)
    assert (saw["holdings"], saw["cash"], saw["commodity"]) == ({"INFY": 10}, 1_000_000, True)
    assert len(saw["trades"]) == len(truth.trade_ids) == 4
    assert saw["lots"] == {"NIFTY30DECFUT": 65}

    last = dict(saw["updates"])
    assert last == {order: saw["orders"][order] for order in did["placed"]}
    assert sorted(last.values()) == ["CANCELLED", *["COMPLETE"] * 3, "REJECTED", "TRIGGER PENDING"]
    assert saw["ltp"] == {"NSE:SBIN": 780.5, "CDS:USDINR30DECFUT": 84.5}
    modes = {saw["ticks"][str(token)][0] for token in saw["tokens"].values()}
    assert modes == {"full", "quote", "ltp"}
    prices = {name: saw["ticks"][str(token)][1] for name, token in saw["tokens"].items()}
    assert prices == {
        "SBIN": 780.5, "INFY": 1520.0, "NIFTY30DECFUT": 24500.0, "LEADMINI30DECFUT": 180.0, "USDINR30DECFUT": 84.5,
    }  # fmt: skip
    assert saw["best"] == [780.3, 780.7]
