"""Synthetic futures: a long call and a short put of one strike and expiry, seen as one contract (domain rule 3.13).

A view only: the legs stay positions of their own, with their own margin. Vectors A18 and A19.
"""

from decimal import Decimal


def synthetic_entry(strike: Decimal, call: Decimal, put: Decimal) -> Decimal:
    """Entry price of the synthetic, ``K + C - P`` (put-call parity): the same for long and short."""
    return strike + call - put


def synthetic_pnl(lots: Decimal, lot_size: Decimal, entry: Decimal, settlement: Decimal) -> Decimal:
    """P&L at expiry, ``side * (S - entry) * lot size * lots``; ``lots`` is negative for a short synthetic."""
    return (settlement - entry) * lot_size * lots
