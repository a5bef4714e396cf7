"""Which lists are asked for, and how much of each: what is not asked for is missed for ever, and no answer says so."""

import asyncio
import contextlib
from collections.abc import Sequence

import pytest

from tests.venues.ccxt.replay import Saved, replaying
from tests.venues.ccxt.worlds import NOW, WORLDS
from trueup.model.errors import Unavailable, VenueError
from trueup.model.events import Fact, FillBooked
from trueup.testing.servers.asgi import Request

DAY_MS = 86_400_000


def pulled(exchange: str, answers: Saved, days: int) -> tuple[Sequence[Fact], Sequence[Request]]:
    """What the history of some days says, and what was asked for it."""

    async def main() -> tuple[Sequence[Fact], Sequence[Request]]:
        async with replaying(exchange, answers) as (venue, replay):
            facts = [fact async for page, _ in venue.history(str(NOW - days * DAY_MS)) for fact in page]
            return facts, replay.asked

    return asyncio.run(main())


def test_trades_that_deribit_keeps_among_the_old_ones_are_told() -> None:
    """It keeps those of the last day apart, and gives those alone unless older ones are asked for by name."""
    world = WORLDS["deribit"]()
    name = "GET /api/v2/private/get_user_trades_by_currency_and_time"
    recent = next(answer for key, answer in world.items() if key.startswith(name) and b"trade_id" in answer)
    world = {key: answer for key, answer in world.items() if not key.startswith(name)}
    world[name] = recent.replace(b'"trade_id":"', b'"trade_id":"9')
    world[name + "?historical=true"] = recent
    facts, _ = pulled("deribit", world, days=3)
    told = {fact.venue_trade_id for fact in facts if isinstance(fact, FillBooked)}
    assert len(told) == 2


def test_bybit_is_asked_for_as_many_funding_payments_as_a_page_is_taken_for() -> None:
    """Its own page is shorter, and a page that was cut would be taken for all there is."""
    _, asked = pulled("bybit", WORLDS["bybit"](), days=3)
    limits = [one.query.get("limit") for one in asked if one.query.get("execType") == "Funding"]
    assert limits
    assert set(limits) == {"100"}


def test_where_each_instrument_has_a_list_no_history_is_told_while_what_is_held_is_not_known() -> None:
    """The cursor would pass by the trades of an instrument that nobody asked about."""
    world = WORLDS["bitget"]()
    world = {key: answer for key, answer in world.items() if "all-position" not in key}
    with pytest.raises(Unavailable, match="positions could not be read"):
        pulled("bitget", world, days=3)


def test_okx_is_asked_for_money_of_no_type_of_instrument_too() -> None:
    """A transfer has none, and ccxt would ask for what is of spot alone."""
    _, asked = pulled("okx", WORLDS["okx"](), days=3)
    ledger = [one.query for one in asked if one.path.endswith("bills-archive") and one.query.get("type") != "8"]
    assert ledger
    assert not any("instType" in query for query in ledger)


@pytest.mark.parametrize("exchange", ["bybit", "kucoinfutures"])
def test_open_orders_are_asked_for_as_they_are_counted(exchange: str) -> None:
    async def main() -> Sequence[Request]:
        async with replaying(exchange, WORLDS[exchange]()) as (venue, replay):
            await venue.snapshot()
            return replay.asked

    asked = asyncio.run(main())
    if exchange == "bybit":  # what settles in a coin settles in no dollar, which ccxt would ask for
        (inverse,) = (one for one in asked if one.path == "/v5/order/realtime" and one.query["category"] == "inverse")
        assert "settleCoin" not in inverse.query
    else:
        pages = {one.query["pageSize"] for one in asked if one.path in {"/api/v1/orders", "/api/v1/stopOrders"}}
        assert pages == {"50"}


def test_positions_that_are_margined_in_coins_are_not_asked_for_by_a_dollar() -> None:
    """None is, so the account would be taken for flat."""

    async def main() -> Sequence[Request]:
        async with replaying("bitget", WORLDS["bitget"]()) as (venue, replay):
            await venue.snapshot()
            return replay.asked

    asked = [one.query for one in asyncio.run(main()) if one.path.endswith("/all-position")]
    (coins,) = (query for query in asked if query["productType"] == "COIN-FUTURES")
    assert "marginCoin" not in coins


def test_an_order_that_is_looked_for_by_our_id_is_asked_for_by_no_other() -> None:
    """An id that is None would be sent as that word, and be the order that is looked for."""

    async def main() -> Sequence[Request]:
        async with replaying("bybit", WORLDS["bybit"]()) as (venue, replay):
            terms = (await venue.instruments())[0]
            venue._trading._remember("ours9", terms.symbol)
            with contextlib.suppress(VenueError):
                await venue.find("ours9")
            return replay.asked

    (asked,) = (one.query for one in asyncio.run(main()) if one.path == "/v5/order/realtime")
    assert asked["orderLinkId"] == "ours9"
    assert "orderId" not in asked
