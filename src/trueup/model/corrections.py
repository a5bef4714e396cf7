"""What reconciling decides: the lives of breaks, adjustments, what breaks forbid, and shares against their targets.

They follow the rules of :mod:`trueup.model.events`.
"""

from decimal import Decimal

import msgspec

from trueup.model.body import Body
from trueup.model.breaks import Share
from trueup.model.identifiers import EXTERNAL, AccountId
from trueup.model.numbers import ZERO


class AdjustmentBooked(Body, frozen=True, tag="adjustment/1"):
    """A synthetic correction, the last resort: never a fake fill, excluded from P&L.

    Attributes:
        quantity: Signed change of the position; zero for a pure cash adjustment.
        price: At which the change enters the cost (``reconcile.adjust.adjustment_price``).
        cash: Signed change of the balance of ``currency``; zero for a pure position adjustment.
        adjustment_id: Deterministic, so that a restart cannot book it twice.
    """

    account: AccountId
    adjustment_id: str
    venue_time: int
    cause: str
    evidence: str
    author: str
    instrument: str = ""
    position_side: str = "net"
    quantity: Decimal = ZERO
    price: Decimal | None = None
    currency: str = ""
    cash: Decimal = ZERO
    instrument_version: int = 1


class BreakMoved(Body, frozen=True, tag="break/1"):
    """One step in the life of a break.

    Attributes:
        subject, sort: Which break (:data:`trueup.model.breaks.BreakKey`).
        step: By name (:class:`trueup.model.breaks.Step`).
        at: Our time in nanoseconds.
        by: The person or the rule.
        note: Free text.
        owner: With ASSIGN, to whom.
        cause: With RESOLVE and AUTO_RESOLVE, why the sides differed.
        evidence: With the same, identities of the facts that show it, or entries booked.
        level: With ESCALATE, the new one.
        kind, severity, difference: With DETECT, RECUR and CHANGE, as what it shows.
        why: With the same, what it is put down to.
        rest: What no cause accounts for; None where that is not known.
        worth: Exposure of the difference; None when unknown.
    """

    account: AccountId
    subject: str
    sort: str
    step: str
    at: int
    by: str = ""
    note: str = ""
    owner: str = ""
    cause: str = ""
    evidence: tuple[str, ...] = ()
    level: int = 0
    kind: str = ""
    severity: str = ""
    difference: Decimal | None = None
    why: tuple[Share, ...] = ()
    rest: Decimal | None = None
    worth: Decimal | None = None


class Corrected(Body, frozen=True, tag="corrected/1"):
    """Entries were booked to put a break right; they stand beside this in the same commit.

    Attributes:
        subject, sort: Which break.
        cause: That they put right.
        entries: Identities of what was booked.
        adjusted: What an adjustment that nobody approved is worth, in the currency of exposures: it spends the budget.
        adjustment: The synthetic adjustment, if that is what it was: later facts take it back.
    """

    account: AccountId
    subject: str
    sort: str
    at: int
    by: str
    cause: str
    entries: tuple[str, ...]
    adjusted: Decimal = ZERO
    adjustment: AdjustmentBooked | None = None


class AdjustmentProposed(Body, frozen=True, tag="proposed/1"):
    """An adjustment that waits for the approval of two different keys. The newest of a break holds.

    Attributes:
        subject, sort: For which break.
        reason: Why it is not booked unasked.
    """

    account: AccountId
    subject: str
    sort: str
    at: int
    adjustment: AdjustmentBooked
    reason: str


class AdjustmentApproved(Body, frozen=True, tag="approved/1"):
    """Somebody consents to a proposed adjustment, numbers and all; ``by`` is the key with which it was done."""

    account: AccountId
    adjustment_id: str
    by: str
    at: int


class Restricted(Body, frozen=True, tag="restricted/1"):
    """What the breaks of the account forbid from now on; nothing, when every field is empty.

    Attributes:
        instruments: In which positions may only become smaller.
        reduce_only: Whether that holds for all instruments.
        halted: Whether no new risk at all may be taken: the breaks are too many to be true.
        reasons: In words.
    """

    account: AccountId
    at: int
    instruments: tuple[str, ...] = ()
    reduce_only: bool = False
    halted: bool = False
    reasons: tuple[str, ...] = ()


class TradesAssigned(Body, frozen=True, tag="assigned/1"):
    """Trades that nobody ordered through us belong to a strategy after all: those of one position, of a span.

    Attributes:
        since, until: Venue times, both included. A trade of this span that comes later is assigned as well.
        strategy: Whose they are now.
        of: Whose they were.
        by: Who says so.
        at: Our time in nanoseconds.
    """

    account: AccountId
    instrument: str
    position_side: str
    since: int
    until: int
    strategy: str
    by: str
    at: int
    of: str = EXTERNAL


class ReconciliationsCounted(Body, frozen=True, tag="runs/1"):
    """How often an account was reconciled, and what came of it: runs that found the same again are not told singly.

    Attributes:
        since, until: Our times of the first and the last of them, in nanoseconds.
        outcomes: How many had each status, by its name.
        longest_ns: How long the slowest took.
    """

    account: AccountId
    since: int
    until: int
    outcomes: tuple[tuple[str, int], ...]
    longest_ns: int


class ReportIssued(Body, frozen=True, tag="report/1"):
    """An attestation of one day was issued; it follows from the journal, so its digest can be made again and compared.

    Attributes:
        day: In UTC, ``2026-11-21``.
        digest: blake2b-256 of its canonical JSON, in hexadecimal digits.
        previous: The digest of the report issued before, whatever its day; empty for the first.
        by: Who signs.
        rules: Versions by name that it was made by; a later program makes the same report by naming them.
    """

    account: AccountId
    day: str
    digest: str
    previous: str
    by: str
    at: int
    rules: tuple[tuple[str, str], ...] = ()


class VenueShare(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A venue's share of the portfolio: its target, and what it was; None where that was not known."""

    venue: str
    target: Decimal
    actual: Decimal | None


class AllocationChecked(Body, frozen=True, tag="allocation/1"):
    """The shares of all venues were held against their targets; it stands in the ledger ``control``.

    Attributes:
        at: Our time in nanoseconds.
        portfolio_value: Of everything, in ``reporting``.
        tolerance: Drift that was too much.
        table: The version of the table of assets.
    """

    account: AccountId
    at: int
    reporting: str
    portfolio_value: Decimal
    shares: tuple[VenueShare, ...]
    tolerance: Decimal
    table: str = ""
