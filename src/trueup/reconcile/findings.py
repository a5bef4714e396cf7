"""What a comparison has found so far: differences with their severities, rows of the table, the worst status.

Here stands the table of severities. A difference that was found outranks a part that could not be compared: it is true
whatever else is unknown, so it must show. Such a part is never lost behind it, because it stays among the differences
as FAILED and in ``not_compared``. Both outrank what may yet resolve itself.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from trueup.model.differences import Difference, Kind, Severity, Side3, Status
from trueup.model.identifiers import AccountId

SEVERITY: Mapping[Kind, Severity] = {
    Kind.QTY: Severity.HIGH,  # CRITICAL above one lot or above the notional limit
    Kind.SIDE: Severity.CRITICAL,
    Kind.MISSING_OURS: Severity.CRITICAL,
    Kind.MISSING_THEIRS: Severity.CRITICAL,
    Kind.FILL_MISSING: Severity.HIGH,
    Kind.CASH: Severity.MEDIUM,  # LOW under one basis point of the balance, HIGH from one percent on
    Kind.LEVERAGE: Severity.MEDIUM,
    Kind.MARGIN_MODE: Severity.MEDIUM,
    Kind.AVG_PX: Severity.LOW,
    Kind.ORPHAN_ORDER: Severity.HIGH,
    Kind.ORDER_MISSING: Severity.MEDIUM,  # HIGH for a protective order
    Kind.ORDER_STATE: Severity.MEDIUM,  # HIGH for a protective order
    Kind.STOP_MISSING: Severity.CRITICAL,
    Kind.SYMBOL_MAP: Severity.CRITICAL,
    Kind.STALE_SOURCE: Severity.HIGH,
    Kind.VIEW_LAG: Severity.INFO,  # MEDIUM past the limit
    Kind.MEMORY_DATABASE: Severity.HIGH,
}

PRECEDENCE = (Status.SYNCED, Status.NOT_COMPARED, Status.PENDING, Status.FAILED, Status.DRIFT)
"""From the weakest to the one that prevails."""


def worst(statuses: Sequence[Status]) -> Status:
    """The status that prevails; SYNCED for none at all."""
    return max(statuses, key=PRECEDENCE.index, default=Status.SYNCED)


class Findings:
    """Collects while the sections compare.

    Attributes:
        table: Whether rows are wanted.
        compared: Keys that were held against the venue's answer.
        lagging: Rows that differ only because memory and database stand at different events.
        not_compared: What the venue, or the database, gave no answer for, and what the book does not know.
        spot_rows: Rows of spot positions that the venue did not state, by place, with the balance that they are.
    """

    def __init__(self, account: AccountId, *, table: bool) -> None:
        self.account = account
        self.table = table
        self.compared = 0
        self.lagging = 0
        self.differences: list[Difference] = []
        self.rows: list[Side3] = []
        self.not_compared: list[str] = []
        self.spot_rows: dict[int, str] = {}

    def add(
        self,
        kind: Kind,
        subject: str,
        direction: str,
        *,
        ours: str | None = None,
        database: str | None = None,
        theirs: str | None = None,
        difference: Decimal | None = None,
        severity: Severity | None = None,
        status: Status = Status.DRIFT,
        evidence: tuple[str, ...] = (),
    ) -> None:
        """Report one difference, by default of its kind's severity and as DRIFT."""
        level = SEVERITY[kind] if severity is None else severity
        self.differences.append(
            Difference(
                kind, level, status, self.account, subject, ours, database, theirs, difference, direction, evidence
            )
        )

    def row(
        self,
        section: str,
        subject: str,
        numbers: tuple[str | None, str | None, str | None],
        since: int = 0,
        status: Status = Status.SYNCED,
    ) -> None:
        """Add a row of the table, if one is wanted.

        ``numbers`` are those of memory, database and venue; ``since`` is how many differences there were before this
        row was looked at; ``status`` is the least it has, whatever was found.
        """
        if not self.table:
            return
        found = self.differences[since:]
        status = worst([status, *(one.status for one in found)])
        self.rows.append(Side3(section, subject, *numbers, status, tuple(one.kind for one in found)))
