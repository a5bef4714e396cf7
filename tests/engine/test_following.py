"""Following a venue: facts as they come, a pull for every gap, patience with bounds, and a clean stop."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import msgspec
import pytest

from tests.engine.scripted import ScriptedVenue
from tests.engine.world import ACCOUNT, PERP, fill, store_at
from trueup.engine import following
from trueup.engine.following import Follower, Pace
from trueup.engine.ledger import Ledger
from trueup.engine.pulling import Heard, unheard
from trueup.engine.receipts import Receipt
from trueup.model.errors import AuthenticationFailed, JournalDamaged, Malformed, RateLimited, Unavailable
from trueup.model.events import Fact
from trueup.model.identifiers import AccountId
from trueup.model.venues import Gap

HASTE = Pace(first_s=0.001, longest_s=0.002, failures_max=3, pull_s=3_600.0)
PATIENCE_S = 60.0


class Acknowledgements:
    """What a follower told, and a wait for it."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.booked = 0
        self._changed = asyncio.Event()

    def __call__(self, facts: Sequence[Fact], receipt: Receipt) -> None:
        self.facts += facts
        self.booked += receipt.booked
        self._changed.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.facts) < count:
                self._changed.clear()
                await self._changed.wait()


def follower(ledger: Ledger, venue: ScriptedVenue, told: Heard = unheard, pace: Pace = HASTE) -> Follower:
    return Follower(ledger, venue, random=Random(1), pace=pace, acknowledged=told)


@asynccontextmanager
async def running(following: Follower) -> AsyncIterator[None]:
    task = asyncio.create_task(following.run())
    try:
        async with asyncio.timeout(PATIENCE_S):
            await following.pulled.wait()
        yield
    finally:
        following.stop()
        async with asyncio.timeout(PATIENCE_S):
            await task


def quantity(ledger: Ledger) -> int:
    position = ledger.book.position(PERP.symbol)
    return 0 if position is None else int(position.quantity)


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not reached():  # noqa: ASYNC110 - the book has no event to wait for
            await asyncio.sleep(0)


def test_history_first_then_what_the_stream_says_each_once(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    ledger, venue = store.ledger(ACCOUNT), ScriptedVenue([fill(1), fill(2)])

    async def story() -> None:
        told = Acknowledgements()
        async with running(follower(ledger, venue, told)):
            venue.say(fill(2), fill(3))
            await told.until(2)
            assert (told.facts, told.booked) == ([fill(2), fill(3)], 1)

    asyncio.run(story())
    assert quantity(ledger) == 3
    assert (venue.opened, venue.closed) == (1, 1)
    store.close()


def test_a_gap_ends_in_a_pull(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    ledger, venue = store.ledger(ACCOUNT), ScriptedVenue([fill(1)])

    async def story() -> None:
        async with running(follower(ledger, venue)):
            asked = len(venue.asked)
            venue.facts += [fill(2), fill(3)]
            venue.say(Gap("something may be missing"), fill(3))
            await until(lambda: quantity(ledger) == 3 and len(venue.asked) > asked)

    asyncio.run(story())
    store.close()


def test_a_new_listing_is_defined_before_its_fill_is_booked(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    ledger, venue = store.ledger(ACCOUNT), ScriptedVenue()
    listed = msgspec.structs.replace(PERP, symbol="NEW/USDC:USDC", base="NEW")

    async def story() -> None:
        told = Acknowledgements()
        async with running(follower(ledger, venue, told)):
            venue.terms.append(listed)
            venue.say(msgspec.structs.replace(fill(1), instrument=listed.symbol))
            await told.until(1)

    asyncio.run(story())
    assert ledger.book.position(listed.symbol) is not None
    assert ledger.book.quarantined == 0
    store.close()


def test_a_lost_stream_is_opened_again_and_the_gap_pulled(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    ledger, venue = store.ledger(ACCOUNT), ScriptedVenue()

    async def story() -> None:
        async with running(follower(ledger, venue)):
            for number in range(1, 10):  # more often than failures in a row are borne
                venue.facts.append(fill(number))
                venue.say(Unavailable("lost") if number % 2 else RateLimited("too often"))
                await until(lambda: quantity(ledger) == number)  # noqa: B023 - awaited here

    asyncio.run(story())
    assert venue.opened == 10
    store.close()


def test_a_venue_that_cannot_be_reached_is_asked_again_within_bounds(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    ledger, venue = store.ledger(ACCOUNT), ScriptedVenue([fill(1)])
    venue.failures.extend([Unavailable("down")] * HASTE.failures_max)

    async def story() -> None:
        async with running(follower(ledger, venue)):
            assert quantity(ledger) == 1

    asyncio.run(story())
    venue = ScriptedVenue()
    venue.failures.extend([Unavailable("down for long")] * (HASTE.failures_max + 1))
    with pytest.raises(Unavailable, match="down for long"):
        asyncio.run(follower(ledger, venue).run())
    store.close()


class DeadStream(ScriptedVenue):
    """Its stream says nothing and ends, plainly or with an error."""

    error: Exception | None = None
    said: Sequence[Fact] = ()

    async def stream(self) -> AsyncGenerator[Fact | Gap, None]:
        self.opened += 1
        if self.error is not None:
            raise self.error
        for item in self.said:
            yield item


@pytest.mark.parametrize("error", [None, Unavailable("gone")])
def test_a_stream_that_never_delivers_ends_the_following_in_the_end(tmp_path: Path, error: Exception | None) -> None:
    store = store_at(tmp_path)
    venue = DeadStream([fill(1)])
    venue.error = error
    with pytest.raises(Unavailable):
        asyncio.run(follower(store.ledger(ACCOUNT), venue).run())
    assert venue.opened == HASTE.failures_max + 1
    store.close()


@pytest.mark.parametrize("refusal", [AuthenticationFailed("who are you?"), Malformed("what?")])
def test_what_does_not_go_by_itself_ends_the_following(tmp_path: Path, refusal: Exception) -> None:
    store = store_at(tmp_path)
    ledger, venue = store.ledger(ACCOUNT), ScriptedVenue()
    venue.say(refusal)
    with pytest.raises(type(refusal)):
        asyncio.run(follower(ledger, venue).run())
    pulls = ScriptedVenue()
    pulls.failures.append(refusal)
    with pytest.raises(type(refusal)):
        asyncio.run(follower(ledger, pulls).run())
    store.close()


def test_a_venue_without_a_stream_is_pulled_again_and_again(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    ledger, venue = store.ledger(ACCOUNT), ScriptedVenue([fill(1)], streams=False)

    async def story() -> None:
        pace = msgspec.structs.replace(HASTE, pull_s=0.01)
        async with running(follower(ledger, venue, pace=pace)):
            venue.facts.append(fill(2))
            await until(lambda: quantity(ledger) == 2)

    asyncio.run(story())
    assert venue.opened == 0
    store.close()


def test_a_fenced_ledger_ends_the_following(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    ledger, venue = store.ledger(ACCOUNT), ScriptedVenue()
    ledger.fence(JournalDamaged("rot"))
    with pytest.raises(JournalDamaged):
        asyncio.run(follower(ledger, venue).run())
    store.close()


def test_a_stop_does_not_wait_for_a_venue_that_is_down(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    ledger, venue = store.ledger(ACCOUNT), ScriptedVenue()
    venue.failures.extend([Unavailable("down")] * 9)

    async def story() -> None:
        pace = msgspec.structs.replace(HASTE, first_s=3_600.0, longest_s=3_600.0)
        following = follower(ledger, venue, pace=pace)
        task = asyncio.create_task(following.run())
        await until(lambda: len(venue.asked) == 1)
        following.stop()
        async with asyncio.timeout(PATIENCE_S):
            await task

    asyncio.run(story())
    store.close()


def test_a_full_inbox_makes_the_stream_wait_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "QUEUE_MAX", 3)
    store = store_at(tmp_path)
    ledger, venue = store.ledger(ACCOUNT), ScriptedVenue()

    async def story() -> None:
        told = Acknowledgements()
        async with running(follower(ledger, venue, told)):
            venue.say(*(fill(number) for number in range(1, 41)))
            await told.until(40)

    asyncio.run(story())
    assert quantity(ledger) == 40
    store.close()


def test_accounts_are_followed_side_by_side(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    venues = [ScriptedVenue(), ScriptedVenue()]
    venues[1].account = AccountId("paper:two")

    async def story() -> None:
        first, second = (follower(store.ledger(venue.account), venue) for venue in venues)
        async with running(first), running(second):
            venues[0].say(fill(1))
            venues[1].say(*(msgspec.structs.replace(fill(number), account=venues[1].account) for number in (1, 2)))
            await until(lambda: [quantity(store.ledger(venue.account)) for venue in venues] == [1, 2])

    asyncio.run(story())
    store.close()
