"""``trueup import``: saved answers of a venue, or its own history as it stands, into the book."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trueup.cli.options import (
    AccountName,
    Address,
    BackupTo,
    Config,
    Data,
    ExitCode,
    HomeCurrency,
    Instruments,
    Json,
    VenueName,
)
from trueup.cli.output import Output

if TYPE_CHECKING:
    from trueup.engine.importing import ImportReport
    from trueup.engine.reading import Source
    from trueup.ports import Refused

REFUSALS_SHOWN = 20
"""Refused rows listed for a person; all are kept in the journal."""

REFUSALS_TOLD = 1_000
"""Refused rows listed with --json."""

RARE = frozenset({"covered", "instruments"})
COUNTS = ("booked", "already", "covered", "quarantined", "refused", "instruments")


def import_files(
    ctx: typer.Context,
    *,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE…]", exists=True, dir_okay=False, help="Saved answers, in any order; none to ask the venue."
        ),
    ] = None,
    venue: VenueName = None,
    account: AccountName = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Look back to then as well; nothing pulled yet: begin there."),
    ] = None,
    config: Config = None,
    instruments: Instruments = None,
    home_currency: HomeCurrency = "",
    address: Address = "",
    backup_to: BackupTo,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Book what saved answers of a venue say or, without files, what the venue itself says now.

    Fills, fees, funding, transfers and orders are booked once, however often they are given. Every row ends in one
    of five ways: booked; already there; covered (an opening position for a time the book already knows);
    quarantined (it contradicts what is booked, or cannot be); refused (it could not be read). What was quarantined
    or refused is kept in the journal as it came, and makes the exit code 1. Files may be named in any order.

    Examples:
      trueup import fills.json funding.json --venue hyperliquid --account main
      trueup import account.json transactions-*.json --venue oanda --account fx
      trueup import trades.csv --instruments instruments.json --venue generic --account broker
      trueup import deposits.csv --venue generic --account coinbase:main
      trueup import --account hyperliquid:main
      trueup import --venue oanda --since 2026-11-01

    The venue is asked for an account that is set up in trueup.toml, from where the last pull ended; each page is
    booked in one commit with how far it reaches, so one that was cut off goes on where it was.

    States of an account (clearinghouseState, account, openPositions) are not booked: compare them with
    `trueup reconcile`.
    """
    from trueup.cli.live import account_set, pull_live, require_none, tell_pull
    from trueup.cli.session import Named, opened, place, read_sources, saved_account
    from trueup.engine.importing import import_sources
    from trueup.engine.reading import open_files

    out = Output(as_json=as_json)
    if not files:
        require_none("without files", instruments=instruments, home_currency=home_currency, address=address)
        chosen = account_set(config, venue, account)
        with opened(place(ctx, data), out, create=True, backup_to=backup_to) as store:
            pulled = pull_live(chosen, store, since, out)
        return tell_pull(out, pulled, REFUSALS_TOLD)
    require_none("with files", since=since, config=config)
    whose = saved_account(venue, account)
    terms, unusable_terms = open_files([] if instruments is None else [instruments])
    answers, unusable = open_files(files)
    with opened(place(ctx, data), out, create=True, backup_to=backup_to) as store:
        sources = read_sources(store, whose, [*terms, *answers], out, Named(venue, home_currency, address))
        _require_whole([*unusable_terms, *(source for source in sources if source.answer in terms)])
        with out.progress("booking") as progress:
            report = import_sources(store, whose, [*sources, *unusable], progress)
    if as_json:
        out.data(_shape(report))
    else:
        _show(report)
    return ExitCode.FINE if report.whole else ExitCode.DIFFERENCES


def _require_whole(sources: "Sequence[Source]") -> None:
    """With wrong contract details everything would be booked wrongly, so nothing is."""
    from trueup.model.errors import Malformed

    for source in sources:
        if source.error is not None:
            raise source.error
        for row in source.reading.refused:
            raise Malformed(f"{row.file}, row {row.row}: {row.field}={row.value!r}: {row.problem}.", remedy=row.remedy)


def _shape(report: "ImportReport") -> dict[str, object]:
    from trueup.cli.shapes import plain

    told = report.refusals[:REFUSALS_TOLD]
    return {
        "account": report.account,
        **{count: report.total(count) for count in COUNTS},
        "files_refused": sum(bool(file.problem) for file in report.files),
        "files": plain(report.files),
        "refusals": [_refusal_shape(row) for row in told],
        "refusals_not_listed": len(report.refusals) - len(told),
    }


def _refusal_shape(row: "Refused") -> dict[str, object]:
    return {name: getattr(row, name) for name in ("file", "row", "field", "value", "problem", "remedy")}


def _show(report: "ImportReport") -> None:
    from trueup.cli import render

    columns = [render.text("FILE"), render.text("KIND"), *(render.number(count.upper()) for count in COUNTS)]
    rows = [[file.name, file.kind, *_counts([getattr(file, count) for count in COUNTS])] for file in report.files]
    if len(rows) > 1:
        rows.append(["in all", "", *_counts([report.total(count) for count in COUNTS])])
    render.show_table(columns, rows, title=report.account)
    kinds: Counter[str] = Counter()
    for file in report.files:
        kinds.update(file.booked_kinds)
        if file.note:
            render.show(f"{file.name}: {file.note}")
    if kinds:
        render.show(f"Booked: {', '.join(f'{count} {kind}' for kind, count in kinds.most_common())}.")
    covered = [opening for file in report.files for opening in file.covered_openings]
    if covered:
        render.show(
            f"Not booked: the opening of {render.listed(covered)}; what is booked begins before it, "
            "so it would count twice."
        )
    refused = [file for file in report.files if file.problem]
    for file in refused:
        render.show(f"refused: {file.problem}", "fail")
    for remedy in dict.fromkeys(file.remedy for file in refused):
        render.show(f"  {remedy}")
    states = [file.name for file in report.files if file.state]
    if states:
        render.show(f"States are not booked, but compared with `trueup reconcile`: {', '.join(states)}.")
    _show_refusals(report.refusals)
    if report.total("quarantined"):
        render.show("Look at what was quarantined with `trueup journal show --kind quarantined`.", "warn")


def _counts(counts: Sequence[int]) -> list[int | str]:
    """The figures of a row; the rarer ones only where there is something."""
    return [count or ("" if name in RARE else 0) for name, count in zip(COUNTS, counts, strict=True)]


def _show_refusals(refusals: "Sequence[Refused]") -> None:
    from trueup.cli import render

    columns = [render.text("FILE"), render.number("ROW"), render.text("FIELD")]
    columns += [render.prose(name) for name in ("VALUE", "PROBLEM", "REMEDY")]
    listed = refusals[:REFUSALS_SHOWN]
    if listed:
        rows: list[list[render.Cell]] = [
            [row.file, row.row, row.field, row.value, row.problem, row.remedy] for row in listed
        ]
        render.show_table(columns, rows, title="Refused rows")
    if len(refusals) > len(listed):
        render.show(f"and {len(refusals) - len(listed)} more: `trueup journal show --kind quarantined` has them all.")
