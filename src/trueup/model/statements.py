"""What a trading program says of its own state, and the signals it acts on: events beside the venue's facts.

They follow the rules of :mod:`trueup.model.events`. A statement holds until the next one of its kind and key, and says
everything anew: a field that is None is unknown, not zero. ``version`` counts 1, 2, … per key, so that a writer who did
not see the last one is refused. Where they stand:

* the portfolio as a whole and the signals span accounts, so they stand in the ledger ``control`` and nowhere else;
* a position's details stand in the ledger of its account, since they are booked in one commit with its trades;
* a pyramid belongs to the account that trades it; where none is named, it stands in ``control``.
"""

from decimal import Decimal

from trueup.model.body import Body
from trueup.model.identifiers import AccountId

SIGNAL_KINDS = ("BASE_ENTRY", "PYRAMID", "EXIT")

SIGNAL_ENDS = ("EXECUTED", "REJECTED", "FAILED", "EXPIRED")
"""What may become of a signal."""


class PortfolioStateSaved(Body, frozen=True, tag="portfolio_state/1"):
    """How the portfolio as a whole stands. Amounts are in the portfolio's own currency.

    Attributes:
        version: One more than that of the statement before; 1 for the first.
        saved_at: Our wall clock in nanoseconds.
        closed_equity: Initial capital and everything realised since, without open positions.
        total_risk_amount, total_risk_percent: What is lost if every stop fills at its price; per cent of equity.
        total_vol_amount: What one average true range of every position is worth.
        margin_used: What the broker holds as margin.
    """

    account: AccountId
    version: int
    saved_at: int
    author: str
    initial_capital: Decimal | None = None
    closed_equity: Decimal | None = None
    total_risk_amount: Decimal | None = None
    total_risk_percent: Decimal | None = None
    total_vol_amount: Decimal | None = None
    margin_used: Decimal | None = None


class PyramidingStateSaved(Body, frozen=True, tag="pyramiding_state/1"):
    """How far a pyramid in an instrument has been built.

    Attributes:
        version, saved_at: As in :class:`PortfolioStateSaved`, per instrument.
        last_pyramid_price: Where the newest unit was filled; None when there is none.
        base_position: Id of the position it is built on; None when there is none.
    """

    account: AccountId
    instrument: str
    version: int
    saved_at: int
    author: str
    last_pyramid_price: Decimal | None = None
    base_position: str | None = None


class PositionDetailsSaved(Body, frozen=True, tag="position_details/1"):
    """What a program knows of one of its positions beside quantity, cost and P&L, which come from trades alone.

    The position is the part of the book's position in ``instrument`` that the strategy ``position_id`` holds.

    Attributes:
        version, saved_at: As in :class:`PortfolioStateSaved`, per position.
        is_base_position: Whether pyramids are built on it.
        lots: Its size in lots, as the program counts them.
        leverage, liquidation_price: As the program was told.
        initial_stop, current_stop, highest_close: Prices.
        atr: Average true range when it was opened, a price difference.
        limiter: Which of the sizing rules was the tightest.
        risk_contribution, vol_contribution: Its shares of the portfolio's, in per cent.
        contract_month, expiry: Of the contract held, as text.
        futures_symbol, futures_order_id: Where it is held as a future.
        strike: Where it is held as a synthetic future: a bought call (ce) and a sold put (pe) of one strike and expiry.
        rollover_status: ``none``, ``pending``, ``in_progress``, ``rolled`` or ``failed``.
        rolled_at: Nanoseconds of the newest roll.
        rollover_pnl: What closing the contracts before this one came to.
        original_expiry, original_strike, original_entry_price: Of the first contract.
        reference_id: What the program calls the trade, order or record this came from.
    """

    account: AccountId
    position_id: str
    instrument: str
    position_side: str
    version: int
    saved_at: int
    author: str
    is_base_position: bool | None = None
    lots: Decimal | None = None
    leverage: Decimal | None = None
    liquidation_price: Decimal | None = None
    initial_stop: Decimal | None = None
    current_stop: Decimal | None = None
    highest_close: Decimal | None = None
    atr: Decimal | None = None
    limiter: str | None = None
    risk_contribution: Decimal | None = None
    vol_contribution: Decimal | None = None
    contract_month: str | None = None
    expiry: str | None = None
    futures_symbol: str | None = None
    futures_order_id: str | None = None
    strike: Decimal | None = None
    pe_symbol: str | None = None
    ce_symbol: str | None = None
    pe_entry_price: Decimal | None = None
    ce_entry_price: Decimal | None = None
    pe_order_id: str | None = None
    ce_order_id: str | None = None
    rollover_status: str | None = None
    rollover_count: int | None = None
    rolled_at: int | None = None
    rollover_pnl: Decimal | None = None
    original_expiry: str | None = None
    original_strike: Decimal | None = None
    original_entry_price: Decimal | None = None
    source: str | None = None
    reference_id: str | None = None


class SignalLogged(Body, frozen=True, tag="signal/1"):
    """A signal came in. It is a fact: the same fingerprint again is the same signal, with other content a conflict.

    Attributes:
        received_at: When it reached us, nanoseconds.
        made_at: When its maker says it was made, nanoseconds; None when it does not say.
        kind: One of :data:`SIGNAL_KINDS`.
        direction: The maker's word: ``long``, ``short``, or empty.
        payload: The whole signal as it came, as canonical JSON.
    """

    account: AccountId
    fingerprint: str
    instrument: str
    kind: str
    received_at: int
    made_at: int | None = None
    strategy: str = ""
    direction: str = ""
    strength: Decimal | None = None
    payload: str = "{}"
    source: str = ""


class SignalProcessed(Body, frozen=True, tag="signal_processed/1"):
    """What became of a signal that waited.

    Attributes:
        status: One of :data:`SIGNAL_ENDS`.
        reason: In words for a person.
        details: What the program notes of it, as canonical JSON.
    """

    account: AccountId
    fingerprint: str
    status: str
    processed_at: int
    author: str
    reason: str = ""
    details: str = "{}"


Statement = PortfolioStateSaved | PyramidingStateSaved | PositionDetailsSaved | SignalLogged | SignalProcessed
