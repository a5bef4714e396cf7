"""What ccxt's exceptions come to: for an order only a sure refusal is one, and no message holds a secret."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from tests.venues.ccxt.replay import CREDENTIALS, Replay, replaying, saved
from tests.venues.ccxt.worlds import WORLDS
from trueup.model.errors import (
    AuthenticationFailed,
    Malformed,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
    VenueError,
)
from trueup.model.orders import OrderRequest
from trueup.venues.ccxt.errors import judge
from trueup.venues.ccxt.live import CcxtVenue

BTC = "BTC/USDT:USDT"
PLACED = "POST /fapi/v1/order"
ORDER = OrderRequest(BTC, "buy", Decimal("0.010"), "ours", order_type="limit", price=Decimal(50_000))


@asynccontextmanager
async def binance() -> AsyncIterator[tuple[CcxtVenue, Replay]]:
    async with replaying("binanceusdm", WORLDS["binanceusdm"]()) as (venue, replay):
        await venue.instruments()
        yield venue, replay


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"code": -1111, "msg": "Precision is over the maximum defined for this asset."}, Rejected),
        (400, {"code": -2010, "msg": "NEW_ORDER_REJECTED"}, Rejected),
        (401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}, AuthenticationFailed),
        (429, {"code": -1003, "msg": "Too many requests"}, RateLimited),
        (400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}, Unavailable),
        (408, {"code": -1007, "msg": "Timeout waiting for response from backend server."}, OutcomeUnknown),
        (500, {"code": -1000, "msg": "An unknown error occurred"}, OutcomeUnknown),
        (503, {"msg": "Unknown error, please check your request or try again later."}, OutcomeUnknown),
        (400, {"code": -987654, "msg": "a code that nobody knows"}, OutcomeUnknown),
        (200, {"no": "order"}, OutcomeUnknown),
        (200, "no JSON object", OutcomeUnknown),
    ],
)
def test_what_an_answer_to_an_order_means(status: int, body: object, error: type[VenueError]) -> None:
    async def main() -> None:
        async with binance() as (venue, replay):
            replay.answers[PLACED], replay.status = saved(body), status
            with pytest.raises(error) as told:
                await venue.place(ORDER)
            assert type(told.value) is error
            assert [request.method for request in replay.asked].count("POST") == 1
            for secret in CREDENTIALS.values():
                assert secret not in str(told.value)

    asyncio.run(main())


def test_an_order_whose_connection_breaks_is_not_repeated_and_its_outcome_unknown() -> None:
    async def main() -> None:
        async with binance() as (venue, _):
            asked = asyncio.Event()
            sent = 0

            async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                nonlocal sent
                await reader.readuntil(b"\r\n\r\n")
                sent += 1
                asked.set()
                writer.close()

            server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            venue._exchange.urls["api"]["fapiPrivate"] = f"http://127.0.0.1:{port}/fapi/v1"
            with pytest.raises(OutcomeUnknown):
                await venue.place(ORDER)
            assert asked.is_set()
            assert sent == 1
            server.close()
            await server.wait_closed()

    asyncio.run(main())


def test_an_order_that_goes_out_by_get_is_not_sent_again_over_another_connection() -> None:
    """aiohttp repeats a GET whose kept connection broke; one exchange takes orders by GET."""

    async def main() -> None:
        async with replaying("deribit", WORLDS["deribit"]()) as (venue, _):
            await venue.instruments()
            orders = 0

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                nonlocal orders
                while head := await reader.readuntil(b"\r\n\r\n"):
                    if b"/private/buy" in head:
                        orders += 1
                        break
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n" + b'{"result": 1}')
                writer.close()

            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            venue._exchange.urls["api"]["rest"] = f"http://127.0.0.1:{port}"
            await venue._session.call("fetch_time")  # leaves a connection open
            request = OrderRequest("BTC/USD:BTC", "buy", Decimal(10), "ours", order_type="limit", price=Decimal(50_000))
            with pytest.raises(OutcomeUnknown):
                await venue.place(request)
            assert orders == 1
            server.close()
            await server.wait_closed()

    asyncio.run(main())


@pytest.mark.parametrize("then", ["fapiPrivateGetIncome", "fapiPrivatePostLeverage"])
def test_an_error_of_what_ccxt_asks_for_after_an_order_is_no_refusal_of_the_order(then: str) -> None:
    """Some of ccxt's classes place an order in more steps than one, and a later one may be refused."""

    async def main() -> None:
        async with binance() as (venue, replay):
            exchange = venue._exchange
            placed = exchange.create_order

            async def in_two_steps(*arguments: object) -> object:
                await placed(*arguments)
                return await getattr(exchange, then)({})

            exchange.create_order = in_two_steps
            replay.answers[PLACED] = saved({"symbol": "BTCUSDT", "orderId": 1, "status": "NEW"})
            replay.answers["GET /fapi/v1/income"] = saved({"code": -2015, "msg": "Invalid API-key, IP."})
            with pytest.raises(OutcomeUnknown):
                await venue.place(ORDER)
            assert PLACED in {f"{one.method} {one.path}" for one in replay.asked}

    asyncio.run(main())


def test_an_order_that_ccxt_cannot_make_was_surely_not_placed() -> None:
    async def main() -> None:
        async with binance() as (venue, replay):

            async def broken(*_arguments: object) -> object:
                raise TypeError("a defect of ccxt's")

            venue._exchange.create_order = broken
            with pytest.raises(Rejected, match="Nothing was sent"):
                await venue.place(ORDER)
            assert not any(one.method == "POST" for one in replay.asked)

    asyncio.run(main())


def test_an_order_that_never_left_may_be_sent_again() -> None:
    async def main() -> None:
        async with binance() as (venue, _):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            venue._exchange.urls["api"]["fapiPrivate"] = f"http://127.0.0.1:{port}/fapi/v1"
            with pytest.raises(Unavailable):
                await venue.place(ORDER)

    asyncio.run(main())


def test_a_read_that_fails_is_made_again_and_then_unavailable() -> None:
    async def main() -> None:
        async with binance() as (venue, replay):
            replay.status = 503
            before = len(replay.asked)
            with pytest.raises(VenueError) as told:
                await venue.snapshot()
            assert isinstance(told.value, Unavailable)
            per_path = [request.path for request in replay.asked[before:]]
            assert max(map(per_path.count, per_path)) == 3
            assert "signature" not in str(told.value)

    asyncio.run(main())


@pytest.mark.parametrize(
    "body", [b"<html>", b"5", b"[[1,2", b'{"positions":[]}', b"[5]", b'[{"positionAmt":"1"}]', b""]
)
def test_an_answer_that_is_none_is_not_taken_for_no_positions(body: bytes) -> None:
    async def main() -> None:
        async with binance() as (venue, replay):
            replay.answers["GET /fapi/v3/positionRisk"] = body
            snapshot = await venue.snapshot()
            assert snapshot.positions is None
            assert "positions" in snapshot.failed
            assert snapshot.balances

    asyncio.run(main())


def test_an_answer_that_ccxt_cannot_read_is_malformed() -> None:
    async def main() -> None:
        async with binance() as (venue, replay):
            replay.answers["GET /fapi/v1/openOrders"] = saved([5])
            snapshot = await venue.snapshot()
            assert "ccxt cannot read the answer" in snapshot.failed["open_orders"]

    asyncio.run(main())


def test_no_message_holds_the_query_of_an_address_or_a_credential() -> None:
    words = "okx GET https://x.example/api?sign=abc&key=the-key failed for the-key"
    told = judge(ValueError(words), where="okx fetch_balance", order_left=False, secrets=["the-key"])
    assert isinstance(told, Malformed)
    assert str(told).startswith(
        "okx fetch_balance: ccxt cannot read the answer: ValueError: okx GET https://x.example/api "
    )
    assert "the-key" not in str(told)


@pytest.mark.parametrize("words", ["Connection to {} timed out", "400, message='no', url='{}'", "{}?listenKey=pqia91"])
def test_no_message_holds_the_key_that_a_stream_is_listened_to_by(words: str) -> None:
    told = str(
        judge(ValueError(words.format("wss://f.example:9443/ws/pqia91")), where="", order_left=False, secrets=[])
    )
    assert "wss://f.example:9443" in told
    assert "pqia91" not in told


def test_a_venue_that_keeps_failing_is_left_alone_but_for_what_is_urgent() -> None:
    async def main() -> None:
        async with binance() as (venue, replay):
            replay.status = 503
            for _ in range(3):
                with pytest.raises(VenueError):
                    await venue.snapshot()
            before = len(replay.asked)
            with pytest.raises(Unavailable, match="left alone"):
                await venue.snapshot()
            with pytest.raises(Unavailable, match="left alone"):
                await venue.place(ORDER)
            assert len(replay.asked) == before
            replay.answers["DELETE /fapi/v1/order"] = b"{}"
            with pytest.raises(VenueError):
                await venue.cancel(BTC, "77")
            assert len(replay.asked) > before
            replay.status, before = 200, len(replay.asked)
            replay.answers[PLACED] = saved({})
            with pytest.raises(OutcomeUnknown):  # of an empty answer; what counts is that it was sent
                await venue.close(BTC, "net", "close1")
            assert any(one.method == "POST" for one in replay.asked[before:])

    asyncio.run(main())
