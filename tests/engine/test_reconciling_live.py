"""Comparing with the venue itself: what is missing is booked first, and a venue that trades on is looked at again."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from tests.engine.scripted import ScriptedVenue
from tests.engine.world import ACCOUNT, PERP, fill, store_at
from trueup.engine.looking import LOOKS_MAX
from trueup.engine.reconciling_live import Run, reconcile_live
from trueup.engine.store import Store
from trueup.model.differences import Kind, Status, VenuePosition, VenueSnapshot
from trueup.model.errors import AuthenticationFailed, Unavailable
from trueup.model.events import Compared


def holding(quantity: int) -> VenueSnapshot:
    positions = {(PERP.symbol, "net"): VenuePosition(PERP.symbol, "net", Decimal(quantity))} if quantity else {}
    return VenueSnapshot(ACCOUNT, positions=positions)


def reconciled(store: Store, venue: ScriptedVenue) -> Run:
    return asyncio.run(reconcile_live(store, store.ledger(ACCOUNT), venue))


def test_what_the_book_lacks_is_booked_before_anything_is_called_a_difference(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), ScriptedVenue([fill(1), fill(2), fill(3)])
    venue.state = lambda: holding(3)
    found = reconciled(store, venue)
    assert (found.comparison.status, found.pulled.booked, found.looks) == (Status.SYNCED, 3, 1)
    assert [type(event) for _, event in store.ledger(ACCOUNT).events()][-1] is Compared
    store.close()


def test_what_no_history_explains_is_a_difference(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), ScriptedVenue([fill(1)])
    venue.state = lambda: holding(5)
    (difference,) = reconciled(store, venue).comparison.differences
    assert (difference.kind, difference.theirs) == (Kind.QTY, "5")
    store.close()


@pytest.mark.parametrize("more", [1, LOOKS_MAX - 1, LOOKS_MAX + 5])
def test_an_account_that_trades_on_is_looked_at_again_within_bounds(tmp_path: Path, more: int) -> None:
    store, venue = store_at(tmp_path), ScriptedVenue([fill(1)])
    venue.meanwhile = [fill(number) for number in range(2, 2 + more)]
    venue.state = lambda: holding(len(venue.facts))
    found = reconciled(store, venue)
    assert found.looks == venue.looks == min(more + 1, LOOKS_MAX)
    assert found.comparison.status is Status.SYNCED
    store.close()


@pytest.mark.parametrize("pages", [0, 1])
def test_a_venue_that_cannot_be_asked_is_unknown_not_flat(tmp_path: Path, pages: int) -> None:
    store, venue = store_at(tmp_path), ScriptedVenue([fill(1)])
    venue.failures.extend([*[None] * pages, Unavailable("down")])
    found = reconciled(store, venue)
    assert found.comparison.status is Status.FAILED
    assert "down" in found.comparison.differences[0].direction
    store.close()


def test_a_key_that_is_refused_is_an_error_and_no_outcome(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), ScriptedVenue([fill(1)])
    venue.failures.append(AuthenticationFailed("who are you?"))
    with pytest.raises(AuthenticationFailed):
        reconciled(store, venue)
    assert store.ledger(ACCOUNT).book.breaks.outcome is None
    store.close()
