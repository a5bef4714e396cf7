"""ccxt's positions and balances as a snapshot. What lives only here: what is held, and what of a balance is cash.

A row that cannot be read makes its part unknown, never smaller. A position in what ccxt has no market for is named by
the venue's own id. A balance is what the book adds up to: without the unrealised P&L that many venues put into totals.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from trueup.model.differences import VenuePosition, VenueSnapshot
from trueup.model.errors import BadInput
from trueup.model.identifiers import PositionKey, PositionSide
from trueup.model.numbers import ZERO, exact
from trueup.ports import Refused
from trueup.venues import rows
from trueup.venues.ccxt.context import Context, at, hedge_mode, info, native_name, optional, position_side
from trueup.venues.ccxt.orders import open_order
from trueup.venues.rows import Row

NOT_READ = "rows that could not be read"

_SIGNS: Mapping[str, int] = {"long": 1, "short": -1}
_MARGIN_MODES = frozenset({"cross", "isolated"})


def positions(context: Context, answers: Iterable[object]) -> tuple[VenueSnapshot, list[Refused]]:
    """The positions that some answers state together; one that is stated twice is taken once."""
    held: dict[PositionKey, VenuePosition] = {}
    unmapped: dict[str, str] = {}

    def read(row: Row) -> None:
        contracts = _contracts(row, context.correction.position_size)
        if contracts is None:
            return
        symbol = rows.text(row, "symbol")
        if symbol not in context.instruments:
            unmapped[native_name(row) or symbol] = rows.shown(row)
            return
        position = _position(row, contracts)
        held[position.instrument, position.position_side] = position

    _, refused = rows.read_each("positions", answers, read)
    told = None if refused else held
    failed = {"positions": NOT_READ} if refused else {}
    return VenueSnapshot(context.account, positions=told, unmapped=unmapped, failed=failed), refused


def balances(context: Context, answer: object) -> tuple[VenueSnapshot, list[Refused]]:
    """The balances of one answer that are not zero, without unrealised P&L where the table says how."""
    try:
        found = _balances(context, rows.as_row(answer, "balance"))
    except BadInput as error:
        failed = {"balances": str(error)}
        return VenueSnapshot(context.account, failed=failed), [rows.refused("balance", 1, answer, error)]
    return VenueSnapshot(context.account, balances=found), []


def open_orders(context: Context, answers: Iterable[object]) -> tuple[VenueSnapshot, list[Refused]]:
    """The open orders of some answers together."""
    found, refused = rows.read_each("open orders", answers, lambda row: open_order(context, row))
    listed = {order.venue_order_id: order for order in found}
    failed = {"open_orders": NOT_READ} if refused else {}
    return VenueSnapshot(context.account, open_orders=None if refused else listed, failed=failed), refused


def _contracts(row: Row, path: str) -> Decimal | None:
    """How many, signed; None for a row that holds nothing. Of a size that is not stated ccxt makes one of the notional.

    Raises:
        BadInput: Not stated, or no side for what is not zero: unknown is not flat.
    """
    contracts = abs(rows.decimal({path: at(info(row), path)}, path) if path else rows.decimal(row, "contracts"))
    return contracts * rows.one_of(row, "side", _SIGNS) if contracts else None


def _position(row: Row, contracts: Decimal) -> VenuePosition:
    mode = row.get("marginMode")
    return VenuePosition(
        rows.text(row, "symbol"),
        _side(row, contracts),
        contracts,
        entry_price=optional(row, "entryPrice"),
        mark_price=optional(row, "markPrice") or None,
        leverage=optional(row, "leverage") or None,
        margin_mode=mode if isinstance(mode, str) and mode in _MARGIN_MODES else None,
        liquidation_price=optional(row, "liquidationPrice") or None,
        unrealized_pnl=optional(row, "unrealizedPnl"),
    )


def _side(row: Row, contracts: Decimal) -> PositionSide:
    told = position_side(row)
    if told is not None:
        return told
    if hedge_mode(row):
        return "long" if contracts > ZERO else "short"
    return "net"


def _balances(context: Context, answer: Row) -> Mapping[str, Decimal]:
    total = rows.record(answer, "total")
    cash = _cash(context, answer)
    found: dict[str, Decimal] = {}
    for currency in total:
        amount = cash[currency] if currency in cash else rows.optional_decimal(total, currency)
        if amount is None:
            raise BadInput(currency, "", "a balance without a number", remedy="Ask again.")
        if amount:
            found[currency] = amount
    return found


def _cash(context: Context, answer: Row) -> Mapping[str, Decimal]:
    """Balances in the venue's own words, by currency, where the table says where they stand."""
    cash = context.correction.cash
    if cash is None:
        return {}
    listed = at(answer.get("info"), cash.rows)
    found: dict[str, Decimal] = {}
    for item in listed if isinstance(listed, list) else [listed]:
        row = rows.as_row(item, cash.rows or "info")
        currency = context.currency(rows.text(row, cash.currency)) if cash.currency else context.correction.money
        value = rows.decimal({cash.amount: at(row, cash.amount)}, cash.amount)
        with exact():
            found[currency] = value - sum(_numbers(row, cash.without), ZERO)
    return found


def _numbers(row: Row, path: str) -> Sequence[Decimal]:
    """The numbers at a path, in which ``*`` stands for each item of a list; none at an empty path."""
    if not path:
        return ()
    listed, _, rest = path.partition(".*.")
    items = at(row, listed) if rest else [row]
    if not isinstance(items, list):
        raise BadInput("info", path, "not in the answer", remedy="The exchange may have changed its answers.")
    name = rest or path
    return [rows.decimal({name: at(item, name)}, name) for item in items]
