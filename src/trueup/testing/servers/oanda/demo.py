"""A world to rehearse in: four pairs and an account with a hundred thousand dollars."""

from decimal import Decimal
from random import Random

from trueup.model.identifiers import account_id
from trueup.model.instruments import Instrument
from trueup.ports import Clock
from trueup.testing.servers.oanda.hours import always
from trueup.testing.servers.oanda.server import OandaServer
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.markets import Market

ACCOUNT_ID = "101-004-1234567-001"
HEDGED_ACCOUNT_ID = "101-004-1234567-002"

TOKEN = "rehearsal-token"  # noqa: S105 - opens nothing but a server of our own
"""Sees both accounts."""

ACCOUNT = account_id("oanda", "main")
HEDGED_ACCOUNT = account_id("oanda", "hedged")

DEPOSIT = {"USD": Decimal(100_000)}

COLLATERAL = {"JPY": Decimal(15_000_000)}
"""The exchange settles a pair in its quote currency, OANDA at home: this is what the exchange asks for meanwhile."""


def demo_markets() -> tuple[Market, ...]:
    """Pairs quoted in dollars, one in yen, and gold."""
    return (
        _market("EUR", "USD", "1.08500", "0.00001", 50),
        _market("GBP", "USD", "1.26700", "0.00001", 50),
        _market("USD", "JPY", "150.250", "0.001", 50),
        _market("XAU", "USD", "2650.500", "0.001", 20),
    )


def demo_exchange(clock: Clock, random: Random) -> PaperExchange:
    """The exchange of the demo, with its two accounts open; the second holds long and short side by side."""
    exchange = PaperExchange(demo_markets(), clock=clock, random=random)
    exchange.open_account(ACCOUNT, {**DEPOSIT, **COLLATERAL})
    exchange.open_account(HEDGED_ACCOUNT, {**DEPOSIT, **COLLATERAL}, hedged=True)
    return exchange


def demo_server(clock: Clock, random: Random, *, exchange: PaperExchange | None = None) -> OandaServer:
    """A server of the demo, open on every day of the week; ``exchange`` where the caller moves it along."""
    accounts = {ACCOUNT_ID: ACCOUNT, HEDGED_ACCOUNT_ID: HEDGED_ACCOUNT}
    return OandaServer(
        exchange or demo_exchange(clock, random),
        accounts,
        clock=clock,
        tokens={TOKEN: tuple(accounts)},
        hours=always,
    )


def _market(base: str, quote: str, price: str, tick: str, leverage: int) -> Market:
    """A pair as OANDA trades it: by the unit, without commission, deep enough for any order to fill at one price."""
    instrument = Instrument(
        f"{base}/{quote}",
        f"{base}_{quote}",
        "linear",
        base,
        quote,
        quote,
        price_tick=Decimal(tick),
        quantity_step=Decimal(1),
        max_leverage=Decimal(leverage),
    )
    return Market(
        instrument,
        price=Decimal(price),
        depth=Decimal(10_000_000),
        ticks_apart=8,
        swing=3,
        maker_fee=Decimal(0),
        taker_fee=Decimal(0),
        funding_rate=Decimal("0.000005"),
    )
