"""The OANDA adapter keeps to the port, against a server that was written without it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from random import Random

import pytest

from tests.conformance.venues.rigs import SocketRig, clock
from trueup.engine.reading import Hints
from trueup.testing.conformance.venues import CHECKS, HEDGED_CHECKS, Check, name, run
from trueup.testing.servers.chaos import Chaos, VenueClock
from trueup.testing.servers.faults import NO_FAULTS, WirePlan
from trueup.testing.servers.oanda.demo import ACCOUNT, ACCOUNT_ID, TOKEN, demo_markets
from trueup.testing.servers.oanda.server import TRANSACTIONS_MAX, OandaServer
from trueup.testing.servers.proxy import TcpProxy
from trueup.testing.servers.serving import serving
from trueup.venues.oanda.live import OandaVenue
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.transport.secrets import Secret


@asynccontextmanager
async def oanda(plan: WirePlan = NO_FAULTS, *, hedged: bool = False) -> AsyncIterator[SocketRig]:
    now = clock()
    exchange = PaperExchange(demo_markets(), clock=now, random=Random(1))
    exchange.open_account(ACCOUNT, {"USD": Decimal(100_000_000)}, hedged=hedged)
    server = OandaServer(exchange, {ACCOUNT_ID: ACCOUNT}, clock=now, tokens={TOKEN: (ACCOUNT_ID,)}, requests_max=0)

    def connect(random: Random, hints: Hints) -> OandaVenue:
        url = f"http://127.0.0.1:{proxy.port}"
        return OandaVenue(
            ACCOUNT,
            account_id=ACCOUNT_ID,
            token=Secret("token", TOKEN),
            rest_url=url,
            stream_url=url,
            clock=now,
            random=random,
            home_currency=hints.home_currency,
            open_orders=hints.open_orders,
            learnt=hints.learnt,
        )

    chaos = Chaos(server, plan, VenueClock(now))
    async with serving(chaos) as address:
        with TcpProxy(address.host, address.port) as proxy:
            rig = SocketRig(
                exchange,
                now,
                proxy,
                account=ACCOUNT,
                symbol="EUR/USD",
                lot=Decimal(500_000),
                page=TRANSACTIONS_MAX,
                hedged=hedged,
                money_step=Decimal("0.0001"),
                words={"place": b'"order"', "cancel": b"/cancel"},
                connect=connect,
            )
            yield rig
            assert bool(chaos.struck) == bool(plan.faults)
            await rig.aclose()


@pytest.mark.parametrize("check", CHECKS, ids=name)
def test_oanda_conforms(check: Check) -> None:
    asyncio.run(run(check, oanda))


@pytest.mark.parametrize("check", HEDGED_CHECKS, ids=name)
def test_an_oanda_account_with_both_sides_conforms(check: Check) -> None:
    asyncio.run(run(check, partial(oanda, hedged=True)))
