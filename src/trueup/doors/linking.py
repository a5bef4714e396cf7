"""From an account of the settings to a connection, for doors: opened for one piece of work, closed behind it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from random import Random

import msgspec

from trueup.bootstrap.venues import live_venue
from trueup.doors.trading_database import TradingDatabase
from trueup.engine.clock import SystemClock
from trueup.engine.reading import hints_of
from trueup.engine.reconciling_live import Reconciler, Run, Trigger
from trueup.model.differences import Status
from trueup.ports import LiveVenue
from trueup.settings import AccountSettings


@asynccontextmanager
async def linked(
    database: TradingDatabase, account: AccountSettings, environment: Mapping[str, str]
) -> AsyncIterator[LiveVenue]:
    """A connection to an account, with what its ledger knows of it. Belongs to the running event loop.

    Raises:
        BadInput: A secret cannot be had.
    """
    hints = database.shelf.ledger(account.account).read(hints_of)
    venue = live_venue(account, environment=environment, clock=SystemClock(), random=Random(), hints=hints)  # noqa: S311 - spreads attempts in time
    try:
        yield venue
    finally:
        await venue.aclose()


async def looked_twice(reconciler: Reconciler, trigger: Trigger) -> Run:
    """Reconcile, and once more where something differs: a difference is believed at its second cut. Told as one run.

    Raises:
        AuthenticationFailed: The venue does not take our key.
        JournalFailed: The disk refused.
    """
    first = await reconciler.run(trigger)
    if first.comparison.status is not Status.DRIFT:
        return first
    second = await reconciler.run(trigger)
    return msgspec.structs.replace(
        second,
        began_at=first.began_at,
        took_ns=first.took_ns + second.took_ns,
        pulled=first.pulled,
        moves=[*first.moves, *second.moves],
        corrected=[*first.corrected, *second.corrected],
    )
