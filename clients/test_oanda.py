"""OANDA's official client at the rehearsal OANDA: what it makes of it is what happened."""

import asyncio
from decimal import Decimal
from random import Random
from typing import Any

from clients.conftest import Judge
from tests.venues.paper.world import HandClock
from trueup.testing.servers.oanda.demo import ACCOUNT, ACCOUNT_ID, HEDGED_ACCOUNT_ID, TOKEN, demo_exchange, demo_server
from trueup.testing.servers.serving import serving

D = Decimal
HOUR_MS = 3_600_000


def test_the_official_client_trades_and_sees_what_happened(judge: Judge) -> None:
    clock = HandClock()
    exchange = demo_exchange(clock, Random(5))
    server = demo_server(clock, Random(5), exchange=exchange)
    exchange.trade_by_hand(ACCOUNT, "GBP/USD", "sell", D(500))
    clock.pass_ms(HOUR_MS)

    async def run() -> dict[str, Any]:
        async with serving(server) as address:
            return await judge("oanda_v20.py", address.host, str(address.port), ACCOUNT_ID, TOKEN)

    saw = asyncio.run(run())
    did = saw["did"]
    assert did["resting"][0] == 201
    assert did["found"] == [200, did["resting"][1]]
    assert did["replaced"] == [201, "CLIENT_REQUEST_REPLACED"]
    assert len(did["shown"]) == 1
    assert (did["cancelled"], did["cancelled again"]) == (200, 404)
    assert (did["bought"][0], D(did["bought"][1])) == (201, D(3_000))
    assert (did["sold"][0], D(did["sold"][1])) == (201, D(-700))
    assert did["off the tick"] == [400, "PRICE_PRECISION_EXCEEDED"]
    assert did["nothing to close"] == [404, "CLOSEOUT_POSITION_DOESNT_EXIST"]
    assert did["wrong account"] in {403, 404}
    assert (did["closed"][0], D(did["closed"][1])) == (200, D(-3_000))

    assert saw["accounts"] == [ACCOUNT_ID, HEDGED_ACCOUNT_ID]
    held = {symbol: quantity for symbol, quantity in exchange.truth(ACCOUNT).positions.items() if quantity}
    assert {name.replace("_", "/"): D(long) + D(short) for name, (long, short) in saw["positions"].items()} == held
    assert held == {"GBP/USD": D(-500), "USD/JPY": D(-700)}
    assert saw["trades"] == ["USD_JPY", "GBP_USD"]
    assert {"EUR_USD", "USD_JPY", "XAU_USD"} <= set(saw["instruments"])
    assert saw["prices"] == ["EUR_USD", "USD_JPY"]
    assert saw["since"] == [str(number) for number in range(2, int(saw["last"]) + 1)]
    assert saw["range"] == ["2", "3", "4"]
    assert saw["changes"] == saw["last"]
    assert D(saw["balance"]) == D(did["closed"][3])
    assert set(saw["heard"]) <= set(saw["since"])
    assert len(saw["heard"]) >= 8
