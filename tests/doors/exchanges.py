"""A paper exchange on a socket for tests of doors: two accounts under the names of the venues that they stand for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from random import Random

from trueup.engine.clock import SystemClock
from trueup.model.identifiers import AccountId, Side
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.markets import usual_markets
from trueup.venues.paper.server import PaperServer

HL, CB = AccountId("hyperliquid:main"), AccountId("coinbase:main")
BTC, ETH = "BTC/USDC:USDC", "ETH/USDC:USDC"


class Exchange:
    """Trades when a test says so; its prices stand still otherwise.

    Attributes:
        settings: A file that leads to it.
    """

    def __init__(self, settings: Path) -> None:
        self.settings = settings
        self.paper = PaperExchange(usual_markets(), clock=SystemClock(), random=Random(1))
        for account in (HL, CB):
            self.paper.open_account(account, {"USDC": Decimal(1_000_000)})

    def trade(self, account: AccountId, quantity: str, instrument: str = BTC) -> None:
        """A market order by hand: positive buys, negative sells."""
        signed = Decimal(quantity)
        side: Side = "buy" if signed > 0 else "sell"
        self.paper.trade_by_hand(account, instrument, side, abs(signed))


@asynccontextmanager
async def trading(folder: Path) -> AsyncIterator[Exchange]:
    """An exchange at a socket, and settings that lead to it."""
    exchange = Exchange(folder / "trueup.toml")
    async with PaperServer(exchange.paper) as server:
        accounts = (f'[accounts."{name}"]\nvenue = "paper"\nport = {server.port}\n' for name in (HL, CB))
        exchange.settings.write_text(f'[rates]\n"USDC/USD" = 1\n{"".join(accounts)}', encoding="utf-8")
        yield exchange
