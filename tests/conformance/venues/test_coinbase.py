"""The Coinbase adapter keeps to the port, against a server that was written without it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from random import Random

import pytest

from tests.conformance.venues.rigs import SocketRig, clock
from trueup.engine.pulling import pull
from trueup.engine.reading import Hints
from trueup.model.errors import Rejected
from trueup.testing.conformance import following, trading
from trueup.testing.conformance.life import HOUR_S, books_of, require_truth, trade
from trueup.testing.conformance.rig import Rig
from trueup.testing.conformance.venues import CHECKS, Check, name, run
from trueup.testing.servers.chaos import Chaos, VenueClock
from trueup.testing.servers.coinbase.demo import ACCOUNT, KEY_NAME, demo_exchange, demo_keys, private_key
from trueup.testing.servers.coinbase.server import CoinbaseServer
from trueup.testing.servers.faults import NO_FAULTS, WirePlan
from trueup.testing.servers.proxy import TcpProxy
from trueup.testing.servers.serving import serving
from trueup.venues.coinbase.live import CoinbaseVenue
from trueup.venues.transport.limiter import Limiter
from trueup.venues.transport.secrets import Secret

ON_SPOT = (
    trading.check_amendments,
    trading.check_a_limit_order_rests_until_it_is_cancelled,
    trading.check_a_refusal_is_told_with_the_venues_words,
    trading.check_a_cancel_without_an_answer_is_looked_up,
)
"""Orders of futures cannot be changed; the others say nothing of what is held, which on spot is a balance."""

WHILE_IT_SETTLES = (
    trading.check_a_limit_order_rests_until_it_is_cancelled,
    trading.check_times_in_force,
    trading.check_stops_rest_and_fire,
    trading.check_a_close_ends_flat_and_never_beyond,
    trading.check_a_cancel_without_an_answer_is_looked_up,
    following.check_every_connection_begins_with_a_gap,
)
"""The others pull once after a trade, and what is not listed by then only a later pull can tell."""

FUTURE = ("BTC/USD:USD-BIP-20DEC30", Decimal(1))
SPOT = ("BTC/USD", Decimal("0.01"))


@asynccontextmanager
async def coinbase(
    plan: WirePlan = NO_FAULTS, traded: tuple[str, Decimal] = FUTURE, settles_after: int = 0
) -> AsyncIterator[SocketRig]:
    now = clock()
    exchange = demo_exchange(now, Random(1))
    server = CoinbaseServer(exchange, demo_keys(), clock=now, private_max=0, public_max=0, settles_after=settles_after)

    def connect(random: Random, hints: Hints) -> CoinbaseVenue:
        return CoinbaseVenue(
            ACCOUNT,
            key_name=Secret("key", KEY_NAME),
            secret=Secret("secret", private_key()),
            rest_url=f"http://127.0.0.1:{proxy.port}",
            stream_url=f"ws://127.0.0.1:{proxy.port}",
            clock=now,
            random=random,
            instruments=hints.instruments,
            open_orders=hints.open_orders,
            learnt=hints.learnt,
            limiter=Limiter(()),
        )

    chaos = Chaos(server, plan, VenueClock(now))
    async with serving(chaos) as address:
        with TcpProxy(address.host, address.port) as proxy:
            rig = SocketRig(
                exchange,
                now,
                proxy,
                account=ACCOUNT,
                symbol=traded[0],
                lot=traded[1],
                page=100,
                money_step=None,
                words={"place": b'"order_configuration"', "cancel": b"/orders/batch_cancel"},
                connect=connect,
            )
            try:
                yield rig
            finally:
                await rig.aclose()
            assert bool(chaos.struck) == bool(plan.faults)


@pytest.mark.parametrize("check", [check for check in CHECKS if check is not trading.check_amendments], ids=name)
def test_coinbase_conforms(check: Check) -> None:
    asyncio.run(run(check, coinbase))


@pytest.mark.parametrize("check", ON_SPOT, ids=name)
def test_coinbase_conforms_on_spot(check: Check) -> None:
    asyncio.run(run(check, partial(coinbase, traded=SPOT)))


@pytest.mark.parametrize("check", WHILE_IT_SETTLES, ids=name)
def test_coinbase_conforms_where_what_is_new_is_pending_and_listed_late(check: Check) -> None:
    asyncio.run(run(check, partial(coinbase, settles_after=2)))


async def check_what_the_venue_takes_back_is_booked_back(rig: Rig) -> None:
    """Whether the fill is read with what takes it back, or was booked by a program that has ended since."""
    for later in (False, True):
        with books_of(rig) as books:
            trade(rig, "buy", 3)
            trade(rig, "sell", 1)
            if later:
                await pull(books.ledger, await rig.venue())
                rig.clock.skip(HOUR_S)
            rig.exchange.bust(rig.account, rig.exchange.truth(rig.account).trade_ids[-1])
            ledger = books.restart()
            await pull(ledger, await rig.venue(ledger.book))
            require_truth(rig, ledger)


def test_what_coinbase_takes_back_is_booked_back() -> None:
    asyncio.run(run(check_what_the_venue_takes_back_is_booked_back, coinbase))


def test_an_order_of_a_future_is_not_changed_and_the_venue_says_so() -> None:
    with pytest.raises(Rejected, match="CANNOT_EDIT_FUTURES_ORDER"):
        asyncio.run(run(trading.check_amendments, coinbase))
