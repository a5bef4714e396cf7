"""The day's prices of everything listed, as far as somebody looked: open, high, low, last and close."""

from decimal import Decimal

import msgspec

from trueup.model.numbers import ZERO
from trueup.ports import Clock
from trueup.testing.servers.zerodha import wire
from trueup.testing.servers.zerodha.hours import morning_after
from trueup.testing.servers.zerodha.listings import Listing, Listings
from trueup.testing.servers.zerodha.wire import Row

_TENTH = Decimal("0.1")


class Range(msgspec.Struct):
    """One day of one listing.

    Attributes:
        close: Of the day before; 0 on the first day.
    """

    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    close: Decimal = ZERO

    def see(self, price: Decimal) -> None:
        """The price now."""
        self.last, self.high, self.low = price, max(self.high, price), min(self.low, price)

    def ohlc(self) -> Row:
        """As quotes have it."""
        return {name: wire.number(getattr(self, name)) for name in ("open", "high", "low", "close")}


class Prices:
    """Ranges of all listings; :meth:`look` as often as it matters."""

    def __init__(self, listings: Listings, clock: Clock) -> None:
        self.listings = listings
        self._clock = clock
        self._morning = morning_after(clock.now())
        self._ranges = {listing.key: self._first(listing) for listing in listings}

    def look(self) -> None:
        """Take the prices in; what was last seen before a morning is the close of the day before."""
        now = self._clock.now()
        if now >= self._morning:
            self._morning = morning_after(now)
            for listing in self.listings:
                self._ranges[listing.key] = self._first(listing, self._ranges[listing.key].last)
        for listing in self.listings:
            self._ranges[listing.key].see(self.listings.price(listing))

    def last(self, listing: Listing) -> Decimal:
        """The price now."""
        return self.listings.price(listing)

    def close(self, listing: Listing) -> Decimal:
        """Of the day before; on the first day the price now."""
        return self._ranges[listing.key].close or self.last(listing)

    def day(self, listing: Listing) -> Range:
        """The day so far."""
        self._ranges[listing.key].see(self.last(listing))
        return self._ranges[listing.key]

    # --- as quotes say it ---------------------------------------------------------------------------------------------

    def ltp(self, listing: Listing) -> Row:
        """``GET /quote/ltp``."""
        return {"instrument_token": listing.token, "last_price": wire.number(self.last(listing))}

    def ohlc(self, listing: Listing) -> Row:
        """``GET /quote/ohlc``."""
        return {**self.ltp(listing), "ohlc": self.day(listing).ohlc()}

    def quote(self, listing: Listing) -> Row:
        """``GET /quote``."""
        last, now = self.last(listing), wire.stamp(self._clock.now())
        close, tick = self.close(listing), listing.market.tick
        span = close * _TENTH // tick * tick
        interest = dict.fromkeys(("oi", "oi_day_high", "oi_day_low"), 0)
        return {
            **self.ohlc(listing),
            "timestamp": now,
            "last_trade_time": now,
            "last_quantity": wire.number(listing.lot),
            **self.offered(listing),
            "volume": 0,
            "average_price": wire.number(last),
            **interest,
            "net_change": wire.number(last - close),
            "lower_circuit_limit": wire.number(close - span),
            "upper_circuit_limit": wire.number(close + span),
        }

    def offered(self, listing: Listing) -> Row:
        """What is offered on both sides."""
        quantity = wire.number(listing.market.depth)
        bids, asks = self.listings.depth(listing)
        sides = {"buy": bids, "sell": asks}
        total = {f"{side}_quantity": quantity * len(prices) for side, prices in sides.items()}
        depth = {
            side: [{"price": wire.number(price), "quantity": quantity, "orders": 1} for price in prices]
            for side, prices in sides.items()
        }
        return {**total, "depth": depth}

    def _first(self, listing: Listing, close: Decimal = ZERO) -> Range:
        price = self.listings.price(listing)
        return Range(price, price, price, price, close)
