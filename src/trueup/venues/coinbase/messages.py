"""Messages of the venue's WebSocket: the user channel's orders and futures, and what its sequence numbers tell.

``sequence_num`` counts the messages of one connection over all its channels, so a number that is left out is a lost
message: what the channel said before then still holds, but nobody knows what is open. A connection begins at 0 again.
"""

from collections.abc import Mapping, Sequence

import msgspec

from trueup.book.orders import ENDED, as_open
from trueup.model.differences import VenuePosition, VenueSnapshot
from trueup.model.errors import BadInput
from trueup.model.events import OrderReported
from trueup.model.facts import order_key
from trueup.model.identifiers import PositionKey
from trueup.model.instruments import Instrument
from trueup.model.positions import OpenOrder
from trueup.ports import Reading, Refused
from trueup.venues import rows
from trueup.venues.coinbase import orders, state
from trueup.venues.coinbase.context import Context
from trueup.venues.files import merge_snapshots
from trueup.venues.rows import Row

SNAPSHOT_BATCH = 50
"""Orders of one snapshot event: a full one is followed by another."""

_LOST = "messages were lost"


class _Feed(msgspec.Struct):
    """What the messages of a file come to.

    Attributes:
        open: The newest report of each order that may still trade; None before a snapshot began.
        whole: Whether the snapshot has been read to its end, and nothing was lost since.
        continues: Whether the snapshot goes on in the next message.
        positions: None where no event listed any.
        lost: Messages missing, as ``4-6``.
        idle: Messages without anything of the account.
    """

    reports: list[OrderReported] = msgspec.field(default_factory=list)
    used: list[Instrument] = msgspec.field(default_factory=list)
    refused: list[Refused] = msgspec.field(default_factory=list)
    open: dict[str, OrderReported] | None = None
    whole: bool = False
    continues: bool = False
    positions: dict[PositionKey, VenuePosition] | None = None
    unmapped: dict[str, str] = msgspec.field(default_factory=dict)
    lost: list[str] = msgspec.field(default_factory=list)
    failed: dict[str, str] = msgspec.field(default_factory=dict)
    summary: Reading | None = None
    cut: int | None = None
    idle: int = 0
    rows: int = 0


def is_message(value: object) -> bool:
    """Whether a value is a message of the WebSocket."""
    return isinstance(value, dict) and "channel" in value and "events" in value


def read_messages(context: Context, messages: Sequence[tuple[int, object]]) -> Reading:
    """All messages of a file, in the order they came; those that cannot be read are refused one by one."""
    feed = _Feed()
    last: int | None = None
    for number, value in messages:
        feed.rows += 1
        try:
            row = rows.as_row(value)
            last = _sequence(feed, row, last)
            _message(context, feed, row)
        except BadInput as error:
            feed.refused.append(rows.refused(context.name, number, value, error))
            feed.failed["open_orders"] = "a message could not be read"
            feed.failed["positions"] = "a message could not be read"
    return _reading(context, feed)


def _sequence(feed: _Feed, row: Row, last: int | None) -> int:
    """Note what is missing between the last number and this one. A repeated or earlier one begins a new connection."""
    number = rows.integer(row, "sequence_num")
    if last is not None and number > last + 1:
        feed.lost.append(str(last + 1) if number == last + 2 else f"{last + 1}-{number - 1}")
    if last is not None and number != last + 1:
        feed.whole = feed.continues = False
    return number


def _message(context: Context, feed: _Feed, row: Row) -> None:
    channel, events = rows.text(row, "channel"), rows.records(row, "events")
    if channel == "futures_balance_summary":
        for event in events:
            feed.summary = state.read_summary(context, rows.record(rows.as_row(event), "fcm_balance_summary"))
        return
    if channel != "user":
        feed.idle += 1
        return
    time, sequence = rows.moment(row, "timestamp"), rows.integer(row, "sequence_num")
    for value in events:
        _event(context, feed, rows.as_row(value), time, sequence)
    feed.cut = time


def _event(context: Context, feed: _Feed, event: Row, time: int, sequence: int) -> None:
    begins = rows.text(event, "type") == "snapshot"
    listed = rows.records(event, "orders") if event.get("orders") is not None else []
    reports = []
    for item in listed:
        report, instrument = orders.pushed(context, rows.as_row(item), time, sequence)
        reports.append(report)
        feed.used.append(instrument)
    if begins:
        feed.open = feed.open if feed.continues else {}
        feed.continues = len(listed) >= SNAPSHOT_BATCH
        feed.whole = not feed.continues
        feed.failed.clear()
    else:
        feed.reports += reports
    if feed.open is not None:
        for report in reports:
            feed.open.pop(report.venue_order_id, None)
            if report.status not in ENDED:
                feed.open[report.venue_order_id] = report
    if event.get("positions") is not None:
        _positions(context, feed, rows.record(event, "positions"), begins=begins)


def _positions(context: Context, feed: _Feed, row: Row, *, begins: bool) -> None:
    """Futures that an event lists: all of them in a snapshot, those that changed in an update."""
    items = [
        item
        for field in ("expiring_futures_positions", "perpetual_futures_positions")
        for item in (rows.records(row, field) if row.get(field) is not None else [])
    ]
    positions, unmapped, refused = state.held(context, items)
    if refused:
        first = refused[0]
        raise BadInput(first.field, first.value, first.problem, remedy=first.remedy)
    if begins:
        feed.positions = {}
    feed.unmapped.update(unmapped)
    if feed.positions is None:
        return
    for item in items:
        product_id = rows.text(rows.as_row(item), "product_id")
        if product_id not in unmapped:
            feed.positions.pop((context.products.instrument(product_id).symbol, "net"), None)
    feed.positions.update(positions)


def _reading(context: Context, feed: _Feed) -> Reading:
    failed = dict(feed.failed)
    if feed.open is not None and not feed.whole:
        failed.setdefault("open_orders", _LOST if feed.lost else "the snapshot was not read to its end")
    if feed.positions is not None and not feed.whole:
        failed.setdefault("positions", _LOST)
    parts = [feed.summary.snapshot] if feed.summary is not None and feed.summary.snapshot is not None else []
    if feed.open is not None or feed.positions is not None:
        parts.append(
            VenueSnapshot(
                context.account,
                cut=feed.cut,
                positions=None if "positions" in failed else feed.positions,
                open_orders=_open(feed.open, failed),
                unmapped=feed.unmapped,
                failed=failed,
                position_scope=state.scope(context, feed.positions or {}),
                source=(context.name,),
            )
        )
    return Reading(
        "user channel",
        context.with_definitions(sorted(feed.reports, key=order_key), feed.used),
        feed.refused,
        merge_snapshots(parts) if parts else None,
        rows=feed.rows,
        note=_note(feed),
    )


def _open(reports: Mapping[str, OrderReported] | None, failed: Mapping[str, str]) -> Mapping[str, OpenOrder] | None:
    if reports is None or "open_orders" in failed:
        return None
    return {number: as_open(report) for number, report in reports.items()}


def _note(feed: _Feed) -> str:
    notes = []
    if feed.lost:
        notes.append(
            f"Messages were lost (sequence {', '.join(feed.lost)}): fetch the orders (orders/historical/batch)."
        )
    if feed.idle:
        notes.append(f"{feed.idle} messages held nothing to book.")
    return " ".join(notes)
