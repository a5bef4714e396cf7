"""Orders: those that are open, and reports of their fate.

The former come from ``openOrders`` and ``frontendOpenOrders``, the latter from ``historicalOrders``, ``orderUpdates``
and ``orderStatus``.
``sz`` is what is left, ``origSz`` what was asked for. ``openOrders`` of old lack the latter: what was filled before is
then not known, and the rest stands as the whole.
"""

from collections.abc import Sequence
from decimal import Decimal

from trueup.model.differences import VenueSnapshot
from trueup.model.errors import BadInput
from trueup.model.events import OrderReported
from trueup.model.facts import order_key
from trueup.model.instruments import Instrument
from trueup.model.numbers import exact
from trueup.model.positions import OpenOrder
from trueup.model.times import NS_PER_MS
from trueup.ports import Refused
from trueup.venues import rows
from trueup.venues.hyperliquid.context import SIDES, Context
from trueup.venues.rows import Row

_NOT_READ = "a row of it could not be read"
_OPEN = frozenset({"open", "triggered"})


def read_open_orders(context: Context, items: Sequence[object]) -> tuple[VenueSnapshot, Sequence[Refused]]:
    """The open orders, by the venue's order id. One that cannot be read fails them all."""
    unmapped: dict[str, str] = {}

    def read(row: Row) -> OpenOrder | None:
        coin = rows.text(row, "coin")
        try:
            instrument = context.symbols.instrument(coin)
        except BadInput as error:
            unmapped[coin] = f"order in {coin}: {error.problem}"
            return None
        quantity, filled = _sizes(row)
        return OpenOrder(
            account=context.account,
            instrument=instrument.symbol,
            position_side="net",
            side=rows.one_of(row, "side", SIDES),
            quantity=quantity,
            filled=filled,
            status="partially_filled" if filled else "open",
            venue_order_id=rows.identifier(row, "oid"),
            client_order_id=rows.optional_text(row, "cloid"),
            price=rows.optional_decimal(row, "limitPx"),
            trigger_price=_trigger(row),
            order_type=_order_type(row),
            reduce_only=rows.flag(row, "reduceOnly", default=False),
            updated_at=rows.milliseconds(row, "timestamp"),
        )

    found, refused = rows.read_each(context.name, items, read)
    snapshot = VenueSnapshot(
        account=context.account,
        open_orders=None if refused else {order.venue_order_id: order for order in filter(None, found)},
        unmapped=unmapped,
        failed={"open_orders": _NOT_READ} if refused else {},
        source=(context.name,),
    )
    return snapshot, refused


def read_reports(
    context: Context, items: Sequence[object]
) -> tuple[Sequence[OrderReported], Sequence[Instrument], Sequence[Refused]]:
    """What became of orders, the instruments they name, and what was refused."""
    instruments: dict[str, Instrument] = {}

    def read(row: Row) -> OrderReported:
        order = rows.record(row, "order")
        instrument = context.symbols.instrument(rows.text(order, "coin"))
        report = _report(context, row, order, instrument.symbol)
        instruments[instrument.symbol] = instrument
        return report

    reports, refused = rows.read_each(context.name, items, read)
    return sorted(reports, key=order_key), list(instruments.values()), refused


def _report(context: Context, row: Row, order: Row, instrument: str) -> OrderReported:
    word, time = rows.text(row, "status"), rows.milliseconds(row, "statusTimestamp")
    order_id = rows.identifier(order, "oid")
    quantity, filled = _sizes(order)
    if word == "filled":
        filled = quantity
    return OrderReported(
        account=context.account,
        instrument=instrument,
        side=rows.one_of(order, "side", SIDES),
        quantity=quantity,
        filled=filled,
        status=_status(word, filled),
        venue_order_id=order_id,
        venue_time=time,
        report_id=f"{order_id}:{word}:{time // NS_PER_MS}",
        client_order_id=rows.optional_text(order, "cloid"),
        price=rows.optional_decimal(order, "limitPx"),
        trigger_price=_trigger(order),
        order_type=_order_type(order),
        reduce_only=rows.flag(order, "reduceOnly", default=False),
    )


def _status(word: str, filled: Decimal) -> str:
    """Ours for the venue's word, which gives a reason for an end: ``marginCanceled``, ``oracleRejected``."""
    if word == "filled":
        return "filled"
    if word in _OPEN:
        return "partially_filled" if filled else "open"
    lower = word.lower()
    if lower.endswith("rejected"):
        return "rejected"
    if lower.endswith(("canceled", "cancel")):
        return "canceled"
    raise BadInput("status", word, "not a known state of an order", remedy="Check the row at its source.")


def _sizes(row: Row) -> tuple[Decimal, Decimal]:
    """(asked for, filled). Both may be zero: an order that closes a whole position states no size."""
    left, asked = rows.decimal(row, "sz"), rows.optional_decimal(row, "origSz")
    asked = left if asked is None else asked
    if not 0 <= left <= asked:
        raise BadInput("sz", left, f"not between 0 and the {asked} asked for", remedy="Check the row at its source.")
    with exact():
        return asked, asked - left


def _trigger(row: Row) -> Decimal | None:
    return rows.positive(row, "triggerPx") if rows.flag(row, "isTrigger", default=False) else None


def _order_type(row: Row) -> str:
    return (rows.optional_text(row, "orderType") or "limit").lower().replace(" ", "_")
