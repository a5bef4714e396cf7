"""What must hold of a store whatever happened to its process, its server or their connection (I1, I2).

Everything acknowledged is there once, nothing is doubled, an offer made again books nothing, and what memory and the
rows hold is what a fold of the stored events gives.
"""

from collections.abc import Collection

from tests.conformance.test_store import assert_rows_are_the_book, refolded
from tests.engine.world import ACCOUNT
from trueup.book.snapshot import state_hash
from trueup.engine.store import Store
from trueup.model.events import FillBooked


def assert_sound(store: Store, acknowledged: Collection[FillBooked]) -> None:
    """Of a store that was opened after it happened, which nobody else writes to."""
    ledger = store.ledger(ACCOUNT)
    ids = [event.venue_trade_id for _, event in ledger.events() if isinstance(event, FillBooked)]
    assert len(ids) == len(set(ids))
    assert {fact.venue_trade_id for fact in acknowledged} <= set(ids)
    assert state_hash(ledger.book) == refolded(ledger)
    assert_rows_are_the_book(store)
    again = ledger.book_facts(acknowledged)
    assert (again.booked, again.already) == (0, len(acknowledged))
