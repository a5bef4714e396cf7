"""Reconciling on stores of either kind: breaks are kept and read back alike, and another process is listened to."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

from tests.conformance.test_store import refolded
from tests.engine.scripted import ScriptedVenue
from tests.engine.test_reconciler import BEYOND, QTY_KEY, old_answers_count
from tests.engine.world import ACCOUNT, PERP, fill
from trueup.book.snapshot import restore, snapshot, state_hash
from trueup.bootstrap import open_store
from trueup.engine.ledger import Ledger
from trueup.engine.reconciling_live import Reconciler
from trueup.engine.store import Store
from trueup.journal.postgres.address import Address
from trueup.model import events as e
from trueup.model.differences import VenuePosition, VenueSnapshot

__all__ = ["old_answers_count"]

D = Decimal


class Holds(ScriptedVenue):
    """Holds three from the first second on, and says so five seconds later with each answer."""

    def __init__(self) -> None:
        super().__init__([fill(1)])
        self.state = self._holds

    def _holds(self) -> VenueSnapshot:
        held = VenuePosition(PERP.symbol, "net", D(3), D("100.50"))
        return VenueSnapshot(ACCOUNT, fill(1_000 + 5 * self.looks).venue_time, {QTY_KEY: held})


def reconciler(store: Store) -> Reconciler:
    return Reconciler(store, store.ledger(ACCOUNT), Holds(), policies=BEYOND)


def approve(ledger: Ledger, approval: e.AdjustmentApproved) -> None:
    ledger.commit(lambda _: [approval])


def test_what_was_decided_is_there_after_a_start(opened: Callable[[], Store]) -> None:
    store = opened()
    one = reconciler(store)
    asyncio.run(one.run())
    asyncio.run(one.run())
    ledger = store.ledger(ACCOUNT)
    assert ledger.book.breaks.proposed
    before = state_hash(ledger.book)
    assert before == refolded(ledger) == state_hash(restore(snapshot(ledger.book), lambda: ()))
    store.close()
    assert state_hash(opened().ledger(ACCOUNT).book) == before


def test_approvals_that_another_process_took_are_seen(postgres: str) -> None:
    here, there = open_store(Address.parse(postgres)), open_store(Address.parse(postgres))
    one = reconciler(here)
    asyncio.run(one.run())
    asyncio.run(one.run())
    ledger = there.ledger(ACCOUNT)
    (proposal,) = ledger.book.breaks.proposed.values()
    for key in ("alice", "bob"):
        approve(ledger, e.AdjustmentApproved(ACCOUNT, proposal.adjustment.adjustment_id, key, here.clock.now()))
    asyncio.run(one.run())
    held = here.ledger(ACCOUNT).book.position(*QTY_KEY)
    assert held is not None
    assert held.quantity == D(3)
    here.close()
    there.close()
