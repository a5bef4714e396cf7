"""The client of the derivatives engine keeps to the port, as Deribit and as Coinbase's gateway, against one server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from random import Random

import pytest

from tests.conformance.venues.rigs import SocketRig, clock
from trueup.engine.reading import Hints
from trueup.model.identifiers import AccountId
from trueup.ports import Clock, LiveVenue
from trueup.testing.conformance import following, reading, trading
from trueup.testing.conformance.venues import CHECKS, Check, name, run
from trueup.testing.servers.chaos import Chaos, VenueClock
from trueup.testing.servers.faults import NO_FAULTS, WirePlan
from trueup.testing.servers.jsonrpc_derivatives import world
from trueup.testing.servers.jsonrpc_derivatives.server import JsonRpcServer
from trueup.testing.servers.proxy import TcpProxy
from trueup.testing.servers.serving import serving
from trueup.venues.coinbase_derivatives.live import coinbase_derivatives_venue
from trueup.venues.deribit.live import deribit_venue
from trueup.venues.jsonrpc_derivatives import wire
from trueup.venues.jsonrpc_derivatives.calls import TRADES_MAX, Pool
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.transport.secrets import Secret

LINEAR, INVERSE = ("BTC/USDC:USDC", "0.1"), ("BTC/USD:BTC", "5000")


def deribit(clock: Clock, random: Random, url: str, hints: Hints) -> LiveVenue:
    return deribit_venue(
        world.DERIBIT,
        client_id=Secret("client_id", world.CLIENT_ID),
        client_secret=Secret("client_secret", world.CLIENT_SECRET),
        rest_url=f"http://{url}/api/v2",
        stream_url=f"ws://{url}/ws/api/v2",
        clock=clock,
        random=random,
        learnt=hints.learnt,
    )


def gateway(clock: Clock, random: Random, url: str, hints: Hints) -> LiveVenue:
    return coinbase_derivatives_venue(
        world.GATEWAY,
        key_name=Secret("key", world.CDP_KEY),
        private_key=Secret("private_key", world.CDP_SECRETS[world.CDP_KEY]),
        rest_url=f"http://{url}/api/v2",
        stream_url=f"ws://{url}/ws/api/v2",
        clock=clock,
        random=random,
        learnt=hints.learnt,
    )


Connect = Callable[[Clock, Random, str, Hints], LiveVenue]
Serve = Callable[..., JsonRpcServer]


@asynccontextmanager
async def engine(
    account: AccountId,
    serve: Serve,
    connect: Connect,
    market: tuple[str, str] = LINEAR,
    plan: WirePlan = NO_FAULTS,
) -> AsyncIterator[SocketRig]:
    now = clock()
    exchange = PaperExchange(world.markets(), clock=now, random=Random(1))
    exchange.open_account(account, {"USDC": Decimal(150_000), "BTC": Decimal(3)})
    server = serve(now, Random(2), exchange=exchange, limited=False)
    chaos = Chaos(server, plan, VenueClock(now))
    async with serving(chaos) as address:
        with TcpProxy(address.host, address.port) as proxy:
            rig = SocketRig(
                exchange,
                now,
                proxy,
                account=account,
                symbol=market[0],
                lot=Decimal(market[1]),
                page=TRADES_MAX,
                money_step=Decimal("0.00000001"),
                words={"place": b'"method":"private/buy"', "cancel": b'"method":"private/cancel"'},
                connect=lambda random, hints: connect(now, random, f"127.0.0.1:{proxy.port}", hints),
            )
            yield rig
            assert bool(chaos.struck) == bool(plan.faults)
            await rig.aclose()


@pytest.fixture(autouse=True)
def no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server takes any number of calls here, and a check makes more of them than an account has credits for."""
    monkeypatch.setattr(wire, "LIMITS", dict.fromkeys(Pool, ()))


SETUPS = {
    "deribit": partial(engine, world.DERIBIT, world.deribit_server, deribit),
    "coinbase_derivatives": partial(engine, world.GATEWAY, world.gateway_server, gateway),
}
INVERSE_CHECKS = (
    reading.check_what_happened_is_told_once,
    reading.check_a_snapshot_is_the_truth_and_the_book_agrees,
    *trading.TRADING,
    following.check_following_ends_in_the_truth,
)


@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("check", CHECKS, ids=name)
def test_the_engine_conforms(check: Check, setup: str) -> None:
    asyncio.run(run(check, SETUPS[setup]))


@pytest.mark.parametrize("check", INVERSE_CHECKS, ids=name)
def test_what_settles_in_the_coin_conforms(check: Check) -> None:
    asyncio.run(run(check, partial(SETUPS["deribit"], INVERSE)))
