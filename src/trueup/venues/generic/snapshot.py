"""A snapshot file: how a venue says an account stands, in our own words. A part that is not there is unknown."""

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec

from trueup.model.differences import VenuePosition, VenueSnapshot
from trueup.model.errors import BadInput
from trueup.model.identifiers import AccountId, PositionKey
from trueup.model.numbers import ZERO
from trueup.model.positions import OpenOrder
from trueup.ports import Reading, Refused
from trueup.venues import rows
from trueup.venues.generic import cells
from trueup.venues.generic.cells import Cell
from trueup.venues.generic.instruments import Catalogue
from trueup.venues.rows import Row

PARTS = ("venue_time", "positions", "balances", "open_orders")

_POSITION_SIDE = cells.choice("net", "long", "short")

POSITION_REQUIRED: Mapping[str, Cell] = {"instrument": rows.text, "quantity": rows.decimal}
POSITION_OPTIONAL: Mapping[str, Cell] = {
    "position_side": _POSITION_SIDE,
    "entry_price": rows.positive,
    "mark_price": rows.positive,
    "leverage": rows.positive,
    "margin_mode": cells.choice("cross", "isolated"),
    "liquidation_price": rows.positive,
    "unrealized_pnl": rows.decimal,
}
ORDER_REQUIRED: Mapping[str, Cell] = {
    "venue_order_id": rows.identifier,
    "instrument": rows.text,
    "side": cells.choice("buy", "sell"),
    "quantity": rows.positive,
}
ORDER_OPTIONAL: Mapping[str, Cell] = {
    "filled": cells.not_negative,
    "status": cells.choice("open", "partially_filled"),
    "client_order_id": rows.identifier,
    "price": rows.positive,
    "trigger_price": rows.positive,
    "order_type": rows.text,
    "reduce_only": cells.truth,
    "position_side": _POSITION_SIDE,
    "updated_at": cells.moment,
}

T = TypeVar("T")


def read(name: str, value: object, account: AccountId, catalogue: Catalogue) -> Reading:
    """The snapshot in a file.

    Raises:
        BadInput: Not a snapshot, or a ``venue_time`` that is none.
        Malformed: A name it should not have.
    """
    stated = cells.filled(value)
    cells.check_names(name, stated, PARTS)
    parts = _Parts(name, account, catalogue)
    snapshot = VenueSnapshot(
        account,
        cut=cells.moment(stated, "venue_time") if "venue_time" in stated else None,
        positions=parts.positions(stated) if "positions" in stated else None,
        balances=parts.balances(stated) if "balances" in stated else None,
        open_orders=parts.orders(stated) if "open_orders" in stated else None,
        unmapped=parts.unmapped,
        failed=parts.failed,
        source=(name,),
    )
    return Reading("snapshot", refused=parts.refused, snapshot=snapshot, rows=parts.rows)


class _Parts:
    """Reads the parts; one with a row that cannot be read is unknown as a whole, or what the row held would be flat."""

    def __init__(self, name: str, account: AccountId, catalogue: Catalogue) -> None:
        self._name = name
        self._account = account
        self._catalogue = catalogue
        self.unmapped: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self.refused: list[Refused] = []
        self.rows = 0

    def positions(self, stated: Row) -> Mapping[PositionKey, VenuePosition] | None:
        """By instrument and side, without flat ones."""
        read = self._each("positions", rows.records(stated, "positions"), self._position)
        held = {(position.instrument, position.position_side): position for position in read}
        if len(held) < len(read):
            self.failed["positions"] = "two positions of one instrument and side"
        return None if "positions" in self.failed else {key: held[key] for key in held if held[key].quantity}

    def balances(self, stated: Row) -> Mapping[str, Decimal] | None:
        """By currency."""
        row = rows.record(stated, "balances")
        read = self._each("balances", [{"currency": currency, "amount": row[currency]} for currency in row], _balance)
        return None if "balances" in self.failed else dict(read)

    def orders(self, stated: Row) -> Mapping[str, OpenOrder] | None:
        """By venue order id."""
        read = self._each("open_orders", rows.records(stated, "open_orders"), self._order)
        found = {order.venue_order_id: order for order in read}
        if len(found) < len(read):
            self.failed["open_orders"] = "two orders of one venue_order_id"
        return None if "open_orders" in self.failed else found

    def _each(self, part: str, listed: Sequence[object], read: Callable[[Row], T | None]) -> list[T]:
        self.rows += len(listed)
        results, bad = rows.read_each(self._name, listed, lambda row: read(cells.filled(row)))
        for refused in bad:
            self.failed[part] = f"row {refused.row}: {refused.field}={refused.value!r}: {refused.problem}"
        self.refused += bad
        return [result for result in results if result is not None]

    def _position(self, row: Row) -> VenuePosition | None:
        values = _cells(row, POSITION_REQUIRED, POSITION_OPTIONAL, "a position")
        name, side, quantity = rows.text(row, "instrument"), values.get("position_side"), rows.decimal(row, "quantity")
        if (side == "long" and quantity < 0) or (side == "short" and quantity > 0):
            raise BadInput("quantity", quantity, f"the wrong sign for {side}", remedy="Short quantities are negative.")
        symbol = self._catalogue.symbol(name)
        if symbol is None:
            if quantity:
                self.unmapped[name] = json.dumps(row, default=str)
            return None
        return msgspec.convert({"position_side": "net", **values, "instrument": symbol}, VenuePosition)

    def _order(self, row: Row) -> OpenOrder:
        values = _cells(row, ORDER_REQUIRED, ORDER_OPTIONAL, "an open order")
        symbol = self._catalogue.symbol(rows.text(row, "instrument"))
        if symbol is None:
            raise BadInput("instrument", row["instrument"], "not defined", remedy="Give its contract details first.")
        return msgspec.convert({**_ORDER_DEFAULTS, **values, "account": self._account, "instrument": symbol}, OpenOrder)


_ORDER_DEFAULTS = {
    "position_side": "net",
    "filled": ZERO,
    "status": "open",
    "client_order_id": "",
    "price": None,
    "trigger_price": None,
    "order_type": "limit",
    "reduce_only": False,
    "updated_at": 0,
}


def _balance(row: Row) -> tuple[str, Decimal]:
    return rows.text(row, "currency"), rows.decimal(row, "amount")


def _cells(row: Row, required: Mapping[str, Cell], optional: Mapping[str, Cell], what: str) -> dict[str, object]:
    known = {**required, **optional}
    for name in row:
        if name not in known:
            raise BadInput(
                name, row[name], f"{what} has no such field", remedy=f"Known are: {', '.join(sorted(known))}."
            )
    cells.require(row, required, what)
    return cells.read(row, known)
