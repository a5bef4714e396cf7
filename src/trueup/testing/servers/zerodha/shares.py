"""Shares held for delivery: bought today they are a position, tomorrow T1, and settled on the day after."""

from datetime import datetime
from decimal import Decimal

import msgspec

from trueup.model.numbers import ZERO
from trueup.testing.servers.zerodha import wire
from trueup.testing.servers.zerodha.listings import DELIVERY, Listing
from trueup.testing.servers.zerodha.wire import Row

_HUNDRED = Decimal(100)


class Shares(msgspec.Struct):
    """The shares of one tradingsymbol that were held when the day began.

    Attributes:
        settled: In the demat account.
        fresh: Bought yesterday and not there yet (T1).
        cost: Of both.
        unpriced: Whether some came from elsewhere, at a price that Kite does not know.
        close: Price at which the day before ended.
    """

    listing: Listing
    settled: Decimal = ZERO
    fresh: Decimal = ZERO
    cost: Decimal = ZERO
    unpriced: bool = False
    close: Decimal = ZERO

    @property
    def opening(self) -> Decimal:
        """What the day began with."""
        return self.settled + self.fresh

    def receive(self, quantity: Decimal) -> None:
        """Shares come from another broker, or go there."""
        self.cost -= self._share(-quantity) if quantity < ZERO else ZERO
        self.settled += quantity
        self.unpriced = self.unpriced or quantity > ZERO

    def settle(self, change: Decimal, price: Decimal, close: Decimal) -> None:
        """The day is over: what it sold is gone, what it bought is T1, and what was T1 is settled."""
        if change < ZERO:
            self.cost -= self._share(-change)
        left = self.opening + min(change, ZERO)
        self.settled, self.fresh, self.close = left, max(change, ZERO), close
        self.cost += self.fresh * price

    def row(self, change: Decimal, last: Decimal, day: datetime) -> Row:
        """The holding, where today's trades changed so much of it."""
        used = min(max(-change, ZERO), self.opening)
        average = wire.average(self.cost, self.opening)
        left = max(self.settled - used, ZERO)
        fresh = self.fresh - max(used - self.settled, ZERO)
        moved = last - self.close if self.close else ZERO
        nothing = {"quantity": 0, "used_quantity": 0, "average_price": 0, "value": 0, "initial_margin": 0}
        return {
            **self.listing.named(),
            "isin": self.listing.isin,
            "product": DELIVERY,
            "price": 0,
            "quantity": wire.number(left),
            "used_quantity": wire.number(used),
            "t1_quantity": wire.number(fresh),
            "realised_quantity": wire.number(self.settled),
            "authorised_quantity": 0,
            "authorised_date": f"{day:%Y-%m-%d} 00:00:00",
            "authorisation": {},
            "opening_quantity": wire.number(self.opening),
            "short_quantity": 0,
            "collateral_quantity": 0,
            "collateral_type": "",
            "discrepancy": self.unpriced,
            "average_price": wire.rounded(average),
            "last_price": wire.number(last),
            "close_price": wire.number(self.close),
            "pnl": wire.rounded((left + fresh) * (last - average)),
            "day_change": wire.rounded(moved),
            "day_change_percentage": wire.rounded(wire.average(moved * _HUNDRED, self.close)),
            "mtf": nothing,
        }

    def _share(self, quantity: Decimal) -> Decimal:
        """What so many of them cost."""
        return quantity * wire.average(self.cost, self.opening) if quantity < self.opening else self.cost
