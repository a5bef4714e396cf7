"""``trueup venues serve``: a venue's protocol on this machine, and how to point an account at it."""

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Literal

import msgspec

from trueup.cli.options import ExitCode
from trueup.cli.output import Output

if TYPE_CHECKING:
    from trueup.model.identifiers import AccountId
    from trueup.ports import Clock
    from trueup.testing.servers.asgi import App
    from trueup.testing.servers.serving import Address
    from trueup.venues.paper.exchange import PaperExchange

STEP_S = 1.0
"""Between two moves of the prices."""

Venue = Literal["coinbase", "coinbase_derivatives", "deribit", "hyperliquid", "oanda", "zerodha"]


class Rehearsal(msgspec.Struct, frozen=True):
    """A venue that is ready to be served.

    Attributes:
        settings: Lines of ``trueup.toml`` that point an account at it; ``{http}`` and ``{ws}`` stand for the address.
        environment: Variables that these lines name, with their values.
    """

    app: "App"
    exchange: "PaperExchange"
    settings: str
    environment: dict[str, str]


def rehearse(venue: Venue, port: int, faults: Path | None, seconds: float | None, out: Output) -> int:
    """Serve until the time is over or somebody interrupts; then tell what struck."""
    from trueup.engine.clock import SystemClock
    from trueup.testing.servers.chaos import Chaos, VenueClock
    from trueup.testing.servers.faults import NO_FAULTS, WirePlan

    plan = NO_FAULTS if faults is None else WirePlan.load(faults)
    clock = VenueClock(SystemClock())
    rehearsal = _made(venue, clock)
    chaos = Chaos(rehearsal.app, plan, clock)
    asyncio.run(_serve(venue, rehearsal, chaos, port, seconds, out))
    for struck in chaos.struck:
        out.note(f"{struck.kind} struck {struck.what}")
    return ExitCode.FINE


async def _serve(venue: Venue, rehearsal: Rehearsal, app: "App", port: int, seconds: float | None, out: Output) -> None:
    from trueup.testing.servers.serving import serving
    from trueup.venues.paper.server import pump

    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, over.set)
    async with serving(app, port=port) as address:
        moving = asyncio.create_task(pump(rehearsal.exchange, STEP_S))
        _tell(venue, rehearsal, address, out)
        try:
            async with asyncio.timeout(seconds):
                await over.wait()
        except TimeoutError:
            pass
        finally:
            moving.cancel()
            await asyncio.wait((moving,))


def _tell(venue: Venue, rehearsal: Rehearsal, address: "Address", out: Output) -> None:
    settings = rehearsal.settings.format(http=address.http, ws=address.ws)
    if out.as_json:
        out.data(
            {
                "venue": venue,
                "http": address.http,
                "ws": address.ws,
                "settings": settings,
                "environment": rehearsal.environment,
            }
        )
    else:
        from trueup.cli import render

        lines = [f"{venue} is served at {address.http}", "", "In trueup.toml:", "", *settings.splitlines()]
        lines += ["", "In the environment of what uses it:", ""]
        lines += [f"export {name}={value}" for name, value in rehearsal.environment.items()]
        for line in [*lines, "", f"Then, for instance: trueup import --venue {venue}"]:
            render.show(line)
    sys.stdout.flush()


def _made(venue: Venue, clock: "Clock") -> Rehearsal:
    """The venue, whose extra must be installed where it has one."""
    try:
        return _REHEARSALS[venue](clock)
    except ModuleNotFoundError as error:
        from trueup.model.errors import BadInput

        extra = _EXTRAS.get(venue, venue)
        raise BadInput("venue", venue, f"{error.name} is not installed", remedy=f"Install trueup[{extra}].") from error


def _coinbase(clock: "Clock") -> Rehearsal:
    from trueup.testing.servers.coinbase import demo

    exchange = demo.demo_exchange(clock, Random())
    exchange.trade_by_hand(demo.ACCOUNT, "BTC/USD:USD-BIP-20DEC30", "buy", Decimal(3))
    settings = f"""[accounts."{demo.ACCOUNT}"]
stage = "trade"
key = "env:REHEARSAL_KEY"
secret = "env:REHEARSAL_SECRET"
rest_url = "{{http}}"
stream_url = "{{ws}}"
"""
    environment = {"REHEARSAL_KEY": demo.ED25519_KEY_NAME, "REHEARSAL_SECRET": demo.ed25519_private_key()}
    return Rehearsal(demo.demo_server(clock, Random(), exchange=exchange), exchange, settings, environment)


def _coinbase_derivatives(clock: "Clock") -> Rehearsal:
    from trueup.testing.servers.jsonrpc_derivatives import world

    server = world.gateway_server(clock, Random())
    environment = {"REHEARSAL_KEY": world.CDP_KEY, "REHEARSAL_SECRET": world.CDP_SECRETS[world.CDP_KEY]}
    return _engine(server.exchange, server, world.GATEWAY, environment)


def _deribit(clock: "Clock") -> Rehearsal:
    from trueup.testing.servers.jsonrpc_derivatives import world

    server = world.deribit_server(clock, Random())
    environment = {"REHEARSAL_KEY": world.CLIENT_ID, "REHEARSAL_SECRET": world.CLIENT_SECRET}
    return _engine(server.exchange, server, world.DERIBIT, environment)


def _engine(exchange: "PaperExchange", app: "App", account: "AccountId", environment: dict[str, str]) -> Rehearsal:
    """The engine of the two before."""
    exchange.trade_by_hand(account, "BTC/USDC:USDC", "buy", Decimal("0.05"))
    settings = f"""[accounts."{account}"]
stage = "trade"
key = "env:REHEARSAL_KEY"
secret = "env:REHEARSAL_SECRET"
rest_url = "{{http}}/api/v2"
stream_url = "{{ws}}/ws/api/v2"
"""
    return Rehearsal(app, exchange, settings, environment)


def _hyperliquid(clock: "Clock") -> Rehearsal:
    from trueup.testing.servers.hyperliquid import world

    server = world.demo_server(clock, Random())
    server.exchange.trade_by_hand(world.DEMO_ACCOUNT, "BTC/USDC:USDC", "buy", Decimal("0.05"))
    settings = f"""[accounts."{world.DEMO_ACCOUNT}"]
stage = "trade"
address = "{world.address_of(world.DEMO_KEY)}"
signer = "env:REHEARSAL_SIGNER"
rest_url = "{{http}}"
stream_url = "{{ws}}/ws"
"""
    return Rehearsal(server, server.exchange, settings, {"REHEARSAL_SIGNER": world.DEMO_AGENT_KEY})


def _oanda(clock: "Clock") -> Rehearsal:
    from trueup.testing.servers.oanda import demo

    exchange = demo.demo_exchange(clock, Random())
    exchange.trade_by_hand(demo.ACCOUNT, "EUR/USD", "buy", Decimal(1_000))
    settings = f"""[accounts."{demo.ACCOUNT}"]
stage = "trade"
account_id = "{demo.ACCOUNT_ID}"
token = "env:REHEARSAL_TOKEN"
rest_url = "{{http}}"
stream_url = "{{http}}"
"""
    server = demo.demo_server(clock, Random(), exchange=exchange)
    return Rehearsal(server, exchange, settings, {"REHEARSAL_TOKEN": demo.TOKEN})


def _zerodha(clock: "Clock") -> Rehearsal:
    from trueup.testing.servers.zerodha import demo

    exchange = demo.demo_exchange(clock, Random())
    exchange.trade_by_hand(demo.ACCOUNT, "NFO.NIFTY30DECFUT.NRML/INR:INR", "buy", Decimal(65))
    settings = f"""[accounts."{demo.ACCOUNT}"]
stage = "trade"
api_key = "env:REHEARSAL_KEY"
secret = "env:REHEARSAL_SECRET"
token_file = "./rehearsal-zerodha.login"
rest_url = "{{http}}"
stream_url = "{{ws}}"
login_url = "{{http}}/connect/login"
"""
    server = demo.demo_server(clock, Random(), exchange=exchange)
    keys = {"REHEARSAL_KEY": demo.API_KEY, "REHEARSAL_SECRET": demo.API_SECRET}
    return Rehearsal(server, exchange, settings, keys)


_EXTRAS: Mapping[Venue, str] = {"coinbase_derivatives": "coinbase"}
"""The extras of venues that have none of their own name."""

_REHEARSALS: Mapping[Venue, Callable[["Clock"], Rehearsal]] = {
    "coinbase": _coinbase,
    "coinbase_derivatives": _coinbase_derivatives,
    "deribit": _deribit,
    "hyperliquid": _hyperliquid,
    "oanda": _oanda,
    "zerodha": _zerodha,
}
