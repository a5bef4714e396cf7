"""A world to rehearse in: two shares, a future of each of three exchanges, and a million rupees in either segment."""

from datetime import datetime
from decimal import Decimal
from random import Random

from trueup.model.identifiers import account_id
from trueup.model.instruments import Instrument
from trueup.model.numbers import ONE, ZERO
from trueup.model.times import NS_PER_SECOND
from trueup.ports import Clock
from trueup.testing.servers.zerodha.hours import always
from trueup.testing.servers.zerodha.server import ZerodhaServer
from trueup.testing.servers.zerodha.sessions import App
from trueup.testing.servers.zerodha.wire import INDIA
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.markets import Market

ACCOUNT = account_id("zerodha", "main")

API_KEY = "rehearsalkey"
API_SECRET = "rehearsal-secret"  # noqa: S105 - opens nothing but a server of our own
USER_ID = "AB1234"
REDIRECT_URL = "http://127.0.0.1:8765/"

DEPOSITS = {"INR@equity": Decimal(1_000_000), "INR@commodity": Decimal(1_000_000), "NSE.INFY.CNC@equity": Decimal(10)}
"""Money in both segments, and shares that came from another broker."""

EXPIRY = datetime(2030, 12, 31, 15, 30, tzinfo=INDIA)
"""Of all futures: late, so that a rehearsal on any day finds them alive."""

_RUPEE = "INR"


def demo_markets() -> tuple[Market, ...]:
    """Shares for delivery and for the day, and futures; what is of one tradingsymbol has one price."""
    return (
        *_share("SBIN", "780.50"),
        *_share("INFY", "1520.00"),
        *_future("NFO", "NIFTY30DECFUT", "24500.00", "0.05", 65),
        *_future("MCX", "LEADMINI30DECFUT", "180.00", "0.05", 1, size=1_000, depth=50),
        *_future("CDS", "USDINR30DECFUT", "84.5000", "0.0025", 1, size=1_000, depth=500),
    )


def demo_exchange(clock: Clock, random: Random) -> PaperExchange:
    """The exchange of the demo, with its account open."""
    exchange = PaperExchange(demo_markets(), clock=clock, random=random)
    exchange.open_account(ACCOUNT, DEPOSITS)
    return exchange


def demo_app(postback_url: str = "") -> App:
    """The app of the demo's user."""
    return App(API_KEY, API_SECRET, USER_ID, REDIRECT_URL, postback_url)


def demo_server(clock: Clock, random: Random, *, exchange: PaperExchange | None = None) -> ZerodhaServer:
    """A server of the demo, open at any hour; ``exchange`` where the caller moves it along."""
    accounts = {ACCOUNT: demo_app()}
    return ZerodhaServer(exchange or demo_exchange(clock, random), accounts, clock=clock, random=random, hours=always)


def _share(name: str, price: str) -> tuple[Market, ...]:
    delivered = Instrument(
        f"NSE.{name}.CNC/{_RUPEE}",
        f"NSE:{name}:CNC",
        "spot",
        f"NSE.{name}.CNC",
        _RUPEE,
        _RUPEE,
        price_tick=Decimal("0.05"),
        quantity_step=ONE,
        wallet="equity",
    )
    intraday = _derived("NSE", name, "MIS", "0.05", 1, leverage=5)
    return _sharing(Decimal(price), Decimal(1_000), delivered, intraday)


def _future(
    exchange: str, name: str, price: str, tick: str, lot: int, *, size: int = 1, depth: int = 20
) -> tuple[Market, ...]:
    overnight = _derived(exchange, name, "NRML", tick, lot, size=size, leverage=8, expires=True)
    intraday = _derived(exchange, name, "MIS", tick, lot, size=size, leverage=8, expires=True)
    return _sharing(Decimal(price), Decimal(depth * lot), overnight, intraday)


def _derived(
    exchange: str, name: str, product: str, tick: str, lot: int, *, leverage: int, size: int = 1, expires: bool = False
) -> Instrument:
    return Instrument(
        f"{exchange}.{name}.{product}/{_RUPEE}:{_RUPEE}",
        f"{exchange}:{name}:{product}",
        "linear",
        f"{exchange}.{name}.{product}",
        _RUPEE,
        _RUPEE,
        contract_size=Decimal(size),
        price_tick=Decimal(tick),
        quantity_step=Decimal(lot),
        expiry=int(EXPIRY.timestamp()) * NS_PER_SECOND if expires else None,
        max_leverage=Decimal(leverage),
        wallet="commodity" if exchange == "MCX" else "equity",
    )


def _sharing(price: Decimal, depth: Decimal, *instruments: Instrument) -> tuple[Market, ...]:
    """Markets of one price, without commission: what Kite charges it states the next day, on the contract note."""
    first = instruments[0].symbol
    return tuple(
        Market(
            instrument,
            price=price,
            depth=depth,
            ticks_apart=4,
            swing=3,
            maker_fee=ZERO,
            taker_fee=ZERO,
            funding_rate=ZERO,
            follows="" if instrument.symbol == first else first,
        )
        for instrument in instruments
    )
