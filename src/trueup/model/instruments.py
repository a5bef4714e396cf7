"""Reference data of what is traded: versioned, with effective dates."""

from decimal import Decimal
from typing import Literal

import msgspec

from trueup.model.numbers import ONE

InstrumentKind = Literal["spot", "linear", "inverse", "quanto"]


class Instrument(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One version of a contract's terms.

    Attributes:
        symbol: Canonical name: ``BTC/USDC:USDC`` (base/quote:settle) or ``EUR/USD`` for spot.
        native_symbol: The venue's own name.
        kind: ``spot`` the position is the balance; ``linear`` P&L in quote = settle; ``inverse`` quantity is worth a
            fixed amount of quote and P&L is paid in the base coin; ``quanto`` P&L of one point is a fixed amount of the
            settlement coin.
        base: Currency bought and sold.
        quote: Currency of the price.
        settle: Currency in which P&L is paid.
        contract_size: Worth of one unit of quantity at price 1: base per contract (linear), quote per contract
            (inverse), settlement coin per contract and point (quanto); 1 for spot, whose unit is the base itself.
        price_tick: Smallest price step, in quote; None when the venue states none.
        quantity_step: Smallest quantity step (lot); None when the venue states none.
        version: 1, 2, … per symbol; each fact names the version it was booked under.
        effective_from: First nanosecond at which this version holds.
        expiry: Last nanosecond of trading; None when perpetual.
        max_leverage: As the venue states it; None when unknown.
        wallet: The account's separate wallet that trades of this instrument pay from and into, where the venue keeps
            several (Hyperliquid ``spot``); empty for the main one.
    """

    symbol: str
    native_symbol: str
    kind: InstrumentKind
    base: str
    quote: str
    settle: str
    contract_size: Decimal = ONE
    price_tick: Decimal | None = None
    quantity_step: Decimal | None = None
    version: int = 1
    effective_from: int = 0
    expiry: int | None = None
    max_leverage: Decimal | None = None
    wallet: str = ""


def wallet_currency(currency: str, wallet: str) -> str:
    """The name under which a balance is kept: ``USDC`` in the main wallet, ``USDC@spot`` in another."""
    return f"{currency}@{wallet}" if wallet else currency
