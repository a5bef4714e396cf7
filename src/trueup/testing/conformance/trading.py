"""Checks of trading: orders do what was asked, and one whose answer was lost is found and never made twice."""

from collections.abc import Awaitable
from contextlib import suppress
from decimal import Decimal

import msgspec

from trueup.engine.pulling import pull
from trueup.engine.reconciling_live import reconcile_live
from trueup.model.differences import Status
from trueup.model.errors import OutcomeUnknown, Rejected
from trueup.model.events import OrderReported
from trueup.model.orders import Amendment, OrderRequest, OrderType, TimeInForce
from trueup.ports import LiveVenue
from trueup.testing.conformance.life import Books, books_of, held, orders_made, price_at, require_truth, trade
from trueup.testing.conformance.rig import NotConforming, Rig, require

OPEN = frozenset({"open", "partially_filled"})


async def check_a_market_order_trades_once(rig: Rig) -> None:
    """It is filled, carries our id, and stands in the book once, however it was heard of."""
    venue = await rig.venue()
    report = await venue.place(_order(rig, "buy", "one"))
    require(report.status == "filled", f"it is filled, and was reported {report.status}")
    require(report.filled == rig.lot == held(rig), f"{rig.lot} was traded, and {report.filled} reported")
    require(report.client_order_id == venue.client_id("one"), f"it carries our id, and not {report.client_order_id!r}")
    found = await venue.find("one")
    require(found is not None and found.venue_order_id == report.venue_order_id, "it is found by our id")
    with books_of(rig) as books:
        await pull(books.ledger, venue)
        require_truth(rig, books.ledger)


async def check_a_limit_order_rests_until_it_is_cancelled(rig: Rig) -> None:
    """It is among the open orders, is found, and ends by a cancel, which may be asked for again."""
    venue = await rig.venue()
    report = await venue.place(_limit(rig, "buy", "resting", "0.9"))
    require(report.status == "open", f"it rests, and was reported {report.status}")
    resting = (await venue.snapshot()).open_orders or {}
    require(set(resting) == {report.venue_order_id}, f"{report.venue_order_id} is open, and {set(resting)} was stated")
    require(resting[report.venue_order_id].price == price_at(rig, "0.9"), "at the price that was asked for")
    ended = await venue.cancel(rig.symbol, report.venue_order_id)
    require(ended is not None and ended.status == "canceled", f"the cancel ends it, and told {ended}")
    again = await venue.cancel(rig.symbol, report.venue_order_id)
    require(again is None or again.status == "canceled", f"a second cancel changes nothing, and told {again}")
    require(not (await venue.snapshot()).open_orders, "no order is open any more")
    found = await venue.find("resting")
    require(found is not None and found.status == "canceled", f"it is found as cancelled, and not {found}")


async def check_what_does_not_exist_is_none(rig: Rig) -> None:
    """An order that nobody placed is not found, and a cancel of one tells that there is none."""
    venue = await rig.venue()
    if venue.capabilities.find == "surely":
        require(await venue.find("never placed") is None, "an unknown id finds nothing")
    report = await venue.place(_limit(rig, "buy", "known", "0.9"))
    unknown = str(int("".join(filter(str.isdigit, report.venue_order_id)) or 0) + 1_000)
    require(await venue.cancel(rig.symbol, unknown) is None, "there is nothing to cancel")


async def check_a_refusal_is_told_with_the_venues_words(rig: Rig) -> None:
    """What the account cannot pay for is surely refused, and nothing is left of it."""
    venue = await rig.venue()
    error = await _rejection(venue.place(_limit(rig, "buy", "too much", "0.9", lots=1_000_000)))
    require(error.venue_code or error.venue_text, "the venue's own code or words are kept")
    require(not (await venue.snapshot()).open_orders, "no order is left of it")


async def check_times_in_force(rig: Rig) -> None:
    """What trades at once or not at all does not rest; what only rests does not trade."""
    venue = await rig.venue()
    offered = venue.capabilities.times_in_force
    if "ioc" in offered:
        await _require_ends(venue, _limit(rig, "buy", "ioc away", "0.9", force="ioc"))
        report = await venue.place(_limit(rig, "buy", "ioc near", "1.05", force="ioc"))
        require(report.status == "filled" and held(rig) == rig.lot, f"what can trade does, and was {report.status}")
    if "fok" in offered:
        before = held(rig)
        await _require_ends(venue, _limit(rig, "buy", "fok much", "1.0002", lots=150, force="fok"))
        require(held(rig) == before, "what cannot be filled whole is not filled at all")
    if "post_only" in offered:
        before = held(rig)
        await _require_ends(venue, _limit(rig, "buy", "crossing", "1.05", force="post_only"))
        require(held(rig) == before, "what would trade at once is refused")
        report = await venue.place(_limit(rig, "buy", "posted", "0.9", force="post_only"))
        require(report.status == "open", f"what rests is taken, and was {report.status}")


async def check_stops_rest_and_fire(rig: Rig) -> None:
    """A protective order waits at the venue, is listed with its trigger, and fires when the price gets there."""
    for kind, side_of, trigger, reached in _TRIGGERS:
        venue = await rig.venue()
        if kind not in venue.capabilities.order_types:
            continue
        trade(rig, "buy")
        at = price_at(rig, trigger)
        request = OrderRequest(
            rig.symbol,
            "sell",
            rig.lot,
            client_order_id=kind,
            order_type=kind,
            trigger_price=at,
            price=price_at(rig, "0.5") if kind == "stop_limit" else None,
            reduce_only=True,
        )
        report = await venue.place(request)
        require(report.status == "open", f"a {kind} {side_of} the price waits, and was {report.status}")
        shown = ((await venue.snapshot()).open_orders or {}).get(report.venue_order_id)
        require(shown is not None and shown.trigger_price == at, f"a {kind} is listed with its trigger, as {shown}")
        rig.exchange.move(rig.symbol, price_at(rig, reached))
        require(held(rig) == 0, f"a {kind} fires when the price is there, and {held(rig)} is held still")
        found = await venue.find(kind)
        require(found is not None and found.status == "filled", f"a {kind} that fired is found so, and not {found}")


async def check_amendments(rig: Rig) -> None:
    """A resting order gets another price and quantity, stays one order, and goes by our id all the while."""
    venue = await rig.venue()
    if not venue.capabilities.amends:
        return
    report = await venue.place(_limit(rig, "buy", "amended", "0.9"))
    changed = await venue.amend(
        rig.symbol, report.venue_order_id, Amendment(price=price_at(rig, "0.8"), quantity=2 * rig.lot)
    )
    resting = (await venue.snapshot()).open_orders or {}
    require(set(resting) == {changed.venue_order_id}, f"one order is open, and {set(resting)} was stated")
    (order,) = resting.values()
    require(
        (order.price, order.quantity) == (price_at(rig, "0.8"), 2 * rig.lot), f"it has the new terms, and not {order}"
    )
    found = await venue.find("amended")
    require(found is not None and found.venue_order_id == changed.venue_order_id, f"our id finds it, and not {found}")
    await _rejection(venue.amend(rig.symbol, changed.venue_order_id, Amendment(quantity=1_000_000 * rig.lot)))
    require(held(rig) == 0, "nothing traded meanwhile")


async def check_a_close_ends_flat_and_never_beyond(rig: Rig) -> None:
    """A position is closed whole, either way round; where there is none, the venue refuses."""
    venue = await rig.venue()
    for side in ("buy", "sell"):
        trade(rig, side, 3)
        report = await venue.close(rig.symbol, "net", f"close a {side}")
        require(report.status == "filled" and held(rig) == 0, f"it ends flat, and at {held(rig)}")
    await _rejection(venue.close(rig.symbol, "net", "close nothing"))
    require(held(rig) == 0, "nothing was opened")


async def check_an_order_without_an_answer_is_found_and_never_made_twice(rig: Rig) -> None:
    """Whether it was placed is unknown until it is looked up, and it is made once or not at all."""
    venue = await rig.venue()
    for acted in (True, False):
        made, name = orders_made(rig), f"lost {acted}"
        rig.lose("place", acted=acted)
        await _unknown(venue.place(_order(rig, "buy", name)))
        found = await venue.find(name)
        require((found is not None) == acted, f"it was {'placed' if acted else 'never placed'}, and {found} was found")
        require(orders_made(rig) - made == acted, f"it was made {orders_made(rig) - made} times")
    require(held(rig) == rig.lot, f"one of the two traded, and {held(rig)} is held")
    with books_of(rig) as books:
        await pull(books.ledger, venue)
        require_truth(rig, books.ledger)


async def check_a_cancel_without_an_answer_is_looked_up(rig: Rig) -> None:
    """Asking again is safe: the order is cancelled in the end, and found so."""
    venue = await rig.venue()
    for acted in (True, False):
        name = f"lost cancel {acted}"
        report = await venue.place(_limit(rig, "buy", name, "0.9"))
        rig.lose("cancel", acted=acted)
        with suppress(OutcomeUnknown):
            await venue.cancel(rig.symbol, report.venue_order_id)
        found = await venue.find(name)
        require(found is not None, "an order that was placed is found")
        if found is not None and found.status in OPEN:
            await venue.cancel(rig.symbol, report.venue_order_id)
            found = await venue.find(name)
        require(found is not None and found.status == "canceled", f"it is cancelled in the end, and was {found}")


async def check_long_and_short_are_held_side_by_side(rig: Rig) -> None:
    """Each side is opened, told and closed by itself, and the book agrees with the venue all the while."""
    venue = await rig.venue()
    await venue.instruments()
    with books_of(rig) as books:
        for side, position_side, lots in (("buy", "long", 3), ("sell", "short", 2)):
            order = _order(rig, side, f"open {position_side}")
            await venue.place(msgspec.structs.replace(order, quantity=lots * rig.lot, position_side=position_side))
        await _require_sides(books, venue, {"long": 3 * rig.lot, "short": -2 * rig.lot})
        require(venue.capabilities.hedges, "the venue says that it holds both sides")
        await venue.close(rig.symbol, "long", "close long")
        await _require_sides(books, venue, {"short": -2 * rig.lot})
        await venue.close(rig.symbol, "short", "close short")
        await _require_sides(books, venue, {})


async def _require_sides(books: Books, venue: LiveVenue, sides: dict[str, Decimal]) -> None:
    """Book and venue agree that this is held."""
    found = await reconcile_live(books.store, books.ledger, venue)
    differing = [f"{one.kind} {one.subject}: {one.direction}" for one in found.comparison.differences]
    require(found.comparison.status is Status.SYNCED, f"book and venue agree, and differ in {differing}")
    held = {side: one.quantity for (_, side), one in books.ledger.book.positions().items() if one.quantity}
    require(held == sides, f"{sides} is held, and the book has {held}")


HEDGING = (check_long_and_short_are_held_side_by_side,)

TRADING = (
    check_a_market_order_trades_once,
    check_a_limit_order_rests_until_it_is_cancelled,
    check_what_does_not_exist_is_none,
    check_a_refusal_is_told_with_the_venues_words,
    check_times_in_force,
    check_stops_rest_and_fire,
    check_amendments,
    check_a_close_ends_flat_and_never_beyond,
    check_an_order_without_an_answer_is_found_and_never_made_twice,
    check_a_cancel_without_an_answer_is_looked_up,
)

_TRIGGERS: tuple[tuple[OrderType, str, str, str], ...] = (
    ("stop", "below", "0.98", "0.97"),
    ("stop_limit", "below", "0.98", "0.97"),
    ("take_profit", "above", "1.02", "1.03"),
)
"""What is to fire of a long position, and shares of the price: the trigger, and where the price then goes."""


def _order(rig: Rig, side: str, name: str) -> OrderRequest:
    return OrderRequest(rig.symbol, "buy" if side == "buy" else "sell", rig.lot, client_order_id=name)


def _limit(rig: Rig, side: str, name: str, share: str, *, lots: int = 1, force: TimeInForce = "") -> OrderRequest:
    """An order with a limit at a share of the present price, which rests for as long as the venue lets it."""
    return OrderRequest(
        rig.symbol,
        "buy" if side == "buy" else "sell",
        lots * rig.lot,
        client_order_id=name,
        order_type="limit",
        price=price_at(rig, share),
        time_in_force=force,
    )


async def _require_ends(venue: LiveVenue, request: OrderRequest) -> None:
    """Refused, or taken and over at once without having traded."""
    try:
        report = await venue.place(request)
    except Rejected:
        return
    require(
        report.status in {"canceled", "expired", "rejected"} and not report.filled,
        f"{request.client_order_id} ends without a trade, and was {report.status} with {report.filled}",
    )


async def _rejection(asked: Awaitable[OrderReported]) -> Rejected:
    try:
        report = await asked
    except Rejected as error:
        return error
    raise NotConforming(f"it is refused, and was {report.status}")


async def _unknown(asked: Awaitable[OrderReported]) -> None:
    try:
        report = await asked
    except OutcomeUnknown:
        return
    raise NotConforming(f"without an answer the outcome is unknown, and it was told as {report.status}")
