"""One suite for both ways to reach a paper account: in process and over a socket. What one does, the other does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec
import pytest

from tests.venues.paper.world import BTC, MAIN, World, limit_order, market_order
from trueup.model.errors import AuthenticationFailed, OutcomeUnknown, Rejected, Unavailable
from trueup.model.events import Fact, FillBooked, OrderReported
from trueup.model.identifiers import AccountId
from trueup.ports import Venue
from trueup.venues.paper.client import PaperClient
from trueup.venues.paper.exchange import PAGE
from trueup.venues.paper.faults import Disconnect, Drop, Duplicate, Outage, PartialSnapshot, TimeOut
from trueup.venues.paper.server import HOST, PaperServer
from trueup.venues.paper.venue import PaperAccount, PaperVenue

D = Decimal
Story = Callable[[World, PaperAccount], Awaitable[None]]
QUEUE = 8


@asynccontextmanager
async def in_process(world: World, account: AccountId) -> AsyncIterator[PaperAccount]:
    yield PaperVenue(world.exchange, account, clock=world.clock, random=Random(1), reports_max=QUEUE)


@asynccontextmanager
async def over_a_socket(world: World, account: AccountId) -> AsyncIterator[PaperAccount]:
    async with PaperServer(world.exchange, reports_max=QUEUE) as server:
        yield PaperClient(HOST, server.port, account, clock=world.clock, random=Random(1))


@pytest.fixture(params=[in_process, over_a_socket], ids=["in process", "over a socket"])
def tell(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Run a story against an account of a world."""

    def run(story: Story, world: World, account: AccountId = MAIN) -> None:
        async def main() -> None:
            async with request.param(world, account) as venue:
                await story(world, venue)

        world.exchange.unsubscribe(MAIN, world.ear)
        asyncio.run(main())

    return run


async def pages(venue: Venue, cursor: str | None = None) -> list[tuple[Sequence[Fact], str]]:
    return [page async for page in venue.history(cursor)]


def test_it_says_what_the_exchange_says(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        assert list(await venue.instruments()) == world.exchange.instruments(MAIN)
        placed = await venue.place(limit_order("buy", "1", "60000.5", "grid-1"))
        assert placed == world.exchange.find(MAIN, "grid-1") == await venue.find("grid-1")
        assert await venue.place(limit_order("buy", "1", "60000.5", "grid-1")) == placed
        assert await venue.find("grid-2") is None
        snapshot = await venue.snapshot()
        assert snapshot.account == venue.account == MAIN
        assert snapshot == world.exchange._desks[MAIN].served
        assert (await venue.cancel(placed.venue_order_id)).status == "canceled"
        (page, cursor), *rest = await pages(venue)
        assert list(page) == world.facts()
        assert [(list(facts), again) for facts, again in rest] == [(world.facts()[-1:], cursor)]

    tell(story, World())


def test_history_comes_in_pages_that_overlap(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        for _ in range(2 * PAGE):
            world.exchange.deposit(MAIN, "USDC", D(1))
        read = await pages(venue)
        assert [len(page) for page, _ in read] == [PAGE + 1, PAGE + 1, 2, 1]
        assert [read[0][0][0], *(fact for page, _ in read for fact in page[1:])] == world.facts()
        middle = await pages(venue, read[0][1])
        assert list(middle[0][0]) == list(read[1][0])
        with pytest.raises(Rejected, match="names no fact"):
            await pages(venue, "999999")

    tell(story, World())


def test_the_history_of_an_empty_account_is_one_empty_page(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        assert [(list(page), cursor) for page, cursor in await pages(venue)] == [([], "0")]

    tell(story, World(deposits={}))


def test_refusals_come_as_what_they_are(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        with pytest.raises(Rejected) as caught:
            await venue.place(market_order("buy", "0.0005"))
        assert caught.value.venue_code == "bad_quantity"
        assert caught.value.remedy == "Round the quantity to the market's step."
        with pytest.raises(Rejected) as unknown:
            await venue.place(msgspec.structs.replace(market_order("buy", "0.1"), time_in_force="post_only"))
        assert unknown.value.venue_code == "bad_time_in_force"
        with pytest.raises(OutcomeUnknown):
            await venue.place(market_order("buy", "0.1", "trend-1"))
        assert (await venue.find("trend-1")) is not None
        partial = await venue.snapshot()
        assert (partial.balances, partial.failed) == (None, {"balances": "the venue timed out"})
        world.step()
        for ask in (venue.snapshot, venue.instruments, venue.reports):
            with pytest.raises(Unavailable, match="down"):
                await ask()

    faults = (
        TimeOut(account=MAIN, nth=1, placed=True),
        PartialSnapshot(account=MAIN, part="balances"),
        Outage(account=MAIN, nth=1, for_ms=1_000),
    )
    tell(story, World(*faults))


def test_an_account_nobody_opened_is_refused(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        for ask in (venue.snapshot, venue.reports):
            with pytest.raises(AuthenticationFailed):
                await ask()

    tell(story, World(), AccountId("paper:nobody"))


def test_reports_come_as_they_happen_struck_or_not(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        world.trade("0.1")
        reports = await venue.reports()
        world.trade("1")
        heard = [await anext(reports) for _ in range(7)]
        kinds = [type(fact) for fact in heard]
        assert kinds == [OrderReported, FillBooked, OrderReported, OrderReported, FillBooked, FillBooked, OrderReported]
        assert [fact.venue_trade_id for fact in heard if isinstance(fact, FillBooked)] == ["2", "4", "4"]
        assert set(heard) <= set(world.facts())
        await reports.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(reports)

    tell(story, World(Drop(account=MAIN, nth=2), Duplicate(account=MAIN, nth=3)))


def test_a_disconnected_stream_gives_what_it_has_then_fails_and_can_be_opened_again(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        reports = await venue.reports()
        world.trade("0.1")
        world.step()
        assert [type(await anext(reports)) for _ in range(3)] == [OrderReported, FillBooked, OrderReported]
        with pytest.raises(Unavailable, match="closed the stream"):
            await anext(reports)
        world.trade("0.1")
        await reports.aclose()
        again = await venue.reports()
        world.trade("-0.2")
        assert isinstance(await anext(again), OrderReported)
        fill = await anext(again)
        assert isinstance(fill, FillBooked)
        assert fill.venue_trade_id == "3", "the second is in the history alone"
        await again.aclose()

    tell(story, World(Disconnect(account=MAIN, nth=1)))


def test_a_stream_that_falls_behind_ends_and_does_not_skip(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        reports = await venue.reports()
        for _ in range(QUEUE + 1):
            world.exchange.deposit(MAIN, "USDC", D(1))
        heard = [await anext(reports) for _ in range(QUEUE)]
        assert heard == world.facts()[-QUEUE - 1 : -1]
        with pytest.raises(Unavailable, match="fell 8 reports behind"):
            await anext(reports)
        assert world.exchange._desks[MAIN].feed.disconnect("over") is False, "nobody listens any more"
        await reports.aclose()

    tell(story, World())


def test_giving_up_on_a_report_loses_none(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        reports = await venue.reports()
        waiting = asyncio.ensure_future(anext(reports))
        await asyncio.wait([waiting], timeout=0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        world.exchange.deposit(MAIN, "USDC", D(7))
        assert await anext(reports) == world.facts()[-1]
        await reports.aclose()

    tell(story, World())


def test_many_calls_at_once_get_each_their_own_answer(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        orders = [limit_order("buy", "0.001", str(50_000 + number), f"grid-{number}") for number in range(40)]
        placed = await asyncio.gather(*(venue.place(order) for order in orders))
        assert [report.client_order_id for report in placed] == [order.client_order_id for order in orders]
        found = await asyncio.gather(*(venue.find(order.client_order_id) for order in orders))
        assert list(found) == list(placed)
        assert BTC in {report.instrument for report in placed}

    tell(story, World())
