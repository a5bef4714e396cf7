"""The kinds of rows: for each the fact it becomes, the columns it must have and those it may have.

This table is the format; ``docs/generic-format.md`` describes it, and a test holds the two together. An adjustment is
no kind: corrections are decided on evidence, not imported.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from trueup.model import events as e
from trueup.venues import rows
from trueup.venues.generic import cells, instruments
from trueup.venues.generic.cells import Cell

_TIME: dict[str, Cell] = {"venue_time": cells.moment}
_POSITION_SIDE: dict[str, Cell] = {"position_side": cells.choice("net", "long", "short")}
_VERSION: dict[str, Cell] = {"instrument_version": cells.count}
_STRATEGY: dict[str, Cell] = {"strategy": rows.text}
_EVIDENCE: dict[str, Cell] = {"evidence": rows.text}
_TRADE: dict[str, Cell] = {
    "instrument": rows.text,
    "side": cells.choice("buy", "sell"),
    "quantity": rows.positive,
    "price": rows.positive,
    **_TIME,
}
_CASH: dict[str, Cell] = {"amount": rows.decimal, "currency": rows.text, **_TIME}


class Kind(msgspec.Struct, frozen=True):
    """One kind of rows.

    Attributes:
        fact: What a row becomes.
        identity: The fact's attribute that the column ``id`` fills.
        required, optional: Columns besides ``kind`` and ``id``, with how they are read.
        needs_id: Whether a row without an id is refused; else it gets one from its own contents.
    """

    fact: Any
    identity: str
    required: Mapping[str, Cell]
    optional: Mapping[str, Cell]
    needs_id: bool = True


KINDS: Mapping[str, Kind] = {
    "fill": Kind(
        e.FillBooked,
        "venue_trade_id",
        _TRADE,
        {
            "fee": rows.decimal,
            "fee_currency": rows.text,
            "venue_order_id": rows.identifier,
            "client_order_id": rows.identifier,
            "liquidity": rows.text,
            "venue_sequence": cells.index,
            "fee_value": rows.decimal,
            "settled_amount": rows.decimal,
            "settled_currency": rows.text,
            "start_position": rows.decimal,
            "liquidation": rows.text,
            **_STRATEGY,
            **_POSITION_SIDE,
            **_VERSION,
        },
        needs_id=False,
    ),
    "fee": Kind(
        e.FeeCharged,
        "venue_id",
        _CASH,
        {"instrument": rows.text, "reason": rows.text, **_POSITION_SIDE},
        needs_id=False,
    ),
    "funding": Kind(
        e.FundingPaid,
        "venue_id",
        {"instrument": rows.text, **_CASH},
        {"rate": rows.decimal, **_POSITION_SIDE},
        needs_id=False,
    ),
    "transfer": Kind(e.TransferBooked, "venue_id", _CASH, {"reason": rows.text}, needs_id=False),
    "liquidation": Kind(
        e.LiquidationFlagged,
        "venue_id",
        _TIME,
        {"instrument": rows.text, "reason": rows.text, **_POSITION_SIDE},
    ),
    "split": Kind(
        e.SplitBooked,
        "venue_id",
        {"instrument": rows.text, "new": cells.count, "old": cells.count, **_TIME},
        {"quantity_after": rows.decimal, **_POSITION_SIDE},
    ),
    "roll": Kind(
        e.RollBooked,
        "roll_id",
        {
            "near": rows.text,
            "far": rows.text,
            "quantity": rows.decimal,
            "near_price": rows.positive,
            "far_price": rows.positive,
            "near_basis": rows.decimal,
            **_STRATEGY,
            **_TIME,
        },
        _POSITION_SIDE,
    ),
    "leverage": Kind(
        e.LeverageSet, "venue_id", {"instrument": rows.text, "leverage": rows.positive, **_TIME}, _POSITION_SIDE
    ),
    "margin_mode": Kind(
        e.MarginModeSet,
        "venue_id",
        {"instrument": rows.text, "margin_mode": cells.choice("cross", "isolated"), **_TIME},
        _POSITION_SIDE,
    ),
    "opening_position": Kind(
        e.OpeningPosition,
        "opening_id",
        {"instrument": rows.text, "quantity": rows.decimal, **_TIME},
        {"price": rows.positive, **_EVIDENCE, **_POSITION_SIDE, **_VERSION},
    ),
    "opening_balance": Kind(e.OpeningBalance, "opening_id", _CASH, _EVIDENCE),
    "declared": Kind(
        e.TradeDeclared,
        "declaration_id",
        {"author": rows.text, **_TRADE},
        {**_STRATEGY, **_POSITION_SIDE, **_VERSION},
    ),
    "order": Kind(
        e.OrderReported,
        "report_id",
        {
            "instrument": rows.text,
            "side": cells.choice("buy", "sell"),
            "quantity": rows.positive,
            "filled": cells.not_negative,
            "status": cells.choice("open", "partially_filled", "filled", "canceled", "rejected", "expired"),
            "venue_order_id": rows.identifier,
            **_TIME,
        },
        {
            "client_order_id": rows.identifier,
            "price": rows.positive,
            "trigger_price": rows.positive,
            "order_type": rows.text,
            "reduce_only": cells.truth,
            "venue_sequence": cells.index,
            **_POSITION_SIDE,
        },
        needs_id=False,
    ),
}
"""Kinds of rows that become facts. ``instrument`` is a kind too: it defines the terms the others are booked under."""

INSTRUMENT = "instrument"
INSTRUMENT_COLUMNS = {
    {"symbol": "instrument", "kind": "instrument_kind"}.get(name, name): name for name in instruments.CELLS
}
"""Columns of an ``instrument`` row, and the names that its cells have in an instruments file."""

IDS = ("id", "venue_trade_id")
"""Two names of one column: the row's identity."""

COLUMNS = {"kind", *IDS, *INSTRUMENT_COLUMNS}.union(*({*kind.required, *kind.optional} for kind in KINDS.values()))
"""Every column there is."""
