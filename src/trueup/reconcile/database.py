"""Memory against database: zero tolerance at equal seq, patience while one of them is behind.

Every field of a row must be equal. A row that was changed by an event which the other side has not reached yet proves
nothing, so it is PENDING. A position or balance of nothing may have left memory while the database keeps its row.
"""

from decimal import Decimal

from trueup.model.differences import Kind, Severity, Status
from trueup.model.identifiers import Seq
from trueup.model.numbers import canonical
from trueup.model.positions import Balance, OpenOrder, Position
from trueup.reconcile.findings import Findings
from trueup.reconcile.state import DatabaseState, Sides

Record = Position | Balance | OpenOrder

LAG_MS_MAX = 5_000
"""The views are written every few milliseconds; seconds behind means that their writer is stuck."""


def shown(record: Record | None) -> str | None:
    """The one figure of a row that a person compares; None when there is none or it is unknown."""
    match record:
        case Position():
            return canonical(record.quantity)
        case Balance():
            return None if record.total is None else canonical(record.total)
        case OpenOrder():
            price = "market" if record.price is None else f"@ {canonical(record.price)}"
            return f"{record.side} {canonical(record.quantity)} {price}, {canonical(record.filled)} filled"
        case None:
            return None


def compare_row(sides: Sides, found: Findings, subject: str, ours: Record | None, row: Record | None) -> Status:
    """Hold what memory has against its row in the database, report the difference, and say how the row stands."""
    database = sides.database
    if database is None or ours == row:
        return Status.SYNCED
    changed = _changed(ours, row)
    if not changed:
        return Status.SYNCED
    if _ahead(ours, sides.ours.seq, database.seq) or _ahead(row, database.seq, sides.ours.seq):
        found.lagging += 1
        return Status.PENDING
    found.add(
        Kind.MEMORY_DATABASE,
        subject,
        "; ".join(changed),
        ours=shown(ours),
        database=shown(row),
        difference=_difference(ours, row),
    )
    return Status.DRIFT


def report_lag(sides: Sides, database: DatabaseState, found: Findings, lag_ms: int) -> None:
    """Say that one side is behind, when rows differ for it or when it has been so for too long."""
    behind = sides.ours.seq - database.seq
    late = lag_ms > LAG_MS_MAX
    if not behind or not (found.lagging or late):
        return
    found.add(
        Kind.VIEW_LAG,
        "views",
        f"database is {abs(behind)} events {'behind' if behind > 0 else 'ahead of'} memory, "
        f"{found.lagging} rows differ for it" + (f", for {lag_ms} ms now" if late else ""),
        ours=str(sides.ours.seq),
        database=str(database.seq),
        difference=Decimal(-behind),
        severity=Severity.MEDIUM if late else None,
        status=Status.DRIFT if late else Status.PENDING,
    )


def _changed(ours: Record | None, row: Record | None) -> list[str]:
    """What differs, in words. ``seq`` says when a row was written, not what it holds."""
    if ours is None:
        return [] if _is_nothing(row) else ["database has a row that memory lacks"]
    if row is None:
        return ["database lacks the row"]
    return [
        _instead(field, getattr(ours, field), getattr(row, field))
        for field in ours.__struct_fields__
        if field != "seq" and getattr(ours, field) != getattr(row, field)
    ]


def _instead(field: str, ours: object, theirs: object) -> str:
    if isinstance(ours, Decimal) and isinstance(theirs, Decimal):
        return f"database has {field} {canonical(theirs)} instead of {canonical(ours)}"
    if isinstance(ours, str | int) and isinstance(theirs, str | int):
        return f"database has {field} {theirs} instead of {ours}"
    return f"database has another {field}"


def _is_nothing(record: Record | None) -> bool:
    match record:
        case Position():
            return not record.quantity
        case Balance():
            return record.total is not None and not record.total
        case _:
            return False


def _ahead(record: Record | None, own: Seq, other: Seq) -> bool:
    """Whether a record reflects an event that the other side has not reached. Orders carry no seq: their side's."""
    if record is None:
        return False
    return (own if isinstance(record, OpenOrder) else record.seq) > other


def _difference(ours: Record | None, row: Record | None) -> Decimal | None:
    match ours, row:
        case Position(), Position():
            return row.quantity - ours.quantity
        case Balance(), Balance() if ours.total is not None and row.total is not None:
            return row.total - ours.total
        case _:
            return None
