"""One suite for both ways to reach a paper account: in process and over a socket. What one does, the other does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal
from random import Random

import msgspec
import pytest

from tests.venues.paper.world import BTC, MAIN, World, limit_order, market_order
from trueup.model.errors import AuthenticationFailed, OutcomeUnknown, Rejected, Unavailable
from trueup.model.events import Fact, FillBooked, OrderReported
from trueup.model.facts import fact_key
from trueup.model.identifiers import AccountId
from trueup.model.orders import Amendment, OrderRequest, OrderType
from trueup.model.venues import Gap
from trueup.ports import LiveVenue, Venue
from trueup.venues.paper.client import PaperClient
from trueup.venues.paper.exchange import PAGE
from trueup.venues.paper.faults import Disconnect, Drop, Duplicate, Outage, PartialSnapshot, TimeOut
from trueup.venues.paper.server import HOST, PaperServer
from trueup.venues.paper.venue import CAPABILITIES, PaperAccount, PaperVenue

D = Decimal
Story = Callable[[World, PaperAccount], Awaitable[None]]
QUEUE = 8
CONNECTED = Gap("connected")


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


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0.01)


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
        canceled = await venue.cancel(BTC, placed.venue_order_id)
        assert canceled is not None
        assert canceled.status == "canceled"
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
        for ask in (venue.snapshot, venue.instruments):
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
        for ask in (venue.snapshot, venue.check, venue.stream().__anext__):
            with pytest.raises(AuthenticationFailed):
                await ask()

    tell(story, World(), AccountId("paper:nobody"))


def test_a_stream_begins_with_a_gap_and_tells_what_happens_struck_or_not(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        world.trade("0.1")
        async with aclosing(venue.stream()) as stream:
            assert await anext(stream) == CONNECTED
            world.trade("1")
            heard = [await anext(stream) for _ in range(7)]
            kinds = [type(fact) for fact in heard]
            fill = [OrderReported, FillBooked, OrderReported]
            assert kinds == [*fill, *fill[:2], FillBooked, OrderReported]
            assert [fact.venue_trade_id for fact in heard if isinstance(fact, FillBooked)] == ["2", "4", "4"]
            assert {fact_key(fact) for fact in heard if not isinstance(fact, Gap)} <= {
                fact_key(fact) for fact in world.facts()
            }
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    tell(story, World(Drop(account=MAIN, nth=2), Duplicate(account=MAIN, nth=3)))


def test_a_lost_stream_gives_what_it_has_and_comes_back_with_a_gap(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        async with aclosing(venue.stream()) as stream:
            assert await anext(stream) == CONNECTED
            world.trade("0.1")
            world.step()
            world.trade("0.1")
            heard = [await anext(stream) for _ in range(4)]
            assert [type(item) for item in heard] == [OrderReported, FillBooked, OrderReported, Gap]
            assert "closed the stream" in venue.health["stream"].last_error
            world.trade("-0.2")
            assert isinstance(await anext(stream), OrderReported)
            fill = await anext(stream)
            assert isinstance(fill, FillBooked)
            assert fill.venue_trade_id == "3", "the second is in the history alone"

    tell(story, World(Disconnect(account=MAIN, nth=1)))


def test_a_stream_outlives_an_outage(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        world.trade("0.1")
        world.step()
        async with aclosing(venue.stream()) as stream:
            first = asyncio.ensure_future(anext(stream))
            await until(lambda: venue.health["stream"].errors > 0)
            assert venue.health["stream"].connected is False
            world.step(1_000)
            assert await first == CONNECTED
            assert venue.health["stream"].connected is True

    tell(story, World(Outage(account=MAIN, nth=1, for_ms=1_000)))


def test_a_stream_that_falls_behind_is_a_gap_and_does_not_skip(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        async with aclosing(venue.stream()) as stream:
            assert await anext(stream) == CONNECTED
            for _ in range(QUEUE + 1):
                world.exchange.deposit(MAIN, "USDC", D(1))
            heard = [await anext(stream) for _ in range(QUEUE + 1)]
            assert heard == [*world.facts()[-QUEUE - 1 : -1], CONNECTED]
            assert "fell 8 reports behind" in venue.health["stream"].last_error

    tell(story, World())


def test_an_account_that_is_closed_ends_its_streams_and_nobody_listens_any_more(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        stream = venue.stream()
        assert await anext(stream) == CONNECTED
        await venue.aclose()
        assert [item async for item in stream] == []
        await until(lambda: not world.exchange._desks[MAIN].feed._listeners)

    tell(story, World())


def test_giving_up_on_a_report_loses_none(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        async with aclosing(venue.stream()) as stream:
            assert await anext(stream) == CONNECTED
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.wait([waiting], timeout=0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            world.exchange.deposit(MAIN, "USDC", D(7))
            assert await anext(stream) == world.facts()[-1]

    tell(story, World())


def test_orders_are_amended_positions_closed_and_prices_told(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        resting = await venue.place(limit_order("buy", "1", "50000", "grid-1"))
        amended = await venue.amend(BTC, resting.venue_order_id, Amendment(price=D(49_000)))
        assert (amended.price, amended.quantity, amended.client_order_id) == (D(49_000), D(1), "grid-1")
        assert await venue.find("grid-1") == amended
        await venue.place(market_order("buy", "0.1", "trend-1"))
        closing = await venue.close(BTC, "net", "trend-2")
        assert (closing.status, closing.side, closing.quantity) == ("filled", "sell", D("0.1"))
        assert [(fill.side, fill.quantity) for fill in world.fills()] == [("buy", D("0.1")), ("sell", D("0.1"))]
        with pytest.raises(Rejected):
            await venue.close(BTC, "net", "trend-3")
        assert [(mark.instrument, mark.price) for mark in await venue.marks([BTC, "DOGE/USDC"])] == [
            (BTC, world.exchange.prices[BTC])
        ]

    tell(story, World())


def test_an_order_nobody_placed_is_unknown_and_other_refusals_stay_refusals(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        assert await venue.cancel(BTC, "order-99") is None
        with pytest.raises(Rejected):
            await venue.amend(BTC, "order-99", Amendment(price=D(1)))

    tell(story, World())


def test_it_is_a_live_venue_that_says_what_it_offers_and_how_it_is_reached(tell: Callable[..., None]) -> None:
    async def story(world: World, venue: LiveVenue) -> None:
        assert venue.capabilities.find == "surely"
        assert (list(venue.warnings), list(venue.refused())) == ([], [])
        assert venue.client_id("trend-1") == "trend-1"
        first, _ = await venue.check()
        assert first == "paper:main is open at the paper venue, which trades 4 instruments."
        assert isinstance(venue, PaperAccount)
        assert (venue.health["rest"].messages, venue.health["rest"].errors) == (1, 0)
        with pytest.raises(Rejected):
            await venue.place(market_order("buy", "0.0005"))
        assert "step" in venue.health["rest"].last_error

    tell(story, World())


@pytest.mark.parametrize("kind", sorted(CAPABILITIES.order_types))
def test_every_kind_of_order_that_it_says_it_takes_is_taken(kind: OrderType, tell: Callable[..., None]) -> None:
    async def story(world: World, venue: PaperAccount) -> None:
        price = D(50_000) if kind in {"limit", "stop_limit"} else None
        trigger = {"take_profit": D(50_000), "stop": D(70_000), "stop_limit": D(70_000)}.get(kind)
        report = await venue.place(OrderRequest(BTC, "buy", D("0.1"), "trend-1", kind, price, trigger))
        assert report.status == ("filled" if kind == "market" else "open")

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
