"""Orders at Kite over a socket: taken, refused, lost, found by tag, and never made twice."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest

from tests.venues.zerodha.kite_rows import holding, position
from tests.venues.zerodha.live.loopback import NIFTY, SBIN, Loopback, Row, connected, refusal
from trueup.model.errors import AuthenticationFailed, OutcomeUnknown, RateLimited, Rejected, Unavailable, VenueError
from trueup.model.orders import Amendment, OrderRequest
from trueup.venues.zerodha import calls, desk, finding
from trueup.venues.zerodha.live import ZerodhaVenue

T = TypeVar("T")

PLACE, CANCEL = "POST /orders/regular", "DELETE /orders/regular/1"
ORDER = OrderRequest(NIFTY, "buy", Decimal(65), "entry 7")
LIMIT = OrderRequest(NIFTY, "buy", Decimal(65), "limit 7", order_type="limit", price=Decimal(24000))


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "PAUSES_S", (0.0, 0.0, 0.0))
    monkeypatch.setattr(finding, "SETTLE_S", 0.0)


def run(loopback: Loopback, story: Callable[[ZerodhaVenue], Awaitable[T]], **more: object) -> T:
    async def told() -> T:
        async with connected(loopback, **more) as venue:
            return await story(venue)

    return asyncio.run(told())


def resting(form: Row) -> list[Row]:
    del form
    return [{"status": "PUT ORDER REQ RECEIVED"}, {"status": "OPEN"}]


def words(*said: str) -> Callable[[Row], list[Row]]:
    return lambda _: [{"status": word} for word in said]


def listed(loopback: Loopback, **fields: object) -> Row:
    """An order of the day that somebody else placed."""
    form = {"exchange": "NFO", "tradingsymbol": "NIFTY26NOVFUT", "product": "NRML", "transaction_type": "BUY"}
    order_id = loopback.take({**form, "order_type": "LIMIT", "quantity": "65", "price": "24000", "validity": "DAY"})
    row = loopback.states[order_id][-1]
    row.update(fields)
    return row


def test_an_order_is_looked_at_until_it_has_arrived() -> None:
    loopback = Loopback()

    async def story(venue: ZerodhaVenue) -> None:
        report = await venue.place(ORDER)
        assert (report.status, report.filled, report.client_order_id) == (
            "filled",
            Decimal(65),
            venue.client_id("entry 7"),
        )

    run(loopback, story)
    assert loopback.forms == [calls.order_form(ORDER, calls.key_of(NIFTY), None)]


def test_a_rejection_after_it_was_taken_has_the_exchanges_words() -> None:
    loopback = Loopback(
        takes=lambda _: [{"status": "VALIDATION PENDING"}, {"status": "REJECTED", "status_message": "17: No"}]
    )
    with pytest.raises(Rejected, match="17: No") as caught:
        run(loopback, lambda venue: venue.place(ORDER))
    assert (caught.value.venue_code, caught.value.venue_text) == ("REJECTED", "17: No")


def test_what_is_still_on_its_way_in_the_end_is_reported_open() -> None:
    report = run(Loopback(takes=words("VALIDATION PENDING")), lambda venue: venue.place(LIMIT))
    assert (report.status, report.filled) == ("open", Decimal(0))


def test_asking_again_gives_the_first_order() -> None:
    loopback = Loopback()

    async def story(venue: ZerodhaVenue) -> None:
        first, second = await venue.place(ORDER), await venue.place(ORDER)
        assert first.venue_order_id == second.venue_order_id

    run(loopback, story)
    assert loopback.asked(PLACE) == 1


def test_an_order_of_whoever_ran_before_us_today_is_not_made_again() -> None:
    loopback = Loopback(takes=resting)
    listed(loopback, tag=calls.tag("limit 7"))
    report = run(loopback, lambda venue: venue.place(LIMIT))
    assert (report.venue_order_id, loopback.asked(PLACE)) == ("1", 0)


@pytest.mark.parametrize("acted", [True, False])
def test_a_lost_answer_leaves_the_outcome_open_and_a_second_try_looks_first(*, acted: bool) -> None:
    loopback = Loopback()

    def lost() -> tuple[int, None]:
        if acted:
            loopback.take(loopback.forms[-1])
        return 0, None

    loopback.say(PLACE, lost)

    async def story(venue: ZerodhaVenue) -> None:
        with pytest.raises(OutcomeUnknown):
            await venue.place(ORDER)
        found = await venue.find("entry 7")
        assert (found is not None) is acted
        assert (await venue.place(ORDER)).status == "filled"

    run(loopback, story)
    assert len(loopback.states) == 1


@pytest.mark.parametrize(
    ("status", "kind", "text", "error"),
    [
        (400, "InputException", "Invalid `quantity`.", Rejected),
        (400, "MarginException", "Insufficient funds.", Rejected),
        (500, "OrderException", "RMS: blocked", Rejected),
        (403, "TokenException", "Incorrect `api_key` or `access_token`.", AuthenticationFailed),
        (403, "PermissionException", "Insufficient permission for that call.", AuthenticationFailed),
        (403, "PermissionException", "IP 10.0.0.1 is not allowed to place orders for this app.", Rejected),
        (429, "NetworkException", "Too many requests", RateLimited),
        (502, "DataException", "Error from the OMS", OutcomeUnknown),
        (503, "NetworkException", "Gateway timed out", OutcomeUnknown),
        (500, "GeneralException", "Something went wrong", OutcomeUnknown),
        (200, "DataException", "Error from the OMS", OutcomeUnknown),
        (408, "", "", OutcomeUnknown),
    ],
)
def test_refusals_are_told_by_whose_fault_they_are(status: int, kind: str, text: str, error: type[VenueError]) -> None:
    loopback = Loopback()
    loopback.say(PLACE, refusal(status, kind, text))
    with pytest.raises(VenueError) as caught:
        run(loopback, lambda venue: venue.place(ORDER))
    assert type(caught.value) is error
    assert (caught.value.venue_code, caught.value.venue_text) == (kind or str(status), text)
    assert "planted" not in str(caught.value)


def test_the_static_address_is_named_where_it_is_the_reason() -> None:
    loopback = Loopback()
    loopback.say(PLACE, refusal(403, "PermissionException", "IP 10.0.0.1 is not allowed to place orders."))
    with pytest.raises(Rejected, match="registered static address"):
        run(loopback, lambda venue: venue.place(ORDER))


def test_an_order_that_failed_by_its_answer_and_is_there_is_given() -> None:
    loopback = Loopback()

    def taken() -> tuple[int, object]:
        loopback.take(loopback.forms[-1])
        return refusal(500, "OrderException", "corrupt fetch")

    loopback.say(PLACE, taken)
    report = run(loopback, lambda venue: venue.place(ORDER))
    assert (report.venue_order_id, report.status) == ("1", "filled")


@pytest.mark.parametrize("answer", [(503, "NetworkException"), (429, "NetworkException"), (403, "TokenException")])
def test_an_order_that_failed_by_its_answer_and_cannot_be_looked_up_may_be_there(answer: tuple[int, str]) -> None:
    loopback = Loopback()

    def taken() -> tuple[int, object]:
        loopback.take(loopback.forms[-1])
        loopback.say("GET /orders", *[refusal(*answer, "down")] * 8)
        return refusal(500, "OrderException", "corrupt fetch")

    loopback.say(PLACE, taken)
    with pytest.raises(OutcomeUnknown, match="corrupt fetch"):
        run(loopback, lambda venue: venue.place(ORDER))


def test_an_outcome_that_cannot_be_read_is_unknown() -> None:
    loopback = Loopback()
    loopback.say(PLACE, (200, {"nothing": 1}))
    with pytest.raises(OutcomeUnknown, match="cannot be read"):
        run(loopback, lambda venue: venue.place(ORDER))
    loopback.say("GET /orders/1", (200, []))
    with pytest.raises(OutcomeUnknown, match="no state of it is told"):
        run(loopback, lambda venue: venue.place(ORDER))


def test_nothing_is_sent_where_the_look_for_a_first_order_fails() -> None:
    loopback = Loopback()
    loopback.say("GET /orders", *[refusal(503, "NetworkException", "down")] * 8)
    with pytest.raises(Unavailable):
        run(loopback, lambda venue: venue.place(ORDER))
    assert loopback.asked(PLACE) == 0


def test_what_the_day_does_not_list_is_refused_before_it_is_sent() -> None:
    loopback = Loopback()
    with pytest.raises(Rejected, match="none of this name"):
        run(loopback, lambda venue: venue.place(OrderRequest("NFO.NIFTY25OCTFUT.NRML/INR:INR", "buy", Decimal(65))))
    assert loopback.requests == ["GET /instruments"]


def test_an_order_is_placed_where_the_days_instruments_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    report = run(Loopback(), lambda venue: venue.place(ORDER), folder=tmp_path / "file" / "below")
    assert report.status == "filled"


def test_what_is_urgent_does_not_wait_for_the_days_instruments() -> None:
    loopback = Loopback(takes=words("TRIGGER PENDING"), net=[position("NIFTY26NOVFUT", 65)])
    stop = OrderRequest(NIFTY, "sell", Decimal(65), order_type="stop", trigger_price=Decimal(24000), reduce_only=True)
    assert run(loopback, lambda venue: venue.place(stop)).status == "open"
    assert "GET /instruments" not in loopback.requests


@pytest.mark.parametrize(
    ("held", "side", "quantity"), [(0, "sell", 65), (65, "buy", 65), (65, "sell", 130), (-65, "sell", 65)]
)
def test_what_would_not_only_reduce_is_refused(held: int, side: str, quantity: int) -> None:
    loopback = Loopback(net=[position("NIFTY26NOVFUT", held)])
    request = OrderRequest(NIFTY, "sell" if side == "sell" else "buy", Decimal(quantity), reduce_only=True)
    with pytest.raises(Rejected, match="is held"):
        run(loopback, lambda venue: venue.place(request))
    assert loopback.asked(PLACE) == 0


def test_what_reduced_and_was_not_answered_is_given_and_not_refused_for_having_done_so() -> None:
    loopback = Loopback(net=[position("NIFTY26NOVFUT", 65)])
    reducing = OrderRequest(NIFTY, "sell", Decimal(65), "exit 7", reduce_only=True)

    def lost() -> tuple[int, None]:
        loopback.take(loopback.forms[-1])
        loopback.net = []
        return 0, None

    loopback.say(PLACE, lost)

    async def story(venue: ZerodhaVenue) -> None:
        with pytest.raises(OutcomeUnknown):
            await venue.place(reducing)
        assert (await venue.place(reducing)).status == "filled"

    run(loopback, story)
    assert loopback.asked(PLACE) == 1


def test_a_cancel_goes_out_first_and_is_waited_for() -> None:
    loopback = Loopback(takes=words("OPEN", "CANCEL PENDING", "CANCELLED"))
    listed(loopback)
    loopback.say(CANCEL, (200, {"order_id": "1"}))
    report = run(loopback, lambda venue: venue.cancel(NIFTY, "1"))
    assert report is not None
    assert report.status == "canceled"
    assert loopback.requests[0] == CANCEL


def test_a_cancel_of_what_ended_tells_how_and_of_nothing_tells_that() -> None:
    loopback = Loopback()
    listed(loopback)
    report = run(loopback, lambda venue: venue.cancel(NIFTY, "1"))
    assert report is not None
    assert report.status == "filled"
    assert run(loopback, lambda venue: venue.cancel(NIFTY, "77")) is None


def test_a_refused_cancel_of_what_still_rests_is_a_refusal() -> None:
    loopback = Loopback(takes=resting)
    listed(loopback)
    with pytest.raises(Rejected, match="Couldn't find"):
        run(loopback, lambda venue: venue.cancel(NIFTY, "1"))


def test_what_others_placed_in_another_way_is_cancelled_in_that_way() -> None:
    loopback = Loopback(takes=words("AMO REQ RECEIVED"))
    row = listed(loopback, variety="amo")

    def cancelled() -> tuple[int, object]:
        loopback.states["1"].append({**row, "status": "CANCELLED"})
        return 200, {"order_id": "1"}

    loopback.say("DELETE /orders/amo/1", cancelled)
    report = run(loopback, lambda venue: venue.cancel(NIFTY, "1"))
    assert report is not None
    assert report.status == "canceled"


def test_a_change_is_reported_once_it_shows() -> None:
    loopback = Loopback(takes=resting)
    row = listed(loopback)

    def changed() -> tuple[int, object]:
        loopback.states["1"] += [{**row, "status": "MODIFY PENDING"}, {**row, "price": 23900}]
        return 200, {"order_id": "1"}

    loopback.say("PUT /orders/regular/1", changed)
    report = run(loopback, lambda venue: venue.amend(NIFTY, "1", Amendment(price=Decimal(23900))))
    assert (report.venue_order_id, report.price, report.status) == ("1", Decimal(23900), "open")
    assert loopback.forms == [{"order_type": "LIMIT", "price": "23900"}]


def test_a_quantity_is_what_is_to_rest_beside_what_is_filled() -> None:
    loopback = Loopback(takes=resting)
    row = {**listed(loopback), "filled_quantity": 65}
    loopback.states["1"].append(row)

    def changed() -> tuple[int, object]:
        loopback.states["1"].append({**row, "quantity": 195})
        return 200, {"order_id": "1"}

    loopback.say("PUT /orders/regular/1", changed)
    report = run(loopback, lambda venue: venue.amend(NIFTY, "1", Amendment(quantity=Decimal(130))))
    assert loopback.forms[0]["quantity"] == "195"
    assert (report.quantity, report.filled) == (Decimal(195), Decimal(65))


def test_a_change_that_does_not_show_was_refused() -> None:
    loopback = Loopback(takes=resting)
    row = listed(loopback)
    loopback.states["1"].append({**row, "status_message": "too late"})
    loopback.say("PUT /orders/regular/1", (200, {"order_id": "1"}))
    with pytest.raises(Rejected, match="too late"):
        run(loopback, lambda venue: venue.amend(NIFTY, "1", Amendment(quantity=Decimal(130))))
    with pytest.raises(Rejected, match="unknown"):
        run(loopback, lambda venue: venue.amend(NIFTY, "9", Amendment(quantity=Decimal(130))))


def test_a_change_that_is_still_on_its_way_may_yet_be_made() -> None:
    loopback = Loopback(takes=resting)
    row = listed(loopback)
    loopback.states["1"].append({**row, "status": "MODIFY PENDING"})
    loopback.say("PUT /orders/regular/1", (200, {"order_id": "1"}))
    with pytest.raises(OutcomeUnknown, match="MODIFY PENDING"):
        run(loopback, lambda venue: venue.amend(NIFTY, "1", Amendment(price=Decimal(23900))))


def test_shares_are_closed_whole_what_was_held_and_what_was_bought_today() -> None:
    loopback = Loopback(
        net=[position("SBIN", 4, exchange="NSE", product="CNC"), position("SBIN", -9, exchange="NSE", product="MIS")],
        holdings=[holding("SBIN", 6)],
    )
    report = run(loopback, lambda venue: venue.close(SBIN, "net", "close 1"))
    assert (report.side, report.quantity, report.status) == ("sell", Decimal(10), "filled")
    assert loopback.forms[0]["product"] == "CNC"


def test_a_short_is_closed_in_its_own_product_and_what_is_flat_is_refused() -> None:
    loopback = Loopback(net=[position("NIFTY26NOVFUT", -130), position("NIFTY26NOVFUT", 65, product="MIS")])

    async def story(venue: ZerodhaVenue) -> None:
        report = await venue.close(NIFTY, "net", "close 1")
        assert (report.side, report.quantity) == ("buy", Decimal(130))
        loopback.net[0]["quantity"] = 0
        assert await venue.close(NIFTY, "net", "close 1") == report
        for side, name in (("net", "close 2"), ("long", "close 3")):
            with pytest.raises(Rejected, match="there is no position"):
                await venue.close(NIFTY, side, name)

    run(loopback, story)
    assert loopback.asked(PLACE) == 1


def test_positions_that_cannot_be_read_are_not_taken_for_flat() -> None:
    loopback = Loopback(net=[position("SBIN", "many", exchange="NSE", product="CNC")])
    with pytest.raises(VenueError, match="quantity"):
        run(loopback, lambda venue: venue.close(SBIN, "net", "close 1"))
    assert loopback.asked(PLACE) == 0


def test_of_several_orders_of_one_tag_the_newest_that_was_not_refused_is_found() -> None:
    loopback = Loopback(takes=resting)
    for status in ("CANCELLED", "OPEN", "REJECTED"):
        listed(loopback, tag="mine", status=status)
    found = run(loopback, lambda venue: venue.find("mine"))
    assert found is not None
    assert found.venue_order_id == "2"


def test_an_order_of_ours_that_cannot_be_read_is_not_taken_for_none() -> None:
    loopback = Loopback(takes=resting)
    listed(loopback, tag="mine", quantity="many")
    listed(loopback, tag=7, quantity="many")
    with pytest.raises(VenueError, match="quantity"):
        run(loopback, lambda venue: venue.find("mine"))
    assert run(loopback, lambda venue: venue.find("another")) is None


def test_tomorrow_todays_tags_are_read_again() -> None:
    loopback = Loopback()

    async def story(venue: ZerodhaVenue) -> None:
        await venue.place(ORDER)
        loopback.clock.skip(24)
        loopback.states.clear()
        listed(loopback, tag=calls.tag("of another"), status="COMPLETE", filled_quantity=65)
        report = await venue.place(OrderRequest(NIFTY, "buy", Decimal(65), "of another"))
        assert report.venue_order_id == "1"

    run(loopback, story)
    assert loopback.asked(PLACE) == 1
