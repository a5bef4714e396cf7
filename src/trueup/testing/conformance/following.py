"""Checks of streams: every connection begins with a gap, and following one, whatever breaks, ends in the truth."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

from trueup.engine.following import Follower, Pace
from trueup.engine.ledger import Ledger
from trueup.model.errors import OutcomeUnknown, RateLimited, Unavailable
from trueup.model.events import Fact, FillBooked
from trueup.model.orders import OrderRequest
from trueup.model.venues import Gap
from trueup.ports import FactStream, LiveVenue
from trueup.testing.conformance.life import PATIENCE_S, books_of, live, orders_made, trade, until_true
from trueup.testing.conformance.rig import NotConforming, Rig, require

PACE = Pace(first_s=0.05, longest_s=1.0, pull_s=3_600.0)
"""Without pulls that nothing asks for: what the stream does not tell has to come by its gaps."""

ROUNDS = 6


async def check_every_connection_begins_with_a_gap(rig: Rig) -> None:
    """Also the first, and again after everybody was hung up on; then what happens is told as it happens.

    A venue that streams no fills tells a gap for each: the history has it.
    """
    venue = await rig.venue()
    if not venue.capabilities.streams:
        return
    stream = venue.stream()
    try:
        for _ in range(2):
            require(isinstance(await _next(stream), Gap), "a connection begins with a gap")
            trade(rig, "buy")
            await _next_trade(stream)
            await rig.cut()
            await _next_gap(stream)
            trade(rig, "sell")
            await _next_trade(stream)
            await stream.aclose()
            stream = venue.stream()
    finally:
        await stream.aclose()


async def check_following_ends_in_the_truth(rig: Rig) -> None:
    """History first, then the stream: trades, money and orders are in the book soon after they happen."""
    live(rig)
    venue = await rig.venue()
    with books_of(rig) as books:
        async with _following(books.ledger, venue) as follower:
            await until_true(rig, books.ledger)
            for number in range(ROUNDS):
                await venue.place(OrderRequest(rig.symbol, "buy", rig.lot, client_order_id=f"followed {number}"))
                trade(rig, "sell")
                await until_true(rig, books.ledger)
            live(rig)
            await until_true(rig, books.ledger)
            require(follower.last_pull is not None, "the history was pulled")


async def check_what_happens_while_nobody_listens_is_pulled(rig: Rig) -> None:
    """The stream is cut off, life goes on, and the gap it begins with again brings the rest."""
    venue = await rig.venue()
    with books_of(rig) as books:
        async with _following(books.ledger, venue):
            for _ in range(ROUNDS):
                await rig.cut()
                live(rig)
                await until_true(rig, books.ledger)


async def check_following_while_trading_under_cuts(rig: Rig) -> None:
    """We trade, others trade, connections break at any message: each order is made once, and the book is true."""
    venue = await rig.venue()
    made = orders_made(rig)
    with books_of(rig) as books:
        async with _following(books.ledger, venue):
            for number in range(ROUNDS):
                name = f"under cuts {number}"
                rig.cut_at(1 + number, acted=number % 2 == 0)
                trade(rig, "sell")
                await _made_once(venue, OrderRequest(rig.symbol, "buy", rig.lot, client_order_id=name))
            rig.cut_at(0, acted=False)
            trade(rig, "sell")
            await until_true(rig, books.ledger)
    require(orders_made(rig) - made == 2 * ROUNDS + 1, f"orders were made {orders_made(rig) - made} times")


FOLLOWING = (
    check_every_connection_begins_with_a_gap,
    check_following_ends_in_the_truth,
    check_what_happens_while_nobody_listens_is_pulled,
    check_following_while_trading_under_cuts,
)


@asynccontextmanager
async def _following(ledger: Ledger, venue: LiveVenue) -> AsyncIterator[Follower]:
    """An account that is followed for the length of a block; it must not end by itself."""
    follower = Follower(ledger, venue, random=Random(1), pace=PACE)
    task = asyncio.create_task(follower.run())
    try:
        yield follower
    finally:
        follower.stop()
        async with asyncio.timeout(PATIENCE_S):
            await task


async def _made_once(venue: LiveVenue, request: OrderRequest) -> None:
    """Place an order as its manager would: look it up where the outcome is unknown, place it where it surely is not."""
    while True:
        try:
            await venue.place(request)
            return
        except (Unavailable, RateLimited):
            continue
        except OutcomeUnknown:
            if await _persistent(lambda: venue.find(request.client_order_id)) is not None:
                return


async def _persistent(ask: Callable[[], Awaitable[object]]) -> object:
    """An answer in the end, where asking is safe."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await ask()
            except (Unavailable, RateLimited):
                await asyncio.sleep(0.01)


async def _next(stream: FactStream) -> Fact | Gap:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await anext(stream)
    except TimeoutError:
        raise NotConforming(f"for {PATIENCE_S:g} s the stream says nothing") from None


async def _next_trade(stream: FactStream) -> None:
    while not isinstance(await _next(stream), FillBooked | Gap):
        pass


async def _next_gap(stream: FactStream) -> None:
    while not isinstance(await _next(stream), Gap):
        pass
