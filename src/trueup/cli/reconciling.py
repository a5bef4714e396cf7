"""``trueup reconcile``: does the venue agree with the book?"""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trueup.cli.options import AccountName, Address, Config, Data, ExitCode, HomeCurrency, Json, VenueName
from trueup.cli.output import Output

if TYPE_CHECKING:
    from trueup.engine.reconciling import Reconciliation
    from trueup.engine.reconciling_live import Run
    from trueup.model.differences import Difference, Side3
    from trueup.model.events import Fact

MISSING_SHOWN = 20
"""Facts that the book lacks, listed for a person; with --json all are."""

_SECTIONS = {"positions": "POSITION", "balances": "BALANCE", "open_orders": "OPEN ORDER"}
_COMPARED = {"SYNCED", "DRIFT"}

CODES = {
    "SYNCED": ExitCode.FINE,
    "DRIFT": ExitCode.DIFFERENCES,
    "FAILED": ExitCode.UNKNOWN,
    "PENDING": ExitCode.UNKNOWN,
}


Snapshot = Annotated[
    list[Path] | None,
    typer.Option(
        "--snapshot",
        metavar="FILE…",
        exists=True,
        dir_okay=False,
        help="A saved state of the account; several may be given. Fills among them serve as evidence. "
        "Without: the venue is asked.",
    ),
]
More = Annotated[list[Path] | None, typer.Argument(metavar="[FILE…]", exists=True, dir_okay=False, help="More files.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Write nothing: show what differs, why, and what would be booked.")
]
Begin = Annotated[
    bool,
    typer.Option(
        "--begin",
        help="Begin here: book as openings what the venue states and its history does not tell. Once for an account.",
    ),
]
Watch = Annotated[
    bool, typer.Option("--watch", help="Go on: follow the venue, reconcile after trades, gaps and every minute.")
]


def reconcile(
    ctx: typer.Context,
    *,
    snapshot: Snapshot = None,
    venue: VenueName = None,
    account: AccountName = None,
    config: Config = None,
    dry_run: DryRun = False,
    begin: Begin = False,
    watch: Watch = False,
    more: More = None,
    home_currency: HomeCurrency = "",
    address: Address = "",
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Compare book, database and venue, and say where they differ.

    Without --snapshot the venue itself is asked: what its history has is booked first, as `trueup import` does, then
    its state now is compared. What differs is put down to its causes, and put right as far as `[corrections]` of the
    settings allow; `trueup breaks list` shows what is left for people. With --watch all accounts of the settings are
    kept so until you interrupt, or those that --venue and --account name.

    With --snapshot the venue's side is what its saved answers state, and no fact is booked. Fills or transactions among
    the files that the book lacks are named as evidence for a difference. The age of a saved state is counted from the
    newest fact booked: more than a minute older, and it cannot speak of what is booked now (STALE_SOURCE).

    The outcome is put on record in the journal, unless the newest one there says the same; `trueup breaks` shows it,
    now or as of any earlier moment.

    SYNCED (exit code 0): everything the files state agrees; what they do not state is NOT_COMPARED and listed. DRIFT
    (1): something differs. FAILED or PENDING (2): it could not be compared, which is not the same as flat.

    Examples:
      trueup reconcile --venue hyperliquid --account main --snapshot clearinghouse_state.json spot_state.json
      trueup reconcile --venue oanda --account fx --snapshot account.json --snapshot transactions.json --json
      trueup reconcile --account hyperliquid:main
      trueup reconcile --account hyperliquid:main --dry-run
      trueup reconcile --watch
    """
    from trueup.cli.live import require_none
    from trueup.cli.session import Named, chosen_accounts, opened, place, read_sources, saved_account
    from trueup.engine import reconciling
    from trueup.engine.reading import open_files

    out = Output(as_json=as_json)
    if not snapshot:
        require_none("without --snapshot", file=more, home_currency=home_currency, address=address)
        if watch:
            from trueup.cli.watching import keep_watch

            require_none("with --watch", dry_run=dry_run, begin=begin)
            return keep_watch(place(ctx, data), config, venue, account, out)
        return _reconcile_live(ctx, config, venue, account, data, out, dry=dry_run, begin=begin)
    require_none("with --snapshot", config=config, dry_run=dry_run, begin=begin, watch=watch)
    answers, unusable = open_files([*snapshot, *(more or [])])
    with opened(place(ctx, data), out) as store:
        (whose,) = chosen_accounts(store, saved_account(venue, account))
        sources = read_sources(store, whose, answers, out, Named(venue, home_currency, address))
        found = reconciling.reconcile(store, store.ledger(whose), [*sources, *unusable])
    return _tell(out, found)


def _reconcile_live(
    ctx: typer.Context,
    config: Path | None,
    venue: str | None,
    account: str | None,
    data: str | None,
    out: Output,
    *,
    dry: bool,
    begin: bool,
) -> int:
    from trueup.cli.live import account_set, reconcile_live
    from trueup.cli.run_shapes import shape_run, show_run
    from trueup.cli.session import opened, place
    from trueup.cli.session import settings as in_force

    chosen = account_set(config, venue, account)
    with opened(place(ctx, data), out, create=True) as store:
        found = reconcile_live(chosen, in_force(config).corrections, store, out, dry=dry, begin=begin)
    if out.as_json:
        out.data({**_shape(_told(found)), **shape_run(found, dry=dry)})
    else:
        _show(_told(found))
        show_run(found, dry=dry)
    return CODES[found.comparison.status]


def _told(found: "Run") -> "Reconciliation":
    """A run as any comparison is told."""
    from trueup.engine.reconciling import Reconciliation

    pulled = found.pulled
    notes = [f"{pulled.booked} facts were booked from the venue's history first."] if pulled.booked else []
    return Reconciliation(found.comparison, found.missing, pulled.refusals, [*notes, *pulled.warnings])


def _tell(out: Output, found: "Reconciliation") -> int:
    if out.as_json:
        out.data(_shape(found))
    else:
        _show(found)
    return CODES[found.comparison.status]


def _shape(found: "Reconciliation") -> dict[str, object]:
    from trueup.cli.shapes import plain

    shape: dict[str, object] = plain(found.comparison)
    shape["missing"] = [_missing_shape(fact) for fact in found.missing]
    shape["refused"] = [{key: value for key, value in plain(row).items() if key != "raw"} for row in found.refused]
    shape["notes"] = list(found.notes)
    return shape


def _missing_shape(fact: "Fact") -> dict[str, object]:
    from trueup.cli.shapes import plain
    from trueup.model.facts import fact_key, kind_of

    return {"kind": kind_of(fact), "id": (fact_key(fact) or "").partition("|")[2], "fields": plain(fact)}


def _show(found: "Reconciliation") -> None:
    from trueup.cli import render

    comparison = found.comparison
    render.show(comparison.account)
    for section, name in _SECTIONS.items():
        _show_rows(name, [row for row in comparison.rows if row.section == section])
    _show_differences(comparison.differences)
    _show_missing(found.missing)
    for row in found.refused:
        render.show(f"refused: {row.file}, row {row.row}: {row.field}={row.value!r}: {row.problem}", "warn")
    for note in found.notes:
        render.show(note)
    cut = f", as of {render.moment(comparison.cut)}" if comparison.cut is not None else ""
    rest = f"; not compared: {_grouped(comparison.not_compared)}" if comparison.not_compared else ""
    render.show(
        f"{comparison.status}: {comparison.compared} compared at seq {comparison.memory_seq}{cut}{rest}",
        comparison.status,
    )


def _show_rows(name: str, rows: "Sequence[Side3]") -> None:
    """One part of the three-way table. The book is memory; its database shows where it says something else."""
    from trueup.cli import render

    columns = [render.text(name), render.text("STATUS"), render.number("BOOK"), render.number("DATABASE")]
    columns += [render.number("VENUE"), render.prose("WHY")]
    cells: list[list[render.Cell]] = [
        [
            row.subject,
            row.status.value,
            _side(row, row.memory),
            "" if row.database == row.memory else _side(row, row.database),
            _venue(row),
            ", ".join(row.kinds),
        ]
        for row in rows
    ]
    if cells:
        render.show_table(columns, cells)


def _side(row: "Side3", shown: str | None) -> str:
    from trueup.cli import render

    if shown is None or row.section == "open_orders":
        return shown or render.NOTHING
    return render.figure(Decimal(shown))


def _venue(row: "Side3") -> str:
    """What the venue says; a spot position that it does not state was compared as the balance that it is."""
    as_balance = row.section == "positions" and row.venue is None and row.status.value in _COMPARED
    return "as balance" if as_balance else _side(row, row.venue)


def _grouped(names: "Sequence[str]") -> str:
    """What was not compared, the same thing of several in one: ``leverage of A, B``."""
    from trueup.cli import render

    groups: dict[str, list[str]] = {}
    for name in names:
        what, _, which = name.replace("_", " ").partition(" of ")
        groups.setdefault(what, []).extend([which] if which else [])
    return "; ".join(f"{what} of {render.listed(which)}" if which else what for what, which in groups.items())


def _show_differences(differences: "Sequence[Difference]") -> None:
    from trueup.cli import render

    columns = [render.text("KIND"), render.text("SEVERITY"), render.text("ABOUT"), render.number("DIFFERENCE")]
    columns += [render.prose("IN WORDS"), render.prose("EVIDENCE")]
    rows = [
        [
            found.kind.value,
            found.severity.name,
            found.subject,
            "" if found.difference is None else found.difference,
            found.direction,
            render.listed(found.evidence),
        ]
        for found in sorted(differences, key=lambda difference: -difference.severity)
    ]
    if rows:
        render.show_table(columns, rows, title="Differences (theirs less ours)")


def _show_missing(missing: "Sequence[Fact]") -> None:
    from trueup.cli import render

    if not missing:
        return
    columns = [render.text("KIND"), render.text("ID"), render.text("INSTRUMENT"), render.text("VENUE TIME")]
    shapes = [_missing_shape(fact) for fact in missing[:MISSING_SHOWN]]
    rows = [
        [
            str(shape["kind"]),
            str(shape["id"]),
            getattr(fact, "instrument", ""),
            render.moment(getattr(fact, "venue_time", None)),
        ]
        for shape, fact in zip(shapes, missing, strict=False)
    ]
    render.show_table(columns, rows, title="At the venue, not in the book (import them to book them)")
    if len(missing) > MISSING_SHOWN:
        render.show(f"and {len(missing) - MISSING_SHOWN} more")
