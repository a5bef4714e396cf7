"""Margin and liquidation by the venues' own formulas (domain section 4), for display, alerts and cross-checks.

Where a venue reports a liquidation price, its own is authoritative; ours tells when to ask why they differ. Quantities
are signed, rates are shares (``0.005`` for half a percent). Callers enter :func:`trueup.model.numbers.exact`. Each
formula is arranged so that it divides once.
"""

from decimal import Decimal

from trueup.book.valuation import margin_ratio
from trueup.model.numbers import ONE, ZERO, quotient

HALF = Decimal("0.5")


def hyperliquid_maintenance(quantity: Decimal, price: Decimal, max_leverage: Decimal) -> Decimal:
    """Maintenance margin: half of the initial margin at the highest leverage, in USDC.

    Source: Hyperliquid documentation, "Margining". The tier is that of the notional at liquidation.
    """
    return quotient(abs(quantity) * price, 2 * max_leverage)


def hyperliquid_liquidation_price(
    quantity: Decimal, price: Decimal, margin_available: Decimal, max_leverage: Decimal
) -> Decimal | None:
    """Price that liquidates a position; None when no positive price does.

    Source: Hyperliquid documentation, "Liquidations": ``price - side * margin_available / size / (1 - l * side)`` with
    ``l = 1 / maintenance leverage``, which is twice the highest leverage. Vectors M4 to M6.

    Args:
        quantity: Signed, not zero.
        price: Mark, or entry where the margin is that of the entry.
        margin_available: Isolated margin, or account value for cross, less the maintenance margin it requires.
        max_leverage: The highest the asset allows in the position's tier.
    """
    maintenance_leverage = 2 * max_leverage
    side = _side(quantity)
    room = quotient(margin_available * maintenance_leverage, quantity * (maintenance_leverage - side))
    return _positive(price - room)


def binance_maintenance(
    quantity: Decimal, mark: Decimal, maintenance_rate: Decimal, maintenance_amount: Decimal
) -> Decimal:
    """Maintenance margin of a USD-M contract: ``notional * rate - amount`` of its bracket (``TMM``, vector M3).

    Source: Binance FAQ, "Leverage and margin of USD-M futures".
    """
    return abs(quantity) * mark * maintenance_rate - maintenance_amount


def binance_liquidation_price(
    quantity: Decimal,
    entry_price: Decimal,
    wallet_balance: Decimal,
    maintenance_rate: Decimal,
    maintenance_amount: Decimal,
    *,
    other_maintenance: Decimal = ZERO,
    other_pnl: Decimal = ZERO,
) -> Decimal | None:
    """Price that liquidates a USD-M contract in one-way mode; None when no positive price does.

    Source: Binance FAQ, "How to calculate liquidation price of USD-M futures contracts":
    ``(WB - TMM1 + UPNL1 + cum - side*q*EP) / (q*MMR - side*q)``. Vectors M1 and M2 (isolated), M3 (cross).

    Args:
        quantity: Signed, not zero.
        entry_price: Average entry.
        wallet_balance: Isolated wallet, or the cross wallet.
        maintenance_rate: Of the bracket that holds the notional at the liquidation price.
        maintenance_amount: Of the same bracket (``cum``).
        other_maintenance: Maintenance margin of the other contracts in the cross wallet; zero if isolated.
        other_pnl: Unrealised P&L of the other contracts in the cross wallet; zero if isolated.
    """
    cushion = wallet_balance - other_maintenance + other_pnl + maintenance_amount
    return _positive(
        quotient(cushion - quantity * entry_price, abs(quantity) * maintenance_rate - quantity),
    )


def bybit_inverse_liquidation_price_2024(
    quantity: Decimal, entry_price: Decimal, leverage: Decimal, maintenance_rate: Decimal
) -> Decimal | None:
    """Price that liquidates an isolated inverse contract; None when no positive price does.

    Source: Bybit help, "Liquidation price (inverse contract)" as of 2024; the text of May 2026 has another formula.
    Long ``Q / (PV + IM - MM)``, short ``Q / (PV - IM + MM)``, with ``PV = Q / entry``, ``IM = PV / leverage`` and
    ``MM = PV * rate``: the quantity cancels, its sign does not. Vector M7.
    """
    cushion = _side(quantity) * (ONE - maintenance_rate * leverage)
    return _positive(quotient(entry_price * leverage, leverage + cushion))


def oanda_margin_used(quantity: Decimal, mid: Decimal, margin_rate: Decimal, home_rate: Decimal = ONE) -> Decimal:
    """Margin that a position ties up, in home currency, at the mid price (the screen's P&L uses bid and ask).

    Source: OANDA help, "Margin calculations". ``home_rate`` is home units per unit of the quote currency. Vector M8.
    """
    return abs(quantity) * mid * margin_rate * home_rate


def oanda_closeout(margin_used: Decimal, nav: Decimal) -> Decimal:
    """Share of the way to a margin closeout, which happens at 1; infinite when nothing is left of the account.

    Source: OANDA help, "Margin closeout": half of the margin used over the net asset value at mid prices. Vector M8.
    """
    return margin_ratio(HALF * margin_used, nav)


def _side(quantity: Decimal) -> Decimal:
    return ONE.copy_sign(quantity)


def _positive(price: Decimal) -> Decimal | None:
    """A price, or None where the formula's answer is no price: the position cannot be liquidated by the market."""
    return price if price > ZERO else None
