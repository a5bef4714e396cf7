"""What a journal keeps of a comparison."""

from decimal import Decimal

from trueup.model.differences import Comparison, Difference, Kind, Severity, Side3, Status
from trueup.model.identifiers import AccountId, Seq
from trueup.reconcile.recording import BREAKS_MAX, EVIDENCE_MAX, recorded

ACCOUNT = AccountId("paper:one")


def difference(subject: str, severity: Severity = Severity.HIGH, evidence: tuple[str, ...] = ()) -> Difference:
    numbers = ("1", "1", "3", Decimal(2))
    return Difference(Kind.QTY, severity, Status.DRIFT, ACCOUNT, subject, *numbers, "venue holds 2 more", evidence)


def comparison(*differences: Difference) -> Comparison:
    statuses = [Status.SYNCED, Status.DRIFT, Status.SYNCED, Status.NOT_COMPARED]
    rows = tuple(Side3("positions", str(n), "1", "1", "1", status) for n, status in enumerate(statuses))
    return Comparison(ACCOUNT, Status.DRIFT, rows, differences, 3, 5, Seq(9), Seq(9), ("open_orders",))


def test_an_outcome_has_the_counts_by_status_and_every_difference() -> None:
    event = recorded(comparison(difference("BTC net", evidence=("77",))), ["state.json"])
    assert (event.status, event.source, event.cut, event.compared) == ("DRIFT", ("state.json",), 5, 3)
    assert event.counts == (("DRIFT", 1), ("NOT_COMPARED", 1), ("SYNCED", 2))
    assert event.not_compared == ("open_orders",)
    (found,) = event.breaks
    assert found.key == ("BTC net", "QTY")
    assert (found.severity, found.status, found.difference, found.evidence) == ("HIGH", "DRIFT", Decimal(2), ("77",))
    assert (found.ours, found.database, found.theirs, found.direction) == ("1", "1", "3", "venue holds 2 more")


def test_of_very_many_differences_the_worst_are_kept_and_the_rest_is_counted() -> None:
    mild = [difference(str(number), Severity.LOW) for number in range(BREAKS_MAX)]
    evidence = tuple(map(str, range(EVIDENCE_MAX + 1)))
    event = recorded(comparison(*mild, difference("worst", Severity.CRITICAL, evidence)), [])
    assert (len(event.breaks), event.unlisted) == (BREAKS_MAX, 1)
    assert (event.breaks[0].subject, len(event.breaks[0].evidence)) == ("worst", EVIDENCE_MAX)
