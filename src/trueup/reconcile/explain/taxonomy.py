"""The table of causes: what finds each one, and what is done about it unless a policy says otherwise.

A new cause is a row here and a detector in one of the neighbouring modules. Detectors of the first kind account for
exact amounts by evidence; those of the second take all that is left over, or nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import msgspec

from trueup.model.differences import Difference, Kind
from trueup.reconcile.explain import facts, statements, terms, timing
from trueup.reconcile.explain.causes import Action, Cause, Part
from trueup.reconcile.explain.evidence import Evidence

Exact = Callable[[Difference, Evidence], Iterable[Part]]
LeftOver = Callable[[Difference, Decimal, Evidence], Part | None]


class Rule(msgspec.Struct, frozen=True):
    """What finds a cause, and what is done about it by default; nothing finds what is unexplained."""

    detector: Exact | LeftOver | None
    action: Action


TAXONOMY: Mapping[Cause, Rule] = {
    Cause.STALE_SOURCE: Rule(timing.later_facts, Action.ASK_AGAIN),
    Cause.SYMBOL_MAP: Rule(terms.other_unit, Action.MEND_MAP),
    Cause.IN_FLIGHT: Rule(timing.reported_fills, Action.WAIT),
    Cause.FILL_MISSING: Rule(facts.unshared_facts, Action.BOOK),
    Cause.HISTORY_GAP: Rule(facts.lost_fills, Action.REPORT),
    Cause.ORDER_REPORT: Rule(statements.order_report, Action.BOOK),
    Cause.FILL_TERMS: Rule(facts.unshared_facts, Action.REVERSE),
    Cause.CURRENCY: Rule(facts.unshared_facts, Action.MEND_MAP),
    Cause.FILL_EXTRA: Rule(facts.unshared_facts, Action.REVERSE),
    Cause.DUPLICATE: Rule(facts.unshared_facts, Action.REVERSE),
    Cause.FEE: Rule(facts.unshared_facts, Action.BOOK),
    Cause.DUST: Rule(facts.unshared_facts, Action.BOOK),
    Cause.FUNDING: Rule(facts.unshared_facts, Action.BOOK),
    Cause.INTEREST: Rule(facts.unshared_facts, Action.BOOK),
    Cause.LIQUIDATION: Rule(facts.unshared_facts, Action.BOOK),
    Cause.ADL: Rule(facts.unshared_facts, Action.BOOK),
    Cause.SPLIT: Rule(facts.unshared_facts, Action.BOOK),
    Cause.ROLL: Rule(facts.unshared_facts, Action.BOOK),
    Cause.EXPIRY: Rule(terms.expired, Action.REPORT),
    Cause.ASSIGNMENT: Rule(facts.unshared_facts, Action.BOOK),
    Cause.TRANSFER: Rule(facts.unshared_facts, Action.BOOK),
    Cause.FOREIGN_TRADE: Rule(facts.unshared_facts, Action.BOOK),
    Cause.LEVERAGE: Rule(statements.changed_setting, Action.BOOK),
    Cause.MARGIN_MODE: Rule(statements.changed_setting, Action.BOOK),
    Cause.ROUNDING: Rule(terms.rounded, Action.WATCH),
    Cause.VENUE_LATE: Rule(timing.late_snapshot, Action.WAIT),
    Cause.UNEXPLAINED: Rule(None, Action.REPORT),
}

OF_AMOUNTS: tuple[Exact, ...] = (
    timing.later_facts,
    terms.other_unit,
    timing.reported_fills,
    facts.unshared_facts,
    facts.lost_fills,
)
"""Looked for in every difference of a quantity or a balance."""

LEFT_OVER: tuple[LeftOver, ...] = (terms.expired, timing.late_snapshot, timing.open_orders, terms.rounded)
"""Looked for in what remains, from the firmest evidence to the weakest."""

OF_KIND: Mapping[Kind, tuple[Exact, ...]] = {
    Kind.QTY: OF_AMOUNTS,
    Kind.SIDE: OF_AMOUNTS,
    Kind.MISSING_OURS: OF_AMOUNTS,
    Kind.MISSING_THEIRS: OF_AMOUNTS,
    Kind.CASH: OF_AMOUNTS,
    Kind.FILL_MISSING: (facts.unshared_facts,),
    Kind.LEVERAGE: (statements.changed_setting,),
    Kind.MARGIN_MODE: (statements.changed_setting,),
    Kind.ORPHAN_ORDER: (statements.order_report,),
    Kind.ORDER_MISSING: (statements.order_report,),
    Kind.ORDER_STATE: (statements.order_report,),
    Kind.SYMBOL_MAP: (statements.unmapped_symbol,),
    Kind.STALE_SOURCE: (statements.unread_source,),
    # How a venue averages is its own affair, a stop is missing whatever took it away, and what database and memory
    # disagree on has no cause at the venue.
    Kind.AVG_PX: (),
    Kind.STOP_MISSING: (),
    Kind.VIEW_LAG: (),
    Kind.MEMORY_DATABASE: (),
}
"""What can explain each kind of difference."""
