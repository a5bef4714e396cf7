"""A break as JSON, as a row, and in full."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trueup.book.lifecycle import BreakRecord
    from trueup.engine.ledger import Ledger
    from trueup.model.events import AdjustmentProposed
    from trueup.model.identifiers import AccountId


def shape(ledger: "Ledger", record: "BreakRecord", now: int) -> dict[str, object]:
    """As JSON."""
    from trueup.cli.shapes import plain, plain_fields
    from trueup.model.breaks import break_id

    proposal = ledger.read(lambda book: book.breaks.proposed.get(record.key))
    approvals = ledger.read(lambda book: dict(book.breaks.approvals))
    return plain_fields(
        id=break_id(ledger.account, record.key),
        account=ledger.account,
        state=record.state.value,
        about=record.key[0],
        sort=record.key[1],
        kind=record.kind,
        severity=record.severity,
        difference=record.difference,
        why=[plain(share) for share in record.why],
        rest=record.rest,
        worth=record.worth,
        detected_at=record.detected_at,
        moved_at=record.moved_at,
        age_s=Decimal(_elapsed(record, now)) / 10**9,
        owner=record.owner,
        notes=record.notes,
        recurrences=record.recurrences,
        level=record.level,
        cause=record.cause,
        evidence=record.evidence,
        proposed=None if proposal is None else plain(proposal.adjustment),
        approved_by=[] if proposal is None else approvals.get(proposal.adjustment.adjustment_id, ()),
    )


def _elapsed(record: "BreakRecord", now: int) -> int:
    return (record.moved_at if record.ended else now) - record.detected_at


def show_list(found: "Sequence[tuple[AccountId, BreakRecord]]", forbidden: Sequence[str], now: int) -> None:
    """As a table, with what is forbidden below it."""
    from trueup.cli import render
    from trueup.model.breaks import break_id

    columns = [render.text(name) for name in ("ID", "ACCOUNT", "STATE", "KIND", "SEVERITY", "ABOUT")]
    columns += [render.number("DIFFERENCE"), render.number("WORTH"), render.prose("PUT DOWN TO")]
    columns += [render.text("AGE"), render.number("LEVEL"), render.text("OWNER")]
    rows: list[list[render.Cell]] = [
        [
            break_id(whose, record.key),
            whose,
            record.state.value,
            record.kind,
            record.severity,
            record.key[0],
            "" if record.difference is None else record.difference,
            "" if record.worth is None else record.worth,
            _causes(record),
            _age(record, now),
            record.level or "",
            record.owner,
        ]
        for whose, record in found
    ]
    if rows:
        render.show_table(columns, rows)
    else:
        render.show("No break stands.", "ok")
    for line in forbidden:
        render.show(line, "warn")


def show_one(ledger: "Ledger", record: "BreakRecord", now: int) -> None:
    """One with all that is known of it."""
    from trueup.cli import render

    show_list([(ledger.account, record)], (), now)
    if record.why:
        columns = [render.text("CAUSE"), render.number("AMOUNT"), render.prose("IN WORDS"), render.prose("EVIDENCE")]
        shares = [[share.cause, share.amount, share.words, render.listed(share.evidence)] for share in record.why]
        render.show_table(columns, shares)
    if record.rest:
        render.show(f"{render.figure(record.rest)} of it is unexplained.", "warn")
    for written in record.notes:
        render.show(f"note by {written}")
    proposal = ledger.read(lambda book: book.breaks.proposed.get(record.key))
    if proposal is not None:
        name = proposal.adjustment.adjustment_id
        render.show(f"Proposed: {adjustment_words(proposal)} ({proposal.reason}). Its id is {name}.")
    if record.ended:
        shown = f", shown by {render.listed(record.evidence)}" if record.evidence else ""
        render.show(f"Ended {render.moment(record.moved_at)}: {record.cause or 'it passed'}{shown}.", "ok")


def adjustment_words(proposal: "AdjustmentProposed") -> str:
    """What a proposed adjustment would book."""
    from trueup.cli import render

    booked = proposal.adjustment
    if booked.quantity:
        return f"adjust {booked.instrument} {booked.position_side} by {render.figure(booked.quantity)} at " + (
            render.figure(booked.price)
        )
    return f"adjust {booked.currency} by {render.figure(booked.cash)}"


def _causes(record: "BreakRecord") -> str:
    """The causes, each with its share; what is left over last."""
    from trueup.cli import render

    shares = [
        f"{share.cause} {'' if share.amount is None else render.figure(share.amount)}".strip() for share in record.why
    ]
    if record.rest or not shares:
        shares.append("unexplained" if not shares else f"unexplained {render.figure(record.rest)}")
    return ", ".join(shares)


_SPANS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def _age(record: "BreakRecord", now: int) -> str:
    """How old it is, in the largest unit that there is one of."""
    seconds = max(_elapsed(record, now), 0) // 10**9
    return next((f"{seconds // span}{unit}" for span, unit in _SPANS if seconds >= span), "0s")
