"""``trueup assign``: whose the trades are that nobody ordered through us."""

from typing import TYPE_CHECKING, Annotated

import typer

from trueup.cli.break_steps import By
from trueup.cli.options import Data, ExitCode, Json
from trueup.cli.output import Output

if TYPE_CHECKING:
    from trueup.model.positions import Position

END = 2**63 - 1
"""For good: as late as a time can be."""


def assign(
    ctx: typer.Context,
    *,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="NAME or VENUE:NAME.")],
    instrument: Annotated[
        str, typer.Argument(metavar="INSTRUMENT", help="The symbol, as `trueup positions` shows it.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="STRATEGY", help="Whose they are.")],
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="Of the venue. Default: all.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Of the venue. Default: ever.")] = None,
    side: Annotated[str, typer.Option("--side", help="net, long or short.")] = "net",
    by: By,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Assign trades of one position that nobody ordered through us (`external`) to a strategy.

    Nothing is booked again: the position stays what it is, and its parts move. A trade of the same span that comes
    later is assigned as well. What was there before the first known trade stays external.

    Examples:
      trueup assign hyperliquid:main BTC/USDC:USDC --to trend
      trueup assign main EUR/USD --to hedge --since 2026-11-01 --until 2026-11-02T00:00:00Z
    """
    from trueup.cli.live import parse_moment_of
    from trueup.cli.session import chosen_accounts, opened, place
    from trueup.model.errors import NotFound
    from trueup.model.events import TradesAssigned

    out = Output(as_json=as_json)
    with opened(place(ctx, data), out) as store:
        (whose,) = chosen_accounts(store, account)
        ledger = store.ledger(whose)
        if ledger.read(lambda book: book.position(instrument, side)) is None:
            raise NotFound(f"{whose} never had {instrument} {side}.", remedy="See: trueup positions.")
        begin = 0 if since is None else parse_moment_of(since, "since")
        end = END if until is None else parse_moment_of(until, "until")
        said = TradesAssigned(whose, instrument, side, begin, end, to, by, store.clock.now())
        ledger.commit(lambda _: (said,))
        held = ledger.read(lambda book: book.position(instrument, side))
    if held is not None:
        _show(held, out)
    return ExitCode.FINE


def _show(held: "Position", out: Output) -> None:
    if out.as_json:
        from trueup.cli.shapes import plain

        out.data(plain(held))
        return
    from trueup.cli import render

    columns = [render.text("STRATEGY"), render.number("QUANTITY"), render.number("REALISED")]
    rows: list[list[render.Cell]] = [
        [strategy, part.quantity, part.realized_pnl] for strategy, part in sorted(held.by_strategy.items())
    ]
    render.show_table(columns, rows, title=f"{held.instrument.symbol} {held.position_side}")
