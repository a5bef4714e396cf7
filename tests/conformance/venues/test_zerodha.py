"""The Zerodha adapter keeps to the port, against a server that was written without it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from tests.conformance.venues.rigs import SocketRig, clock
from trueup.engine.reading import Hints
from trueup.testing.conformance.trading import TRADING, check_stops_rest_and_fire
from trueup.testing.conformance.venues import CHECKS, Check, name, run
from trueup.testing.servers.chaos import Chaos, VenueClock
from trueup.testing.servers.faults import NO_FAULTS, WirePlan
from trueup.testing.servers.proxy import TcpProxy
from trueup.testing.servers.serving import serving
from trueup.testing.servers.zerodha import limits
from trueup.testing.servers.zerodha.demo import ACCOUNT, API_KEY, demo_app, demo_markets
from trueup.testing.servers.zerodha.hours import always
from trueup.testing.servers.zerodha.server import ZerodhaServer
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.transport.secrets import Secret
from trueup.venues.zerodha import tokens
from trueup.venues.zerodha.live import ZerodhaVenue

UNLIMITED = dict.fromkeys(limits.USUAL, 1_000_000)


@asynccontextmanager
async def zerodha(plan: WirePlan = NO_FAULTS, *, transit_s: float = 0.0) -> AsyncIterator[SocketRig]:
    now = clock()
    exchange = PaperExchange(demo_markets(), clock=now, random=Random(1))
    exchange.open_account(ACCOUNT, {"INR@equity": Decimal(1_000_000_000)})
    app = demo_app()
    server = ZerodhaServer(
        exchange,
        {ACCOUNT: app},
        clock=now,
        random=Random(2),
        hours=always,
        requests_max=UNLIMITED,
        tick_s=0.02,
        transit_s=transit_s,
    )

    def connect(random: Random, hints: Hints) -> ZerodhaVenue:
        return ZerodhaVenue(
            ACCOUNT,
            api_key=Secret("api_key", API_KEY),
            token_file=token_file,
            rest_url=f"http://127.0.0.1:{proxy.port}",
            stream_url=f"ws://127.0.0.1:{proxy.port}",
            folder=token_file.parent,
            clock=now,
            random=random,
            instruments=hints.instruments,
            learnt=hints.learnt,
        )

    chaos = Chaos(server, plan, VenueClock(now))
    with TemporaryDirectory(prefix="trueup-kite-") as folder:
        token_file = Path(folder) / "login"
        kept = tokens.TokenFile(token_file, ACCOUNT)
        kept.save(tokens.login(app.user_id, server.sessions.admit(app), now.now()))
        async with serving(chaos) as address:
            with TcpProxy(address.host, address.port) as proxy:
                rig = SocketRig(
                    exchange,
                    now,
                    proxy,
                    account=ACCOUNT,
                    symbol="NFO.NIFTY30DECFUT.NRML/INR:INR",
                    lot=Decimal(65),
                    page=100,
                    money_step=None,
                    words={"place": b"transaction_type=", "cancel": b"DELETE /orders/"},
                    connect=connect,
                )
                yield rig
                assert bool(chaos.struck) == bool(plan.faults)
                await rig.aclose()


@pytest.mark.parametrize("check", CHECKS, ids=name)
def test_zerodha_conforms(check: Check) -> None:
    asyncio.run(run(check, zerodha))


SLOWLY = [check for check in TRADING if check is not check_stops_rest_and_fire]
"""Those that look at what became of an order when they were told of it, and not when they know of it otherwise."""


@pytest.mark.parametrize("check", SLOWLY, ids=name)
def test_zerodha_conforms_while_orders_are_on_their_way_for_long(check: Check) -> None:
    asyncio.run(run(check, partial(zerodha, transit_s=0.15)))
