"""Identity, content and order of facts: when two are the same, when they conflict, which folds first."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import TypeGuard

from trueup.model import events as e
from trueup.model.identifiers import PositionKey
from trueup.model.numbers import canonical
from trueup.model.statements import SignalLogged

OrderKey = tuple[int, int, str]
"""(venue_time, venue sequence, fact key): the order in which facts fold, whatever order they arrived in."""


def fact_key(event: e.Event) -> str | None:
    """The identity of a fact within its account, such as ``fill|123``; None for decisions.

    The same identity with the same :func:`terms` is the same fact; with other terms it is a conflict.
    """
    if type(event) is e.FillBooked:  # by far the most frequent
        return "fill|" + event.venue_trade_id
    identify = _IDENTITY.get(type(event))
    return identify(event) if identify is not None else None


def kind_of(event: e.Event) -> str:
    """The word for an event's kind: its tag without the version."""
    return str(event.__struct_config__.tag).partition("/")[0]


def fact_keys(facts: Iterable[e.Fact]) -> list[str]:
    """The identities of many facts."""
    return ["fill|" + f.venue_trade_id if type(f) is e.FillBooked else fact_key(f) or "" for f in facts]


def only_fills(facts: Sequence[e.Event]) -> TypeGuard[Sequence[e.FillBooked]]:
    """Whether there is nothing but fills among some facts, as there usually is."""
    for fact in facts:  # noqa: SIM110 - all() costs three times as much for the one fact that it usually is
        if type(fact) is not e.FillBooked:
            return False
    return True


def terms(event: e.Event) -> tuple[object, ...]:
    """The economic content of a fact. Order ids, strategy and provenance are not part of it; 1.50 equals 1.5."""
    if type(event) is e.FillBooked:
        return (
            event.instrument,
            event.position_side,
            event.side,
            event.quantity,
            event.price,
            event.fee,
            event.fee_currency,
            event.venue_time,
            event.settled_amount,
        )
    return _TERMS[type(event)](event)


def order_key(event: e.Fact) -> OrderKey:
    """Where a fact stands in venue order.

    In its own instant an opening stands before all other facts, and a roll after the fills that it joins.
    """
    if type(event) is e.FillBooked:
        return (event.venue_time, event.venue_sequence, "fill|" + event.venue_trade_id)
    key = fact_key(event) or ""
    match event:
        case e.InstrumentDefined():
            return (event.instrument.effective_from, -2, key)
        case e.OpeningPosition() | e.OpeningBalance():
            return (event.venue_time, -1, key)
        case e.RollBooked():
            return (event.venue_time, _LAST, key)
        case e.OrderReported():
            return (event.venue_time, event.venue_sequence, key)
        case SignalLogged():
            return (event.received_at, 0, key)
        case _:
            return (event.venue_time, 0, key)


def position_key(event: e.Event) -> PositionKey | None:
    """The position a fact folds into; None for facts about the account as a whole, orders and decisions."""
    if type(event) is e.RollBooked:
        return event.far, event.position_side
    if isinstance(event, _POSITION_FACTS) and event.instrument:
        return event.instrument, event.position_side
    return None


def weak_id(content: tuple[object, ...], ordinal: int) -> str:
    """An identity for a fact to which the venue gave none: a hash of its terms, and which of its twins it is.

    Args:
        content: The :func:`terms` of the fact.
        ordinal: 0 for the first row with these terms in an answer, 1 for the next, …
    """
    text = "\x1f".join(canonical(part) if isinstance(part, Decimal) else str(part) for part in content)
    return f"weak:{blake2b(text.encode(), digest_size=12).hexdigest()}:{ordinal}"


_LAST = 2**63 - 1
"""After every venue sequence."""

_POSITION_FACTS = (
    e.FillBooked,
    e.FeeCharged,
    e.FundingPaid,
    e.LiquidationFlagged,
    e.SplitBooked,
    e.LeverageSet,
    e.MarginModeSet,
    e.OpeningPosition,
    e.TradeDeclared,
    e.AdjustmentBooked,
)

_IDENTITY: dict[type, Callable[..., str]] = {
    e.InstrumentDefined: lambda f: f"instrument|{f.instrument.symbol}|{f.instrument.version}",
    e.FeeCharged: lambda f: f"fee|{f.venue_id}",
    e.FundingPaid: lambda f: f"funding|{f.venue_id}",
    e.TransferBooked: lambda f: f"transfer|{f.venue_id}",
    e.LiquidationFlagged: lambda f: f"liquidation|{f.venue_id}",
    e.SplitBooked: lambda f: f"split|{f.venue_id}|{f.instrument}|{f.position_side}",
    e.RollBooked: lambda f: f"roll|{f.roll_id}",
    e.LeverageSet: lambda f: f"leverage|{f.venue_id}",
    e.MarginModeSet: lambda f: f"margin_mode|{f.venue_id}",
    e.OpeningPosition: lambda f: f"opening_position|{f.opening_id}",
    e.OpeningBalance: lambda f: f"opening_balance|{f.opening_id}",
    e.TradeDeclared: lambda f: f"declared|{f.declaration_id}",
    e.AdjustmentBooked: lambda f: f"adjustment|{f.adjustment_id}",
    e.OrderReported: lambda f: f"order|{f.report_id}",
    SignalLogged: lambda f: f"signal|{f.fingerprint}",
}

_TERMS: dict[type, Callable[..., tuple[object, ...]]] = {
    e.InstrumentDefined: lambda f: (
        f.instrument.kind,
        f.instrument.base,
        f.instrument.quote,
        f.instrument.settle,
        f.instrument.contract_size,
        f.instrument.wallet,
    ),
    e.FeeCharged: lambda f: (f.instrument, f.position_side, f.amount, f.currency, f.venue_time),
    e.FundingPaid: lambda f: (f.instrument, f.position_side, f.amount, f.currency, f.venue_time),
    e.TransferBooked: lambda f: (f.amount, f.currency, f.venue_time),
    e.LiquidationFlagged: lambda f: (f.instrument, f.position_side, f.venue_time),
    e.SplitBooked: lambda f: (f.new, f.old, f.quantity_after, f.venue_time),
    e.RollBooked: lambda f: (f.near, f.far, f.strategy, f.quantity, f.near_price, f.far_price, f.near_basis),
    e.LeverageSet: lambda f: (f.instrument, f.position_side, f.leverage, f.venue_time),
    e.MarginModeSet: lambda f: (f.instrument, f.position_side, f.margin_mode, f.venue_time),
    e.OpeningPosition: lambda f: (f.instrument, f.position_side, f.quantity, f.price, f.venue_time),
    e.OpeningBalance: lambda f: (f.currency, f.amount, f.venue_time),
    e.TradeDeclared: lambda f: (f.instrument, f.position_side, f.side, f.quantity, f.price, f.venue_time),
    e.AdjustmentBooked: lambda f: (f.instrument, f.position_side, f.quantity, f.price, f.currency, f.cash),
    e.OrderReported: lambda f: (f.instrument, f.side, f.quantity, f.filled, f.status, f.venue_order_id),
    SignalLogged: lambda f: (f.strategy, f.instrument, f.kind, f.direction, f.strength, f.made_at, f.payload),
}
