"""What ccxt's streams drop: a message that nobody waits for is told all the same, and once."""

import asyncio
from importlib import import_module
from random import Random

import pytest

from tests.venues.ccxt.replay import replaying
from tests.venues.ccxt.worlds import NOW, WORLDS
from trueup.model.errors import AuthenticationFailed
from trueup.model.events import FillBooked
from trueup.model.venues import Gap
from trueup.venues.ccxt.stream import CcxtStream

PATIENCE_S = 30.0


def trade(number: int) -> dict[str, object]:
    return {
        "id": f"e{number}", "symbol": "BTC/USDT:USDT", "side": "buy", "amount": "1", "price": "2", "timestamp": NOW,
        "takerOrMaker": "taker", "fee": {"cost": "0.1", "currency": "USDT"}, "info": {"symbol": "BTCUSDT"},
    }  # fmt: skip


def test_what_came_while_nobody_waited_is_told_once_after_the_gap() -> None:
    async def main() -> None:
        async with replaying("bybit", WORLDS["bybit"]()) as (venue, _):
            exchange = venue._exchange
            asleep = asyncio.Event()

            async def silent() -> None:
                await asleep.wait()

            exchange.watch_my_trades = exchange.watch_orders = silent
            stream = CcxtStream(venue._session, Random(1))
            first = asyncio.create_task(anext(stream))
            await asyncio.sleep(0)
            await venue.instruments()
            resolve = exchange._hearing(lambda result, _: result)
            exchange.connects += 1
            for told in ([trade(1)], [trade(1), trade(2)], ["no trade"]):
                resolve(told, "usertrades")
            async with asyncio.timeout(PATIENCE_S):
                assert isinstance(await first, Gap)
                fills = [await anext(stream), await anext(stream)]
            assert [fill.venue_trade_id for fill in fills if isinstance(fill, FillBooked)] == [
                "BTCUSDT:e1",
                "BTCUSDT:e2",
            ]
            exchange.losses += 1
            exchange.connects += 1
            async with asyncio.timeout(PATIENCE_S):
                assert isinstance(await anext(stream), Gap)
            assert stream.health.gaps == 2
            await stream.aclose()

    asyncio.run(main())


def test_a_trade_that_cannot_be_read_is_a_gap() -> None:
    async def main() -> None:
        async with replaying("bybit", WORLDS["bybit"]()) as (venue, _):
            await venue.instruments()
            stream = CcxtStream(venue._session, Random(1))
            stream._settled = True
            venue._exchange.heard.append({**trade(1), "amount": "-1"})
            stream._sweep()
            assert isinstance(stream._queue.popleft(), Gap)
            (refused,) = venue.refused()
            assert refused.field == "amount"

    asyncio.run(main())


def test_a_stream_that_the_exchange_refuses_ends() -> None:
    async def main() -> None:
        async with replaying("bybit", WORLDS["bybit"]()) as (venue, _):

            async def refuse() -> None:
                raise import_module("ccxt").AuthenticationError("bybit no")

            venue._exchange.watch_my_trades = venue._exchange.watch_orders = refuse
            stream = venue.stream()
            async with asyncio.timeout(PATIENCE_S):
                with pytest.raises(AuthenticationFailed):
                    await anext(stream)

    asyncio.run(main())
