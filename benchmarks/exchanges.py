"""ccxt: what a process costs that uses an exchange of it and one that does not, and its trades turned into facts.

Both processes open the same program; only in one an account at an exchange of ccxt is connected. The other must not
have imported it.
"""

import subprocess
import sys
import time
from typing import Any

from benchmarks.measure import Row, result, say
from trueup.model.events import FillBooked
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.venues.ccxt import facts
from trueup.venues.ccxt.context import Context
from trueup.venues.ccxt.corrections import correction_of

TRADES = 20_000
TURNS = 5

_CONNECTED = """
import asyncio
import sys
from random import Random
from trueup import settings
from trueup.bootstrap import venues
from trueup.engine.clock import SystemClock
from trueup.engine.reading import Hints
from trueup.model.identifiers import AccountId
account = {account}
environment = {{"K": "k", "S": "s"}}
async def connected():
    venue = venues.live_venue(account, environment=environment, clock=SystemClock(), random=Random(1), hints=Hints())
    await venue.aclose()
asyncio.run(connected())
assert ("ccxt" in sys.modules) is {imported}
print(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
"""

WITHOUT = _CONNECTED.format(
    account='settings.HyperliquidSettings(account=AccountId("hyperliquid:main"), address="0x" + 40 * "1")',
    imported=False,
)
WITH = _CONNECTED.format(
    account='settings.CcxtSettings(account=AccountId("bybit:main"), exchange="bybit", key="env:K", secret="env:S")',
    imported=True,
)


def run(quick: bool) -> dict[str, Any]:
    turns = 2 if quick else TURNS
    return result([*_starts(turns), _decoded(200 if quick else TRADES)], trades=TRADES)


def _starts(turns: int) -> list[Row]:
    say("exchanges: starts with and without ccxt")
    pairs = [(_start(WITHOUT), _start(WITH)) for _ in range(turns + 1)][1:]
    plain, full = [without for without, _ in pairs], [using for _, using in pairs]
    return [
        Row("a process without ccxt, an account connected", [took for took, _ in plain], "ms"),
        Row("a process with ccxt, an account connected", [took for took, _ in full], "ms"),
        Row("with ccxt to without, time", [using[0] / without[0] for without, using in pairs], "x"),
        Row("its memory, without ccxt", [memory for _, memory in plain], "MB"),
        Row("its memory, with ccxt", [memory for _, memory in full], "MB"),
        Row("with ccxt to without, memory", [using[1] / without[1] for without, using in pairs], "x"),
    ]


def _start(program: str) -> tuple[float, float]:
    """Milliseconds and megabytes of a process from its start to its end."""
    began = time.perf_counter()
    ended = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return (time.perf_counter() - began) * 1_000, int(ended.stdout) / 1_024


def _decoded(count: int) -> Row:
    say(f"exchanges: {count:,} trades of ccxt's to facts")
    terms = Instrument("BTC/USDT:USDT", "BTCUSDT", "linear", "BTC", "USDT", "USDT")
    context = Context(AccountId("bybit:main"), "bybit", {terms.symbol: terms}, correction_of("bybit"))
    trades = [
        {
            "id": f"e{number}",
            "symbol": terms.symbol,
            "side": "buy" if number % 2 else "sell",
            "amount": f"0.{number % 997 + 1:03d}",
            "price": f"{60_000 + number % 1_000}.5",
            "timestamp": 1_700_000_000_000 + number * 7,
            "order": f"o{number // 3}",
            "takerOrMaker": "taker",
            "fee": {"cost": f"0.{number % 991 + 1:06d}", "currency": "USDT"},
            "info": {"symbol": "BTCUSDT", "execType": "Trade", "orderLinkId": f"ours{number // 3}"},
        }
        for number in range(count)
    ]
    rates = []
    for _ in range(TURNS):
        began = time.perf_counter()
        told = [fact for trade in trades for fact in facts.trade(context, trade)]
        rates.append(count / (time.perf_counter() - began))
        if sum(isinstance(fact, FillBooked) for fact in told) != count:
            raise RuntimeError(f"{len(told)} facts of {count} trades")
    return Row("ccxt's trades turned into facts", rates, "/s")
