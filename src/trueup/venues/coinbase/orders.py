"""Orders: the rows of ``orders/historical`` and of the user channel, which carry one order's newest state.

An order that states its size in quote currency (a market order to spend 100 USD) has no quantity until it ended; as far
as it got is then its quantity. REST gives no time of a cancellation: a report stands at the last time that is stated.
"""

import re
from collections.abc import Sequence
from decimal import Decimal

from trueup.book.orders import ENDED, as_open
from trueup.model.differences import VenueSnapshot
from trueup.model.errors import BadInput
from trueup.model.events import OrderReported
from trueup.model.facts import order_key
from trueup.model.identifiers import Side
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO, canonical, exact
from trueup.ports import Reading, Refused
from trueup.venues import rows
from trueup.venues.coinbase.context import SIDES, Context
from trueup.venues.rows import Row

_STATUS = {
    "PENDING": "open",
    "OPEN": "open",
    "QUEUED": "open",
    "CANCEL_QUEUED": "open",
    "EDIT_QUEUED": "open",
    "FILLED": "filled",
    "CANCELLED": "canceled",
    "EXPIRED": "expired",
    "FAILED": "rejected",
}
_TIMES = ("created_time", "last_fill_time", "last_update_time")
_ACCEPTED = "replace_accept_timestamp"
_KIND = re.compile(r"(market|limit|sor_limit|stop_limit|trigger_bracket|twap|scaled)(_[a-z_]+)?", re.ASCII)


def read_listed(context: Context, answer: Row) -> Reading:
    """A page of ``orders/historical/batch``.

    Where it is the whole list and none has ended it is the list of open orders, to compare with; else its rows are
    reports, to book.
    """
    items = rows.records(answer, "orders")
    reports, used, refused = read_reports(context, items)
    more = rows.flag(answer, "has_next", default=False)
    if not items:
        return Reading("orders", note="an empty list does not say which orders were asked for: nothing to compare")
    if any(report.status in ENDED for report in reports) or more:
        facts = context.with_definitions(reports, used)
        return Reading("orders", facts, refused, rows=len(items), note="the list goes on" if more else "")
    return Reading("open orders", refused=refused, snapshot=snapshot(context, reports, refused), rows=len(items))


def read_reports(
    context: Context, items: Sequence[object]
) -> tuple[Sequence[OrderReported], Sequence[Instrument], Sequence[Refused]]:
    """The state of each order, the instruments they name, and the rows that were refused."""
    used: dict[str, Instrument] = {}

    def read(row: Row) -> OrderReported:
        instrument = context.products.instrument(rows.text(row, "product_id"))
        report = _listed(context, row, instrument)
        used[instrument.symbol] = instrument
        return report

    reports, refused = rows.read_each(context.name, items, read)
    return sorted(reports, key=lambda report: (order_key(report), str(report))), list(used.values()), refused


def pushed(context: Context, row: Row, time: int, sequence: int) -> tuple[OrderReported, Instrument]:
    """The state of an order as the user channel sends it, true when the message was made. Raises :class:`BadInput`."""
    instrument = context.products.instrument(rows.text(row, "product_id"))
    with exact():
        filled, left = _size(row, "cumulative_quantity"), _size(row, "leaves_quantity")
        status = _status(row, filled)
        quantity = filled if status == "filled" else filled + left
    kind = rows.optional_text(row, "order_type").lower().replace(" ", "_") or "limit"
    report = _report(
        context,
        row,
        instrument,
        side=rows.one_of(row, "order_side", SIDES),
        sizes=(quantity, filled),
        status=status,
        time=(time, sequence),
        prices=(_price(row, "limit_price"), _price(row, "stop_price")),
        order_type=kind,
    )
    return report, instrument


def snapshot(
    context: Context, reports: Sequence[OrderReported], refused: Sequence[Refused], cut: int | None = None
) -> VenueSnapshot:
    """The open orders; one that cannot be read fails them all."""
    return VenueSnapshot(
        context.account,
        cut=cut,
        open_orders=None if refused else {report.venue_order_id: as_open(report) for report in reports},
        failed={"open_orders": "a row of it could not be read"} if refused else {},
        source=(context.name,),
    )


def _listed(context: Context, row: Row, instrument: Instrument) -> OrderReported:
    kind, terms = _configuration(row)
    with exact():
        filled = _size(row, "filled_size")
        status = _status(row, filled)
    asked = edited(row, "size") or rows.optional_decimal(terms, "base_size")
    trigger = _price(terms, "stop_price") or _price(terms, "stop_trigger_price")
    return _report(
        context,
        row,
        instrument,
        side=rows.one_of(row, "side", SIDES),
        sizes=(filled if asked is None else asked, filled),
        status=status,
        time=(_newest_time(row), 0),
        prices=(edited(row, "price") or _price(terms, "limit_price"), trigger),
        order_type=kind,
        edition=max((str(rows.moment(rows.as_row(edit), _ACCEPTED)) for edit in _edits(row)), default=""),
    )


def edited(row: Row, field: str) -> Decimal | None:
    """What the newest change of an order made of its price or size; None where none is told. Raises :class:`BadInput`.

    The venue tells the newest five changes.
    """
    edits = [rows.as_row(edit, "edit_history") for edit in _edits(row)]
    stated = [(rows.moment(edit, _ACCEPTED), rows.positive(edit, field)) for edit in edits if edit.get(field)]
    return max(stated)[1] if stated else None


def _configuration(row: Row) -> tuple[str, Row]:
    """The order's kind and terms: the only one of the configurations an order can have."""
    configuration = rows.record(row, "order_configuration")
    if len(configuration) != 1:
        raise BadInput(
            "order_configuration",
            rows.shown(", ".join(configuration)),
            "not exactly one configuration",
            remedy="Check the row at its source: an order has one.",
        )
    ((kind, terms),) = configuration.items()
    match = _KIND.match(kind)
    return (match.group(1) if match else kind), rows.as_row(terms, kind)


def _report(
    context: Context,
    row: Row,
    instrument: Instrument,
    *,
    side: Side,
    sizes: tuple[Decimal, Decimal],
    status: str,
    time: tuple[int, int],
    prices: tuple[Decimal | None, Decimal | None],
    order_type: str,
    edition: str = "",
) -> OrderReported:
    """A report; ``edition`` tells terms apart from the same ones before a change that was taken back."""
    quantity, filled = sizes
    if filled > quantity:
        raise BadInput("filled_size", canonical(filled), f"more than the order's {canonical(quantity)}", remedy=_CHECK)
    order_id, (price, trigger) = rows.identifier(row, "order_id"), prices
    terms = (
        status,
        *(canonical(number) if number is not None else "" for number in (quantity, filled, price, trigger)),
        *([edition] if edition else []),
    )
    return OrderReported(
        account=context.account,
        instrument=instrument.symbol,
        side=side,
        quantity=quantity,
        filled=filled,
        status=status,
        venue_order_id=order_id,
        venue_time=time[0],
        report_id=":".join((order_id, *terms)),
        client_order_id=rows.optional_text(row, "client_order_id"),
        price=price,
        trigger_price=trigger,
        order_type=order_type,
        venue_sequence=time[1],
    )


_CHECK = "Check the row at its source."


def _status(row: Row, filled: Decimal) -> str:
    status = rows.one_of(row, "status", _STATUS)
    return "partially_filled" if status == "open" and filled else status


def _size(row: Row, field: str) -> Decimal:
    """A quantity that may be zero, and is where the field is empty or missing."""
    size = rows.optional_decimal(row, field) or ZERO
    if size < 0:
        raise BadInput(field, canonical(size), "less than zero", remedy=_CHECK)
    return size


def _price(row: Row, field: str) -> Decimal | None:
    """A price; the venue also writes 0 for none."""
    return rows.optional_decimal(row, field) or None


def _edits(row: Row) -> Sequence[object]:
    return rows.records(row, "edit_history") if row.get("edit_history") else []


def _newest_time(row: Row) -> int:
    """The last time that an order states: when it was made, filled or changed."""
    times = [rows.moment(row, field) for field in _TIMES if row.get(field)]
    times += [rows.moment(rows.as_row(edit, "edit_history"), _ACCEPTED) for edit in _edits(row)]
    if not times:
        raise BadInput("created_time", "", "missing", remedy="Save the whole answer as the venue gave it.")
    return max(times)
