"""Comparing an account with its venue as it is now: book what the venue's history has, look, and compare at that cut.

What the book lacks is booked first, by the venue's own ids, so that a difference which is left has another cause. An
account that trades meanwhile is looked at again, within bounds, until nothing happened between two pulls.
"""

import msgspec

from trueup.engine.ledger import Ledger
from trueup.engine.pulling import Progress, Pull, pull, silent
from trueup.engine.reconciling import book_side, database_side, put_on_record
from trueup.engine.store import Store
from trueup.model.differences import Comparison, VenueSnapshot
from trueup.model.errors import AuthenticationFailed, VenueError
from trueup.ports import LiveVenue
from trueup.reconcile.compare import compare
from trueup.reconcile.recording import recorded

LOOKS_MAX = 5
"""Looks at an account that goes on trading; the last one counts, whatever happened meanwhile."""


class LiveReconciliation(msgspec.Struct, frozen=True):
    """The answer of a comparison with the venue itself.

    Attributes:
        pulled: What was booked on the way, all pulls together.
        looks: How often the account was looked at; with :data:`LOOKS_MAX` it may have traded even then.
    """

    comparison: Comparison
    pulled: Pull
    looks: int


async def reconcile_live(
    store: Store, ledger: Ledger, venue: LiveVenue, progress: Progress = silent
) -> LiveReconciliation:
    """Bring an account's book up to its venue, compare both with the database, and put the outcome on record.

    A venue that cannot be asked makes the answer FAILED: unknown, not flat.

    Raises:
        AuthenticationFailed: The venue does not take our key.
        JournalFailed: The disk refused.
    """
    total, looks = Pull(ledger.account), 0
    snapshot = VenueSnapshot(ledger.account)
    try:
        total.add(await pull(ledger, venue, progress))
        for looks in range(1, LOOKS_MAX + 1):  # noqa: B007 - told below
            snapshot = await venue.snapshot()
            after = await pull(ledger, venue, progress)
            total.add(after)
            if not after.booked:
                break
    except AuthenticationFailed:
        raise
    except VenueError as error:
        snapshot = msgspec.structs.replace(snapshot, failed={**snapshot.failed, "venue": error.message})
    comparison = compare(
        ledger.read(book_side),
        database_side(store, ledger.account),
        snapshot,
        table=True,
        now=store.clock.now(),
    )
    put_on_record(ledger, recorded(comparison, snapshot.source))
    return LiveReconciliation(comparison, total, looks)
