"""The words of an explanation: causes, what is done about each, the parts of a difference, and its rest.

The order of the causes is the order in which they are looked for and told.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec


class Cause(StrEnum):
    """Why a book and its venue differ."""

    STALE_SOURCE = "STALE_SOURCE"
    SYMBOL_MAP = "SYMBOL_MAP"
    IN_FLIGHT = "IN_FLIGHT"
    FILL_MISSING = "FILL_MISSING"
    HISTORY_GAP = "HISTORY_GAP"
    ORDER_REPORT = "ORDER_REPORT"
    FILL_TERMS = "FILL_TERMS"
    CURRENCY = "CURRENCY"
    FILL_EXTRA = "FILL_EXTRA"
    DUPLICATE = "DUPLICATE"
    FEE = "FEE"
    DUST = "DUST"
    FUNDING = "FUNDING"
    INTEREST = "INTEREST"
    LIQUIDATION = "LIQUIDATION"
    ADL = "ADL"
    SPLIT = "SPLIT"
    ROLL = "ROLL"
    EXPIRY = "EXPIRY"
    ASSIGNMENT = "ASSIGNMENT"
    TRANSFER = "TRANSFER"
    FOREIGN_TRADE = "FOREIGN_TRADE"
    LEVERAGE = "LEVERAGE"
    MARGIN_MODE = "MARGIN_MODE"
    ROUNDING = "ROUNDING"
    VENUE_LATE = "VENUE_LATE"
    UNEXPLAINED = "UNEXPLAINED"


class Action(StrEnum):
    """What is done about a cause unless a policy says otherwise.

    Attributes:
        ASK_AGAIN: Read the source anew; no data is never taken for flat.
        MEND_MAP: A person mends the table of symbols, multipliers or currencies; nothing is booked meanwhile.
        WAIT: Look again at the next cut.
        BOOK: Book the venue's own record under the venue's id.
        REVERSE: Take an entry of ours back, approved by a person.
        WATCH: Tolerated alone; its sum over time is what counts.
        REPORT: Tell a person; an adjustment is the last resort.
    """

    ASK_AGAIN = "ASK_AGAIN"
    MEND_MAP = "MEND_MAP"
    WAIT = "WAIT"
    BOOK = "BOOK"
    REVERSE = "REVERSE"
    WATCH = "WATCH"
    REPORT = "REPORT"


class Part(msgspec.Struct, frozen=True):
    """One cause's share of a difference.

    Attributes:
        amount: Signed like the difference (theirs less ours); None when the evidence does not give it.
        evidence: Identities of the facts, orders and answers that show it.
    """

    cause: Cause
    amount: Decimal | None
    evidence: tuple[str, ...]
    words: str


class Explanation(msgspec.Struct, frozen=True):
    """A difference and its causes, in the order of the causes.

    Attributes:
        difference: None where it is not a number: an order, a source, a word.
        rest: What no cause accounts for: the difference less all amounts. None where one of them is not known.
    """

    subject: str
    kind: str
    difference: Decimal | None
    parts: tuple[Part, ...]
    rest: Decimal | None

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The causes, each once; UNEXPLAINED last where something remains, or nothing was found."""
        found = dict.fromkeys(part.cause for part in self.parts)
        if self.rest or not found:
            found[Cause.UNEXPLAINED] = None
        return tuple(found)

    @property
    def complete(self) -> bool:
        """Whether the causes account for all of it."""
        return not self.rest and bool(self.parts) and (self.rest is not None or self.difference is None)
