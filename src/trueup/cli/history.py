"""``trueup history`` and ``trueup explain``: how a position came to be what it is."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from trueup.cli.options import Account, AsOf, Data, ExitCode, Json, VenueTime
from trueup.cli.output import Output
from trueup.model.identifiers import EXTERNAL

if TYPE_CHECKING:
    from trueup.engine.explaining import Explanation
    from trueup.engine.store import Store
    from trueup.model.errors import NotFound
    from trueup.model.positions import Cycle, Lot, Position

_SYMBOLS_SHOWN = 20


def history(
    ctx: typer.Context,
    *,
    instrument: Annotated[str, typer.Argument(metavar="INSTRUMENT", help="Our symbol for it, or the venue's.")],
    account: Account = None,
    fifo: Annotated[bool, typer.Option("--fifo", help="Show also what is open as lots, first in, first out.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Show the closed round trips of an instrument.

    Each goes from flat to flat, or to a flip.

    Examples:
      trueup history BTC/USDC:USDC
      trueup history BTC --account main --fifo --json
    """
    from trueup.cli.session import data_directory, opened
    from trueup.cli.shapes import plain
    from trueup.engine.explaining import fifo_lots

    out = Output(as_json=as_json)
    cycles: list[tuple[Position, Cycle]] = []
    lots: list[tuple[Position, Lot]] = []
    with opened(data_directory(ctx, data), out) as store:
        for position in _named(store, instrument, account, out):
            key = position.instrument.symbol, position.position_side
            store.synced(position.account)  # the book forgets round trips that are final; the views keep them
            closed = store.views.cycles(position.account, key[0])
            cycles += [(position, cycle) for side, cycle in closed if side == key[1]]
            if fifo:
                lots += [(position, lot) for lot in fifo_lots(store.ledger(position.account), key)]
    if as_json:
        closed_shapes = [_whose(position) | plain(cycle) for position, cycle in cycles]
        lot_shapes = [_whose(position) | plain(lot) for position, lot in lots]
        out.data({"cycles": closed_shapes, "lots": lot_shapes if fifo else None})
    else:
        _show_cycles(cycles)
        if fifo:
            _show_lots(lots)
    return ExitCode.FINE


def explain(
    ctx: typer.Context,
    *,
    position: Annotated[
        str,
        typer.Argument(metavar="POSITION", help="INSTRUMENT, or ACCOUNT/INSTRUMENT, or either with :long or :short."),
    ],
    as_of: AsOf = None,
    venue_time: VenueTime = False,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Show the journal rows beneath a position.

    They are its facts in venue order, each with what stood after it. The last row's figures are those of the
    position. A sequence number leads to the event itself (`trueup journal show`).

    Examples:
      trueup explain BTC/USDC:USDC
      trueup explain hyperliquid:main/BTC/USDC:USDC --json
      trueup explain oanda:fx/EUR_USD:long --as-of 2026-03-02T12:00:00Z --venue-time
    """
    from trueup.cli.positions import parse_moment
    from trueup.cli.session import data_directory, opened
    from trueup.engine import explaining
    from trueup.model.errors import NotFound

    out = Output(as_json=as_json)
    moment = parse_moment(as_of, venue_time)
    with opened(data_directory(ctx, data), out) as store:
        found = _single(store, position, out)
        key = found.instrument.symbol, found.position_side
        explanation = explaining.explain(store.ledger(found.account), key, moment)
    if explanation is None:
        raise NotFound(f"At that moment nothing had touched {position}.", remedy="Ask for a later one.")
    if as_json:
        from trueup.cli.shapes import plain, position_shape

        out.data({"position": position_shape(explanation.position), "rows": plain(explanation.rows)})
    else:
        _show_explanation(explanation)
    return ExitCode.FINE


def _whose(position: "Position") -> "dict[str, str]":
    """Which position something belongs to."""
    return {
        "account": position.account,
        "instrument": position.instrument.symbol,
        "native_symbol": position.instrument.native_symbol,
        "position_side": position.position_side,
    }


def _positions(store: "Store", account: str | None, out: Output) -> "Iterator[Position]":
    """Every position there is, of the chosen accounts."""
    from trueup.cli.positions import books
    from trueup.engine.replay import NOW

    for book in books(store, account, NOW, out):
        yield from book.positions().values()


def _named(store: "Store", instrument: str, account: str | None, out: Output) -> "Sequence[Position]":
    """The positions in an instrument, by our symbol or the venue's, or of a coin.

    Raises :class:`NotFound` when there are none.
    """
    every = list(_positions(store, account, out))
    found = [p for p in every if instrument in _symbols(p)]
    found = found or [p for p in every if instrument == p.instrument.base]
    if not found:
        raise _not_found(instrument, every)
    return found


def _single(store: "Store", name: str, out: Output) -> "Position":
    """The one position of a name; where no instrument is called so, of a coin.

    Raises:
        NotFound: There is none.
        BadInput: There are several.
    """
    from trueup.model.errors import BadInput

    every = list(_positions(store, None, out))
    found = [position for position in every if name in _names(position, *_symbols(position))]
    found = found or [position for position in every if name in _names(position, position.instrument.base)]
    if not found:
        raise _not_found(name, every)
    if len(found) > 1:
        which = ", ".join(_full_name(position) for position in found)
        raise BadInput("position", name, "several positions have this name", remedy=f"Name one: {which}.")
    return found[0]


def _symbols(position: "Position") -> tuple[str, str]:
    return position.instrument.symbol, position.instrument.native_symbol


def _names(position: "Position", *symbols: str) -> set[str]:
    """Every way to write a position: with or without its account (and that one's venue), and its side."""
    accounts = ("", f"{position.account}/", f"{position.account.partition(':')[2]}/")
    sides = ("", f":{position.position_side}")
    return {account + symbol + side for account in accounts for symbol in symbols for side in sides}


def _full_name(position: "Position") -> str:
    return f"{position.account}/{position.instrument.symbol}:{position.position_side}"


def _not_found(name: str, every: "Sequence[Position]") -> "NotFound":
    from trueup.model.errors import NotFound

    have = ", ".join(sorted({position.instrument.symbol for position in every})[:_SYMBOLS_SHOWN])
    return NotFound(
        f"No position is called {name!r}.", remedy=f"There are: {have}." if have else "Import something first."
    )


def _show_cycles(cycles: "Sequence[tuple[Position, Cycle]]") -> None:
    from trueup.cli import render

    columns = [render.text("ACCOUNT"), render.text("INSTRUMENT"), render.number("NO"), render.text("SIDE")]
    columns += [render.number("QUANTITY"), render.text("OPENED"), render.text("CLOSED"), render.number("REALIZED")]
    columns += [render.prose("FEES"), render.prose("FUNDING")]
    rows: list[list[render.Cell]] = [
        [
            position.account,
            position.instrument.symbol,
            cycle.number,
            cycle.side,
            cycle.quantity,
            render.moment(cycle.opened_at),
            render.moment(cycle.closed_at),
            f"{render.figure(cycle.realized_pnl)} {position.instrument.settle}",
            render.amounts(cycle.fees),
            render.amounts(cycle.funding),
        ]
        for position, cycle in cycles
    ]
    render.show_table(columns, rows)
    render.show(f"{len(cycles)} closed")


def _show_lots(lots: "Sequence[tuple[Position, Lot]]") -> None:
    from trueup.cli import render

    columns = [render.text("ACCOUNT"), render.text("INSTRUMENT"), render.text("OPENED"), render.number("QUANTITY")]
    columns += [render.number("COST"), render.text("FROM")]
    rows: list[list[render.Cell]] = [
        [
            position.account,
            position.instrument.symbol,
            render.moment(lot.opened_at),
            lot.quantity,
            f"{render.figure(lot.cost)} {position.instrument.settle}",
            lot.source.replace("|", " ", 1),
        ]
        for position, lot in lots
    ]
    render.show_table(columns, rows, title="Open lots, first in, first out")


def _show_explanation(explanation: "Explanation") -> None:
    from trueup.cli import render

    position = explanation.position
    columns = [render.number("SEQ"), render.text("VENUE TIME"), render.text("KIND"), render.text("ID")]
    columns += [render.text("STRATEGY"), render.number("CHANGE"), render.number("PRICE"), render.number("FEE")]
    columns += [render.number("FUNDING"), render.number("QUANTITY"), render.number("COST"), render.number("REALIZED")]
    rows: list[list[render.Cell]] = [
        [
            row.seq,
            render.moment(row.venue_time),
            row.kind,
            row.id,
            "" if row.strategy == EXTERNAL else row.strategy,
            row.quantity or "",
            "" if row.price is None else row.price,
            "" if row.fee is None else f"{render.figure(row.fee)} {row.fee_currency}",
            "" if row.amount is None else f"{render.figure(row.amount)} {row.currency}",
            row.quantity_after,
            row.cost_after,
            row.realized_pnl_after,
        ]
        for row in explanation.rows
    ]
    render.show_table(columns, rows, title=_full_name(position))
    entry = (
        "flat"
        if not position.quantity
        else f"{render.figure(position.quantity)} at {render.figure(position.entry_price)}"
    )
    realized = render.figure(None if position.realized_unknown else position.realized_pnl)
    render.show(
        f"{entry}; realised {realized} {position.instrument.settle}; fees {render.amounts(position.fees) or 'none'}"
    )
