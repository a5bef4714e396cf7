"""What may be corrected without asking, how much of it, and whose word allows more (domain rules 2.6 and 2.7)."""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from enum import IntEnum

import msgspec

from trueup.model.events import Corrected
from trueup.model.identifiers import AccountId
from trueup.model.numbers import ZERO
from trueup.model.times import NS_PER_SECOND

_HOUR = 3_600 * NS_PER_SECOND
_DAY = 24 * _HOUR


class Mode(IntEnum):
    """How far correcting may go; each allows what those before it allow.

    Attributes:
        REPORT: Nothing is booked.
        BOOK_FACTS: The venue's own records, under the venue's ids.
        ADJUST_WITHIN: Synthetic adjustments up to the limit.
        ADJUST_BEYOND: Larger ones, when two different keys approved them.
    """

    REPORT = 0
    BOOK_FACTS = 1
    ADJUST_WITHIN = 2
    ADJUST_BEYOND = 3


class Policy(msgspec.Struct, frozen=True):
    """What holds for one sort of break in one account.

    Attributes:
        limit: The most that an adjustment may be worth without approval, in the currency of exposures.
    """

    mode: Mode = Mode.BOOK_FACTS
    limit: Decimal = ZERO


class Policies(msgspec.Struct, frozen=True):
    """Policies by account and kind of difference; an empty account or kind stands for all.

    Attributes:
        corrections_per_hour: Of all sorts, in one account.
        adjusted_per_day: The most that unapproved adjustments of an account may be worth together.
        storm: More subjects than this differing at once look like a bad feed, map or account, not like bad entries.
        escalate_from: Exposures, ascending, each of which a break is escalated from by one level.
        critical: By account, the total exposure of its breaks from which it may only reduce; an account that is not
            named has the bound under the empty name, or none.
    """

    by_account_and_kind: Mapping[tuple[str, str], Policy] = msgspec.field(default_factory=dict)
    default: Policy = Policy()
    corrections_per_hour: int = 100
    adjusted_per_day: Decimal = ZERO
    storm: int = 5
    escalate_from: tuple[Decimal, ...] = ()
    critical: Mapping[str, Decimal] = msgspec.field(default_factory=dict)

    def of(self, account: AccountId, kind: str, sort: str = "") -> Policy:
        """The most particular policy: of account and kind, of the account, of the kind, of all.

        Args:
            account: Whose break.
            kind: As what it shows.
            sort: Under what it is known; where nothing is said of the kind, what is said of this holds.
        """
        kinds = (kind, sort) if sort else (kind,)
        for key in (*((account, one) for one in kinds), (account, ""), *(("", one) for one in kinds)):
            found = self.by_account_and_kind.get(key)
            if found is not None:
                return found
        return self.default

    def critical_of(self, account: AccountId) -> Decimal | None:
        """The critical exposure of an account; None when it has no bound."""
        return self.critical.get(account, self.critical.get(""))


class Budget(msgspec.Struct, frozen=True):
    """What is left to be spent in an account at one time."""

    corrections: int
    adjusted: Decimal

    def without(self, worth: Decimal) -> "Budget":
        """What is left after one more correction."""
        return Budget(self.corrections - 1, self.adjusted - worth)


def budget_left(policies: Policies, spent: Iterable[Corrected], now: int) -> Budget:
    """What past corrections leave of the budgets of the last hour and the last day."""
    recent = [one for one in spent if now - one.at < _DAY]
    hour = sum(now - one.at < _HOUR for one in recent)
    adjusted = sum((one.adjusted for one in recent), ZERO)
    return Budget(policies.corrections_per_hour - hour, policies.adjusted_per_day - adjusted)


APPROVERS = 2
"""Different keys that an adjustment beyond the limit needs: the same key twice is one person."""


def is_approved(adjustment_id: str, approvals: Mapping[str, Collection[str]]) -> bool:
    """Whether enough different keys consented to an adjustment, numbers and all: its id is made of them."""
    return len(set(approvals.get(adjustment_id, ())) - {""}) >= APPROVERS
