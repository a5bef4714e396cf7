"""Looking at an account: its history into the book, then the venue's state, until nothing happens in between."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from trueup.engine.door import Fate
from trueup.engine.ledger import Ledger
from trueup.engine.pulling import Progress, Pull, pull
from trueup.engine.receipts import Receipt
from trueup.model.differences import VenueSnapshot
from trueup.model.errors import AuthenticationFailed, VenueError
from trueup.model.events import Fact
from trueup.model.instruments import Instrument
from trueup.ports import LiveVenue

LOOKS_MAX = 5
"""Looks at an account that goes on trading; the last one counts, whatever happened meanwhile."""

NEWS_MAX = 10_000
"""Facts of a pull that are remembered as the causes of what they put right; of more the newest."""


class Look(msgspec.Struct):
    """What the venue said.

    Attributes:
        snapshot: Its newest answer; what could not be asked is named in ``failed``.
        pulled: What was booked on the way, all pulls together.
        looks: How often the account was looked at; with :data:`LOOKS_MAX` it may have traded even then.
        news: The facts that the book did not have before.
        terms: Of instruments that were not booked.
    """

    snapshot: VenueSnapshot
    pulled: Pull
    looks: int = 0
    news: list[Fact] = msgspec.field(default_factory=list)
    terms: Mapping[str, Instrument] = msgspec.field(default_factory=dict)

    def heard(self, facts: Sequence[Fact], receipt: Receipt) -> None:
        """Remember what was new of a page."""
        self.news += (fact for fact, fate in zip(facts, receipt.fates, strict=True) if fate is Fate.BOOKED)
        del self.news[:-NEWS_MAX]

    def failed(self, why: str) -> None:
        """The venue could not be asked: whatever it said before may be half of the truth."""
        self.snapshot = replace(self.snapshot, failed={**self.snapshot.failed, "venue": why})


async def glance(ledger: Ledger, venue: LiveVenue, *, patience_s: float) -> Look:
    """The venue's state alone: nothing is pulled, as the stream has just told what happened.

    Raises:
        AuthenticationFailed: The venue does not take our key.
    """
    seen = Look(VenueSnapshot(ledger.account), Pull(ledger.account))

    async def asked() -> None:
        seen.snapshot, seen.looks = await venue.snapshot(), 1

    await _patiently(seen, asked(), patience_s)
    return seen


async def look(ledger: Ledger, venue: LiveVenue, progress: Progress, *, books: bool, patience_s: float) -> Look:
    """Look at an account.

    A venue that cannot be asked, or takes too long, makes an answer that says so.

    Args:
        ledger: Of the account.
        venue: To be asked.
        progress: Told how far the pull has come.
        books: Whether what the history tells is booked; else it is not asked for.
        patience_s: How long all of it may take.

    Raises:
        AuthenticationFailed: The venue does not take our key.
        JournalFailed: The disk refused.
    """
    seen = Look(VenueSnapshot(ledger.account), Pull(ledger.account))
    await _patiently(seen, _until_quiet(seen, ledger, venue, progress) if books else _once(seen, venue), patience_s)
    return seen


async def _patiently(seen: Look, asking: Awaitable[None], patience_s: float) -> None:
    try:
        async with asyncio.timeout(patience_s):
            await asking
    except AuthenticationFailed:
        raise
    except VenueError as error:
        seen.failed(error.message)
    except TimeoutError:
        seen.failed(f"it did not answer within {patience_s:g} s")


async def _once(seen: Look, venue: LiveVenue) -> None:
    seen.terms = {terms.symbol: terms for terms in await venue.instruments()}
    seen.snapshot, seen.looks = await venue.snapshot(), 1


async def _until_quiet(seen: Look, ledger: Ledger, venue: LiveVenue, progress: Progress) -> None:
    seen.pulled.add(await pull(ledger, venue, progress, heard=seen.heard))
    for seen.looks in range(1, LOOKS_MAX + 1):
        seen.snapshot = await venue.snapshot()
        after = await pull(ledger, venue, progress, listed=True, heard=seen.heard)
        seen.pulled.add(after)
        if not after.booked:
            return
