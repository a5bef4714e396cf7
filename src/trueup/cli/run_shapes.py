"""What a reconciliation put differences down to, and what it booked for them or would book."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trueup.cli.render import Cell
    from trueup.engine.reconciling_live import Run
    from trueup.model.events import Fact
    from trueup.reconcile.following import Finding


def shape_run(run: "Run", *, dry: bool) -> dict[str, object]:
    """As JSON, beside the comparison."""
    from trueup.cli.shapes import plain, plain_fields

    return plain_fields(
        trigger=run.trigger,
        began_at=run.began_at,
        looks=run.looks,
        explained=[
            {"kind": one.found.kind.value, "about": one.found.subject, "worth": plain(one.worth), "why": plain(one.why)}
            for one in run.findings
        ],
        corrected=[plain(event) for event in run.corrected],
        would_book=[plain(entry) for entry in run.plan.entries] if dry else [],
        not_corrected=[
            {"about": held.record.key[0], "sort": held.record.key[1], "reason": held.reason} for held in run.plan.held
        ],
        moves=[plain(move) for move in run.moves],
        restriction=None if run.restriction is None else plain(run.restriction),
    )


def show_run(run: "Run", *, dry: bool) -> None:
    """For a person."""
    from trueup.cli import render

    rows = [row for finding in run.findings for row in _causes(finding)]
    if rows:
        columns = [render.text("ABOUT"), render.text("CAUSE"), render.number("AMOUNT")]
        columns += [render.prose("IN WORDS"), render.prose("EVIDENCE")]
        render.show_table(columns, rows, title="Put down to")
    entries = list(run.plan.entries) if dry else []
    if entries:
        columns = [render.text("KIND"), render.text("ID"), render.text("ABOUT"), render.number("QUANTITY")]
        columns += [render.number("PRICE"), render.number("CASH")]
        render.show_table(columns, [_entry(entry) for entry in entries], title="Would be booked")
    for event in run.corrected:
        render.show(f"Booked for {event.subject}: {render.listed(event.entries)} ({event.cause}).", "ok")
    for held in run.plan.held:
        render.show(f"Not corrected: {held.record.key[0]} ({held.record.key[1]}): {held.reason}.", "warn")
    if dry:
        render.show("Nothing was written.")


def _causes(finding: "Finding") -> "list[list[Cell]]":
    from trueup.cli import render

    why = finding.why
    rows: list[list[Cell]] = [
        [why.subject, part.cause.value, part.amount, part.words, render.listed(part.evidence)] for part in why.parts
    ]
    if why.rest:
        rows.append([why.subject, "UNEXPLAINED", why.rest, "no cause accounts for it", ""])
    return rows


def _entry(entry: "Fact") -> "list[Cell]":
    from trueup.model.facts import fact_key

    kind, _, name = (fact_key(entry) or "").partition("|")
    about = getattr(entry, "instrument", "") or getattr(entry, "currency", "")
    cash = getattr(entry, "cash", None) or getattr(entry, "amount", "")
    return [kind, name, about, getattr(entry, "quantity", ""), getattr(entry, "price", ""), cash]
