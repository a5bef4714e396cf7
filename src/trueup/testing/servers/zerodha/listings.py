"""What is traded, as Kite lists it: a tradingsymbol of an exchange, of which the exchange has a market a product."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from trueup.model.errors import BadInput
from trueup.model.numbers import ONE, ZERO, canonical
from trueup.testing.servers.zerodha.wire import Row, there
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.markets import Market
from trueup.venues.paper.matching import LEVELS

SEGMENTS: Mapping[str, int] = {"NSE": 1, "NFO": 2, "CDS": 3, "BSE": 4, "BFO": 5, "BCD": 6, "MCX": 7}
"""Last byte of an instrument's token, by exchange."""

COMMODITIES = frozenset({"MCX"})
CASH_MARKETS = frozenset({"NSE", "BSE"})
IN_UNITS = frozenset({"NSE", "BSE", "NFO", "BFO"})
"""Exchanges whose quantities count units; the others' count lots."""

DELIVERY = "CNC"
PRODUCTS = ("CNC", "MIS", "NRML")

COLUMNS = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,"
    "segment,exchange"
)

_FIRST_TOKEN = 3_001


class Listing(msgspec.Struct, frozen=True):
    """One tradingsymbol.

    Attributes:
        exchange_token: The exchange's number of it; ``token`` is Kite's.
        markets: Of the paper exchange, by product.
    """

    exchange: str
    tradingsymbol: str
    exchange_token: int
    markets: Mapping[str, Market]

    @property
    def key(self) -> str:
        """As quotes name it."""
        return f"{self.exchange}:{self.tradingsymbol}"

    @property
    def token(self) -> int:
        """As the ticker names it."""
        return self.exchange_token << 8 | SEGMENTS[self.exchange]

    @property
    def market(self) -> Market:
        """Any of its markets: all have the same price, tick and step."""
        return next(iter(self.markets.values()))

    @property
    def multiplier(self) -> Decimal:
        """Units in one of its quantity."""
        return self.market.instrument.contract_size

    @property
    def lot(self) -> Decimal:
        """What quantities are multiples of."""
        return self.market.step

    @property
    def expiry(self) -> datetime | None:
        """Last moment of trading, in India."""
        last = self.market.instrument.expiry
        return None if last is None else there(last)

    @property
    def segment(self) -> str:
        """Of the account's money."""
        return "commodity" if self.exchange in COMMODITIES else "equity"

    @property
    def isin(self) -> str:
        """Of a share; made up, and always the same."""
        return f"INE{self.exchange_token:06d}010"

    def named(self) -> Row:
        """How rows name it."""
        return {"exchange": self.exchange, "tradingsymbol": self.tradingsymbol, "instrument_token": self.token}

    def line(self, price: Decimal) -> str:
        """Its line in the instruments file."""
        cash, expiry = self.exchange in CASH_MARKETS, self.expiry
        lot = self.lot if self.exchange in IN_UNITS else ONE
        cells = (
            self.token,
            self.exchange_token,
            self.tradingsymbol,
            self.tradingsymbol if cash else "",
            "0.0" if cash else canonical(price),
            "" if expiry is None else f"{expiry:%Y-%m-%d}",
            "0.0",
            canonical(self.market.tick),
            canonical(lot),
            "EQ" if cash else "FUT",
            self.exchange if cash else f"{self.exchange}-FUT",
            self.exchange,
        )
        return ",".join(map(str, cells))


class Listings:
    """All there is, with its prices.

    Raises:
        BadInput: A market whose native symbol is not ``EXCHANGE:TRADINGSYMBOL:PRODUCT``.
    """

    def __init__(self, exchange: PaperExchange) -> None:
        self._exchange = exchange
        grouped: dict[tuple[str, str], dict[str, Market]] = {}
        for market in exchange.markets.values():
            name, tradingsymbol, product = _parts(market)
            grouped.setdefault((name, tradingsymbol), {})[product] = market
        self._all = [
            Listing(*names, token, markets) for token, (names, markets) in enumerate(grouped.items(), _FIRST_TOKEN)
        ]
        self._by_key = {listing.key: listing for listing in self._all}
        self._by_token = {listing.token: listing for listing in self._all}
        self._by_symbol = {
            market.symbol: (listing, product) for listing in self._all for product, market in listing.markets.items()
        }

    def __iter__(self) -> Iterator[Listing]:
        """In the order of the markets."""
        return iter(self._all)

    def at(self, exchange: str, tradingsymbol: str) -> Listing | None:
        """By the names that Kite gives it."""
        return self._by_key.get(f"{exchange}:{tradingsymbol}")

    def keyed(self, keys: Iterable[str]) -> Sequence[Listing]:
        """By ``EXCHANGE:TRADINGSYMBOL`` or token; what is not known is left out."""
        found = (self._by_key.get(key) or (self.by_token(int(key)) if key.isdecimal() else None) for key in keys)
        return [listing for listing in found if listing is not None]

    def by_token(self, token: int) -> Listing | None:
        """By the ticker's number."""
        return self._by_token.get(token)

    def of(self, symbol: str) -> tuple[Listing, str]:
        """Listing and product of a market of the paper exchange."""
        return self._by_symbol[symbol]

    def price(self, listing: Listing) -> Decimal:
        """The last price."""
        return self._exchange.prices[listing.market.symbol]

    def depth(self, listing: Listing) -> tuple[list[Decimal], list[Decimal]]:
        """The prices that are offered, best first: to who sells, and to who buys."""
        price, level = self.price(listing), listing.market.level
        bids = [price - number * level for number in range(1, LEVELS + 1)]
        return [bid for bid in bids if bid > ZERO], [price + number * level for number in range(1, LEVELS + 1)]


def _parts(market: Market) -> list[str]:
    native = market.instrument.native_symbol
    parts = native.split(":")
    if len(parts) != 3 or parts[0] not in SEGMENTS or parts[2] not in PRODUCTS:  # noqa: PLR2004 - as the message says
        remedy = 'Write EXCHANGE:TRADINGSYMBOL:PRODUCT, like "NSE:SBIN:CNC".'
        raise BadInput("native_symbol", native, "not what Kite could list", remedy=remedy)
    return parts
