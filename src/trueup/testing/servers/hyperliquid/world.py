"""A Hyperliquid that is ready to start: markets as the venue has them, an account, and the keys to trade it.

The keys are nobody's secret; they stand here for everybody to sign with.
"""

from collections.abc import Mapping
from decimal import Decimal
from random import Random

from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.ports import Clock
from trueup.testing.servers.hyperliquid.assets import SPOT, USDC
from trueup.testing.servers.hyperliquid.server import HyperliquidServer
from trueup.venues.ethereum import Account
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.faults import NO_FAULTS, FaultPlan
from trueup.venues.paper.markets import Market

DEMO_ACCOUNT = AccountId("hyperliquid:demo")
DEMO_KEY = "0x" + 32 * "11"
"""The account's own key."""

DEMO_AGENT_KEY = "0x" + 32 * "22"
"""The key of an agent that may trade for it."""

DEPOSITS: Mapping[str, Decimal] = {
    "USDC": Decimal(100_000),
    "USDC@spot": Decimal(20_000),
    "USDC@test": Decimal(10_000),
}


def demo_server(
    clock: Clock, random: Random, *, plan: FaultPlan = NO_FAULTS, mainnet: bool = True
) -> HyperliquidServer:
    """A server with one account that has money in every wallet; its exchange is ``server.exchange``.

    Args:
        clock: Whose time is the venue's.
        random: Where the walk of prices comes from.
        plan: What goes wrong at the exchange.
        mainnet: Which of the two chains signatures are for. The venue's own client takes any address but the live
            one for the other.
    """
    exchange = PaperExchange(hyperliquid_markets(), clock=clock, random=random, plan=plan)
    exchange.open_account(DEMO_ACCOUNT, DEPOSITS)
    owner, agent = address_of(DEMO_KEY), address_of(DEMO_AGENT_KEY)
    return HyperliquidServer(exchange, {owner: DEMO_ACCOUNT}, clock=clock, agents={agent: owner}, mainnet=mainnet)


def address_of(key: str) -> str:
    """The address of a private key, in lower case."""
    return str(Account.from_key(key).address).lower()


def hyperliquid_markets() -> tuple[Market, ...]:
    """Four perpetuals, two of a builder dex, and two spot pairs whose buys pay their fee in coins."""
    return (
        _perpetual("BTC", 5, "60000", depth="0.4", ticks_apart=10, leverage=40),
        _perpetual("ETH", 4, "3000", depth="6", ticks_apart=10, leverage=25),
        _perpetual("SOL", 2, "150", depth="100", ticks_apart=100, leverage=20),
        _perpetual("DOGE", 0, "0.2", depth="50000", ticks_apart=10, leverage=10),
        _perpetual("test:GOLD", 3, "2500", depth="5", ticks_apart=100, leverage=20),
        _perpetual("test:OIL", 2, "70", depth="50", ticks_apart=10, leverage=20),
        _spot("PURR/USDC", "PURR", 0, "0.2", depth="20000", ticks_apart=1_000),
        _spot("@107", "HYPE", 2, "35", depth="100", ticks_apart=1_000),
    )


def _perpetual(coin: str, places: int, price: str, *, depth: str, ticks_apart: int, leverage: int) -> Market:
    """A tick is the finest price that there is; levels are apart by what five figures allow at the price."""
    dex = coin.rpartition(":")[0]
    instrument = Instrument(
        f"{coin}/{USDC}:{USDC}",
        coin,
        "linear",
        coin,
        USDC,
        USDC,
        price_tick=Decimal(1).scaleb(places - 6),
        quantity_step=Decimal(1).scaleb(-places),
        max_leverage=Decimal(leverage),
        wallet=dex,
    )
    return Market(
        instrument,
        Decimal(price),
        Decimal(depth),
        ticks_apart=ticks_apart,
        swing=20,
        maker_fee=Decimal("0.00015"),
        taker_fee=Decimal("0.00045"),
        funding_rate=Decimal("0.0000125"),
    )


def _spot(coin: str, base: str, places: int, price: str, *, depth: str, ticks_apart: int) -> Market:
    instrument = Instrument(
        f"{base}/{USDC}",
        coin,
        "spot",
        base,
        USDC,
        USDC,
        price_tick=Decimal(1).scaleb(places - 8),
        quantity_step=Decimal(1).scaleb(-places),
        wallet=SPOT,
    )
    return Market(
        instrument,
        Decimal(price),
        Decimal(depth),
        ticks_apart=ticks_apart,
        swing=8,
        maker_fee=Decimal("0.0004"),
        taker_fee=Decimal("0.0007"),
        fee_in_base=True,
    )
