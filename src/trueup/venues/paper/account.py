"""Money, positions and margin of one paper account: the exchange's own books, kept apart from the book that is tested.

Derivatives are held at average cost: a reduction takes its share of the cost and pays the difference; the last close
takes the remainder. So ``balance = deposits + realised - fees + funding`` holds to the last digit. Margin is crossed:
all positions that settle in one currency stand for one another. A hedged account holds a long and a short position of
each derivative apart, and has margin for both.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal

from trueup.model.differences import VenuePosition
from trueup.model.identifiers import PositionKey, Side
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
        return gain(market, share, market.worth(-closing, price))


class Account:
    """Balances by currency and wallet, and derivatives by symbol and side, valued at the exchange's live ``prices``.

    Attributes:
        hedged: Whether a long and a short position are held side by side.
        derivatives: Symbols that positions can be held in.
    """

    def __init__(self, markets: Mapping[str, Market], prices: Mapping[str, Decimal], *, hedged: bool = False) -> None:
        self.balances: dict[str, Decimal] = defaultdict(Decimal)
        self.hedged = hedged
        self.derivatives = frozenset(symbol for symbol, market in markets.items() if not market.spot)
        self._holdings: dict[PositionKey, Holding] = defaultdict(Holding)
        self._markets = markets
        self._prices = prices

    def opens(self, market: Market, side: Side) -> str:
        """The position side that a trade makes larger where it does not say which it is for."""
        if market.spot or not self.hedged:
            return "net"
        return "long" if side == "buy" else "short"

    def trade(self, market: Market, position_side: str, signed: Decimal, price: Decimal) -> None:
        """Take a trade in; its fee is paid apart."""
        if market.spot:
            self.balances[market.coins] += signed * market.instrument.contract_size
            self.balances[market.cash] -= market.worth(signed, price)
        else:
            holding = self._holdings[market.symbol, position_side]
            self.balances[market.cash] += holding.trade(market, signed, price)

    def quantity(self, symbol: str, position_side: str) -> Decimal:
        """Signed quantity of a derivative; zero for spot, whose position is the balance."""
        held = self._holdings.get((symbol, position_side))
        return held.quantity if held is not None else ZERO

    def net(self, symbol: str) -> Decimal:
        """Signed quantity of a derivative, both sides together."""
        return self._both(self._markets[symbol])[0]

    def held(self, cash: str = "") -> list[tuple[Market, str]]:
        """Open positions, as market and position side: those that settle in one currency, or all."""
        return [(market, side) for market, side, _ in self._open(cash)]

    def equity(self, cash: str) -> Decimal:
        """Balance and unrealised P&L in a settlement currency."""
        return self.balances[cash] + sum((self._unrealized(market, held) for market, _, held in self._open(cash)), ZERO)

    def maintenance(self, cash: str) -> Decimal:
        """Equity below which everything that settles in the currency is liquidated."""
        return sum((HALF * self._margin(market, held.quantity) for market, _, held in self._open(cash)), ZERO)

    def affords(self, market: Market, position_side: str, signed: Decimal, price: Decimal) -> bool:
        """Whether a trade is paid for (spot) or leaves enough margin (derivatives, where reducing always does)."""
        fee, currency = market.fee(abs(signed), price, buys=signed > ZERO, maker=False)
        if market.spot and signed < ZERO:
            return self.balances[market.coins] >= -signed * market.instrument.contract_size
        if market.spot:
            extra = fee if currency == market.instrument.quote else ZERO
            return self.balances[market.cash] >= market.worth(signed, price) + extra
        held = self.quantity(market.symbol, position_side)
        if abs(held + signed) <= abs(held):
            return True
        needed = self._margin(market, held + signed)
        for other, side, holding in self._open(market.cash):
            same = other is market and side == position_side
            needed += ZERO if same else self._margin(other, holding.quantity)
        return self.equity(market.cash) - fee >= needed

    def liquidation_price(self, market: Market) -> Decimal | None:
        """The price of this market at which equity meets maintenance, all else standing still; None where none does.

        Linear: ``balance + q*s*p - cost = other + g*s*p*m``; inverse the same with ``q*s/p`` and the signs of the P&L
        turned, ``q`` and ``g`` being the net and the gross quantity, ``m`` the maintenance rate and ``s`` the contract
        size.
        """
        inverse = market.instrument.kind == "inverse"
        quantity, gross, cost = self._both(market)
        worth = market.worth(quantity, self._prices[market.symbol])
        apart = self.equity(market.cash) - gain(market, cost, worth)
        needed = self.maintenance(market.cash) - HALF * self._margin(market, gross)
        rate = HALF * market.initial_margin * gross
        exposed = (quantity + rate if inverse else quantity - rate) * market.instrument.contract_size
        room = apart + cost - needed if inverse else needed + cost - apart
        if not exposed or not room or (exposed > ZERO) != (room > ZERO):
            return None
        return quotient(exposed, room) if inverse else quotient(room, exposed)

    def shown(self) -> dict[PositionKey, VenuePosition]:
        """Open positions as the venue states them."""
        return {
            (market.symbol, side): VenuePosition(
                market.symbol,
                side,
                held.quantity,
                entry_price=_entry_price(market, held),
                mark_price=self._prices[market.symbol],
                liquidation_price=self.liquidation_price(market),
                unrealized_pnl=self._unrealized(market, held),
            )
            for market, side, held in self._open()
        }

    def _open(self, cash: str = "") -> Iterator[tuple[Market, str, Holding]]:
        for (symbol, side), held in self._holdings.items():
            market = self._markets[symbol]
            if held.quantity and cash in {"", market.cash}:
                yield market, side, held

    def _both(self, market: Market) -> tuple[Decimal, Decimal, Decimal]:
        """Net quantity, gross quantity and cost of a market's positions together."""
        sides = [held for other, _, held in self._open(market.cash) if other is market]
        quantities = [held.quantity for held in sides]
        return sum(quantities, ZERO), sum(map(abs, quantities), ZERO), sum((held.cost for held in sides), ZERO)

    def _unrealized(self, market: Market, held: Holding) -> Decimal:
        return gain(market, held.cost, market.worth(held.quantity, self._prices[market.symbol]))

    def _margin(self, market: Market, quantity: Decimal) -> Decimal:
        return market.initial_margin * abs(market.worth(quantity, self._prices[market.symbol]))


def gain(market: Market, cost: Decimal, worth: Decimal) -> Decimal:
    """P&L of what cost ``cost`` and is worth ``worth``; coins gain by being worth fewer (inverse)."""
    return cost - worth if market.instrument.kind == "inverse" else worth - cost


def _entry_price(market: Market, held: Holding) -> Decimal:
    contracts = held.quantity * market.instrument.contract_size
    return quotient(contracts, held.cost) if market.instrument.kind == "inverse" else quotient(held.cost, contracts)
