"""Trades as OANDA counts them: what one fill opened, closed first in, first out, or by name.

The exchange holds positions at average cost; what a fill realises here is OANDA's own reckoning, and so is the balance
that it leads to.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from trueup.model.numbers import ZERO


class Trade(msgspec.Struct):
    """One trade.

    Attributes:
        initial, units: As opened, and what is left: positive long, negative short.
        margin: Required when it was opened, in the home currency.
        realized, financing: In the home currency.
        proceeds: Of what was closed: sum of units and price.
    """

    id: str
    instrument: str
    price: Decimal
    opened_at: int
    initial: Decimal
    units: Decimal
    margin: Decimal
    client_extensions: dict[str, str]
    realized: Decimal = ZERO
    financing: Decimal = ZERO
    closed_by: list[str] = msgspec.field(default_factory=list)
    closed_at: int | None = None
    proceeds: Decimal = ZERO

    @property
    def long(self) -> bool:
        """Which side of the instrument it is on."""
        return self.initial > ZERO

    @property
    def open(self) -> bool:
        """Whether something is left of it."""
        return bool(self.units)


class Closing(msgspec.Struct, frozen=True):
    """What a fill takes from one trade.

    Attributes:
        units: Signed as the fill is.
    """

    trade: Trade
    units: Decimal


class Trades:
    """All trades of an account, in the order in which they were opened."""

    def __init__(self) -> None:
        self._all: dict[str, Trade] = {}

    def add(self, trade: Trade) -> None:
        """Take a new trade in."""
        self._all[trade.id] = trade

    def find(self, specifier: str) -> Trade | None:
        """By id, or by ``@`` and the client's id among those that are open."""
        if not specifier.startswith("@"):
            return self._all.get(specifier)
        return next((trade for trade in self.open() if trade.client_extensions.get("id") == specifier[1:]), None)

    def all(self) -> Iterable[Trade]:
        """Every trade there ever was."""
        return self._all.values()

    def open(self, instrument: str = "", *, long: bool | None = None) -> list[Trade]:
        """Trades that are open, of one instrument or all, of one side or both."""
        return [
            trade
            for trade in self._all.values()
            if trade.open and instrument in {"", trade.instrument} and long in {None, trade.long}
        ]

    def held(self, instrument: str, *, long: bool) -> Decimal:
        """Signed units of one side."""
        return sum((trade.units for trade in self.open(instrument, long=long)), ZERO)

    def closings(self, instrument: str, signed: Decimal, first: str = "") -> Iterator[Closing]:
        """What a fill takes from trades of the other side: from one that is named before others, then oldest first.

        Others come into it where the exchange, which knows positions only, filled an order on a trade that had just
        been closed.
        """
        left = signed
        for trade in sorted(self.open(instrument, long=signed < ZERO), key=lambda trade: trade.id != first):
            if left:
                taken = max(left, -trade.units) if left < ZERO else min(left, -trade.units)
                left -= taken
                yield Closing(trade, taken)
