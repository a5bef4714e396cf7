"""Orders through ccxt: what is sent, what is reported, and what is looked up when an answer leaves it open."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TypeVar

import msgspec
import pytest

from tests.venues.ccxt.replay import Replay, replaying, saved
from tests.venues.ccxt.worlds import NOW, WORLDS
from trueup.model.errors import BadInput, OutcomeUnknown, Rejected
from trueup.model.orders import Amendment, OrderRequest
from trueup.venues.ccxt.live import CcxtVenue
from trueup.venues.ccxt.orders import client_id, report
from trueup.venues.ccxt.trading import changed

BTC = "BTC/USDT:USDT"
ORDER = "/fapi/v1/order"
LIMIT = OrderRequest(BTC, "buy", Decimal("0.010"), "ours1", order_type="limit", price=Decimal(50_000))

T = TypeVar("T")


def answer(**changed: object) -> dict[str, object]:
    return {
        "symbol": "BTCUSDT", "orderId": 991, "clientOrderId": "ours1", "price": "50000", "origQty": "0.010",
        "executedQty": "0", "cumQty": "0", "cumQuote": "0", "avgPrice": "0", "status": "NEW", "timeInForce": "GTC",
        "type": "LIMIT", "side": "BUY", "positionSide": "BOTH", "reduceOnly": False, "stopPrice": "0",
        "origType": "LIMIT", "updateTime": NOW, "time": NOW, **changed,
    }  # fmt: skip


def at_binance(act: Callable[[CcxtVenue, Replay], Awaitable[T]]) -> T:
    async def main() -> T:
        async with replaying("binanceusdm", WORLDS["binanceusdm"]()) as (venue, replay):
            await venue.instruments()
            return await act(venue, replay)

    return asyncio.run(main())


def test_an_order_is_sent_as_it_was_asked_for() -> None:
    async def act(venue: CcxtVenue, replay: Replay) -> None:
        replay.answers[f"POST {ORDER}"] = saved(answer())
        report = await venue.place(LIMIT)
        assert (report.venue_order_id, report.status, report.client_order_id) == ("991", "open", "ours1")
        sent = replay.asked[-1].body.decode() or replay.asked[-1].raw_query
        for part in ("symbol=BTCUSDT", "side=BUY", "quantity=0.01", "price=50000", "newClientOrderId=ours1"):
            assert part in sent

    at_binance(act)


def test_an_order_is_never_rounded() -> None:
    async def act(venue: CcxtVenue, replay: Replay) -> None:
        before = len(replay.asked)
        for wrong in ({"quantity": Decimal("0.0101")}, {"price": Decimal("50000.05")}):
            with pytest.raises(Rejected, match="no multiple of"):
                await venue.place(msgspec.structs.replace(LIMIT, **wrong))
        assert len(replay.asked) == before

    at_binance(act)


def test_what_ccxt_would_round_by_a_rule_that_is_no_step_is_refused() -> None:
    async def act(venue: CcxtVenue, replay: Replay) -> None:
        exchange = venue._exchange
        exchange.price_to_precision = lambda _symbol, price: str(Decimal(price).quantize(Decimal(1)))
        before = len(replay.asked)
        with pytest.raises(Rejected, match=r"price=50000\.1 is finer than .* would send 50000\."):
            await venue.place(msgspec.structs.replace(LIMIT, price=Decimal("50000.1")))
        assert len(replay.asked) == before

    at_binance(act)


def test_a_market_order_is_reported_as_the_venue_then_states_it() -> None:
    async def act(venue: CcxtVenue, replay: Replay) -> None:
        replay.answers[f"POST {ORDER}"] = saved(answer(type="MARKET", price="0"))
        replay.answers[f"GET {ORDER}"] = saved(
            answer(type="MARKET", price="0", status="FILLED", executedQty="0.010", avgPrice="61000.5")
        )
        report = await venue.place(OrderRequest(BTC, "buy", Decimal("0.010"), "ours1"))
        assert (report.status, report.filled) == ("filled", Decimal("0.010"))

    at_binance(act)


def test_an_order_that_is_over_is_not_said_to_have_traded_nothing_where_that_is_not_stated() -> None:
    row = {"symbol": BTC, "id": "991", "side": "buy", "status": "closed", "amount": "0.010", "timestamp": NOW}

    async def act(venue: CcxtVenue, _replay: Replay) -> None:
        context = venue._session.context
        with pytest.raises(BadInput, match="filled"):
            report(context, row)
        with pytest.raises(BadInput, match="filled"):
            report(context, {**row, "filled": 0.01})  # a binary float is no amount, and not nothing either
        assert report(context, row, request=LIMIT, sent_at=NOW).status == "open"
        assert report(context, {**row, "filled": "0.010"}).status == "filled"

    at_binance(act)


def test_a_close_is_a_reduce_only_order_of_what_is_held() -> None:
    async def act(venue: CcxtVenue, replay: Replay) -> None:
        replay.answers[f"POST {ORDER}"] = saved(answer(status="FILLED", executedQty="0.014", origQty="0.014"))
        report = await venue.close(BTC, "net", "close1")
        assert (report.side, report.quantity, report.status) == ("buy", Decimal("0.014"), "filled")
        placed = next(request for request in replay.asked if request.method == "POST")
        assert "reduceOnly=true" in (placed.body.decode() or placed.raw_query)
        with pytest.raises(Rejected, match="no long position"):
            await venue.close(BTC, "long", "close2")

    at_binance(act)


def test_a_cancel_tells_how_much_was_filled() -> None:
    async def act(venue: CcxtVenue, replay: Replay) -> None:
        replay.answers[f"DELETE {ORDER}"] = saved(answer(status="CANCELED"))
        replay.answers[f"GET {ORDER}"] = saved(answer(status="CANCELED", executedQty="0.004"))
        report = await venue.cancel(BTC, "991")
        assert report is not None
        assert (report.status, report.filled) == ("canceled", Decimal("0.004"))

    at_binance(act)


def test_a_stop_that_only_its_own_calls_know_is_cancelled_by_them() -> None:
    """Binance and OKX keep orders with a trigger apart, and say of them elsewhere that there is no such order."""
    algo = {
        "algoId": 77, "clientAlgoId": "stop1", "algoType": "CONDITIONAL", "orderType": "STOP_MARKET",
        "symbol": "BTCUSDT", "side": "SELL", "positionSide": "BOTH", "timeInForce": "GTC", "quantity": "0.010",
        "algoStatus": "CANCELED", "triggerPrice": "40000", "price": "0", "reduceOnly": True, "createTime": NOW,
        "updateTime": NOW,
    }  # fmt: skip

    async def act(venue: CcxtVenue, replay: Replay) -> None:
        unknown = saved({"code": -2011, "msg": "Unknown order sent."})
        replay.answers[f"DELETE {ORDER}"] = replay.answers[f"GET {ORDER}"] = unknown
        replay.answers["DELETE /fapi/v1/algoOrder"] = saved({"algoId": 77, "code": "200", "msg": "success"})
        replay.answers["GET /fapi/v1/algoOrder"] = saved(algo)
        report = await venue.cancel(BTC, "77")
        assert report is not None
        assert (report.venue_order_id, report.status) == ("77", "canceled")
        assert any(one.method == "DELETE" and one.path == "/fapi/v1/algoOrder" for one in replay.asked)

    at_binance(act)


def test_a_side_of_a_position_is_written_as_the_exchange_writes_it() -> None:
    """OKX knows no LONG, and a position that is held there could not be closed."""

    async def main() -> None:
        async with replaying("okx", WORLDS["okx"]()) as (venue, replay):
            (terms, *_) = await venue.instruments()
            with pytest.raises(OutcomeUnknown):
                await venue.place(
                    OrderRequest(terms.symbol, "sell", Decimal(1), "ours1", reduce_only=True, position_side="long")
                )
            (placed,) = (msgspec.json.decode(one.body) for one in replay.asked if one.method == "POST")
            assert [order["posSide"] for order in placed] == ["long"]

    asyncio.run(main())


def test_what_an_exchange_is_not_known_to_take_is_not_sent() -> None:
    """A parameter that it does not know it would ignore, and a stop would trade at once."""

    async def main() -> None:
        for exchange, other in (
            ("deribit", {"order_type": "stop", "trigger_price": Decimal(40_000), "price": None}),
            ("bitget", {"order_type": "stop", "trigger_price": Decimal(4_000), "price": None}),
            ("krakenfutures", {"time_in_force": "ioc"}),  # ccxt would send an order that rests
            ("bybit", {"side": "sell", "position_side": "long"}),  # and one that opens a short position
        ):
            async with replaying(exchange, WORLDS[exchange]()) as (venue, replay):
                terms = (await venue.instruments())[0]
                request = msgspec.structs.replace(LIMIT, instrument=terms.symbol, quantity=Decimal(100), **other)
                with pytest.raises(Rejected, match="is not known to take it"):
                    await venue.place(request)
                assert {one.method for one in replay.asked} == {"GET"}
                assert not any("/private/sell" in one.path or "/private/buy" in one.path for one in replay.asked)

    asyncio.run(main())


def test_an_amendment_keeps_the_terms_that_it_does_not_change() -> None:
    async def act(venue: CcxtVenue, replay: Replay) -> None:
        replay.answers[f"GET {ORDER}"] = saved(answer())
        replay.answers[f"PUT {ORDER}"] = saved(answer(price="49000"))
        report = await venue.amend(BTC, "991", Amendment(price=Decimal(49_000)))
        assert (report.price, report.quantity, report.client_order_id) == (Decimal(49_000), Decimal("0.010"), "ours1")

    at_binance(act)


@pytest.mark.parametrize(("wanted", "sent"), [(None, "0.01"), (Decimal("0.010"), "0.014")])
def test_an_amendment_of_an_order_that_traded_in_part_says_what_is_to_rest_of_it(
    wanted: Decimal | None, sent: str
) -> None:
    async def act(venue: CcxtVenue, replay: Replay) -> None:
        partly = answer(status="PARTIALLY_FILLED", executedQty="0.004")
        replay.answers[f"GET {ORDER}"], replay.answers[f"PUT {ORDER}"] = saved(partly), saved(partly)
        resting = await venue.amend(BTC, "991", Amendment(quantity=wanted, price=Decimal(49_000)))
        (put,) = (one for one in replay.asked if one.method == "PUT")
        assert f"quantity={sent}&" in (put.body.decode() or put.raw_query)
        by_rest = changed(msgspec.structs.replace(resting, order_type="limit"), Amendment(wanted), rest=True)
        assert by_rest.quantity == (wanted or Decimal("0.006"))

    at_binance(act)


def test_an_order_that_was_placed_here_is_found_by_our_id() -> None:
    async def act(venue: CcxtVenue, replay: Replay) -> None:
        replay.answers[f"POST {ORDER}"], replay.answers[f"GET {ORDER}"] = saved(answer()), saved(answer())
        await venue.place(LIMIT)
        found = await venue.find("ours1")
        assert found is not None
        assert found.venue_order_id == "991"
        asked = replay.asked[-1]
        assert asked.query["origClientOrderId"] == "ours1"

    at_binance(act)


def test_an_open_order_of_an_earlier_program_is_found_by_our_id() -> None:
    async def act(venue: CcxtVenue, replay: Replay) -> None:
        found = await venue.find("ours77")
        assert found is not None
        assert (found.venue_order_id, found.status) == ("77", "partially_filled")

    at_binance(act)


def test_an_order_that_cannot_be_found_is_not_said_not_to_exist() -> None:
    async def act(venue: CcxtVenue, replay: Replay) -> None:
        replay.answers["GET /fapi/v1/allOrders"] = saved([])
        with pytest.raises(OutcomeUnknown, match="is among the open ones"):
            await venue.find("nobody placed this")

    at_binance(act)


def test_what_an_order_is_called_at_a_venue() -> None:
    assert client_id("plain", "Plain123") == "Plain123"
    assert client_id("hex", "0x" + 32 * "a") == "0x" + 32 * "a"
    for style, length in (("plain", 32), ("hex", 34)):
        named = client_id(style, "an id with spaces")
        assert len(named) == length
        assert named == client_id(style, "an id with spaces")
    assert not client_id("plain", "")
