"""The ccxt adapter keeps to the port, against a server of Hyperliquid that was written without it.

Every check of the suite passes: orders, cancels and what is read go through ccxt as its users have it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from random import Random

import pytest

from tests.conformance.venues.rigs import SocketRig, clock
from trueup.engine.reading import Hints
from trueup.testing.conformance.venues import CHECKS, Check, name, run
from trueup.testing.servers.chaos import Chaos, VenueClock
from trueup.testing.servers.faults import NO_FAULTS, WirePlan
from trueup.testing.servers.hyperliquid.server import HyperliquidServer
from trueup.testing.servers.hyperliquid.world import (
    DEMO_ACCOUNT,
    DEMO_AGENT_KEY,
    DEMO_KEY,
    address_of,
    hyperliquid_markets,
)
from trueup.testing.servers.jsonrpc_derivatives import world as engine
from trueup.testing.servers.proxy import TcpProxy
from trueup.testing.servers.serving import serving
from trueup.venues.ccxt.live import CcxtVenue
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.transport.secrets import Secret

UNLIMITED = 1_000_000


@asynccontextmanager
async def hyperliquid_by_ccxt(plan: WirePlan = NO_FAULTS) -> AsyncIterator[SocketRig]:
    now = clock()
    exchange = PaperExchange(hyperliquid_markets(), clock=now, random=Random(1))
    exchange.open_account(DEMO_ACCOUNT, {"USDC": Decimal(1_000_000)})
    owner, agent = address_of(DEMO_KEY), address_of(DEMO_AGENT_KEY)
    server = HyperliquidServer(
        exchange, {owner: DEMO_ACCOUNT}, clock=now, agents={agent: owner}, weight_per_minute=UNLIMITED
    )

    def connect(random: Random, hints: Hints) -> CcxtVenue:
        return CcxtVenue(
            DEMO_ACCOUNT,
            exchange="hyperliquid",
            credentials={
                "walletAddress": Secret("wallet", owner),
                "privateKey": Secret("secret", DEMO_AGENT_KEY),
            },
            rest_url=f"http://127.0.0.1:{proxy.port}",
            stream_url=f"ws://127.0.0.1:{proxy.port}",
            clock=now,
            random=random,
            instruments=hints.instruments,
            learnt=hints.learnt,
        )

    chaos = Chaos(server, plan, VenueClock(now))
    async with serving(chaos) as address:
        with TcpProxy(address.host, address.port) as proxy:
            rig = SocketRig(
                exchange,
                now,
                proxy,
                account=DEMO_ACCOUNT,
                symbol="BTC/USDC:USDC",
                lot=Decimal("0.02"),
                page=2_000,
                words={"place": b'"type":"order"', "cancel": b'"type":"cancel'},
                connect=connect,
            )
            yield rig
            assert bool(chaos.struck) == bool(plan.faults)
            await rig.aclose()


@asynccontextmanager
async def deribit_by_ccxt() -> AsyncIterator[SocketRig]:
    now = clock()
    exchange = PaperExchange(engine.markets(), clock=now, random=Random(1))
    exchange.open_account(engine.DERIBIT, {"USDC": Decimal(150_000), "BTC": Decimal(3)})
    server = engine.deribit_server(now, Random(2), exchange=exchange, limited=False)

    def connect(random: Random, hints: Hints) -> CcxtVenue:
        return CcxtVenue(
            engine.DERIBIT,
            exchange="deribit",
            credentials={
                "apiKey": Secret("key", engine.CLIENT_ID),
                "secret": Secret("secret", engine.CLIENT_SECRET),
            },
            rest_url=f"http://127.0.0.1:{proxy.port}",
            stream_url=f"ws://127.0.0.1:{proxy.port}",
            clock=now,
            random=random,
            instruments=hints.instruments,
            traded=hints.traded,
            learnt=hints.learnt,
        )

    async with serving(server) as address:
        with TcpProxy(address.host, address.port) as proxy:
            rig = SocketRig(
                exchange,
                now,
                proxy,
                account=engine.DERIBIT,
                symbol="BTC/USDC:USDC",
                lot=Decimal("0.1"),
                page=100,
                money_step=None,
                words={"place": b"/private/buy", "cancel": b"/private/cancel"},
                connect=connect,
            )
            yield rig
            await rig.aclose()


@pytest.mark.parametrize("check", CHECKS, ids=name)
def test_deribit_through_ccxt_conforms(check: Check) -> None:
    asyncio.run(run(check, deribit_by_ccxt))


@pytest.mark.parametrize("check", CHECKS, ids=name)
def test_ccxt_conforms(check: Check) -> None:
    asyncio.run(run(check, hyperliquid_by_ccxt))
