"""``trueup history`` and ``trueup explain``: how a position came to be what it is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from trueup.cli.moments import opened_at, parse_moment, say_when, standing
from trueup.cli.options import Account, AsOf, Data, ExitCode, Json, VenueTime
from trueup.cli.output import Output
from trueup.model.identifiers import EXTERNAL

if TYPE_CHECKING:
    from trueup.engine import time_travel
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
    as_of: AsOf = None,
    venue_time: VenueTime = False,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Show the closed round trips of an instrument.

    Each goes from flat to flat, or to a flip.

    Examples:
      trueup history BTC/USDC:USDC
      trueup history BTC --account main --fifo --json
      trueup history BTC --as-of 2026-03-02T12:00:00Z
    """
    from trueup.cli.shapes import plain
    from trueup.engine.explaining import fifo_lots, round_trips
    from trueup.engine.replay import NOW

    out = Output(as_json=as_json)
    moment = parse_moment(as_of, venue_time)
    cycles: list[tuple[Position, Cycle]] = []
    lots: list[tuple[Position, Lot]] = []
    with opened_at(ctx, data, out) as store:
        accounts = list(standing(store, account, moment, out))
        for position in _named(accounts, instrument):
            key, whose = (position.instrument.symbol, position.position_side), position.account
            closed = _closed_now(store, position) if moment == NOW else round_trips(store, whose, key, moment)
            cycles += [(position, cycle) for cycle in closed]
            if fifo:
                lots += [(position, lot) for lot in fifo_lots(store, whose, key, moment)]
    say_when(accounts, out)
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
    from trueup.engine import explaining
    from trueup.engine.replay import NOW
    from trueup.model.errors import NotFound

    out = Output(as_json=as_json)
    moment = parse_moment(as_of, venue_time)
    with opened_at(ctx, data, out) as store:
        found = _single(list(standing(store, None, NOW, out)), position)
        key = found.instrument.symbol, found.position_side
        (then,) = standing(store, found.account, moment, out)
        explanation = explaining.explain(store, found.account, key, moment)
    if explanation is None:
        raise NotFound(f"At that moment nothing had touched {position}.", remedy="Ask for a later one.")
    say_when([then], out)
    if as_json:
        from trueup.cli.shapes import plain, valued_shape

        out.data({"position": valued_shape(then, explanation.position), "rows": plain(explanation.rows)})
    else:
        _show_explanation(explanation)
    return ExitCode.FINE


def _closed_now(store: "Store", position: "Position") -> "Sequence[Cycle]":
    """The book forgets round trips that are final; the views keep them."""
    store.synced(position.account)
    closed = store.views.cycles(position.account, position.instrument.symbol)
    return [cycle for side, cycle in closed if side == position.position_side]


def _whose(position: "Position") -> "dict[str, str]":
    """Which position something belongs to."""
    return {
        "account": position.account,
        "instrument": position.instrument.symbol,
        "native_symbol": position.instrument.native_symbol,
        "position_side": position.position_side,
    }


def _named(accounts: "Sequence[time_travel.AsOf]", instrument: str) -> "Sequence[Position]":
    """The positions in an instrument, by our symbol or the venue's, or of a coin.

    Raises :class:`NotFound` when there are none.
    """
    every = [position for then in accounts for position in then.positions.values()]
    found = [p for p in every if instrument in _symbols(p)]
    found = found or [p for p in every if instrument == p.instrument.base]
    if not found:
        raise _not_found(instrument, every)
    return found


def _single(accounts: "Sequence[time_travel.AsOf]", name: str) -> "Position":
    """The one position of a name; where no instrument is called so, of a coin.

    Raises:
        NotFound: There is none.
        BadInput: There are several.
    """
    from trueup.model.errors import BadInput

    every = [position for then in accounts for position in then.positions.values()]
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
