"""What breaks forbid until they are resolved: new risk in an instrument, in an account, or at all.

Derived from the breaks that stand, so it is lifted by their end and by nothing else, least of all by time.
"""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

import msgspec

from trueup.book.lifecycle import BreakRecord
from trueup.model.breaks import BreakKey, State
from trueup.model.differences import Kind, Severity
from trueup.model.identifiers import AccountId
from trueup.model.numbers import ZERO, canonical, exact
from trueup.reconcile.policy import Policies


class Consequence(msgspec.Struct, frozen=True):
    """What may not be traded in an account.

    Attributes:
        reduce_only: Instruments in which positions may only become smaller.
        account_reduce_only: Whether that holds for all instruments.
        halted: Whether no new risk at all may be taken: the breaks are too many to be true.
        reasons: In words, one for each break or bound that counts.
    """

    reduce_only: frozenset[str] = frozenset()
    account_reduce_only: bool = False
    halted: bool = False
    reasons: tuple[str, ...] = ()


def consequence(
    account: AccountId,
    breaks: Collection[BreakRecord],
    exposures: Mapping[BreakKey, Decimal | None],
    policies: Policies,
) -> Consequence:
    """What an account's breaks forbid.

    Args:
        account: Whose breaks.
        breaks: Those that ended or were not confirmed yet do not count.
        exposures: What each difference is worth; one that is named with None, or not at all, is unknown and breaks
            every bound.
        policies: For the storm rule and the critical bound.
    """
    standing = sorted(
        (one for one in breaks if not one.ended and one.state is not State.DETECTED), key=lambda one: one.key
    )
    critical = [one for one in standing if one.severity == Severity.CRITICAL.name]
    instruments = {_instrument(one) for one in critical}
    reasons = [f"{one.kind} of {one.key[0]} is critical" for one in critical]
    over = _over(standing, exposures, policies.critical_of(account))
    if over:
        reasons.append(over)
    halted = is_storm(standing, policies)
    if halted:
        reasons.append(f"more than {policies.storm} subjects differ at once")
    return Consequence(
        frozenset(name for name in instruments if name),
        account_reduce_only=bool(over) or "" in instruments,
        halted=halted,
        reasons=tuple(reasons),
    )


def is_storm(breaks: Collection[BreakRecord], policies: Policies) -> bool:
    """Whether so many subjects differ at once that the source is to be doubted rather than each of them."""
    return len({one.key[0] for one in breaks if not one.ended}) > policies.storm


def _instrument(record: BreakRecord) -> str:
    """The instrument of a position's break; empty for a break that concerns the account.

    A name of the venue's own concerns all of it, whatever it is made of: ours is not known.
    """
    return "" if record.key[1] == Kind.SYMBOL_MAP else record.key[0].rpartition(" ")[0]


def _over(standing: Sequence[BreakRecord], exposures: Mapping[BreakKey, Decimal | None], bound: Decimal | None) -> str:
    """Why the breaks of an account together are critical; empty when they are not, or there is no bound."""
    if bound is None or not standing:
        return ""
    worths = [exposures.get(one.key) for one in standing]
    known = [worth for worth in worths if worth is not None]
    if len(known) < len(worths):
        return "the exposure of a break is unknown"
    with exact():
        total = sum(known, ZERO)
    words = f"breaks are worth {canonical(total)}, from {canonical(bound)} on that is critical"
    return words if total >= bound else ""
