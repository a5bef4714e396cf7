"""``trueup positions`` and ``trueup balances``: what is held, now or at any earlier moment.

Both come from the book, not from its views: the fold of the journal is the authority, it is at hand once a ledger is
open, and it gives the past by the same code as the present.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from trueup.cli.options import Account, AsOf, Data, ExitCode, Json, VenueTime
from trueup.cli.output import Output

if TYPE_CHECKING:
    from trueup.book.book import Book
    from trueup.engine.replay import Moment
    from trueup.engine.store import Store
    from trueup.model.positions import Balance, Position

Row = TypeVar("Row")


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
    gross; fees and funding stand apart. What rests on an unknown entry price is shown as unknown, never as zero.

    Examples:
      trueup positions --open
      trueup positions --account main --as-of 1200
      trueup positions --as-of 2026-03-02T12:00:00Z --venue-time --json
    """
    out = Output(as_json=as_json)
    found = list(_at(ctx, out, data, account, parse_moment(as_of, venue_time), lambda book: book.positions().values()))
    if only_open:
        found = [position for position in found if position.quantity]
    found.sort(key=lambda p: (not p.quantity, p.account, p.instrument.symbol, p.position_side))
    if as_json:
        from trueup.cli.shapes import position_shape

        out.data([position_shape(position) for position in found])
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
    found = list(_at(ctx, out, data, account, parse_moment(as_of, venue_time), lambda book: book.balances().values()))
    found.sort(key=lambda balance: (balance.account, balance.currency))
    if as_json:
        from trueup.cli.shapes import balance_shape

        out.data([balance_shape(balance) for balance in found])
    else:
        _show_balances(found)
    return ExitCode.FINE


def parse_moment(as_of: str | None, venue_time: bool) -> "Moment":
    """The moment that the options name.

    Raises:
        typer.BadParameter: ``--venue-time`` without a time.
        BadInput: Neither a seq nor a time.
    """
    from trueup.engine.replay import Moment
    from trueup.model.identifiers import Seq
    from trueup.model.times import parse_time

    if as_of is None or (as_of.isascii() and as_of.isdecimal()):
        if venue_time:
            raise typer.BadParameter("--venue-time needs --as-of TIME.")
        return Moment(seq=None if as_of is None else Seq(int(as_of)))
    time = parse_time(as_of, "as-of")
    return Moment(venue_time=time) if venue_time else Moment(recorded=time)


def books(store: "Store", account: str | None, moment: "Moment", out: Output) -> "Iterator[Book]":
    """The books of the chosen accounts at a moment.

    Raises:
        typer.BadParameter: A seq, without saying whose.
    """
    from trueup.cli.session import chosen_accounts
    from trueup.engine.replay import book_at

    chosen = chosen_accounts(store, account)
    if moment.seq is not None and len(chosen) > 1:
        raise typer.BadParameter(f"--as-of SEQ counts within one account: add --account, one of {', '.join(chosen)}.")
    for whose in chosen:
        with out.progress(whose) as progress:
            ledger = store.ledger(whose, lambda _account, seq, head: progress(seq, head))
        yield book_at(ledger, moment)


def _at(
    ctx: typer.Context,
    out: Output,
    data: Path | None,
    account: str | None,
    moment: "Moment",
    query: "Callable[[Book], Iterable[Row]]",
) -> Iterator[Row]:
    from trueup.cli.session import data_directory, opened

    with opened(data_directory(ctx, data), out) as store:
        for book in books(store, account, moment, out):
            yield from query(book)


def _show_positions(found: "Sequence[Position]") -> None:
    from trueup.cli import render

    columns = [render.text("ACCOUNT"), render.text("INSTRUMENT"), render.text("SIDE"), render.number("QUANTITY")]
    columns += [render.number("ENTRY"), render.number("REALIZED"), render.prose("FEES"), render.prose("FUNDING")]
    columns += [render.prose("STRATEGIES"), render.number("UNCONFIRMED")]
    one_account = len({p.account for p in found}) == 1
    netting = {p.position_side for p in found} <= {"net"}
    rows = [
        [
            "" if one_account else p.account,
            p.instrument.symbol,
            "" if netting else p.position_side,
            p.quantity,
            p.entry_price if p.quantity else render.NOTHING,
            f"{render.figure(None if p.realized_unknown else p.realized_pnl)} {p.instrument.settle}",
            render.amounts(p.fees),
            render.amounts(p.funding),
            _strategies(p),
            p.unconfirmed or "",
        ]
        for p in found
    ]
    render.show_table(columns, rows, title=found[0].account if one_account else "")
    held = sum(bool(position.quantity) for position in found)
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
