"""Lines over an HTTP answer that does not end, over a real socket; and as a stream that is kept alive."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from random import Random

import pytest

from tests.venues.transport.rawserver import Answering, Exchange, serving
from trueup.engine.clock import SystemClock
from trueup.model.errors import AuthenticationFailed, RateLimited, Unavailable, VenueError
from trueup.model.venues import Gap
from trueup.venues.transport import http, lines
from trueup.venues.transport.http import Answer, Call
from trueup.venues.transport.lines import Lines, open_lines
from trueup.venues.transport.stream import Stream

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
CALL = Call("GET", "/stream", headers={"Authorization": "Bearer t"})
CONNECTED = Gap("connected")


def judge(call: Call, answer: Answer) -> VenueError | None:
    match answer.status:
        case 401:
            return AuthenticationFailed("not known here", venue_text=answer.body.decode())
        case 429:
            return RateLimited("too many connections")
        case _:
            return None


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def saying(*chunks: bytes, ends: bytes | None = None) -> Answering:
    """Says each as a chunk of its own; then it stays, ends with some bytes, or (empty ones) breaks off."""

    async def answering(exchange: Exchange) -> None:
        await exchange.raw(HEAD)
        for data in chunks:
            await exchange.raw(chunk(data))
        if ends is None:
            await asyncio.Event().wait()
        elif ends:
            await exchange.raw(ends)
        else:
            exchange.reset()

    return answering


@asynccontextmanager
async def listening(answering: Answering, call: Call = CALL) -> AsyncIterator[tuple[Lines, list[Exchange]]]:
    async with (
        serving(answering) as (base, seen),
        http.client(base) as client,
        aclosing(await open_lines("venue", client, call, judge, SystemClock())) as connection,
    ):
        yield connection, seen


def test_lines_come_whole_however_they_are_cut_into_chunks() -> None:
    async def story() -> None:
        answering = saying(b'{"a":', b'1}\n{"b"', b":2}\r\n\n\n{", b'"c":3}', b"\n")
        async with listening(answering) as (connection, seen):
            assert [await connection.receive() for _ in range(3)] == [b'{"a":1}', b'{"b":2}', b'{"c":3}']
            assert seen[0].line == "GET /stream HTTP/1.1"
            assert seen[0].headers["authorization"] == "Bearer t"
            assert seen[0].headers["accept-encoding"] == "identity"

    asyncio.run(story())


@pytest.mark.parametrize("ends", [b"0\r\n\r\n", b"", b"nonsense\r\n"])
def test_the_end_is_unavailable_and_half_a_line_is_not_given(ends: bytes) -> None:
    async def story() -> None:
        async with listening(saying(b'{"a":1}\n{"b":', ends=ends)) as (connection, _):
            assert await connection.receive() == b'{"a":1}'
            with pytest.raises(Unavailable, match="ended"):
                await connection.receive()

    asyncio.run(story())


def test_a_line_without_end_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LINE_BYTES_MAX", 100)

    async def story() -> None:
        async with listening(saying(b"x" * 60, b"x" * 60)) as (connection, _):
            with pytest.raises(Unavailable, match="longer than 100 bytes"):
                await connection.receive()

    asyncio.run(story())


def test_an_answer_that_is_not_the_stream_is_judged_by_the_venues_table() -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.answer("401 Unauthorized", b"who are you")

    async def busy(exchange: Exchange) -> None:
        await exchange.answer("503 Service Unavailable")

    async def story() -> None:
        with pytest.raises(AuthenticationFailed) as refused:
            async with listening(refuse):
                pass
        assert refused.value.venue_text == "who are you"
        with pytest.raises(Unavailable, match="venue answered /stream with status 503"):
            async with listening(busy):
                pass

    asyncio.run(story())


def test_half_of_a_refusal_is_unavailable_with_its_status() -> None:
    async def half(exchange: Exchange) -> None:
        await exchange.raw(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 100\r\n\r\nwho")
        exchange.reset()

    async def story() -> None:
        with pytest.raises(Unavailable, match="answered /stream with status 401"):
            async with listening(half):
                pass

    asyncio.run(story())


def test_a_venue_that_does_not_begin_its_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "CONNECT_S", 0.1)

    async def never(exchange: Exchange) -> None:
        await asyncio.Event().wait()

    async def story() -> None:
        with pytest.raises(Unavailable, match="does not open /stream"):
            async with listening(never, Call("GET", "/stream", answer_s=0.1)):
                pass

    asyncio.run(story())


def test_nobody_listens_at_the_other_end() -> None:
    async def story() -> None:
        async with listening(saying()) as (connection, _):
            with pytest.raises(TypeError, match="only listens"):
                await connection.send("hello")

    asyncio.run(story())


class Talk:
    """A venue that says numbers and beats."""

    silence_s = 60.0
    ping_s: float | None = None
    agreed = False

    def hello(self) -> Sequence[str]:
        return []

    def ping(self) -> str:
        raise AssertionError

    def read(self, message: str | bytes) -> Sequence[int]:
        self.agreed = True
        return [] if message == b"beat" else [int(message)]


def test_as_a_stream_it_comes_back_after_a_break_and_after_being_refused_for_a_while() -> None:
    async def busy(exchange: Exchange) -> None:
        await exchange.answer("429 Too Many Requests")

    left = [saying(b"beat\n1\n", ends=b""), busy, saying(b"2\n")]

    async def answering(exchange: Exchange) -> None:
        await left.pop(0)(exchange)

    async def story() -> None:
        clock = SystemClock()
        async with serving(answering) as (base, _), http.client(base) as client:
            numbers = Stream("numbers", lambda: open_lines("venue", client, CALL, judge, clock), Talk, clock, Random(7))
            async with aclosing(numbers):
                assert [await anext(numbers) for _ in range(4)] == [CONNECTED, 1, CONNECTED, 2]
            assert (numbers.health.gaps, numbers.health.errors) == (2, 2)

    asyncio.run(story())


def test_a_silent_venue_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Talk, "silence_s", 0.2)

    async def story() -> None:
        clock = SystemClock()
        async with serving(saying(b"beat\n")) as (base, seen), http.client(base) as client:
            numbers = Stream("numbers", lambda: open_lines("venue", client, CALL, judge, clock), Talk, clock, Random(7))
            async with aclosing(numbers):
                assert [await anext(numbers) for _ in range(2)] == [CONNECTED, CONNECTED]
            assert "nothing was heard for 0.2 s" in numbers.health.last_error
            assert len(seen) > 1

    asyncio.run(story())
