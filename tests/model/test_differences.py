"""What a comparison finds: what was not asked is not flat, and severities are in order."""

from tests.book.world import ACCOUNT
from trueup.model.differences import Severity, VenueSnapshot


def test_a_part_that_was_not_asked_for_is_unknown() -> None:
    snapshot = VenueSnapshot(ACCOUNT)
    assert (snapshot.cut, snapshot.positions, snapshot.balances, snapshot.open_orders) == (None, None, None, None)
    assert (snapshot.unmapped, snapshot.failed, snapshot.position_scope) == ({}, {}, None)
    assert VenueSnapshot(ACCOUNT).failed is not snapshot.failed


def test_severities_compare() -> None:
    assert max(Severity) is Severity.CRITICAL
    assert max(Severity.LOW, Severity.HIGH) is Severity.HIGH
