"""``trueup positions`` and ``trueup balances``: what is held, now or at any earlier moment.

Both come from the book, not from its views: the fold of the journal is the authority, it is at hand once a ledger is
open, and it gives the past by the same code as the present.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from trueup.cli.moments import opened_at, parse_moment, say_when, standing
from trueup.cli.options import Account, AsOf, Data, ExitCode, Json, VenueTime
from trueup.cli.output import Output

if TYPE_CHECKING:
    from trueup.engine import time_travel
    from trueup.model.positions import Balance, Position


def positions(
    ctx: typer.Context,
    *,
    account: Account = None,
    only_open: Annotated[bool, typer.Option("--open", help="Leave out positions that are flat.")] = False,
    as_of: AsOf = None,
    venue_time: VenueTime = False,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Show every position, open ones first.

    All that any fact ever touched are listed. Quantities are signed: long positive, short negative. Realised P&L is
    gross; fees and funding stand apart. Unrealised P&L is at the newest mark in the journal by then. What rests on an
    unknown price is shown as unknown, never as zero.

    Examples:
      trueup positions --open
      trueup positions --account main --as-of 1200
      trueup positions --as-of 2026-03-02T12:00:00Z --venue-time --json
    """
    out = Output(as_json=as_json)
    moment = parse_moment(as_of, venue_time)
    with opened_at(ctx, data, out) as store:
        accounts = list(standing(store, account, moment, out))
    found = [(then, position) for then in accounts for position in then.positions.values()]
    if only_open:
        found = [(then, position) for then, position in found if position.quantity]
    found.sort(key=lambda pair: (not pair[1].quantity, *_name(pair[1])))
    say_when(accounts, out)
    if as_json:
        from trueup.cli.shapes import valued_shape

        out.data([valued_shape(then, position) for then, position in found])
    else:
        _show_positions(found)
    return ExitCode.FINE


def balances(
    ctx: typer.Context,
    *,
    account: Account = None,
    as_of: AsOf = None,
    venue_time: VenueTime = False,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Show balances, split by where they came from.

    The parts add up to the total. While a close had an unknown entry price, the total is unknown.

    Examples:
      trueup balances
      trueup balances --account main --as-of 2026-03-02T12:00:00Z --json
    """
    out = Output(as_json=as_json)
    moment = parse_moment(as_of, venue_time)
    with opened_at(ctx, data, out) as store:
        accounts = list(standing(store, account, moment, out))
    found = [balance for then in accounts for balance in then.balances.values()]
    found.sort(key=lambda balance: (balance.account, balance.currency))
    say_when(accounts, out)
    if as_json:
        from trueup.cli.shapes import balance_shape

        out.data([balance_shape(balance) for balance in found])
    else:
        _show_balances(found)
    return ExitCode.FINE


def _name(position: "Position") -> tuple[str, str, str]:
    return position.account, position.instrument.symbol, position.position_side


def _show_positions(found: "Sequence[tuple[time_travel.AsOf, Position]]") -> None:
    from trueup.cli import render

    columns = [render.text("ACCOUNT"), render.text("INSTRUMENT"), render.text("SIDE"), render.number("QUANTITY")]
    columns += [render.number("ENTRY"), render.number("REALIZED"), render.number("UNREALIZED"), render.prose("FEES")]
    columns += [render.prose("FUNDING"), render.prose("STRATEGIES"), render.number("UNCONFIRMED")]
    one_account = len({p.account for _, p in found}) == 1
    netting = {p.position_side for _, p in found} <= {"net"}
    marked = any(then.marks for then, _ in found)
    rows = [
        [
            "" if one_account else p.account,
            p.instrument.symbol,
            "" if netting else p.position_side,
            p.quantity,
            p.entry_price if p.quantity else render.NOTHING,
            f"{render.figure(None if p.realized_unknown else p.realized_pnl)} {p.instrument.settle}",
            render.figure(then.unrealized_pnl(p)) if marked and p.quantity else "",
            render.amounts(p.fees),
            render.amounts(p.funding),
            _strategies(p),
            p.unconfirmed or "",
        ]
        for then, p in found
    ]
    render.show_table(columns, rows, title=found[0][1].account if one_account else "")
    held = sum(bool(position.quantity) for _, position in found)
    render.show(f"{held} open, {len(found) - held} flat")


def _strategies(position: "Position") -> str:
    """Whose the position is; nothing where all of it is external."""
    from trueup.cli import render

    parts = {name: part for name, part in sorted(position.by_strategy.items()) if part.quantity}
    if set(parts) <= {"external"}:
        return ""
    return ", ".join(f"{name} {render.figure(part.quantity)}" for name, part in parts.items())


def _show_balances(found: "Sequence[Balance]") -> None:
    from trueup.cli import render

    columns = [render.text("ACCOUNT"), render.text("CURRENCY")]
    names = ("TOTAL", "TRADED", "REALIZED", "FEES", "FUNDING", "TRANSFERS", "ADJUSTMENTS", "OPENING")
    columns += [render.prose(name) if name == "TRANSFERS" else render.number(name) for name in names]
    one_account = len({b.account for b in found}) == 1
    rows = [
        [
            "" if one_account else b.account,
            b.currency,
            b.total,
            b.traded or "",
            b.realized or "",
            b.fees or "",
            b.funding or "",
            ", ".join(f"{reason} {render.figure(amount)}" for reason, amount in b.transfers.items()),
            b.adjustments or "",
            b.opening or "",
        ]
        for b in found
    ]
    render.show_table(columns, rows, title=found[0].account if one_account else "")
