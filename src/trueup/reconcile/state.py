"""The three sides of a comparison, and what bears on them: the book in memory, its database, the venue's snapshot."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from trueup.model.differences import VenueSnapshot
from trueup.model.events import FillBooked
from trueup.model.identifiers import AccountId, PositionKey, Seq
from trueup.model.instruments import Instrument
from trueup.model.positions import Balance, OpenOrder, Position
from trueup.reconcile.tolerance import Tolerances


class OurState(msgspec.Struct, frozen=True):
    """The book in memory at one seq.

    Attributes:
        positions: Flat ones may be left out.
        orders: Open orders by venue order id.
        instruments: Terms in effect, by canonical symbol.
        marks: Latest mark prices, by canonical symbol.
    """

    account: AccountId
    seq: Seq
    positions: Mapping[PositionKey, Position]
    balances: Mapping[str, Balance]
    orders: Mapping[str, OpenOrder]
    instruments: Mapping[str, Instrument]
    marks: Mapping[str, Decimal] = msgspec.field(default_factory=dict)


class DatabaseState(msgspec.Struct, frozen=True):
    """The rows of the views, or why they could not be read.

    Attributes:
        seq: What the rows are true at; the lowest where they were read in several transactions.
        failed: Why there are no rows; empty when there are.
    """

    seq: Seq
    positions: Mapping[PositionKey, Position] = msgspec.field(default_factory=dict)
    balances: Mapping[str, Balance] = msgspec.field(default_factory=dict)
    orders: Mapping[str, OpenOrder] = msgspec.field(default_factory=dict)
    failed: str = ""


class Sides(msgspec.Struct, frozen=True):
    """All that the sections of a comparison look at.

    Attributes:
        database: None when there is nothing to compare with.
        theirs: Without the parts that failed.
        in_flight: Signed quantity that orders may still bring into our book, by position.
        missing_fills: The venue's fills that our book lacks, by position.
    """

    ours: OurState
    database: DatabaseState | None
    theirs: VenueSnapshot
    tolerances: Tolerances
    in_flight: Mapping[PositionKey, Decimal]
    missing_fills: Mapping[PositionKey, Sequence[FillBooked]]
