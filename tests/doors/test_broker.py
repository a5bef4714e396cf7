"""``BrokerPositionReconciler`` at OANDA's rehearsal server, over sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from trueup import (
    BrokerPosition,
    BrokerPositionReconciler,
    InternalPosition,
    OandaV20Client,
    TradingDatabase,
)
from trueup.engine.clock import SystemClock
from trueup.model.differences import Severity
from trueup.model.errors import AuthenticationFailed, BadInput
from trueup.model.identifiers import Side
from trueup.model.times import NS_PER_SECOND, format_time
from trueup.testing.servers.oanda.demo import ACCOUNT, ACCOUNT_ID, TOKEN, demo_exchange, demo_server
from trueup.testing.servers.proxy import TcpProxy
from trueup.testing.servers.serving import serving
from trueup.venues.oanda.live import OandaVenue
from trueup.venues.transport.secrets import Secret

EUR = "EUR/USD"
PATIENCE_S = 60.0


class Context:
    """What a ``v20.Context`` shows of itself."""

    def __init__(self, port: int, token: str | None = TOKEN) -> None:
        self.hostname = "127.0.0.1"
        self.port = port
        self.token = token


class Broker:
    """The server behind a proxy, with the account traded by hand."""

    def __init__(self, proxy: TcpProxy) -> None:
        self.proxy = proxy
        self.exchange = demo_exchange(SystemClock(), Random(1))

    def trade(self, units: int, instrument: str = EUR) -> None:
        side: Side = "buy" if units > 0 else "sell"
        self.exchange.trade_by_hand(ACCOUNT, instrument, side, Decimal(abs(units)))

    def client(self, token: str | None = TOKEN) -> OandaV20Client:
        return OandaV20Client(Context(self.proxy.port, token), ssl=False)


@asynccontextmanager
async def oanda() -> AsyncIterator[Broker]:
    exchange = demo_exchange(SystemClock(), Random(1))
    server = demo_server(SystemClock(), Random(1), exchange=exchange)
    async with serving(server) as address:
        with TcpProxy(address.host, address.port) as proxy:
            broker = Broker(proxy)
            broker.exchange = exchange
            yield broker


def reconciler(broker: Broker, folder: Path, *instruments: str, token: str = TOKEN) -> BrokerPositionReconciler:
    return BrokerPositionReconciler(
        broker.client(token),
        ACCOUNT_ID,
        instruments or ("EUR_USD",),
        database=folder / "positions.db",
        attempts_max=3,
        backoff_first_s=0.001,
    )


def test_a_start_books_what_happened_and_tells_what_is_held(tmp_path: Path) -> None:
    async def main() -> None:
        async with oanda() as broker:
            broker.trade(100)
            broker.trade(-40, "USD/JPY")
            with reconciler(broker, tmp_path, "EUR_USD", "USD/JPY", "GBP_USD") as books:
                found = await books.startup_reconciliation()
                assert list(found) == ["EUR_USD", "USD/JPY", "GBP_USD"]
                assert all(found.values())
                euro = found["EUR_USD"]
                assert euro.instrument == EUR
                assert euro.broker is not None
                assert (euro.broker.side, str(euro.broker.units)) == ("long", "100")
                assert euro.broker.average_price is not None
                assert euro.broker.unrealized_pnl is not None
                assert euro.broker.margin_used is not None
                assert euro.internal is not None
                assert euro.internal.units == 100
                yen = found["USD/JPY"].internal
                assert yen is not None
                assert (yen.side, str(yen.units)) == ("short", "40")
                assert found["GBP_USD"].broker is None

    asyncio.run(main())


def test_after_a_buy_the_program_agrees_or_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with oanda() as broker:
            with reconciler(broker, tmp_path) as books:
                flat = await books.perform_reconciliation("EUR_USD", None, "post_sell")
                assert flat.status == "SYNCED"
                broker.trade(100)
                missed = await books.perform_reconciliation("EUR_USD", None, "post_buy")
                assert (missed.status, missed.severity, missed.event_type) == ("DRIFT", Severity.CRITICAL, "post_buy")
                assert missed.differences[0].words == "we hold 0, the broker holds 100"
                agreed = await books.perform_reconciliation(
                    "EUR_USD", InternalPosition("EUR_USD", "long", 100), "post_buy"
                )
                assert agreed
                for ours, kind in (
                    (InternalPosition(EUR, "long", 99), "QTY"),
                    (InternalPosition(EUR, "short", 100), "SIDE"),
                    (InternalPosition(EUR, "long", 100, 1.2), "AVG_PX"),
                ):
                    told = await books.perform_reconciliation(EUR, ours, "post_buy")
                    assert [one.kind for one in told.differences] == [kind]
                broker.trade(-100)
                gone = await books.perform_reconciliation(EUR, InternalPosition(EUR, "long", 100), "post_sell")
                assert [one.kind for one in gone.differences] == ["MISSING_THEIRS"]
                statistics = books.get_statistics()
                assert statistics["total"] == statistics["successful"] == 7
                assert (statistics["synced"], statistics["differing"], statistics["failed"]) == (2, 5, 0)
                assert statistics["success_rate"] == 1.0

    asyncio.run(main())


def test_a_broker_that_is_away_is_asked_again_and_is_unknown_not_flat(tmp_path: Path) -> None:
    async def main() -> None:
        async with oanda() as broker:
            broker.trade(100)
            with reconciler(broker, tmp_path) as books:
                await books.startup_reconciliation()
                broker.proxy.cut()
                told = await books.perform_reconciliation(EUR, InternalPosition(EUR, "long", 100), "post_buy")
                assert (told.status, told.broker, told.attempts) == ("FAILED", None, 3)
                assert await books.validate_features(EUR, {"size": 100}) is None
                broker.proxy.mend()
                assert await books.perform_reconciliation(EUR, InternalPosition(EUR, "long", 100), "post_buy")
                statistics = books.get_statistics()
                assert statistics["retries"] == 4
                assert (statistics["total"], statistics["failed"]) == (3, 1)
                assert statistics["success_rate"] == pytest.approx(2 / 3)

    asyncio.run(main())


def test_what_was_found_outlives_the_process_that_found_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with oanda() as broker:
            broker.trade(100)
            with reconciler(broker, tmp_path) as first:
                await first.startup_reconciliation()
                assert [outcome.status for outcome in first.get_history()] == ["SYNCED"]
                imagined = {"position_id": "x", "instrument": EUR, "quantity": 7, "price": 1, "account": first.account}
                earlier = format_time(first.database.shelf.now() - 60 * NS_PER_SECOND)
                first.database.manager.save_position(imagined, timestamp=earlier)
                told = (await first.startup_reconciliation())["EUR_USD"]
                assert [one.words for one in told.differences][-1] == "we hold 107, the broker holds 100"
            broker.trade(50)
            with reconciler(broker, tmp_path) as again:
                assert again.get_statistics()["last_status"] == "DRIFT"
                assert again.get_statistics()["open_breaks"] == 1
                assert [outcome.status for outcome in again.get_history()] == ["SYNCED", "DRIFT"]
                assert again.get_statistics()["success_rate"] is None
                found = await again.startup_reconciliation()
                held = found["EUR_USD"].internal
                assert held is not None
                assert held.units == 150  # the broker's fill superseded what was imagined

    asyncio.run(main())


def test_it_goes_on_every_interval_until_it_is_stopped(tmp_path: Path) -> None:
    async def main() -> None:
        async with oanda() as broker:
            with reconciler(broker, tmp_path) as books:
                assert BrokerPositionReconciler.__init__.__defaults__ == (300,)
                books.reconciliation_interval_seconds = 0.01
                stop = asyncio.Event()
                running = asyncio.create_task(books.run(stop))
                async with asyncio.timeout(PATIENCE_S):
                    while books.get_statistics()["total"] < 3:  # noqa: ASYNC110 - what is counted rings no bell
                        await asyncio.sleep(0.01)
                    stop.set()
                    await running

    asyncio.run(main())


def test_features_of_a_model_are_held_against_the_broker(tmp_path: Path) -> None:
    async def main() -> None:
        async with oanda() as broker:
            with reconciler(broker, tmp_path) as books:
                none = {"size": 0, "direction": "flat", "entry_price": 0, "unrealized_pnl": 0, "time_in_position": 0}
                assert await books.validate_features(EUR, none)
                broker.trade(-100_000)
                first = await books.validate_features(EUR, {})
                assert first is not None
                truth = first.truth
                fed = {name: getattr(truth, name) for name in truth.__struct_fields__}
                assert truth.direction == -1
                assert truth.time_in_position is not None
                assert await books.validate_features(EUR, fed)
                wrong: dict[str, float] = {"size": 99_999, "direction": 1, "entry_price": 1.2}
                wrong |= {"unrealized_pnl": 5_000, "time_in_position": 3_600}
                told = await books.validate_features("EUR_USD", wrong)
                assert told is not None
                assert not told
                assert set(told.problems) == set(wrong)
                unknown = await books.validate_features(EUR, {"entry_price": None})
                assert unknown is not None
                assert "unknown to the model" in unknown.problems["entry_price"]
                for broken in ({"size": float("nan")}, {"direction": 2}, {"mood": 1}):
                    with pytest.raises(BadInput):
                        await books.validate_features(EUR, broken)

    asyncio.run(main())


def test_any_connection_serves_but_only_to_the_account_that_is_meant(tmp_path: Path) -> None:
    async def main() -> None:
        async with oanda() as broker:
            broker.trade(7)
            url = f"http://127.0.0.1:{broker.proxy.port}"
            venue = OandaVenue(
                ACCOUNT, account_id=ACCOUNT_ID, token=Secret("env:T", TOKEN), rest_url=url, stream_url=url,
                clock=SystemClock(), random=Random(1),
            )  # fmt: skip
            with TradingDatabase(tmp_path / "p.db") as database:
                for name in (ACCOUNT_ID, "main", "oanda:main"):
                    books = BrokerPositionReconciler(venue, name, [EUR], database=database)
                    assert all((await books.startup_reconciliation()).values())
                with pytest.raises(BadInput, match="the connection is to oanda:main"):
                    BrokerPositionReconciler(venue, "101-004-7654321-001", [EUR], database=database)
            await venue.aclose()

    asyncio.run(main())


def test_what_the_broker_does_not_trade_is_refused_by_name(tmp_path: Path) -> None:
    async def main() -> None:
        async with oanda() as broker:
            with reconciler(broker, tmp_path) as books:
                with pytest.raises(BadInput, match="does not trade"):
                    await books.perform_reconciliation("DOGE_USD", None, "post_buy")
                with pytest.raises(BadInput, match="not EUR_USD"):
                    await books.perform_reconciliation("EUR_USD", InternalPosition("GBP_USD", "long", 1), "post_buy")

    asyncio.run(main())


def test_a_refused_token_is_an_error_and_never_shown(tmp_path: Path) -> None:
    planted = "planted-and-wrong"

    async def main() -> None:
        async with oanda() as broker:
            with reconciler(broker, tmp_path, token=planted) as books:
                with pytest.raises(AuthenticationFailed) as refused:
                    await books.startup_reconciliation()
                assert planted not in str(refused.value) + repr(broker.client(planted))
                with pytest.raises(BadInput, match="token"):
                    broker.client(None)

    asyncio.run(main())


@pytest.mark.parametrize(("side", "units"), [("flat", 1), ("long", 0), ("short", -5), ("long", "NaN")])
def test_a_position_has_a_side_and_units(side: str, units: float | str) -> None:
    with pytest.raises(BadInput):
        InternalPosition(EUR, side, units)
    with pytest.raises(BadInput):
        BrokerPosition(EUR, side, units, None, None, None, "2026-01-01T00:00:00Z")


def test_a_bought_position_is_long_and_signed_so() -> None:
    bought = InternalPosition(EUR, "BUY", 5, opened_at="2026-01-01T00:00:00+01:00")
    assert (bought.side, bought.opened_at) == ("long", "2025-12-31T23:00:00Z")
    assert bought.quantity == 5
    sold = BrokerPosition(EUR, "sell", 0.5, 1.1, "-2", None, "2026-01-01T00:00:00Z")
    assert (sold.side, sold.quantity) == ("short", Decimal("-0.5"))
    assert sold.unrealized_pnl == -2
