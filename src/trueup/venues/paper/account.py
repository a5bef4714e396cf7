"""Money, positions and margin of one paper account: the exchange's own books, kept apart from the book that is tested.

Derivatives are held at average cost: a reduction takes its share of the cost and pays the difference; the last close
takes the remainder. So ``balance = deposits + realised - fees + funding`` holds to the last digit. Margin is crossed:
all positions that settle in one currency stand for one another.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal

from trueup.model.differences import VenuePosition
from trueup.model.identifiers import PositionKey
from trueup.model.numbers import ZERO, quotient
from trueup.venues.paper.markets import HALF, Market


class Holding:
    """A signed quantity and its cost in the settlement currency."""

    __slots__ = ("cost", "quantity")

    def __init__(self) -> None:
        self.quantity = ZERO
        self.cost = ZERO

    def trade(self, market: Market, signed: Decimal, price: Decimal) -> Decimal:
        """Take a trade in; returns the P&L that it realises."""
        closing = ZERO
        if self.quantity * signed < ZERO:
            closing = max(signed, -self.quantity) if signed < ZERO else min(signed, -self.quantity)
        realized = self._close(market, closing, price) if closing else ZERO
        self.quantity += signed - closing
        self.cost += market.worth(signed - closing, price)
        return realized

    def _close(self, market: Market, closing: Decimal, price: Decimal) -> Decimal:
        share = quotient(self.cost * -closing, self.quantity) if closing + self.quantity else self.cost
        self.quantity += closing
        self.cost -= share
        return _gain(market, share, market.worth(-closing, price))


class Account:
    """Balances by currency and derivatives by symbol, valued at the exchange's live ``prices``."""

    def __init__(self, markets: Mapping[str, Market], prices: Mapping[str, Decimal]) -> None:
        self.balances: dict[str, Decimal] = defaultdict(Decimal)
        self._holdings: dict[str, Holding] = defaultdict(Holding)
        self.derivatives = frozenset(symbol for symbol, market in markets.items() if not market.spot)
        self._markets = markets
        self._prices = prices

    def trade(self, market: Market, signed: Decimal, price: Decimal, fee: Decimal, fee_currency: str) -> None:
        """Pay for a trade and take it in."""
        instrument = market.instrument
        if market.spot:
            self.balances[instrument.base] += signed * instrument.contract_size
            self.balances[instrument.quote] -= market.worth(signed, price)
        else:
            self.balances[instrument.settle] += self._holdings[market.symbol].trade(market, signed, price)
        self.balances[fee_currency] -= fee

    def quantity(self, symbol: str) -> Decimal:
        """Signed quantity of a derivative; zero for spot, whose position is the balance."""
        return self._holdings[symbol].quantity

    def held(self, currency: str = "") -> list[Market]:
        """Markets in which a position is open, of one settlement currency or of all."""
        return [market for market, _ in self._open(currency)]

    def equity(self, currency: str) -> Decimal:
        """Balance and unrealised P&L in a settlement currency."""
        return self.balances[currency] + sum((self._unrealized(*row) for row in self._open(currency)), ZERO)

    def maintenance(self, currency: str) -> Decimal:
        """Equity below which everything that settles in the currency is liquidated."""
        return sum((HALF * self._margin(market, held.quantity) for market, held in self._open(currency)), ZERO)

    def affords(self, market: Market, signed: Decimal, price: Decimal) -> bool:
        """Whether a trade is paid for (spot) or leaves enough margin (derivatives, where reducing always does)."""
        instrument = market.instrument
        fee, currency = market.fee(abs(signed), price, buys=signed > ZERO, maker=False)
        if market.spot and signed < ZERO:
            return self.balances[instrument.base] >= -signed * instrument.contract_size
        if market.spot:
            extra = fee if currency == instrument.quote else ZERO
            return self.balances[instrument.quote] >= market.worth(signed, price) + extra
        held = self.quantity(market.symbol)
        if abs(held + signed) <= abs(held):
            return True
        needed = self._margin(market, held + signed)
        for other, holding in self._open(instrument.settle):
            needed += ZERO if other is market else self._margin(other, holding.quantity)
        return self.equity(instrument.settle) - fee >= needed

    def liquidation_price(self, market: Market) -> Decimal | None:
        """The price of this market at which equity meets maintenance, all else standing still; None where none does.

        Linear: ``balance + q*s*p - cost = other + |q|*s*p*m``; inverse the same with ``q*s/p`` and the signs of the
        P&L turned, ``m`` being the maintenance rate and ``s`` the contract size.
        """
        held = self._holdings[market.symbol]
        settle, inverse = market.instrument.settle, market.instrument.kind == "inverse"
        apart = self.equity(settle) - self._unrealized(market, held)
        needed = self.maintenance(settle) - HALF * self._margin(market, held.quantity)
        rate = HALF * market.initial_margin * abs(held.quantity)
        exposed = (held.quantity + rate if inverse else held.quantity - rate) * market.instrument.contract_size
        room = apart + held.cost - needed if inverse else needed + held.cost - apart
        if not exposed or not room or (exposed > ZERO) != (room > ZERO):
            return None
        return quotient(exposed, room) if inverse else quotient(room, exposed)

    def shown(self) -> dict[PositionKey, VenuePosition]:
        """Open positions as the venue states them."""
        return {
            (market.symbol, "net"): VenuePosition(
                market.symbol,
                "net",
                held.quantity,
                entry_price=_entry_price(market, held),
                mark_price=self._prices[market.symbol],
                liquidation_price=self.liquidation_price(market),
                unrealized_pnl=self._unrealized(market, held),
            )
            for market, held in self._open()
        }

    def _open(self, currency: str = "") -> Iterator[tuple[Market, Holding]]:
        for symbol, held in self._holdings.items():
            market = self._markets[symbol]
            if held.quantity and currency in {"", market.instrument.settle}:
                yield market, held

    def _unrealized(self, market: Market, held: Holding) -> Decimal:
        return _gain(market, held.cost, market.worth(held.quantity, self._prices[market.symbol]))

    def _margin(self, market: Market, quantity: Decimal) -> Decimal:
        return market.initial_margin * abs(market.worth(quantity, self._prices[market.symbol]))


def _gain(market: Market, cost: Decimal, worth: Decimal) -> Decimal:
    """P&L of what cost ``cost`` and is worth ``worth``; coins gain by being worth fewer (inverse)."""
    return cost - worth if market.instrument.kind == "inverse" else worth - cost


def _entry_price(market: Market, held: Holding) -> Decimal:
    contracts = held.quantity * market.instrument.contract_size
    return quotient(contracts, held.cost) if market.instrument.kind == "inverse" else quotient(held.cost, contracts)
