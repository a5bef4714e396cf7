"""The JSON shapes: decimals as plain text, times as RFC 3339 in UTC, null for unknown, names of fields as in the model.

These are promises to programs: fields are added, never renamed. What is built here is printed as it is.
"""

import base64
from collections.abc import Mapping
from decimal import Decimal
from enum import IntEnum
from typing import Any

import msgspec

from trueup.engine.replay import Entry
from trueup.engine.time_travel import AsOf
from trueup.model import events as e
from trueup.model.facts import kind_of
from trueup.model.instruments import Instrument
from trueup.model.numbers import canonical
from trueup.model.positions import Balance, Position, SubPosition, entry_price
from trueup.model.times import format_time

Json = Any
"""What JSON can hold."""

_TIMES = frozenset(
    {
        "closed_at",
        "created_at",
        "cut",
        "effective_from",
        "expiry",
        "made_at",
        "newest_recorded_at",
        "newest_venue_time",
        "opened_at",
        "processed_at",
        "proven_at",
        "received_at",
        "recorded_at",
        "rolled_at",
        "saved_at",
        "updated_at",
        "venue_time",
    }
)


def plain(value: object, name: str = "") -> Json:
    """Any value of ours as JSON can hold it; ``name`` of the field it stands in tells times from numbers."""
    match value:
        case Decimal():
            return canonical(value)
        case IntEnum():
            return value.name
        case int() if name in _TIMES and not isinstance(value, bool):
            return format_time(value)
        case bytes():
            return base64.b64encode(value).decode()
        case msgspec.Struct():
            return {field: plain(getattr(value, field), field) for field in value.__struct_fields__}
        case Mapping():
            return {str(key): plain(part) for key, part in value.items()}
        case list() | tuple() | frozenset():
            return [plain(part) for part in value]
        case _:
            return value  # text, numbers, truth values and null are as they are


def position_shape(position: Position) -> dict[str, Json]:
    """A position. ``realized_pnl`` is null while a part of the basis is unknown; ``realized_pnl_known`` is the rest."""
    return plain_fields(
        account=position.account,
        instrument=position.instrument.symbol,
        native_symbol=position.instrument.native_symbol,
        position_side=position.position_side,
        quantity=position.quantity,
        entry_price=position.entry_price,
        cost=position.cost,
        currency=position.instrument.settle,
        realized_pnl=None if position.realized_unknown else position.realized_pnl,
        realized_pnl_known=position.realized_pnl,
        adjusted_pnl=position.adjusted_pnl,
        fees=position.fees,
        fee_value=position.fee_value,
        funding=position.funding,
        strategies={
            name: _strategy_shape(part, position.instrument) for name, part in sorted(position.by_strategy.items())
        },
        unconfirmed=position.unconfirmed,
        leverage=position.leverage,
        margin_mode=position.margin_mode,
        opened_at=position.opened_at,
        updated_at=position.updated_at,
        cycles=position.cycles,
        liquidations=position.liquidations,
        seq=position.seq,
    )


def valued_shape(then: AsOf, position: Position) -> dict[str, Json]:
    """A position with its value at the newest mark; both null without one."""
    return position_shape(position) | plain_fields(
        mark_price=then.mark_price(position), unrealized_pnl=then.unrealized_pnl(position)
    )


def _strategy_shape(part: SubPosition, instrument: Instrument) -> dict[str, Json]:
    return plain_fields(
        quantity=part.quantity,
        entry_price=entry_price(instrument, part.quantity, part.cost),
        cost=part.cost,
        realized_pnl=None if part.realized_unknown else part.realized_pnl,
        realized_pnl_known=part.realized_pnl,
        fees=part.fees,
        strategy_cost=part.strategy_cost,
    )


def balance_shape(balance: Balance) -> dict[str, Json]:
    """A balance. ``total`` is null while some close's P&L is unknown; ``known`` is the sum of what is known."""
    return plain_fields(
        account=balance.account,
        currency=balance.currency,
        total=balance.total,
        known=balance.known,
        traded=balance.traded,
        realized=balance.realized,
        fees=balance.fees,
        funding=balance.funding,
        transfers=balance.transfers,
        adjustments=balance.adjustments,
        opening=balance.opening,
        realized_unknown=balance.realized_unknown,
        seq=balance.seq,
    )


def entry_shape(account: str, entry: Entry) -> dict[str, Json]:
    """An event of the journal. ``fields`` are the event's own; bytes in them are base64."""
    fields = plain(entry.event)
    del fields["account"]
    if isinstance(entry.event, e.Quarantined):
        fields["offered_as"] = offered(entry.event)
    return {
        "account": account,
        "seq": entry.seq,
        "recorded_at": format_time(entry.recorded_at),
        "kind": kind_of(entry.event),
        "fields": fields,
    }


def offered(event: e.Quarantined) -> Json:
    """What was quarantined, readable: the fact by its fields, or the row's text; null when it is neither."""
    try:
        if event.source:
            return event.offered.decode()
        fact = msgspec.msgpack.decode(event.offered, type=e.Event)
    except (UnicodeDecodeError, msgspec.DecodeError):
        return None
    return {"kind": kind_of(fact), "fields": plain(fact)}


def plain_fields(**fields: object) -> dict[str, Json]:
    """An object of JSON from fields by name."""
    return {name: plain(value, name) for name, value in fields.items()}
