"""What only a socket can do wrong: silence, half frames, strange frames, clients and servers that die in mid-call."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from random import Random

import msgspec
import pytest

import trueup
from tests.processes import unmeasured
from tests.venues.paper.world import BTC, MAIN, World, limit_order, market_order
from trueup.engine.clock import SystemClock
from trueup.model.errors import Malformed, OutcomeUnknown, Unavailable, VenueError
from trueup.model.events import FillBooked
from trueup.model.orders import Amendment
from trueup.model.venues import Gap
from trueup.venues.paper import wire
from trueup.venues.paper.calls import Found, TakeSnapshot
from trueup.venues.paper.client import TIMEOUT_S, PaperClient
from trueup.venues.paper.reports import Hearing
from trueup.venues.paper.server import HOST, PaperServer, pump
from trueup.venues.paper.venue import PaperVenue

AT_ONCE_S = 0.0
"""Patience that ends at the first wait, on any machine. What is to come in time has the defaults instead."""

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def reaching(port: int, *, timeout_s: float = TIMEOUT_S) -> PaperClient:
    return PaperClient(HOST, port, MAIN, clock=SystemClock(), random=Random(1), timeout_s=timeout_s)


def with_stranger(
    handler: Handler, story: Callable[[PaperClient], Awaitable[None]], *, timeout_s: float = TIMEOUT_S
) -> None:
    """Run a story against a server that does as the handler does."""

    async def main() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await handler(reader, writer)
            finally:
                writer.transport.abort()

        async with await asyncio.start_server(serve, HOST, 0) as server:
            await story(reaching(server.sockets[0].getsockname()[1], timeout_s=timeout_s))

    asyncio.run(main())


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()  # until the client gives up


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(4)


async def half_an_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await wire.FrameReader(reader, wire.CALLS).read()
    writer.write((1000).to_bytes(4, "big") + b"half")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize(
    ("handler", "timeout_s"), [(silence, AT_ONCE_S), (hang_up, TIMEOUT_S), (half_an_answer, TIMEOUT_S)]
)
def test_a_call_without_an_answer_ends_and_says_whether_to_look_first(handler: Handler, timeout_s: float) -> None:
    async def story(client: PaperClient) -> None:
        with pytest.raises(OutcomeUnknown):
            await client.place(market_order("buy", "1", "trend-1"))
        with pytest.raises(OutcomeUnknown):
            await client.cancel(BTC, "order-1")
        with pytest.raises(OutcomeUnknown):
            await client.amend(BTC, "order-1", Amendment(price=Decimal(1)))
        with pytest.raises(OutcomeUnknown):
            await client.close(BTC, "net", "trend-1")
        for ask in (client.snapshot, client.instruments):
            with pytest.raises(Unavailable, match="No answer came"):
                await ask()
        with pytest.raises(Unavailable):
            await client.find("trend-1")

    with_stranger(handler, story, timeout_s=timeout_s)


@pytest.mark.parametrize(
    "frame",
    [
        (wire.FRAME_BYTES_MAX + 1).to_bytes(4, "big"),
        (3).to_bytes(4, "big") + b"\xc1??",
        (1).to_bytes(4, "big") + b"\x01",
    ],
)
def test_an_answer_that_cannot_be_read_is_malformed(frame: bytes) -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await wire.FrameReader(reader, wire.CALLS).read()
        writer.write(frame)
        await reader.read()

    async def story(client: PaperClient) -> None:
        with pytest.raises(Malformed):
            await client.snapshot()

    with_stranger(nonsense, story)


def test_an_answer_of_another_kind_is_malformed() -> None:
    async def nothing_found(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await wire.FrameReader(reader, wire.CALLS).read()
        await wire.send(writer, Found(None))
        await reader.read()

    async def story(client: PaperClient) -> None:
        with pytest.raises(Malformed, match="Found where Snapped was due"):
            await client.snapshot()
        with pytest.raises(Malformed, match="without the order"):
            await client.place(market_order("buy", "1"))

    with_stranger(nothing_found, story)


def test_an_error_of_a_newer_venue_is_still_a_venue_error() -> None:
    with pytest.raises(VenueError, match="tired"):
        wire.unless_failed(wire.Failed("sleepy", "The venue is tired.", "Let it rest."))


@pytest.mark.parametrize("handler", [hang_up, half_an_answer])
def test_a_stream_that_breaks_is_opened_again(handler: Handler) -> None:
    connections = 0

    async def better_next_time(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        if connections == 1:
            await handler(reader, writer)
            return
        await wire.send(writer, wire.Subscribed())
        await reader.read()

    async def story(client: PaperClient) -> None:
        async with aclosing(client.stream()) as stream:
            assert await anext(stream) == Gap("connected")
        assert "stream broke" in client.health["stream"].last_error
        assert client.health["stream"].reconnects == 1

    with_stranger(better_next_time, story)


def test_a_stream_that_falls_silent_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def subscribed_then_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await wire.send(writer, wire.Subscribed())
        await wire.send(writer, wire.Beat())
        await reader.read()

    async def story(client: PaperClient) -> None:
        async with aclosing(client.stream()) as stream:
            assert [await anext(stream) for _ in range(2)] == [Gap("connected")] * 2
        assert "nothing was heard" in client.health["stream"].last_error

    monkeypatch.setattr(Hearing, "silence_s", 0.5)
    with_stranger(subscribed_then_silent, story)


def test_a_venue_that_is_not_there_is_unavailable() -> None:
    async def main() -> None:
        async with PaperServer(World().exchange) as server:
            port = server.port
        client = reaching(port)
        with pytest.raises(Unavailable, match="cannot be reached"):
            await client.place(market_order("buy", "1", "trend-1"))

    asyncio.run(main())


def test_a_quiet_stream_beats() -> None:
    async def main() -> None:
        async with PaperServer(World().exchange, beat_s=0) as server:
            reader, writer = await asyncio.open_connection(HOST, server.port)
            frames = wire.FrameReader(reader, wire.ANSWERS)
            await wire.send(writer, wire.Subscribe(MAIN))
            assert [await frames.read() for _ in range(3)] == [wire.Subscribed(), wire.Beat(), wire.Beat()]
            writer.transport.abort()

    asyncio.run(main())


def test_beats_are_not_reports() -> None:
    fact = World().facts()[0]

    async def beats_then_reports(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (wire.Subscribed(), wire.Beat(), wire.Beat(), wire.Reported(fact)):
            await wire.send(writer, answer)
        await reader.read()

    async def story(client: PaperClient) -> None:
        async with aclosing(client.stream()) as stream:
            assert [await anext(stream), await anext(stream)] == [Gap("connected"), fact]

    with_stranger(beats_then_reports, story)


def test_the_server_outlives_clients_that_talk_nonsense_or_leave() -> None:
    async def main() -> None:
        async with PaperServer(World().exchange) as server:
            body = msgspec.msgpack.encode(TakeSnapshot(MAIN))
            frames = [
                b"",
                b"\0\0",
                len(body).to_bytes(4, "big") + body[:5],
                len(body).to_bytes(4, "big") + body,
            ]
            for frame in frames:
                _, writer = await asyncio.open_connection(HOST, server.port)
                writer.write(frame)
                writer.transport.abort()
            reader, writer = await asyncio.open_connection(HOST, server.port)
            writer.write((2).to_bytes(4, "big") + b"\xc1?")
            answer = await wire.FrameReader(reader, wire.ANSWERS).read()
            assert isinstance(answer, wire.Failed)
            assert answer.code == "malformed"
            writer.transport.abort()
            assert (await reaching(server.port).snapshot()).cut

    asyncio.run(main())


def test_who_says_nothing_is_not_waited_for() -> None:
    async def main() -> None:
        async with PaperServer(World().exchange, patience_s=AT_ONCE_S) as server:
            reader, writer = await asyncio.open_connection(HOST, server.port)
            assert await reader.read() == b""
            writer.transport.abort()

    asyncio.run(main())


def test_a_reader_that_stops_reading_is_dropped_and_holds_up_nobody() -> None:
    async def main() -> None:
        world = World()
        world.exchange.unsubscribe(MAIN, world.ear)
        async with PaperServer(world.exchange, reports_max=100_000) as server:
            reader, writer = await asyncio.open_connection(HOST, server.port, limit=1)
            await wire.send(writer, wire.Subscribe(MAIN))
            await wire.FrameReader(reader, wire.ANSWERS).read()
            server._patience_s = AT_ONCE_S  # from now on: it subscribed in its own time
            for _ in range(60_000):
                world.exchange.deposit(MAIN, "USDC", world.exchange.prices[BTC])
            await asyncio.wait(server._connections)
            assert world.exchange._desks[MAIN].feed.disconnect("over") is False, "nobody listens any more"
            writer.transport.abort()

    asyncio.run(main())


def test_an_error_of_the_exchange_itself_comes_out_when_the_server_is_left() -> None:
    async def main() -> None:
        world = World()
        del world.exchange._desks[MAIN].by_client
        async with PaperServer(world.exchange) as server:
            with pytest.raises(OutcomeUnknown):
                await reaching(server.port).place(market_order("buy", "1"))

    with pytest.raises(ExceptionGroup, match="paper server failed") as caught:
        asyncio.run(main())
    assert [type(error) for error in caught.value.exceptions] == [AttributeError]


def test_the_pump_advances_the_exchange_until_it_is_cancelled() -> None:
    async def main() -> None:
        world = World()
        venue = PaperVenue(world.exchange, MAIN, clock=world.clock, random=Random(1))
        await venue.place(limit_order("buy", "0.1", "59990"))
        async with aclosing(venue.stream()) as stream:
            assert await anext(stream) == Gap("connected")
            pumping = asyncio.ensure_future(pump(world.exchange, 0))
            assert isinstance(await anext(stream), FillBooked), "the walk of prices has come by"
            pumping.cancel()
            with pytest.raises(asyncio.CancelledError):
                await pumping

    asyncio.run(main())


CHILD = """
import asyncio, sys
from decimal import Decimal
from random import Random
from trueup.engine.clock import SystemClock
from trueup.venues.paper.client import PaperClient
from trueup.model.orders import OrderRequest

async def main():
    client = PaperClient("127.0.0.1", int(sys.argv[1]), "paper:main", clock=SystemClock(), random=Random(1))
    number = 0
    while True:
        number += 1
        side = "buy" if number % 2 else "sell"
        report = await client.place(OrderRequest("BTC/USDC:USDC", side, Decimal("0.1"), f"trend-{number}"))
        print(report.client_order_id, flush=True)

asyncio.run(main())
"""


def test_what_a_client_was_told_before_it_was_killed_stands_and_the_venue_goes_on() -> None:
    async def main() -> None:
        world = World()
        async with PaperServer(world.exchange) as server:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                CHILD,
                str(server.port),
                stdout=subprocess.PIPE,
                env=unmeasured() | {"PYTHONPATH": str(Path(trueup.__file__).parents[1])},
            )
            assert child.stdout is not None
            told = [(await child.stdout.readline()).decode().strip() for _ in range(20)]
            child.send_signal(signal.SIGKILL)
            told += (await child.stdout.read()).decode().split("\n")[:-1]
            assert await child.wait() == -signal.SIGKILL
            client = reaching(server.port)
            await client.snapshot()  # connections are taken in turn: that of the child's last call was before this one
            while server._connections:
                await asyncio.wait(server._connections)
            placed = [fill.client_order_id for fill in world.fills()]
            assert placed[: len(told)] == told
            assert len(placed) - len(told) <= 1, "at most the one whose answer never came"
            assert all([await client.find(name) for name in told])
            assert (await client.place(market_order("buy", "0.1", told[0]))).client_order_id == told[0]
            assert len(world.fills()) == len(placed)

    asyncio.run(main())
