"""ccxt writes unasked: fees for its makers, referrers. Through us it reads and orders, and does nothing else."""

import asyncio
import re
from collections.abc import Callable
from decimal import Decimal
from random import Random

import pytest

from tests.venues.ccxt.replay import replaying
from tests.venues.ccxt.worlds import WORLDS
from trueup.engine.clock import SystemClock
from trueup.model.errors import Rejected
from trueup.model.orders import OrderRequest
from trueup.model.times import NS_PER_SECOND
from trueup.testing.servers.asgi import Receive, Scope, Send
from trueup.testing.servers.hyperliquid.server import HyperliquidServer
from trueup.testing.servers.hyperliquid.world import DEMO_ACCOUNT, DEMO_KEY, address_of, demo_server
from trueup.testing.servers.serving import serving
from trueup.venues.ccxt import guard
from trueup.venues.ccxt.exchange import guarded, known, make
from trueup.venues.ccxt.guard import ORDERING, Permit, endpoints, permitting
from trueup.venues.ccxt.live import CcxtVenue
from trueup.venues.transport.secrets import Secret

BTC = "BTC/USDC:USDC"
ACTION = re.compile(rb'"type":"(approve[A-Za-z]+|set[A-Z][A-Za-z]+|order|cancel|modify|batchModify)"')


class Listening:
    """A server, and the actions that it was sent."""

    def __init__(self, server: HyperliquidServer) -> None:
        self.server = server
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def heard() -> dict[str, object]:
            message = await receive()
            if scope["type"] == "http" and scope["path"] == "/exchange":
                self.bodies.append(message.get("body", b""))
            return dict(message)

        await self.server(scope, heard, send)

    @property
    def actions(self) -> list[bytes]:
        return [found[1] for body in self.bodies if (found := ACTION.search(body))]


def with_key(act: Callable[[CcxtVenue], object]) -> Listening:
    """What a server heard while an account with its own key did something."""

    async def main() -> Listening:
        listening = Listening(demo_server(SystemClock(), Random(1)))
        async with serving(listening) as address:
            venue = CcxtVenue(
                DEMO_ACCOUNT,
                exchange="hyperliquid",
                credentials={
                    "walletAddress": Secret("wallet", address_of(DEMO_KEY)),
                    "privateKey": Secret("secret", DEMO_KEY),  # the owner's, which may approve
                },
                clock=SystemClock(),
                random=Random(1),
                rest_url=address.http,
                stream_url=address.ws,
            )
            try:
                await act(venue)  # type: ignore[misc] # a coroutine function
            finally:
                await venue.aclose()
        return listening

    return asyncio.run(main())


def test_reading_hyperliquid_with_the_owners_key_sends_no_action() -> None:
    async def read(venue: CcxtVenue) -> None:
        await venue.check()
        await venue.snapshot()
        [page async for page in venue.history(None)]
        await venue.marks([BTC])

    assert with_key(read).bodies == []


def test_an_order_is_the_only_action_and_carries_no_builder() -> None:
    async def trade(venue: CcxtVenue) -> None:
        await venue.place(OrderRequest(BTC, "buy", Decimal("0.02"), "one"))
        await venue.close(BTC, "net", "two")

    heard = with_key(trade)
    assert heard.actions == [b"order", b"order"]
    assert not any(b"builder" in body or b"setReferrer" in body for body in heard.bodies)


@pytest.mark.parametrize("method", ["approve_builder_fee", "set_ref", "handle_builder_fee_approval"])
def test_what_ccxt_would_write_unasked_is_refused_even_while_ordering(method: str) -> None:
    async def write(venue: CcxtVenue) -> None:
        arguments = ("0x" + "11" * 20, "0.01%") if method == "approve_builder_fee" else ()
        with permitting(Permit(orders=True)):
            venue._exchange.options |= {"refSet": False, "approvedBuilderFee": False}
            try:
                await getattr(venue._exchange, method)(*arguments)
            except Rejected as error:
                assert error.venue_code == "not_admitted"  # noqa: PT017 - ccxt swallows it where it may

    assert with_key(write).bodies == []


def test_an_order_with_a_builder_is_refused_whatever_ccxts_options_say() -> None:
    async def write(venue: CcxtVenue) -> None:
        await venue.instruments()
        venue._exchange.options |= {"approvedBuilderFee": True, "builderFee": True}
        with pytest.raises(Rejected, match="not known to read or to order"):
            await venue.place(OrderRequest(BTC, "buy", Decimal("0.02"), "one"))

    assert with_key(write).bodies == []


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("create_order", ("BTC/USDT:USDT", "limit", "buy", "0.01", "50000")),
        ("cancel_order", ("1", "BTC/USDT:USDT")),
        ("cancel_all_orders", ("BTC/USDT:USDT",)),
        ("set_leverage", (5, "BTC/USDT:USDT")),
        ("transfer", ("USDT", "1", "swap", "spot")),
    ],
)
@pytest.mark.parametrize("exchange", ["binanceusdm", "bybit", "okx", "kucoinfutures"])
def test_while_nothing_is_ordered_no_write_leaves(exchange: str, method: str, arguments: tuple[object, ...]) -> None:
    async def main() -> None:
        async with replaying(exchange, WORLDS[exchange]()) as (venue, replay):
            await venue.instruments()
            before = len(replay.asked)
            with pytest.raises(Exception):  # noqa: B017, PT011 - ours, or ccxt's where it has no such method
                await getattr(venue._exchange, method)(*arguments)
            assert {request.method for request in replay.asked[before:]} <= {"GET"}

    asyncio.run(main())


@pytest.mark.parametrize("method", ["set_leverage", "transfer", "withdraw", "set_position_mode"])
def test_while_ordering_nothing_but_orders_leaves(method: str) -> None:
    arguments: dict[str, tuple[object, ...]] = {
        "set_leverage": (5, "BTC/USDT:USDT"),
        "transfer": ("USDT", "1", "unified", "funding"),
        "withdraw": ("USDT", "1", "0xabc", {}),
        "set_position_mode": (True, "BTC/USDT:USDT"),
    }

    async def main() -> None:
        async with replaying("bybit", WORLDS["bybit"]()) as (venue, replay):
            await venue.instruments()
            with permitting(Permit(orders=True)), pytest.raises(Rejected, match="not known to read or to order"):
                await getattr(venue._exchange, method)(*arguments[method])
            assert {request.method for request in replay.asked} == {"GET"}

    asyncio.run(main())


def test_at_no_exchange_does_an_endpoint_that_orders_or_moves_money_pass_for_one_that_reads() -> None:
    changing = re.compile(r"_?(create_.*order|cancel_|edit_|withdraw|transfer|set_leverage|approve|repay|borrow)")
    for name in known():
        kind = guarded(name)
        reads = endpoints(kind).reads
        declared = guard._declared(kind)
        for parent in kind.__mro__:
            for method, function in vars(parent).items():
                if changing.match(method) and hasattr(function, "__code__"):
                    called = {declared[named] for named in function.__code__.co_names if named in declared}
                    assert {endpoint for endpoint in called & reads if endpoint[0] != "GET"} == set(), (name, method)


def test_every_exchange_that_takes_orders_has_endpoints_for_them() -> None:
    for name in known():
        exchange = make(name, {}, clock=SystemClock())
        if exchange.has["createOrder"] is True and exchange.has["fetchBalance"]:
            kind = endpoints(guarded(name))
            named = [method for parent in type(exchange).__mro__ for method in vars(parent) if ORDERING.match(method)]
            assert kind.reads, name
            assert kind.orders or not named, name


def test_what_reaches_the_network_without_an_endpoint_is_refused() -> None:
    async def main() -> None:
        async with replaying("bybit", WORLDS["bybit"]()) as (venue, replay):
            with pytest.raises(Rejected, match="no endpoint of its table"):
                await venue._exchange.fetch("http://127.0.0.1:1/v5/order/create", "POST", {}, "{}")
            assert not replay.asked

    asyncio.run(main())


def test_our_clock_is_ccxts() -> None:
    class Stopped:
        def now(self) -> int:
            return 1_700_000_000 * NS_PER_SECOND

        def monotonic(self) -> float:
            return 0.0

    exchange = make("bybit", {}, clock=Stopped())
    assert (exchange.milliseconds(), exchange.seconds()) == (1_700_000_000_000, 1_700_000_000)
