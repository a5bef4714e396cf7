"""What a comparison finds: statuses, kinds of difference, severities, and the venue's side of the table."""

from collections.abc import Mapping
from decimal import Decimal
from enum import IntEnum, StrEnum

import msgspec

from trueup.model.breaks import BreakKey
from trueup.model.identifiers import AccountId, PositionKey, Seq
from trueup.model.positions import OpenOrder


class Status(StrEnum):
    """Outcome of a comparison, for a key or in all.

    NOT_COMPARED is for keys alone: the venue was not asked, or did not say. A comparison as a whole speaks of what was
    compared, and names the rest in ``not_compared``.
    """

    SYNCED = "SYNCED"
    NOT_COMPARED = "NOT_COMPARED"
    PENDING = "PENDING"
    DRIFT = "DRIFT"
    FAILED = "FAILED"


class Severity(IntEnum):
    """How bad a difference is; higher is worse."""

    INFO = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5


class Kind(StrEnum):
    """Kinds of difference. Their severities are the table in ``reconcile/findings.py``."""

    QTY = "QTY"
    SIDE = "SIDE"
    MISSING_OURS = "MISSING_OURS"
    MISSING_THEIRS = "MISSING_THEIRS"
    FILL_MISSING = "FILL_MISSING"
    CASH = "CASH"
    LEVERAGE = "LEVERAGE"
    MARGIN_MODE = "MARGIN_MODE"
    AVG_PX = "AVG_PX"
    ORPHAN_ORDER = "ORPHAN_ORDER"
    ORDER_MISSING = "ORDER_MISSING"
    ORDER_STATE = "ORDER_STATE"
    STOP_MISSING = "STOP_MISSING"
    SYMBOL_MAP = "SYMBOL_MAP"
    STALE_SOURCE = "STALE_SOURCE"
    VIEW_LAG = "VIEW_LAG"
    MEMORY_DATABASE = "MEMORY_DATABASE"


class VenuePosition(msgspec.Struct, frozen=True, gc=False):
    """A position as the venue states it; None where the venue does not say.

    Attributes:
        unrealized_pnl, margin_used: In the currency that the venue states them in, which may be the account's own.
    """

    instrument: str
    position_side: str
    quantity: Decimal
    entry_price: Decimal | None = None
    mark_price: Decimal | None = None
    leverage: Decimal | None = None
    margin_mode: str | None = None
    liquidation_price: Decimal | None = None
    unrealized_pnl: Decimal | None = None
    margin_used: Decimal | None = None


class VenueSnapshot(msgspec.Struct, frozen=True):
    """The venue's side at one cut. A part that was not asked for, or failed, is None: never an empty mapping.

    Attributes:
        account: Whose.
        cut: Venue time of the answer in nanoseconds; None when the venue does not say.
        positions: By (instrument, position side); without zero rows.
        balances: By currency, in total (held amounts included).
        open_orders: By venue order id.
        unmapped: Native symbols that no instrument definition covers, with the rows' text.
        failed: What could not be read, with the reason: ``{"balances": "timed out"}``.
        position_scope: Instruments the positions answer speaks for; None means all of the account's.
        source: Names or hashes of the answers it was made from.
    """

    account: AccountId
    cut: int | None = None
    positions: Mapping[PositionKey, VenuePosition] | None = None
    balances: Mapping[str, Decimal] | None = None
    open_orders: Mapping[str, OpenOrder] | None = None
    unmapped: Mapping[str, str] = msgspec.field(default_factory=dict)
    failed: Mapping[str, str] = msgspec.field(default_factory=dict)
    position_scope: frozenset[str] | None = None
    source: tuple[str, ...] = ()


class Difference(msgspec.Struct, frozen=True, gc=False):
    """One finding of a comparison.

    Attributes:
        subject: What it is about: an instrument with its position side, a currency, an order id.
        ours, database, theirs: The three numbers or words; None when that side has none or is unknown.
        difference: ``theirs - ours`` (for MEMORY_DATABASE ``database - ours``); None where it is not a number.
        direction: The difference in words for a person: ``venue holds 3 more``.
        evidence: Ids and facts that bear on it, such as missing venue trade ids.
    """

    kind: Kind
    severity: Severity
    status: Status
    account: AccountId
    subject: str
    ours: str | None
    database: str | None
    theirs: str | None
    difference: Decimal | None
    direction: str
    evidence: tuple[str, ...] = ()


class Break(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A :class:`Difference` as a journal keeps it.

    Attributes:
        kind, severity, status: By name, so that an older version can read what a newer one found.
        evidence: The first of it.
    """

    kind: str
    severity: str
    status: str
    subject: str
    ours: str | None
    database: str | None
    theirs: str | None
    difference: Decimal | None
    direction: str
    evidence: tuple[str, ...] = ()

    @property
    def key(self) -> BreakKey:
        """Which difference of the account it is, from one comparison to the next."""
        return self.subject, self.kind


class Side3(msgspec.Struct, frozen=True):
    """One row of the three-way table."""

    section: str
    subject: str
    memory: str | None
    database: str | None
    venue: str | None
    status: Status
    kinds: tuple[Kind, ...] = ()


class Comparison(msgspec.Struct, frozen=True):
    """The whole answer: rows for people, differences for machines, one status for both.

    Attributes:
        not_compared: What was not compared, because one side did not say: sections, balances, terms, the snapshot's
            age. Listed, never called flat or equal.
    """

    account: AccountId
    status: Status
    rows: tuple[Side3, ...]
    differences: tuple[Difference, ...]
    compared: int
    cut: int | None
    memory_seq: Seq
    database_seq: Seq
    not_compared: tuple[str, ...] = ()
