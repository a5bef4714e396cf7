"""``trueup report``: the attestation of a day, for machines, for people and for an auditor."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trueup.cli.break_steps import By
from trueup.cli.options import Account, Data, ExitCode
from trueup.cli.output import Output, write

if TYPE_CHECKING:
    from trueup.engine.attesting import Issued
    from trueup.reconcile.attestation import Attestation


class Format(StrEnum):
    """How a report is written."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"
    PDF = "pdf"
    CSV = "csv"


def report(
    ctx: typer.Context,
    *,
    date: Annotated[str, typer.Option("--date", metavar="DAY", help="The day in UTC, such as 2026-11-21.")],
    account: Account = None,
    form: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.TEXT,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Where to; default: standard output.")] = None,
    by: By,
    data: Data = None,
) -> int:
    """Attest one day: what was compared with what, what differed, what was done about it, and what was not seen.

    The report follows from the journal alone. Asked for again it is made again, and its digest must be the one that
    was issued; each names the digest of the one before. A day that is not over is shown and not issued.

    Exit code 1: breaks stood at the end of the day. 2: the report is not the one that was issued.

    Examples:
      trueup report --date 2026-11-21
      trueup report --date 2026-11-21 --account main --format html --to report.html
      trueup report --date 2026-11-21 --format pdf --to report.pdf
    """
    from trueup.cli.session import chosen_accounts, opened, place
    from trueup.engine.attesting import report_of

    out = Output(as_json=form is Format.JSON)
    with opened(place(ctx, data), out) as store:
        found = [report_of(store, whose, date, signer=by) for whose in chosen_accounts(store, account)]
    for issued in found:
        _tell(issued, out)
    reports = [issued.report for issued in found]
    if form is Format.PDF:
        _print(reports, to)
    elif to is None:
        write(_written(form)(reports))
    else:
        to.write_text(_written(form)(reports), "utf-8")
    return _code(found)


def _print(reports: "Sequence[Attestation]", to: Path | None) -> None:
    """The page as a document, into a file."""
    from trueup.cli.reporting import as_pdf

    if to is None:
        raise typer.BadParameter("A PDF needs a file: --to FILE.")
    to.write_bytes(as_pdf(reports))


def _tell(issued: "Issued", out: Output) -> None:
    report = issued.report
    if issued.first:
        out.note(f"{report.account} {report.day}: issued, digest {report.digest}")
    elif issued.same is None:
        out.note(f"{report.account} {report.day}: the day is not over, so it is not issued")
    elif not issued.same:
        out.note(f"{report.account} {report.day}: NOT the report that was issued: verify the journal")


def _code(found: "Sequence[Issued]") -> ExitCode:
    if any(issued.same is False for issued in found):
        return ExitCode.UNKNOWN
    return ExitCode.DIFFERENCES if any(issued.report.standing for issued in found) else ExitCode.FINE


def _written(form: Format) -> "Callable[[Sequence[Attestation]], str]":
    from trueup.cli.reporting import as_csv, as_html, as_json, as_text

    ways: Mapping[Format, Callable[[Sequence[Attestation]], str]] = {
        Format.TEXT: as_text,
        Format.JSON: as_json,
        Format.HTML: as_html,
        Format.CSV: as_csv,
    }
    return ways[form]
