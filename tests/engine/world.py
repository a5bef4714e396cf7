"""A small world for tests of the engine: one account, one perpetual, fills by number."""

from decimal import Decimal
from pathlib import Path

from trueup.bootstrap import open_store
from trueup.engine.store import Store
from trueup.model.events import FillBooked, InstrumentDefined, OpeningPosition, TradeDeclared
from trueup.model.identifiers import AccountId, Side
from trueup.model.instruments import Instrument

ACCOUNT = AccountId("paper:one")
PERP = Instrument("BTC/USDC:USDC", "BTC", "linear", "BTC", "USDC", "USDC")
DEFINED = InstrumentDefined(ACCOUNT, PERP)
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def fill(number: int, *, price: str = "100", side: Side = "buy", at: int | None = None) -> FillBooked:
    """Fill ``number``: of 1 at 100, ``number`` seconds after the start."""
    return FillBooked(
        account=ACCOUNT,
        instrument=PERP.symbol,
        position_side="net",
        side=side,
        quantity=Decimal(1),
        price=Decimal(price),
        fee=Decimal("0.01"),
        fee_currency="USDC",
        venue_time=START + (number if at is None else at) * SECOND,
        venue_trade_id=str(number),
    )


def declared(name: str, *, at: int = 0) -> TradeDeclared:
    """A buy of 1 that somebody says was made."""
    time = START + at * SECOND
    return TradeDeclared(ACCOUNT, PERP.symbol, "net", "buy", Decimal(1), Decimal(100), time, name, "a person", "hand")


def opening(quantity: str, *, at: int) -> OpeningPosition:
    """A cut that says what the position was."""
    return OpeningPosition(ACCOUNT, PERP.symbol, Decimal(quantity), START + at * SECOND, f"cut-{at}")


def store_at(path: Path) -> Store:
    """The store in a directory."""
    return open_store(path / "data")
