"""The adapter against the rehearsal server, beyond the conformance suite: keys, shapes, limits, and what adds up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from trueup.engine.clock import SystemClock
from trueup.engine.pulling import pull
from trueup.engine.store import Store
from trueup.journal.embedded import EmbeddedStorage
from trueup.model.errors import AuthenticationFailed, Rejected
from trueup.model.orders import OrderRequest
from trueup.model.venues import Gap
from trueup.testing.servers.coinbase import demo
from trueup.testing.servers.coinbase.server import CoinbaseServer
from trueup.testing.servers.serving import serving
from trueup.venues.coinbase.calls import LIMITS
from trueup.venues.coinbase.live import CoinbaseVenue
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.transport.limiter import Limiter
from trueup.venues.transport.secrets import Secret

FUTURE = "BTC/USD:USD-BIP-20DEC30"
KEYS = {
    "ec": (demo.KEY_NAME, demo.private_key()),
    "ed25519": (demo.ED25519_KEY_NAME, demo.ed25519_private_key()),
    "read only": (demo.READ_ONLY_KEY_NAME, demo.ed25519_private_key()),
}


@asynccontextmanager
async def connected(
    exchange: PaperExchange, key: str = "ed25519", *, limiter: Limiter | None = None, **options: bool
) -> AsyncIterator[CoinbaseVenue]:
    clock = SystemClock()
    limits = {} if limiter else {"private_max": 0, "public_max": 0}
    server = CoinbaseServer(exchange, demo.demo_keys(), clock=clock, **limits, **options)  # type: ignore[arg-type]  # both kinds
    name, secret = KEYS[key]
    async with serving(server) as address:
        venue = CoinbaseVenue(
            demo.ACCOUNT,
            key_name=Secret("name", name),
            secret=Secret("secret", secret),
            rest_url=address.http,
            stream_url=address.ws,
            clock=clock,
            random=Random(1),
            limiter=limiter or Limiter(()),
        )
        try:
            yield venue
        finally:
            await venue.aclose()


def exchange() -> PaperExchange:
    return demo.demo_exchange(SystemClock(), Random(1))


@pytest.mark.parametrize("key", KEYS)
def test_every_key_reads_and_streams_and_one_may_not_trade(key: str) -> None:
    async def story() -> None:
        async with connected(exchange(), key) as venue:
            assert await venue.check()
            stream = venue.stream()
            assert isinstance(await anext(stream), Gap)
            await stream.aclose()
            order = OrderRequest(FUTURE, "buy", Decimal(1), "a-1")
            if key != "read only":
                assert (await venue.place(order)).status == "filled"
                return
            with pytest.raises(AuthenticationFailed, match="may not trade"):
                await venue.place(order)

    asyncio.run(story())


@pytest.mark.parametrize("older_positions", [False, True])
def test_futures_are_read_in_both_shapes(older_positions: bool) -> None:
    world = exchange()
    world.trade_by_hand(demo.ACCOUNT, FUTURE, "sell", Decimal(2))

    async def story() -> None:
        async with connected(world, older_positions=older_positions) as venue:
            snapshot = await venue.snapshot()
            assert snapshot.positions is not None
            assert snapshot.positions[FUTURE, "net"].quantity == -2
            assert "USD@cfm" not in (snapshot.balances or {})

    asyncio.run(story())


def test_an_order_that_only_reduces_never_opens_anything() -> None:
    world = exchange()

    def held() -> Decimal:
        return world.truth(demo.ACCOUNT).positions.get(FUTURE, Decimal(0))

    async def story() -> None:
        async with connected(world) as venue:
            sell = OrderRequest(FUTURE, "sell", Decimal(5), "a-1", reduce_only=True)
            with pytest.raises(Rejected):
                await venue.place(sell)
            await venue.place(OrderRequest(FUTURE, "buy", Decimal(2), "a-2"))
            report = await venue.place(sell)
            assert (report.status, report.filled, held()) == ("filled", Decimal(2), Decimal(0))

    asyncio.run(story())


def test_the_cash_of_the_futures_wallet_is_what_trades_made_of_it(tmp_path: Path) -> None:
    world = exchange()

    async def story() -> None:
        store = Store.open(EmbeddedStorage.open(tmp_path / "data", create=True), SystemClock())
        async with connected(world) as venue:
            for side, lots in (("buy", 3), ("sell", 5), ("buy", 2)):
                world.trade_by_hand(demo.ACCOUNT, FUTURE, "buy" if side == "buy" else "sell", Decimal(lots))
                world.advance()
            world.trade_by_hand(demo.ACCOUNT, "ETH/USD", "buy", Decimal(1))
            await pull(store.ledger(demo.ACCOUNT), venue)
            snapshot = await venue.snapshot()
        booked = store.ledger(demo.ACCOUNT).book.balances()
        assert snapshot.balances is not None
        for currency in ("USD@cfm", "USD", "ETH"):
            before = demo.DEPOSITS.get(currency, Decimal(0))
            assert booked[currency].total == snapshot.balances[currency] - before
        store.close()

    asyncio.run(story())


def test_a_long_pull_keeps_to_the_venues_limits() -> None:
    world = exchange()
    for number in range(3_000):
        world.trade_by_hand(demo.ACCOUNT, FUTURE, "sell" if number % 2 else "buy", Decimal(1))

    async def story() -> None:
        async with connected(world, limiter=Limiter(LIMITS)) as venue:
            told = sum([len(facts) async for facts, _ in venue.history(None)])
            assert told >= 3_000
            assert venue.health["rest"].errors == 0

    asyncio.run(story())
