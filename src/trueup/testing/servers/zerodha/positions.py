"""What is held, as Kite adds it up: what was carried overnight, and what the day bought and sold.

The sums follow the recorded answers: ``value = sell_value - buy_value``, ``pnl = value + quantity * last_price *
multiplier``, and ``m2m`` the same with what was carried overnight taken at the last close.
"""

from decimal import Decimal

import msgspec

from trueup.model.numbers import ZERO
from trueup.testing.servers.zerodha import wire
from trueup.testing.servers.zerodha.listings import Listing
from trueup.testing.servers.zerodha.wire import Row


class Side(msgspec.Struct):
    """What was bought, or what was sold: quantity, and the sum of quantity times price."""

    quantity: Decimal = ZERO
    value: Decimal = ZERO

    def add(self, quantity: Decimal, price: Decimal) -> None:
        """Add to it, or take away where the quantity is negative."""
        self.quantity += quantity
        self.value += quantity * price

    @property
    def price(self) -> Decimal:
        """The average."""
        return wire.average(self.value, self.quantity)


class Position(msgspec.Struct):
    """One tradingsymbol in one product.

    Attributes:
        overnight: Signed quantity that the day began with, and what it cost.
        close: Price at which the day before ended; 0 where nothing was carried from there.
    """

    listing: Listing
    product: str
    overnight: Side = msgspec.field(default_factory=Side)
    bought: Side = msgspec.field(default_factory=Side)
    sold: Side = msgspec.field(default_factory=Side)
    close: Decimal = ZERO

    @property
    def quantity(self) -> Decimal:
        """What is held now, signed."""
        return self.overnight.quantity + self.today

    @property
    def today(self) -> Decimal:
        """What the day changed."""
        return self.bought.quantity - self.sold.quantity

    @property
    def traded(self) -> bool:
        """Whether the day did anything."""
        return bool(self.bought.quantity or self.sold.quantity)

    def trade(self, signed: Decimal, price: Decimal) -> None:
        """Buy or sell."""
        (self.bought if signed > ZERO else self.sold).add(abs(signed), price)

    def price(self) -> Decimal:
        """What is held cost so much by unit: the average of the side that is larger."""
        bought, sold = self._sides()
        return bought.price if self.quantity > ZERO else sold.price if self.quantity < ZERO else ZERO

    def carried(self, close: Decimal) -> "Position":
        """The position as the next day begins with it."""
        held = Side()
        held.add(self.quantity, self.price())
        return Position(self.listing, self.product, overnight=held, close=close)

    def converted(self, quantity: Decimal, *, overnight: bool) -> Decimal:
        """Take a signed quantity away, for another product; gives the average at which it goes."""
        side = self.overnight if overnight else self.bought if quantity > ZERO else self.sold
        price = side.price
        side.add(-quantity if overnight else -abs(quantity), price)
        return price

    def net(self, last: Decimal) -> Row:
        """The row of everything held."""
        bought, sold = self._sides()
        marked = self.overnight.quantity * self.close
        bought_m2m = self.bought.value + max(marked, ZERO)
        sold_m2m = self.sold.value - min(marked, ZERO)
        return self._row(last, self.quantity, (bought, sold), (bought_m2m, sold_m2m), self.overnight.quantity)

    def day(self, last: Decimal) -> Row:
        """The row of the day's doing."""
        sides = self.bought, self.sold
        return self._row(last, self.today, sides, (self.bought.value, self.sold.value), ZERO)

    def _sides(self) -> tuple[Side, Side]:
        """All that was bought and sold, what was carried overnight with it."""
        bought = Side(self.bought.quantity, self.bought.value)
        sold = Side(self.sold.quantity, self.sold.value)
        if self.overnight.quantity > ZERO:
            bought = Side(bought.quantity + self.overnight.quantity, bought.value + self.overnight.value)
        else:
            sold = Side(sold.quantity - self.overnight.quantity, sold.value - self.overnight.value)
        return bought, sold

    def _row(
        self,
        last: Decimal,
        quantity: Decimal,
        sides: tuple[Side, Side],
        m2m: tuple[Decimal, Decimal],
        overnight: Decimal,
    ) -> Row:
        (bought, sold), size = sides, self.listing.multiplier
        average = bought.price if quantity > ZERO else sold.price if quantity < ZERO else ZERO
        value, worth = (sold.value - bought.value) * size, quantity * last * size
        pnl = wire.rounded(value + worth)
        return {
            **self.listing.named(),
            "product": self.product,
            "quantity": wire.number(quantity),
            "overnight_quantity": wire.number(overnight),
            "multiplier": wire.number(size),
            "average_price": wire.rounded(average),
            "close_price": wire.number(self.close),
            "last_price": wire.number(last),
            "value": wire.rounded(value),
            "pnl": pnl,
            "m2m": wire.rounded((m2m[1] - m2m[0]) * size + worth),
            "unrealised": pnl,
            "realised": 0,
            **_side("buy", bought, size),
            "buy_m2m": wire.rounded(m2m[0] * size),
            **_side("sell", sold, size),
            "sell_m2m": wire.rounded(m2m[1] * size),
            **_side("day_buy", self.bought, size),
            **_side("day_sell", self.sold, size),
        }


def _side(name: str, side: Side, size: Decimal) -> Row:
    return {
        f"{name}_quantity": wire.number(side.quantity),
        f"{name}_price": wire.rounded(side.price),
        f"{name}_value": wire.rounded(side.value * size),
    }
