"""What happens is told over the WebSocket to whoever may hear it, and heartbeats show who is still there."""

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.testing.servers.jsonrpc_derivatives.talk import BTC, XBT, D, Refused, Stream, Talk, rehearse
from trueup.testing.servers.jsonrpc_derivatives import world
from trueup.venues.paper.faults import Drop, Outage, TimeOut


def test_orders_trades_and_changes_are_told_as_they_happen() -> None:
    channels = ("user.orders.any.any.raw", f"user.trades.{BTC}.raw", "user.changes.future.USDC.raw")

    async def story(talk: Talk) -> None:
        async with talk.listening(*channels) as stream:
            await talk.order("buy", "0.1", label="heard")
            orders = [await stream.hear_of(channels[0]) for _ in range(2)]
            stream.told.clear()
            await talk.order("buy", "10", XBT)
            other = await stream.hear_of(channels[0])
        assert [row["order_state"] for row in orders] == ["open", "filled"]
        assert {row["label"] for row in orders} == {"heard"}
        assert other["instrument_name"] == XBT

    rehearse(story)


def test_a_trade_is_told_as_it_is_read() -> None:
    async def story(talk: Talk) -> None:
        trades, changes = f"user.trades.{BTC}.raw", "user.changes.future.USDC.raw"
        async with talk.listening(trades, changes) as stream:
            talk.trade("10", XBT)
            talk.trade("0.1")
            (told,) = await stream.hear_of(trades)
        async with talk.listening(changes) as stream:
            talk.trade("10", XBT)
            talk.trade("-0.1")
            changed = await stream.hear_of(changes)
            while not changed["trades"]:
                changed = await stream.hear_of(changes)
            assert changed["instrument_name"] == BTC
        (again, read) = (await talk.ask("private/get_user_trades_by_currency", currency="USDC"))["trades"]
        assert (told, changed["trades"]) == (read, [again])
        assert [(row["instrument_name"], row["size"]) for row in changed["positions"]] == [(BTC, 0)]

    rehearse(story)


def test_channels_of_an_interval_tell_what_gathered() -> None:
    async def story(talk: Talk) -> None:
        channel = f"user.orders.{BTC}.100ms"
        async with talk.listening(channel) as stream:
            await talk.order("buy", "0.1", label="a")
            told = await stream.hear_of(channel)
            while len(told) < 2:
                told += await stream.hear_of(channel)
        assert [row["order_state"] for row in told] == ["open", "filled"]

    rehearse(story)


def test_the_portfolio_is_told_when_it_changes() -> None:
    async def story(talk: Talk) -> None:
        async with talk.listening("user.portfolio.USDC") as stream:
            first = await stream.hear_of("user.portfolio.USDC")
            talk.exchange.deposit(talk.account, "USDC", D(5))
            second = await stream.hear_of("user.portfolio.USDC")
        assert second["equity"] - first["equity"] == 5

    rehearse(story)


def test_all_portfolios_are_told_by_one_channel() -> None:
    async def story(talk: Talk) -> None:
        async with talk.listening("user.portfolio.any") as stream:
            told = {(await stream.hear_of("user.portfolio.any"))["currency"] for _ in range(4)}
        assert told >= {"USDC", "BTC"}

    rehearse(story)


def test_tickers_are_for_everybody_and_nothing_of_an_account_is() -> None:
    async def story(talk: Talk) -> None:
        async with connect(f"{talk.ws}/ws/api/v2") as connection:
            stream = Stream(connection)
            ticker = f"ticker.{BTC}.100ms"
            assert await stream.ask("public/subscribe", channels=[ticker, "user.orders.any.any.raw", "no.such"]) == [
                ticker
            ]
            assert (await stream.hear_of(ticker))["mark_price"] == 60_000
            talk.move("61000")
            assert (await stream.hear_of(ticker))["mark_price"] == 61_000
            for method in ("private/subscribe", "private/get_positions"):
                with pytest.raises(Refused) as refused:
                    await stream.ask(method, channels=["user.orders.any.any.raw"])
                assert refused.value.code == 13009
            assert await stream.ask("public/unsubscribe", channels=[ticker, "other"]) == [ticker]
            assert await stream.ask("private/get_positions", access_token=talk.token) == []

    rehearse(story)


def test_whoever_becomes_somebody_else_hears_of_the_former_no_more() -> None:
    async def story(talk: Talk) -> None:
        channel, ticker = f"user.orders.{BTC}.100ms", f"ticker.{BTC}.100ms"
        async with talk.listening(channel, ticker) as stream:
            talk.trade("0.1")
            other = {"client_id": world.OTHER_ID, "client_secret": world.OTHER_SECRET}
            await stream.ask("public/auth", **(talk.grant() | other))
            stream.told.clear()
            talk.trade("0.1")
            talk.move("61000")
            assert (await stream.hear())["params"]["channel"] == ticker
            assert await stream.ask("private/get_positions") == []
            assert await stream.ask("private/subscribe", channels=[channel]) == [channel]

    rehearse(story)


def test_channels_that_there_are_not_are_passed_over() -> None:
    async def story(talk: Talk) -> None:
        async with talk.listening() as stream:
            wrong = [
                "user.orders.BTC-99.raw",
                "user.orders.bond.USDC.raw",
                "user.trades.any.XYZ.raw",
                "user.portfolio.XYZ",
            ]
            right = [f"user.trades.{BTC}.agg2", "user.trades.future.any.100ms"]
            assert await stream.ask("private/subscribe", channels=[*wrong, *right]) == right
            assert await stream.ask("private/unsubscribe", channels=[*wrong, right[0]]) == right[:1]
            with pytest.raises(Refused) as refused:
                await stream.ask("private/subscribe", channels="user.orders.any.any.raw")
            assert refused.value.code == -32602

    rehearse(story)


def test_every_method_of_http_is_answered_over_the_socket() -> None:
    async def story(talk: Talk) -> None:
        async with talk.listening() as stream:
            order = await stream.ask("private/buy", instrument_name=BTC, amount=0.1, type="market")
            assert order["order"]["order_state"] == "filled"
            assert await stream.ask("private/get_positions") == await talk.ask("private/get_positions")
            await stream.connection.send("{")
            assert (await stream.hear())["error"]["code"] == -32700

    rehearse(story, account=world.GATEWAY)


def test_a_fault_of_the_exchange_strikes_the_stream_and_not_the_history() -> None:
    async def story(talk: Talk) -> None:
        channel = f"user.trades.{BTC}.raw"
        async with talk.listening(channel) as stream:
            talk.trade("0.1")
            talk.trade("0.2")
            ((told,),) = [await stream.hear_of(channel)]
        assert told["amount"] == D("0.2")
        assert len((await talk.ask("private/get_user_trades_by_currency", currency="USDC"))["trades"]) == 2

    rehearse(story, Drop(account=world.DERIBIT, nth=1))


def test_an_order_whose_time_ran_out_ends_the_connection_and_stands() -> None:
    async def story(talk: Talk) -> None:
        async with talk.listening() as stream:
            with pytest.raises(ConnectionClosed):
                await stream.ask("private/buy", instrument_name=BTC, amount=0.1, type="market", label="lost")
        (found,) = await talk.ask("private/get_order_state_by_label", currency="USDC", label="lost")
        assert found["order_state"] == "filled"

    rehearse(story, TimeOut(account=world.DERIBIT, nth=1, placed=True))


def test_an_outage_of_the_exchange_hangs_up_and_who_calls_again_is_told_of_maintenance() -> None:
    async def story(talk: Talk) -> None:
        async with talk.listening() as stream:
            talk.trade("0.1")
            talk.step(1_000)
            await stream.connection.wait_closed()
        async with connect(f"{talk.ws}/ws/api/v2") as connection:
            with pytest.raises(Refused) as refused:
                await Stream(connection).ask("private/get_positions", access_token=talk.token)
        assert refused.value.code == 11051

    rehearse(story, Outage(account=world.DERIBIT, nth=1, for_ms=600_000))


def test_heartbeats_come_and_whoever_does_not_answer_a_test_is_hung_up_on() -> None:
    async def story(talk: Talk) -> None:
        async with talk.listening() as stream:
            with pytest.raises(Refused):
                await stream.ask("public/set_heartbeat", interval=0)
            assert await stream.ask("public/set_heartbeat", interval=1) == "ok"
            beat = await stream.hear()
            assert (beat["method"], beat["params"]["type"]) == ("heartbeat", "test_request")
            await stream.ask("public/test")
            while (await stream.hear())["params"]["type"] != "test_request":
                pass
            with pytest.raises(ConnectionClosed):
                await stream.hear()

    rehearse(story)


def test_heartbeats_can_be_ended() -> None:
    async def story(talk: Talk) -> None:
        async with talk.listening() as stream:
            await stream.ask("public/set_heartbeat", interval=1)
            assert await stream.ask("public/disable_heartbeat") == "ok"
            stream.told.clear()
            await asyncio.sleep(2.5)
            assert await stream.ask("public/test")
            assert stream.told == []

    rehearse(story)


def test_another_path_is_no_socket() -> None:
    async def story(talk: Talk) -> None:
        with pytest.raises(InvalidStatus):
            async with connect(f"{talk.ws}/ws"):
                pass

    rehearse(story)
