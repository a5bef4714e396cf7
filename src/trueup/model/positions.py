"""What readers of a book get: frozen copies of positions, balances, orders, cycles and lots.

Averages are computed here when shown; the state keeps cost. None means unknown, never zero. These values refer to
nothing that could refer to them, so the garbage collector need not walk through a million of them (``gc=False``).
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from trueup.model.identifiers import AccountId, Seq
from trueup.model.instruments import Instrument
from trueup.model.numbers import EXACT, ZERO, exact, quotient


class SubPosition(msgspec.Struct, frozen=True, gc=False):
    """One strategy's part of a position.

    Attributes:
        cost: Signed like the quantity; None when the basis is unknown.
        realized_pnl: Of this strategy's own buys and sells, at its own average, where their basis was known.
        realized_unknown: Its closes of unknown basis; while positive, ``realized_pnl`` is a part only.
        strategy_cost: Cost that carries the basis through rolls; equals ``cost`` where nothing was rolled.
    """

    quantity: Decimal
    cost: Decimal | None
    realized_pnl: Decimal
    fees: Mapping[str, Decimal]
    strategy_cost: Decimal | None
    realized_unknown: int = 0


class Position(msgspec.Struct, frozen=True, gc=False):
    """One position of an account: an instrument and a position side.

    Attributes:
        instrument: The terms that its last trade, cut or adjustment was booked under, not always the newest.
        quantity: Signed: long positive, short negative.
        cost: Signed like the quantity, in ``instrument.settle`` (in the quote currency for spot; in the base coin for
            inverse). None when the basis is unknown.
        realized_pnl: Gross of fees, of all closes whose basis was known.
        realized_unknown: Closes whose basis was unknown; while positive, ``realized_pnl`` is a part only.
        adjusted_pnl: Realised by adjustments, kept apart from ``realized_pnl``.
        fees: Paid, by currency; negative is a rebate.
        fee_value: Worth in the quote currency of third-currency fees when they were paid; None when a venue did not
            state it for each.
        funding: Received, by currency.
        unconfirmed: Signed quantity that rests on declarations alone.
        opened_at, updated_at: Venue times; ``opened_at`` is None when flat.
        cycles: Closed round trips so far.
        liquidations: Forced trades and liquidation flags so far.
        seq: Last event of the ledger that this position reflects.
    """

    account: AccountId
    instrument: Instrument
    position_side: str
    quantity: Decimal
    cost: Decimal | None
    realized_pnl: Decimal
    realized_unknown: int
    adjusted_pnl: Decimal
    fees: Mapping[str, Decimal]
    fee_value: Decimal | None
    funding: Mapping[str, Decimal]
    by_strategy: Mapping[str, SubPosition]
    unconfirmed: Decimal
    leverage: Decimal | None
    margin_mode: str | None
    opened_at: int | None
    updated_at: int
    cycles: int
    liquidations: int
    seq: Seq

    @property
    def entry_price(self) -> Decimal | None:
        """Average entry in the quote currency: arithmetic, or harmonic for inverse. None when flat or unknown."""
        return entry_price(self.instrument, self.quantity, self.cost)


def entry_price(instrument: Instrument, quantity: Decimal, cost: Decimal | None) -> Decimal | None:
    """Average entry price of a signed quantity and its cost (domain rules 3.1 and 3.3); None when flat or unknown."""
    if cost is None or not quantity:
        return None
    worth = EXACT.multiply(quantity, instrument.contract_size)
    if instrument.kind == "inverse":
        return quotient(worth, cost) if cost else None
    return quotient(cost, worth)


class Balance(msgspec.Struct, frozen=True, gc=False):
    """Holdings of one currency, split by where they came from. The parts add up to ``total``.

    Attributes:
        traded: Both legs of spot trades, and what splits made of the coins held.
        realized: P&L of derivatives, as we computed it or as the venue settled it.
        fees: Negative is paid.
        transfers: By reason: deposit, withdrawal, reward, …
        opening: What the opening cut says was there beyond what the facts before it explain.
        realized_unknown: Closes of unknown basis; while positive ``total`` is None.
    """

    account: AccountId
    currency: str
    traded: Decimal
    realized: Decimal
    fees: Decimal
    funding: Decimal
    transfers: Mapping[str, Decimal]
    adjustments: Decimal
    opening: Decimal
    realized_unknown: int
    seq: Seq

    @property
    def known(self) -> Decimal:
        """The sum of the parts, without what is unknown."""
        parts = (self.traded, self.realized, self.fees, self.funding, self.adjustments, self.opening)
        with exact():
            return sum(self.transfers.values(), sum(parts, ZERO))

    @property
    def total(self) -> Decimal | None:
        """The balance; None while some close's P&L is unknown."""
        return None if self.realized_unknown else self.known


class OpenOrder(msgspec.Struct, frozen=True, gc=False):
    """An order that may still trade."""

    account: AccountId
    instrument: str
    position_side: str
    side: str
    quantity: Decimal
    filled: Decimal
    status: str
    venue_order_id: str
    client_order_id: str
    price: Decimal | None
    trigger_price: Decimal | None
    order_type: str
    reduce_only: bool
    updated_at: int


class Cycle(msgspec.Struct, frozen=True, gc=False):
    """One closed round trip of a position, from flat to flat or to a flip.

    Attributes:
        number: 1, 2, … within the position.
        quantity: The largest absolute size it had.
        realized_pnl: Gross; None when a part of the basis was unknown.
        liquidated: Whether the trade that ended it was forced.
    """

    number: int
    side: str
    quantity: Decimal
    opened_at: int
    closed_at: int
    realized_pnl: Decimal | None
    fees: Mapping[str, Decimal]
    funding: Mapping[str, Decimal]
    liquidated: bool = False


class Lot(msgspec.Struct, frozen=True, gc=False):
    """What is left of one opening fill under FIFO. ``cost`` is None when the basis is unknown."""

    quantity: Decimal
    cost: Decimal | None
    opened_at: int
    source: str
