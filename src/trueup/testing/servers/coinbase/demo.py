"""A world to rehearse in: spot and futures of two coins, an account with money in both wallets, and its keys.

The keys are nobody's secret; they are made of what stands here, for everybody to sign with.
"""

from base64 import b64encode
from collections.abc import Mapping
from decimal import Decimal
from random import Random

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from trueup.model.identifiers import account_id
from trueup.model.instruments import Instrument
from trueup.model.times import parse_time
from trueup.ports import Clock
from trueup.testing.servers.coinbase.keys import Key
from trueup.testing.servers.coinbase.products import FUTURES_WALLET
from trueup.testing.servers.coinbase.server import CoinbaseServer
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.markets import Market

ACCOUNT = account_id("coinbase", "main")

DEPOSITS: Mapping[str, Decimal] = {
    "USD": Decimal(50_000),
    "USDC": Decimal(10_000),
    "BTC": Decimal("0.5"),
    "USD@cfm": Decimal(100_000),
}

KEY_NAME = "organizations/0e1f2a3b-0000-4000-8000-000000000001/apiKeys/0e1f2a3b-0000-4000-8000-000000000002"
"""The key on P-256, which may view and trade."""

ED25519_KEY_NAME = "0e1f2a3b-0000-4000-8000-000000000003"
"""The Ed25519 key, which may do the same."""

READ_ONLY_KEY_NAME = "0e1f2a3b-0000-4000-8000-000000000004"
"""The Ed25519 key's name again, for one that may only view."""

_EC = ec.derive_private_key(int.from_bytes(32 * b"\x11", "big"), ec.SECP256R1())
_ED25519 = Ed25519PrivateKey.from_private_bytes(32 * b"\x22")


def private_key() -> str:
    """The key on P-256 as the venue hands it out: in PEM (SEC1)."""
    return _EC.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def ed25519_private_key() -> str:
    """The Ed25519 keys as the venue hands them out: 64 bytes, seed and public key, in base64."""
    return b64encode(_ED25519.private_bytes_raw() + _ED25519.public_key().public_bytes_raw()).decode()


def demo_keys() -> tuple[Key, ...]:
    """All keys of the demo's account."""
    public = _ED25519.public_key()
    return (
        Key(KEY_NAME, _EC.public_key(), ACCOUNT),
        Key(ED25519_KEY_NAME, public, ACCOUNT),
        Key(READ_ONLY_KEY_NAME, public, ACCOUNT, frozenset({"view"})),
    )


def demo_exchange(clock: Clock, random: Random) -> PaperExchange:
    """The exchange of the demo, with its account open."""
    exchange = PaperExchange(demo_markets(), clock=clock, random=random)
    exchange.open_account(ACCOUNT, DEPOSITS)
    return exchange


def demo_server(clock: Clock, random: Random, *, exchange: PaperExchange | None = None) -> CoinbaseServer:
    """A server of the demo; ``exchange`` where the caller moves it along."""
    return CoinbaseServer(exchange or demo_exchange(clock, random), demo_keys(), clock=clock)


def demo_markets() -> tuple[Market, ...]:
    """Spot against dollars and USDC; two futures that are traded as if they never ended, and one that ends."""
    return (
        _spot("BTC", "USD", "60000", step="0.00000001", depth="0.4"),
        _spot("ETH", "USD", "3000", step="0.00000001", depth="6"),
        _spot("BTC", "USDC", "60000", step="0.00000001", depth="0.4"),
        _future("BTC", "BIP-20DEC30", "60000", size="0.01", tick="5", ends="2030-12-20T16:00:00Z"),
        _future("ETH", "ETP-20DEC30", "3000", size="0.1", tick="0.5", ends="2030-12-20T16:00:00Z"),
        _future("BTC", "BIT-29DEC28", "61000", size="0.01", tick="5", ends="2028-12-29T16:00:00Z"),
    )


def _spot(base: str, quote: str, price: str, *, step: str, depth: str) -> Market:
    instrument = Instrument(
        f"{base}/{quote}",
        f"{base}-{quote}",
        "spot",
        base,
        quote,
        quote,
        price_tick=Decimal("0.01"),
        quantity_step=Decimal(step),
    )
    return _market(instrument, price, depth, ticks_apart=100)


def _future(base: str, name: str, price: str, *, size: str, tick: str, ends: str) -> Market:
    """A contract of the venue's own clearing member. Nobody pays funding here: the interface does not tell of it."""
    instrument = Instrument(
        f"{base}/USD:USD-{name}",
        f"{name}-CDE",
        "linear",
        base,
        "USD",
        "USD",
        contract_size=Decimal(size),
        price_tick=Decimal(tick),
        quantity_step=Decimal(1),
        expiry=parse_time(ends, "expiry"),
        max_leverage=Decimal(5),
        wallet=FUTURES_WALLET,
    )
    return _market(instrument, price, "20", ticks_apart=1)


def _market(instrument: Instrument, price: str, depth: str, *, ticks_apart: int) -> Market:
    return Market(
        instrument,
        price=Decimal(price),
        depth=Decimal(depth),
        ticks_apart=ticks_apart,
        swing=8,
        maker_fee=Decimal("0.004"),
        taker_fee=Decimal("0.006"),
        funding_rate=Decimal(0),
    )
