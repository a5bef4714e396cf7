"""What things are worth: the value of a quantity at a price, and the figures that follow from it.

This file holds the one formula for worth, :func:`contract_value`. The fold books trades with it and readers value open
positions with it, so a position opened and closed at one price has no profit. Every P&L, realised or not, is
``sign * (value - cost)``, with sign -1 for inverse instruments (domain rules 3.2 to 3.4): linear, spot and quanto
positions gain when they are worth more than they cost, an inverse one when its fixed amount of quote buys back for
less coin than it cost.

All functions expect :func:`trueup.model.numbers.exact` to be entered by the caller, once per batch.
"""

from decimal import Decimal

from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO, quotient

INFINITE = Decimal("Infinity")
"""A margin ratio with no equity left: above every alarm."""


def contract_value(instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
    """Worth of a quantity at a price, signed like the quantity.

    Linear and spot in the quote currency, quanto in the settlement coin: exact. Inverse in the base coin, through
    :func:`trueup.model.numbers.quotient`; adding such values up makes the average harmonic (vector A8).

    Raises:
        decimal.DivisionByZero: An inverse instrument at price 0; callers refuse such prices where they come in.
    """
    if instrument.kind == "inverse":
        return quotient(quantity * instrument.contract_size, price)
    return quantity * instrument.contract_size * price


def pnl(instrument: Instrument, value: Decimal, cost: Decimal) -> Decimal:
    """Profit of what cost ``cost`` and is worth, or was sold for, ``value``; both signed like the quantity."""
    return cost - value if instrument.kind == "inverse" else value - cost


def unrealized_pnl(instrument: Instrument, quantity: Decimal, cost: Decimal | None, mark: Decimal) -> Decimal | None:
    """P&L of an open position at a mark, in the currency of its cost; None when its basis is unknown."""
    if cost is None:
        return None
    return pnl(instrument, contract_value(instrument, quantity, mark), cost)


def notional(instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
    """Size of a position at a price, unsigned, in the currency of its cost (base coin for inverse)."""
    return abs(contract_value(instrument, quantity, price))


def price_after_split(price: Decimal, new: int, old: int) -> Decimal:
    """A price or strike after a split: divided by ``new / old``, as quantities are multiplied (rule 3.14)."""
    return quotient(price * old, Decimal(new))


def converted(amount: Decimal, rate: Decimal) -> Decimal:
    """An amount in another currency at the rate when it was booked (rule 3.10): ``rate`` home units per unit."""
    return amount * rate


def fx_translation(balance: Decimal, rate_booked: Decimal, rate_now: Decimal) -> Decimal:
    """What a currency balance gained in home units since it was booked: a bucket apart from trading P&L (rule 3.10)."""
    return balance * (rate_now - rate_booked)


def liquidation_distance(quantity: Decimal, mark: Decimal, liquidation_price: Decimal) -> Decimal:
    """Share of the mark by which it may still move against the position; zero or less when it is already past."""
    room = mark - liquidation_price if quantity > ZERO else liquidation_price - mark
    return quotient(room, mark)


def margin_ratio(maintenance: Decimal, equity: Decimal) -> Decimal:
    """Maintenance margin over equity: liquidation at 1 (domain section 4, crypto convention).

    Without equity it is :data:`INFINITE`, so that every alarm fires; with nothing to maintain it is zero.
    """
    if not maintenance:
        return ZERO
    return quotient(maintenance, equity) if equity > ZERO else INFINITE


def position_margin_ratio(
    instrument: Instrument,
    quantity: Decimal,
    cost: Decimal | None,
    mark: Decimal,
    margin: Decimal,
    maintenance_rate: Decimal,
) -> Decimal | None:
    """Margin ratio of one position at a mark; None when its basis is unknown.

    ``margin`` is what backs the position besides its own P&L, in the currency of its cost; ``maintenance_rate`` is
    maintenance margin as a share of notional.
    """
    gain = unrealized_pnl(instrument, quantity, cost, mark)
    if gain is None:
        return None
    return margin_ratio(notional(instrument, quantity, mark) * maintenance_rate, margin + gain)
