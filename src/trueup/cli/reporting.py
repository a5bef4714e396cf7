"""Attestations as JSON, CSV, text and HTML: the same figures, laid out for machines, sheets, terminals and auditors."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from html import escape
from importlib import import_module

import msgspec

from trueup.model.errors import BadInput
from trueup.model.events import AdjustmentBooked
from trueup.model.numbers import ZERO, canonical
from trueup.reconcile.ageing import Age
from trueup.reconcile.attestation import Attestation, Standing

Lines = Iterable[tuple[str, str]]

UNKNOWN = "unknown"

_COLUMNS = ("About", "Kind", "State", "Age", "#Difference", "#Worth", "Put down to")

_STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; color: #1a1a1a; margin: 2.5rem auto; max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; border-bottom: 1px solid #bbb; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #e3e3e3; vertical-align: top; }
th { font-weight: 600; background: #f5f5f5; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
td:last-child { overflow-wrap: anywhere; } .ok { color: #0a6b2d; } .bad { color: #a4161a; }
.bar { display: inline-block; height: .8em; background: #4a6fa5; vertical-align: baseline; }
.muted { color: #666; } section { break-inside: avoid; }
@page { size: A4; margin: 18mm; }
"""


def as_json(reports: Sequence[Attestation]) -> str:
    """Each with its digest; the digest is that of the rest."""
    plain = [{**msgspec.to_builtins(report, builtin_types=(Decimal,)), "digest": report.digest} for report in reports]
    return msgspec.json.format(msgspec.json.encode(plain), indent=2).decode() + "\n"


def as_csv(reports: Sequence[Attestation]) -> str:
    """One line for each figure: account, day, section, name, value."""
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(("account", "day", "section", "name", "value"))
    for report in reports:
        for section, rows in _sections(report):
            lines.writerows((report.account, report.day, section, name, value) for name, value in rows)
    return written.getvalue()


def as_text(reports: Sequence[Attestation]) -> str:
    """Section by section, for a terminal."""
    parts = []
    for report in reports:
        parts.append(f"{report.account}, {report.day} UTC")
        for section, rows in _sections(report):
            found = list(rows)
            if found:
                width = max(len(name) for name, _ in found)
                parts.append(f"\n{section}")
                parts += [f"  {name.ljust(width)}  {value}" for name, value in found]
        parts.append("")
    return "\n".join(parts) + "\n"


def as_html(reports: Sequence[Attestation]) -> str:
    """One page that stands by itself: no script, nothing from elsewhere."""
    days = ", ".join(sorted({report.day for report in reports}))
    body = "".join(map(_page, reports))
    title = escape(f"Reconciliation report {days}")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def as_pdf(reports: Sequence[Attestation]) -> bytes:
    """The same page, printed; it looks nothing up elsewhere.

    Raises:
        BadInput: What prints it is not installed.
    """
    try:
        printer = import_module("weasyprint")
    except (ImportError, OSError) as error:  # the latter where the system has no Pango
        remedy = "Install trueup[pdf] and Pango, or take html."
        raise BadInput("format", "pdf", f"it cannot be printed here: {error}", remedy=remedy) from error
    return bytes(printer.HTML(string=as_html(reports), url_fetcher=_refuse_address).write_pdf())


def _refuse_address(address: str) -> dict[str, object]:
    raise ValueError(f"A report holds everything, and names {address}.")


def _sections(report: Attestation) -> Iterable[tuple[str, Lines]]:
    """The figures of a report, by section."""
    told = report.statistics
    yield "journal", _journal(report)
    yield (
        "compared",
        (
            (cut.recorded_at, f"{cut.status}: {cut.compared} compared{_counts(cut.counts)}; {', '.join(cut.source)}")
            for cut in report.cuts
        ),
    )
    yield "coverage gaps", (("not compared", name) for name in report.coverage_gaps)
    yield "standing at the end", ((one.about, _standing_words(one)) for one in report.standing)
    yield (
        "breaks",
        [
            ("opened", str(report.opened)),
            *((f"ended {step}", str(count)) for step, count in report.closed.items()),
            ("gross worth standing", _worth(report.gross, report.unknown_worth)),
            ("net worth standing", _worth(report.net, report.unknown_worth)),
        ],
    )
    yield (
        "corrections",
        (
            (one.at, f"{one.about}: {one.cause}, booked {', '.join(one.entries)} by {one.by}")
            for one in report.corrections
        ),
    )
    yield (
        "adjustments",
        ((one.adjustment_id, f"{one.cause}: {_adjusted(one)}; {one.evidence}") for one in report.adjustments),
    )
    yield "approvals", ((one.adjustment_id, f"approved by {one.by}") for one in report.approvals)
    yield (
        "statistics",
        [
            *((f"runs {status}", str(count)) for status, count in told.runs.items()),
            ("time to detect, median", _seconds(told.to_detect.median_ns)),
            *(
                (f"time to correct {cause}, median", _seconds(taken.median_ns))
                for cause, taken in told.to_correct.items()
            ),
        ],
    )
    yield "rules", report.rules.items()
    yield (
        "signature",
        [("signer", report.signer), ("previous", report.previous or "none"), ("digest", report.digest)],
    )


def _journal(report: Attestation) -> Lines:
    yield "events", f"{report.first} to {report.last}" if report.last else "none"
    yield "head", f"seq {report.head[0]}, {report.head[1]}"


def _page(report: Attestation) -> str:
    cuts = report.cuts
    newest = cuts[-1].status if cuts else "NEVER COMPARED"
    mood = "ok" if newest == "SYNCED" and not report.standing else "bad"
    count = len(report.standing)
    stood = f"{count} {'break' if count == 1 else 'breaks'} stood at the end of the day"
    worth = escape(_worth(report.gross, report.unknown_worth))
    parts = [
        f"<h1>Reconciliation report</h1><p class='muted'>{escape(report.account)} · {escape(report.day)} UTC</p>",
        f"<p class='{mood}'><strong>{escape(newest)}</strong>, {stood}, worth {worth} gross.</p>",
        _ages(report.standing),
        _table("Breaks standing", _COLUMNS, map(_cells, report.standing)),
    ]
    for section, rows in _sections(report):
        if section != "standing at the end":
            parts.append(_table(section.capitalize(), ("", ""), rows))
    return f"<article>{''.join(parts)}</article>"


def _ages(standing: Sequence[Standing]) -> str:
    """How old what stands is, and what it is worth, as bars."""
    if not standing:
        return ""
    most = max(_worth_of(standing, age) for age in Age) or Decimal(1)
    rows = []
    for age in Age:
        count, worth = sum(one.age == age.name for one in standing), _worth_of(standing, age)
        width = int(200 * worth / most)
        words = age.name.replace("_", " ").lower()
        bar = f"<span class='bar' style='width:{width}px'></span> {escape(canonical(worth))}"
        rows.append(f"<tr><td>{words}</td><td class='n'>{count}</td><td>{bar}</td></tr>")
    head = "<tr><th>Age</th><th class='n'>Breaks</th><th>Worth</th></tr>"
    return f"<section><h2>Ages</h2><table>{head}{''.join(rows)}</table></section>"


def _worth_of(standing: Iterable[Standing], age: Age) -> Decimal:
    return sum((one.worth for one in standing if one.age == age.name and one.worth is not None), ZERO)


def _table(title: str, names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; nothing where it has no rows. A column whose name begins with # is of numbers."""
    kinds = [" class='n'" if name.startswith("#") else "" for name in names]
    lines = [
        "<tr>" + "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds, row, strict=True)) + "</tr>"
        for row in rows
    ]
    if not lines:
        return ""
    head = "".join(f"<th{kind}>{escape(name.lstrip('#'))}</th>" for kind, name in zip(kinds, names, strict=True))
    shown = f"<tr>{head}</tr>" if any(names) else ""
    return f"<section><h2>{escape(title)}</h2><table>{shown}{''.join(lines)}</table></section>"


def _cells(one: Standing) -> Sequence[str]:
    return (
        one.about,
        one.kind,
        one.state,
        one.age.replace("_", " ").lower(),
        _figure(one.difference),
        _figure(one.worth),
        _causes(one),
    )


def _standing_words(one: Standing) -> str:
    return (
        f"{one.kind} {one.severity} {one.state}, {one.age.replace('_', ' ').lower()}: {_figure(one.difference)}, "
        f"worth {_figure(one.worth)}; {_causes(one)}"
    )


def _causes(one: Standing) -> str:
    shares = [f"{share.cause} {_figure(share.amount)}" for share in one.why]
    if one.rest or not shares:
        shares.append(f"unexplained {_figure(one.rest)}" if shares else "unexplained")
    return ", ".join(shares)


def _adjusted(one: AdjustmentBooked) -> str:
    if one.quantity:
        return f"{one.instrument} by {canonical(one.quantity)} at {_figure(one.price)}"
    return f"{one.currency} by {canonical(one.cash)}"


def _counts(counts: Mapping[str, int]) -> str:
    return f" ({', '.join(f'{count} {status}' for status, count in counts.items())})" if counts else ""


def _worth(amount: Decimal, unknown: int) -> str:
    return canonical(amount) + (f" and {unknown} of unknown worth" if unknown else "")


def _figure(amount: Decimal | None) -> str:
    return UNKNOWN if amount is None else canonical(amount)


def _seconds(nanoseconds: int | None) -> str:
    return UNKNOWN if nanoseconds is None else f"{canonical(Decimal(nanoseconds).scaleb(-9))} s"
