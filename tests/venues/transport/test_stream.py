"""When a connection counts as dead, and that every doubt ends in a gap: in simulated time, and over a real socket."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from random import Random
from traceback import format_exception
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.venues.transport.rawserver import Exchange, serving
from tests.venues.transport.timeless import now, run
from trueup.engine.clock import SystemClock
from trueup.model.errors import AuthenticationFailed, Malformed, Unavailable
from trueup.model.venues import Gap
from trueup.venues.transport import stream as streams
from trueup.venues.transport.stream import RECONNECTS_MAX, Connection, Stream
from trueup.venues.transport.websocket import open_websocket

CONNECTED = Gap("connected")


class Talk:
    """A venue that agrees to a subscription and then says numbers."""

    silence_s = 60.0
    ping_s: float | None = 50.0

    def __init__(self) -> None:
        self.agreed = False

    def hello(self) -> Sequence[str]:
        return ["subscribe"]

    def ping(self) -> str:
        return "ping"

    def read(self, message: str | bytes) -> Sequence[int]:
        if message == "subscribed":
            self.agreed = True
            return []
        if message == "pong":
            return []
        if message == "refused":
            raise AuthenticationFailed("the venue does not know us")
        try:
            return [int(message)]
        except ValueError:
            raise Malformed(f"not a number: {message!r}") from None


class Line:
    """A connection that says what it is told to, at its time; then it ends, or stays silent."""

    def __init__(self, *says: tuple[float, str], ends: bool = True) -> None:
        self.sent: list[tuple[float, str]] = []
        self.closed = False
        self._says = list(says)
        self._due: float | None = None
        self._ends = ends

    async def receive(self) -> str:
        if self._says:
            delay, message = self._says[0]
            self._due = self._due or now() + delay  # asked again meanwhile, it comes no later
            await asyncio.sleep(self._due - now())
            self._due = None
            del self._says[0]
            return message
        if self._ends:
            raise Unavailable("the connection ended")
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: str) -> None:
        self.sent.append((now(), message))

    async def aclose(self) -> None:
        self.closed = True


def calling(*lines: Line | Exception) -> Callable[[], Coroutine[Any, Any, Connection]]:
    left = list(lines)

    async def connect() -> Connection:
        line = left.pop(0) if left else Line(ends=False)
        if isinstance(line, Exception):
            raise line
        return line

    return connect


def stream_of(*lines: Line | Exception) -> Stream[int]:
    return Stream("numbers", calling(*lines), Talk, SystemClock(), Random(7))


async def take(stream: Stream[int], count: int) -> list[int | Gap]:
    return [await anext(stream) for _ in range(count)]


def test_nothing_is_delivered_before_the_gap_that_the_venues_agreement_opens() -> None:
    async def story() -> None:
        line = Line((1, "subscribed"), (1, "1"), (1, "2"), ends=False)
        async with aclosing(stream_of(line)) as stream:
            before = stream.health.connected
            assert await take(stream, 3) == [CONNECTED, 1, 2]
            assert (before, stream.health.connected) == (False, True)
            assert [message for _, message in line.sent] == ["subscribe"]
        assert line.closed

    run(story)


def test_each_new_connection_begins_with_a_gap() -> None:
    async def story() -> None:
        lines = [Line((0, "subscribed"), (0, "1")), Line((0, "subscribed"), (0, "2"), ends=False)]
        async with aclosing(stream_of(*lines)) as stream:
            assert await take(stream, 4) == [CONNECTED, 1, CONNECTED, 2]
            assert (stream.health.gaps, stream.health.reconnects, stream.health.errors) == (2, 1, 1)
            assert lines[0].closed

    run(story)


def test_a_message_that_cannot_be_read_is_a_gap_and_the_connection_stays() -> None:
    async def story() -> None:
        async with aclosing(stream_of(Line((0, "subscribed"), (0, "x"), (0, "1"), ends=False))) as stream:
            assert await take(stream, 3) == [CONNECTED, Gap("a message could not be read: not a number: 'x'"), 1]
            assert stream.health.reconnects == 0

    run(story)


def test_it_says_something_in_time_and_hangs_up_on_silence() -> None:
    async def story() -> None:
        silent = Line((0, "subscribed"), ends=False)
        async with aclosing(stream_of(silent, Line((0, "subscribed"), ends=False))) as stream:
            started = now()
            assert await take(stream, 2) == [CONNECTED, CONNECTED]
            assert [(round(at - started), message) for at, message in silent.sent] == [(0, "subscribe"), (50, "ping")]
            assert now() - started == pytest.approx(Talk.silence_s + 1, abs=1)
            assert silent.closed
            assert "nothing was heard for 60 s" in stream.health.last_error

    run(story)


def test_a_venue_that_answers_pings_is_not_hung_up_on() -> None:
    async def story() -> None:
        line = Line((0, "subscribed"), *[(51.0, "pong")] * 5, (0, "1"), ends=False)
        async with aclosing(stream_of(line)) as stream:
            assert await take(stream, 2) == [CONNECTED, 1]
            assert stream.health.reconnects == 0

    run(story)


def test_a_venue_that_talks_and_never_takes_what_was_asked_for_is_hung_up_on() -> None:
    async def story() -> None:
        talking = Line(*[(10.0, "pong")] * 100, ends=False)
        async with aclosing(stream_of(talking, Line((0, "subscribed"), ends=False))) as stream:
            started = now()
            assert await take(stream, 1) == [CONNECTED]
            assert now() - started == pytest.approx(Talk.silence_s + 1, abs=1)
            assert talking.closed
            assert "not taken" in stream.health.last_error

    run(story)


def test_gaps_wait_for_a_slow_reader_within_the_same_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "QUEUE_MAX", 3)

    async def story() -> None:
        line = Line((0, "subscribed"), *[(1.0, "x")] * 100, ends=False)
        async with aclosing(stream_of(line)) as stream:
            first = await anext(stream)
            await asyncio.sleep(200)
            assert first == CONNECTED
            assert len(stream._queue) <= 3 + 1
            assert stream.health.gaps > 100
            assert isinstance(await anext(stream), Gap)

    run(story)


def test_a_reader_too_slow_loses_everything_at_once_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "QUEUE_MAX", 3)

    async def story() -> None:
        says = [(0.0, "subscribed"), *((0.0, str(number)) for number in range(10)), (5.0, "99")]
        async with aclosing(stream_of(Line(*says, ends=False))) as stream:
            assert await anext(stream) == CONNECTED
            await asyncio.sleep(1)
            heard: list[int | Gap] = []
            while 99 not in heard:
                heard.append(await anext(stream))
            assert isinstance(heard[0], Gap)
            assert "fell 3 messages behind" in heard[0].reason
            numbers = [item for item in heard if not isinstance(item, Gap)]
            assert numbers == sorted(numbers)
            assert len(heard) <= 3 + 1 + 1

    run(story)


def test_a_venue_that_refuses_ends_the_stream() -> None:
    async def story() -> None:
        async with aclosing(stream_of(Line((0, "refused"), ends=False))) as stream:
            with pytest.raises(AuthenticationFailed):
                await anext(stream)
            with pytest.raises(AuthenticationFailed):
                await anext(stream)

    run(story)


def test_it_gives_up_after_a_bounded_number_of_losses_in_a_row() -> None:
    async def story() -> None:
        lines = [Unavailable("nobody there")] * (RECONNECTS_MAX + 1)
        async with aclosing(stream_of(*lines)) as stream:
            with pytest.raises(Unavailable, match=f"lost {RECONNECTS_MAX} times in a row: nobody there"):
                await anext(stream)

    run(story)


def test_giving_up_on_waiting_loses_nothing() -> None:
    async def story() -> None:
        async with aclosing(stream_of(Line((5, "subscribed"), (5, "1"), ends=False))) as stream:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await anext(stream)
            assert await take(stream, 2) == [CONNECTED, 1]

    run(story)


def test_a_closed_stream_has_ended() -> None:
    async def story() -> None:
        stream = stream_of(Line((0, "subscribed"), (0, "1"), ends=False))
        assert await anext(stream) == CONNECTED
        await stream.aclose()
        assert [item async for item in stream] == []

    run(story)


def test_over_a_real_socket_that_breaks_in_between() -> None:
    connections = 0

    async def venue(connection: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        assert await connection.recv() == "subscribe"
        await connection.send("subscribed")
        await connection.send(str(connections))
        if connections == 1:
            connection.transport.abort()
        await connection.wait_closed()

    async def story() -> None:
        async with serve(venue, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            stream = Stream("numbers", lambda: open_websocket(f"ws://127.0.0.1:{port}"), Talk, SystemClock(), Random(7))
            async with aclosing(stream):
                assert await take(stream, 4) == [CONNECTED, 1, CONNECTED, 2]

    asyncio.run(story())


@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_a_socket_that_cannot_be_reached_says_so_without_the_query(scheme: str) -> None:
    address = f"{scheme}://127.0.0.1:1/stream?access_token=s3cr3t"

    async def story() -> None:
        with pytest.raises(Unavailable) as away:
            await open_websocket(address)
        told = "".join(format_exception(away.value))
        assert f"{scheme}://127.0.0.1:1/stream " in away.value.message
        assert "s3cr3t" not in told

    asyncio.run(story())


def test_a_redirect_is_not_followed() -> None:
    async def elsewhere(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async def story() -> None:
        async with serve(elsewhere, "127.0.0.1", 0) as server:
            target = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

            async def moved(exchange: Exchange) -> None:
                await exchange.answer("302 Found", b"", Location=target)

            async with serving(moved) as (url, _):
                with pytest.raises(Unavailable, match="302"):
                    await open_websocket(url.replace("http", "ws"))

    asyncio.run(story())
