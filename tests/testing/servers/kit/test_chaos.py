"""Wire faults over real sockets: what a client sees, and whether the server had acted."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from email.utils import parsedate_to_datetime

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from tests.testing.servers.kit.ticking import HandClock
from trueup.testing.servers import asgi
from trueup.testing.servers import faults as f
from trueup.testing.servers.asgi import Receive, Scope, Send
from trueup.testing.servers.chaos import Chaos, VenueClock
from trueup.testing.servers.serving import Address, serving

BOUND_S = 60.0


class Counting:
    """Acts on every POST, counts up to five on a stream or a WebSocket, and tells its time."""

    def __init__(self, clock: VenueClock) -> None:
        self.acts = 0
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._count(asgi.WebSocket(receive, send))
            return
        request = await asgi.request(scope, receive)
        if request.path == "/broken":
            raise ZeroDivisionError
        if request.path == "/stream":
            await asgi.stream(receive, send, self._lines(), {})
            return
        self.acts += request.method == "POST"
        answer = asgi.json({"n": self.acts, "text": "a" * 40}, headers={"date": asgi.http_date(self._clock.now())})
        await asgi.reply(send, answer)

    async def _count(self, client: asgi.WebSocket) -> None:
        await client.accept()
        for number in range(5):
            await client.send_json({"channel": "counts", "n": number})
        while True:
            await client.receive()

    async def _lines(self) -> AsyncGenerator[bytes, None]:
        for number in range(5):
            yield f"{number}\n".encode()


class Rig:
    """The server, its chaos, its address and its clock."""

    def __init__(self, plan: f.WirePlan) -> None:
        self.hand = HandClock()
        self.clock = VenueClock(self.hand)
        self.app = Counting(self.clock)
        self.chaos = Chaos(self.app, plan, self.clock)
        self.kinds: Callable[[], list[str]] = lambda: [struck.kind for struck in self.chaos.struck]


def rehearse(story: Callable[[Rig, httpx.AsyncClient, Address], Awaitable[None]], *faults: f.AnyFault) -> None:
    """Tell a story of a client in front of a server with these faults."""

    async def run() -> None:
        rig = Rig(f.WirePlan(faults))
        async with (
            serving(rig.chaos) as address,
            httpx.AsyncClient(base_url=address.http, timeout=BOUND_S, trust_env=False) as client,
            asyncio.timeout(BOUND_S),
        ):
            await story(rig, client, address)

    asyncio.run(run())


async def told(connection: ClientConnection, count: int) -> list[str]:
    return [str(await connection.recv()) for _ in range(count)]


async def streamed(client: httpx.AsyncClient) -> list[str]:
    async with client.stream("GET", "/stream") as answer:
        return [line async for line in answer.aiter_lines()]


def count(*numbers: int) -> list[str]:
    return [f'{{"channel":"counts","n":{number}}}' for number in numbers]


def test_without_faults_everything_passes() -> None:
    async def story(rig: Rig, client: httpx.AsyncClient, address: Address) -> None:
        assert (await client.post("/")).json()["n"] == 1
        assert await streamed(client) == ["0", "1", "2", "3", "4"]
        async with connect(address.ws, proxy=None) as connection:
            assert await told(connection, 5) == count(0, 1, 2, 3, 4)
        assert rig.kinds() == []

    rehearse(story)


def test_a_status_before_acting_and_one_after() -> None:
    async def story(rig: Rig, client: httpx.AsyncClient, address: Address) -> None:
        first = await client.post("/orders")
        assert (first.status_code, first.headers["retry-after"], rig.app.acts) == (429, "2", 0)
        assert parsedate_to_datetime(first.headers["date"]).timestamp() == rig.hand.now() // 10**9
        second = await client.post("/orders")
        assert (second.status_code, second.text, rig.app.acts) == (502, "bad gateway", 1)
        assert (await client.post("/orders")).json()["n"] == 2
        assert [struck.what for struck in rig.chaos.struck] == ["POST /orders"] * 2

    rehearse(
        story,
        f.Status(status=429, retry_after_s=2, method="POST"),
        f.Status(status=502, at="after", body="bad gateway", path="orders", nth=2),
    )


@pytest.mark.parametrize("cut", [f.Reset, f.HalfClose])
@pytest.mark.parametrize(("at", "acted"), [("before", 0), ("halfway", 1), ("after", 1)])
def test_a_connection_that_ends_in_a_request(cut: type[f.Reset | f.HalfClose], at: f.Moment, acted: int) -> None:
    async def story(rig: Rig, client: httpx.AsyncClient, address: Address) -> None:
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await client.post("/")
        assert rig.app.acts == acted
        assert (await client.post("/")).json()["n"] == acted + 1

    rehearse(story, cut(at=at))


def test_a_slow_body_is_whole() -> None:
    async def story(rig: Rig, client: httpx.AsyncClient, address: Address) -> None:
        assert (await client.post("/")).json() == {"n": 1, "text": "a" * 40}
        assert rig.kinds() == ["slow_body"]

    rehearse(story, f.SlowBody(piece_bytes=7, pause_ms=1))


def test_the_clock_is_wrong_for_a_time() -> None:
    async def story(rig: Rig, client: httpx.AsyncClient, address: Address) -> None:
        async def off_s() -> float:
            date = parsedate_to_datetime((await client.get("/")).headers["date"])
            return date.timestamp() - rig.hand.now() // 10**9

        assert await off_s() == 0
        assert await off_s() == -90
        rig.hand.pass_s(9)
        assert await off_s() == -90
        rig.hand.pass_s(1)
        assert await off_s() == 0

    rehearse(story, f.WrongClock(by_ms=-90_000, for_ms=10_000, nth=2))


def test_maintenance_hangs_up_and_refuses_everything_until_it_is_over() -> None:
    async def story(rig: Rig, client: httpx.AsyncClient, address: Address) -> None:
        async with connect(address.ws, proxy=None) as connection:
            await told(connection, 5)
            answer = await client.post("/begin")
            assert (answer.status_code, answer.text) == (503, "closed")
            with pytest.raises(ConnectionClosed):
                await connection.recv()
        rig.hand.pass_s(59)
        assert (await client.get("/")).status_code == 503
        with pytest.raises(InvalidStatus):
            await connect(address.ws, proxy=None)
        rig.hand.pass_s(1)
        assert (await client.get("/")).status_code == 200
        assert rig.app.acts == 0

    rehearse(story, f.Maintenance(path="begin", for_ms=60_000, body="closed"))


MESSAGES = [
    ((f.Drop(message="counts", nth=2),), [0, 2, 3, 4]),
    ((f.Drop(message='"n":2', times=0),), [0, 1, 3, 4]),
    ((f.Duplicate(nth=2, times=2),), [0, 1, 1, 2, 2, 3, 4]),
    ((f.Reorder(nth=2),), [0, 2, 1, 3, 4]),
    ((f.Reorder(nth=2, times=2),), [0, 3, 1, 2, 4]),
    ((f.Delay(for_ms=20, nth=2),), [0, 1, 2, 3, 4]),
    ((f.Drop(message="nothing of this"),), [0, 1, 2, 3, 4]),
]


@pytest.mark.parametrize(("faults", "arrives"), MESSAGES)
def test_messages_of_a_websocket(faults: tuple[f.AnyFault, ...], arrives: list[int]) -> None:
    async def story(rig: Rig, client: httpx.AsyncClient, address: Address) -> None:
        async with connect(address.ws, proxy=None) as connection:
            assert await told(connection, len(arrives)) == count(*arrives)

    rehearse(story, *faults)


def test_messages_of_a_streamed_answer() -> None:
    async def story(rig: Rig, client: httpx.AsyncClient, address: Address) -> None:
        assert await streamed(client) == ["0", "2", "1", "4", "4"]
        assert rig.kinds() == ["reorder", "drop", "duplicate"]

    rehearse(story, f.Reorder(nth=2), f.Drop(message="3"), f.Duplicate(message="4"))


@pytest.mark.parametrize("cut", [f.Reset, f.HalfClose])
def test_a_stream_that_ends_at_a_message(cut: type[f.Reset | f.HalfClose]) -> None:
    async def story(rig: Rig, client: httpx.AsyncClient, address: Address) -> None:
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await streamed(client)
        assert await streamed(client) == ["0", "1", "2", "3", "4"]
        connection = await connect(address.ws, proxy=None)
        assert await told(connection, 1) == count(0)
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        await connection.close()

    rehearse(story, cut(message="2", path="stream"), cut(message='"n":1'))


@pytest.mark.parametrize("fault", [f.Status(status=401), f.Reset(), f.HalfClose(at="before")])
def test_a_websocket_that_does_not_open(fault: f.AnyFault) -> None:
    async def story(rig: Rig, client: httpx.AsyncClient, address: Address) -> None:
        with pytest.raises((OSError, WebSocketException)) as caught:
            await connect(address.ws, proxy=None)
        assert isinstance(caught.value, InvalidStatus) is isinstance(fault, f.Status)
        async with connect(address.ws, proxy=None) as connection:
            assert await told(connection, 1) == count(0)

    rehearse(story, fault)


def test_serving_raises_what_the_application_did() -> None:
    async def story(rig: Rig, client: httpx.AsyncClient, address: Address) -> None:
        assert (await client.get("/broken")).status_code == 500

    with pytest.raises(ExceptionGroup) as caught:
        rehearse(story)
    assert isinstance(caught.value.exceptions[0], ZeroDivisionError)


def test_serving_ends_with_streams_open_and_its_port_is_free_again() -> None:
    async def run() -> None:
        rig = Rig(f.NO_FAULTS)
        async with asyncio.timeout(BOUND_S):
            async with serving(rig.chaos) as address:
                connection = await connect(address.ws, proxy=None)
                await told(connection, 5)
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            async with serving(rig.chaos, port=address.port) as again:
                assert again == address
                with pytest.raises(OSError, match="in use"):
                    async with serving(rig.chaos, port=address.port):
                        pass

    asyncio.run(run())
