"""Two that are ready to start, Deribit and Coinbase's gateway: an exchange, an account, and the keys to trade it.

The keys are nobody's secret; they stand here for everybody to sign with.
"""

from base64 import b64encode
from collections.abc import Mapping
from decimal import Decimal
from random import Random

import msgspec

from trueup.model.identifiers import AccountId, account_id
from trueup.model.instruments import Instrument
from trueup.ports import Clock
from trueup.testing.servers.jsonrpc_derivatives.auth import (
    CDP_READ_SCOPE,
    CDP_SCOPE,
    FULL_SCOPE,
    READ_SCOPE,
    Access,
    Auth,
    CdpKey,
    Key,
)
from trueup.testing.servers.jsonrpc_derivatives.server import JsonRpcServer
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.markets import Market

DERIBIT = account_id("deribit", "main")
GATEWAY = account_id("coinbase_derivatives", "main")
OTHER_DERIBIT = account_id("deribit", "other")
OTHER_GATEWAY = account_id("coinbase_derivatives", "other")
"""Somebody else's, with nothing in them."""

CLIENT_ID, CLIENT_SECRET = "rehearsal", "rehearsal-secret"
READING_ID, READING_SECRET = "reading", "reading-secret"
"""A key that may only read."""

OTHER_ID, OTHER_SECRET = "other", "other-secret"
"""A key to the other account."""

CDP_KEY = "organizations/rehearsal/apiKeys/trading"
CDP_READING_KEY = "organizations/rehearsal/apiKeys/reading"
CDP_OTHER_KEY = "organizations/other/apiKeys/trading"

DEPOSITS: Mapping[str, Decimal] = {"USDC": Decimal(100_000), "BTC": Decimal(2)}

DERIBIT_TOKEN_S, GATEWAY_TOKEN_S = 900, 3_600
"""How long tokens last."""

_CDP_SEEDS: Mapping[str, bytes] = {
    CDP_KEY: 32 * b"\x11",
    CDP_READING_KEY: 32 * b"\x22",
    CDP_OTHER_KEY: 32 * b"\x33",
}
CDP_SECRETS: Mapping[str, str] = {name: b64encode(seed).decode() for name, seed in _CDP_SEEDS.items()}
"""The private keys (Ed25519), by name, in the form in which the venue hands them out."""


def markets() -> tuple[Market, ...]:
    """Three linear perpetuals in USDC, and two inverse ones in their coin."""
    return (
        _linear("BTC", "60000", tick="0.5", step="0.001", depth="0.4", swing=40),
        _linear("ETH", "3000", tick="0.05", step="0.001", depth="6", swing=30),
        _linear("SOL", "150", tick="0.01", step="0.1", depth="100", swing=20),
        _inverse("BTC", "60000", tick="0.5", step="10", depth="20000", swing=40),
        _inverse("ETH", "3000", tick="0.05", step="1", depth="20000", swing=30),
    )


def demo_exchange(clock: Clock, random: Random, *accounts: AccountId) -> PaperExchange:
    """The exchange with accounts open that have money; without a name, those of both."""
    exchange = PaperExchange(markets(), clock=clock, random=random)
    for account in accounts or (DERIBIT, GATEWAY):
        exchange.open_account(account, DEPOSITS)
    return exchange


def deribit_server(
    clock: Clock, random: Random, *, exchange: PaperExchange | None = None, limited: bool = True, heartbeat_s: int = 10
) -> JsonRpcServer:
    """Deribit with its account, and the other one; its exchange is ``server.exchange``.

    Args:
        clock: Whose time is the venue's.
        random: Where the walk of prices comes from.
        exchange: Where the caller moves it along.
        limited: Whether requests cost credits.
        heartbeat_s: The shortest interval of heartbeats.
    """
    keys = {
        CLIENT_ID: Key(CLIENT_SECRET, Access(DERIBIT, FULL_SCOPE)),
        READING_ID: Key(READING_SECRET, Access(DERIBIT, READ_SCOPE)),
        OTHER_ID: Key(OTHER_SECRET, Access(OTHER_DERIBIT, FULL_SCOPE)),
    }
    auth = Auth(clock, keys=keys, cdp_keys={}, lasts_s=DERIBIT_TOKEN_S)
    exchange = exchange or demo_exchange(clock, random, DERIBIT)
    exchange.open_account(OTHER_DERIBIT, {})
    accounts = (DERIBIT, OTHER_DERIBIT)
    return JsonRpcServer(exchange, accounts, auth, clock=clock, limited=limited, heartbeat_s=heartbeat_s)


def gateway_server(
    clock: Clock, random: Random, *, exchange: PaperExchange | None = None, limited: bool = True, heartbeat_s: int = 10
) -> JsonRpcServer:
    """Coinbase's gateway, as :func:`deribit_server`."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - an extra

    opens = {
        CDP_KEY: Access(GATEWAY, CDP_SCOPE),
        CDP_READING_KEY: Access(GATEWAY, CDP_READ_SCOPE),
        CDP_OTHER_KEY: Access(OTHER_GATEWAY, CDP_SCOPE),
    }
    keys = {
        name: CdpKey(Ed25519PrivateKey.from_private_bytes(seed).public_key(), opens[name])
        for name, seed in _CDP_SEEDS.items()
    }
    auth = Auth(clock, keys={}, cdp_keys=keys, lasts_s=GATEWAY_TOKEN_S)
    exchange = exchange or demo_exchange(clock, random, GATEWAY)
    exchange.open_account(OTHER_GATEWAY, {})
    accounts = (GATEWAY, OTHER_GATEWAY)
    return JsonRpcServer(exchange, accounts, auth, clock=clock, testnet=False, limited=limited, heartbeat_s=heartbeat_s)


def _linear(base: str, price: str, *, tick: str, step: str, depth: str, swing: int) -> Market:
    name = f"{base}_USDC-PERPETUAL"
    return _market(
        Instrument(f"{base}/USDC:USDC", name, "linear", base, "USDC", "USDC"), price, tick, step, depth, swing
    )


def _inverse(base: str, price: str, *, tick: str, step: str, depth: str, swing: int) -> Market:
    instrument = Instrument(f"{base}/USD:{base}", f"{base}-PERPETUAL", "inverse", base, "USD", base)
    return _market(instrument, price, tick, step, depth, swing)


def _market(instrument: Instrument, price: str, tick: str, step: str, depth: str, swing: int) -> Market:
    return Market(
        msgspec.structs.replace(
            instrument, price_tick=Decimal(tick), quantity_step=Decimal(step), max_leverage=Decimal(50)
        ),
        price=Decimal(price),
        depth=Decimal(depth),
        swing=swing,
        maker_fee=Decimal(0),
        taker_fee=Decimal("0.0005"),
    )
