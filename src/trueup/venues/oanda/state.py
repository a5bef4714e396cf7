"""Answers that state how the account stands: positions, balance and pending orders as one snapshot.

OANDA says after which transaction an answer was true, never at what time, so the cut is unknown. P&L is left out: the
snapshot's is in the quote currency, OANDA's in the home currency. A part with a row that cannot be read is unknown as a
whole, since what the row held would else count as flat.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from trueup.book.orders import as_open
from trueup.model.differences import VenuePosition, VenueSnapshot
from trueup.model.errors import BadInput
from trueup.model.events import OrderReported
from trueup.model.identifiers import PositionKey
from trueup.model.positions import OpenOrder
from trueup.ports import Reading, Refused
from trueup.venues import rows
from trueup.venues.oanda import fields, orders
from trueup.venues.oanda.known import Known, Trade
from trueup.venues.rows import Row

_ORDER_PAGES = frozenset({50, 500})
"""How many orders ``/orders`` gives by default and at most: as many as that may be a part of them."""


class _Parts(msgspec.Struct):
    """A snapshot in the making, with what could not be read of it."""

    positions: Mapping[PositionKey, VenuePosition] | None = None
    balances: Mapping[str, Decimal] | None = None
    open_orders: Mapping[str, OpenOrder] | None = None
    unmapped: dict[str, str] = msgspec.field(default_factory=dict)
    failed: dict[str, str] = msgspec.field(default_factory=dict)
    refused: list[Refused] = msgspec.field(default_factory=list)
    scope: frozenset[str] | None = None
    rows: int = 0


def account(name: str, answer: Row, known: Known) -> Reading:
    """The whole account, or its summary, which states the balance and only how many positions and orders there are."""
    row = rows.record(answer, "account")
    known.check_account(rows.text(row, "id"))
    known.learn_home(rows.text(row, "currency"))
    if row.get("hedgingEnabled") is not None:
        known.learn_hedging(hedging=rows.flag(row, "hedgingEnabled", default=False))
    parts = _Parts(balances={known.home: rows.decimal(row, "balance")}, rows=1)
    if row.get("trades") is not None:
        learn_trades(rows.records(row, "trades"), known)
    if row.get("positions") is not None:
        _read_positions(name, rows.records(row, "positions"), known, parts)
    elif row.get("openPositionCount") == 0:
        parts.positions = {}
    if row.get("orders") is not None:
        _read_orders(name, rows.records(row, "orders"), known, parts)
    elif row.get("pendingOrderCount") == 0:
        parts.open_orders = {}
    whole = parts.positions is not None and parts.open_orders is not None
    return _reading(name, "account" if whole else "account summary", answer, known, parts)


def positions(name: str, answer: Row, known: Known) -> Reading:
    """Positions, open ones only or also those that were closed."""
    parts = _Parts()
    _read_positions(name, rows.records(answer, "positions"), known, parts)
    return _reading(name, "positions", answer, known, parts)


def position(name: str, answer: Row, known: Known) -> Reading:
    """The position in one instrument; it says nothing of others."""
    row = rows.record(answer, "position")
    parts = _Parts(scope=frozenset({known.instrument(rows.text(row, "instrument")).symbol}))
    _read_positions(name, [row], known, parts)
    return _reading(name, "position", answer, known, parts)


def pending_orders(name: str, answer: Row, known: Known) -> Reading:
    """A list of orders."""
    listed = rows.records(answer, "orders")
    parts = _Parts()
    _read_orders(name, listed, known, parts)
    if len(listed) in _ORDER_PAGES:
        parts.open_orders = None
        parts.failed["open_orders"] = f"{len(listed)} orders fill a page, so there may be more: fetch pendingOrders"
    return _reading(name, "orders", answer, known, parts)


def learn_trades(listed: Iterable[object], known: Known) -> int:
    """Keep which instrument and side each trade is of; returns how many there are."""
    count = 0
    for count, value in enumerate(listed, start=1):  # noqa: B007 - the number of the last is the answer
        row = rows.as_row(value, "trades")
        units = fields.units(row, "initialUnits")
        symbol = known.instrument(rows.text(row, "instrument")).symbol
        known.trades[rows.identifier(row, "id")] = Trade(symbol, "buy" if units > 0 else "sell", abs(units))
    return count


def _read_positions(name: str, listed: Sequence[object], known: Known, parts: _Parts) -> None:
    found: dict[PositionKey, VenuePosition] = {}
    sides = [side for row in enumerate(listed, start=1) for side in _open_sides(name, row, known, parts)]
    if known.hedging is None and len({side.instrument for side in sides}) < len(sides):
        known.learn_hedging(hedging=True)  # only then can both sides of an instrument be held
    for side in sides:
        key_side = side.position_side if known.hedging else "net"
        key = (side.instrument, key_side)
        if key in found:
            parts.failed["positions"] = f"{side.instrument} has two {key_side} positions"
        found[key] = msgspec.structs.replace(side, position_side=key_side)
    parts.rows += len(listed)
    parts.positions = None if "positions" in parts.failed else found


def _open_sides(name: str, numbered: tuple[int, object], known: Known, parts: _Parts) -> list[VenuePosition]:
    """The sides of one row that are not flat; a row that cannot be read is noted and gives none."""
    number, value = numbered
    try:
        row = rows.as_row(value, "positions")
        sides = [(side, rows.record(row, side)) for side in ("long", "short")]
        held = [(side, part) for side, part in sides if rows.decimal(part, "units")]
        native = rows.text(row, "instrument")
        try:
            symbol = known.instrument(native).symbol
        except BadInput:
            if held:
                parts.unmapped[native] = json.dumps(value, default=str)
            return []
        margin = rows.optional_decimal(row, "marginUsed") if len(held) == 1 else None  # else it is of both together
        return [_side(symbol, side, part, margin) for side, part in held]
    except BadInput as error:
        _fail("positions", rows.refused(name, number, value, error), parts)
        return []


def _side(symbol: str, side: str, row: Row, margin: Decimal | None) -> VenuePosition:
    units = rows.decimal(row, "units")
    if (units > 0) is not (side == "long"):
        raise BadInput("units", units, f"the wrong sign for the {side} side", remedy="Fetch the answer again.")
    price = None if row.get("averagePrice") is None else rows.positive(row, "averagePrice")
    gain = rows.optional_decimal(row, "unrealizedPL")
    return VenuePosition(symbol, side, units, price, unrealized_pnl=gain, margin_used=margin)


def _read_orders(name: str, listed: Sequence[object], known: Known, parts: _Parts) -> None:
    found: dict[str, OpenOrder] = {}
    for number, value in enumerate(listed, start=1):
        try:
            report = orders.listed(rows.as_row(value, "orders"), known)
        except BadInput as error:
            _fail("open_orders", rows.refused(name, number, value, error), parts)
            continue
        if report is not None:
            newest = _newest(report, known)
            found[newest.venue_order_id] = as_open(newest)
    parts.rows += len(listed)
    parts.open_orders = None if "open_orders" in parts.failed else found


def _newest(report: OrderReported, known: Known) -> OrderReported:
    """What was read of a pending order before stands: a list does not say how much of it was filled."""
    before = known.orders.get(report.venue_order_id)
    if before is not None and before.filled:
        return msgspec.structs.replace(report, filled=before.filled, status=before.status)
    known.orders.setdefault(report.venue_order_id, report)
    return report


def _fail(part: str, refused: Refused, parts: _Parts) -> None:
    parts.refused.append(refused)
    parts.failed.setdefault(part, f"row {refused.row}: {refused.field}={refused.value!r}: {refused.problem}")


def _reading(name: str, kind: str, answer: Row, known: Known, parts: _Parts) -> Reading:
    last = rows.optional_identifier(answer, "lastTransactionID")
    snapshot = VenueSnapshot(
        known.account,
        positions=parts.positions,
        balances=parts.balances,
        open_orders=parts.open_orders,
        unmapped=parts.unmapped,
        failed=parts.failed,
        position_scope=parts.scope,
        source=(f"{name} at transaction {last}" if last else name,),
    )
    return Reading(kind, refused=parts.refused, snapshot=snapshot, rows=parts.rows)
