"""Planted secrets are nowhere but on the wire: not in logs, errors, tracebacks, reprs, settings, journal or output.

Venues are used in earnest and refused, cut off and lied to over real sockets, with every logger turned up.
"""

import asyncio
import gc
import logging
import traceback
import types
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
import stamina
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.server import ServerConnection, serve

from tests.venues.transport.rawserver import Exchange
from tests.venues.transport.rawserver import serving as raw
from trueup.bootstrap import open_store
from trueup.bootstrap.venues import live_venue
from trueup.engine.clock import SystemClock
from trueup.engine.pulling import pull
from trueup.engine.reading import Hints
from trueup.engine.store import Store
from trueup.model.errors import TrueupError, VenueError
from trueup.model.identifiers import AccountId
from trueup.model.orders import OrderRequest
from trueup.model.venues import Gap
from trueup.ports import LiveVenue
from trueup.settings import AccountSettings, Settings, load_settings
from trueup.testing.servers.asgi import App
from trueup.testing.servers.coinbase import demo as coinbase_demo
from trueup.testing.servers.coinbase.keys import Key
from trueup.testing.servers.coinbase.server import CoinbaseServer
from trueup.testing.servers.hyperliquid.server import HyperliquidServer
from trueup.testing.servers.hyperliquid.world import DEMO_ACCOUNT, DEMO_KEY, address_of, hyperliquid_markets
from trueup.testing.servers.jsonrpc_derivatives import world as engines
from trueup.testing.servers.jsonrpc_derivatives.auth import CDP_SCOPE, FULL_SCOPE, Access, Auth, CdpKey
from trueup.testing.servers.jsonrpc_derivatives.auth import Key as EngineKey
from trueup.testing.servers.jsonrpc_derivatives.server import JsonRpcServer
from trueup.testing.servers.oanda.demo import ACCOUNT, ACCOUNT_ID, demo_exchange
from trueup.testing.servers.oanda.hours import always
from trueup.testing.servers.oanda.server import OandaServer
from trueup.testing.servers.serving import serving
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.transport.http import Call
from trueup.venues.transport.websocket import open_websocket

KEY = "0x" + "5ec2e7ab" * 8
TOKEN = "5ec2e7-t0ken-0123456789abcdef"
"""Recognisable, and not in any of our files but this one."""

RAW = bytes.fromhex(KEY[2:])
ENVIRONMENT = {
    "AGENT": KEY,
    "TOKEN": TOKEN,
    "KEY_NAME": "apiKeys/1",
    "CLIENT": "client",
    "CDP_KEY": b64encode(RAW).decode(),
}

NEEDLES = [
    TOKEN,
    KEY[2:],
    KEY[2:].upper(),
    str(int(KEY, 16)),
    b64encode(RAW).decode(),
    b64encode(TOKEN.encode()).decode(),
]

OBJECTS_MAX = 1_000_000


def assert_clean(where: str, text: str | bytes) -> None:
    data = text.encode(errors="replace") if isinstance(text, str) else text
    for needle in [*(needle.encode() for needle in NEEDLES), RAW]:
        assert needle not in data, f"{where} leaks a secret"


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    for name in ("", "asyncio", "httpx", "httpcore", "stamina", "trueup", "websockets", "websockets.client"):
        caplog.set_level(logging.DEBUG, logger=name)
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


def settings_of(path: Path, text: str) -> Settings:
    path.write_text(text)
    return load_settings(path, ENVIRONMENT)


def connect(account: AccountSettings) -> LiveVenue:
    return live_venue(account, environment=ENVIRONMENT, clock=SystemClock(), random=Random(1), hints=Hints())


def hyperliquid(rest: str, stream: str) -> str:
    return f"""
[accounts."{DEMO_ACCOUNT}"]
stage = "trade"
address = "{address_of(DEMO_KEY)}"
signer = "env:AGENT"
rest_url = "{rest}"
stream_url = "{stream}/ws"
"""


def ccxt(rest: str, stream: str) -> str:
    return f"""
[accounts."{DEMO_ACCOUNT}"]
venue = "ccxt"
exchange = "hyperliquid"
stage = "trade"
wallet = "{address_of(DEMO_KEY)}"
secret = "env:AGENT"
rest_url = "{rest}"
stream_url = "{stream}"
"""


def oanda(rest: str, _stream: str) -> str:
    return f"""
[accounts."{ACCOUNT}"]
stage = "trade"
account_id = "{ACCOUNT_ID}"
token = "env:TOKEN"
rest_url = "{rest}"
stream_url = "{rest}"
"""


def hyperliquid_server() -> HyperliquidServer:
    exchange = PaperExchange(hyperliquid_markets(), clock=SystemClock(), random=Random(1))
    exchange.open_account(DEMO_ACCOUNT, {"USDC": Decimal(1_000_000)})
    owner = address_of(DEMO_KEY)
    return HyperliquidServer(exchange, {owner: DEMO_ACCOUNT}, clock=SystemClock(), agents={address_of(KEY): owner})


def oanda_server() -> OandaServer:
    exchange = demo_exchange(SystemClock(), Random(1))
    tokens = {TOKEN: (ACCOUNT_ID,)}
    return OandaServer(exchange, {ACCOUNT_ID: ACCOUNT}, clock=SystemClock(), tokens=tokens, hours=always)


def coinbase(rest: str, stream: str) -> str:
    return f"""
[accounts."{coinbase_demo.ACCOUNT}"]
stage = "trade"
key = "env:KEY_NAME"
secret = "env:CDP_KEY"
rest_url = "{rest}"
stream_url = "{stream}"
"""


def coinbase_server() -> CoinbaseServer:
    exchange = coinbase_demo.demo_exchange(SystemClock(), Random(1))
    public = Ed25519PrivateKey.from_private_bytes(RAW).public_key()
    return CoinbaseServer(exchange, [Key("apiKeys/1", public, coinbase_demo.ACCOUNT)], clock=SystemClock())


def engine_settings(venue: str) -> Callable[[str, str], str]:
    key, secret = ("env:CLIENT", "env:TOKEN") if venue == "deribit" else ("env:KEY_NAME", "env:CDP_KEY")

    def settings(rest: str, stream: str) -> str:
        return f"""
[accounts."{venue}:main"]
stage = "trade"
key = "{key}"
secret = "{secret}"
rest_url = "{rest}/api/v2"
stream_url = "{stream}/ws/api/v2"
"""

    return settings


def engine_server(account: AccountId, **keys: Mapping[str, EngineKey] | Mapping[str, CdpKey]) -> JsonRpcServer:
    exchange = engines.demo_exchange(SystemClock(), Random(1), account)
    known: dict[str, Any] = {"keys": {}, "cdp_keys": {}, **keys}
    return JsonRpcServer(exchange, (account,), Auth(SystemClock(), **known, lasts_s=900), clock=SystemClock())


def deribit_server() -> JsonRpcServer:
    return engine_server(engines.DERIBIT, keys={"client": EngineKey(TOKEN, Access(engines.DERIBIT, FULL_SCOPE))})


def gateway_server() -> JsonRpcServer:
    public = Ed25519PrivateKey.from_private_bytes(RAW).public_key()
    return engine_server(engines.GATEWAY, cdp_keys={"apiKeys/1": CdpKey(public, Access(engines.GATEWAY, CDP_SCOPE))})


VENUES: dict[str, tuple[Callable[[str, str], str], Callable[[], App], str, Decimal]] = {
    "hyperliquid": (hyperliquid, hyperliquid_server, "BTC/USDC:USDC", Decimal("0.01")),
    "ccxt": (ccxt, hyperliquid_server, "BTC/USDC:USDC", Decimal("0.01")),
    "oanda": (oanda, oanda_server, "EUR/USD", Decimal(100)),
    "coinbase": (coinbase, coinbase_server, "BTC/USD:USD-BIP-20DEC30", Decimal(1)),
    "coinbase_derivatives": (
        engine_settings("coinbase_derivatives"),
        gateway_server,
        "BTC/USDC:USDC",
        Decimal("0.01"),
    ),
    "deribit": (engine_settings("deribit"), deribit_server, "BTC/USDC:USDC", Decimal("0.01")),
}
each_venue = pytest.mark.parametrize("name", VENUES)


async def use(venue: LiveVenue, store: Store, symbol: str, lot: Decimal) -> None:
    """All that an account does on a good day."""
    assert await venue.check()
    await venue.marks([symbol])
    await venue.place(OrderRequest(symbol, "buy", lot, "leak-1"))
    assert await venue.find("leak-1") is not None
    await venue.close(symbol, "net", "leak-2")
    assert (await venue.snapshot()).positions == {}
    async with aclosing(venue.stream()) as stream:
        assert isinstance(await anext(stream), Gap)
    assert (await pull(store.ledger(venue.account), venue)).booked


async def fail(venue: LiveVenue, symbol: str, lot: Decimal) -> list[Exception]:
    """All that an account does on a bad day, and what came of it."""
    calls: list[Callable[[], Awaitable[object]]] = [
        venue.check,
        venue.snapshot,
        lambda: venue.place(OrderRequest(symbol, "buy", lot, "leak-1")),
        lambda: venue.cancel(symbol, "7"),
        lambda: venue.find("leak-1"),
        lambda: anext(aiter(venue.history(None))),
        lambda: _first(venue),
    ]
    errors: list[Exception] = []
    for call in calls:
        try:
            await call()
        except (TrueupError, TimeoutError) as error:
            errors.append(error)
    return errors


async def _first(venue: LiveVenue) -> None:
    async with asyncio.timeout(1), aclosing(venue.stream()) as stream:
        await anext(stream)


def check_errors(errors: Iterable[BaseException]) -> None:
    for error in errors:
        assert_clean("an error", f"{error} {error!r} {error.args!r} {vars(error)!r}")
        assert_clean("a traceback", "".join(traceback.format_exception(error)))


def check_logs(caplog: pytest.LogCaptureFixture) -> None:
    assert_clean("a log", caplog.text)
    for record in caplog.records:
        assert_clean(f"a record of {record.name}", f"{record.getMessage()} {vars(record)!r}")


def check_reprs(*roots: object) -> int:
    """Take the repr of everything that can be reached, but of plain text and containers; how much that was."""
    seen: set[int] = set()
    left = list(roots)
    while left and len(seen) < OBJECTS_MAX:
        found = left.pop()
        if id(found) in seen or isinstance(found, _ELSEWHERE):
            continue
        seen.add(id(found))
        left += gc.get_referents(found)
        if not isinstance(found, _PLAIN) and not type(found).__module__.startswith(_KEYS):
            assert_clean(f"the repr of a {type(found)}", f"{found!r} {found}")
    return len(seen)


_PLAIN = (str, bytes, bytearray, memoryview, dict, list, tuple, set, frozenset, types.CellType, types.MappingProxyType)
"""What holds a secret somewhere; whoever holds it in turn must not show it."""

_ELSEWHERE = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.FrameType, types.CodeType)
"""From here everything can be reached."""

_KEYS = "eth_"
"""The signing library's own keys are what they are; no object of ours shows them."""


def check_files(directory: Path) -> int:
    files = [path for path in directory.rglob("*") if path.is_file()]
    for path in files:
        assert_clean(str(path), path.read_bytes())
    return len(files)


@each_venue
def test_a_good_day_leaves_no_trace_of_a_secret(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    text, server, symbol, lot = VENUES[name]

    async def main() -> None:
        async with serving(server()) as address:
            settings = settings_of(tmp_path / "trueup.toml", text(address.http, address.ws))
            (account,) = settings.accounts.values()
            store = open_store(tmp_path / "data")
            venue = connect(account)
            await use(venue, store, symbol, lot)
            assert check_reprs(venue, settings, account) > 100
            await venue.aclose()
            store.close()

    asyncio.run(main())
    assert check_files(tmp_path) > 3
    check_logs(caplog)
    talkative = {"asyncio"} if name == "ccxt" else {"httpx", "httpcore.http11"}  # ccxt's own loggers are kept silent
    assert talkative <= {record.name for record in caplog.records}
    assert_clean("the output", "".join(capfd.readouterr()))


async def refuse(exchange: Exchange) -> None:
    await exchange.answer("401 Unauthorized", b'{"errorMessage":"Insufficient authorization to perform request."}')


async def break_down(exchange: Exchange) -> None:
    await exchange.answer("500 Internal Server Error", b"<html>broken</html>")


async def hang_up(exchange: Exchange) -> None:
    exchange.reset()


async def talk_nonsense(exchange: Exchange) -> None:
    await exchange.answer("200 OK", b"[[[")


async def lie_about_the_coding(exchange: Exchange) -> None:
    await exchange.answer("200 OK", b"plain", content_encoding="gzip")


@each_venue
@pytest.mark.parametrize("answering", [refuse, break_down, hang_up, talk_nonsense, lie_about_the_coding])
def test_a_bad_day_leaves_no_trace_either(
    name: str,
    answering: Callable[[Exchange], Awaitable[None]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    text, _, symbol, lot = VENUES[name]

    async def main() -> None:
        async with raw(answering) as (base, seen):
            settings = settings_of(tmp_path / "trueup.toml", text(base, base.replace("http", "ws")))
            (account,) = settings.accounts.values()
            venue = connect(account)
            errors = await fail(venue, symbol, lot)
            assert len(errors) > 5
            check_errors(errors)
            check_reprs(venue, settings, *errors)
            assert seen
            assert name != "oanda" or TOKEN in seen[0].headers["authorization"], "it was on the wire"
            store = open_store(tmp_path / "data")
            with pytest.raises(VenueError):
                await pull(store.ledger(venue.account), venue)
            store.close()
            await venue.aclose()

    asyncio.run(main())
    check_files(tmp_path)
    check_logs(caplog)
    assert_clean("the output", "".join(capfd.readouterr()))


@pytest.mark.parametrize("key", [KEY + "zz", KEY[:-2], KEY + KEY[2:], TOKEN])
def test_a_key_that_is_none_is_refused_without_being_quoted(key: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "trueup.toml", hyperliquid("http://127.0.0.1:1", "ws://127.0.0.1:1"))
    (account,) = settings.accounts.values()

    async def main() -> None:
        venue = live_venue(account, environment={"AGENT": key}, clock=SystemClock(), random=Random(1), hints=Hints())
        with pytest.raises(TrueupError) as refused:
            await venue.check()
        check_errors([refused.value])
        await venue.aclose()

    asyncio.run(main())


def test_a_call_shows_neither_headers_nor_content() -> None:
    call = Call("POST", "/orders", content=KEY.encode(), headers={"Authorization": f"Bearer {TOKEN}"})
    assert repr(call) == str(call) == "Call(POST /orders)"


def test_a_token_in_the_address_of_a_stream_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str | bytes] = []
    silent = logging.getLogger("silent")
    silent.disabled = True

    async def venue(connection: ServerConnection) -> None:
        assert connection.request is not None
        heard.append(connection.request.path)
        heard.append(await connection.recv())

    async def main() -> None:
        async with serve(venue, "127.0.0.1", 0, logger=silent) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            connection = await open_websocket(f"ws://127.0.0.1:{port}/stream?access_token={TOKEN}")
            await connection.send(f"login {TOKEN}")
            await connection.aclose()

    asyncio.run(main())
    assert heard == [f"/stream?access_token={TOKEN}", f"login {TOKEN}"]
    check_logs(caplog)
