"""``trueup allocation``: what is held of each asset over all venues, and each venue's share against its target."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from trueup.cli.options import Config, Data, ExitCode, Json
from trueup.cli.output import Output

if TYPE_CHECKING:
    from trueup.engine.allocating import Checked
    from trueup.engine.store import Store
    from trueup.model.events import AllocationChecked
    from trueup.reconcile.across import Total
    from trueup.settings import AccountSettings, Settings

_TOLD = {True: "yes", False: "NO", None: "unknown"}


def allocation(
    ctx: typer.Context,
    *,
    value: Annotated[
        str | None,
        typer.Option("--value", metavar="AMOUNT", help="Of the whole portfolio. Default: balances and open profits."),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no venue: with the newest marks in the journal, whatever their age.")
    ] = False,
    past: Annotated[bool, typer.Option("--history", help="Show the shares of every check on record instead.")] = False,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Show what is held of each asset over all venues, net and gross, and hold each venue's share against its target.

    One asset counts once, however venues call and quote it (`[assets]` of the settings); what no table names is listed
    by itself and added to nothing. Marks are asked from the venues and kept in the journal, as is the outcome.

    Exit code 1: a share is off by 5 % of the portfolio or more: rebalance needed. 2: something is not known.

    Examples:
      trueup allocation
      trueup allocation --value 250000 --json
      trueup allocation --history
    """
    from trueup.cli.session import opened, place, settings
    from trueup.engine.allocating import check, drift_history, held, put_on_record
    from trueup.model.assets import DEFAULT_ASSETS

    out = Output(as_json=as_json)
    in_force = settings(config)
    with opened(place(ctx, data), out) as store:
        if past:
            _show_history(list(drift_history(store)), out)
            return ExitCode.FINE
        if not offline:
            _sample_marks(store, in_force, out)
        checked = check(
            held(store, store.accounts()),
            DEFAULT_ASSETS.with_names(in_force.assets),
            {_pair(name): rate for name, rate in in_force.rates.items()},
            reporting=in_force.reporting_currency,
            targets=in_force.allocation,
            portfolio_value=None if value is None else _amount(value),
        )
        if checked.allocation is not None:
            put_on_record(store, checked)
    if as_json:
        out.data(_shape(checked))
    else:
        _show(checked)
    return _code(checked)


def _code(checked: "Checked") -> ExitCode:
    if checked.allocation is None or any(one.actual is None for one in checked.allocation.shares):
        return ExitCode.UNKNOWN
    return ExitCode.DIFFERENCES if checked.allocation.rebalance else ExitCode.FINE


def _amount(text: str) -> Decimal:
    from trueup.model.numbers import parse_decimal

    return parse_decimal(text, "value")


def _pair(name: str) -> tuple[str, str]:
    base, _, quote = name.partition("/")
    return base, quote


def _sample_marks(store: "Store", settings: "Settings", out: Output) -> None:
    """Ask venues for the marks of what is held there; one that does not answer leaves the marks it has."""
    from trueup.model.errors import TrueupError

    known = set(store.accounts())
    for name, account in settings.accounts.items():
        if name not in known:
            continue
        try:
            asyncio.run(_sampled(store, account))
        except TrueupError as error:
            out.note(f"{name}: {error.message}")


async def _sampled(store: "Store", account: "AccountSettings") -> None:
    from trueup.cli.live import connected, hints
    from trueup.engine.allocating import sample_marks

    async with connected(account, hints(store, account)) as venue:
        await sample_marks(store, account.account, venue)


def _shape(checked: "Checked") -> dict[str, object]:
    from trueup.cli.shapes import plain, plain_fields

    found = checked.allocation
    shares = [] if found is None else found.shares
    return plain_fields(
        reporting=checked.across.reporting,
        table=checked.across.table,
        assets={name: plain(total) for name, total in checked.across.assets.items()},
        unmapped=[plain(leg) for leg in checked.across.unmapped],
        portfolio_value=None if found is None else found.portfolio_value,
        unknown=checked.unknown,
        shares=[{**plain(one), "within_tolerance": one.within_tolerance} for one in shares],
        rebalance=[] if found is None else found.rebalance,
    )


def _show(checked: "Checked") -> None:
    from trueup.cli import render

    currency = checked.across.reporting
    columns = [render.text("ASSET"), render.number("NET"), render.number("GROSS")]
    columns += [render.number(f"NET {currency}"), render.number(f"GROSS {currency}"), render.prose("HELD IN")]
    render.show_table(columns, [_row(total) for total in checked.across.assets.values()])
    if checked.across.unmapped:
        names = [f"{leg.instrument} in {leg.account}" for leg in checked.across.unmapped]
        render.show(f"Of no asset that is known, and added to nothing: {render.listed(names)}.", "warn")
    found = checked.allocation
    if found is None:
        render.show(f"No shares: unknown are {render.listed(checked.unknown)}. Give --value.", "warn")
        return
    columns = [render.text("VENUE"), render.number("TARGET"), render.number("SHARE"), render.number("DRIFT")]
    rows: list[list[render.Cell]] = [
        [one.venue, one.target, one.actual, one.drift, _TOLD[one.within_tolerance]] for one in found.shares
    ]
    render.show_table([*columns, render.text("WITHIN")], rows)
    render.show(f"The portfolio is worth {render.figure(found.portfolio_value)} {currency}.")
    if found.rebalance:
        render.show(f"Rebalance needed: {render.listed(found.rebalance)}.", "warn")


def _row(total: "Total") -> "list[str | Decimal | int | None]":
    where = sorted({leg.account for leg in total.legs})
    return [total.asset, total.net, total.gross, total.net_worth, total.gross_worth, ", ".join(where)]


def _show_history(checks: "Sequence[AllocationChecked]", out: Output) -> None:
    if out.as_json:
        from trueup.cli.shapes import plain

        out.data([plain(check) for check in checks])
        return
    from trueup.cli import render

    columns = [render.text("TIME"), render.text("VENUE"), render.number("TARGET"), render.number("SHARE")]
    columns += [render.number("PORTFOLIO")]
    rows: list[list[render.Cell]] = [
        [render.moment(check.at), share.venue, share.target, share.actual, check.portfolio_value]
        for check in checks
        for share in check.shares
    ]
    render.show_table(columns, rows)
