"""Everything that can stand in a journal: facts (what happened) and decisions (what we chose, on what evidence).

Rules of this file: a struct's fields are only ever appended, with defaults; a change of meaning is a new tag
(``fill/2``) with an upcaster in the journal's codec; a tag is never reused. Amounts are exact decimals, times are
nanoseconds UTC. ``account`` is the ledger the event belongs to.
"""

from decimal import Decimal
from typing import Literal

from trueup.model.body import Body
from trueup.model.corrections import (
    AdjustmentApproved,
    AdjustmentBooked,
    AdjustmentProposed,
    AllocationChecked,
    BreakMoved,
    Corrected,
    ReconciliationsCounted,
    ReportIssued,
    Restricted,
    TradesAssigned,
    VenueShare,
)
from trueup.model.differences import Break
from trueup.model.identifiers import EXTERNAL, AccountId
from trueup.model.instruments import Instrument
from trueup.model.statements import (
    PortfolioStateSaved,
    PositionDetailsSaved,
    PyramidingStateSaved,
    SignalLogged,
    SignalProcessed,
)

__all__ = [
    "AdjustmentApproved",
    "AdjustmentBooked",
    "AdjustmentProposed",
    "AllocationChecked",
    "BreakMoved",
    "Compared",
    "Corrected",
    "CursorMoved",
    "Decision",
    "DeclarationMatched",
    "Event",
    "Fact",
    "FeeCharged",
    "FillBooked",
    "FundingPaid",
    "InstrumentDefined",
    "LeverageSet",
    "LiquidationFlagged",
    "MarginModeSet",
    "MarkSampled",
    "OpeningBalance",
    "OpeningPosition",
    "OrderReported",
    "PortfolioStateSaved",
    "PositionDetailsSaved",
    "PositionFact",
    "PyramidingStateSaved",
    "Quarantined",
    "ReconciliationsCounted",
    "ReportIssued",
    "Restricted",
    "RollBooked",
    "SignalLogged",
    "SignalProcessed",
    "SourceRead",
    "SplitBooked",
    "TradeDeclared",
    "TradesAssigned",
    "TransferBooked",
    "VenueShare",
]

# --- facts ------------------------------------------------------------------------------------------------------------


class InstrumentDefined(Body, frozen=True, tag="instrument/1"):
    """A version of an instrument's terms holds from ``instrument.effective_from``."""

    account: AccountId
    instrument: Instrument


class FillBooked(Body, frozen=True, tag="fill/1"):
    """A trade of ours at the venue.

    Attributes:
        quantity: Positive, in the instrument's units (contracts, or base for spot).
        fee: Positive is paid, negative is a rebate. In the base currency of a spot instrument it changes the inventory.
        venue_trade_id: The venue's identity of this fill, unique within the account.
        strategy: Who ordered it.
        venue_sequence: Order within one ``venue_time`` where the venue states one, else 0.
        fee_value: Worth of the fee in the quote currency when it was paid, for a fee in a third currency.
        settled_amount: Cash the venue says the close paid, where it settles by a rule of its own (home currency, FIFO);
            it goes to the balance instead of our own realised P&L.
        start_position: The venue's claim of the signed position just before this fill: a hint, not a proof.
        liquidation: ``""``, or the venue's word for a forced trade, such as ``liquidation`` or ``adl``.
        weak: The venue gave no id; ``venue_trade_id`` is a hash of the terms and an ordinal.
    """

    account: AccountId
    instrument: str
    position_side: str
    side: Literal["buy", "sell"]
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    venue_time: int
    venue_trade_id: str
    venue_order_id: str = ""
    client_order_id: str = ""
    strategy: str = EXTERNAL
    liquidity: str = ""
    instrument_version: int = 1
    venue_sequence: int = 0
    fee_value: Decimal | None = None
    settled_amount: Decimal | None = None
    settled_currency: str = ""
    start_position: Decimal | None = None
    liquidation: str = ""
    weak: bool = False


class FeeCharged(Body, frozen=True, tag="fee/1"):
    """A fee apart from any fill; positive is paid, negative a refund. ``instrument`` is empty for account fees."""

    account: AccountId
    amount: Decimal
    currency: str
    venue_time: int
    venue_id: str
    instrument: str = ""
    position_side: str = "net"
    reason: str = ""
    weak: bool = False


class FundingPaid(Body, frozen=True, tag="funding/1"):
    """Funding or financing of a position; positive is received."""

    account: AccountId
    instrument: str
    amount: Decimal
    currency: str
    venue_time: int
    venue_id: str
    position_side: str = "net"
    rate: Decimal | None = None
    weak: bool = False


class TransferBooked(Body, frozen=True, tag="transfer/1"):
    """Money or coins that moved without a trade; positive is received.

    Attributes:
        reason: ``deposit``, ``withdrawal``, ``internal``, ``reward``, ``interest``, ``dust`` or the venue's own word.
    """

    account: AccountId
    amount: Decimal
    currency: str
    venue_time: int
    venue_id: str
    reason: str = "deposit"
    weak: bool = False


class LiquidationFlagged(Body, frozen=True, tag="liquidation/1"):
    """The venue says it liquidated; the forced trades themselves arrive as fills."""

    account: AccountId
    venue_time: int
    venue_id: str
    instrument: str = ""
    position_side: str = "net"
    reason: str = "liquidation"


class SplitBooked(Body, frozen=True, tag="split/1"):
    """A split or bonus issue: quantity is multiplied by ``new / old``, price divided; cost stays.

    Attributes:
        new, old: 10 and 1 for a split 10:1; 3 and 2 for a bonus 1:2.
        quantity_after: The clearing corporation's own figure for the size, positive, where rounding decided it.
    """

    account: AccountId
    instrument: str
    new: int
    old: int
    venue_time: int
    venue_id: str
    position_side: str = "net"
    quantity_after: Decimal | None = None


class RollBooked(Body, frozen=True, tag="roll/1"):
    """A close of one contract and an opening of the next that belong together; both are fills of their own.

    Attributes:
        quantity: Signed like the position that was opened in the far contract.
        near_basis: The strategy's basis per unit in the near contract before the roll. The far contract's strategy
            basis becomes ``near_basis + far_price - near_price``; its accounting basis stays the fill.
    """

    account: AccountId
    roll_id: str
    near: str
    far: str
    strategy: str
    quantity: Decimal
    near_price: Decimal
    far_price: Decimal
    near_basis: Decimal
    venue_time: int
    position_side: str = "net"


class LeverageSet(Body, frozen=True, tag="leverage/1"):
    """The account's leverage for an instrument is ``leverage`` from ``venue_time`` on."""

    account: AccountId
    instrument: str
    leverage: Decimal
    venue_time: int
    venue_id: str
    position_side: str = "net"


class MarginModeSet(Body, frozen=True, tag="margin_mode/1"):
    """The margin mode (``cross`` or ``isolated``) for an instrument from ``venue_time`` on."""

    account: AccountId
    instrument: str
    margin_mode: str
    venue_time: int
    venue_id: str
    position_side: str = "net"


class OpeningPosition(Body, frozen=True, tag="opening_position/1"):
    """A cut with evidence: at ``venue_time`` the position was ``quantity`` (signed), whatever came before.

    Attributes:
        price: Average entry of the position; None when the basis is unknown.
        evidence: What says so, such as ``fill 123 startPosition``.
    """

    account: AccountId
    instrument: str
    quantity: Decimal
    venue_time: int
    opening_id: str
    position_side: str = "net"
    price: Decimal | None = None
    instrument_version: int = 1
    evidence: str = ""


class OpeningBalance(Body, frozen=True, tag="opening_balance/1"):
    """A cut with evidence: at ``venue_time`` the balance of ``currency`` was ``amount``, whatever came before."""

    account: AccountId
    currency: str
    amount: Decimal
    venue_time: int
    opening_id: str
    evidence: str = ""


class TradeDeclared(Body, frozen=True, tag="declared/1"):
    """A person or foreign program says it traded. Unconfirmed until venue fills match it; it never sends an order."""

    account: AccountId
    instrument: str
    position_side: str
    side: Literal["buy", "sell"]
    quantity: Decimal
    price: Decimal
    venue_time: int
    declaration_id: str
    author: str
    strategy: str = EXTERNAL
    instrument_version: int = 1


class OrderReported(Body, frozen=True, tag="order/1"):
    """The venue's report of an order's state.

    Attributes:
        quantity, filled: Total and cumulative, in the instrument's units.
        status: ``open``, ``partially_filled``, ``filled``, ``canceled``, ``rejected`` or ``expired``.
        report_id: The venue's identity of the report, or order id, status and time joined.
    """

    account: AccountId
    instrument: str
    side: Literal["buy", "sell"]
    quantity: Decimal
    filled: Decimal
    status: str
    venue_order_id: str
    venue_time: int
    report_id: str
    client_order_id: str = ""
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    order_type: str = "limit"
    reduce_only: bool = False
    position_side: str = "net"
    venue_sequence: int = 0


# --- decisions --------------------------------------------------------------------------------------------------------


class DeclarationMatched(Body, frozen=True, tag="declaration_matched/1"):
    """``quantity`` of a declared trade is superseded by the venue fill ``fill_key``."""

    account: AccountId
    declaration_id: str
    fill_key: str
    quantity: Decimal


class Quarantined(Body, frozen=True, tag="quarantined/1"):
    """A fact that was not booked, kept as offered.

    Attributes:
        key: Its identity, empty when it has none.
        reason: Why, in words for a person.
        offered: The event as msgpack, or the raw bytes of a row that could not be read.
        booked_seq: Seq of the fact already booked under the same identity; None when there is none.
    """

    account: AccountId
    key: str
    reason: str
    offered: bytes
    booked_seq: int | None = None
    source: str = ""


class MarkSampled(Body, frozen=True, tag="mark/1"):
    """A mark price that a shown figure or a decision used."""

    account: AccountId
    instrument: str
    price: Decimal
    venue_time: int
    source: str = ""


class SourceRead(Body, frozen=True, tag="source/1"):
    """A file of venue answers was read, and this is what came of it: the provenance of the facts beside it.

    Attributes:
        learnt: What it was the first to say of the account itself, such as ``("home_currency", "EUR")``: later answers
            are understood by it, and one that says otherwise is of another account.
    """

    account: AccountId
    name: str
    sha256: str
    kind: str
    rows: int
    refused: int
    learnt: tuple[tuple[str, str], ...] = ()


class CursorMoved(Body, frozen=True, tag="cursor/1"):
    """The venue's history is booked up to here: the next pull begins with this cursor.

    Committed with the facts that lead up to it, so it is never ahead of what is booked.

    Attributes:
        cursor: As the venue's adapter made it; nobody else reads it.
    """

    account: AccountId
    cursor: str


class Compared(Body, frozen=True, tag="compared/1"):
    """The book was compared with a snapshot of the venue, and this is the outcome, until another one is recorded.

    Attributes:
        status: Of the comparison as a whole, by name.
        source: The answers that the snapshot was made from.
        cut: Venue time of the snapshot; None when it does not say.
        compared: Keys that were held against the venue's answer.
        counts: How many keys there were by status.
        breaks: The differences; of very many the most severe.
        unlisted: How many differences were left out.
        not_compared: What one side did not say.
    """

    account: AccountId
    status: str
    source: tuple[str, ...]
    cut: int | None
    compared: int
    counts: tuple[tuple[str, int], ...]
    breaks: tuple[Break, ...] = ()
    unlisted: int = 0
    not_compared: tuple[str, ...] = ()


PositionFact = (
    FillBooked
    | FeeCharged
    | FundingPaid
    | LiquidationFlagged
    | SplitBooked
    | RollBooked
    | LeverageSet
    | MarginModeSet
    | OpeningPosition
    | TradeDeclared
    | AdjustmentBooked
)
Fact = PositionFact | InstrumentDefined | TransferBooked | OpeningBalance | OrderReported | SignalLogged
Decision = (
    DeclarationMatched
    | Quarantined
    | MarkSampled
    | SourceRead
    | CursorMoved
    | Compared
    | BreakMoved
    | Corrected
    | AdjustmentProposed
    | AdjustmentApproved
    | Restricted
    | AllocationChecked
    | ReconciliationsCounted
    | ReportIssued
    | TradesAssigned
    | PortfolioStateSaved
    | PyramidingStateSaved
    | PositionDetailsSaved
    | SignalProcessed
)
Event = Fact | Decision
