"""``trueup diff``: what changed between two moments, and by which events."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from trueup.cli.moments import moment_of, one_of, opened_at, whose
from trueup.cli.options import Account, Data, ExitCode, Json
from trueup.cli.output import Output

if TYPE_CHECKING:
    from trueup.engine.diff import ChangedBreak, ChangedOrder, Diff, Figure
    from trueup.engine.replay import Entry, Moment
    from trueup.engine.time_travel import AsOf
    from trueup.model.differences import Break
    from trueup.model.positions import OpenOrder

EVENTS_SHOWN = 20
"""Events listed unless all are asked for."""


def diff(
    ctx: typer.Context,
    *,
    start: Annotated[str, typer.Option("--from", metavar="A", help="The earlier moment: SEQ, TIME or now.")],
    end: Annotated[str, typer.Option("--to", metavar="B", help="The later moment: SEQ, TIME or now.")] = "now",
    account: Account = None,
    venue_time: Annotated[
        bool, typer.Option("--venue-time", help="The times are the venue's: what happened between, whenever learnt.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="List every event that made the difference.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Show what changed between two moments: positions, balances, open orders, breaks; and by which events.

    Before, after and the difference of each figure that is not what it was. What is listed as events is all that was
    recorded between (with --venue-time: all that happened between); nothing else moves a figure.

    Examples:
      trueup diff --from 1200 --to 1300 --account main
      trueup diff --from 2026-03-02T00:00:00Z --all
      trueup diff --from 2026-03-02T00:00:00Z --to 2026-03-03T00:00:00Z --venue-time --json
    """
    from trueup.engine import diff as engine

    out = Output(as_json=as_json)
    earlier, later = moment_of(start, "from", venue_time), moment_of(end, "to", venue_time)
    if venue_time:
        _refuse_seqs(earlier, later)
    limit = None if every else EVENTS_SHOWN
    with opened_at(ctx, data, out) as store:
        chosen = whose(store, account, earlier, later)
        with one_of(chosen):
            found = [engine.diff(store, each, earlier, later, limit) for each in chosen]
    if as_json:
        out.data([_shape(each) for each in found])
    else:
        for each in found:
            _show(each)
    return ExitCode.FINE


def _refuse_seqs(earlier: "Moment", later: "Moment") -> None:
    if earlier.venue_time is None or later.seq is not None:
        raise typer.BadParameter("--venue-time needs times: --from TIME, and --to TIME or now.")


# --- for programs -----------------------------------------------------------------------------------------------------


def _shape(found: "Diff") -> dict[str, object]:
    from trueup.cli.shapes import entry_shape, plain

    events = [entry_shape(found.account, entry) for entry in found.events]
    return {
        "account": found.account,
        "from": _moment_shape(found.before),
        "to": _moment_shape(found.after),
        "positions": [
            {
                "instrument": each.instrument,
                "position_side": each.position_side,
                "figures": [_figure_shape(figure) for figure in each.figures],
            }
            for each in found.positions
        ],
        "balances": [
            {"currency": each.currency, "figures": [_figure_shape(figure) for figure in each.figures]}
            for each in found.balances
        ],
        "orders": [plain(each) for each in found.orders],
        "breaks": [plain(each) for each in found.breaks],
        "events": events,
        "events_by_kind": dict(sorted(found.counts.items())),
        "events_not_listed": found.unlisted,
    }


def _moment_shape(then: "AsOf") -> dict[str, object]:
    from trueup.cli.shapes import plain_fields

    head = then.head
    return plain_fields(
        seq=head.seq,
        recorded_at=head.recorded_at if head.seq else None,
        hash=head.hash.hex(),
        venue_time=then.moment.venue_time,
        status=None if then.compared is None else then.compared.status,
    )


def _figure_shape(figure: "Figure") -> dict[str, object]:
    from trueup.cli.shapes import plain_fields

    return plain_fields(name=figure.name, before=figure.before, after=figure.after, delta=figure.delta)


# --- for people -------------------------------------------------------------------------------------------------------


def _show(found: "Diff") -> None:
    from trueup.cli import render

    render.show(f"{found.account} from {_when(found.before)} to {_when(found.after)}", "past")
    _show_figures("POSITION", [(_name(each.instrument, each.position_side), each.figures) for each in found.positions])
    _show_figures("BALANCE", [(each.currency, each.figures) for each in found.balances])
    _show_orders(found.orders)
    _show_breaks(found.breaks)
    _show_events(found)


def _when(then: "AsOf") -> str:
    from trueup.cli import render

    head = then.head
    if then.moment.venue_time is not None:
        return f"venue time {render.moment(then.moment.venue_time)}"
    return f"seq {head.seq} ({render.moment(head.recorded_at)})" if head.seq else "its beginning"


def _name(instrument: str, position_side: str) -> str:
    return instrument if position_side == "net" else f"{instrument}:{position_side}"


def _show_figures(head: str, changed: "Sequence[tuple[str, Sequence[Figure]]]") -> None:
    from trueup.cli import render

    columns = [render.text(head), render.text("FIGURE"), render.number("BEFORE"), render.number("AFTER")]
    columns += [render.number("CHANGE")]
    rows: list[list[render.Cell]] = [
        [
            name if not place else "",
            figure.name.replace("_", " "),
            _side(figure, figure.before),
            _side(figure, figure.after),
            "" if figure.delta is None else _signed(figure.delta),
        ]
        for name, figures in changed
        for place, figure in enumerate(figures)
    ]
    if rows:
        render.show_table(columns, rows)


def _side(figure: "Figure", value: Decimal | None) -> str:
    """A figure at one moment; an entry price that is not there is that of a flat position, or unknown."""
    from trueup.cli import render

    if value is None and figure.name == "entry_price":
        return render.NOTHING
    return render.figure(value)


def _signed(delta: Decimal) -> str:
    from trueup.cli import render

    words = render.figure(delta)
    return words if delta < 0 else f"+{words}"


def _show_orders(changed: "Sequence[ChangedOrder]") -> None:
    from trueup.cli import render

    columns = [render.text("ORDER"), render.text("INSTRUMENT"), render.text("BEFORE"), render.text("AFTER")]
    rows: list[list[render.Cell]] = [
        [
            each.venue_order_id,
            next(order.instrument for order in (each.after, each.before) if order is not None),
            _order(each.before),
            _order(each.after),
        ]
        for each in changed
    ]
    if rows:
        render.show_table(columns, rows)


def _order(order: "OpenOrder | None") -> str:
    from trueup.cli import render

    if order is None:
        return render.NOTHING
    return f"{order.side} {render.figure(order.filled)}/{render.figure(order.quantity)} {order.status}"


def _show_breaks(changed: "Sequence[ChangedBreak]") -> None:
    from trueup.cli import render

    columns = [render.text("BREAK"), render.text("ABOUT"), render.prose("BEFORE"), render.prose("AFTER")]
    rows: list[list[render.Cell]] = [
        [each.kind, each.subject, _break(each.before), _break(each.after)] for each in changed
    ]
    if rows:
        render.show_table(columns, rows)


def _break(found: "Break | None") -> str:
    from trueup.cli import render

    return render.NOTHING if found is None else f"{found.status}: {found.direction}"


def _show_events(found: "Diff") -> None:
    from trueup.cli import render

    columns = [render.number("SEQ"), render.text("KIND"), render.text("VENUE TIME"), render.text("ABOUT")]
    columns += [render.prose("ID")]
    rows = [_event_row(entry) for entry in found.events]
    if rows:
        render.show_table(columns, rows, title="By these events")
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(found.counts.items()))
    rest = f"; {found.unlisted} more, list them with --all" if found.unlisted else ""
    render.show(f"{sum(found.counts.values())} events ({kinds}){rest}" if kinds else "Nothing was recorded between.")


def _event_row(entry: "Entry") -> "list[str | int]":
    from trueup.cli import render
    from trueup.model.facts import fact_key, kind_of, position_key

    event = entry.event
    key, time = position_key(event), getattr(event, "venue_time", None)
    return [
        entry.seq,
        kind_of(event),
        "" if time is None else render.moment(time),
        _name(*key) if key is not None else getattr(event, "currency", ""),
        (fact_key(event) or "").partition("|")[2],
    ]
