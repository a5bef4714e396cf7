"""The small strategy: random orders around a bounded position, just enough to keep books and venues busy.

It knows only what the book knows. Client order ids are ``<strategy>-<number>`` with numbers that no earlier life of the
process can have used, so an order that may have been placed is never placed twice.
"""

import asyncio
from collections.abc import Mapping
from random import Random

from trueup.book.book import Book
from trueup.cli.demo.causes import Cause
from trueup.cli.demo.keeper import RETRY_S, Keeper
from trueup.cli.demo.world import DESKS, Desk
from trueup.model.errors import OutcomeUnknown, Rejected, Unavailable
from trueup.model.identifiers import AccountId, Side
from trueup.model.numbers import ZERO
from trueup.model.orders import OrderRequest
from trueup.model.times import NS_PER_SECOND
from trueup.ports import Clock

STEP_S = 0.01
ORDERS_PER_LIFE = 1_000_000
MARKET_ORDERS = 0.6
"""Share of orders that take what is offered at once; the others rest."""

RESTING_MAX = 4
RESTING_S = 2
LOOK_UPS_MAX = 50


class Trader:
    """Trades every desk of :data:`~trueup.cli.demo.world.DESKS` through the keepers' venues.

    Args:
        life: Which start of the process this is, counted from 1.
    """

    def __init__(self, keepers: Mapping[AccountId, Keeper], random: Random, clock: Clock, life: int) -> None:
        self._keepers = keepers
        self._random = random
        self._clock = clock
        self._number = life * ORDERS_PER_LIFE

    async def trade(self, ending: asyncio.Event) -> None:
        """Trade until the end is near."""
        while not ending.is_set():
            desk = self._random.choice(DESKS)
            keeper = self._keepers[desk.account]
            if keeper.listening:
                try:
                    await self._act(desk, keeper)
                except Unavailable:
                    await asyncio.sleep(RETRY_S)  # nothing was done; the keeper says that the venue is gone
            await asyncio.sleep(STEP_S)

    async def _act(self, desk: Desk, keeper: Keeper) -> None:
        """Cancel an order that has rested too long, or place a new one."""
        resting = [order for order in keeper.ledger.read(Book.open_orders).values() if order.client_order_id]
        stale = [order for order in resting if self._clock.now() - order.updated_at > RESTING_S * NS_PER_SECOND]
        try:
            if stale or len(resting) > RESTING_MAX:
                order = (stale or resting)[0]
                await keeper.venue.cancel(order.instrument, order.venue_order_id)
            else:
                await self._place(keeper, self._order(desk, keeper))
        except Rejected:
            pass  # no money for it, or nothing left to cancel: the answer is final, and nothing changed
        except OutcomeUnknown:
            pass  # of a cancel: if it was not done it is asked for again, which does no harm to one that was

    def _order(self, desk: Desk, keeper: Keeper) -> OrderRequest:
        position = keeper.ledger.read(lambda book: book.position(desk.instrument))
        held, price = position.quantity if position is not None else ZERO, keeper.last_prices.get(desk.instrument)
        # The more is held, the likelier a sale, and the other way round.
        side: Side = "buy" if desk.most * self._random.randint(-100, 100) > 100 * held else "sell"
        quantity = desk.lot * self._random.randint(1, desk.lots_max)
        self._number += 1
        name = f"{desk.strategy}-{self._number}"
        if price is None or self._random.random() < MARKET_ORDERS:
            return OrderRequest(desk.instrument, side, quantity, name)
        away = desk.tick * self._random.randint(2, 60)
        limit = price - away if side == "buy" else price + away
        return OrderRequest(desk.instrument, side, quantity, name, "limit", limit)

    async def _place(self, keeper: Keeper, request: OrderRequest) -> None:
        try:
            await keeper.venue.place(request)
        except OutcomeUnknown:
            await self._look_up(keeper, request)

    async def _look_up(self, keeper: Keeper, request: OrderRequest) -> None:
        """Learn what became of an order that timed out. Never by placing it again."""
        name = request.client_order_id
        for _ in range(LOOK_UPS_MAX):
            try:
                order = await keeper.venue.find(name)
            except Unavailable:
                await asyncio.sleep(RETRY_S)
                continue
            if order is None:
                keeper.found(Cause.TIMED_OUT, [name], f"{name}: the venue has no such order", "nothing: not sent again")
            else:
                await keeper.book([order])
                words = f"{name}: found by its client order id, {order.venue_order_id}, {order.status}"
                keeper.found(Cause.TIMED_OUT, [name, order.venue_order_id], words, "the order; it is not sent again")
            return
